"""
Regular expressions on RE2: linear time, because patterns come from rule files and meet text that an attacker wrote.

The only module that imports `re2`.
"""

import functools
from collections.abc import Callable, Sequence

import re2


class Pattern:
    """
    A compiled expression; no text makes it raise.

    Event text is valid Unicode (agent/event.py). Should a lone surrogate come all the same, it reads
    as ``?``, which costs nothing on the way to the bytes that RE2 works on.
    """

    __slots__ = ("_fullmatch", "_search")

    def __init__(self, pattern: str, options: re2.Options) -> None:
        compiled = re2.compile(pattern, options=options)
        self._search = compiled.search
        self._fullmatch = compiled.fullmatch

    def search(self, text: str) -> bool:
        """Find the expression anywhere in the text."""
        return self._search(text.encode("utf-8", "replace")) is not None

    def fullmatch(self, text: str) -> bool:
        """Match the expression against the whole text."""
        return self._fullmatch(text.encode("utf-8", "replace")) is not None


@functools.lru_cache(maxsize=4096)
def compile_regex(pattern: str) -> Pattern:
    """
    Compile an expression; flags are part of it, as ``(?is)``.

    Raises:
        ValueError: RE2 refuses it; the text names the construct.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    options.never_capture = True  # nobody asks for groups, and without them the DFA alone decides
    try:
        return Pattern(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from None
    except UnicodeEncodeError:
        raise ValueError("the expression is not valid Unicode") from None


def quote_regex(text: str) -> str:
    """Write literal text as an expression that matches just it."""
    return str(re2.escape(text))


def compile_literals(literals: Sequence[str]) -> Callable[[str], list[int]]:
    """
    Look for many literals in one pass over a text.

    Args:
        literals: at least one, none of them empty.

    Returns:
        A function that gives the indexes of the literals that a text contains, in no order. Each index
        appears once, and the pass stays linear in the text whatever it holds.
    """
    options = re2.Options()
    options.log_errors = False
    # The automaton grows while it runs, up to this. With less than some 100 bytes a character RE2
    # refuses the set; it was seen to be exact from there on (tests/test_regex.py).
    options.max_mem = (4 << 20) + 256 * sum(map(len, literals))
    found = re2.Set.SearchSet(options)
    for literal in literals:
        found.Add(re2.escape(literal))
    found.Compile()
    search = found.Match

    def find(text: str) -> list[int]:
        indexes: list[int] | None = search(text.encode("utf-8", "replace"))
        return indexes or []

    return find
