r"""
What a regular expression needs: sequences of character sets, one of which stands in every text it matches.

The subset of RE2 that is read here is regular and plain; whatever is not understood yields nothing at all.
Each part of an expression is known by four sets of sequences: all texts that it matches, where those are
few (`whole`), how its matches begin (`heads`) and end (`tails`), and the best of what must stand anywhere
inside (`inner`). The empty sequence in a set says that nothing is known. Anchors are steps of their own,
repetitions of a few characters are loops.

Source: R. Cox, Regular Expression Matching with a Trigram Index, 2012, for the four sets.
"""

import functools
import re
from collections.abc import Iterable

import msgspec

from agent.detect.pieces import ALL_ASCII, LOOP, TEXT_END, TEXT_START, Steps, is_common, text_steps, weigh_steps

Sequences = frozenset[Steps]

_NOTHING_KNOWN: Sequences = frozenset(((),))
_MANY = 96  # sequences that joining two sets may make
_MOST = 1000  # sequences in a set
_LONG = 20  # steps in a sequence
_WIDEST_LOOP = 16  # characters: of any that may go on like this, the automaton would have a second copy

_GROUP = re.compile(r"\?(?:P?<\w+>|[imsU-]*:)", re.ASCII)
_FLAGS = re.compile(r"\(\?[imsU-]+\)")
_CLASS = re.compile(r"\[(\^?)(\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*)\]", re.DOTALL)
_PLAIN_CLASS = re.compile(r"(?:\\[dsw]|\\[^a-zA-Z0-9]|[^\\\[])+", re.DOTALL)
_MEMBER = re.compile(r"\\([dsw])|(\\?.)(?:-(\\?[^\]]))?", re.DOTALL)
_MULTI_LINE = re.compile(r"\(\?[a-zA-Z]*m")
_REPEAT = re.compile(r"(?:([*+?])|\{([0-9]+)(,?)([0-9]*)\})\??")


def _range(first: str, last: str) -> int:
    return (1 << ord(last) + 1) - (1 << ord(first))


_SHORTHANDS = {
    "d": _range("0", "9"),
    "w": _range("0", "9") | _range("A", "Z") | _range("a", "z") | 1 << ord("_"),
    "s": sum(1 << ord(character) for character in "\t\n\f\r "),
}
_CONTROLS = {"t": "\t", "n": "\n", "f": "\f", "r": "\r", "v": "\v", "a": "\a"}


class _NotUnderstood(Exception):  # noqa: N818 - leaves the recursion, never this module
    pass


class _Part(msgspec.Struct, frozen=True):
    whole: Sequences | None
    heads: Sequences
    tails: Sequences
    inner: Sequences | None


def _exactly(*sequences: Steps) -> _Part:
    whole = frozenset(sequences)
    return _Part(whole, whole, whole, whole if () not in whole else None)


_EMPTY = _exactly(())
_ANYTHING = _Part(None, _NOTHING_KNOWN, _NOTHING_KNOWN, None)


def required_steps(pattern: str, *, whole: bool = False) -> Sequences:
    """
    Find sequences of which at least one stands in any text that an RE2 expression matches, anywhere or `whole`.

    Returns:
        Nothing where nothing can be told. Letters stand for both of their cases; `TEXT_START` and `TEXT_END`
        are the text's own ends.
    """
    try:
        part, end = _alternatives(pattern, 0)
        part = _joined(_joined(_exactly((TEXT_START,)), part), _exactly((TEXT_END,))) if whole else part
    except (_NotUnderstood, RecursionError):
        return frozenset()
    best = _best((part.whole, part.heads, part.tails, part.inner)) if end == len(pattern) else None
    return _without_longer(best or frozenset())


# Up to the end of the expression or the group's closing parenthesis, which it leaves.
def _alternatives(pattern: str, position: int) -> tuple[_Part, int]:
    part, position = _branch(pattern, position)
    while pattern[position : position + 1] == "|":
        other, position = _branch(pattern, position + 1)
        part = _either(part, other)
    return part, position


def _branch(pattern: str, position: int) -> tuple[_Part, int]:
    part = _EMPTY
    while position < len(pattern) and pattern[position] not in "|)":
        if flags := _FLAGS.match(pattern, position):
            position = flags.end()
            # RE2 reads "a(?i)*" as "a*".
            if _REPEAT.match(pattern, position):
                raise _NotUnderstood
            continue
        atom, position = _atom(pattern, position)
        while repeat := _REPEAT.match(pattern, position):
            atom, position = _repeated(atom, repeat), repeat.end()
        part = _joined(part, atom)
    return part, position


def _atom(pattern: str, position: int) -> tuple[_Part, int]:
    character = pattern[position]
    if character == "(":
        group = _GROUP.match(pattern, position + 1)
        if group is None and pattern[position + 1 : position + 2] == "?":
            raise _NotUnderstood
        part, end = _alternatives(pattern, group.end() if group else position + 1)
        if pattern[end : end + 1] != ")":
            raise _NotUnderstood
        return part, end + 1
    if character == "[":
        return _class(pattern, position)
    if character == "\\":
        return _escape(pattern[position + 1 : position + 2]), position + 2
    if character in "*+?":
        raise _NotUnderstood
    if character in "^$":
        return _anchor(character, pattern), position + 1
    return (_ANYTHING if character == "." else _character(character)), position + 1


