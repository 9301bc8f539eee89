"""
Expressions into Python closures: every value that an expression can take for an event.

A field with several values makes several values of the expression around it, each combination of
its arguments one; a test of an expression holds when it holds for any of them.
"""

import operator
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, product
from typing import Any

from agent.detect.fields import resolve_field
from agent.detect.functions import call
from agent.detect.predicate import Call, Compare, Expression, FieldOf, Literal, Operator, Scalar
from agent.event import Event

_MOST_ELEMENTS = 10_000
_MOST_COMBINATIONS = 100_000

Matcher = Callable[[Event], bool]
Values = Callable[[Event], Iterable[Scalar]]

_RELATIONS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
}


def compile_comparison(compare: Compare) -> Matcher:
    """Turn a comparison into one function of an event."""
    left_of, right_of = compile_expression(compare.left), compile_expression(compare.right)
    relation, ignore_case = _RELATIONS[compare.operator], compare.ignore_case

    def compares(event: Event) -> bool:
        rights = tuple(right_of(event))
        for left in left_of(event) if rights else ():
            for right in rights:
                if isinstance(left, str) and isinstance(right, str):
                    if relation(left.lower(), right.lower()) if ignore_case else relation(left, right):
                        return True
                elif is_number(left) and is_number(right) and relation(left, right):
                    return True
        return False

    return compares


def compile_truth(expression: Expression) -> Matcher:
    """Turn an expression that is true by itself into one function of an event."""
    values_of = compile_expression(expression)
    return lambda event: any(value is True for value in values_of(event))


def compile_expression(expression: Expression) -> Values:
    """Turn an expression into a function that gives its values for an event; none where one is missing."""
    match expression:
        case Literal(value):
            constant = (value,)
            return lambda _event: constant
        case FieldOf(field):
            return _values_of_field(field)
        case Call():
            return _values_of_call(expression)


def is_number(value: Scalar) -> bool:
    """Tell a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _values_of_field(name: str) -> Values:
    get = resolve_field(name).get

    def values(event: Event) -> Iterable[Scalar]:
        value = get(event)
        if isinstance(value, tuple):
            return value
        return () if value is None else (value,)

    return values


def _values_of_call(expression: Call) -> Values:
    function, ignore_case = expression.function, expression.ignore_case
    arguments = tuple(compile_expression(argument) for argument in expression.arguments)

    # Lazily: the first combination that holds ends the search. Several arrays of an attacker's making (an argv
    # has up to a million elements) multiply: only the first combinations are tried.
    def values(event: Event) -> Iterator[Scalar]:
        several = len(arguments) > 1
        first = (islice(argument(event), _MOST_ELEMENTS if several else None) for argument in arguments)
        for combination in islice(product(*first), _MOST_COMBINATIONS if several else None):
            value = call(function, combination, ignore_case=ignore_case)
            if value is not None:
                yield value

    return values
