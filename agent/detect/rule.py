"""
A rule as the pipeline knows it, whatever language it was written in.

The readers (sigma.py, eql.py, cql.py) are pure: ``read(text, path) -> ReadResult`` with every fault
of the file, so that one run shows an author all there is to mend.
"""

from enum import IntEnum

import msgspec

from agent.detect.predicate import Predicate
from agent.errors import RuleError


class Severity(IntEnum):
    """ECS `event.severity`: the value; `hullwatch.severity`: the name in lower case."""

    INFORMATIONAL = 1
    LOW = 21
    MEDIUM = 47
    HIGH = 73
    CRITICAL = 99

    @property
    def label(self) -> str:
        """The name as it is written in rules and alerts."""
        return self.name.lower()


def parse_severity(text: str) -> Severity:
    """
    Read a severity's name in any case.

    Raises:
        ValueError: the text is not one of the five.
    """
    try:
        return Severity[text.upper()]
    except KeyError:
        names = ", ".join(severity.label for severity in Severity)
        raise ValueError(f"severity {text!r} is not one of {names}") from None


class Outcome(msgspec.Struct, frozen=True):
    """One way for a rule to match, and how bad that is."""

    severity: Severity
    predicate: Predicate


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """A Sigma Filter: events it matches are silenced for the rules it names, and counted."""

    id: str
    name: str
    path: str
    line: int = 1
    rules: tuple[str, ...]  # ids or names; empty: every rule
    predicate: Predicate


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """
    One detection.

    `outcomes` are tried in order and the first that holds decides: a Sigma or EQL rule has one, a
    LogScale ``case`` one for each clause that its ``where`` lets through.
    """

    id: str  # unique in a rule set; the rule's own id, else its file name without the ending
    name: str
    language: str  # sigma, eql, cql
    path: str
    line: int = 1
    description: str = ""
    outcomes: tuple[Outcome, ...]
    techniques: tuple[str, ...] = ()  # T1610, T1552.007
    tactics: tuple[str, ...] = ()  # execution, privilege-escalation
    references: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    summary_fields: tuple[str, ...] = ()  # of CQL `table`: what an alert shows first, as written
    filters: tuple[Filter, ...] = ()  # set when a rule set is put together

    @property
    def severity(self) -> Severity:
        """The worst that this rule can say."""
        return max(outcome.severity for outcome in self.outcomes)


class ReadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader found in one file."""

    rules: tuple[Rule, ...] = ()
    filters: tuple[Filter, ...] = ()
    errors: tuple[RuleError, ...] = ()
    warnings: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()  # why something that is no fault was left out (other logsources)
