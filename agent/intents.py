"""
An event's intent: its command line, what its program is, and the files that it names.

The one place where the pure readers of agent/intent meet a node, or the directory that stands for one.
"""

import os
import posixpath
import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec

from agent.event import Event, Exec, Process
from agent.files import read_environment, read_inode, resolve_symlinks
from agent.intent.argv import read_argv
from agent.intent.hostns import KINDS, is_host_file
from agent.intent.identity import Identity
from agent.intent.model import Intent
from agent.intent.naming import find_tool
from agent.intent.rootless import is_rootless
from agent.intent.wrappers import VARIABLES
from agent.procfs import read_stat, to_ticks
from agent.programs import Programs
from agent.references import Place, follow_references

# What files may take of one event, and of all of them lately: a slow file system must not stop the loop.
_EVENT_S = 0.5
_ALLOWANCE_S = 2.0
_ALLOWANCE_SHARE = 0.2
_MAX_RESOLVED = 256
_NAMESPACE_FILE = re.compile(r"(?:/host|/rootfs)?/proc/([0-9]{1,10})/(?:task/[0-9]+/)?ns/([a-z_]+)\Z")
# What a file of another process would resolve to here is not what it is there.
_OF_PROCESS = re.compile(r"/proc/(?:self|thread-self)(?:/|\Z)|/dev/(?:fd(?:/|\Z)|std(?:in|out|err)\Z)")