def _character(character: str) -> _Part:
    return _exactly(text_steps(character)) if character.isascii() else _ANYTHING


def _escape(character: str) -> _Part:
    if character in _SHORTHANDS:
        return _exactly((_SHORTHANDS[character],))
    if character in _CONTROLS:
        return _character(_CONTROLS[character])
    if character and character in "bB":
        return _EMPTY
    if character and character in "Az":
        return _exactly((TEXT_START if character == "A" else TEXT_END,))
    if character and character in "DSW":
        return _ANYTHING
    if not character or character.isalnum() or not character.isascii():
        raise _NotUnderstood
    return _character(character)


# With the flag m they also stand at the ends of lines.
def _anchor(character: str, pattern: str) -> _Part:
    if _MULTI_LINE.search(pattern):
        return _ANYTHING
    return _exactly((TEXT_START if character == "^" else TEXT_END,))


def _class(pattern: str, position: int) -> tuple[_Part, int]:
    whole = _CLASS.match(pattern, position)
    if whole is None:
        raise _NotUnderstood
    members = whole[2]
    if whole[1] or not members.isascii() or not _PLAIN_CLASS.fullmatch(members):
        return _ANYTHING, whole.end()
    step = 0
    for shorthand, first, last in _MEMBER.findall(members):
        step |= _SHORTHANDS[shorthand] if shorthand else _range(first[-1], (last or first)[-1])
    return _exactly((step & ALL_ASCII,)), whole.end()


def _repeated(atom: _Part, repeat: re.Match[str]) -> _Part:
    sign, digits, comma, _ = repeat.groups()
    if sign == "?" or repeat[0].startswith("{0,1}"):
        return _either(_EMPTY, atom)
    least = int(digits) if digits else int(sign == "+")
    part = _EMPTY
    for _ in range(min(least, _LONG)):
        part = _joined(part, atom)
    return part if digits and not comma and least <= _LONG else _joined(part, _loop(atom))


def _loop(atom: _Part) -> _Part:
    steps = [steps[0] for steps in atom.whole or () if len(steps) == 1]
    some = functools.reduce(int.__or__, steps, 0)
    is_narrow = atom.whole is not None and len(steps) == len(atom.whole) and some.bit_count() <= _WIDEST_LOOP
    return _exactly((some | LOOP,)) if is_narrow and some <= ALL_ASCII else _ANYTHING


def _joined(left: _Part, right: _Part) -> _Part:
    whole = _product(left.whole, right.whole)
    heads = left.heads if left.whole is None else _product(left.whole, right.heads) or left.heads
    tails = right.tails if right.whole is None else _product(left.tails, right.whole) or right.tails
    between = _product(left.tails, right.heads)
    return _Part(
        whole,
        frozenset(sequence[:_LONG] for sequence in heads),
        frozenset(sequence[-_LONG:] for sequence in tails),
        _best((left.inner, right.inner, left.whole, right.whole, between)),
    )


# None where there would be too many, or where a long one would have to be cut.
def _product(left: Sequences | None, right: Sequences | None) -> Sequences | None:
    if left is None or right is None or len(left) * len(right) > _MANY:
        return None
    product = frozenset(first + second for first in left for second in right)
    return product if all(len(sequence) <= 2 * _LONG for sequence in product) else None


def _either(one: _Part, other: _Part) -> _Part:
    return _Part(
        _union(one.whole, other.whole),
        _union(one.heads, other.heads) or _NOTHING_KNOWN,
        _union(one.tails, other.tails) or _NOTHING_KNOWN,
        _union(_best((one.inner, one.whole)), _best((other.inner, other.whole))),
    )


def _union(one: Sequences | None, other: Sequences | None) -> Sequences | None:
    return one | other if one is not None and other is not None and len(one) + len(other) <= _MOST else None


def _best(several: Iterable[Sequences | None]) -> Sequences | None:
    known = [sequences for sequences in several if sequences is not None and () not in sequences]
    return min(known, key=_weigh, default=None)


# Among equals the one that asks for more.
def _weigh(sequences: Sequences) -> tuple[float, int]:
    weight = sum(max(weigh_steps(steps), float(is_common(steps))) for steps in sequences)
    return weight, -min(map(len, sequences))


# Where a shorter one is needed already, a longer one with it inside adds nothing.
def _without_longer(sequences: Sequences) -> Sequences:
    if len(sequences) > _MANY:
        return sequences
    kept: list[Steps] = []
    for steps in sorted(sequences, key=len):
        if not any(_stands_in(short, steps) for short in kept):
            kept.append(steps)
    return frozenset(kept)


def _stands_in(short: Steps, long: Steps) -> bool:
    return any(long[at : at + len(short)] == short for at in range(len(long) - len(short) + 1))
