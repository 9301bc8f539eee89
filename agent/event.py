r"""
What a sensor sees: frozen values without behaviour.

Absent means unknown: a member that the source did not give is None, never a guess. Text is valid
Unicode; a byte that is not UTF-8 reads as ``\xNN``, and `Process.raw_args` then keeps the original.
Names follow ECS wherever ECS has one (agent/detect/fields.py maps them).
"""

from collections.abc import Mapping

import msgspec

from agent.intent.model import Intent

# A field value under an ECS name: one value or several, as in an ECS document.
FieldValue = str | int | float | bool | tuple[str | int | float | bool, ...]


class Ancestor(msgspec.Struct, frozen=True):
    """One step up the process tree; `comm` is the kernel's 15 bytes, never trusted alone."""

    pid: int
    start_ns: int
    comm: str


class File(msgspec.Struct, frozen=True):
    """The executable as an inode: what a path cannot say of a memfd, a deleted or a copied file."""

    dev: int  # st_dev as user space packs it (makedev)
    inode: int
    ctime_ns: int | None = None  # since the epoch
    links: int | None = None  # 0: unlinked or memfd
    mode: int | None = None  # st_mode, with its set-uid and set-gid bits


class Namespaces(msgspec.Struct, frozen=True):
    """Inode numbers of the namespaces that a process is in, as /proc/PID/ns shows them."""

    mount: int
    pid: int
    user: int


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """The process that was the parent at the moment of the event."""

    pid: int | None = None
    start_ns: int | None = None
    executable: str | None = None
    name: str | None = None
    comm: str | None = None
    args: tuple[str, ...] | None = None  # its head: the sensor keeps the first 256 bytes
    command_line: str | None = None


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """The container that a process runs in, as far as the node itself tells."""

    id: str | None = None
    runtime: str | None = None
    name: str | None = None
    image: str | None = None
    pod_uid: str | None = None
    pod_name: str | None = None
    namespace: str | None = None


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """The process that acts, after the exec that made it what it is."""

    pid: int | None = None  # thread group id in the initial pid namespace
    thread_id: int | None = None  # the thread that called exec, where it was not the leader
    start_ns: int | None = None  # since boot; with `pid` the identity of a process
    executable: str | None = None  # dentry path, as the process's own root shows it
    name: str | None = None
    comm: str | None = None
    args: tuple[str, ...] | None = None
    raw_args: tuple[bytes, ...] | None = None  # only where `args` could not hold the bytes
    args_count: int | None = None  # bprm->argc: what was passed, however much was captured
    command_line: str | None = None  # the arguments joined by a space
    env: Mapping[str, str] | None = None  # only the few variables of DESIGN's list, only for tools
    working_directory: str | None = None
    filename: str | None = None  # what was asked for: the script of an interpreter, /dev/fd/3
    interpreter: str | None = None  # what the kernel ran for it, where that differs
    file: File | None = None
    deleted: bool = False  # the executable has no name any more
    memfd: bool = False
    uid: int | None = None
    gid: int | None = None
    euid: int | None = None
    login_uid: int | None = None  # None: never logged in (daemons)
    session_id: int | None = None
    tty: tuple[int, int] | None = None  # major, minor
    user_name: str | None = None
    namespaces: Namespaces | None = None
    cgroup_id: int | None = None
    cgroup: str | None = None  # path below the cgroup root
    truncated: tuple[str, ...] = ()  # members cut short: "args", "executable", "working_directory"
    unavailable: tuple[str, ...] = ()  # members that could not be read: "args"


NO_FIELDS: Mapping[str, FieldValue] = {}


class Exec(msgspec.Struct, frozen=True, kw_only=True):
    """A process became another program."""

    id: str
    time_ns: int  # since the epoch
    boot_ns: int | None = None  # since boot, from the kernel's record: start of the latency measure
    sensor: str
    origin: str = "live"  # or "scan" (found running at start), "replay"
    process: Process
    parent: Parent = Parent()
    ancestors: tuple[Ancestor, ...] = ()
    container: Container | None = None
    intent: Intent | None = None
    # What has no member above, by ECS name: event.*, host.*, and whatever a replayed document adds.
    fields: Mapping[str, FieldValue] = NO_FIELDS


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """A process connected to a runtime socket."""

    id: str
    time_ns: int
    boot_ns: int | None = None
    sensor: str
    origin: str = "live"
    process: Process
    parent: Parent = Parent()
    ancestors: tuple[Ancestor, ...] = ()
    container: Container | None = None
    intent: Intent | None = None
    address: str  # the listener's bound path: the truth
    requested: str | None = None  # what the client asked for, where it is known
    fields: Mapping[str, FieldValue] = NO_FIELDS


Event = Exec | Connect
