"""
Field names: ECS, Sigma's Sysmon-style and CrowdStrike's names, all onto one accessor.

A rule's fields are resolved once, when the rule is read; matching calls the accessor. A name that
no table has can still be in a replayed document: its accessor looks into `Exec.fields`.
"""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from agent.event import Connect, Event, Exec, FieldValue

Accessor = Callable[[Event], FieldValue | None]


class Kind(StrEnum):
    """What a field holds, as Elasticsearch would map it."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ADDRESS = "address"


class Field(msgspec.Struct, frozen=True):
    """
    One field.

    `many`: the accessor gives a tuple, or None when absent; otherwise a scalar or None.
    """

    name: str
    kind: Kind
    many: bool
    get: Accessor
    known: bool = True


def _of_process(member: str) -> Accessor:
    def get(event: Event) -> FieldValue | None:
        value: FieldValue | None = getattr(event.process, member)
        return value

    return get


def _of_parent(member: str) -> Accessor:
    def get(event: Event) -> FieldValue | None:
        value: FieldValue | None = getattr(event.parent, member)
        return value

    return get


def _of_container(member: str) -> Accessor:
    def get(event: Event) -> FieldValue | None:
        return getattr(event.container, member) if event.container else None

    return get


def _of_intent(member: str) -> Accessor:
    def get(event: Event) -> FieldValue | None:
        return getattr(event.intent, member) if event.intent else None

    return get


def _of_fields(name: str) -> Accessor:
    def get(event: Event) -> FieldValue | None:
        return event.fields.get(name)

    return get


def _as_text(get: Accessor) -> Accessor:
    def get_text(event: Event) -> FieldValue | None:
        value = get(event)
        return None if value is None else str(value)

    return get_text


def _falcon_event_name(event: Event) -> FieldValue | None:
    given = event.fields.get("event_simpleName")
    return given if given is not None else _FALCON_NAMES[type(event)]


_FALCON_NAMES: dict[type, str] = {Exec: "ProcessRollup2", Connect: "UnixSocketConnect"}


# Falcon's rules begin with it as often as with the event's name; this agent runs on Linux only.
def _falcon_platform(event: Event) -> FieldValue | None:
    given = event.fields.get("event_platform")
    if given is not None:
        return given
    return "Lin" if event.fields.get("host.os.type", "linux") == "linux" else None


def _destination(event: Event) -> FieldValue | None:
    return event.address if isinstance(event, Connect) else event.fields.get("destination.address")


def _requested(event: Event) -> FieldValue | None:
    return event.requested if isinstance(event, Connect) else None


def _aliased(event: Event) -> FieldValue | None:
    if not isinstance(event, Connect) or event.requested is None:
        return None
    return event.requested != event.address


def _ancestor_names(event: Event) -> FieldValue | None:
    return tuple(ancestor.comm for ancestor in event.ancestors) or None


# A second name of a member: what a document says under that very name goes first.
def _or_document(name: str, get: Accessor) -> Accessor:
    def get_either(event: Event) -> FieldValue | None:
        given = event.fields.get(name)
        return get(event) if given is None else given

    return get_either


def _interactive(event: Event) -> FieldValue | None:
    return True if event.process.tty else None


def _env_vars(event: Event) -> FieldValue | None:
    return tuple(f"{name}={value}" for name, value in (event.process.env or {}).items()) or None


def _parent_args_count(event: Event) -> FieldValue | None:
    return None if event.parent.args is None else len(event.parent.args)


def _text(name: str, get: Accessor, *, many: bool = False) -> Field:
    return Field(name, Kind.TEXT, many, get)


def _number(name: str, get: Accessor) -> Field:
    return Field(name, Kind.NUMBER, False, get)


def _boolean(name: str, get: Accessor) -> Field:
    return Field(name, Kind.BOOLEAN, False, get)


_INTENT_TEXTS = "tool verb source image target namespace endpoint root user program"
_INTENT_LISTS = (
    "host_namespaces joined_namespaces new_namespaces capabilities mounts writable_mounts devices unconfined command "
    "resources host_paths facts file_paths wrappers notes unread"
)
_INTENT_FLAGS = "privileged interactive rootless renamed"
_DOCUMENT_TEXTS = (
    "@timestamp event.id event.kind event.action event.module event.dataset event.outcome "
    "host.id host.name host.os.type host.os.family host.os.platform host.architecture"
)

_TABLE = (
    _text("process.executable", _of_process("executable")),
    _text("process.name", _of_process("name")),
    _text("process.args", _of_process("args"), many=True),
    _number("process.args_count", _of_process("args_count")),
    _text("process.command_line", _of_process("command_line")),
    _text("process.working_directory", _of_process("working_directory")),
    _number("process.pid", _of_process("pid")),
    _number("process.thread.id", _of_process("thread_id")),
    _text("process.title", _of_process("comm")),
    _text("process.interpreter", _of_process("interpreter")),
    _text("process.filename", _of_process("filename")),
    _boolean("process.deleted", _of_process("deleted")),
    _boolean("process.memfd", _of_process("memfd")),
    _text("process.truncated", _of_process("truncated"), many=True),
    _text("process.cgroup", _of_process("cgroup")),
    _text("process.parent.executable", _of_parent("executable")),
    _text("process.parent.name", _of_parent("name")),
    _text("process.parent.args", _of_parent("args"), many=True),
    _text("process.parent.command_line", _of_parent("command_line")),
    _number("process.parent.pid", _of_parent("pid")),
    _text("process.ancestors.name", _ancestor_names, many=True),
    _text("user.id", _as_text(_of_process("uid"))),
    _text("user.name", _of_process("user_name")),
    _text("user.effective.id", _as_text(_of_process("euid"))),
    _text("group.id", _as_text(_of_process("gid"))),
    _text("process.login_user.id", _as_text(_of_process("login_uid"))),
    _text("process.session_id", _as_text(_of_process("session_id"))),
    *(
        _text(name, _or_document(name, get))
        for name, get in (
            ("process.user.id", _as_text(_of_process("uid"))),
            ("process.real_user.id", _as_text(_of_process("uid"))),
            ("process.user.name", _of_process("user_name")),
            ("process.group.id", _as_text(_of_process("gid"))),
        )
    ),
    _boolean("process.interactive", _or_document("process.interactive", _interactive)),
    _text("process.env_vars", _env_vars, many=True),
    _number("process.parent.args_count", _or_document("process.parent.args_count", _parent_args_count)),
    _text("container.id", _of_container("id")),
    _text("container.name", _of_container("name")),
    _text("container.runtime", _of_container("runtime")),
    _text("container.image.name", _of_container("image")),
    _text("orchestrator.namespace", _of_container("namespace")),
    _text("orchestrator.resource.name", _of_container("pod_name")),
    _text("orchestrator.resource.id", _of_container("pod_uid")),
    _text("destination.address", _destination),
    _text("destination.requested", _requested),
    _boolean("destination.aliased", _aliased),
    _text("event_simpleName", _falcon_event_name),
    _text("event_platform", _falcon_platform),
    *(_text(f"intent.{member}", _of_intent(member)) for member in _INTENT_TEXTS.split()),
    *(_text(f"intent.{member}", _of_intent(member), many=True) for member in _INTENT_LISTS.split()),
    *(_boolean(f"intent.{member}", _of_intent(member)) for member in _INTENT_FLAGS.split()),
    *(_text(name, _of_fields(name)) for name in _DOCUMENT_TEXTS.split()),
    *(_text(name, _of_fields(name), many=True) for name in ("event.category", "event.type")),
)

FIELDS: dict[str, Field] = {field.name: field for field in _TABLE}

# Sigma's Linux process_creation names (Sysmon for Linux, event 1).
SIGMA_NAMES = {
    "Image": "process.executable",
    "CommandLine": "process.command_line",
    "CurrentDirectory": "process.working_directory",
    "ProcessId": "process.pid",
    "ParentImage": "process.parent.executable",
    "ParentCommandLine": "process.parent.command_line",
    "ParentProcessId": "process.parent.pid",
    "User": "user.name",
    "LogonId": "process.login_user.id",
    "TerminalSessionId": "process.session_id",
    "UtcTime": "@timestamp",
    "ProcessGuid": "event.id",
}

# CrowdStrike Falcon's ProcessRollup2. The seed reads CommandHistory, most published rules CommandLine.
FALCON_NAMES = {
    "ImageFileName": "process.executable",
    "FileName": "process.name",
    "CommandLine": "process.command_line",
    "CommandHistory": "process.command_line",
    "ParentBaseFileName": "process.parent.name",
    "ParentImageFileName": "process.parent.executable",
    "ParentCommandLine": "process.parent.command_line",
    "TargetProcessId": "process.pid",
    "RawProcessId": "process.pid",
    "ParentProcessId": "process.parent.pid",
    "UID": "user.id",
    "UserName": "user.name",
    "ComputerName": "host.name",
    "aid": "host.id",
    "ContextTimeStamp": "@timestamp",
}

_ALIASES = {**FALCON_NAMES, **SIGMA_NAMES}


def resolve_field(name: str) -> Field:
    """
    Find a field by any of its names.

    Returns:
        The field; for a name that no table has, one with `known` false that reads replayed documents.
    """
    canonical = _ALIASES.get(name, name)
    known = FIELDS.get(canonical)
    return known or Field(canonical, Kind.TEXT, False, _of_fields(canonical), known=False)
