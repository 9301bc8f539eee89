r"""
Pieces of text as patterns over the bytes of an exec: the path, a NUL, the arguments, a NUL behind each.

Bytes are not the text that a rule is compared with, so a pattern takes a little more than its piece says:

- A byte that is no UTF-8 reads as ``\xNN`` (wire.decode_text): any byte from 0x80 up may stand for that.
- Where case is ignored, characters beyond ASCII may stand for i, k and s, and so may any bytes from 0x80 up.
- The command line has a space between two arguments: NUL stands for a space.
- The name is what follows the path's last slash: a piece of it is looked for behind each.
- Nothing tells the end of the input: the end of a command line is the end of any argument.
"""

from collections.abc import Iterable

import msgspec

from agent.detect.automaton import ACCEPTED, ALL_BYTES, HIGH, NUL, Nfa
from agent.detect.pieces import ALL_ASCII, LOOP, Piece, Steps, Where, text_steps

_SLASH = 1 << ord("/")
_SPACE = 1 << ord(" ")
# Of a word, as expressions have it; a name begins behind none of these, nor in the middle of one of its own.
WORD = sum(
    1 << code for code in b"0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)  # fmt: skip
_IN_NAMES = WORD | 1 << ord("-") | 1 << ord(".")
# Of a shell's text: they hide nothing and separate nothing.
QUOTES = sum(1 << code for code in b"'\"\\$")
_HEX = sum(text_steps("0123456789abcdef"))
_HEX_HIGH = sum(text_steps("89abcdef"))
_SHOWN_BYTE: Steps = (1 << ord("\\"), 1 << ord("x"), _HEX_HIGH, _HEX)


class Layout(msgspec.Struct, frozen=True):
    """
    The nodes of an `Nfa` that are always reached somewhere in an exec.

    `path`, `args`: anywhere in it. `path_start`, `args_start`: at its very start. `name_start`: at the path's
    start and behind its slashes. `argument_start`: behind each NUL. `path_word`, `args_word`: where a word
    may begin, at the start or behind a byte that no name has in its middle.
    """

    path: int
    path_start: int
    name_start: int
    path_word: int
    args: int
    args_start: int
    argument_start: int
    args_word: int

    @property
    def start(self) -> tuple[int, ...]:
        """The nodes in which an exec's bytes begin."""
        return self.path, self.path_start, self.name_start, self.path_word


def add_layout(nfa: Nfa) -> Layout:
    """Put into an automaton what does not depend on any rule."""
    layout = Layout(*(nfa.add_node(hub=True) for _ in Layout.__struct_fields__))
    other = ALL_BYTES ^ NUL
    nfa.add_edge(layout.path, other, layout.path)
    nfa.add_edge(layout.path, _SLASH, layout.name_start)
    nfa.add_edge(layout.path, other & ~_IN_NAMES, layout.path_word)
    nfa.add_edge(layout.path, NUL, layout.args, layout.args_start, layout.argument_start, layout.args_word)
    nfa.add_edge(layout.args, ALL_BYTES, layout.args)
    nfa.add_edge(layout.args, ALL_BYTES & ~_IN_NAMES & ~QUOTES, layout.args_word)
    nfa.add_edge(layout.args, NUL, layout.argument_start)
    return layout


def add_pieces(nfa: Nfa, layout: Layout, pieces: Iterable[Piece]) -> None:
    """Let an automaton accept wherever one of these pieces of path or arguments may stand."""
    for piece in sorted(pieces, key=repr):  # the same rules give the same automaton, byte for byte
        _add_piece(nfa, _origin(layout, piece), piece)


def _origin(layout: Layout, piece: Piece) -> int:
    match piece.where:
        case Where.PATH:
            return layout.path_start if piece.start else layout.path
        case Where.NAME:
            return layout.name_start if piece.start else layout.path
        case Where.ARGUMENT:
            return layout.argument_start if piece.start else layout.args
        case Where.COMMAND_LINE:
            return layout.args_start if piece.start else layout.args
    raise ValueError(f"a piece of {piece.where.value} is no text")


def _add_piece(nfa: Nfa, origin: int, piece: Piece) -> None:
    first, known = len(nfa.edges), len(nfa.edges[origin])
    ends = [origin]
    for index, step in enumerate(piece.steps):
        some = step & ALL_ASCII
        if some & _SPACE and piece.where is Where.COMMAND_LINE:
            some |= NUL
        is_last = index == len(piece.steps) - 1 and not piece.end
        following = ACCEPTED if is_last else nfa.add_node()
        _add_edges(nfa, ends, some, following)
        if step & LOOP:
            nfa.add_edge(following, some, following)
            ends.append(following)
            continue
        if any(some >> ord(letter) & 1 for letter in piece.strays):
            more = nfa.add_node()
            _add_edges(nfa, [*ends, more], HIGH, more, following)
        ends = [following]
    if piece.end:
        _add_edges(nfa, ends, NUL, ACCEPTED)
    _add_shown_bytes(nfa, origin, nfa.edges[origin][known:], first, is_anywhere=not piece.start)


def _add_edges(nfa: Nfa, sources: Iterable[int], some: int, *targets: int) -> None:
    for source in sources:
        nfa.add_edge(source, some, *targets)


# One byte leads where the four characters do that it may be shown as; from anywhere, also where some of them do.
def _add_shown_bytes(nfa: Nfa, origin: int, begun: list[tuple[int, int]], first: int, *, is_anywhere: bool) -> None:
    def follow(node: int) -> set[int]:
        nodes = {node}
        for some in _SHOWN_BYTE:
            nodes = {
                target
                for each in nodes
                for step, target in (begun if each == origin else nfa.edges[each])
                if step & some
            }
            if ACCEPTED in nodes:
                return {ACCEPTED}
            if node == origin and is_anywhere:
                nodes.add(origin)
        return nodes - {origin}

    for node in (origin, *range(first, len(nfa.edges))):
        if targets := follow(node):
            nfa.add_edge(node, HIGH, *targets)
