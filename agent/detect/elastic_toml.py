"""
Elastic's rule files: TOML with the query under ``[rule]`` and ATT&CK under ``[[rule.threat]]``.

Rules in another language than EQL, or of another type than ``eql`` (thresholds, new terms, machine
learning), are no faults: they are skipped, and the reason is given.

Source: github.com/elastic/detection-rules, the files under rules/linux.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from agent.detect.eql import LANGUAGE, read_query
from agent.detect.eql_syntax import LONGEST_QUERY, quote_line
from agent.detect.eql_values import Reading
from agent.detect.rule import Outcome, ReadResult, Rule, Severity, parse_severity
from agent.errors import RuleError

_PLACE = re.compile(r" ?\(at (?:line (\d+), column (\d+)|end of document)\)$")
_QUERY_KEY = re.compile(r"""^[ \t]*(?:rule\.)?query[ \t]*=[ \t]*('''|\"""|'|")\n?""", re.MULTILINE)
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")
_TEXTS = ("name", "rule_id", "description", "severity", "language", "type", "query")

Table = Mapping[str, Any]


def read_elastic_toml(text: str, path: str, *, shipped: bool = False) -> ReadResult:
    """
    Read one rule file.

    Args:
        text: the whole file.
        path: its name, for errors and for the id of a rule without ``rule_id``.
        shipped: the rule comes with Hullwatch: a field that no table has is an error, not a warning.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        rule = _load_rule(text, path)
        if reason := _reason_to_skip(rule):
            return ReadResult(skipped=(f"{path}: {reason}",))
        severity = _severity_of(rule, text, path)
    except RuleError as error:
        return ReadResult(errors=(error,))
    if not rule.get("query"):
        return ReadResult(errors=(RuleError("the rule has no query", path=path, line=_line_of(text, r"\[rule\]")),))
    reading = Reading(rule["query"], path, shipped)
    predicate = read_query(reading)
    line, column = _place_of_query(text, rule["query"])
    lines = text.split("\n")
    errors = tuple(_move(error, lines, line, column) for error in reading.errors)
    warnings = tuple(_move_warning(warning, path, line) for warning in reading.warnings)
    if errors:
        return ReadResult(errors=errors, warnings=warnings)
    stem = PurePath(path).stem
    read = Rule(
        id=rule.get("rule_id") or stem,
        name=rule.get("name") or stem,
        language=LANGUAGE,
        path=path,
        line=line,
        description=rule.get("description", "").strip(),
        outcomes=(Outcome(severity, predicate),),
        techniques=tuple(dict.fromkeys(_techniques(rule))),
        tactics=tuple(dict.fromkeys(_tactics(rule))),
        references=_texts_of(rule, "references"),
        false_positives=_texts_of(rule, "false_positives"),
    )
    return ReadResult(rules=(read,), warnings=warnings)


def _load_rule(text: str, path: str) -> Table:
    if len(text) > LONGEST_QUERY:
        raise RuleError(f"the file is longer than {LONGEST_QUERY} characters", path=path, line=1)
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise RuleError("the TOML is nested too deeply", path=path, line=1) from None
    except ValueError as error:
        message = str(error)
        place = _PLACE.search(message)
        line = int(place[1]) if place and place[1] else text.rstrip().count("\n") + 1
        column = int(place[2]) if place and place[2] else None
        reason = message[: place.start()] if place else message
        shown = quote_line(text.split("\n"), line)
        raise RuleError(f"not TOML: {reason}", path=path, line=line, column=column, text=shown) from None
    rule = document.get("rule")
    if not isinstance(rule, dict):
        raise RuleError("a [rule] table is expected", path=path, line=1)
    for key in _TEXTS:
        if not isinstance(rule.get(key, ""), str):
            raise RuleError(f"rule.{key} is expected to be a text", path=path, line=_line_of(text, key))
    return rule


def _reason_to_skip(rule: Table) -> str | None:
    language = rule.get("language", LANGUAGE)
    if language != LANGUAGE:
        return f"its language is {language}, not eql"
    kind = rule.get("type", LANGUAGE)
    return None if kind == LANGUAGE else f"its type is {kind}, not eql"


def _severity_of(rule: Table, text: str, path: str) -> Severity:
    try:
        return parse_severity(rule.get("severity", Severity.MEDIUM.label))
    except ValueError as error:
        line = _line_of(text, "severity")
        raise RuleError(str(error), path=path, line=line, text=quote_line(text.split("\n"), line)) from None


def _line_of(text: str, key: str) -> int:
    found = re.search(rf"^[ \t]*(?:rule\.)?{key}", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1


# Line, and column where that is exact: a text in double quotes may hold escapes before any place in it.
def _place_of_query(text: str, query: str) -> tuple[int, int | None]:
    for key in _QUERY_KEY.finditer(text):
        if text.startswith(query, key.end()):
            return text.count("\n", 0, key.end()) + 1, key.end() - text.rfind("\n", 0, key.end())
    key_only = _QUERY_KEY.search(text)
    return (text.count("\n", 0, key_only.end()) + 1 if key_only else 1), None


def _move(error: RuleError, lines: Sequence[str], line: int, column: int | None) -> RuleError:
    if error.line is None:
        return error
    moved = error.line + line - 1
    within = error.column if column is None or error.line > 1 else (error.column or 1) + column - 1
    shown = error.text if column is None else quote_line(lines, moved)
    return RuleError(error.message, path=error.path, line=moved, column=within if column else None, text=shown)


def _move_warning(warning: str, path: str, line: int) -> str:
    found = re.match(rf"{re.escape(path)}:(\d+):", warning)
    return f"{path}:{int(found[1]) + line - 1}:{warning[found.end() :]}" if found else warning


def _tables(parent: Table, key: str) -> Iterator[Table]:
    value = parent.get(key)
    yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict))


def _techniques(rule: Table) -> Iterator[str]:
    for threat in _tables(rule, "threat"):
        for technique in _tables(threat, "technique"):
            for entry in (technique, *_tables(technique, "subtechnique")):
                name = str(entry.get("id", "")).upper()
                if _TECHNIQUE.fullmatch(name):
                    yield name


def _tactics(rule: Table) -> Iterator[str]:
    for threat in _tables(rule, "threat"):
        for tactic in _tables(threat, "tactic"):
            if isinstance(name := tactic.get("name"), str):
                yield "-".join(name.lower().split())


def _texts_of(rule: Table, key: str) -> tuple[str, ...]:
    value = rule.get(key)
    return tuple(item.strip() for item in value if isinstance(item, str)) if isinstance(value, list) else ()
