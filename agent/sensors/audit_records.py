"""
Audit records put together into events.

The records of one event share a time and a serial. They may be interleaved with those of others,
come in any order, and lack the one that says that all have come (auditd does not log it).
"""

import os
import re
from collections import Counter
from collections.abc import Mapping

import msgspec

from agent.errors import DecodeError
from agent.event import Exec, FieldValue, File, Parent, Process
from agent.sensors.audit_execve import Arguments, join_arguments
from agent.sensors.audit_text import Record, decode_text, parse_record, read_id, read_number, read_tty

# execve, execveat by AUDIT_ARCH_*: of x86_64 (with its x32 numbers), i386, arm64, arm, ppc64le, s390x, riscv64.
_EXEC_CALLS = {
    "c000003e": ("59", "322", "1073742344", "1073742369"),
    "40000003": ("11", "358"),
    "c00000b7": ("221", "281"),
    "40000028": ("11", "387"),
    "c0000015": ("11", "362"),
    "80000016": ("11", "354"),
    "c00000f3": ("221", "281"),
}
_FIELDS: dict[str, FieldValue] = {
    "event.kind": "event",
    "event.category": ("process",),
    "event.type": ("start",),
    "event.action": "exec",
    "event.module": "auditd",
    "host.os.type": "linux",
}
_OPEN_EVENTS = 64  # the kernel writes an event's records together; processors interleave a few events
_RECORDS_PER_EVENT = 4096  # 2 MiB of arguments in hex, at 7,500 characters a record, are 600
_LOADER = re.compile(r"ld[-0-9.].*so.*")  # ld-linux-x86-64.so.2, ld-musl-aarch64.so.1, ld64.so.2, ld.so.1
_DELETED = " (deleted)"  # what the kernel's d_path appends
_USER_NAME = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._$@\\-]*")  # not auditd's "unknown(1234)"
_DEVICE = re.compile(r"([0-9a-f]{1,3}):([0-9a-f]{1,5})")
_MODE = re.compile(r"[0-7]{1,7}")

_Key = tuple[str | None, int, int]


class _Open(msgspec.Struct):
    calls: list[Record] = []
    arguments: list[Record] = []
    directories: list[Record] = []
    paths: list[Record] = []

    @property
    def count(self) -> int:
        return len(self.calls) + len(self.arguments) + len(self.directories) + len(self.paths)


_KINDS = {"SYSCALL": "calls", "EXECVE": "arguments", "CWD": "directories", "PATH": "paths"}


class AuditAssembler:
    """
    Put records together, line by line.

    Args:
        origin: of the events: ``live``, or ``replay`` for a log.
    """

    def __init__(self, origin: str = "live") -> None:
        self._origin = origin
        self._open: dict[_Key, _Open] = {}
        self._lost: Counter[str] = Counter(incomplete=0, malformed=0)

    @property
    def lost(self) -> Mapping[str, int]:
        """Count `malformed` lines and values, and `incomplete` events (reported with what there is, if anything)."""
        return self._lost

    def feed(self, line: str) -> list[Exec]:
        """
        Take one line.

        Returns:
            The events that are complete with it: at their EOE record; at their PROCTITLE, the last but
            one, if nothing is missing; or when 64 newer events have begun.
        """
        if not line.strip():
            return []
        try:
            record = parse_record(line)
        except DecodeError:
            self._lost["malformed"] += 1
            return []
        key = (record.node, record.time_ns, record.serial)
        if record.kind in _KINDS:
            known = self._open.setdefault(key, _Open())
            if known.count < _RECORDS_PER_EVENT:
                getattr(known, _KINDS[record.kind]).append(record)
            return self._close(next(iter(self._open))) if len(self._open) > _OPEN_EVENTS else []
        if record.kind == "EOE" or (record.kind == "PROCTITLE" and key in self._open and _is_complete(self._open[key])):
            return self._close(key)
        return []

    def flush(self) -> list[Exec]:
        """Close all events that are still open, in the order in which they began."""
        return [event for key in list(self._open) for event in self._close(key)]

    def _close(self, key: _Key) -> list[Exec]:
        known = self._open.pop(key, None)
        if known is None:
            return []
        if not known.calls:  # whether the exec succeeded, and what of, was in the record that is missing
            self._lost["incomplete"] += bool(known.arguments)
            return []
        call = known.calls[0]
        if call.values.get("success") != "yes" or not (known.arguments or _is_exec(call)):
            return []
        arguments = join_arguments(known.arguments)
        event = _build(call, arguments, known, self._origin)
        self._lost["malformed"] += arguments.malformed
        self._lost["incomplete"] += bool(event.process.truncated or event.process.unavailable)
        return [event]


