"""
Events as ECS documents: what comes in by replay and what goes out in alerts.

One table names each member's field; both directions read it. A document is taken as it is: what it
does not say stays absent, because a rule's test of an absent field fails. Only a command line is
filled in from the arguments; agent/names.py tells what more follows from Sigma's and Falcon's names.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from agent.composite import is_composite, read_composite, write_composite
from agent.detect.fields import FIELDS
from agent.document import (
    Reader,
    flatten,
    nest,
    read_flag,
    read_number,
    read_text,
    read_texts,
    read_time_ns,
    write_time,
)
from agent.errors import DecodeError
from agent.event import Connect, Container, Event, Exec, FieldValue, Parent, Process
from agent.names import complete_members, rename_to_ecs

_UNSET_ID = 2**32 - 1  # how the kernel and audit write "no login user"

_MEMBERS: tuple[tuple[str, str, str, Reader], ...] = (
    ("process.pid", "process", "pid", read_number),
    ("process.thread.id", "process", "thread_id", read_number),
    ("process.executable", "process", "executable", read_text),
    ("process.name", "process", "name", read_text),
    ("process.title", "process", "comm", read_text),
    ("process.args", "process", "args", read_texts),
    ("process.args_count", "process", "args_count", read_number),
    ("process.command_line", "process", "command_line", read_text),
    ("process.working_directory", "process", "working_directory", read_text),
    ("process.filename", "process", "filename", read_text),
    ("process.interpreter", "process", "interpreter", read_text),
    ("process.deleted", "process", "deleted", read_flag),
    ("process.memfd", "process", "memfd", read_flag),
    ("process.cgroup", "process", "cgroup", read_text),
    ("hullwatch.truncated", "process", "truncated", read_texts),
    ("hullwatch.unavailable", "process", "unavailable", read_texts),
    ("hullwatch.cgroup_id", "process", "cgroup_id", read_number),
    ("process.parent.pid", "parent", "pid", read_number),
    ("process.parent.executable", "parent", "executable", read_text),
    ("process.parent.name", "parent", "name", read_text),
    ("process.parent.title", "parent", "comm", read_text),
    ("process.parent.args", "parent", "args", read_texts),
    ("process.parent.command_line", "parent", "command_line", read_text),
    ("user.name", "process", "user_name", read_text),
    ("container.id", "container", "id", read_text),
    ("container.runtime", "container", "runtime", read_text),
    ("container.name", "container", "name", read_text),
    ("container.image.name", "container", "image", read_text),
    ("orchestrator.namespace", "container", "namespace", read_text),
    ("orchestrator.resource.name", "container", "pod_name", read_text),
    ("orchestrator.resource.id", "container", "pod_uid", read_text),
    ("event.id", "event", "id", read_text),
    ("hullwatch.sensor", "event", "sensor", read_text),
    ("hullwatch.origin", "event", "origin", read_text),
)
_READERS = {name: (owner, member, read) for name, owner, member, read in _MEMBERS}
_READERS["process.truncated"] = _READERS["hullwatch.truncated"]  # as rules name it

# ECS writes ids as text; one that is no number (a Windows SID) stays a field of its own.
_IDS = {
    "user.id": "uid",
    "user.effective.id": "euid",
    "group.id": "gid",
    "process.login_user.id": "login_uid",
    "process.session_id": "session_id",
}
_DIGITS = re.compile(r"[0-9]{1,19}")

_CONNECTED = "connected-to"


def parse_document(document: Mapping[str, object], *, time_ns: int = 0) -> Event:
    """
    Read one document in ECS, Sigma or CrowdStrike names, with nested or dotted keys, mixed or not.

    Args:
        document: one decoded JSON object. With `event.action` ``connected-to`` and `destination.address`
            it is a `Connect`, else an `Exec`.
        time_ns: since the epoch, taken where the document has no `@timestamp`.

    Returns:
        The event; what has no member of its own is in `fields` under its dotted name. Without an
        `event.id` the id is a hash of the content. Its origin is always ``replay``.

    Raises:
        DecodeError: a known field has a value of the wrong type; names the field.
    """
    if not isinstance(document, Mapping):
        raise DecodeError(f"A document is an object, not a {type(document).__name__}.")
    flat = flatten(document)
    foreign = rename_to_ecs(flat)
    members: dict[str, dict[str, Any]] = {"process": {}, "parent": {}, "container": {}, "event": {}}
    fields: dict[str, FieldValue] = {}
    composite: dict[str, FieldValue] = {}
    for name, value in flat.items():
        if reader := _READERS.get(name):
            owner, member, read = reader
            members[owner][member] = read(name, value)
        elif name in _IDS and _DIGITS.fullmatch(text := read_text(name, value)):
            members["process"][_IDS[name]] = int(text)
        elif is_composite(name):
            composite[name] = value
        else:
            fields[name] = _document_field(name, value)
    if composite:
        read_composite(composite, members["process"], members["event"])
    if members["process"].get("login_uid") == _UNSET_ID:
        members["process"]["login_uid"] = None
    complete_members(members["process"], foreign, "process.")
    complete_members(members["parent"], foreign, "process.parent.")
    return _build(flat, members, fields, time_ns)


def _build(
    flat: Mapping[str, FieldValue], members: dict[str, dict[str, Any]], fields: dict[str, FieldValue], time_ns: int
) -> Event:
    event = members["event"]
    for name in ("event.id", "@timestamp"):  # rules read these two as the document wrote them
        if name in flat:
            fields[name] = _document_field(name, flat[name])
    if "@timestamp" in flat:
        time_ns = read_time_ns("@timestamp", flat["@timestamp"])
    common: dict[str, Any] = {
        **event,
        "id": event.get("id") or _content_hash(flat),
        "time_ns": time_ns,
        "sensor": event.get("sensor") or "replay",
        "origin": "replay",  # whatever it was when it was written
        "process": Process(**members["process"]),
        "parent": Parent(**members["parent"]),
        "container": Container(**members["container"]) if members["container"] else None,
        "fields": fields,
    }
    if "destination.address" in fields and _CONNECTED in read_texts("event.action", fields.get("event.action", ())):
        address = read_text("destination.address", fields.pop("destination.address"))
        requested = fields.pop("destination.requested", None)
        if requested is not None:
            common["requested"] = read_text("destination.requested", requested)
        fields.pop("destination.aliased", None)  # follows from the two
        return Connect(address=address, **common)
    return Exec(**common)


# Gives known fields their number of values; all others stay as they are.
def _document_field(name: str, value: FieldValue) -> FieldValue:
    field = FIELDS.get(name)
    if field is None:
        return value
    if field.many:
        return value if isinstance(value, tuple) else (value,)
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def _content_hash(flat: Mapping[str, FieldValue]) -> str:
    return hashlib.blake2b(msgspec.json.encode(flat, order="deterministic"), digest_size=10).hexdigest()


def to_document(event: Event) -> dict[str, object]:
    """
    Write an event as a nested ECS document, as alerts carry it; `parse_document` reads it back.

    Nothing absent is written. `@timestamp` is to the millisecond; what ECS has no name for is under
    `hullwatch.*`; starts are points in time, so they need the event's `boot_ns`.
    """
    flat: dict[str, object] = {"@timestamp": write_time(event.time_ns)} if event.time_ns else {}
    flat.update((name, value) for name, value in event.fields.items() if name != "@timestamp")
    owners: dict[str, object] = {
        "event": event,
        "process": event.process,
        "parent": event.parent,
        "container": event.container,
    }
    for name, owner, member, _ in _MEMBERS:
        value = getattr(owners[owner], member, None)
        if value is not None and value is not False and value != ():
            flat[name] = value
    for name, member in _IDS.items():
        number = getattr(event.process, member)
        if number is not None:
            flat[name] = str(number)
    flat.update(write_composite(event))
    if isinstance(event, Connect):
        flat["destination.address"] = event.address
        flat.setdefault("event.action", _CONNECTED)
        if event.requested is not None:
            flat["destination.requested"] = event.requested
    return nest(flat)