class IntentReader:
    """
    Give events their intent.

    Args:
        proc: the node's /proc.
        root: stands for ``/`` of recorded events, and of processes that are gone and left no namespace to go by.
        clock_s: monotonic.
    """

    def __init__(self, proc: Path, root: Path, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc
        self._root = root
        self._clock_s = clock_s
        self._programs = Programs()
        self._allowance_s = _ALLOWANCE_S
        self._checked_s = clock_s()

    def add_intent(self, event: Event) -> Event:
        """
        Read what an exec asks for; a connection, and an event that has its intent, stay as they are.

        Never raises: what cannot be read of a file is told in `Intent.unread`.
        """
        process = event.process
        if not isinstance(event, Exec) or event.intent is not None or not process.args:
            return event
        with ExitStack() as held:
            return self._read(event, *self._find_root(event, held))

    def _read(self, event: Exec, own: Path | None, root: Path) -> Event:
        process = event.process
        identity = self._programs.identify(process, own, root)
        resolve = self._resolver(process, self._host_root(event, root))
        intent = _read_command(process, identity, resolve)
        if intent is None:
            return event
        if process.env is None and own is not None and intent.tool in _CLIENTS:
            env = read_environment(own, VARIABLES)
            if env:
                process = msgspec.structs.replace(process, env=env)
                intent = _read_command(process, identity, resolve) or intent
        if is_rootless(intent, process.uid):
            intent = msgspec.structs.replace(intent, rootless=True)
        if intent.files:
            intent = _look_inside(self._follow(intent, process, root, own, resolve))
        lie = _find_lie(process, intent)
        if lie is not None:
            intent = msgspec.structs.replace(intent, facts=(*intent.facts, lie))
        return msgspec.structs.replace(event, process=process, intent=intent)

    def may_have_intent(self, event: Event) -> bool:
        """Tell, at the cost of a few microseconds, whether `add_intent` could give an event an intent."""
        process = event.process
        if not isinstance(event, Exec) or not process.args:
            return False
        if not self._programs.is_known(process.file) or self._programs.recall(process.file) is not None:
            return True
        return read_argv(process.args, executable=process.executable) is not None

    def is_disguised(self, event: Event) -> bool | None:
        """
        Tell whether a tool runs from a file that is not named after it.

        Returns:
            None where the file cannot be looked at; it may be so later.
        """
        process = event.process
        if not self._programs.is_known(process.file):
            with ExitStack() as held:
                self._programs.identify(process, *self._find_root(event, held))
        if not self._programs.is_known(process.file):
            return None
        identity = self._programs.recall(process.file)
        return identity is not None and find_tool(process.executable or "", frozenset((identity.tool,))) is None

    def _follow(
        self, intent: Intent, process: Process, root: Path, own: Path | None, resolve: Callable[[str], str]
    ) -> Intent:
        started_s = self._clock_s()
        earned_s = (started_s - self._checked_s) * _ALLOWANCE_SHARE
        self._allowance_s = min(_ALLOWANCE_S, self._allowance_s + earned_s)
        place = Place(
            root=root,
            cwd=process.working_directory,
            words=process.args or (),
            deadline_s=started_s + min(_EVENT_S, self._allowance_s),
            process=own,
            home=_find_home(process),
            env=process.env or {},
            resolve=resolve,
            is_host=is_host_file if own is None else lambda path: self._is_host(path, root),
        )
        followed = follow_references(intent, place)
        self._checked_s = self._clock_s()
        self._allowance_s -= self._checked_s - started_s
        return followed

    def _find_root(self, event: Event, held: ExitStack) -> tuple[Path | None, Path]:
        # The process's own if it lives, held open in case that it ends meanwhile; else that of somebody in its
        # mount namespace.
        process = event.process
        if event.origin == "replay" or process.pid is None:
            return None, self._root
        own = self._proc / str(process.pid)
        if self._lives(process) and (root := _hold(own / "root", held)) is not None:
            return own, root
        if process.namespaces is None:
            return None, self._root if event.container is None else own / "root"
        for pid in (event.parent.pid, 1, "self"):
            inode = _inode_of(self._proc / str(pid) / "ns/mnt")
            if inode is not None and inode[1] == process.namespaces.mount:
                return None, self._proc / str(pid) / "root"
        return None, own / "root"

    def _host_root(self, event: Event, root: Path) -> Path:
        # A client inside a container names paths of the node on which the daemon runs.
        if event.origin != "replay" and event.container is not None and event.container.id is not None:
            return self._proc / "1" / "root"
        return root

    def _lives(self, process: Process) -> bool:
        if process.pid is None or process.start_ns is None:
            return False
        stat = read_stat(self._proc, process.pid)
        return stat is not None and stat.start_ticks == to_ticks(process.start_ns)

    def _resolver(self, process: Process, root: Path) -> Callable[[str], str]:
        known: dict[str, str] = {}

        def resolve(path: str) -> str:
            if path not in known and len(known) < _MAX_RESOLVED and not _OF_PROCESS.match(path):
                known[path] = resolve_symlinks(path, process_root=root, cwd=process.working_directory)
            return known.get(path, path)

        return resolve

    def _is_host(self, path: str, root: Path) -> bool:
        if is_host_file(path):
            return True
        named = _NAMESPACE_FILE.match(path)
        if named is not None:
            kind = named[2]
            inode = _inode_of(self._proc / named[1] / "ns" / kind)
            return inode is not None and inode == self._host_inode(kind)
        found = read_inode(path, process_root=root)
        return found is not None and found in {self._host_inode(kind) for kind in _KINDS_OF_PROC}

    def _host_inode(self, kind: str) -> tuple[int, int] | None:
        # Some machines keep pid 1 from root; the agent's own are then the next best.
        return _inode_of(self._proc / "1/ns" / kind) or _inode_of(self._proc / "self/ns" / kind)


_CLIENTS = frozenset("docker docker-compose podman nerdctl ctr crictl kubectl oc helm buildah kubeletctl".split())
_KINDS_OF_PROC = tuple(kind for kind in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts") if kind in KINDS)


def _read_command(process: Process, identity: Identity | None, resolve: Callable[[str], str]) -> Intent | None:
    env: Mapping[str, str] = process.env or {}
    tool = None if identity is None else identity.tool
    if tool in _MULTI_CALL and not _runs_as_itself(process):
        tool = None
    return read_argv(
        process.args or (),
        executable=process.executable,
        cwd=process.working_directory,
        env=env,
        tool=tool,
        resolve=resolve,
    )


# They are what argv[0] says, unless it is their own name.
_MULTI_CALL = frozenset(("busybox", "hyperkube", "k0s", "k3s", "rke2"))


def _look_inside(intent: Intent) -> Intent:
    # The command that a file gives a container may be one of the tools, as one behind an image's name may.
    inner = read_argv(intent.command) if intent.command else None
    if inner is None:
        return intent
    return msgspec.structs.replace(intent, facts=tuple(dict.fromkeys((*intent.facts, f"inner:{inner.tool}"))))


def _runs_as_itself(process: Process) -> bool:
    said = (process.args or ("",))[0]
    return posixpath.basename(said) == posixpath.basename(process.executable or said)


def _find_lie(process: Process, intent: Intent) -> str | None:
    """Find an argv[0] that names neither the file nor the tool that runs."""
    if intent.wrappers or not process.executable or not process.args:
        return None
    said = posixpath.basename(process.args[0].removeprefix("-").rstrip("/"))
    file = posixpath.basename(process.executable.removesuffix(" (deleted)"))
    # nc is nc.openbsd's name by way of Debian's alternatives.
    if said and (said == file or file.startswith((f"{said}.", f"{said}-"))):
        return None
    return None if said and find_tool(said, frozenset((intent.tool,))) else f"argv0:{said[:256]}"


def _find_home(process: Process) -> str:
    return "/root" if not process.uid else f"/home/{process.user_name or process.uid}"


def _hold(root: Path, held: ExitStack) -> Path | None:
    try:
        descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    held.callback(os.close, descriptor)
    return Path(f"/proc/self/fd/{descriptor}")


def _inode_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
