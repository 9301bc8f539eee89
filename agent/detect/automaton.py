"""
Byte-wise automata: a nondeterministic one as it is built, the smallest deterministic one for the kernel.

Sets of bytes are integers, one bit for each of the 256. ASCII letters are read without their case. To
accept is final: an input of which a beginning is accepted is accepted.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter

import msgspec

ALL_BYTES = (1 << 256) - 1
NUL = 1  # the set of just this byte
HIGH = ALL_BYTES ^ (1 << 128) - 1  # 0x80 and above: no ASCII

# ``struct automaton`` of bpf/event.h.
MAX_TRANSITIONS = 1 << 18
START, ACCEPT = 0, 1

ACCEPTED = 0  # the node of every `Nfa` that accepts

_UPPER = (1 << ord("Z") + 1) - (1 << ord("A"))
_CASE = ord("a") - ord("A")


class Nfa:
    """
    Nodes and edges, grown step by step; node `ACCEPTED` needs no edges.

    Hubs are nodes from which very many patterns begin: what a set of them leads to is worked out once.
    """

    def __init__(self) -> None:
        self.edges: list[list[tuple[int, int]]] = [[]]
        self.hubs: set[int] = set()

    def add_node(self, *, hub: bool = False) -> int:
        """Give a new node without edges."""
        self.edges.append([])
        node = len(self.edges) - 1
        if hub:
            self.hubs.add(node)
        return node

    def add_edge(self, source: int, some: int, *targets: int) -> None:
        """Let any byte of the set `some`, its letters in both cases, lead from `source` to each of `targets`."""
        letters = (some | some >> _CASE) & _UPPER
        self.edges[source] += [(some | letters | letters << _CASE, target) for target in targets]


class Dfa(msgspec.Struct, frozen=True):
    """
    A complete automaton: ``rows[state][class_of[byte]]`` is the next state, from `START` on.

    `ACCEPT` leads only to itself, and is there even where nothing leads to it.
    """

    class_of: bytes
    rows: tuple[tuple[int, ...], ...]

    @property
    def shift(self) -> int:
        """Bits of a class number: the rows' width in the kernel is ``1 << shift``."""
        return (len(self.rows[0]) - 1).bit_length()

    @property
    def transitions(self) -> int:
        """How many of the kernel's `MAX_TRANSITIONS` it takes."""
        return len(self.rows) << self.shift


def encode(dfa: Dfa) -> bytes:
    """
    Write an automaton as ``struct automaton`` of bpf/event.h, host byte order; what it does not need is zero.

    Raises:
        ValueError: it has more transitions than the kernel's table.
    """
    if dfa.transitions > MAX_TRANSITIONS:
        raise ValueError(f"an automaton of {dfa.transitions} transitions does not fit into {MAX_TRANSITIONS}")
    width = 1 << dfa.shift
    following = array("H", bytes(2 * MAX_TRANSITIONS))
    for state, row in enumerate(dfa.rows):
        following[state * width : state * width + len(row)] = array("H", row)
    return array("I", (dfa.shift,)).tobytes() + dfa.class_of + following.tobytes()


def compile_dfa(dfa: Dfa) -> Callable[[bytes], bool]:
    """Make a function that tells whether a text, or a beginning of it, is accepted; some 25 ns a byte."""
    # Each row holds the rows it leads to, so that a step is one look-up.
    rows: list[list[object]] = [[] for _ in dfa.rows]
    for row, states in zip(rows, dfa.rows, strict=True):
        row += [rows[state] for state in states]
    start, accept, class_of = rows[START], rows[ACCEPT], dfa.class_of

    def accepts(text: bytes) -> bool:
        row: list[object] = start
        for number in text.translate(class_of):
            row = row[number]  # type: ignore[assignment]
        return row is accept

    return accepts


