"""
The oracle: a predicate tree read the slow and obvious way, node by node, for one event.

It shares the field table, the functions and RE2 with the matcher, and nothing else.
"""

import ipaddress
import itertools

from agent.detect.fields import Kind, resolve_field
from agent.detect.functions import call
from agent.detect.predicate import (
    Always,
    And,
    Call,
    Cidr,
    Compare,
    Equals,
    Exists,
    FieldOf,
    Holds,
    Like,
    Literal,
    Not,
    Or,
    Regex,
)
from agent.detect.regex import compile_regex


def holds(predicate, event):  # noqa: C901 - one case a node
    """Tell whether a tree holds for an event."""
    match predicate:
        case Always(value):
            return value
        case Not(child):
            return not holds(child, event)
        case And(children):
            return all(holds(child, event) for child in children)
        case Or(children):
            return any(holds(child, event) for child in children)
        case Exists(field):
            return bool(values_of(field, event))
        case Equals(field, constants, ignore_case):
            kind = resolve_field(field).kind
            pairs = itertools.product(values_of(field, event), constants)
            return any(equal(kind, value, constant, ignore_case) for value, constant in pairs)
        case Like(field, patterns, ignore_case):
            pairs = itertools.product(texts_of(field, event), patterns)
            return any(like(pattern, text, ignore_case) for text, pattern in pairs)
        case Regex(field, pattern, whole):
            regex = compile_regex(pattern)
            return any(regex.fullmatch(text) if whole else regex.search(text) for text in texts_of(field, event))
        case Cidr(field, networks):
            return any(in_network(text, network) for text in texts_of(field, event) for network in networks)
        case Compare(left, operator, right, ignore_case):
            pairs = itertools.product(evaluate(left, event), evaluate(right, event))
            return any(related(a, operator, b, ignore_case) for a, b in pairs)
        case Holds(expression):
            return any(value is True for value in evaluate(expression, event))
    raise AssertionError(predicate)


def values_of(field, event):
    """Give a field's values: none, one or several."""
    value = resolve_field(field).get(event)
    if value is None:
        return []
    return list(value) if isinstance(value, tuple) else [value]


def texts_of(field, event):
    """Give a field's values as text."""
    return [text_of(value) for value in values_of(field, event)]


def text_of(value):
    """Write a value as text: JSON's words, and no decimals where there are none."""
    if value is True or value is False:
        return str(value).lower()
    return f"{value:.0f}" if isinstance(value, float) and value == round(value) else f"{value}"


def equal(kind, value, constant, ignore_case):
    """Compare a value with a rule's constant as the field's kind asks for."""
    if kind is Kind.NUMBER:
        return _number(text_of(constant)) == value
    if kind is Kind.BOOLEAN:
        return text_of(constant).lower() == text_of(value)
    if ignore_case:
        return text_of(value).lower() == text_of(constant).lower()
    return text_of(value) == text_of(constant)


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def like(pattern, text, ignore_case):
    """Match a pattern by a table: row `i` tells which heads of the text the first `i` tokens match."""
    if ignore_case:
        pattern, text = pattern.lower(), text.lower()
    row = [True] + [False] * len(text)
    for token, escaped in _tokens(pattern):
        if token == "*" and not escaped:
            row = list(itertools.accumulate(row, lambda reached, here: reached or here))
        else:
            fits = [token == character or (token == "?" and not escaped) for character in text]
            row = [False] + [before and fit for before, fit in zip(row, fits, strict=False)]
    return row[-1]


def _tokens(pattern):
    characters = iter(pattern)
    for character in characters:
        if character != "\\":
            yield character, False
            continue
        following = next(characters, None)
        if following in ("*", "?", "\\"):
            yield following, True
        else:
            yield character, True
            if following is not None:
                yield following, False


def in_network(text, network):
    """Tell whether a text is an address of a network."""
    try:
        return ipaddress.ip_address(text) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def evaluate(expression, event):
    """Give every value that an expression takes."""
    match expression:
        case Literal(value):
            return [value]
        case FieldOf(field):
            return values_of(field, event)
        case Call(function, arguments, ignore_case):
            combinations = itertools.product(*(evaluate(argument, event) for argument in arguments))
            results = [call(function, combination, ignore_case=ignore_case) for combination in combinations]
            return [result for result in results if result is not None]
    raise AssertionError(expression)


def related(a, operator, b, ignore_case):
    """Compare two numbers or two texts; nothing else compares."""
    kinds = {type(a), type(b)}
    if kinds == {str}:
        a, b = (a.lower(), b.lower()) if ignore_case else (a, b)
    elif not kinds <= {int, float}:
        return False
    return {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator.value]
