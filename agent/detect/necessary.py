"""
What the path and the arguments of an exec must hold for a predicate tree to hold: never more than that.

Any one child stands for a conjunction, all of them for a disjunction. A test that is negated, of another
field, or by an expression that needs no text, asks for nothing. `None` says so, and an empty set of pieces
that the tree never holds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from agent.detect.factors import required_steps
from agent.detect.fields import resolve_field
from agent.detect.matcher import as_boolean, as_text, compile_predicate
from agent.detect.pieces import INTENT, UNLINKED, Piece, Pieces, Where, anchor, count_steps, pieces_of, weigh
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
from agent.event import Exec, FieldValue, Process

_PLACES = {where.value: where for where in (Where.PATH, Where.NAME, Where.ARGUMENT, Where.COMMAND_LINE)}
# Sensors leave them out; they come with the intent (agent/intents.py).
_WITH_INTENT = ("intent.", "process.env_vars")
# Only a file without a name is one or the other, and the kernel passes all of those.
_OF_UNLINKED = frozenset(("process.deleted", "process.memfd"))
# All other fields are constants of a sensor, or absent: enrichment adds none of them.
_OF_EACH_EXEC = ("process.", "user.", "group.", "container.", "orchestrator.", "intent.")
_FOLDED = "ks"  # without case RE2 takes the Kelvin sign and the long s for them
_SHORTEST = 2  # steps of a piece without an anchor


def fold_constants(predicate: Predicate, live_fields: Mapping[str, FieldValue]) -> Predicate:
    """
    Decide what is the same of every live exec.

    Args:
        predicate: in negation normal form.
        live_fields: all that the sensor's events have in `Exec.fields`.
    """
    event = Exec(id="", time_ns=0, sensor="", process=Process(), fields=live_fields)

    def fold(node: Predicate) -> Predicate:
        match node:
            case And(children):
                return _decide(children, fold, absorbing=False)
            case Or(children):
                return _decide(children, fold, absorbing=True)
        return Always(compile_predicate(node)(event)) if all(map(_is_constant, fields_of(node))) else node

    return fold(predicate)


def _decide(children: Sequence[Predicate], fold: Callable[[Predicate], Predicate], *, absorbing: bool) -> Predicate:
    folded = [fold(child) for child in children]
    if Always(absorbing) in folded:
        return Always(absorbing)
    rest = [child for child in folded if child != Always(not absorbing)]
    return any_of(*rest) if absorbing else all_of(*rest)


def _is_constant(name: str) -> bool:
    field = resolve_field(name)
    return not field.known or not field.name.startswith(_OF_EACH_EXEC)


def necessary_pieces(predicate: Predicate) -> Pieces | None:
    """
    Find pieces of text of which an exec has at least one wherever a tree holds for it.

    Args:
        predicate: in negation normal form.
    """
    match predicate:
        case Always(value):
            return None if value else frozenset()
        case And(children):
            known = [pieces for child in children if (pieces := necessary_pieces(child)) is not None]
            return min(known, key=weigh, default=None)
        case Or(children):
            return _union(map(necessary_pieces, children))
        case Not():
            return None
    names = [resolve_field(name).name for name in fields_of(predicate)]
    if any(name.startswith(_WITH_INTENT) for name in names):
        return frozenset((INTENT,))
    match predicate:
        case Equals(_, values) if names[0] in _OF_UNLINKED:
            return frozenset((UNLINKED,)) if not any(as_boolean(value) is False for value in values) else None
        case Equals() | Like() | Regex() if names[0] in _PLACES:
            return _of_text(_PLACES[names[0]], predicate)
    return None


def _of_text(where: Where, test: Equals | Like | Regex) -> Pieces | None:
    match test:
        case Equals(_, values, ignore_case):
            texts = map(as_text, values)
            return _union(
                _best(pieces_of(where, text, start=True, end=True, ignore_case=ignore_case)) for text in texts
            )
        case Like(_, patterns, ignore_case):
            return _union(_of_pattern(where, pattern, ignore_case=ignore_case) for pattern in patterns)
    sequences = required_steps(test.pattern, whole=test.whole)
    pieces = frozenset(anchor(where, steps, strays=_FOLDED) for steps in sequences)
    return pieces if pieces and all(map(_tells, pieces)) else None


def _of_pattern(where: Where, pattern: str, *, ignore_case: bool) -> Pieces | None:
    # In lower case before it is taken apart, as it is compared.
    parts = split_pattern(pattern.lower() if ignore_case else pattern) or ((False, ""),)
    last = len(parts) - 1
    return _best(
        piece
        for index, (is_wildcard, text) in enumerate(parts)
        if not is_wildcard
        for piece in pieces_of(where, text, start=index == 0, end=index == last, ignore_case=ignore_case)
    )


def _best(pieces: Iterable[Piece]) -> Pieces | None:
    several = [frozenset((piece,)) for piece in pieces if _tells(piece)]
    return min(several, key=weigh, default=None)


def _tells(piece: Piece) -> bool:
    # Of an empty command line there is no byte, not even its end.
    if piece.where is Where.COMMAND_LINE and not count_steps(piece.steps):
        return False
    return count_steps(piece.steps) + piece.start + piece.end >= _SHORTEST


def _union(several: Iterable[Pieces | None]) -> Pieces | None:
    united: set[Piece] = set()
    for pieces in several:
        if pieces is None:
            return None
        united |= pieces
    return frozenset(united)


def find_unbounded(predicate: Predicate) -> Predicate:
    """
    Find the smallest part of a tree that lets every exec pass.

    Args:
        predicate: in negation normal form, and without `necessary_pieces`.
    """
    if isinstance(predicate, Or):
        return find_unbounded(next(child for child in predicate.children if necessary_pieces(child) is None))
    return predicate
