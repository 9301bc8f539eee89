"""
The functions that an expression may call, on single values.

A value that a function cannot work with gives no value (None), never an exception, and a test of no
value is false. A field with several values is the caller's business: each is tried. Texts are
compared ignoring case by their lower case, as in agent/detect/matcher.py.

Source: Elasticsearch's EQL function reference; `match` as it was in Elasticsearch 7.9.
"""

import functools
import ipaddress
import math
import re
from collections.abc import Callable, Mapping, Sequence

from agent.detect.like import compile_like
from agent.detect.predicate import Scalar
from agent.detect.regex import compile_regex

Number = int | float

_MANY = 1024  # arguments of those functions that take a list
_LONGEST_NUMBER = 400  # digits: beyond a float's range anyway
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

# How many arguments each takes: `len(arguments) in FUNCTIONS[name]`.
FUNCTIONS: Mapping[str, range] = {
    "add": range(2, 3),
    "between": range(3, 5),
    "cidrMatch": range(2, _MANY),
    "concat": range(1, _MANY),
    "divide": range(2, 3),
    "endsWith": range(2, 3),
    "indexOf": range(2, 4),
    "length": range(1, 2),
    "match": range(2, _MANY),
    "modulo": range(2, 3),
    "multiply": range(2, 3),
    "number": range(1, 3),
    "startsWith": range(2, 3),
    "string": range(1, 2),
    "stringContains": range(2, 3),
    "substring": range(2, 4),
    "subtract": range(2, 3),
    "wildcard": range(2, _MANY),
}
# Those with a form that ignores case, written with a tilde.
FOLDING = frozenset({"between", "endsWith", "indexOf", "match", "startsWith", "stringContains", "wildcard"})
# Those that are true or false by themselves.
TESTS = frozenset({"cidrMatch", "endsWith", "match", "startsWith", "stringContains", "wildcard"})


def call(function: str, arguments: Sequence[Scalar], *, ignore_case: bool) -> Scalar | None:
    """
    Evaluate a function.

    Args:
        function: a name of `FUNCTIONS`.
        arguments: as many as `FUNCTIONS` allows; `wildcard` takes EQL wildcards (no escapes), `match`
            RE2 expressions that match the whole text.
        ignore_case: means something for the names in `FOLDING` only.

    Returns:
        None where the arguments are of the wrong type, out of range, or there is nothing to give.
    """
    try:
        return _EVALUATORS[function](arguments, ignore_case)
    except (OverflowError, ValueError):
        return None


def as_like_pattern(pattern: str) -> str:
    """Write EQL wildcards, where a backslash is a plain character, as a pattern of `Like`."""
    return pattern.replace("\\", "\\\\")


