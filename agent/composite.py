"""
Members of an event that are more than one value: intent, inode, namespaces, tty, ancestors, environment.

Each takes several fields of a document, or one that is written in a form of its own; here are both
directions of each.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from agent.document import read_number, read_texts, write_time
from agent.errors import DecodeError
from agent.event import Ancestor, Event, FieldValue, File, Namespaces
from agent.intent.model import Intent

_STRUCTS: tuple[tuple[str, str, str, type[msgspec.Struct]], ...] = (
    ("hullwatch.intent.", "event", "intent", Intent),
    ("intent.", "event", "intent", Intent),  # as rules name it
    ("hullwatch.file.", "process", "file", File),
    ("hullwatch.namespaces.", "process", "namespaces", Namespaces),
)
_ANCESTORS = ("hullwatch.ancestors.pid", "hullwatch.ancestors.start_ns", "hullwatch.ancestors.comm")
_ANCESTOR_NAMES = "process.ancestors.name"  # as rules name them
_TTY = ("process.tty.char_device.major", "process.tty.char_device.minor")
_ENVIRONMENT = "process.env_vars"
_RAW_ARGS = "hullwatch.raw_args"
_PREFIXES = tuple(prefix for prefix, *_ in _STRUCTS)
_NAMES = frozenset((*_ANCESTORS, _ANCESTOR_NAMES, *_TTY, _ENVIRONMENT, _RAW_ARGS))


def is_composite(name: str) -> bool:
    """Tell whether `read_composite` takes this field."""
    return name in _NAMES or name.startswith(_PREFIXES)


def read_composite(given: Mapping[str, FieldValue], process: dict[str, Any], event: dict[str, Any]) -> None:
    """
    Read all composite fields of a document into members of its process and of its event.

    Raises:
        DecodeError: one of them is not of its form; names it.
    """
    for prefix, owner, member, struct in _STRUCTS:
        members = {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}
        target = event if owner == "event" else process
        if members and member not in target:
            target[member] = _read_struct(prefix.rstrip("."), members, struct)
    if _ENVIRONMENT in given:
        pairs = (variable.partition("=") for variable in read_texts(_ENVIRONMENT, given[_ENVIRONMENT]))
        process["env"] = {key: content for key, _, content in pairs}
    if _RAW_ARGS in given:
        process["raw_args"] = tuple(_read_base64(text) for text in read_texts(_RAW_ARGS, given[_RAW_ARGS]))
    if all(name in given for name in _TTY):
        process["tty"] = tuple(read_number(name, given[name]) for name in _TTY)
    if _ANCESTORS[2] in given:
        event["ancestors"] = _read_ancestors(given)
    elif _ANCESTOR_NAMES in given:
        names = read_texts(_ANCESTOR_NAMES, given[_ANCESTOR_NAMES])
        event["ancestors"] = tuple(Ancestor(pid=0, start_ns=0, comm=name) for name in names)


def _read_struct(name: str, given: Mapping[str, FieldValue], struct: type[msgspec.Struct]) -> msgspec.Struct:
    # Members that are structs themselves (an intent's files) came apart in flattening: they are written only.
    lists = {member.name for member in msgspec.structs.fields(struct) if member.default == ()}
    values = {key: read_texts(name, value) if key in lists else value for key, value in given.items() if "." not in key}
    try:
        return msgspec.convert(values, struct, strict=False)
    except msgspec.ValidationError as error:
        raise DecodeError(f"{name!r} cannot be read: {error}.") from None


def _read_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError(f"{_RAW_ARGS!r} is not base64.") from None


def _read_ancestors(given: Mapping[str, FieldValue]) -> tuple[Ancestor, ...]:
    columns = [read_texts(name, given[name]) for name in _ANCESTORS if name in given]
    if len(columns) != len(_ANCESTORS) or len({len(column) for column in columns}) != 1:
        raise DecodeError("'hullwatch.ancestors' has members that lack a pid, a start_ns or a comm.")
    return tuple(
        Ancestor(pid=read_number(_ANCESTORS[0], pid), start_ns=read_number(_ANCESTORS[1], start_ns), comm=comm)
        for pid, start_ns, comm in zip(*columns, strict=True)
    )


def write_composite(event: Event) -> dict[str, object]:
    """
    Write what `read_composite` reads, and the two starts, under dotted names.

    Starts become points in time, for which the event's `boot_ns` must be known; they are not read back.
    """
    process = event.process
    flat: dict[str, object] = {}
    if process.tty:
        flat.update(zip(_TTY, process.tty, strict=True))
    if process.env:
        flat[_ENVIRONMENT] = [f"{key}={value}" for key, value in process.env.items()]
    if process.raw_args:
        flat[_RAW_ARGS] = [base64.b64encode(argument).decode() for argument in process.raw_args]
    if event.ancestors:
        flat["hullwatch.ancestors"] = [msgspec.structs.asdict(ancestor) for ancestor in event.ancestors]
    structs = {
        "hullwatch.intent": event.intent,
        "hullwatch.file": process.file,
        "hullwatch.namespaces": process.namespaces,
    }
    flat.update({name: _written_members(struct) for name, struct in structs.items() if struct})
    starts = {"process.start": process.start_ns, "process.parent.start": event.parent.start_ns}
    if event.boot_ns is not None:
        booted_ns = event.time_ns - event.boot_ns
        flat.update({name: write_time(booted_ns + start) for name, start in starts.items() if start is not None})
    return flat


def _written_members(struct: msgspec.Struct) -> dict[str, object]:
    members: dict[str, object] = msgspec.to_builtins(struct)
    return {name: value for name, value in members.items() if value is not None and value is not False and value != ()}
