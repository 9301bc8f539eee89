"""
Elastic's EQL, event queries only: one bare query a file, and conditions alone.

A bare query is pasted as it is; comment lines above it may say more (agent/detect/header.py)::

    // severity: high
    // techniques: T1611
    process where process.name == "ctr" and process.args : ("run", "r*")

Without them the rule has the name of its file and medium severity. Rules in Elastic's own layout
are read by agent/detect/elastic_toml.py.

Beyond Elastic's EQL: a ``~`` behind any comparison ignores case, two fields can be compared, `match`
is a function form of ``regex``, and a regular expression that opens with ``(?`` is RE2's.
"""

from pathlib import PurePath

from agent.detect.eql_meaning import read_condition
from agent.detect.eql_strings import parse_string
from agent.detect.eql_syntax import kind_of, parse_condition, parse_query, parts_of
from agent.detect.eql_values import Reading, fault
from agent.detect.header import parse_header
from agent.detect.predicate import Equals, Predicate, all_of
from agent.detect.rule import Outcome, ReadResult, Rule, Severity
from agent.errors import RuleError

LANGUAGE = "eql"

_SEEN_CATEGORIES = ("process", "network")


def read_eql(text: str, path: str, *, shipped: bool = False) -> ReadResult:
    """
    Read a bare query.

    Args:
        text: the whole file.
        path: its name, for errors and for the rule's id.
        shipped: the rule comes with Hullwatch: a field that no table has is an error, not a warning.
    """
    header, faults = parse_header(text, path)
    reading = Reading(text.removeprefix("\ufeff"), path, shipped)
    predicate = read_query(reading)
    errors = (*faults, *reading.errors)
    if errors:
        return ReadResult(errors=errors, warnings=tuple(reading.warnings))
    stem = PurePath(path).stem
    rule = Rule(
        id=header.id or stem,
        name=header.name or stem,
        language=LANGUAGE,
        path=path,
        description=header.description or "",
        outcomes=(Outcome(header.severity or Severity.MEDIUM, predicate),),
        techniques=header.techniques,
        tactics=header.tactics,
        references=header.references,
    )
    return ReadResult(rules=(rule,), warnings=tuple(reading.warnings))


def parse_expression(text: str) -> Predicate:
    """
    Read a condition alone, without an event category.

    Raises:
        RuleError: its first fault, with line and column but no path.
    """
    reading = Reading(text, "")
    try:
        (condition,) = parts_of(parse_condition(text, ""))
        predicate = read_condition(reading, condition)
    except RuleError as error:
        reading.errors.append(error)
    if reading.errors:
        first = reading.errors[0]
        raise RuleError(first.message, line=first.line, column=first.column, text=first.text)
    return predicate


def read_query(reading: Reading) -> Predicate:
    """Read ``category where condition``; faults are left in `reading`, and then the result means nothing."""
    try:
        category, condition = parts_of(parse_query(reading.text, reading.path))
        (word,) = parts_of(category)
        name = str(word) if kind_of(word) == "FIELD" else parse_string(str(word))
        if name == "any":
            return read_condition(reading, condition)
        if name not in _SEEN_CATEGORIES:
            reading.warnings.append(
                f"{reading.path}: no sensor reports {name!r} events; only replay can match this rule"
            )
        return all_of(Equals("event.category", (name,)), read_condition(reading, condition))
    except RuleError as error:
        reading.errors.append(error)
    except ValueError as error:
        reading.errors.append(fault(reading, word, str(error)))
    return Equals("event.category", ())
