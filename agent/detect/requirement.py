"""
What an event must have for a tree to hold at all: the keys under which a rule is indexed.

Everything here is a necessary condition: weaker than the tree, never stronger.
"""

from collections.abc import Callable, Iterable
from enum import Enum

import msgspec

from agent.detect.fields import resolve_field
from agent.detect.literals import longest_ascii, required_literals, weight
from agent.detect.matcher import as_text
from agent.detect.predicate import (
    Always,
    And,
    Equals,
    Like,
    Not,
    Or,
    Predicate,
    Regex,
    all_of,
    any_of,
    fields_of,
    split_pattern,
)


class Place(Enum):
    """Where a key is looked up: whole values in lower case, parts folded (`literals.fold`)."""

    NAME = 1  # process.name
    FILE = 2  # what follows the last "/" of process.executable
    ARGUMENT = 3  # one whole element of process.args
    PART = 4  # anywhere in one of `PART_FIELDS`


class Key(msgspec.Struct, frozen=True):
    """Something that can be looked up in an event; `field` says where for a `Place.PART`."""

    place: Place
    text: str
    field: str = ""


Keys = frozenset[Key]

PART_FIELDS = ("process.name", "process.executable", "process.command_line", "process.args")
_WHOLE = {"process.name": Place.NAME, "process.args": Place.ARGUMENT}
_SHORTEST_PART = 2


def required_keys(predicate: Predicate) -> Keys | None:
    """
    Find keys of which an event has at least one wherever a tree holds.

    Args:
        predicate: in negation normal form.

    Returns:
        None where there is no such set; an empty one where the tree never holds.
    """
    match predicate:
        case Always(value):
            return None if value else frozenset()
        case And(children):
            found = [keys for keys in map(required_keys, children) if keys is not None]
            return min(found, key=_weight, default=None)
        case Or(children):
            return _union(map(required_keys, children))
        case Equals(field, values):
            return _union(_whole_key(_name_of(field), as_text(value)) for value in values)
        case Like(field, patterns, ignore_case):
            name = _name_of(field)
            return _union(_pattern_key(name, pattern.lower() if ignore_case else pattern) for pattern in patterns)
        case Regex(field, pattern) if _name_of(field) in PART_FIELDS:
            literals = required_literals(pattern)
            return None if literals is None else _union(_part_key(_name_of(field), literal) for literal in literals)
    return None


def _name_of(field: str) -> str:
    return resolve_field(field).name


def _union(several: Iterable[Keys | None]) -> Keys | None:
    union: set[Key] = set()
    for keys in several:
        if keys is None:
            return None
        union |= keys
    return frozenset(union)


def _weight(keys: Keys) -> int:
    parts = [key.text for key in keys if key.place is Place.PART]
    return weight(parts) + len(keys) - len(parts)


def _whole_key(field: str, text: str) -> Keys | None:
    if field == "process.executable":
        return frozenset((Key(Place.FILE, _last_component(text)),))
    if field in _WHOLE:
        return frozenset((Key(_WHOLE[field], text.lower()),))
    return _part_key(field, longest_ascii((text,)))


def _pattern_key(field: str, pattern: str) -> Keys | None:
    parts = split_pattern(pattern)
    if all(not wildcard for wildcard, _ in parts):
        return _whole_key(field, "".join(text for _, text in parts))
    wildcard, tail = parts[-1]
    if field == "process.executable" and not wildcard and "/" in tail:
        return frozenset((Key(Place.FILE, _last_component(tail)),))
    return _part_key(field, longest_ascii(text for wildcard, text in parts if not wildcard))


def _last_component(path: str) -> str:
    return path.lower().rpartition("/")[2]


def _part_key(field: str, literal: str) -> Keys | None:
    if field not in PART_FIELDS or len(literal) < _SHORTEST_PART:
        return None
    return frozenset((Key(Place.PART, literal, field),))


def requires_intent(predicate: Predicate) -> bool:
    """
    Tell whether a tree can only hold for an event whose intent was read.

    Args:
        predicate: in negation normal form.
    """
    match predicate:
        case Always(value):
            return not value
        case And(children):
            return any(map(requires_intent, children))
        case Or(children):
            return all(map(requires_intent, children))
        case Not():
            return False
    return any(_name_of(field).startswith("intent.") for field in fields_of(predicate))


def restrict(predicate: Predicate, keep: Callable[[str], bool]) -> Predicate:
    """
    Weaken a tree to what it says of some fields: tests of others become true.

    Args:
        predicate: in negation normal form.
        keep: takes a field's canonical name.
    """
    match predicate:
        case And(children):
            return all_of(*(restrict(child, keep) for child in children))
        case Or(children):
            return any_of(*(restrict(child, keep) for child in children))
    return predicate if all(keep(_name_of(field)) for field in fields_of(predicate)) else Always(True)
