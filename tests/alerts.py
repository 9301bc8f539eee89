"""Alerts for tests: matches, alerts and journal entries of which a test states only what it is about."""

import msgspec

from agent.alert import Entry, encode_document, make_alert
from agent.detect.predicate import Always
from agent.detect.rule import Outcome, Rule, Severity
from agent.ecs import to_document
from tests.events import make_exec


class Matched(msgspec.Struct, frozen=True):
    """What a rule set says of an event, as far as an alert reads it."""

    rule: Rule
    severity: Severity


def make_match(rule_id="privileged", severity=Severity.HIGH, **members):
    """A match of a rule that has a name and a technique, unless told otherwise."""
    defaults = {
        "id": rule_id,
        "name": f"Name of {rule_id}",
        "language": "sigma",
        "path": f"{rule_id}.yml",
        "outcomes": (Outcome(severity, Always(True)),),
        "techniques": ("T1610",),
        "tactics": ("execution",),
    }
    return Matched(Rule(**{**defaults, **members}), severity)


def alert_of(event, *matches):
    """The alert of an event, by one rule unless told otherwise."""
    return make_alert(event, matches or [make_match()], to_document(event))


def make_exec_alert(number=1, **members):
    """The alert of an exec with an id of its own."""
    return alert_of(make_exec(**{"id": f"event-{number}", **members}))


def make_entry(alert=None, seq=1, **document):
    """An alert as the journal keeps it; `document` replaces top-level members."""
    alert = alert or make_exec_alert()
    text = encode_document({**alert.document, **document})
    return Entry(seq, alert.id, alert.time_ns, alert.severity, alert.rule_id, text)