def determinise(nfa: Nfa, start: Iterable[int], *, max_states: int) -> Dfa | None:
    """
    Make an automaton deterministic.

    Returns:
        None when that takes more than `max_states` states.
    """
    class_of, classes_in = _partition({some for edges in nfa.edges for some, _ in edges})
    moves = [_by_class(edges, classes_in) for edges in nfa.edges]
    width = max(class_of) + 1
    states: dict[frozenset[int], int] = {}
    pending: list[frozenset[int]] = []

    def number_of(nodes: frozenset[int]) -> int:
        if ACCEPTED in nodes:
            return ACCEPT
        if nodes not in states:
            states[nodes] = len(states) + (1 if states else 0)  # the second number is ACCEPT's
            pending.append(nodes)
        return states[nodes]

    hubs = frozenset(nfa.hubs)
    begun: dict[frozenset[int], tuple[list[frozenset[int]], list[int]]] = {}
    rows: dict[int, list[int]] = {ACCEPT: [ACCEPT] * width}
    number_of(frozenset(start))
    while pending:
        if len(states) >= max_states:
            return None
        nodes = pending.pop()
        shared = nodes & hubs
        if shared not in begun:
            targets = _targets(moves, shared, width)
            begun[shared] = targets, [number_of(target) for target in targets]
        targets, numbers = begun[shared]
        row = numbers.copy()
        for each, more in _added(moves, nodes - hubs).items():
            row[each] = number_of(targets[each] | more)
        rows[states[nodes]] = row
    return Dfa(class_of, tuple(tuple(rows[number]) for number in range(len(rows))))


def _partition(sets: Iterable[int]) -> tuple[bytes, dict[int, tuple[int, ...]]]:
    # Bytes that no edge tells apart are one class.
    ordered = sorted(sets)
    numbers: dict[tuple[int, ...], int] = {}
    class_of = bytearray(256)
    for byte in range(256):
        signature = tuple([some >> byte & 1 for some in ordered])
        class_of[byte] = numbers.setdefault(signature, len(numbers))
    members = list(zip(*numbers, strict=True))
    return bytes(class_of), {
        some: tuple(number for number, inside in enumerate(members[index]) if inside)
        for index, some in enumerate(ordered)
    }


def _by_class(
    edges: Sequence[tuple[int, int]], classes_in: Mapping[int, tuple[int, ...]]
) -> list[tuple[int, tuple[int, ...]]]:
    moves: dict[int, list[int]] = {}
    for some, target in edges:
        for number in classes_in[some]:
            moves.setdefault(number, []).append(target)
    return [(number, tuple(targets)) for number, targets in moves.items()]


def _added(moves: Sequence[list[tuple[int, tuple[int, ...]]]], nodes: Iterable[int]) -> dict[int, set[int]]:
    added: dict[int, set[int]] = {}
    for node in nodes:
        for number, targets in moves[node]:
            if number in added:
                added[number].update(targets)
            else:
                added[number] = set(targets)
    return added


def _targets(
    moves: Sequence[list[tuple[int, tuple[int, ...]]]], nodes: Iterable[int], width: int
) -> list[frozenset[int]]:
    added = _added(moves, nodes)
    return [frozenset(added.get(number, ())) for number in range(width)]


def minimise(dfa: Dfa) -> Dfa:
    """
    Give the smallest automaton that accepts the same, its bytes in the fewest classes.

    Source: E. F. Moore, Gedanken-experiments on sequential machines, 1956.
    """
    following = [itemgetter(*row, row[0]) for row in dfa.rows]  # the first twice: of one item it gives no tuple
    block = [int(state == ACCEPT) for state in range(len(dfa.rows))]
    count = 0
    while True:
        numbers: dict[tuple[int, tuple[int, ...]], int] = {}
        block = [
            numbers.setdefault((own, after(block)), len(numbers)) for own, after in zip(block, following, strict=True)
        ]
        if len(numbers) == count:
            break
        count = len(numbers)
    return _number_states(_drop_twins(dfa, block))


# In the order in which bytes lead to them: equal rules give equal automata, however sets were iterated.
def _number_states(dfa: Dfa) -> Dfa:
    order = list(dict.fromkeys((START, ACCEPT)))
    known = set(order)
    for state in order:
        for target in dfa.rows[state]:
            if target not in known:
                known.add(target)
                order.append(target)
    number = {state: index for index, state in enumerate(order)}
    return Dfa(dfa.class_of, tuple(tuple(number[target] for target in dfa.rows[state]) for state in order))


# Blocks are numbered by their first state, so that START and ACCEPT keep their numbers.
def _drop_twins(dfa: Dfa, block: Sequence[int]) -> Dfa:
    first: dict[int, int] = {}
    for state, own in enumerate(block):
        first.setdefault(own, state)
    rows = [[block[state] for state in dfa.rows[index]] for index in first.values()]
    columns: dict[tuple[int, ...], int] = {}
    merged = [columns.setdefault(column, len(columns)) for column in zip(*rows, strict=True)]
    return Dfa(dfa.class_of.translate(bytes(merged).ljust(256)), tuple(zip(*columns, strict=True)))
