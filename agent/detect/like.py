"""
`Like` patterns as tests of one text.

Most patterns of real rules are a literal with a ``*`` at one end or both: those become one string
operation. Other patterns without ``?`` are a walk from literal to literal; RE2 does the rest.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from operator import methodcaller

from agent.detect.predicate import ANY_TEXT, split_pattern
from agent.detect.regex import compile_regex, quote_regex

TextTest = Callable[[str], bool]
Parts = tuple[tuple[bool, str], ...]

_STAR = (True, ANY_TEXT)
_MANY_CONTAINED = 8  # from here on one pass of RE2 beats a search for each literal, on long text by far


def compile_like(patterns: Sequence[str], *, ignore_case: bool) -> TextTest:
    """
    Make one test of several `Like` patterns, any of which may hold.

    Args:
        patterns: as `predicate.split_pattern` reads them.
        ignore_case: the patterns are put in lower case here, the text by the caller.

    Raises:
        ValueError: a pattern is too large for RE2.
    """
    shapes: defaultdict[str, list[Parts]] = defaultdict(list)
    for pattern in patterns:
        parts = split_pattern(pattern.lower() if ignore_case else pattern)
        shapes[_shape(parts)].append(parts)
    if shapes["any"]:
        return lambda _text: True
    tests: list[TextTest] = []
    if exact := _literals(shapes["exact"]):
        tests.append(frozenset(exact).__contains__)
    if starts := _literals(shapes["start"]):
        tests.append(methodcaller("startswith", starts))
    if ends := _literals(shapes["end"]):
        tests.append(methodcaller("endswith", ends))
    contained = _literals(shapes["contained"])
    if len(contained) >= _MANY_CONTAINED:
        tests.append(compile_regex("|".join(map(quote_regex, contained))).search)
    else:
        tests += map(_contains, contained)
    tests += map(_walk, shapes["walk"])
    if shapes["regex"]:
        tests.append(compile_regex(f"(?s){'|'.join(map(_to_regex, shapes['regex']))}").fullmatch)
    return _any_test(tests)


def _shape(parts: Parts) -> str:
    shape = "".join(text if wildcard else "x" for wildcard, text in parts)
    simple = {"*": "any", "": "exact", "x": "exact", "x*": "start", "*x": "end", "*x*": "contained"}
    return "regex" if "?" in shape else simple.get(shape, "walk")


# For the shapes with at most one literal: that literal of each.
def _literals(shaped: Sequence[Parts]) -> tuple[str, ...]:
    return tuple("".join(text for wildcard, text in parts if not wildcard) for parts in shaped)


def _contains(literal: str) -> TextTest:
    return lambda text: literal in text


def _walk(parts: Parts) -> TextTest:
    literals = [text for wildcard, text in parts if not wildcard]
    head = literals.pop(0) if parts[0] != _STAR else ""
    tail = literals.pop() if parts[-1] != _STAR else ""
    middle = tuple(literals)

    # Taking each literal where it first occurs leaves the most room for the rest.
    def test(text: str) -> bool:
        if not text.startswith(head) or not text.endswith(tail):
            return False
        position = len(head)
        for literal in middle:
            position = text.find(literal, position)
            if position < 0:
                return False
            position += len(literal)
        return position <= len(text) - len(tail)

    return test


def _to_regex(parts: Parts) -> str:
    return "".join({"*": ".*", "?": "."}[text] if wildcard else quote_regex(text) for wildcard, text in parts)


def _any_test(tests: Sequence[TextTest]) -> TextTest:
    match tests:
        case []:
            return lambda _text: False
        case [test]:
            return test
        case [first, second]:
            return lambda text: first(text) or second(text)
    fixed = tuple(tests)

    def test_any(text: str) -> bool:
        for test in fixed:  # noqa: SIM110 - a generator for any() costs more than the tests
            if test(text):
                return True
        return False

    return test_any
