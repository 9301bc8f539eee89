"""
Predicate trees into Python closures: whatever can be decided from the tree alone is decided once.

The closures never raise. How values meet constants: against a text field everything is text (``1``
is "1", ``true`` is "true", ``1.0`` is "1"); against a number field the text "1" is 1; a boolean is no number.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence

from agent.detect.expression import compile_comparison, compile_truth
from agent.detect.fields import Field, Kind, resolve_field
from agent.detect.like import TextTest, compile_like
from agent.detect.predicate import (
    Always,
    And,
    Cidr,
    Compare,
    Equals,
    Exists,
    Holds,
    Like,
    Not,
    Or,
    Predicate,
    Regex,
    Scalar,
)
from agent.detect.regex import compile_regex
from agent.event import Event

Matcher = Callable[[Event], bool]

_TEXT_LISTS = ("process.", "intent.")  # members of structs; other lists are a document's and may hold anything
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


def compile_predicate(predicate: Predicate) -> Matcher:
    """
    Turn a tree into one function of an event.

    Raises:
        ValueError: RE2 refuses an expression or a pattern, a network is none, or the tree is too deep.
    """
    # Compiling takes more frames a level than matching: what passes here cannot fail there.
    try:
        return _compile(predicate)
    except RecursionError:
        raise ValueError("the condition is nested too deeply") from None


def _compile(predicate: Predicate) -> Matcher:
    match predicate:
        case Always(value):
            return lambda _event: value
        case Not(Not(child)):
            return _compile(child)
        case Not(child):
            inner = _compile(child)
            return lambda event: not inner(event)
        case And(children):
            return _conjoin([_compile(child) for child in _cheapest_first(children)])
        case Or(children):
            return _disjoin([_compile(child) for child in _cheapest_first(children)])
        case Compare():
            return compile_comparison(predicate)
        case Holds(expression):
            return compile_truth(expression)
    return _compile_test(predicate, resolve_field(predicate.field))


def _compile_test(predicate: Exists | Equals | Like | Regex | Cidr, field: Field) -> Matcher:
    match predicate:
        case Exists():
            return _exists(field)
        case Equals(_, values, ignore_case):
            return _equals(field, values, ignore_case=ignore_case)
        case Like(_, patterns, ignore_case):
            test = compile_like(patterns, ignore_case=ignore_case)
            return _of_folded_text(field, test) if ignore_case else _of_text(field, test)
        case Regex(_, pattern, whole):
            compiled = compile_regex(pattern)
            return _of_text(field, compiled.fullmatch if whole else compiled.search)
        case Cidr(_, networks):
            return _of_text(field, _compile_networks(networks))


def as_text(value: Scalar) -> str:
    """Write a value as a text field would hold it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def as_number(constant: Scalar) -> int | float | None:
    """Read a constant as a number; None where it is none."""
    if isinstance(constant, str):
        if not _NUMBER.fullmatch(constant):
            return None
        return float(constant) if "." in constant else int(constant)
    return None if isinstance(constant, bool) else constant


def as_boolean(constant: Scalar) -> bool | None:
    """Read a constant as true or false; None where it is neither."""
    if isinstance(constant, str):
        return {"true": True, "false": False}.get(constant.lower())
    return constant if isinstance(constant, bool) else None


_COSTS: dict[type, int] = {
    Always: 0,
    Exists: 1,
    Equals: 1,
    Not: 2,
    Like: 3,
    Cidr: 4,
    Holds: 4,
    Compare: 4,
    Regex: 5,
    And: 6,
    Or: 6,
}


def _cheapest_first(children: Iterable[Predicate]) -> list[Predicate]:
    return sorted(children, key=lambda child: _COSTS[type(child)])


def _conjoin(matchers: Sequence[Matcher]) -> Matcher:
    match matchers:
        case []:
            return lambda _event: True
        case [matcher]:
            return matcher
        case [first, second]:
            return lambda event: first(event) and second(event)
        case [first, second, third]:
            return lambda event: first(event) and second(event) and third(event)
    fixed = tuple(matchers)

    def all_hold(event: Event) -> bool:
        for matcher in fixed:  # noqa: SIM110 - a generator for all() costs more than the tests
            if not matcher(event):
                return False
        return True

    return all_hold


def _disjoin(matchers: Sequence[Matcher]) -> Matcher:
    match matchers:
        case []:
            return lambda _event: False
        case [matcher]:
            return matcher
        case [first, second]:
            return lambda event: first(event) or second(event)
        case [first, second, third]:
            return lambda event: first(event) or second(event) or third(event)
    fixed = tuple(matchers)

    def any_holds(event: Event) -> bool:
        for matcher in fixed:  # noqa: SIM110 - as above
            if matcher(event):
                return True
        return False

    return any_holds


def _exists(field: Field) -> Matcher:
    get = field.get

    # An ECS array without members is as good as absent.
    def exists(event: Event) -> bool:
        value = get(event)
        return value is not None and value != ()

    return exists


def _equals(field: Field, values: Sequence[Scalar], *, ignore_case: bool) -> Matcher:
    get = field.get
    if field.kind is Kind.NUMBER:
        numbers = frozenset(number for number in map(as_number, values) if number is not None)
        return lambda event: get(event) in numbers
    if field.kind is Kind.BOOLEAN:
        booleans = tuple(flag for flag in map(as_boolean, values) if flag is not None)
        return lambda event: get(event) in booleans
    texts = [as_text(value) for value in values]
    if ignore_case:
        return _of_folded_text(field, _equal_to(text.lower() for text in texts))
    if field.many and field.name.startswith(_TEXT_LISTS):
        return _any_equal(field, frozenset(texts))
    return _of_text(field, _equal_to(texts))


def _equal_to(texts: Iterable[str]) -> TextTest:
    constants = frozenset(texts)
    if len(constants) == 1:
        (constant,) = constants
        return lambda text: text == constant
    return constants.__contains__


# `process.args` mostly: one set operation instead of a loop.
def _any_equal(field: Field, constants: frozenset[str]) -> Matcher:
    get = field.get

    def matcher(event: Event) -> bool:
        value = get(event)
        if isinstance(value, tuple):
            return not constants.isdisjoint(value)
        return value is not None and as_text(value) in constants

    return matcher


# A field holds text nearly always; a replayed document may hold anything, and several of it.
def _of_text(field: Field, test: TextTest) -> Matcher:
    get = field.get

    def matcher(event: Event) -> bool:
        value = get(event)
        if value.__class__ is str:
            return test(value)
        if value is None:
            return False
        if isinstance(value, tuple):
            for item in value:  # noqa: SIM110 - as above
                if test(item if item.__class__ is str else as_text(item)):
                    return True
            return False
        return test(as_text(value))

    return matcher


def _of_folded_text(field: Field, test: TextTest) -> Matcher:
    return _of_text(field, lambda text: test(text.lower()))


def _compile_networks(networks: Iterable[str]) -> TextTest:
    fixed = tuple(ipaddress.ip_network(network, strict=False) for network in networks)

    def test(text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in fixed)

    return test
