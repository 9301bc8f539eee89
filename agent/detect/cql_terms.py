r"""
The single tests of a LogScale query, as predicates over field names as they are written.

`agent/detect/cql_flow.py` puts the real fields in. Text is compared case-sensitively and whole, with
``*`` as the only wildcard, which nothing can escape; a regular expression is searched for anywhere,
and its ``.`` stops at a line end unless flag ``d`` is set. Free text is a test of `FREE_TEXT`.

Source: library.humio.com, data-analysis: syntax-operators, syntax-filters, syntax-regex-flags,
functions-in, functions-regex, functions-cidr, functions-wildcard, functions-test.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from enum import Enum

import msgspec

from agent.detect.predicate import (
    Always,
    Cidr,
    Compare,
    Equals,
    Exists,
    Expression,
    FieldOf,
    Like,
    Literal,
    Operator,
    Predicate,
    Regex,
    any_of,
    escape_pattern,
    negate,
)
from agent.detect.regex import compile_regex
from agent.errors import RuleError

FREE_TEXT = "@rawstring"

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_FLAGS = {"i": "i", "m": "m", "d": "s", "g": "", "F": ""}  # LogScale's to RE2's; g and F choose no other events
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


class Form(Enum):
    """How a term is written."""

    WORD = "word"
    TEXT = "text"
    REGEX = "regex"


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One word, quoted text or regular expression of a query, and where it stands."""

    text: str  # without quotes, slashes and flags
    form: Form = Form.WORD
    flags: str = ""
    line: int = 1
    column: int = 1


class Relation(msgspec.Struct, frozen=True):
    """Two terms in a relation: the argument of `test`."""

    left: Term
    operator: Operator
    right: Term


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """A function's call."""

    function: Term
    arguments: tuple["Argument", ...] = ()
    named: Mapping[str, "Argument"] = {}


Argument = Term | tuple[Term, ...] | Relation


def fault_at(term: Term, message: str) -> RuleError:
    """Make the error of one term; `read_cql` adds the path."""
    return RuleError(message, line=term.line, column=term.column, text=term.text[:120].split("\n")[0])


