"""
What the node itself adds to an event: user names, the container, what a sensor had to leave out.

Everything stays absent that is not known. What /proc tells of a process is used only if it is still
that process, by its start; and a process writes its own command line, so a longer one must begin as
the kernel saw it.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent.cgroup import parse_cgroup, parse_cgroup_file
from agent.event import Container, Event, Parent, Process
from agent.pods import PodNames
from agent.procfs import (
    read_arguments,
    read_cgroup,
    read_executable,
    read_executable_inode,
    read_stat,
    to_ticks,
)
from agent.users import UserNames


class Enricher:
    """
    Complete events.

    Args:
        proc: the node's /proc.
        root: the node's /, for its users and its container logs.
    """

    def __init__(self, proc: Path, root: Path) -> None:
        self._proc = proc
        self._users = UserNames(root)
        self._pods = PodNames(root)

    def enrich(self, event: Event) -> Event:
        """
        Add what can be known now.

        A recorded event is of another time, and maybe of another node: of it only the cgroup path is read.
        """
        if event.origin == "replay":
            container = event.container or parse_cgroup(event.process.cgroup or "")
            return msgspec.structs.replace(event, container=container)
        return msgspec.structs.replace(
            event,
            process=self._complete_process(event.process),
            parent=self._complete_parent(event.parent, event.process),
            container=self._complete_container(event.container, event.process),
        )

    def _complete_process(self, process: Process) -> Process:
        changes: dict[str, Any] = {}
        if process.user_name is None and process.uid is not None:
            changes["user_name"] = self._users.get(process.uid)
        if "args" in process.truncated or "args" in process.unavailable:
            changes.update(self._complete_args(process))
        return msgspec.structs.replace(process, **changes) if changes else process

    # Reads the arguments before it makes sure of the process: one that comes later cannot have been read.
    def _complete_args(self, process: Process) -> dict[str, Any]:
        if process.pid is None or process.file is None:
            return {}
        arguments = read_arguments(self._proc, process.pid)
        same = read_executable_inode(self._proc, process.pid) == process.file.inode
        if not arguments or not same or not self._lives(process):
            return {}
        if len(arguments) != process.args_count or not _continues(process, arguments):
            return {}
        args, raw_args = _decode(arguments)
        return {
            "args": args,
            "raw_args": raw_args,
            "command_line": " ".join(args),
            "truncated": tuple(name for name in process.truncated if name != "args"),
            "unavailable": tuple(name for name in process.unavailable if name != "args"),
        }

    def _complete_container(self, container: Container | None, process: Process) -> Container | None:
        if container is None and process.cgroup:
            container = parse_cgroup(process.cgroup)
        # On a hybrid node the sensor sees the unified hierarchy, in which nothing is but its root.
        if container is None and process.cgroup in (None, "", "/") and process.pid is not None:
            text = read_cgroup(self._proc, process.pid)
            if text is not None and self._lives(process):
                container = parse_cgroup_file(text)
        return container and self._pods.complete(container, time.monotonic_ns())

    def _complete_parent(self, parent: Parent, process: Process) -> Parent:
        if parent.pid is None:
            return parent
        changes: dict[str, Any] = {}
        if parent.args is None or parent.executable is None:
            changes = self._read_parent(parent, parent.pid, process)
        executable = parent.executable or changes.get("executable")
        args = parent.args or changes.get("args")
        if parent.name is None and executable:
            changes["name"] = executable.rpartition("/")[2]
        if parent.command_line is None and args:
            changes["command_line"] = " ".join(args)
        return msgspec.structs.replace(parent, **changes) if changes else parent

    def _read_parent(self, parent: Parent, pid: int, process: Process) -> dict[str, Any]:
        executable = read_executable(self._proc, pid)
        arguments = read_arguments(self._proc, pid)
        stat = read_stat(self._proc, pid)
        if stat is None or not self._is_parent(pid, stat.start_ticks, parent, process):
            return {}
        if parent.executable is not None and parent.executable != executable:  # has become another program since
            return {}
        args = _decode(arguments)[0] if arguments else None
        return {"executable": executable, "comm": parent.comm or stat.comm, "args": parent.args or args}

    # Without a start (audit has none) a parent is known by its child, as long as that lives.
    def _is_parent(self, pid: int, start_ticks: int, parent: Parent, process: Process) -> bool:
        if parent.start_ns is not None:
            return start_ticks == to_ticks(parent.start_ns)
        child = None if process.pid is None else read_stat(self._proc, process.pid)
        return child is not None and child.parent_pid == pid and child.start_ticks >= start_ticks

    # Without a start (audit has none) a process is known by its program.
    def _lives(self, process: Process) -> bool:
        stat = None if process.pid is None else read_stat(self._proc, process.pid)
        if stat is None or process.pid is None:
            return False
        if process.start_ns is not None:
            return stat.start_ticks == to_ticks(process.start_ns)
        return process.executable is not None and read_executable(self._proc, process.pid) == process.executable


def _continues(process: Process, arguments: Sequence[bytes]) -> bool:
    seen = process.raw_args or tuple(argument.encode() for argument in process.args or ())
    if not seen:
        return True
    *whole, cut = seen
    return (
        len(seen) <= len(arguments) and list(arguments[: len(whole)]) == whole and arguments[len(whole)].startswith(cut)
    )


def _decode(arguments: Sequence[bytes]) -> tuple[tuple[str, ...], tuple[bytes, ...] | None]:
    args = tuple(argument.decode("utf-8", "backslashreplace") for argument in arguments)
    differs = any(text.encode() != raw for text, raw in zip(args, arguments, strict=True))
    return args, tuple(arguments) if differs else None
