"""The values in an EQL query: constants, fields, and expressions of them."""

import math

import msgspec

from agent.detect.eql_strings import parse_name, parse_string
from agent.detect.eql_syntax import Part, kind_of, parts_of, place_of, quote_line
from agent.detect.fields import Field, resolve_field
from agent.detect.functions import FOLDING, FUNCTIONS
from agent.detect.predicate import Call, Expression, FieldOf, Literal, Scalar
from agent.errors import RuleError

DEEPEST = 64  # levels; the closures of a tree nest as deep

_LONGEST_NUMBER = 400  # digits: beyond a float's range
_ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulo"}
_FUNCTION_NAMES = {name.lower(): name for name in FUNCTIONS}
_WORDS = {"STRING": "a text", "RAW": "a text", "NUMBER": "a number", "TRUE": "true", "FALSE": "false", "NULL": "null"}


class Reading(msgspec.Struct):
    """One query while it is read: where it stands, and what was found wrong so far."""

    text: str
    path: str
    shipped: bool = False
    errors: list[RuleError] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)
    lines: list[str] = []

    def __post_init__(self) -> None:
        self.lines = self.text.split("\n")


def fault(reading: Reading, part: Part, message: str) -> RuleError:
    """Make an error at the place of a part."""
    line, column = place_of(part)
    text = quote_line(reading.lines, line) if line else None
    return RuleError(message, path=reading.path, line=line, column=column, text=text)


def warn(reading: Reading, part: Part, message: str) -> None:
    """Note something that is no fault, once for each place."""
    line, column = place_of(part)
    reading.warnings.append(f"{reading.path}:{line}:{column}: {message}")


def describe(part: Part) -> str:
    """Name a part for an error."""
    kind = kind_of(part)
    return _WORDS.get(kind) or {"FIELD": "a field", "OPTIONAL": "a field", "call": "a function"}.get(kind, "a value")


def is_field(part: Part) -> bool:
    """Tell a field, optional or not."""
    return kind_of(part) in ("FIELD", "OPTIONAL")


def is_null(part: Part) -> bool:
    """Tell the word null."""
    return kind_of(part) == "NULL"


def is_constant(part: Part) -> bool:
    """Tell a constant other than null."""
    kind = kind_of(part)
    if kind == "negative":
        return kind_of(parts_of(part)[0]) == "NUMBER"
    return kind in _WORDS and kind != "NULL"


def read_field(reading: Reading, part: Part) -> Field:
    """
    Find a field; one that no table has is noted, unless it is optional.

    A shipped rule may not name such a field: that is added to the errors.
    """
    field = resolve_field(parse_name(str(part)))
    if not field.known and kind_of(part) != "OPTIONAL":
        message = f"unknown field {field.name!r}; write ?{part} if only some events have it"
        if reading.shipped:
            reading.errors.append(fault(reading, part, message))
        else:
            warn(reading, part, message)
    return field


def read_constant(reading: Reading, part: Part) -> Scalar:
    """
    Read a constant.

    Raises:
        RuleError: an escape sequence means nothing, a number is too large, or it is null.
    """
    kind = kind_of(part)
    if kind == "negative":
        number = read_constant(reading, parts_of(part)[0])
        return -number if not isinstance(number, str) else number
    if kind in ("STRING", "RAW"):
        try:
            return parse_string(str(part))
        except ValueError as error:
            raise fault(reading, part, str(error)) from None
    if kind == "NUMBER":
        return _read_number(reading, part)
    if kind == "NULL":
        raise fault(reading, part, "null is no value to compare with here; write == null or != null")
    return kind == "TRUE"


def _read_number(reading: Reading, part: Part) -> int | float:
    text = str(part)
    if len(text) <= _LONGEST_NUMBER:
        if text.isdigit():
            return int(text)
        if math.isfinite(value := float(text)):
            return value
    raise fault(reading, part, "the number is too large")


def read_expression(reading: Reading, part: Part, depth: int) -> Expression | None:
    """
    Read what gives a value.

    Returns:
        None for null, and for any function of null.

    Raises:
        RuleError: an unknown function, a wrong number of arguments, a condition instead of a value.
    """
    check_depth(reading, part, depth)
    if is_constant(part):
        return Literal(read_constant(reading, part))
    if is_null(part):
        return None
    if is_field(part):
        return FieldOf(read_field(reading, part).name)
    match kind_of(part), parts_of(part):
        case "negative", (operand,):
            return _call("subtract", (Literal(0), read_expression(reading, operand, depth + 1)))
        case "arithmetic", (left, operator, right):
            operands = (read_expression(reading, left, depth + 1), read_expression(reading, right, depth + 1))
            return _call(_ARITHMETIC[str(operator)], operands)
        case "call", (name, tilde, arguments):
            function = function_name(reading, name, tilde, count=len(parts_of(arguments)))
            values = [read_expression(reading, argument, depth + 1) for argument in parts_of(arguments)]
            if function == "number":  # where a base of null means the usual one
                values = values[:1] + [value for value in values[1:] if value is not None]
            return _call(function, tuple(values), ignore_case=tilde is not None)
    raise fault(reading, part, "a condition cannot stand here, where a value is expected")


def _call(function: str, values: tuple[Expression | None, ...], *, ignore_case: bool = False) -> Call | None:
    given = tuple(value for value in values if value is not None)
    return Call(function, given, ignore_case) if len(given) == len(values) else None


def function_name(reading: Reading, name: Part, tilde: Part, *, count: int) -> str:
    """
    Find a function by its name in any case.

    Raises:
        RuleError: it does not exist, takes another number of arguments, or has no form with a tilde.
    """
    function = _FUNCTION_NAMES.get(str(name).lower())
    if function is None:
        raise fault(reading, name, f"unknown function {str(name)!r}, expected one of {', '.join(FUNCTIONS)}")
    arity = FUNCTIONS[function]
    if count not in arity:
        most = arity.stop - 1
        wanted = f"{arity.start}" if most == arity.start else f"{arity.start} to {most}"
        raise fault(reading, name, f"{function} takes {wanted} argument{'s' * (most > 1)}, not {count}")
    if tilde is not None and function not in FOLDING:
        raise fault(reading, name, f"{function} has no form that ignores case; remove the '~'")
    return function


def check_depth(reading: Reading, part: Part, depth: int) -> None:
    """
    Keep trees to a depth that all who walk them can bear.

    Raises:
        RuleError: the part lies too deep.
    """
    if depth > DEEPEST:
        raise fault(reading, part, f"the query is nested deeper than {DEEPEST} levels")
