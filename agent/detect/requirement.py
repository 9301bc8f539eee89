"""
What an event must have for a tree to hold at all: the keys under which a rule is indexed.

Everything here is a necessary condition: weaker than the tree, never stronger.
"""

from collections.abc import Callable, Iterable, Sequence
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


def required_keys(predicate: Predicate) -> tuple[Keys, ...]:
    """
    Find sets of keys such that an event has a key of each wherever a tree holds.

    Args:
        predicate: in negation normal form.

    Returns:
        At most two sets, whole values before parts of text; no set where nothing is required; one
        empty set where the tree never holds.
    """
    match predicate:
        case Always(value):
            return () if value else (frozenset(),)
        case And(children):
            return _strongest(keys for child in children for keys in required_keys(child))
        case Or(children):
            return _either([required_keys(child) for child in children])
        case Equals(field, values):
            return _either([_whole_key(_name_of(field), as_text(value)) for value in values])
        case Like(field, patterns, ignore_case):
            name = _name_of(field)
            return _either([_pattern_key(name, pattern.lower() if ignore_case else pattern) for pattern in patterns])
        case Regex(field, pattern):
            name = _name_of(field)
            sets = ([_part_key(name, literal) for literal in literals] for literals in required_literals(pattern))
            return _strongest(keys for alternatives in sets for keys in _either(alternatives))
    return ()


# Of all sets that must be met: the best of whole values, and the best of the rest.
def _strongest(sets: Iterable[Keys]) -> tuple[Keys, ...]:
    rest = set(sets)
    if len(rest) < 2 or frozenset() in rest:
        return (frozenset(),) if frozenset() in rest else tuple(rest)
    first = min(rest, key=lambda keys: (any(key.place is Place.PART for key in keys), _weight(keys)))
    return first, min(rest - {first}, key=_weight)


# Any one of each alternative's sets may stand for it: the first in the first union, the last in the second.
def _either(alternatives: Sequence[tuple[Keys, ...]]) -> tuple[Keys, ...]:
    if not all(alternatives):
        return ()
    first = frozenset[Key]().union(*(sets[0] for sets in alternatives))
    second = frozenset[Key]().union(*(sets[-1] for sets in alternatives))
    return (first,) if first == second else (first, second)


def _name_of(field: str) -> str:
    return resolve_field(field).name


# A whole value is as telling as a part of eight characters.
def _weight(keys: Keys) -> float:
    return weight(key.text if key.place is Place.PART else "a whole." for key in keys)


def _whole_key(field: str, text: str) -> tuple[Keys, ...]:
    if field == "process.executable":
        return _key(Place.FILE, _last_component(text))
    if field in _WHOLE:
        return _key(_WHOLE[field], text.lower())
    return _part_key(field, longest_ascii((text,)))


def _pattern_key(field: str, pattern: str) -> tuple[Keys, ...]:
    parts = split_pattern(pattern)
    if all(not wildcard for wildcard, _ in parts):
        return _whole_key(field, "".join(text for _, text in parts))
    wildcard, tail = parts[-1]
    if field == "process.executable" and not wildcard and "/" in tail:
        return _key(Place.FILE, _last_component(tail))
    return _part_key(field, longest_ascii(text for wildcard, text in parts if not wildcard))


def _part_key(field: str, literal: str) -> tuple[Keys, ...]:
    return _key(Place.PART, literal, field) if field in PART_FIELDS and len(literal) >= _SHORTEST_PART else ()


def _key(place: Place, text: str, field: str = "") -> tuple[Keys, ...]:
    return (frozenset((Key(place, text, field),)),)


def _last_component(path: str) -> str:
    return path.lower().rpartition("/")[2]


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
