"""What a command line of an OCI runtime asks for: runc, crun, youki, kata-runtime, runsc."""

import posixpath
import re
from collections.abc import Callable, Sequence

from agent.intent.grammar import Grammar, every, is_off, is_on, last
from agent.intent.invocation import Cli, Invocation, read_invocation
from agent.intent.model import FileReference, Intent
from agent.intent.mounts import Around, normalise_path
from agent.intent.powers import Members, parse_capabilities, read_workdir
from agent.intent.tables.runtimes import CRUN, RUNC, RUNSC, YOUKI

_CLIS = {
    "runc": Cli(RUNC, Grammar.GO_FLAG),
    "crun": Cli(CRUN, Grammar.GETOPT),
    "youki": Cli(YOUKI, Grammar.PFLAG),
    "kata-runtime": Cli(RUNC, Grammar.GO_FLAG),
    "runsc": Cli(RUNSC, Grammar.GO_FLAG),
}
# containerd gives each of its namespaces a state directory, docker has one for its own.
_STATE_DIRECTORY = re.compile(r"/(?:runc|runtime-runc|crun|youki|runsc|io\.containerd\.[\w.]+)/([\w.-]+)\Z")


def read_runtime(tool: str, argv: Sequence[str], around: Around) -> Intent:
    """Read a command line of an OCI runtime; ``argv[0]`` is the runtime itself."""
    invocation = read_invocation(_CLIS[tool], argv)
    state = last(invocation.above, "root")
    held = _STATE_DIRECTORY.search(normalise_path(state, around)) if state else None
    members = _READERS.get(invocation.verb or "", _read_target)(invocation, around)
    return Intent(
        tool=tool,
        verb=invocation.verb,
        namespace=held[1] if held else None,
        notes=invocation.notes,
        **members,
    )


def _read_target(invocation: Invocation, _around: Around) -> Members:
    words = invocation.words
    return {"target": words[0] if words else None}


def _read_start(invocation: Invocation, around: Around) -> Members:
    bundle = normalise_path(last(invocation.options, "bundle") or ".", around)
    config = last(invocation.options, "config")
    path = bundle if config is None else posixpath.join(bundle, config)
    return {**_read_target(invocation, around), "files": (FileReference("bundle", path),)}


def _read_exec(invocation: Invocation, around: Around) -> Members:
    options, words = invocation.options, invocation.words
    process = last(options, "process")
    unconfined = []
    if last(options, "apparmor") == "unconfined":
        unconfined.append("apparmor")
    if is_off(options, "no-new-privs"):
        unconfined.append("no-new-privileges")
    return {
        "target": words[0] if words else None,
        "command": words[1:],
        "interactive": is_on(options, "tty") or last(options, "tty") == "",
        "user": last(options, "user"),
        "capabilities": parse_capabilities(every(options, "cap")),
        "unconfined": tuple(unconfined),
        "files": (FileReference("process", normalise_path(process, around)),) if process else (),
        "facts": tuple(read_workdir(last(options, "cwd"))),
    }


def _read_do(invocation: Invocation, _around: Around) -> Members:
    return {"command": invocation.words}


_READERS: dict[str, Callable[[Invocation, Around], Members]] = {
    "run": _read_start,
    "create": _read_start,
    "restore": _read_start,
    "exec": _read_exec,
    "do": _read_do,
}
