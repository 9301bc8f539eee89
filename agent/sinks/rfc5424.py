"""
An alert as an RFC 5424 syslog message, for datagrams and lines of bounded length.

::

    <83>1 2026-01-01T00:00:00.000000Z node-1 hullwatch 4242 RULE-ID [hullwatch@32473 rule="..." ...] {"@timestamp":...}

The message is the whole ECS document as JSON in printable ASCII, without the optional byte order mark.
No byte below 0x20 and no 0x7f is ever in it, so attacker-written text breaks no line and no terminal;
structured data carries what a syslog server routes by. 32473 is the enterprise number that RFC 5612 reserves
for documentation; it stands here until the project has one of its own.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from agent.alert import Entry, encode_document
from agent.detect.rule import Severity
from agent.text import make_printable

APP_NAME = "hullwatch"
SD_ID = "hullwatch@32473"
FACILITY = 10  # authpriv: security messages that not everyone may read
MIN_BYTES = 2048  # what RFC 5425 and 5426 ask every receiver to take; each alert fits in at its shortest

# RFC 5424 6.2.1. Emergency and alert are the machine's own: many systems write those to every terminal.
PRIORITIES = {
    Severity.CRITICAL: 2,
    Severity.HIGH: 3,  # error
    Severity.MEDIUM: 4,  # warning
    Severity.LOW: 5,  # notice
    Severity.INFORMATIONAL: 6,
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_PRINT_US_ASCII = re.compile(r"[^!-~]")
_PARAMETERS = (
    ("rule", "rule.id"),
    ("rule_name", "rule.name"),
    ("severity", "hullwatch.severity"),
    ("technique", "threat.technique.id"),
    ("event_id", "event.id"),
    ("user", "user.name"),
    ("container", "container.id"),
    ("executable", "process.executable"),
)
_LONGEST_VALUE_BYTES = 1024
_SHORTEST_VALUE_BYTES = 64


def format_message(entry: Entry, *, hostname: str, procid: int, max_bytes: int) -> bytes:
    """
    Write an alert as one message that is complete at `max_bytes`.

    What does not fit is left out of the document, whole members or the tails of lists and texts, and named
    in `hullwatch.truncated`: first the command lines (the arguments say the same), then arguments, then any
    long value, at last all but the names of what happened.

    Args:
        entry: the alert; its time is written in microseconds, its rule's id is the MSGID.
        hostname: characters that a header cannot hold become ``_``.
        procid: the agent's process id.
        max_bytes: at least `MIN_BYTES`.

    Source: RFC 5424 section 6.
    """
    header = " ".join(
        (
            f"<{FACILITY * 8 + PRIORITIES[entry.severity]}>1",
            _format_time(entry.time_ns),
            _header_field(hostname, 255),
            APP_NAME,
            str(procid),
            _header_field(entry.rule_id, 32),
        )
    )
    document = msgspec.json.decode(entry.document, type=dict[str, object])
    data = format_structured_data(document, _LONGEST_VALUE_BYTES)
    message = b"%b %b %b" % (header.encode("ascii"), data, entry.document)
    if len(message) <= max_bytes:
        return message
    for shorter in _shorten(document):
        message = b"%b %b %b" % (header.encode("ascii"), data, encode_document(shorter))
        if len(message) <= max_bytes:
            return message
    data = format_structured_data(document, _SHORTEST_VALUE_BYTES)
    return b"%b %b %b" % (header.encode("ascii"), data, encode_document(_name_only(document)))


def format_structured_data(document: Mapping[str, object], max_value_bytes: int) -> bytes:
    r"""
    Write the alert's routing facts as one SD-ELEMENT.

    Args:
        document: nested ECS; what it lacks has no parameter, a list is joined by commas.
        max_value_bytes: a longer value is cut and ends in ``...``; the message has it whole.

    Returns:
        UTF-8. What is not printable reads as ``\xNN`` or ``\uNNNN``; then ``"``, ``\`` and ``]`` are escaped.
    """
    parameters = [SD_ID]
    for name, field in _PARAMETERS:
        value = get_field(document, field)
        if value is not None and value != []:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            parameters.append(f'{name}="{_parameter_value(text, max_value_bytes)}"')
    return f"[{' '.join(parameters)}]".encode()


def get_field(document: Mapping[str, object], name: str) -> object:
    """Return the value under a dotted name, None where there is none."""
    value: object = document
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _format_time(time_ns: int) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=time_ns // 1000)
    except OverflowError:
        return "-"  # beyond the year 9999
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _header_field(text: str, longest: int) -> str:
    return _NOT_PRINT_US_ASCII.sub("_", text[:longest]) or "-"


def _parameter_value(text: str, max_bytes: int) -> str:
    shown = make_printable(text)
    written = _escape(shown)
    if len(written.encode()) <= max_bytes:
        return written
    # Cut between characters, before they are escaped: half an escape would swallow the closing quote.
    kept = 0
    left = max_bytes - len("...")
    while (left := left - len(_escape(shown[kept]).encode())) >= 0:
        kept += 1
    return _escape(shown[:kept]) + "..."


def _escape(text: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", text)


# From the least loss to the most: (characters of a text, items of a list).
_ARGUMENT_LIMITS = ((4096, 512), (1024, 256), (512, 64), (256, 16), (64, 8))
_VALUE_LIMITS = ((1024, 64), (256, 16), (64, 8))


def _shorten(document: dict[str, object]) -> Iterator[dict[str, object]]:
    document = _note(document, "command_line")
    for member in ("process.command_line", "process.parent.command_line"):
        document = _change(document, member, None)
    yield document
    document = _note(document, "args")
    arguments = get_field(document, "process.args")
    for limits in _ARGUMENT_LIMITS:
        yield _change(document, "process.args", _clip(arguments, *limits))
    document = _note(document, "document")
    for limits in _VALUE_LIMITS:
        yield {name: _clip(value, *limits) for name, value in document.items()}


def _note(document: dict[str, object], what: str) -> dict[str, object]:
    before = get_field(document, "hullwatch.truncated")
    return _change(document, "hullwatch.truncated", [*(before if isinstance(before, list) else ()), what])


def _change(document: Mapping[str, object], name: str, value: object) -> dict[str, object]:
    # A copy with another value under a dotted name; None takes the name away.
    step, _, rest = name.partition(".")
    inner = document.get(step)
    if rest:
        value = _change(inner if isinstance(inner, Mapping) else {}, rest, value) or None
    others = {key: old for key, old in document.items() if key != step}
    return others if value is None else {**others, step: value}


def _clip(value: object, characters: int, items: int) -> object:
    if isinstance(value, str):
        return value if len(value) <= characters else value[:characters] + "..."
    if isinstance(value, list):
        return [_clip(item, characters, items) for item in value[:items]]
    if isinstance(value, dict):
        return {name: _clip(inner, characters, items) for name, inner in value.items()}
    return value


_NAMES = (
    "@timestamp",
    "event.id",
    "event.kind",
    "event.severity",
    "rule.id",
    "rule.name",
    "hullwatch.severity",
    "hullwatch.repeated",
    "process.pid",
    "process.executable",
    "user.name",
    "container.id",
    "host.name",
)


def _name_only(document: dict[str, object]) -> dict[str, object]:
    # Escaped, a character takes up to twelve bytes of JSON: this stays below 1,000 whatever is in it.
    shortest: dict[str, object] = {}
    for name in _NAMES:
        value = get_field(document, name)
        if isinstance(value, str | int | float):
            shortest = _change(shortest, name, _cut_text(value) if isinstance(value, str) else value)
    return _note(shortest, "document")


def _cut_text(text: str) -> str:
    whole = text.isascii() and text.isprintable()
    longest = 48 if whole else 4
    return text if len(text) <= longest else text[:longest] + "..."
