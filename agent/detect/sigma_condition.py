"""
The part of a Sigma document that says what matches: named detections and the condition over them.

pySigma parses the condition; `1 of them`, `all of x*` and names are resolved here, against predicates.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from pyparsing import ParseException
from sigma.conditions import (
    ConditionAND,
    ConditionIdentifier,
    ConditionNOT,
    ConditionOR,
    ConditionSelector,
    SigmaCondition,
)
from sigma.exceptions import SigmaError
from sigma.rule.detection import EmptySigmaDetections

from agent.detect.predicate import Always, Predicate, all_of, any_of, negate
from agent.detect.sigma_values import read_item
from agent.detect.sigma_yaml import Mapping as YamlMapping
from agent.detect.sigma_yaml import Node, Scalar, fault
from agent.detect.sigma_yaml import Sequence as YamlSequence
from agent.errors import RuleError

_LONGEST_CONDITION = 10_000
_RESERVED = ("condition", "timeframe", "rules")


class Item(NamedTuple):
    """One key of a detection with what it means, for checks that need the key's place."""

    key: Scalar
    predicate: Predicate


class Section(NamedTuple):
    """
    A ``detection`` or ``filter`` section.

    `conditions`: one or several; each is a way to match. `items`: every key that was read.
    """

    conditions: tuple[Predicate, ...]
    items: tuple[Item, ...]
    errors: tuple[RuleError, ...]


def read_section(section: YamlMapping, path: str, placeholders: Mapping[str, Sequence[str]]) -> Section:
    """Read all detections and conditions of a section, with every fault of theirs."""
    items: list[Item] = []
    errors: list[RuleError] = []
    detections: dict[str, Predicate] = {}
    for name, (key, node) in section.entries.items():
        if name not in _RESERVED:
            detections[name] = _read_detection(key, node, _Reading(path, placeholders, items, errors))
    if timeframe := section.get("timeframe"):
        errors.append(fault("timeframe counts events over time; only single events are matched", path, timeframe))
    conditions: list[Predicate] = []
    for node in _condition_nodes(section, path, errors):
        try:
            conditions.append(_read_condition(node, detections, path))
        except RuleError as error:
            errors.append(error)
    return Section(tuple(conditions), tuple(items), tuple(errors))


class _Reading(NamedTuple):
    path: str
    placeholders: Mapping[str, Sequence[str]]
    items: list[Item]
    errors: list[RuleError]


# A mapping's keys must all hold, a list's members are alternatives, bare values are keywords. What
# could not be read becomes false, so that the condition can still be checked.
def _read_detection(name: Scalar, node: Node, reading: _Reading) -> Predicate:
    if isinstance(node, YamlMapping):
        if not node.entries:
            reading.errors.append(fault("a detection without fields", reading.path, node, name.text))
        return all_of(*(_read_key(key, value, reading) for key, value in node.entries.values()))
    keyword = Scalar(line=node.line, column=node.column, value="", text="")
    if not isinstance(node, YamlSequence) or all(isinstance(item, Scalar) for item in node.items):
        return _read_key(keyword, node, reading)
    return any_of(*(_read_detection(name, item, reading) for item in node.items))


def _read_key(key: Scalar, value: Node, reading: _Reading) -> Predicate:
    try:
        predicate = read_item(key, value, reading.path, reading.placeholders)
    except RuleError as error:
        reading.errors.append(error)
        return Always(False)
    reading.items.append(Item(key, predicate))
    return predicate


def _condition_nodes(section: YamlMapping, path: str, errors: list[RuleError]) -> Iterator[Scalar]:
    node = section.get("condition")
    nodes = node.items if isinstance(node, YamlSequence) else (node,) if node else ()
    if not nodes:
        errors.append(fault("no condition; expected one over the names of this section", path, section))
    for each in nodes:
        if isinstance(each, Scalar) and isinstance(each.value, str):
            yield each
        else:
            errors.append(fault("a condition is a text", path, each))


def _read_condition(node: Scalar, detections: Mapping[str, Predicate], path: str) -> Predicate:
    if "|" in node.text:
        column = node.text_column + node.text.index("|") if node.text_column else node.column
        message = "aggregations ('| count() ...') need several events; only single events are matched"
        raise RuleError(message, path=path, line=node.line, column=column, text=node.text[:120])
    if len(node.text) > _LONGEST_CONDITION:
        raise fault(f"a condition of more than {_LONGEST_CONDITION} characters", path, node)
    try:
        parsed = SigmaCondition(node.text, EmptySigmaDetections()).parse(postprocess=False)
        return _resolve(parsed, detections)
    except RecursionError:
        raise fault("a condition nested too deeply", path, node) from None
    except SigmaError as error:
        raise _syntax_error(error, node, path) from None
    except LookupError as error:
        raise fault(str(error.args[0]), path, node) from None


def _syntax_error(error: SigmaError, node: Scalar, path: str) -> RuleError:
    cause = error.__context__
    offset = min(cause.loc, len(node.text)) if isinstance(cause, ParseException) else 0
    column = node.text_column + offset if node.text_column else node.column
    rest = node.text[offset:].partition("\n")[0][:120] or "the condition's end"
    message = "bad condition; expected names, 'and', 'or', 'not', '1 of x*', 'all of them', parentheses"
    return RuleError(message, path=path, line=node.line, column=column, text=rest)


def _resolve(condition: object, detections: Mapping[str, Predicate]) -> Predicate:
    match condition:
        case ConditionIdentifier():
            if condition.identifier not in detections:
                names = ", ".join(detections) or "none"
                raise LookupError(f"no detection {condition.identifier!r}; defined: {names}")
            return detections[condition.identifier]
        case ConditionSelector():
            chosen = [detections[name] for name in detections if _is_selected(name, condition.pattern)]
            if not chosen:
                raise LookupError(
                    f"no detection fits {condition.pattern!r}; defined: {', '.join(detections) or 'none'}"
                )
            return all_of(*chosen) if condition.cond_class is ConditionAND else any_of(*chosen)
        case ConditionAND():
            return all_of(*(_resolve(part, detections) for part in condition.args))
        case ConditionOR():
            return any_of(*(_resolve(part, detections) for part in condition.args))
        case ConditionNOT():
            return negate(_resolve(condition.args[0], detections))
    raise LookupError(f"{type(condition).__name__} has no meaning for a single event")


# Names that begin with an underscore are left to conditions that name them (Sigma specification, Condition).
def _is_selected(name: str, pattern: str) -> bool:
    if name.startswith("_") and not pattern.startswith("_"):
        return False
    return pattern == "them" or fnmatchcase(name, pattern)
