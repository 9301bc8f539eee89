"""
The conditions of an EQL query: what each operator means.

``!=`` is the negation of ``==``, so it holds where the field is missing: Elasticsearch makes
``must_not`` of it (its querytranslator_tests.txt, fieldNotEqualsTrue).
"""

from agent.detect.eql_nodes import (
    Subject,
    make_call_test,
    make_comparison,
    make_equals,
    make_existence,
    make_like,
    make_order,
    make_regex,
)
from agent.detect.eql_regex import Translation, translate_regex
from agent.detect.eql_syntax import Part, kind_of, parts_of
from agent.detect.eql_values import (
    Reading,
    check_depth,
    describe,
    fault,
    function_name,
    is_constant,
    is_field,
    is_null,
    read_constant,
    read_expression,
    read_field,
    warn,
)
from agent.detect.fields import Kind
from agent.detect.functions import TESTS
from agent.detect.predicate import (
    Always,
    Equals,
    FieldOf,
    Holds,
    Operator,
    Predicate,
    all_of,
    any_of,
    negate,
)
from agent.errors import RuleError

_MIRRORED = {
    Operator.LT: Operator.GT,
    Operator.LE: Operator.GE,
    Operator.GT: Operator.LT,
    Operator.GE: Operator.LE,
}
_CONDITIONS = frozenset({"disjunction", "conjunction", "inverse", "comparison", "pattern", "membership"})
_TEST_NAMES = frozenset(name.lower() for name in TESTS)
_ONLY_TRUE_OR_FALSE = "a condition is compared with == or != and with true or false only"


def read_condition(reading: Reading, part: Part, depth: int = 0) -> Predicate:
    """
    Read a condition; a fault in it is added to `reading.errors`, and reading goes on behind it.

    Raises:
        RuleError: the query is nested too deeply.
    """
    check_depth(reading, part, depth)
    match kind_of(part):
        case "disjunction":
            return any_of(*(read_condition(reading, child, depth + 1) for child in parts_of(part)))
        case "conjunction":
            return all_of(*(read_condition(reading, child, depth + 1) for child in parts_of(part)))
        case "inverse":
            return negate(read_condition(reading, parts_of(part)[0], depth + 1))
    try:
        return _read_test(reading, part, depth)
    except RuleError as error:
        reading.errors.append(error)
        return Always(False)


def _read_test(reading: Reading, part: Part, depth: int) -> Predicate:
    match kind_of(part), parts_of(part):
        case "comparison", (left, operator, tilde, right):
            return _read_comparison(reading, (left, Operator(str(operator)), right), tilde, depth)
        case "pattern", (left, operator, tilde, operand):
            return _read_pattern(reading, _read_subject(reading, left, depth), f"{operator}{tilde or ''}", operand)
        case "membership", (left, negation, tilde, values):
            subject = _read_subject(reading, left, depth)
            constants = [read_constant(reading, value) for value in parts_of(values)]
            member = make_equals(subject, constants, ignore_case=tilde is not None)
            return member if negation is None else negate(member)
        case "call", (name, tilde, arguments):
            return _read_call(reading, name, tilde, parts_of(arguments), depth)
        case ("TRUE" | "FALSE") as kind, _:
            return Always(kind == "TRUE")
    if is_field(part):
        return _read_bare_field(reading, part)
    raise fault(reading, part, f"a condition is expected here, not {describe(part)}")


def _read_bare_field(reading: Reading, part: Part) -> Predicate:
    field = read_field(reading, part)
    if field.kind is Kind.BOOLEAN:
        return Equals(field.name, (True,))
    if field.known:
        warn(reading, part, f"{field.name!r} is no boolean field, so alone it is never true")
    return Holds(FieldOf(field.name))


def _read_subject(reading: Reading, part: Part, depth: int) -> Subject:
    if is_field(part):
        return read_field(reading, part)
    if _is_condition(part):
        raise fault(reading, part, _ONLY_TRUE_OR_FALSE)
    return read_expression(reading, part, depth + 1)


