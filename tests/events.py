"""Events for tests: everything has a plausible default, so that a test states only what it is about."""

import os

from agent.event import Connect, Exec, Parent, Process

LINUX_EXEC = {
    "event.kind": "event",
    "event.category": ("process",),
    "event.type": ("start",),
    "event.action": "exec",
    "host.os.type": "linux",
    "host.name": "node-1",
}
LINUX_CONNECT = {**LINUX_EXEC, "event.category": ("network",), "event.action": "connected-to"}


def make_process(executable="/usr/bin/docker", args=("docker", "ps"), **members):
    """A process whose name and command line follow from its path and arguments."""
    defaults = {
        "pid": 4242,
        "start_ns": 1_000_000_000,
        "executable": executable,
        "name": os.path.basename(executable),
        "args": tuple(args),
        "args_count": len(args),
        "command_line": " ".join(args),
        "working_directory": "/root",
        "uid": 0,
        "gid": 0,
        "euid": 0,
        "user_name": "root",
    }
    return Process(**{**defaults, **members})


def make_parent(executable="/usr/bin/bash", **members):
    """A parent shell, unless told otherwise."""
    return Parent(**{"pid": 4000, "executable": executable, "name": os.path.basename(executable), **members})


def make_exec(executable="/usr/bin/docker", args=("docker", "ps"), *, parent="/usr/bin/bash", **members):
    """An exec event; `members` go to the process where it has them, else to the event."""
    of_process = {key: members.pop(key) for key in list(members) if key in Process.__struct_fields__}
    event = {
        "id": "event-1",
        "time_ns": 1_767_225_600_000_000_000,
        "sensor": "test",
        "process": make_process(executable, args, **of_process),
        "parent": make_parent(parent),
        "fields": LINUX_EXEC,
    }
    return Exec(**{**event, **members})


def make_connect(address="/run/docker.sock", executable="/usr/bin/python3", args=("python3",), **members):
    """A connection to a runtime socket."""
    event = {
        "id": "event-2",
        "time_ns": 1_767_225_600_000_000_000,
        "sensor": "test",
        "process": make_process(executable, args),
        "parent": make_parent(),
        "address": address,
        "fields": LINUX_CONNECT,
    }
    return Connect(**{**event, **members})
