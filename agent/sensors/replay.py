"""
Recorded events: ECS documents, one a line, and audit logs.

A line that cannot be read costs nothing but itself, and is reported with its number.
"""

import functools
import json
import time
from collections.abc import Callable, Iterator
from typing import IO, Any, Literal

import msgspec

from agent.ecs import parse_document
from agent.errors import DecodeError
from agent.event import Event, Exec
from agent.sensors.audit_records import AuditAssembler

Form = Literal["auto", "ecs", "audit"]
Report = Callable[[DecodeError], None]

LONGEST_LINE = 4 << 20  # bytes
_MARKS = (b"[", b"]", b"")  # what stands alone where documents are written as one array, one a line
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def open_replay(stream: IO[bytes] | IO[str], form: Form, report: Report) -> Iterator[Event]:
    """
    Read events, as they are asked for.

    Args:
        stream: binary, or text in UTF-8. Documents may be wrapped as Elasticsearch's hits (``_source``),
            and several may stand in an array.
        form: ``auto`` goes by the first line that looks like one of the two.
        report: called with each fault; its text begins with the line's number.

    Returns:
        An iterator. Events without a time of their own have that of this call.
    """
    return _read(_read_lines(stream, report), form, report, time.time_ns())


def _read(lines: Iterator[tuple[int, bytes]], form: Form, report: Report, now_ns: int) -> Iterator[Event]:
    assembler = AuditAssembler("replay")
    number = 0
    for number, line in lines:
        if form == "auto":
            form = _detect(line)
        if form == "ecs":
            yield from _read_documents(number, line, report, now_ns)
        elif form == "audit":
            feed = functools.partial(assembler.feed, line.decode(errors="backslashreplace"))
            yield from _told(number, assembler, report, feed)
        else:
            report(DecodeError(f"line {number}: neither a JSON object nor an audit record: {line[:60]!r}."))
    yield from _told(number, assembler, report, assembler.flush)


def _detect(line: bytes) -> Form:
    if line[:1] in (b"{", b"["):
        return "ecs"
    return "audit" if b"type=" in line and b"audit(" in line else "auto"


# Lines without their ends, and without those that are empty or too long.
def _read_lines(stream: IO[bytes] | IO[str], report: Report) -> Iterator[tuple[int, bytes]]:
    stream = getattr(stream, "buffer", stream)  # below a text stream's decoder, which would end it at a bad byte
    number, skipping = 0, False
    while part := stream.readline(LONGEST_LINE + 1):
        line = part.encode(errors="replace") if isinstance(part, str) else part
        continued, skipping = skipping, not line.endswith(b"\n") and len(part) > LONGEST_LINE
        number += not continued
        if skipping and not continued:
            report(DecodeError(f"line {number}: longer than {LONGEST_LINE} bytes."))
        if skipping or continued:
            continue
        line = line.removeprefix(_BYTE_ORDER_MARK).strip(b" \t\r\n")
        if line:
            yield number, line


def _told(number: int, assembler: AuditAssembler, report: Report, step: Callable[[], list[Exec]]) -> list[Exec]:
    before = dict(assembler.lost)
    events = step()
    if assembler.lost["malformed"] > before["malformed"]:
        report(DecodeError(f"line {number}: not an audit record, or a value of its event cannot be read."))
    if assembler.lost["incomplete"] > before["incomplete"]:
        report(DecodeError(f"line {number}: an event ends here of which records are missing."))
    return events


def _read_documents(number: int, line: bytes, report: Report, now_ns: int) -> Iterator[Event]:
    if line.rstrip(b",") in _MARKS:
        return
    try:
        content = _decode_json(line.rstrip(b","))
    except DecodeError as error:
        report(DecodeError(f"line {number}: {error}"))
        return
    for document in content if isinstance(content, list) else [content]:
        try:
            yield parse_document(_unwrap(document), time_ns=now_ns)
        except DecodeError as error:
            report(DecodeError(f"line {number}: {error}"))


def _unwrap(document: Any) -> Any:
    source = document.get("_source") if isinstance(document, dict) else None
    return source if isinstance(source, dict) else document


def _decode_json(line: bytes) -> object:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:  # the strict decoder refuses lone surrogates, NaN and bytes that are not UTF-8; an attacker chooses those
        return json.loads(line.decode(errors="replace"))
    except RecursionError:
        raise DecodeError("JSON that is nested too deeply.") from None
    except ValueError as error:
        raise DecodeError(f"not JSON: {error}.") from None
