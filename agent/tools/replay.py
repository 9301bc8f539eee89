"""`hullwatch replay`: rules over recorded events, an alert a line."""

from collections.abc import Callable
from typing import IO

import msgspec

from agent.alert import encode_document, make_alert
from agent.detect.index import RuleIndex
from agent.ecs import to_document
from agent.errors import DecodeError
from agent.event import Event
from agent.sensors.replay import Form, open_replay
from agent.sinks.stdout import render_alert

AddIntent = Callable[[Event], Event]
Render = Callable[[dict[str, object]], bytes]


class Counts(msgspec.Struct):
    """What a replay came to."""

    events: int = 0
    alerts: int = 0
    silenced: int = 0  # events that filters kept from an alert
    faults: int = 0  # lines and events that could not be read


def replay(
    stream: IO[bytes], form: Form, rules: RuleIndex, *, add_intent: AddIntent, say: Callable[[bytes], object],
    report: Callable[[str], object], render: Render,
) -> Counts:  # fmt: skip
    """
    Take every event of a stream through the rules. Nothing is folded, and nothing added from this machine.

    Args:
        stream: documents or audit records, see `open_replay`.
        form: which of the two.
        rules: the index over the rules.
        add_intent: gives an event that a rule may match its intent.
        say: takes each alert, rendered, without a line's end.
        report: takes each fault, a sentence with the line's number.
        render: an alert's document as one line.
    """
    counts = Counts()

    def count_fault(error: DecodeError) -> None:
        counts.faults += 1
        report(str(error))

    for event in open_replay(stream, form, count_fault):
        counts.events += 1
        if not rules.may_match(event):
            continue
        full = add_intent(event)
        matches = rules.match(full)
        audible = [match for match in matches if match.silenced_by is None]
        if audible:
            counts.alerts += 1
            say(render(make_alert(full, audible, to_document(full)).document))
        elif matches:
            counts.silenced += 1
    return counts


def render_text(*, colors: bool) -> Render:
    """Give what shows an alert to a person."""
    return lambda document: render_alert(document, colors=colors).encode()


def render_json(document: dict[str, object]) -> bytes:
    """Write an alert as JSON."""
    return encode_document(document)


def format_counts(counts: Counts) -> str:
    """Say in one line what a replay came to."""
    silenced = f", {counts.silenced} silenced by filters" if counts.silenced else ""
    faults = f", {counts.faults} could not be read" if counts.faults else ""
    return f"{counts.events} events, {counts.alerts} alerts{silenced}{faults}"