def format_value(value: Scalar) -> str:
    """Write a value as EQL's ``string`` does."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _arithmetic(operation: Callable[[Number, Number], Number | None]) -> "_Evaluator":
    def evaluate(arguments: Sequence[Scalar], _ignore_case: bool) -> Scalar | None:
        left, right = arguments
        if not (isinstance(left, int | float) and isinstance(right, int | float)):
            return None
        if not (_is_number(left) and _is_number(right)):
            return None
        result = operation(left, right)
        return result if result is None or isinstance(result, int) or math.isfinite(result) else None

    return evaluate


# Whole numbers divide as in Java: towards zero, the remainder with the dividend's sign.
def _divide(dividend: Number, divisor: Number) -> Number | None:
    if divisor == 0:
        return None
    if isinstance(dividend, int) and isinstance(divisor, int):
        quotient = abs(dividend) // abs(divisor)
        return quotient if (dividend < 0) == (divisor < 0) else -quotient
    return dividend / divisor


def _modulo(dividend: Number, divisor: Number) -> Number | None:
    if divisor == 0:
        return None
    if isinstance(dividend, int) and isinstance(divisor, int):
        remainder = abs(dividend) % abs(divisor)
        return -remainder if dividend < 0 else remainder
    return math.fmod(dividend, divisor)


def _texts(test: Callable[[str, str], bool]) -> "_Evaluator":
    def evaluate(arguments: Sequence[Scalar], ignore_case: bool) -> Scalar | None:
        source, part = arguments
        if not (isinstance(source, str) and isinstance(part, str)):
            return None
        return test(source.lower(), part.lower()) if ignore_case else test(source, part)

    return evaluate


# Positions count characters of the text as it is, and the lower case of some is longer.
def _fold_in_place(text: str) -> str:
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(folded if len(folded := character.lower()) == 1 else character for character in text)


def _between(arguments: Sequence[Scalar], ignore_case: bool) -> Scalar | None:
    source, left, right, *rest = arguments
    if not (isinstance(source, str) and isinstance(left, str) and isinstance(right, str)):
        return None
    greedy = rest[0] if rest else False
    if not isinstance(greedy, bool):
        return None
    fold = _fold_in_place if ignore_case else str
    text = fold(source)
    start = text.find(fold(left))
    if start < 0:
        return ""
    start += len(left)
    end = text.rfind(fold(right), start) if greedy else text.find(fold(right), start)
    return source[start:end] if end >= 0 else ""


def _index_of(arguments: Sequence[Scalar], ignore_case: bool) -> Scalar | None:
    source, part, *rest = arguments
    start = rest[0] if rest else 0
    if not (isinstance(source, str) and isinstance(part, str) and isinstance(start, int)) or isinstance(start, bool):
        return None
    fold = _fold_in_place if ignore_case else str
    position = fold(source).find(fold(part), max(start, 0))
    return position if position >= 0 else None


def _length(arguments: Sequence[Scalar], _ignore_case: bool) -> Scalar | None:
    return len(arguments[0]) if isinstance(arguments[0], str) else None


def _substring(arguments: Sequence[Scalar], _ignore_case: bool) -> Scalar | None:
    source, start, *rest = arguments
    end = rest[0] if rest else None
    if not (isinstance(source, str) and isinstance(start, int) and isinstance(end, int | None)):
        return None
    return None if isinstance(start, bool) or isinstance(end, bool) else source[start:end]


def _number(arguments: Sequence[Scalar], _ignore_case: bool) -> Scalar | None:
    source, *rest = arguments
    if not isinstance(source, str):
        return source if _is_number(source) else None
    text = source.strip()
    base = rest[0] if rest else 16 if text.lower().lstrip("+-").startswith("0x") else 10
    if not isinstance(base, int) or isinstance(base, bool) or len(text) > _LONGEST_NUMBER:
        return None
    if base != 10:
        return int(text, base) if text.isascii() and "_" not in text and base else None
    if not _NUMBER.fullmatch(text):
        return None
    if text.lstrip("+-").isdigit():
        return int(text)
    value = float(text)
    return value if math.isfinite(value) else None


def _concat(arguments: Sequence[Scalar], _ignore_case: bool) -> Scalar | None:
    return "".join(map(format_value, arguments))


def _string(arguments: Sequence[Scalar], _ignore_case: bool) -> Scalar | None:
    return format_value(arguments[0])


_parse_network = functools.lru_cache(maxsize=4096)(functools.partial(ipaddress.ip_network, strict=False))


def _cidr_match(arguments: Sequence[Scalar], _ignore_case: bool) -> Scalar | None:
    source, *networks = arguments
    if not isinstance(source, str):
        return None
    address = ipaddress.ip_address(source)
    return any(isinstance(network, str) and address in _parse_network(network) for network in networks)


_compile_wildcards = functools.lru_cache(maxsize=4096)(compile_like)


def _wildcard(arguments: Sequence[Scalar], ignore_case: bool) -> Scalar | None:
    source, *patterns = arguments
    if not isinstance(source, str):
        return None
    likes = tuple(as_like_pattern(pattern) for pattern in patterns if isinstance(pattern, str))
    return _compile_wildcards(likes, ignore_case=ignore_case)(source.lower() if ignore_case else source)


def _match(arguments: Sequence[Scalar], ignore_case: bool) -> Scalar | None:
    source, *patterns = arguments
    if not isinstance(source, str):
        return None
    flags = "(?i)" if ignore_case else ""
    return any(isinstance(pattern, str) and compile_regex(flags + pattern).fullmatch(source) for pattern in patterns)


_Evaluator = Callable[[Sequence[Scalar], bool], Scalar | None]
_EVALUATORS: Mapping[str, _Evaluator] = {
    "add": _arithmetic(lambda left, right: left + right),
    "between": _between,
    "cidrMatch": _cidr_match,
    "concat": _concat,
    "divide": _arithmetic(_divide),
    "endsWith": _texts(str.endswith),
    "indexOf": _index_of,
    "length": _length,
    "match": _match,
    "modulo": _arithmetic(_modulo),
    "multiply": _arithmetic(lambda left, right: left * right),
    "number": _number,
    "startsWith": _texts(str.startswith),
    "string": _string,
    # An empty text is contained in none, as the reference has it.
    "stringContains": _texts(lambda source, part: bool(part) and part in source),
    "substring": _substring,
    "subtract": _arithmetic(lambda left, right: left - right),
    "wildcard": _wildcard,
}
