"""
Predicate trees as EQL text that `eql.parse_expression` reads back to a tree with the same answers.

What EQL has no words for is said in others: a pattern with an escaped wildcard as ``regex``, an
expression that is RE2's with a mark in front (agent/detect/eql_regex.py), ``!=`` of two expressions
as ``<`` or ``>``. Such a pattern that also ignores case may answer otherwise on texts with a capital
sigma or a dotted capital I, whose lower case is not one letter. Numbers must be finite.
"""

from collections.abc import Iterable

from agent.detect.eql_regex import RE2_MARK
from agent.detect.eql_strings import format_name, format_string
from agent.detect.fields import Kind, resolve_field
from agent.detect.functions import TESTS, format_value
from agent.detect.predicate import (
    Always,
    And,
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
    Not,
    Operator,
    Or,
    Predicate,
    Regex,
    Scalar,
    split_pattern,
)
from agent.detect.regex import compile_regex, quote_regex

_SIGNS = {"k": "\u212a", "å": "\u212b", "ω": "\u2126", "θ": "\u03f4", "ß": "\u1e9e"}  # further capitals of a letter
_TRUE, _FALSE = "true", "false"
_MIRRORED = {Operator.LT: Operator.GT, Operator.LE: Operator.GE, Operator.GT: Operator.LT, Operator.GE: Operator.LE}


def format_predicate(predicate: Predicate) -> str:
    """Write a predicate tree as one line of EQL, without an event category."""
    match predicate:
        case Always(value):
            return _TRUE if value else _FALSE
        case And(children):
            return " and ".join(map(_format_operand, children)) or _TRUE
        case Or(children):
            return " or ".join(map(format_predicate, children)) or _FALSE
        case Not(child):
            return _format_not(child)
        case Compare():
            return _format_compare(predicate)
        case Holds(expression):
            return _format_holds(expression)
    return _format_test(predicate)


def _format_test(test: Exists | Equals | Like | Regex | Cidr) -> str:
    name = format_name(test.field)
    match test:
        case Exists():
            return f"{name} != null"
        case Equals():
            return _format_equals(test)
        case Like():
            return _format_like(test)
        case Regex():
            return f"{name} regex {format_string(_whole_expression(test))}"
        case Cidr(_, networks):
            return _format_call("cidrMatch", name, map(format_string, networks)) if networks else _FALSE


# An operand of `and`: only `or` binds less.
def _format_operand(predicate: Predicate) -> str:
    text = format_predicate(predicate)
    loose = isinstance(predicate, Or | Compare | Like) and " or " in text
    return f"({text})" if loose else text


def _format_not(child: Predicate) -> str:
    match child:
        case Exists(field):
            return f"{format_name(field)} == null"
        case Equals(field, (value,), False):
            return f"{format_name(field)} != {_format_value(value)}"
        case Equals(field, values, ignore_case) if values:
            return f"{format_name(field)} not in{_tilde(ignore_case=ignore_case)} {_format_list(values)}"
        case Always() | Holds(Call()) | Cidr():
            return f"not {format_predicate(child)}"
    return f"not ({format_predicate(child)})"


def _format_equals(test: Equals) -> str:
    name = format_name(test.field)
    match test.values:
        case ():
            return _FALSE
        case (value,) if not test.ignore_case:
            return f"{name} == {_format_value(value)}"
    return f"{name} in{_tilde(ignore_case=test.ignore_case)} {_format_list(test.values)}"


def _format_like(test: Like) -> str:
    wildcards, expressions = [], []
    for pattern in test.patterns:
        parts = split_pattern(pattern)
        if any(not wildcard and ("*" in text or "?" in text) for wildcard, text in parts):
            expressions.append(_like_expression(parts, ignore_case=test.ignore_case))
        else:
            wildcards.append("".join(text for _, text in parts))
    name = format_name(test.field)
    word = ":" if test.ignore_case else "like"
    texts = [f"{name} {word} {_format_choice(wildcards)}"] if wildcards else []
    texts += [f"{name} regex {_format_choice(expressions)}"] if expressions else []
    return " or ".join(texts) or _FALSE


def _like_expression(parts: Iterable[tuple[bool, str]], *, ignore_case: bool) -> str:
    quote = _quote_folded if ignore_case else quote_regex
    return "(?s)" + "".join({"*": ".*", "?": "."}[text] if wildcard else quote(text) for wildcard, text in parts)


