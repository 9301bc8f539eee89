"""
Events as ECS documents: what comes in by replay and what goes out in alerts.

One table names each member's field; both directions read it. A document is taken as it is: what it
does not say stays absent, because a rule's test of an absent field fails. Three things follow from
what is said, and only they are filled in:

- a command line from the arguments, joined by a space;
- the arguments from a command line, split as a shell would, where it came under a Sigma or Falcon
  name (those have no argument list);
- a name from the path of an executable that came under a Sigma or Falcon name.
"""

import base64
import binascii
import hashlib
import re
import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from agent.detect.fields import FALCON_NAMES, FIELDS, SIGMA_NAMES
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
from agent.event import Ancestor, Connect, Container, Event, Exec, FieldValue, File, Namespaces, Parent, Process
from agent.intent.model import Intent

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

# Members that are structs, each read from all fields below its prefix.
_STRUCTS: tuple[tuple[str, str, str, type[msgspec.Struct]], ...] = (
    ("hullwatch.intent.", "event", "intent", Intent),
    ("intent.", "event", "intent", Intent),
    ("hullwatch.file.", "process", "file", File),
    ("hullwatch.namespaces.", "process", "namespaces", Namespaces),
)
_TTY = ("process.tty.char_device.major", "process.tty.char_device.minor")
_PREFIXES = tuple(prefix for prefix, *_ in _STRUCTS)
_COMPOSITE = (
    *_PREFIXES,
    *_TTY,
    "process.env_vars",
    "process.ancestors.name",
    "hullwatch.ancestors.",
    "hullwatch.raw_args",
)

