"""
What text a regular expression cannot match without.

Conservative: whatever is not plainly understood yields nothing. Case flags do not matter, because the
literals are compared in folded text only (`fold`).
"""

import re
from collections.abc import Iterable, Sequence

Literals = frozenset[str]

# What may follow "(": a name, flags for the group, or flags for the rest (an empty group then).
_GROUP_HEAD = re.compile(r"\?(?:P?<\w+>|[imsU-]*:|[imsU-]+(?=\)))")
_CLASS = re.compile(r"\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_REPEAT = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??")
_ONE_OF_MANY = frozenset("dDsSwWbBAzntrfav")  # escapes of one character or none, not followed by more
_WEAKEST = 30


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


def weight(literals: Iterable[str]) -> int:
    """Estimate how often one of the literals occurs in texts that no rule is about."""
    return sum(1 if len(literal) > 5 else 4 if len(literal) > 2 else _WEAKEST for literal in literals)


def longest_ascii(texts: Iterable[str]) -> str:
    """Give the longest run of ASCII in any of the texts, folded; empty where there is none."""
    runs = [run for text in texts for run in re.split(r"[^\x00-\x7f]+", text)]
    return max(runs, key=len, default="").lower()


def required_literals(pattern: str) -> Literals | None:
    """
    Find literals of which any text that an RE2 expression matches holds at least one.

    Returns:
        Folded, not empty texts; None where nothing can be told.
    """
    try:
        literals, end = _alternatives(pattern, 0)
    except (_NotUnderstood, RecursionError):
        return None
    return literals if end == len(pattern) else None


# Up to the end of the expression or the group's closing parenthesis, which it leaves.
def _alternatives(pattern: str, position: int) -> tuple[Literals | None, int]:
    branches: list[Literals | None] = []
    while True:
        branch, position = _branch(pattern, position)
        branches.append(branch)
        if pattern[position : position + 1] != "|":
            known = [branch for branch in branches if branch is not None]
            return (frozenset().union(*known) if len(known) == len(branches) else None), position
        position += 1


def _branch(pattern: str, position: int) -> tuple[Literals | None, int]:
    found: list[Literals] = []
    run = ""
    while position < len(pattern) and pattern[position] not in "|)":
        atom, position = _atom(pattern, position)
        repeat = _REPEAT.match(pattern, position)
        position = repeat.end() if repeat else position
        surely = not repeat or repeat[0].startswith("+")
        if isinstance(atom, str) and atom and surely:
            run += atom
        elif isinstance(atom, frozenset) and surely:
            found.append(atom)
        if repeat or not isinstance(atom, str) or not atom:
            found.append(_of_run(run))
            run = ""
    found.append(_of_run(run))
    return _best(found), position


# A character as itself, a group as its literals, anything else as None.
def _atom(pattern: str, position: int) -> tuple[str | Literals | None, int]:
    character = pattern[position]
    if character == "(":
        head = _GROUP_HEAD.match(pattern, position + 1)
        inner, end = _alternatives(pattern, head.end() if head else position + 1)
        return inner, end + 1
    if character == "[":
        whole = _CLASS.match(pattern, position)
        if not whole:
            raise _NotUnderstood
        return None, whole.end()
    if character == "\\":
        return _escape(pattern[position + 1 : position + 2]), position + 2
    if character in "*+?{":
        raise _NotUnderstood
    return (None if character in ".^$" else character), position + 1


def _escape(character: str) -> str | None:
    if character in _ONE_OF_MANY:
        return None
    if not character or character.isalnum() or not character.isascii():
        raise _NotUnderstood
    return character


def _of_run(run: str) -> Literals:
    literal = longest_ascii((run,))
    return frozenset((literal,)) if literal else frozenset()


def _best(found: Sequence[Literals]) -> Literals | None:
    return min((literals for literals in found if literals), key=weight, default=None)