# RE2's own folding takes more letters for one than lower case does: a long s for an s.
def _quote_folded(text: str) -> str:
    return "".join(map(_quote_letter, text.lower()))


def _quote_letter(letter: str) -> str:
    signs = _SIGNS.get(letter, "")
    cases = dict.fromkeys(case for case in (letter, letter.upper(), *signs) if case.lower() == letter)
    return f"[{''.join(cases)}]" if len(cases) > 1 else quote_regex(letter)


# The mark makes the reader take the expression as RE2's.
def _whole_expression(test: Regex) -> str:
    if test.whole:
        return test.pattern if test.pattern.startswith(RE2_MARK) else f"(?:){test.pattern}"
    anywhere = f"(?s:.*)(?:{test.pattern})(?s:.*)"
    try:
        compile_regex(anywhere)
    except ValueError:  # its end is quoted by an open \Q
        return f"(?s:.*)(?:{test.pattern}\\E)(?s:.*)"
    return anywhere


# As the reader has it: a field of another type than the constant would be converted, a comparison never does.
def _format_compare(compare: Compare) -> str:
    left, operator, right = compare.left, compare.operator, compare.right
    if _is_boolean(left) or _is_boolean(right):
        return _FALSE
    if isinstance(left, Literal) and not isinstance(right, Literal):
        left, operator, right = right, _MIRRORED.get(operator, operator), left
    if operator is Operator.NE:
        halves = (Compare(left, half, right, compare.ignore_case) for half in (Operator.LT, Operator.GT))
        return " or ".join(map(_format_compare, halves))
    first = _format_expression(left)
    if isinstance(left, FieldOf) and isinstance(right, Literal) and not _reads_back(left, operator, right):
        first = f"substring({first}, 0)" if isinstance(right.value, str) else f"add({first}, 0)"
    return f"{first} {operator}{_tilde(ignore_case=compare.ignore_case)} {_format_expression(right)}"


def _reads_back(left: FieldOf, operator: Operator, right: Literal) -> bool:
    field = resolve_field(left.field)
    converted = field.known and (field.kind is Kind.NUMBER) == isinstance(right.value, str)
    return operator is not Operator.EQ and not converted


def _is_boolean(expression: Expression) -> bool:
    match expression:
        case Literal(value):
            return isinstance(value, bool)
        case Call(function):
            return function in TESTS
    return False


def _format_holds(expression: Expression) -> str:
    match expression:
        case Literal(value):
            return _TRUE if value is True else _FALSE
        case Call(function) if function not in TESTS:
            return _FALSE
        case Call(function, (FieldOf() as field, *rest), ignore_case) if _is_read_as_test(field, function, rest):
            expression = Call(function, (Call("substring", (field, Literal(0))), *rest), ignore_case)
    return _format_expression(expression)


# Of a field itself the reader makes a pattern or an address, and those take numbers for text.
def _is_read_as_test(field: FieldOf, function: str, rest: Iterable[Expression]) -> bool:
    is_text = resolve_field(field.field).kind is Kind.TEXT
    return is_text and function != "cidrMatch" and all(isinstance(argument, Literal) for argument in rest)


def _format_expression(expression: Expression) -> str:
    match expression:
        case Literal(value):
            return _format_value(value)
        case FieldOf(field):
            return format_name(field)
    first, *rest = expression.arguments
    function = f"{expression.function}{_tilde(ignore_case=expression.ignore_case)}"
    arguments = [_marked(argument) for argument in rest] if expression.function == "match" else rest
    return _format_call(function, _format_expression(first), map(_format_expression, arguments))


def _marked(argument: Expression) -> Expression:
    if isinstance(argument, Literal) and isinstance(argument.value, str) and not argument.value.startswith(RE2_MARK):
        return Literal(f"(?:){argument.value}")
    return argument


def _format_call(function: str, first: str, rest: Iterable[str]) -> str:
    return f"{function}({', '.join((first, *rest))})"


def _format_value(value: Scalar) -> str:
    return format_string(value) if isinstance(value, str) else format_value(value)


def _format_list(values: Iterable[Scalar]) -> str:
    return f"({', '.join(map(_format_value, values))})"


def _format_choice(texts: list[str]) -> str:
    return format_string(texts[0]) if len(texts) == 1 else _format_list(texts)


def _tilde(*, ignore_case: bool) -> str:
    return "~" if ignore_case else ""
