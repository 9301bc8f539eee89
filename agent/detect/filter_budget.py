"""Rules' pieces of text as one automaton of bounded size: what does not fit is shortened, the costliest rules first."""

from collections.abc import Iterable, Sequence
from itertools import islice

from agent.detect.automaton import MAX_TRANSITIONS, Dfa, Nfa, determinise, minimise
from agent.detect.exec_bytes import add_layout, add_pieces
from agent.detect.intent_bytes import add_intents
from agent.detect.pieces import INTENT, UNLINKED, Piece, Pieces, shorten

MAX_STATES = 4096
LENGTHS = (12, 8, 6, 4)  # steps to which pieces are shortened in turn
_RAW = 3  # before it is minimised an automaton may have so many times the states
_HOPE = 1.5  # and so many steps of pieces may fit into one state
_INTENT_COST = 1000  # steps that the pattern for intents is worth


def build_dfa(pieces: Pieces, *, max_states: int = MAX_STATES) -> Dfa | None:
    """
    Give the smallest automaton that accepts wherever a piece may stand.

    Returns:
        None where it would have very many more states than `max_states`; whether it `fits` is another question.
    """
    nfa = Nfa()
    layout = add_layout(nfa)
    add_pieces(nfa, layout, pieces - {INTENT, UNLINKED})
    if INTENT in pieces:
        add_intents(nfa, layout)
    dfa = determinise(nfa, layout.start, max_states=_RAW * max_states)
    return None if dfa is None else minimise(dfa)


def fit(several: Sequence[Pieces], *, max_states: int) -> tuple[Sequence[Pieces], Dfa | None]:
    """
    Build an automaton of all rules' pieces, with shorter ones where it would be too large.

    Args:
        several: each rule's pieces.
        max_states: of the automaton.

    Returns:
        Each rule's pieces as they were used, in the same order; no automaton where not even the shortest fit.
    """
    room = int(_HOPE * max_states)
    while True:
        used = _shorten_some(several, room)
        if used is None:
            return several, None
        dfa = build_dfa(_union(used), max_states=max_states)
        if dfa is not None and len(dfa.rows) <= max_states and dfa.transitions <= MAX_TRANSITIONS:
            return used, dfa
        # By as much less as it was too much; without a figure a guess.
        excess = 4 / 3 if dfa is None else max(len(dfa.rows) / max_states, dfa.transitions / MAX_TRANSITIONS)
        room = int(min(room, _count_steps(used)) / excess * 0.97)


def cost(pieces: Pieces) -> int:
    """Estimate how many states a rule's pieces take, those it shares with others included."""
    return sum(len(piece.steps) + 1 for piece in pieces) + (_INTENT_COST if INTENT in pieces else 0)


def _shorten_some(several: Sequence[Pieces], room: int) -> Sequence[Pieces] | None:
    if _count_steps(several) <= room:
        return several
    order = sorted(range(len(several)), key=lambda index: -cost(several[index]))
    for length in LENGTHS:
        shortened = [frozenset(shorten(piece, length) for piece in pieces) for pieces in several]
        if _count_steps(shortened) > room:
            several = shortened
            continue
        # The fewest that have to be shortened, by halves.
        few, enough = 0, len(order)
        while few < enough:
            middle = (few + enough) // 2
            if _count_steps(_mix(several, shortened, order[:middle])) <= room:
                enough = middle
            else:
                few = middle + 1
        return _mix(several, shortened, order[:enough])
    return None


def _mix(several: Sequence[Pieces], others: Sequence[Pieces], indexes: Iterable[int]) -> list[Pieces]:
    mixed = list(several)
    for index in indexes:
        mixed[index] = others[index]
    return mixed


def _union(several: Iterable[Pieces]) -> Pieces:
    return frozenset[Piece]().union(*several)


# What pieces have in common at their beginnings is counted once, as an automaton shares it.
def _count_steps(several: Iterable[Pieces]) -> int:
    union = _union(several)
    heads = {
        (piece.where, piece.start, piece.steps[:length])
        for piece in union
        for length in islice(range(len(piece.steps) + 1), 1, None)
    }
    return len(heads) + sum(piece.end for piece in union) + (_INTENT_COST if INTENT in union else 0)
