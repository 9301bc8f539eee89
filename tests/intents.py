"""Command lines for tests of agent/intent, read as a shell would split them."""

import shlex

import msgspec

from agent.intent.argv import read_argv
from agent.intent.model import Intent

BLANK = Intent(tool="")


def read(line, **circumstances):
    """The intent of one command line, started in /work by a shell."""
    return read_argv(shlex.split(line), **{"cwd": "/work", **circumstances})


def asked(line, **circumstances):
    """Only those members of the intent that ask for something, without the tool."""
    intent = read(line, **circumstances)
    if intent is None:
        return None
    members = msgspec.structs.asdict(intent)
    return {name: value for name, value in members.items() if name != "tool" and value != getattr(BLANK, name)}


def powers(line, **circumstances):
    """Of `asked`, what a container is given beyond its image."""
    names = "privileged host_namespaces capabilities mounts devices unconfined".split()
    return {name: value for name, value in (asked(line, **circumstances) or {}).items() if name in names}
