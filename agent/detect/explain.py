"""Why a rule matches an event or does not: every node of its trees with its answer and what it saw."""

from collections.abc import Iterator

import msgspec

from agent.detect.fields import resolve_field
from agent.detect.matcher import compile_predicate
from agent.detect.predicate import And, Not, Or, Predicate, fields_of
from agent.detect.printer import format_predicate
from agent.detect.rule import Rule
from agent.event import Event, FieldValue

_LONGEST_VALUE = 200  # characters of a value that are shown


class Explanation(msgspec.Struct, frozen=True):
    """
    One node.

    `seen` are the fields that a test reads, each with its value in this event, None where absent.
    """

    text: str
    held: bool
    seen: tuple[tuple[str, FieldValue | None], ...] = ()
    children: "tuple[Explanation, ...]" = ()


def explain_rule(rule: Rule, event: Event) -> Explanation:
    """
    Evaluate every part of a rule, also those that matching would not come to.

    Returns:
        The rule, held where any outcome does; below it one node for each outcome in order (the first
        that held gave the severity), then one for each filter (one that held silences the match).
    """
    outcomes = [_over(f"severity {outcome.severity.label}", outcome.predicate, event) for outcome in rule.outcomes]
    filters = [_over(f"filter {each.id}: {each.name}", each.predicate, event) for each in rule.filters]
    title = rule.id if rule.name in ("", rule.id) else f"{rule.id}: {rule.name}"
    return Explanation(title, any(outcome.held for outcome in outcomes), (), (*outcomes, *filters))


def format_explanation(explanation: Explanation) -> str:
    """
    Write an explanation, one line a node, indented by depth.

    Returns:
        ASCII and printable Unicode only: ``+`` held, ``-`` did not; after a test what it saw. Long
        values are cut, and characters that a terminal would act on are escaped.
    """
    return "\n".join(_lines(explanation, 0))


def _over(text: str, predicate: Predicate, event: Event) -> Explanation:
    child = _explain(predicate, event)
    return Explanation(text, child.held, (), (child,))


def _explain(predicate: Predicate, event: Event) -> Explanation:
    match predicate:
        case And(children) | Or(children):
            parts = tuple(_explain(child, event) for child in children)
            if isinstance(predicate, And):
                return Explanation("all of", all(part.held for part in parts), (), parts)
            return Explanation("any of", any(part.held for part in parts), (), parts)
        case Not(child):
            part = _explain(child, event)
            return Explanation("not", not part.held, (), (part,))
    names = dict.fromkeys(fields_of(predicate))
    seen = tuple((name, resolve_field(name).get(event)) for name in names)
    return Explanation(format_predicate(predicate), compile_predicate(predicate)(event), seen)


def _lines(explanation: Explanation, depth: int) -> Iterator[str]:
    seen = ", ".join(f"{name} is {_format_seen(value)}" for name, value in explanation.seen)
    text = f"{_printable(explanation.text)}  ({seen})" if seen else _printable(explanation.text)
    yield f"{'  ' * depth}{'+' if explanation.held else '-'} {text}"
    for child in explanation.children:
        yield from _lines(child, depth + 1)


def _format_seen(value: FieldValue | None) -> str:
    if value is None or value == ():
        return "absent"
    values = [_format_value(item) for item in (value if isinstance(value, tuple) else (value,))]
    text = f"[{', '.join(values)}]" if isinstance(value, tuple) else values[0]
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}... ({len(text)} characters)"


def _format_value(value: str | float) -> str:
    if isinstance(value, str):
        return f'"{_printable(value)}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(part if part.isprintable() else ascii(part)[1:-1] for part in text)
