"""
Ring-buffer records into events: the mirror of bpf/event.h.

`HEADER` lists every member of ``struct event`` in order; tests/test_wire.py holds it, and the
enumerations below, against the layout that the BPF compiler computes.
"""

import os
import struct
from collections.abc import Mapping
from enum import IntEnum, IntFlag, auto

import msgspec

from agent.errors import DecodeError
from agent.event import Ancestor, Exec, FieldValue, File, Namespaces, Parent, Process

COMM_BYTES = 16
MAX_ANCESTORS = 8
EVENT_EXEC = 1
NO_ID = 0xFFFFFFFF  # an audit id that was never set


class Part(IntEnum):
    """The texts behind the header, in order: ``enum part``."""

    EXECUTABLE = 0
    ARGS = auto()
    FILENAME = auto()
    INTERPRETER = auto()
    WORKING_DIRECTORY = auto()
    CGROUP = auto()
    PARENT_EXECUTABLE = auto()
    PARENT_ARGS = auto()


class Flag(IntFlag):
    """``enum flag``."""

    EXECUTABLE_CUT = auto()
    WORKING_DIRECTORY_CUT = auto()
    PARENT_EXECUTABLE_CUT = auto()
    CGROUP_CUT = auto()
    ARGS_CUT = auto()
    ARGS_UNREADABLE = auto()
    EXECUTABLE_UNLINKED = auto()


class Loss(IntEnum):
    """Why a record was not sent: ``enum loss``, the index of the program's `lost` map."""

    RING_FULL = 0
    NO_SCRATCH = auto()


# Members of ``struct event`` up to its arrays: name and width in bytes.
HEADER: tuple[tuple[str, int], ...] = (
    *((name, 8) for name in "boot_ns start_ns parent_start_ns cgroup_id file_inode file_ctime_s".split()),
    *(
        (name, 4)
        for name in (
            "file_ctime_ns file_dev file_links file_mode type flags pid thread_id parent_pid uid gid euid login_uid "
            "session_id tty_major tty_minor mount_ns pid_ns user_ns args_count args_bytes ancestor_count"
        ).split()
    ),
)
_LAYOUT = struct.Struct("=" + "".join("Q" if width == 8 else "I" for _, width in HEADER))
_LENGTHS = struct.Struct(f"={len(Part)}I")
_COMMS = struct.Struct(f"={COMM_BYTES}s{COMM_BYTES}s")
_ANCESTOR = struct.Struct(f"=QII{COMM_BYTES}s")

LENGTHS_OFFSET = _LAYOUT.size
COMMS_OFFSET = LENGTHS_OFFSET + _LENGTHS.size
ANCESTORS_OFFSET = COMMS_OFFSET + _COMMS.size
EVENT_BYTES = ANCESTORS_OFFSET + MAX_ANCESTORS * _ANCESTOR.size

# ``struct file_key`` and ``enum verdict`` of bpf/filter.h.
FILE_KEY = struct.Struct("=QQII")
VERDICT_PLAIN = 1
VERDICT_TOOL = 2
# ``struct automaton``: log2 of the row width, the class of each byte, the transitions.
MAX_TRANSITIONS = 1 << 18
AUTOMATON = struct.Struct(f"=I256s{2 * MAX_TRANSITIONS}s")

_TRUNCATIONS = (
    (Flag.EXECUTABLE_CUT, "executable"),
    (Flag.WORKING_DIRECTORY_CUT, "working_directory"),
    (Flag.PARENT_EXECUTABLE_CUT, "parent.executable"),
    (Flag.CGROUP_CUT, "cgroup"),
    (Flag.ARGS_CUT, "args"),
)
TRUNCATABLE = tuple(name for _, name in _TRUNCATIONS)
_ANY_CUT = sum(flag for flag, _ in _TRUNCATIONS)


class Origin(msgspec.Struct, frozen=True):
    """What every record of one sensor has in common."""

    sensor: str
    boot_id: str  # distinguishes the ids of events across reboots
    wall_minus_boot_ns: int  # turns time since boot into time since the epoch
    fields: Mapping[str, FieldValue]