def _is_condition(part: Part) -> bool:
    if kind_of(part) == "call":
        return str(parts_of(part)[0]).lower() in _TEST_NAMES
    return kind_of(part) in _CONDITIONS


def _read_comparison(reading: Reading, sides: tuple[Part, Operator, Part], tilde: Part, depth: int) -> Predicate:
    left, operator, right = sides
    if is_null(left) or (is_constant(left) and not is_constant(right)):
        left, operator, right = right, _MIRRORED.get(operator, operator), left
    equality, ignore_case = operator in (Operator.EQ, Operator.NE), tilde is not None
    if not equality and not is_null(right) and not _is_condition(left):
        first, second = _read_subject(reading, left, depth), _read_subject(reading, right, depth)
        try:
            return make_order(first, operator, second, ignore_case=ignore_case)
        except ValueError as error:
            raise fault(reading, right, str(error)) from None
    if is_null(right):
        equal = negate(_read_existence(reading, left, depth)) if equality else Always(False)
    elif _is_condition(left):
        if not equality or kind_of(right) not in ("TRUE", "FALSE"):
            raise fault(reading, left, _ONLY_TRUE_OR_FALSE)
        condition = read_condition(reading, left, depth + 1)
        equal = condition if kind_of(right) == "TRUE" else negate(condition)
    elif is_constant(right):
        subject = _read_subject(reading, left, depth)
        equal = make_equals(subject, [read_constant(reading, right)], ignore_case=ignore_case)
    else:
        first, second = _read_subject(reading, left, depth), _read_subject(reading, right, depth)
        equal = make_comparison(first, Operator.EQ, second, ignore_case=ignore_case)
    return negate(equal) if operator is Operator.NE else equal


def _read_existence(reading: Reading, part: Part, depth: int) -> Predicate:
    if _is_condition(part):  # true or false, never null
        read_condition(reading, part, depth + 1)
        return Always(True)
    return make_existence(_read_subject(reading, part, depth))


def _read_pattern(reading: Reading, subject: Subject, word: str, operand: Part) -> Predicate:
    if word == ":~":
        raise fault(reading, operand, "':' ignores case already; remove the '~'")
    constants = parts_of(operand) if kind_of(operand) == "list" else (operand,)
    values = [read_constant(reading, constant) for constant in constants]
    if word != ":":
        for constant, value in zip(constants, values, strict=True):
            if not isinstance(value, str):
                raise fault(reading, constant, f"{word} compares texts, not {describe(constant)}")
    if not word.startswith("regex"):
        return make_like(subject, values, ignore_case=word != "like")
    ignore_case = word == "regex~"
    translations = [
        _translate(reading, constant, str(value), ignore_case=ignore_case)
        for constant, value in zip(constants, values, strict=True)
    ]
    return make_regex(subject, translations, ignore_case=ignore_case)


def _translate(reading: Reading, place: Part, pattern: str, *, ignore_case: bool) -> Translation:
    try:
        translation = translate_regex(pattern, ignore_case=ignore_case)
    except ValueError as error:
        raise fault(reading, place, f"this regular expression cannot be used: {error}") from None
    for warning in translation.warnings:
        warn(reading, place, warning)
    return translation


def _read_call(reading: Reading, name: Part, tilde: Part, arguments: tuple[Part, ...], depth: int) -> Predicate:
    function = function_name(reading, name, tilde, count=len(arguments))
    if function not in TESTS:
        raise fault(reading, name, f"{function} gives a value, not a condition; compare it with something")
    first = arguments[0]
    subject = read_field(reading, first) if is_field(first) else read_expression(reading, first, depth + 1)
    rest = [read_expression(reading, argument, depth + 1) for argument in arguments[1:]]
    try:
        return make_call_test(function, subject, rest, ignore_case=tilde is not None)
    except ValueError as error:
        raise fault(reading, name, f"{function} cannot be used so: {error}") from None
