"""
What a test in an EQL query becomes in the predicate tree.

A test of a field against constants becomes a node that can be indexed (`Equals`, `Like`, `Regex`,
`Cidr`); everything else stays an expression.
"""

import ipaddress
from collections.abc import Sequence

from agent.detect.eql_regex import Translation, translate_regex
from agent.detect.fields import Field, Kind
from agent.detect.functions import as_like_pattern
from agent.detect.matcher import as_number
from agent.detect.predicate import (
    Always,
    Call,
    Cidr,
    Compare,
    Equals,
    Exists,
    Expression,
    FieldOf,
    Holds,
    Like,
    Literal,
    Operator,
    Predicate,
    Regex,
    Scalar,
    any_of,
    escape_pattern,
)

Subject = Field | Expression | None  # what a test is about; None: null


def make_equals(subject: Subject, values: Sequence[Scalar], *, ignore_case: bool) -> Predicate:
    """Test for any of several constants, verbatim."""
    if isinstance(subject, Field):
        return Equals(subject.name, tuple(values), ignore_case)
    return any_of(*(make_comparison(subject, Operator.EQ, Literal(value), ignore_case=ignore_case) for value in values))


def make_comparison(left: Subject, operator: Operator, right: Subject, *, ignore_case: bool) -> Predicate:
    """Compare two expressions; null compares with nothing."""
    if left is None or right is None:
        return Always(False)
    return Compare(_as_expression(left), operator, _as_expression(right), ignore_case)


def make_order(left: Subject, operator: Operator, right: Subject, *, ignore_case: bool) -> Predicate:
    """
    Compare by order, as numbers or texts by what the field holds or the constant is.

    ``user.id`` is text, but ``user.id < 1000`` speaks of the number.

    Raises:
        ValueError: a field of numbers is compared with a text that is none.
    """
    if isinstance(left, Field) and isinstance(right, Literal) and left.known:
        if left.kind is Kind.TEXT and not isinstance(right.value, str):
            left = Call("number", (FieldOf(left.name),))
        elif left.kind is Kind.NUMBER and isinstance(right.value, str):
            number = as_number(right.value)
            if number is None:
                raise ValueError(f"{left.name!r} is a field of numbers, and {right.value!r} is none")
            right = Literal(number)
    return make_comparison(left, operator, right, ignore_case=ignore_case)


def make_existence(subject: Subject) -> Predicate:
    """Test for any value."""
    match subject:
        case None:
            return Always(False)
        case Literal():
            return Always(True)
        case Field():
            return Exists(subject.name)
    return Compare(Call("length", (Call("string", (subject,)),)), Operator.GE, Literal(0))


def make_like(subject: Subject, values: Sequence[Scalar], *, ignore_case: bool) -> Predicate:
    """Test for any of several texts that may have wildcards; those without are compared verbatim."""
    patterns = [value for value in values if isinstance(value, str) and ("*" in value or "?" in value)]
    exact = [value for value in values if not isinstance(value, str) or not ("*" in value or "?" in value)]
    tests = [make_equals(subject, exact, ignore_case=ignore_case)] if exact else []
    if isinstance(subject, Field) and patterns:
        tests.append(Like(subject.name, tuple(map(as_like_pattern, patterns)), ignore_case))
    elif subject is not None and patterns:
        tests.append(Holds(Call("wildcard", (_as_expression(subject), *map(Literal, patterns)), ignore_case)))
    return any_of(*tests)


def make_regex(subject: Subject, translations: Sequence[Translation], *, ignore_case: bool) -> Predicate:
    """Test for any of several expressions, each the whole value; what stands for one text is compared verbatim."""
    plain = [translation.literal for translation in translations if translation.literal is not None]
    patterns = [translation.pattern for translation in translations if translation.literal is None]
    tests = [make_equals(subject, plain, ignore_case=ignore_case)] if plain else []
    if isinstance(subject, Field):
        tests += [Regex(subject.name, pattern, whole=True) for pattern in patterns]
    elif subject is not None and patterns:
        tests.append(Holds(Call("match", (subject, *map(Literal, patterns)))))
    return any_of(*tests)


def make_call_test(
    function: str, subject: Subject, arguments: Sequence[Expression | None], *, ignore_case: bool
) -> Predicate:
    """
    Test by one of `functions.TESTS`, whose first argument is `subject`.

    Raises:
        ValueError: an expression that RE2 refuses, or no network where one is expected.
    """
    given = tuple(argument for argument in arguments if argument is not None)
    if subject is None or len(given) < len(arguments):
        return Always(False)
    texts = [str(argument.value) for argument in given if isinstance(argument, Literal)]
    if function == "cidrMatch":
        for text in texts:
            ipaddress.ip_network(text, strict=False)
    if (
        isinstance(subject, Field)
        and len(texts) == len(given)
        and (subject.kind is Kind.TEXT or function == "cidrMatch")
    ):
        test = _make_field_test(function, subject, texts, ignore_case=ignore_case)
        if test is not None:
            return test
    if function == "match":
        given = tuple(_translate(argument) for argument in given)
    return Holds(Call(function, (_as_expression(subject), *given), ignore_case))


# None where the function has no node of its own.
def _make_field_test(function: str, field: Field, texts: Sequence[str], *, ignore_case: bool) -> Predicate | None:
    match function:
        case "wildcard":
            return make_like(field, texts, ignore_case=ignore_case)
        case "match":
            translations = [translate_regex(text, ignore_case=ignore_case) for text in texts]
            return make_regex(field, translations, ignore_case=ignore_case)
        case "cidrMatch":
            return Cidr(field.name, tuple(texts))
    part = escape_pattern(texts[0])
    if function == "stringContains":  # which an empty text never is
        return Like(field.name, (f"*{part}*",), ignore_case) if part else None
    return Like(field.name, (f"{part}*" if function == "startsWith" else f"*{part}",), ignore_case)


def _translate(argument: Expression) -> Expression:
    if isinstance(argument, Literal) and isinstance(argument.value, str):
        return Literal(translate_regex(argument.value, ignore_case=False).pattern)
    return argument


def _as_expression(subject: Field | Expression) -> Expression:
    return FieldOf(subject.name) if isinstance(subject, Field) else subject