def _is_exec(call: Record) -> bool:
    return call.values.get("syscall") in _EXEC_CALLS.get(call.values.get("arch", ""), ())


def _is_complete(known: _Open) -> bool:
    if not known.calls or not known.directories or str(len(known.paths)) != known.calls[0].values.get("items"):
        return False
    return join_arguments(known.arguments).whole if known.arguments else not _is_exec(known.calls[0])


def _build(call: Record, arguments: Arguments, known: _Open, origin: str) -> Exec:
    seconds, rest_ns = divmod(call.time_ns, 1_000_000_000)
    return Exec(
        id=f"{seconds}.{rest_ns // 1_000_000:03}:{call.serial}",
        time_ns=call.time_ns,
        sensor="audit",
        origin=origin,
        process=_build_process(call.values, arguments, known),
        parent=Parent(pid=read_id(call.values.get("ppid"))),
        fields={**_FIELDS, "host.name": call.node} if call.node else _FIELDS,
    )


def _build_process(values: Mapping[str, str], arguments: Arguments, known: _Open) -> Process:
    executable = decode_text(values.get("exe"))
    deleted = executable is not None and executable.endswith(_DELETED)
    executable = executable.removesuffix(_DELETED) if executable else None
    args = tuple(argument.decode("utf-8", "backslashreplace") for argument in arguments.values) or None
    raw_differs = args is not None and any(
        text.encode() != raw for text, raw in zip(args, arguments.values, strict=True)
    )
    asked, interpreter = (_path(known.paths, item) for item in ("0", "1"))
    name_asked, name_run = (decode_text(path.get("name")) for path in (asked, interpreter))
    is_script = name_run is not None and not _LOADER.fullmatch(name_run.rpartition("/")[2])
    login_name = values.get("UID", "").strip('"')  # in auditd's own addition, where it is on
    return Process(
        pid=read_id(values.get("pid")),
        executable=executable,
        name=executable.rpartition("/")[2] if executable else None,
        comm=decode_text(values.get("comm")),
        args=args,
        raw_args=arguments.values if raw_differs else None,
        args_count=arguments.count,
        command_line=" ".join(args) if args else None,
        working_directory=decode_text(known.directories[0].values.get("cwd")) if known.directories else None,
        filename=name_asked,
        interpreter=name_run if is_script else None,
        file=_read_file(interpreter if is_script else asked),
        deleted=deleted,
        memfd=deleted and executable is not None and executable.startswith("/memfd:"),
        uid=read_id(values.get("uid")),
        gid=read_id(values.get("gid")),
        euid=read_id(values.get("euid")),
        login_uid=read_id(values.get("auid")),
        session_id=read_id(values.get("ses")),
        tty=read_tty(values.get("tty")),
        user_name=login_name if _USER_NAME.fullmatch(login_name) and login_name != "unset" else None,
        truncated=("args",) if args and not arguments.whole else (),
        unavailable=() if args else ("args",),
    )


def _path(paths: list[Record], item: str) -> Mapping[str, str]:
    return next((path.values for path in paths if path.values.get("item") == item), {})


# inode=..., dev=fd:01 in hex, mode=0100755 in octal.
def _read_file(path: Mapping[str, str]) -> File | None:
    inode = read_number(path.get("inode"))
    device = _DEVICE.fullmatch(path.get("dev", ""))
    if inode is None or not device:
        return None
    mode = path.get("mode", "")
    return File(
        dev=os.makedev(int(device[1], 16), int(device[2], 16)),
        inode=inode,
        mode=int(mode, 8) if _MODE.fullmatch(mode) else None,
    )
