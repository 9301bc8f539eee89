"""From a match to an alert: one ECS document an event, and repeats folded into summaries."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from agent.detect.fields import resolve_field
from agent.detect.index import Match
from agent.detect.rule import Rule, Severity
from agent.document import write_time
from agent.event import Connect, Event, FieldValue

_SMALL_WORDS = ("and", "of")
_NOTHING: Mapping[str, object] = {}


class MatchedRule(msgspec.Struct, frozen=True):
    """One of the rules that an alert stands for, with the severity that it gave by itself."""

    id: str
    name: str
    severity: Severity


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """
    One message about one act, or about the repeats of one.

    `id` is the `event.id` of the document; no two alerts share it, so who sees it twice sees a redelivery.
    """

    id: str
    time_ns: int  # of the event, since the epoch
    severity: Severity
    rule_id: str  # of the most severe rule
    matched: tuple[MatchedRule, ...]  # most severe first
    fingerprint: bytes
    document: dict[str, object]  # nested ECS


class Entry(msgspec.Struct, frozen=True):
    """An alert on its way to the sinks, as the journal keeps it."""

    seq: int
    id: str
    time_ns: int
    severity: Severity
    rule_id: str
    document: bytes  # of `encode_document`


def make_alert(
    event: Event, matches: Sequence[Match], document: Mapping[str, object], *, related: Sequence[str] = ()
) -> Alert:
    """
    Make the one alert of an event, however many rules match it.

    Args:
        event: what happened.
        matches: at least one; those that a filter silenced are left out by the caller.
        document: the event as nested ECS; it is not changed.
        related: the `event.id` of earlier alerts about the same act.
    """
    ranked = sorted(matches, key=lambda match: (-match.severity, match.rule.id))
    worst = ranked[0]
    matched = tuple(MatchedRule(match.rule.id, match.rule.name, match.severity) for match in ranked)
    origin = {"id": event.id, "kind": "alert", "severity": int(worst.severity)}
    verdict = {
        "severity": worst.severity.label,
        "matched": [{"id": rule.id, "name": rule.name, "severity": rule.severity.label} for rule in matched],
        **({"related": list(related)} if related else {}),
    }
    full = {
        **document,
        "event": {**_inner(document, "event"), **origin},
        "rule": _describe(worst.rule),
        "hullwatch": {**_inner(document, "hullwatch"), **verdict},
    }
    if threat := _threat(ranked):
        full["threat"] = threat
    if summary := _summary(event, ranked, full):
        full["hullwatch"] = {**_inner(full, "hullwatch"), "summary": summary}
    return Alert(
        id=event.id,
        time_ns=event.time_ns,
        severity=worst.severity,
        rule_id=worst.rule.id,
        matched=matched,
        fingerprint=_fingerprint(event, matched),
        document=full,
    )


def encode_document(document: Mapping[str, object]) -> bytes:
    """
    Write a document as one line of compact JSON in printable ASCII.

    Every other character is escaped, so that no text of an attacker can end a line, start a terminal's
    escape sequence or turn the reading direction, whoever shows these bytes.
    """
    encoded = msgspec.json.encode(document)
    if not encoded.isascii():
        encoded = json.dumps(msgspec.json.decode(encoded), separators=(",", ":")).encode()
    # JSON escapes the controls below a space by itself; DEL can only stand inside of a string.
    return encoded.replace(b"\x7f", b"\\u007f")


class Suppressor:
    """
    Folds repeats: the first alert of a fingerprint goes out at once, the rest are counted.

    When its window closes, one summary goes out for what was counted: the document of the first repeat
    with `hullwatch.repeated` (how many events it stands for, itself included) and their time range in
    `event.start` and `event.end`. Windows that are still open are lost when the process is killed; the
    alert that opened each is not.

    Args:
        window_ns: how long a window is open; 0 folds nothing.
        max_windows: how many fingerprints are remembered; beyond that the oldest window closes early.
        max_held_bytes: the same for the documents held for summaries.
        on_repeat: called with each alert that was folded away.
    """

    def __init__(
        self,
        window_ns: int,
        *,
        max_windows: int = 8192,
        max_held_bytes: int = 4 << 20,
        on_repeat: Callable[[Alert], object] = lambda _: None,
    ) -> None:
        self._window_ns = window_ns
        self._max_windows = max_windows
        self._max_held_bytes = max_held_bytes
        self._on_repeat = on_repeat
        self._windows: OrderedDict[bytes, _Window] = OrderedDict()  # oldest first
        self._held_bytes = 0

    def offer(self, alert: Alert, now_ns: int) -> list[Alert]:
        """Take an alert; return what is to go out now: due summaries, and the alert unless it is a repeat."""
        if self._window_ns <= 0:
            return [alert]
        ready = self.close_windows(now_ns)
        window = self._windows.get(alert.fingerprint)
        if window is None:
            self._windows[alert.fingerprint] = _Window(now_ns)
            ready.append(alert)
        else:
            self._fold(window, alert)
        while len(self._windows) > self._max_windows or self._held_bytes > self._max_held_bytes:
            ready += self._close_oldest()
        return ready

    def close_windows(self, now_ns: int) -> list[Alert]:
        """Close the windows that are over; return their summaries. `now_ns` is of a monotonic clock."""
        ready: list[Alert] = []
        while self._windows and next(iter(self._windows.values())).opened_ns + self._window_ns <= now_ns:
            ready += self._close_oldest()
        return ready

    def close_all(self) -> list[Alert]:
        """Close every window, as a process does before it ends; return their summaries."""
        ready: list[Alert] = []
        while self._windows:
            ready += self._close_oldest()
        return ready

    def _fold(self, window: "_Window", alert: Alert) -> None:
        if not window.repeats:
            # Encoded, the held documents are small and their size is known.
            window.held = msgspec.msgpack.encode(alert)
            window.start_ns = window.end_ns = alert.time_ns
            self._held_bytes += len(window.held)
        window.repeats += 1
        window.start_ns = min(window.start_ns, alert.time_ns)
        window.end_ns = max(window.end_ns, alert.time_ns)
        self._on_repeat(alert)

    def _close_oldest(self) -> list[Alert]:
        _, window = self._windows.popitem(last=False)
        if not window.repeats:
            return []
        self._held_bytes -= len(window.held)
        alert = msgspec.msgpack.decode(window.held, type=Alert)
        span = {"start": write_time(window.start_ns), "end": write_time(window.end_ns)}
        document = {
            **alert.document,
            "event": {**_inner(alert.document, "event"), **span},
            "hullwatch": {**_inner(alert.document, "hullwatch"), "repeated": window.repeats},
        }
        return [msgspec.structs.replace(alert, document=document)]


class _Window(msgspec.Struct):
    opened_ns: int  # of the clock passed in
    repeats: int = 0
    start_ns: int = 0  # first and last repeat, since the epoch; events may come out of order
    end_ns: int = 0
    held: bytes = b""


def _inner(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = document.get(name)
    return value if isinstance(value, Mapping) else _NOTHING


def _describe(rule: Rule) -> dict[str, object]:
    # ECS has room for one reference; a rule's first is the one its author put first.
    members = {"id": rule.id, "name": rule.name, "description": rule.description, "reference": rule.references[:1]}
    return {key: value[0] if isinstance(value, tuple) else value for key, value in members.items() if value}


def _threat(matches: Sequence[Match]) -> dict[str, object]:
    techniques = sorted({technique for match in matches for technique in match.rule.techniques})
    tactics = sorted({_tactic_name(tactic) for match in matches for tactic in match.rule.tactics})
    threat: dict[str, object] = {}
    if techniques:
        threat["technique"] = {"id": techniques}
    if tactics:
        threat["tactic"] = {"name": tactics}
    return {"framework": "MITRE ATT&CK", **threat} if threat else threat


def _tactic_name(tactic: str) -> str:
    # Rules write command-and-control, ATT&CK and ECS write Command and Control.
    words = tactic.replace("_", "-").split("-")
    return " ".join(word if word in _SMALL_WORDS else word[:1].upper() + word[1:] for word in words)


def _summary(event: Event, matches: Sequence[Match], document: Mapping[str, object]) -> dict[str, object]:
    summary: dict[str, object] = {}
    for match in matches:
        for name in match.rule.summary_fields:
            value: object = match.severity.label if name.lower() == "risklevel" else _value(event, name, document)
            if value is not None:
                summary.setdefault(name, value)
    return summary


def _value(event: Event, name: str, document: Mapping[str, object]) -> object:
    field = resolve_field(name)
    value: FieldValue | None = field.get(event)
    if value is not None:
        return value
    # The node's own names and the time are in the document only.
    *path, leaf = field.name.split(".")
    for step in path:
        document = _inner(document, step)
    return document.get(leaf)


def _fingerprint(event: Event, matched: tuple[MatchedRule, ...]) -> bytes:
    process = event.process
    argv = process.raw_args or process.args or process.command_line
    whole = argv is not None and "args" not in process.truncated
    parts = (
        [(rule.id, rule.severity) for rule in matched],
        process.executable,
        argv,
        # Two command lines that are not known to the end are not known to be the same.
        None if whole else event.id,
        event.parent.executable,
        # The login user tells two people apart who both became root.
        (process.uid, process.euid, process.login_uid, process.user_name),
        event.container and event.container.id,
        event.address if isinstance(event, Connect) else None,
        # The same `kubectl apply -f x.yaml` may ask for something else the second time.
        event.intent,
    )
    return blake2b(msgspec.msgpack.encode(parts), digest_size=16).digest()
