r"""
Pieces of text that must stand in an exec's path or arguments: short sequences of sets of ASCII characters.

A piece claims no more than the text of an event, as agent/sensors/wire.py decodes it, must hold. The
bytes in memory may differ from that text, which agent/detect/exec_bytes.py makes up for. What is not
ASCII is never claimed: there the text is cut.

A step is an integer, one bit for each of the 128 ASCII characters, or with `LOOP` for a run of them.
Letters count in both cases, whatever their rule says of case: that halves the automaton's alphabet and
lets hardly anything more pass.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import lru_cache

import msgspec

Steps = tuple[int, ...]

ALL_ASCII = (1 << 128) - 1
TEXT_START, TEXT_END = 1 << 128, 1 << 129  # in place of a step, where sequences still carry their anchors
LOOP = 1 << 130  # in a step: any number of its characters, also none
_RUNS = re.compile(r"[\x00-\x7f]+")
# In lower case the dotted capital I and the Kelvin sign hold an ASCII letter, and no other character does.
_LOWERED = "ik"


class Where(Enum):
    """What a piece is a part of, and what its anchors mean."""

    PATH = "process.executable"
    NAME = "process.name"
    ARGUMENT = "process.args"
    COMMAND_LINE = "process.command_line"
    INTENT = "intent"  # no text of its own: whatever a command line needs for an intent to be read of it
    UNLINKED = "process.deleted"  # none at all: the kernel passes every executable without a name


class Piece(msgspec.Struct, frozen=True):
    """
    One contiguous piece, at any place of its field unless anchored.

    `strays`: the letters that a character beyond ASCII may stand for.
    """

    where: Where
    steps: Steps = ()
    start: bool = False
    end: bool = False
    strays: str = ""


Pieces = frozenset[Piece]  # any of them

INTENT = Piece(Where.INTENT)
UNLINKED = Piece(Where.UNLINKED)


def text_steps(text: str) -> Steps:
    """Read ASCII text as steps."""
    return tuple([1 << ord(character) for character in text.lower()])


def pieces_of(where: Where, text: str, *, start: bool, end: bool, ignore_case: bool) -> Iterator[Piece]:
    """Give each run of ASCII in a literal, anchored where the literal is and the run reaches its end."""
    for run in _RUNS.finditer(text):
        at_start, at_end = run.start() == 0, run.end() == len(text)
        yield Piece(where, text_steps(run[0]), start and at_start, end and at_end, _LOWERED if ignore_case else "")
    if not text:
        yield Piece(where, (), start=start, end=end)


# What most command lines on most nodes are full of; a piece of it tells nothing.
_COMMON_TEXTS = (
    "/dev/null 2>&1|/usr/local/sbin/|/usr/local/bin/|/usr/share/|/usr/lib/x86_64-linux-gnu/|/usr/libexec/|"
    "/etc/default/|/proc/self/|/sys/|/tmp/|/var/lib/dpkg/info/|/var/log/|/var/cache/|/run/|/home/|/root/|/opt/|/srv/|"
    "https://|http://|.service|.conf|.json|.yaml|.yml|.py|.sh -c |.so|--help|--version|--no-|--quiet|--force|"
    "--output|=true|=false|; do |if [ |then |echo |exec |test |configure|install |update|config|start|status|"
    "localhost|127.0.0.1|python3 -m |sudo |find . -name |npm run build"
).split("|")
_COMMON_PROGRAMS = frozenset(
    "[ awk basename bash cat chmod chown cmp cp cron cut date dash df diff dirname dpkg dpkg-query echo env expr find "
    "git grep gzip head hostname id install ip ln logger ls make mawk mkdir mktemp mv node perl ps python3 python3.11 "
    "readlink rm run-parts sed seq sh sleep sort stat sudo systemctl tail tar tee test touch tr true uname uniq wc "
    "which xargs".split()
)
_COMMON = "\x7f".join((*_COMMON_TEXTS, *_COMMON_PROGRAMS))
_COMMON_WEIGHT = 1.0
_SHORT_OPTION = 2  # as -m


def weigh(pieces: Iterable[Piece]) -> float:
    """
    Estimate how many of all execs have one of these pieces; only the order means something.

    A piece for intents weighs nothing: that part of the filter is there already, or else needed all the same.
    """
    return sum(_weigh_piece(piece) for piece in pieces)


def _weigh_piece(piece: Piece) -> float:
    if piece.where in (Where.INTENT, Where.UNLINKED):
        return 0.0
    if piece.where in (Where.PATH, Where.NAME):
        if piece.end and first_text(piece.steps).rpartition("/")[2] in _COMMON_PROGRAMS:
            return _COMMON_WEIGHT
    elif is_common(piece.steps) if not piece.start else count_steps(piece.steps) <= _SHORT_OPTION:
        return _COMMON_WEIGHT
    return weigh_steps(piece.steps) * 0.36 ** (piece.start + piece.end)


@lru_cache(maxsize=16384)
def weigh_steps(steps: Steps) -> float:
    """Estimate how often a text has such a sequence."""
    if count_steps(steps) < 2:
        return 1.0
    weight = 1.0
    for step in steps:
        if step & (TEXT_START | TEXT_END):
            weight *= 0.36
        elif not step & LOOP:
            weight *= min(0.95, 0.6 + 0.03 * (step.bit_count() - 1))
    return weight


def count_steps(steps: Steps) -> int:
    """Count what must stand there, loops aside."""
    return sum(not step & LOOP for step in steps)


@lru_cache(maxsize=16384)
def is_common(steps: Steps) -> bool:
    """Tell whether steps spell a part of what every node runs all the time."""
    if any(step & (TEXT_START | TEXT_END) for step in steps):
        return False
    text = first_text(steps)
    return text in _COMMON or text.strip() in _COMMON_PROGRAMS


def first_text(steps: Steps) -> str:
    """Spell steps, each by the last of its characters; loops are left out."""
    return "".join([chr(step.bit_length() - 1) for step in steps if step & ALL_ASCII == step])


def anchor(where: Where, steps: Steps, *, strays: str) -> Piece:
    """Make a piece of steps that carry their anchors; in their middle an anchor only says what cannot be."""
    start, end = TEXT_START in steps, TEXT_END in steps
    if start:
        steps = steps[len(steps) - steps[::-1].index(TEXT_START) :]
    if TEXT_END in steps:
        steps = steps[: steps.index(TEXT_END)]
    while not start and steps and steps[0] & LOOP:
        steps = steps[1:]
    while not end and steps and steps[-1] & LOOP:
        steps = steps[:-1]
    return Piece(where, steps, start, end, strays)


def shorten(piece: Piece, length: int) -> Piece:
    """Give the most telling piece of at most `length` steps that stands wherever `piece` does."""
    spare = len(piece.steps) - length
    if spare <= 0:
        return piece
    parts = (
        Piece(
            piece.where,
            piece.steps[at : at + length],
            piece.start and at == 0,
            piece.end and at == spare,
            piece.strays,
        )
        for at in range(spare + 1)
    )
    return min(parts, key=_weigh_piece)