def parse_term(text: str, line: int, column: int) -> Term:
    """Read a token: a quoted text with its escapes, a regular expression with its flags, else a word."""
    if text.startswith('"'):
        plain = re.sub(r"(?s)\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text[1:-1])
        return Term(text=plain, form=Form.TEXT, line=line, column=column)
    if text.startswith("/"):
        pattern, _, flags = text[1:].rpartition("/")
        return Term(text=pattern, form=Form.REGEX, flags=flags, line=line, column=column)
    return Term(text=text, line=line, column=column)


def match_text(field: str, text: str, *, ignore_case: bool = False) -> Predicate:
    """Test a whole value; ``*`` alone asks only for the field."""
    if text == "*":
        return Exists(field)
    if "*" in text:
        return Like(field, ("*".join(map(escape_pattern, text.split("*"))),), ignore_case)
    return Equals(field, (text,), ignore_case)


def match_free_text(term: Term, *, ignore_case: bool = False) -> Predicate:
    """Search all of the event's text; ``*`` takes every event, as does the word ``true``."""
    if term.form is Form.REGEX:
        return match_regex(FREE_TEXT, term)
    if term.form is Form.WORD and term.text in ("true", "false"):
        return Always(term.text == "true")
    return match_text(FREE_TEXT, f"*{term.text}*", ignore_case=ignore_case) if term.text.strip("*") else Always(True)


def match_regex(field: str, term: Term, flags: str | None = None) -> Predicate:
    """
    Search with a regular expression; `flags` replace the term's own.

    Raises:
        RuleError: an unknown flag, or RE2 refuses the expression.
    """
    given = term.flags if flags is None else flags
    if wrong := [flag for flag in given if flag not in _FLAGS]:
        hint = "; a text that starts with '/' must be quoted" if term.form is Form.REGEX else ""
        raise fault_at(term, f"unknown flag {wrong[0]!r} of a regular expression, expected some of d, g, i, m{hint}")
    options = "".join(sorted({_FLAGS[flag] for flag in given}))
    pattern = f"(?{options}){term.text}" if options else term.text
    try:
        compile_regex(pattern)
    except ValueError as error:
        raise fault_at(term, f"RE2 cannot take this regular expression: {error}") from None
    return Regex(field, pattern)


def match_relation(relation: Relation, *, fields_on_the_right: bool = False) -> Predicate:
    """
    Test a field against a term.

    Args:
        relation: the left term names a field.
        fields_on_the_right: in `test` a bare word is a field there too, and ``*`` no wildcard.

    Raises:
        RuleError: an order is asked for with something that is no number.
    """
    field, operator, right = relation.left.text, relation.operator, relation.right
    if operator is Operator.NE:
        equal = Relation(relation.left, Operator.EQ, right)
        return negate(match_relation(equal, fields_on_the_right=fields_on_the_right))
    number = _number_of(right)
    is_field = fields_on_the_right and right.form is Form.WORD and number is None
    if operator is Operator.EQ and not is_field:
        if right.form is Form.REGEX:
            return match_regex(field, right)
        return Equals(field, (right.text,)) if fields_on_the_right else match_text(field, right.text)
    if not is_field and number is None:
        raise fault_at(right, f"'{operator.value}' orders numbers only, expected a number")
    other: Expression = FieldOf(right.text) if number is None or is_field else Literal(number)
    return Compare(FieldOf(field), operator, other)


def _number_of(term: Term) -> int | float | None:
    if term.form is Form.REGEX or len(term.text) > 40 or not _NUMBER.fullmatch(term.text):
        return None
    return int(term.text) if term.text.lstrip("+-").isdecimal() else float(term.text)


def call_function(invocation: Invocation) -> Predicate:
    """
    Read a call of a function that filters.

    Raises:
        RuleError: the function is not one of ours, or its arguments do not fit.
    """
    function = FUNCTIONS.get(invocation.function.text.lower())
    if function is None:
        raise refuse_function(invocation.function)
    return function(invocation)


def refuse_function(function: Term) -> RuleError:
    """Make the error of a function that we do not have: one that needs many events says so."""
    name = function.text
    if name.lower() in _OF_MANY_EVENTS:
        return fault_at(function, f"'{name}' works on many events at once, expected filters of a single event")
    known = ", ".join(sorted([*FUNCTIONS, "table", "select"]))
    return fault_at(function, f"function '{name}' is not supported, expected one of {known}")


_OF_MANY_EVENTS = frozenset(
    (
        "accumulate avg bucket collect correlate count counterasrate dedup definetable distinct "
        "eventfieldcount fieldstats groupby head join limit linreg max min neighbor partition percentile "
        "range rare sample sankey selectlast selfjoin selfjoinfilter series session slidingtimewindow "
        "slidingwindow sort stats stddev sum tail timechart top transpose window worldmap"
    ).split()
)


def _take(invocation: Invocation, order: tuple[str, ...]) -> dict[str, Argument]:
    named = dict(invocation.named)
    unnamed = order[0]
    if len(invocation.arguments) > 1 or (invocation.arguments and unnamed in named):
        raise fault_at(invocation.function, f"'{invocation.function.text}' takes one argument without a name")
    if invocation.arguments:
        named[unnamed] = invocation.arguments[0]
    if wrong := [name for name in named if name not in order]:
        expected = ", ".join(order)
        raise fault_at(
            invocation.function, f"'{invocation.function.text}' has no argument '{wrong[0]}', expected {expected}"
        )
    return named


def _term_of(invocation: Invocation, given: Mapping[str, Argument], name: str, default: str | None = None) -> Term:
    value = given.get(name)
    if value is None and default is not None:
        return Term(text=default, line=invocation.function.line, column=invocation.function.column)
    if not isinstance(value, Term):
        raise fault_at(invocation.function, f"'{invocation.function.text}' needs the argument '{name}', one text")
    return value


def _terms_of(invocation: Invocation, given: Mapping[str, Argument], name: str) -> tuple[Term, ...]:
    value = given.get(name)
    terms = (value,) if isinstance(value, Term) else value
    if not isinstance(terms, tuple) or not terms:
        raise fault_at(
            invocation.function, f"'{invocation.function.text}' needs the argument '{name}', a list of texts"
        )
    return terms


def _flag_of(invocation: Invocation, given: Mapping[str, Argument], name: str, *, default: bool) -> bool:
    term = _term_of(invocation, given, name, "true" if default else "false")
    if term.text.lower() not in ("true", "false"):
        raise fault_at(term, f"'{name}' is true or false")
    return term.text.lower() == "true"


def _call_in(invocation: Invocation) -> Predicate:
    given = _take(invocation, ("field", "values", "ignorecase"))
    field = _term_of(invocation, given, "field").text
    ignore_case = _flag_of(invocation, given, "ignorecase", default=False)
    return match_any_text(field, _terms_of(invocation, given, "values"), ignore_case=ignore_case)


def match_any_text(field: str, terms: tuple[Term, ...], *, ignore_case: bool = False) -> Predicate:
    """Test a whole value against each of several texts, with wildcards; plain ones become one test."""
    plain = tuple(term.text for term in terms if "*" not in term.text)
    tests: list[Predicate] = [Equals(field, plain, ignore_case)] if plain else []
    return any_of(
        *tests, *(match_text(field, term.text, ignore_case=ignore_case) for term in terms if "*" in term.text)
    )


def _call_regex(invocation: Invocation) -> Predicate:
    given = _take(invocation, ("regex", "field", "flags", "strict", "limit", "repeat"))
    field = _term_of(invocation, given, "field", FREE_TEXT).text
    flags = _term_of(invocation, given, "flags", "").text
    test = match_regex(field, _term_of(invocation, given, "regex"), flags)
    return test if _flag_of(invocation, given, "strict", default=True) else Always(True)


def _call_cidr(invocation: Invocation) -> Predicate:
    given = _take(invocation, ("field", "subnet", "negate"))
    networks = _terms_of(invocation, given, "subnet")
    for network in networks:
        try:
            ipaddress.ip_network(network.text, strict=False)
        except ValueError:
            raise fault_at(network, "not a network, expected the form 10.0.0.0/8 or fe80::/10") from None
    test = Cidr(_term_of(invocation, given, "field").text, tuple(network.text for network in networks))
    return negate(test) if _flag_of(invocation, given, "negate", default=False) else test


def _call_wildcard(invocation: Invocation) -> Predicate:
    given = _take(invocation, ("pattern", "field", "ignorecase"))
    pattern = _term_of(invocation, given, "pattern")
    ignore_case = _flag_of(invocation, given, "ignorecase", default=False)
    if "field" in given:
        fields = _terms_of(invocation, given, "field")
        return any_of(*(match_text(field.text, pattern.text, ignore_case=ignore_case) for field in fields))
    return match_free_text(pattern, ignore_case=ignore_case)


def _call_test(invocation: Invocation) -> Predicate:
    match invocation.arguments:
        case (Relation() as relation,) if not invocation.named:
            if relation.left.form is not Form.WORD:
                raise fault_at(relation.left, "expected a field on the left, such as test(UID == 0)")
            for side in (relation.left, relation.right):
                if side.form is Form.WORD and re.search(r"[+*/%]", side.text) and _number_of(side) is None:
                    raise fault_at(side, "arithmetic is not supported, expected a field or a constant")
            return match_relation(relation, fields_on_the_right=True)
    raise fault_at(invocation.function, "'test' takes one comparison, such as test(UID == 0)")


FUNCTIONS: dict[str, Callable[[Invocation], Predicate]] = {
    "in": _call_in,
    "regex": _call_regex,
    "cidr": _call_cidr,
    "wildcard": _call_wildcard,
    "test": _call_test,
}
