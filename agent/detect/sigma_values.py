"""
One line of a Sigma detection, ``Field|modifier|modifier: value(s)``, as a predicate.

pySigma applies the modifiers that change a value; what a value then means for an event is decided
here. Sigma ignores case unless ``cased``. Values of a list are alternatives, unless ``all``.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sigma.exceptions import SigmaError
from sigma.rule.detection import SigmaDetectionItem
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNumber,
    SigmaString,
    SigmaType,
    SpecialChars,
    special_char_mapping,
)

from agent.detect.fields import Kind, resolve_field
from agent.detect.matcher import as_boolean, as_number, compile_predicate
from agent.detect.predicate import (
    ANY_CHARACTER,
    ANY_TEXT,
    Call,
    Cidr,
    Compare,
    Equals,
    Exists,
    FieldOf,
    Holds,
    Like,
    Literal,
    Operator,
    Predicate,
    Regex,
    all_of,
    any_of,
    escape_pattern,
    negate,
)
from agent.detect.predicate import Scalar as ScalarValue
from agent.detect.sigma_yaml import Node, Scalar, fault
from agent.detect.sigma_yaml import Sequence as YamlSequence

# Where a keyword is looked for: the text that a process log line would show. Sigma says "the whole
# event", but ids, times and host names of ours are no part of what a rule's author saw.
KEYWORD_FIELDS = (
    "process.command_line",
    "process.executable",
    "process.parent.command_line",
    "process.working_directory",
    "destination.address",
)

_PLACES = {"contains", "startswith", "endswith"}
_ENCODINGS = {"base64", "base64offset", "wide", "utf16", "utf16le", "utf16be"}
_TEXTUAL = _PLACES | _ENCODINGS | {"cased", "cidr", "expand", "fieldref", "windash"}
_FLAGS = {"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}
_COMPARISONS = {
    CompareOperators.LT: Operator.LT,
    CompareOperators.LTE: Operator.LE,
    CompareOperators.GT: Operator.GT,
    CompareOperators.GTE: Operator.GE,
}
_COMPARING = {operator.name.lower() for operator in _COMPARISONS}
_LINKING = {"all", "neq"}
_MODIFIERS = _TEXTUAL | set(_FLAGS) | _COMPARING | _LINKING | {"exists", "re"}
_TIMES = {"minute", "hour", "day", "week", "month", "year"}

_MAX_EXPANSIONS = 100_000
StringPart = str | SpecialChars | Placeholder
# pySigma's conversions raise these; the last two for values that no check of ours foresaw.
_REFUSALS = (SigmaError, ValueError, TypeError, NotImplementedError, LookupError)


class _Item(NamedTuple):
    field: str | None  # canonical; None for a keyword
    modifiers: tuple[str, ...]
    placeholders: Mapping[str, Sequence[str]]


def read_item(key: Scalar, value: Node, path: str, placeholders: Mapping[str, Sequence[str]]) -> Predicate:
    """
    Translate one key of a detection and its value or list of values.

    Args:
        key: ``Field|modifier``, ``|modifier`` or, for plain keywords, an empty text.
        value: a scalar or a list of scalars; anything else is a fault.
        path: the file, for errors.
        placeholders: what ``%name%`` stands for under ``expand``; wildcards have their meaning.

    Raises:
        RuleError: the first fault, at the value where it is one value's.
    """
    name, *modifiers = key.text.split("|")
    for modifier in modifiers:
        if modifier not in _MODIFIERS:
            raise fault(_explain_modifier(modifier), path, key)
    item = _Item(resolve_field(name).name if name else None, tuple(modifiers), placeholders)
    scalars = value.items if isinstance(value, YamlSequence) else (value,)
    if not scalars:
        raise fault("an empty list of values; expected at least one", path, value, key.text)
    tests = [_read_scalar(item, scalar, key, path) for scalar in scalars]
    predicate = all_of(*tests) if "all" in modifiers else any_of(*_merge(tests))
    try:
        compile_predicate(predicate)  # each value passed alone; together they can be too large for RE2
    except ValueError as error:
        raise fault(f"{key.text or 'keyword'}: {error}"[:400], path, key) from None
    return negate(predicate) if "neq" in modifiers else predicate


def _read_scalar(item: _Item, scalar: Node, key: Scalar, path: str) -> Predicate:
    if not isinstance(scalar, Scalar):
        raise fault("expected a value or a list of values", path, scalar, key.text)
    try:
        test = _read_value(item, scalar)
        compile_predicate(test)  # RE2 has the last word on expressions and on the size of patterns
    except _REFUSALS as error:
        reason = str(error.args[0] if error.args else error).partition("\n")[0]
        raise fault(f"{key.text or 'keyword'}: {reason[:300]}", path, scalar) from None
    return test


def _explain_modifier(modifier: str) -> str:
    if modifier in _TIMES:
        return f"modifier {modifier!r} is not supported: rules here do not read the clock"
    return f"unknown modifier {modifier!r}; expected one of {', '.join(sorted(_MODIFIERS))}"


def _read_value(item: _Item, scalar: Scalar) -> Predicate:
    if scalar.value is None:
        return _read_null(item)
    if "re" in item.modifiers:
        return _read_regex(item, scalar.text)
    changing = [
        "wide" if modifier == "utf16le" else modifier for modifier in item.modifiers if modifier not in _LINKING
    ]
    if _FLAGS.keys() & set(changing):
        raise ValueError("the flags i, m and s need the modifier re before them")
    if "expand" in changing and _ENCODINGS & set(changing):
        raise ValueError("a placeholder cannot be encoded; write the values out")
    key = "|".join([item.field or "", *changing])
    (value,) = SigmaDetectionItem.from_mapping(key, _plain(item, scalar)).value
    return _translate(item, value)


# What is written counts, not what YAML makes of it: `0755` is a text in a field of text.
def _plain(item: _Item, scalar: Scalar) -> str | int | float | bool | None:
    field = resolve_field(item.field) if item.field else None
    if "exists" in item.modifiers:
        if not isinstance(scalar.value, bool):
            raise ValueError("expected true or false")
        return scalar.value
    if _COMPARING & set(item.modifiers):
        if isinstance(scalar.value, str | bool):
            raise ValueError("expected a number")
        return scalar.value
    textual = field is None or (field.known and field.kind is Kind.TEXT) or _TEXTUAL & set(item.modifiers)
    return scalar.text if textual else scalar.value


def _read_null(item: _Item) -> Predicate:
    if item.field is None:
        raise ValueError("null needs a field")
    if set(item.modifiers) - _LINKING:
        raise ValueError("null takes no modifiers")
    return negate(Exists(item.field))


def _read_regex(item: _Item, text: str) -> Predicate:
    others = set(item.modifiers) - _LINKING - _PLACES - set(_FLAGS) - {"re", "expand"}
    if others:
        raise ValueError(f"re does not go with {', '.join(sorted(others))}")
    string = SigmaString(text, escape=False)
    if "expand" in item.modifiers:
        string.insert_placeholders()
    flags = "".join(sorted({_FLAGS[modifier] for modifier in item.modifiers if modifier in _FLAGS}))
    places = _PLACES & set(item.modifiers)
    patterns = []
    for parts in _expand(item, string, escape=False):
        pattern = "".join(special_char_mapping[part] if isinstance(part, SpecialChars) else str(part) for part in parts)
        if places == {"startswith"}:
            pattern = rf"\A(?:{pattern})"
        elif places == {"endswith"}:
            pattern = rf"(?:{pattern})\z"
        patterns.append(f"(?{flags}){pattern}" if flags else pattern)
    return _on_fields(item, lambda field: any_of(*(Regex(field, pattern) for pattern in patterns)))


def _on_fields(item: _Item, make: Callable[[str], Predicate]) -> Predicate:
    return make(item.field) if item.field else any_of(*map(make, KEYWORD_FIELDS))


def _translate(item: _Item, value: SigmaType) -> Predicate:
    match value:
        case SigmaExpansion():
            return any_of(*_merge([_translate(item, inner) for inner in value.values]))
        case SigmaString():
            return _on_fields(item, lambda field: any_of(*_merge(_text_tests(item, field, value))))
    if item.field is None:
        raise ValueError("a keyword is a text; this modifier needs a field")
    match value:
        case SigmaBool() | SigmaNumber():
            constant = value.boolean if isinstance(value, SigmaBool) else value.number
            return _equals(item.field, constant)
        case SigmaExists():
            exists = Exists(item.field)
            return exists if value.exists else negate(exists)
        case SigmaCIDRExpression():
            return Cidr(item.field, (str(value.network),))
        case SigmaCompareExpression():
            return _compare(item.field, _COMPARISONS[value.op], value.number.number)
        case SigmaFieldReference():
            return _compare_fields(item, item.field, value)
    raise ValueError(f"{type(value).__name__} has no meaning for a single event")


def _equals(field: str, constant: str | float | bool, *, ignore_case: bool = False) -> Predicate:
    kind = resolve_field(field).kind
    if kind is Kind.NUMBER and as_number(constant) is None:
        raise ValueError(f"{field} holds a number")
    if kind is Kind.BOOLEAN and as_boolean(constant) is None:
        raise ValueError(f"{field} is true or false")
    return Equals(field, (constant,), ignore_case)


def _text_tests(item: _Item, field: str, string: SigmaString) -> Iterator[Predicate]:
    ignore_case = not isinstance(string, SigmaCasedString) and "cased" not in item.modifiers
    anywhere = [SpecialChars.WILDCARD_MULTI] if item.field is None and not _PLACES & set(item.modifiers) else []
    for expanded in _expand(item, string):
        parts = [*anywhere, *expanded, *anywhere]
        if any(isinstance(part, SpecialChars) for part in parts):
            yield Like(field, (_to_pattern(parts),), ignore_case)
        else:
            yield _equals(field, "".join(map(str, parts)), ignore_case=ignore_case)


def _to_pattern(parts: Iterable[object]) -> str:
    wildcards = {SpecialChars.WILDCARD_MULTI: ANY_TEXT, SpecialChars.WILDCARD_SINGLE: ANY_CHARACTER}
    written = (wildcards[part] if isinstance(part, SpecialChars) else escape_pattern(str(part)) for part in parts)
    return "".join(written)


# Not pySigma's own replacement, which ends at 200 values: a list of hosts or hashes is longer.
def _expand(item: _Item, string: SigmaString, *, escape: bool = True) -> Iterator[list[StringPart]]:
    choices: list[list[list[StringPart]]] = []
    for part in string.s:
        if not isinstance(part, Placeholder):
            choices.append([[part]])
        elif part.name in item.placeholders:
            choices.append([SigmaString(value, escape=escape).s for value in item.placeholders[part.name]])
        else:
            raise ValueError(f"placeholder %{part.name}% is not defined")
    if math.prod(map(len, choices)) > _MAX_EXPANSIONS:
        raise ValueError(f"placeholders make more than {_MAX_EXPANSIONS} values")
    for combination in itertools.product(*choices):
        yield [part for parts in combination for part in parts]


def _compare(field: str, operator: Operator, number: float) -> Predicate:
    resolved = resolve_field(field)
    plain = Compare(FieldOf(field), operator, Literal(number))
    converted = Compare(Call("number", (FieldOf(field),)), operator, Literal(number))
    if resolved.kind is Kind.BOOLEAN:
        raise ValueError(f"{field} is true or false and has no order")
    if not resolved.known:
        return any_of(plain, converted)
    return plain if resolved.kind is Kind.NUMBER else converted


def _compare_fields(item: _Item, field: str, reference: SigmaFieldReference) -> Predicate:
    left, right = FieldOf(field), FieldOf(resolve_field(reference.field).name)
    ignore_case = "cased" not in item.modifiers
    functions = {(True, True): "stringContains", (True, False): "startsWith", (False, True): "endsWith"}
    function = functions.get((reference.starts_with, reference.ends_with))
    if function is None:
        return Compare(left, Operator.EQ, right, ignore_case)
    return Holds(Call(function, (left, right), ignore_case))


# Tests of one field and one kind become one test with many values: one look-up instead of many.
def _merge(tests: Iterable[Predicate]) -> list[Predicate]:
    values: dict[tuple[str, bool], list[ScalarValue]] = {}
    patterns: dict[tuple[str, bool], list[str]] = {}
    others: list[Predicate] = []
    for test in tests:
        match test:
            case Equals(field, constants, ignore_case):
                values.setdefault((field, ignore_case), []).extend(constants)
            case Like(field, shapes, ignore_case):
                patterns.setdefault((field, ignore_case), []).extend(shapes)
            case _:
                others.append(test)
    equals = [Equals(field, tuple(found), ignore_case) for (field, ignore_case), found in values.items()]
    likes = [Like(field, tuple(found), ignore_case) for (field, ignore_case), found in patterns.items()]
    return [*equals, *likes, *others]