_FOREIGN = {**FALCON_NAMES, **SIGMA_NAMES, "#event_simpleName": "event_simpleName"}
# Where both stand in one document the other is more exact: a sensor-wide process id, a shell's history.
_YIELDING = ("TargetProcessId", "CommandHistory")

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
        `event.id` the id is a hash of the content.

    Raises:
        DecodeError: a known field has a value of the wrong type; names the field.
    """
    if not isinstance(document, Mapping):
        raise DecodeError(f"A document is an object, not a {type(document).__name__}.")
    flat = flatten(document)
    foreign = _rename(flat)
    members: dict[str, dict[str, Any]] = {"process": {}, "parent": {}, "container": {}, "event": {}}
    fields: dict[str, FieldValue] = {}
    composite: dict[str, FieldValue] = {}
    for name, value in flat.items():
        if reader := _READERS.get(name):
            owner, member, read = reader
            members[owner][member] = read(name, value)
        elif name in _IDS and _DIGITS.fullmatch(text := read_text(name, value)):
            members["process"][_IDS[name]] = int(text)
        elif name.startswith(_COMPOSITE):
            composite[name] = value
        else:
            fields[name] = _document_field(name, value)
    if composite:
        _read_composite(composite, members, fields)
    if members["process"].get("login_uid") == _UNSET_ID:
        members["process"]["login_uid"] = None
    _complete(members["process"], foreign, "process.")
    _complete(members["parent"], foreign, "process.parent.")
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
        "origin": event.get("origin") or "replay",
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


# Puts ECS names in place of Sigma's and Falcon's; tells which ECS names came so. An ECS name wins.
def _rename(flat: dict[str, FieldValue]) -> frozenset[str]:
    given = [name for name in flat if name in _FOREIGN]
    renamed = set()
    for name in sorted(given, key=_YIELDING.__contains__):
        canonical = _FOREIGN[name]
        if canonical not in flat:
            flat[canonical] = flat.pop(name)
            renamed.add(canonical)
    return frozenset(renamed)


def _complete(process: dict[str, Any], foreign: frozenset[str], prefix: str) -> None:
    if "args" in process and "command_line" not in process:
        process["command_line"] = " ".join(process["args"])
    if prefix + "command_line" in foreign and "args" not in process:
        process["args"] = _split_command_line(process["command_line"]) or None
    if prefix + "executable" in foreign and "name" not in process:
        process["name"] = process["executable"].rpartition("/")[2]


def _split_command_line(text: str) -> tuple[str, ...]:
    if _QUOTING.search(text):
        try:
            return tuple(shlex.split(text))
        except ValueError:  # a quote that nothing closes: the line was not written for a shell
            pass
    return tuple(part for part in _SPACES.split(text) if part)


_QUOTING = re.compile(r"[\\'\"]")
_SPACES = re.compile(r"[ \t\r\n]+")


def _content_hash(flat: Mapping[str, FieldValue]) -> str:
    return hashlib.blake2b(msgspec.json.encode(flat, order="deterministic"), digest_size=10).hexdigest()


def _read_composite(
    composite: dict[str, FieldValue], members: dict[str, dict[str, Any]], fields: dict[str, FieldValue]
) -> None:
    process, event = members["process"], members["event"]
    for prefix, owner, member, struct in _STRUCTS:
        given = {name: value for name, value in composite.items() if name.startswith(prefix)}
        if given and member not in members[owner]:
            members[owner][member] = _read_struct(prefix, given, struct)
    for name, value in composite.items():
        if name == "process.env_vars":
            pairs = (variable.partition("=") for variable in read_texts(name, value))
            process["env"] = {key: content for key, _, content in pairs}
        elif name == "hullwatch.raw_args":
            process["raw_args"] = tuple(_read_base64(name, text) for text in read_texts(name, value))
        elif name == "process.ancestors.name":
            event.setdefault("ancestors", tuple(Ancestor(0, 0, comm) for comm in read_texts(name, value)))
        elif not name.startswith((*_PREFIXES, *_TTY, "hullwatch.ancestors.")):
            fields[name] = value
    if all(name in composite for name in _TTY):
        process["tty"] = tuple(read_number(name, composite[name]) for name in _TTY)
    if "hullwatch.ancestors.comm" in composite:
        event["ancestors"] = _read_ancestors(composite)


def _read_struct(prefix: str, given: Mapping[str, FieldValue], struct: type[msgspec.Struct]) -> msgspec.Struct:
    lists = {field.name for field in msgspec.structs.fields(struct) if field.default == ()}
    values: dict[str, object] = {}
    for name, value in given.items():
        member = name.removeprefix(prefix)
        values[member] = read_texts(name, value) if member in lists else value
    try:
        return msgspec.convert(values, struct, strict=False)
    except msgspec.ValidationError as error:
        raise DecodeError(f"{prefix.rstrip('.')!r} cannot be read: {error}.") from None


def _read_base64(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError(f"{name!r} is not base64.") from None


def _read_ancestors(composite: Mapping[str, FieldValue]) -> tuple[Ancestor, ...]:
    names = [f"hullwatch.ancestors.{member}" for member in ("pid", "start_ns", "comm")]
    columns = [read_texts(name, composite.get(name, ())) for name in names]
    if len({len(column) for column in columns}) != 1:
        raise DecodeError("'hullwatch.ancestors' has members that lack a pid, a start_ns or a comm.")
    return tuple(
        Ancestor(read_number(names[0], pid), read_number(names[1], start_ns), comm)
        for pid, start_ns, comm in zip(*columns, strict=True)
    )


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
    flat.update(_composite_fields(event))
    return nest(flat)


def _composite_fields(event: Event) -> dict[str, object]:
    process = event.process
    flat: dict[str, object] = {}
    if process.tty:
        flat.update(zip(_TTY, process.tty, strict=True))
    if process.env:
        flat["process.env_vars"] = [f"{key}={value}" for key, value in process.env.items()]
    if process.raw_args:
        flat["hullwatch.raw_args"] = [base64.b64encode(argument).decode() for argument in process.raw_args]
    if event.ancestors:
        flat["hullwatch.ancestors"] = [msgspec.structs.asdict(ancestor) for ancestor in event.ancestors]
    for prefix, value in (
        ("hullwatch.intent.", event.intent),
        ("hullwatch.file.", process.file),
        ("hullwatch.namespaces.", process.namespaces),
    ):
        members = msgspec.structs.asdict(value) if value else {}
        flat.update((prefix + name, said) for name, said in members.items() if said not in (None, False, ()))
    if event.boot_ns is not None:
        for name, start_ns in (("process.start", process.start_ns), ("process.parent.start", event.parent.start_ns)):
            if start_ns is not None:
                flat[name] = write_time(max(0, event.time_ns - event.boot_ns + start_ns))
    if isinstance(event, Connect):
        flat.setdefault("destination.address", event.address)
        if event.requested is not None:
            flat["destination.requested"] = event.requested
        if not event.fields.get("event.action"):
            flat["event.action"] = _CONNECTED
    return flat
