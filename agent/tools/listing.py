"""`hullwatch rules`: what is in force, as a table or as JSON."""

from collections.abc import Sequence

from agent.alert import encode_document
from agent.detect.rule import Rule
from agent.text import make_printable

_HEAD = ("ID", "NAME", "SEVERITY", "LANGUAGE", "TECHNIQUES", "FILE", "FILTERS")


def format_table(rules: Sequence[Rule]) -> str:
    """Show rules as lines of aligned columns below a head; without rules there is no head."""
    if not rules:
        return ""
    rows = [_HEAD, *map(_row, rules)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def encode_rules(rules: Sequence[Rule]) -> bytes:
    """Write rules as one JSON array, in printable ASCII with a rule a line."""
    return b"[\n" + b",\n".join(encode_document(_describe(rule)) for rule in rules) + b"\n]"


def _row(rule: Rule) -> tuple[str, ...]:
    cells = (
        rule.id,
        rule.name,
        rule.severity.label,
        rule.language,
        ",".join(rule.techniques) or "-",
        f"{rule.path}:{rule.line}",
        str(len(rule.filters)),
    )
    return tuple(map(make_printable, cells))


def _describe(rule: Rule) -> dict[str, object]:
    members = ("id", "name", "language", "path", "line", "description", "techniques", "tactics", "references")
    return {
        **{member: getattr(rule, member) for member in members},
        "false_positives": rule.false_positives,
        "severity": rule.severity.label,
        "filters": [{"id": item.id, "name": item.name, "path": item.path, "line": item.line} for item in rule.filters],
    }
