"""
The one predicate tree that all rule languages are read into.

Plain two-valued logic: a test of a field that is absent is false, and its `Not` is true. A field
with several values (an ECS array) satisfies a test when any one of them does, each test on its own.
`agent/detect/matcher.py` turns a tree into Python closures.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

Scalar = str | int | float | bool


class _Node(msgspec.Struct, frozen=True, tag=True):
    """The base of all nodes; `tag` lets a tree be written as JSON and read back."""


class Always(_Node, frozen=True):
    """Constant: what a reader could decide without an event."""

    value: bool


class And(_Node, frozen=True):
    """All of `children` hold."""

    children: "tuple[Predicate, ...]"


class Or(_Node, frozen=True):
    """Any of `children` holds."""

    children: "tuple[Predicate, ...]"


class Not(_Node, frozen=True):
    """`child` does not hold; also where its field is absent."""

    child: "Predicate"


class Exists(_Node, frozen=True):
    """The field has a value, were it an empty string."""

    field: str


class Equals(_Node, frozen=True):
    """The value is one of `values`, compared whole. No wildcards."""

    field: str
    values: tuple[Scalar, ...]
    ignore_case: bool = False


class Like(_Node, frozen=True):
    """
    The whole value has the shape of one of `patterns`.

    In a pattern ``*`` stands for any text, ``?`` for any one character, line ends included, and a
    backslash takes the meaning of the next ``*``, ``?`` or backslash; see `split_pattern`.
    """

    field: str
    patterns: tuple[str, ...]
    ignore_case: bool = False


class Regex(_Node, frozen=True):
    """
    The value matches an RE2 expression: somewhere, or `whole`.

    Flags are part of the expression, as ``(?is)``.
    """

    field: str
    pattern: str
    whole: bool = False


class Cidr(_Node, frozen=True):
    """The value is an IP address inside one of `networks` (``10.0.0.0/8``, ``fe80::/10``)."""

    field: str
    networks: tuple[str, ...]


class Operator(StrEnum):
    """How two values are ordered or equal."""

    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


class Compare(_Node, frozen=True):
    """
    The values of two expressions stand in a relation; false when either has no value.

    Two numbers compare as numbers, two texts by code point, anything else not at all.
    """

    left: "Expression"
    operator: Operator
    right: "Expression"
    ignore_case: bool = False


class FieldOf(_Node, frozen=True):
    """Expression: the value of a field."""

    field: str


class Literal(_Node, frozen=True):
    """Expression: a constant."""

    value: Scalar


class Call(_Node, frozen=True):
    """Expression: a function of `agent/detect/functions.py` (length, concat, add, ...)."""

    function: str
    arguments: "tuple[Expression, ...]"
    ignore_case: bool = False


class Holds(_Node, frozen=True):
    """An expression that is true by itself, such as ``startsWith(process.name, "k")``."""

    expression: "Expression"


Expression = FieldOf | Literal | Call
Predicate = Always | And | Or | Not | Exists | Equals | Like | Regex | Cidr | Compare | Holds

ANY_TEXT = "*"
ANY_CHARACTER = "?"


def split_pattern(pattern: str) -> tuple[tuple[bool, str], ...]:
    """
    Take a `Like` pattern apart.

    Returns:
        ``(is_wildcard, text)`` pairs in order; wildcard text is ``*`` or ``?``, neighbouring
        literals are joined, neighbouring ``*`` are one.
    """
    parts: list[tuple[bool, str]] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\" and pattern[position + 1 : position + 2] in ("*", "?", "\\"):
            position += 1
            wildcard, character = False, pattern[position]
        else:
            wildcard = character in (ANY_TEXT, ANY_CHARACTER)
        position += 1
        if parts and not wildcard and not parts[-1][0]:
            parts[-1] = (False, parts[-1][1] + character)
        elif not (wildcard and character == ANY_TEXT and parts and parts[-1] == (True, ANY_TEXT)):
            parts.append((wildcard, character))
    return tuple(parts)


def escape_pattern(text: str) -> str:
    """Write literal text so that `split_pattern` gives it back unchanged."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def all_of(*children: Predicate) -> Predicate:
    """Conjoin, without needless nesting; of nothing it is true."""
    flat = tuple(part for child in children for part in (child.children if isinstance(child, And) else (child,)))
    return flat[0] if len(flat) == 1 else And(flat) if flat else Always(True)


def any_of(*children: Predicate) -> Predicate:
    """Disjoin, without needless nesting; of nothing it is false."""
    flat = tuple(part for child in children for part in (child.children if isinstance(child, Or) else (child,)))
    return flat[0] if len(flat) == 1 else Or(flat) if flat else Always(False)


def negate(predicate: Predicate) -> Predicate:
    """Negate, without doubling."""
    if isinstance(predicate, Not):
        return predicate.child
    if isinstance(predicate, Always):
        return Always(not predicate.value)
    return Not(predicate)


def to_nnf(predicate: Predicate, *, negated: bool = False) -> Predicate:
    """Negation normal form: `Not` stands only before a test. Two-valued logic makes this exact."""
    match predicate:
        case And(children) | Or(children):
            parts = [to_nnf(child, negated=negated) for child in children]
            return any_of(*parts) if isinstance(predicate, Or) != negated else all_of(*parts)
        case Not(child):
            return to_nnf(child, negated=not negated)
    return negate(predicate) if negated else predicate


def fields_of(predicate: Predicate) -> Iterator[str]:
    """Each field name that a tree reads, in order, with repetitions."""
    match predicate:
        case And(children) | Or(children):
            for child in children:
                yield from fields_of(child)
        case Not(child):
            yield from fields_of(child)
        case Compare(left, _, right):
            yield from _expression_fields(left)
            yield from _expression_fields(right)
        case Holds(expression):
            yield from _expression_fields(expression)
        case Always():
            pass
        case _:
            yield predicate.field


def _expression_fields(expression: Expression) -> Iterator[str]:
    match expression:
        case FieldOf(field):
            yield field
        case Call(_, arguments):
            for argument in arguments:
                yield from _expression_fields(argument)