def decode_text(raw: bytes) -> str:
    r"""Read UTF-8; a byte that is not becomes ``\xNN``."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode(errors="backslashreplace")


def decode_args(raw: bytes, count: int) -> tuple[tuple[str, ...], tuple[bytes, ...] | None]:
    """
    Split an argument area into its arguments.

    Args:
        raw: as it lies in memory, a NUL behind each argument; cut anywhere.
        count: argc. Empty arguments count; what a cut area lacks is left out.

    Returns:
        The arguments as text, and as bytes where the text could not hold them.
    """
    try:
        return tuple(raw.decode().split("\0")[:count]), None
    except UnicodeDecodeError:
        pieces = tuple(raw.split(b"\0")[:count])
        return tuple(decode_text(piece) for piece in pieces), pieces


def decode_exec(record: bytes, origin: Origin) -> Exec:
    """
    Turn one record into an event.

    Args:
        record: ``struct event`` and its tail, host byte order.
        origin: what the sensor knows about all of its records.

    Raises:
        DecodeError: the record is shorter than it claims, or of another type.

    Source: bpf/exec.bpf.c ``on_exec``.
    """
    if len(record) < EVENT_BYTES:
        raise DecodeError(f"a record of {len(record)} bytes cannot hold the header of {EVENT_BYTES}")
    (
        boot_ns, start_ns, parent_start_ns, cgroup_id, file_inode, file_ctime_s,
        file_ctime_ns, file_dev, file_links, file_mode, kind, flags, pid, thread_id, parent_pid, uid, gid, euid,
        login_uid, session_id, tty_major, tty_minor, mount_ns, pid_ns, user_ns, args_count, _args_bytes,
        ancestor_count,
    ) = _LAYOUT.unpack_from(record)  # fmt: skip
    if kind != EVENT_EXEC:
        raise DecodeError(f"a record of type {kind} is not an exec")
    texts = _split_tail(record)
    comm, parent_comm = _COMMS.unpack_from(record, COMMS_OFFSET)
    executable = decode_text(texts[Part.EXECUTABLE])
    filename = decode_text(texts[Part.FILENAME])
    interpreter = decode_text(texts[Part.INTERPRETER])
    args, raw_args = decode_args(texts[Part.ARGS], args_count)
    unlinked = bool(flags & Flag.EXECUTABLE_UNLINKED)
    return Exec(
        id=f"{origin.boot_id}-{boot_ns:x}-{pid:x}",
        time_ns=boot_ns + origin.wall_minus_boot_ns,
        boot_ns=boot_ns,
        sensor=origin.sensor,
        process=Process(
            pid=pid,
            thread_id=thread_id if thread_id != pid else None,
            start_ns=start_ns,
            executable=executable,
            name=executable.rpartition("/")[2],
            comm=_decode_comm(comm),
            args=args,
            raw_args=raw_args,
            args_count=args_count,
            command_line=" ".join(args),
            working_directory=decode_text(texts[Part.WORKING_DIRECTORY]),
            filename=filename,
            interpreter=interpreter if interpreter != filename else None,
            file=File(
                dev=os.makedev(file_dev >> 20, file_dev & 0xFFFFF),
                inode=file_inode,
                ctime_ns=file_ctime_s * 1_000_000_000 + file_ctime_ns,
                links=file_links,
                mode=file_mode,
            ),
            deleted=unlinked,
            memfd=unlinked and executable.startswith("/memfd:"),
            uid=uid,
            gid=gid,
            euid=euid,
            login_uid=login_uid if login_uid != NO_ID else None,
            session_id=session_id if session_id != NO_ID else None,
            tty=(tty_major, tty_minor) if tty_major else None,
            namespaces=Namespaces(mount_ns, pid_ns, user_ns),
            cgroup_id=cgroup_id,
            cgroup=decode_text(texts[Part.CGROUP]),
            truncated=tuple(name for flag, name in _TRUNCATIONS if flags & flag) if flags & _ANY_CUT else (),
            unavailable=("args",) if flags & Flag.ARGS_UNREADABLE else (),
        ),
        parent=_decode_parent(texts, parent_pid, parent_start_ns, parent_comm),
        ancestors=_decode_ancestors(record, ancestor_count),
        fields=origin.fields,
    )


def encode_file_key(file: File) -> bytes:
    """Write the key under which the kernel knows a file."""
    seconds, nanoseconds = divmod(file.ctime_ns or 0, 1_000_000_000)
    device = os.major(file.dev) << 20 | os.minor(file.dev)
    return FILE_KEY.pack(file.inode, seconds, nanoseconds, device)


def encode_verdict(*, is_tool: bool) -> bytes:
    """Write what a file was found to be."""
    return struct.pack("=I", VERDICT_TOOL if is_tool else VERDICT_PLAIN)


def _split_tail(record: bytes) -> list[bytes]:
    texts = []
    start = EVENT_BYTES
    for length in _LENGTHS.unpack_from(record, LENGTHS_OFFSET):
        texts.append(record[start : start + length])
        start += length
    if start > len(record):
        raise DecodeError(f"a record of {len(record)} bytes claims texts up to byte {start}")
    return texts


def _decode_comm(raw: bytes) -> str:
    return decode_text(raw.partition(b"\0")[0])


def _decode_parent(texts: list[bytes], pid: int, start_ns: int, comm: bytes) -> Parent:
    executable = decode_text(texts[Part.PARENT_EXECUTABLE]) or None  # a kernel thread has none
    head = texts[Part.PARENT_ARGS]
    args = decode_args(head.removesuffix(b"\0"), len(head))[0] if head else None
    return Parent(
        pid=pid,
        start_ns=start_ns,
        executable=executable,
        name=executable.rpartition("/")[2] if executable else None,
        comm=_decode_comm(comm),
        args=args,
        command_line=" ".join(args) if args else None,
    )


def _decode_ancestors(record: bytes, count: int) -> tuple[Ancestor, ...]:
    end = ANCESTORS_OFFSET + min(count, MAX_ANCESTORS) * _ANCESTOR.size
    return tuple(
        Ancestor(pid, start_ns, _decode_comm(comm))
        for start_ns, pid, _, comm in _ANCESTOR.iter_unpack(record[ANCESTORS_OFFSET:end])
    )
