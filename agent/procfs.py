"""
What /proc tells of a process, where it still lives.

A process may vanish between any two reads, and what it wrote about itself may be of any size and any
content: every read is bounded, and whatever cannot be had is None.

Source: proc_pid_stat(5), proc_pid_cmdline(5).
"""

import os
from pathlib import Path

import msgspec

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_SMALL_BYTES = 64 << 10
MOST_ARGUMENT_BYTES = 2 << 20


class Stat(msgspec.Struct, frozen=True):
    """Of /proc/PID/stat. `start_ticks` is the start since boot, in the 10 ms that the file counts in."""

    comm: str
    parent_pid: int
    start_ticks: int


def to_ticks(start_ns: int) -> int:
    """Round a start in ns since boot as the kernel does for /proc/PID/stat."""
    return start_ns // _TICK_NS


def read_stat(proc: Path, pid: int) -> Stat | None:
    """Read who a process is."""
    content = _read(proc / str(pid) / "stat", _SMALL_BYTES)
    if content is None:
        return None
    before, _, after = content.rpartition(b")")  # a comm may hold parentheses and blanks
    values = after.split()
    try:
        return Stat(_text(before.partition(b"(")[2]), parent_pid=int(values[1]), start_ticks=int(values[19]))
    except (IndexError, ValueError):
        return None


def read_arguments(proc: Path, pid: int) -> tuple[bytes, ...] | None:
    """Read the arguments; None also where they are longer than 2 MiB, or where there are none (a zombie)."""
    content = _read(proc / str(pid) / "cmdline", MOST_ARGUMENT_BYTES)
    return tuple(content.removesuffix(b"\0").split(b"\0")) if content else None


def read_cgroup(proc: Path, pid: int) -> str | None:
    """Read /proc/PID/cgroup as it is."""
    content = _read(proc / str(pid) / "cgroup", _SMALL_BYTES)
    return None if content is None else _text(content)


def read_executable(proc: Path, pid: int) -> str | None:
    """Read the path of the executable, as that process's root shows it; without "(deleted)"."""
    try:
        path = (proc / str(pid) / "exe").readlink()
    except OSError:
        return None
    return _text(os.fsencode(path)).removesuffix(" (deleted)")


def read_executable_inode(proc: Path, pid: int) -> int | None:
    """Read the inode number of the executable, whatever became of its name."""
    try:
        return (proc / str(pid) / "exe").stat().st_ino
    except OSError:
        return None


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")


# None where it cannot be read, or is longer than that.
def _read(path: Path, most_bytes: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError:
        return None
    return content if len(content) <= most_bytes else None
