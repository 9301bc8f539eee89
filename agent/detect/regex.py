"""
Regular expressions on RE2: linear time, because patterns come from rule files and meet text that an attacker wrote.

The only module that imports `re2`.
"""

import functools
from typing import Protocol, cast

import re2


class Pattern(Protocol):
    """What is used of a compiled expression; the package names its own type privately."""

    def search(self, text: str) -> object | None:
        """Find the expression anywhere in the text."""

    def fullmatch(self, text: str) -> object | None:
        """Match the expression against the whole text."""


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
    try:
        return cast("Pattern", re2.compile(pattern, options=options))
    except re2.error as error:
        reason = error.args[0]
        raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from None
