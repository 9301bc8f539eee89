"""
What text a regular expression cannot match without.

Conservative: whatever is not plainly understood yields nothing. Case flags do not matter, because the
literals are compared in folded text only (`fold`).
"""

import re
from collections.abc import Iterable

Literals = frozenset[str]

_GROUP_HEAD = re.compile(r"\?(?:P?<\w+>|[imsU-]*:)")
_FLAGS = re.compile(r"\(\?[imsU-]+\)")
_CLASS = re.compile(r"\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_REPEAT = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??")
_ONE_OF_MANY = frozenset("dDsSwWbBAzntrfav")  # escapes of one character or none, not followed by more


class _NotUnderstood(Exception):  # noqa: N818 - leaves the recursion, never this module
    pass


def fold(text: str) -> str:
    """
    Make letters equal that any rule may take for equal.

    Lower case, and the long s as s, which RE2 takes for one letter without case. An ASCII literal that
    occurs in a text, with or without case, is found in its folded form.
    """
    lower = text.lower()
    return lower if lower.isascii() else lower.replace("\u017f", "s")


def weight(literals: Iterable[str]) -> float:
    """Estimate how often one of the literals occurs in texts that no rule is about; only the order means something."""
    return sum(0.6 ** len(literal) for literal in literals)


def longest_ascii(texts: Iterable[str]) -> str:
    """Give the longest run of ASCII in any of the texts, folded; empty where there is none."""
    runs = [run for text in texts for run in re.split(r"[^\x00-\x7f]+", text)]
    return max(runs, key=len, default="").lower()


def required_literals(pattern: str) -> tuple[Literals, ...]:
    """
    Find sets of literals such that any text that an RE2 expression matches holds one of each set.

    Returns:
        Sets of folded, not empty texts; none where nothing can be told.
    """
    try:
        sets, end = _alternatives(pattern, 0)
    except (_NotUnderstood, RecursionError):
        return ()
    return sets if end == len(pattern) else ()


# Up to the end of the expression or the group's closing parenthesis, which it leaves.
def _alternatives(pattern: str, position: int) -> tuple[tuple[Literals, ...], int]:
    branches: list[tuple[Literals, ...]] = []
    while True:
        branch, position = _branch(pattern, position)
        branches.append(branch)
        if pattern[position : position + 1] != "|":
            break
        position += 1
    if len(branches) == 1:
        return branches[0], position
    if not all(branches):
        return (), position
    return (Literals().union(*(min(branch, key=weight) for branch in branches)),), position


def _branch(pattern: str, position: int) -> tuple[tuple[Literals, ...], int]:
    found: list[Literals] = []
    run = ""
    while position < len(pattern) and pattern[position] not in "|)":
        atom, position = _atom(pattern, position)
        repeat = _REPEAT.match(pattern, position)
        position = repeat.end() if repeat else position
        surely = not repeat or repeat[0].startswith("+")
        if isinstance(atom, str):
            run += atom if surely else ""
        elif surely:
            found += atom
        if repeat or not isinstance(atom, str):
            found += _of_run(run)
            run = ""
    return (*found, *_of_run(run)), position


# A character as itself, a group as its sets of literals, anything else as none.
def _atom(pattern: str, position: int) -> tuple[str | tuple[Literals, ...], int]:
    character = pattern[position]
    if flags := _FLAGS.match(pattern, position):
        # RE2 reads "a(?i)*" as "a*".
        if _REPEAT.match(pattern, flags.end()):
            raise _NotUnderstood
        return (), flags.end()
    if character == "(":
        head = _GROUP_HEAD.match(pattern, position + 1)
        inner, end = _alternatives(pattern, head.end() if head else position + 1)
        return inner, end + 1
    if character == "[":
        whole = _CLASS.match(pattern, position)
        if not whole:
            raise _NotUnderstood
        return (), whole.end()
    if character == "\\":
        return _escape(pattern[position + 1 : position + 2]), position + 2
    if character in "*+?{":
        raise _NotUnderstood
    return (() if character in ".^$" else character), position + 1


def _escape(character: str) -> str | tuple[()]:
    if character in _ONE_OF_MANY:
        return ()
    if not character or character.isalnum() or not character.isascii():
        raise _NotUnderstood
    return character


def _of_run(run: str) -> tuple[Literals, ...]:
    literal = longest_ascii((run,))
    return (frozenset((literal,)),) if literal else ()
