"""
Read a command line: which tool it is, what it asks for, whatever program, wrapper or spelling it comes in.

Pure: files that a command names are listed in the Intent, not opened; symbolic links are resolved by a
function that the caller hands in.
"""

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from agent.intent.api import API_CLIENTS, read_api, read_program
from agent.intent.containerd import read_crictl, read_ctr
from agent.intent.endpoint import is_runtime_socket, name_endpoint
from agent.intent.engine import read_engine
from agent.intent.grammar import Grammar, parse_options
from agent.intent.helm import read_helm, read_kubeletctl
from agent.intent.kubectl import read_kubectl
from agent.intent.lxd import read_daemon, read_lxd
from agent.intent.model import Intent, merge_intents
from agent.intent.mounts import Around
from agent.intent.namespaces import read_machine_run, read_namespaces
from agent.intent.naming import Name, find_tool
from agent.intent.runtimes import read_runtime
from agent.intent.tables.containerd import CRICTL, CTR
from agent.intent.tables.docker import DOCKER
from agent.intent.tables.podman import PODMAN
from agent.intent.tables.wrappers import INTERPRETERS, SHELLS, WRAPPERS
from agent.intent.weight import weigh
from agent.intent.wrappers import find_program, is_wrapper, unwrap

_DEPTH_MAX = 8
_MULTI_CALL = frozenset(("busybox", "toybox", "coreutils", "k3s", "k0s", "rke2", "hyperkube"))
_ENTERING = frozenset(("nsenter", "unshare", "chroot", "capsh"))
# Wrappers of another program that are no tools themselves but are not in the tables either.
_OTHER_WRAPPERS = frozenset("eval find ip minikube parallel runuser snap start-stop-daemon su tmux watch".split())

_Reader = Callable[[str, Sequence[str], Around], Intent | None]


def _ctr(_tool: str, argv: Sequence[str], around: Around) -> Intent:
    return read_ctr(argv, around)


def _crictl(_tool: str, argv: Sequence[str], around: Around) -> Intent:
    return read_crictl(argv, around)


def _helm(_tool: str, argv: Sequence[str], around: Around) -> Intent:
    return read_helm(argv, around)


def _kubeletctl(_tool: str, argv: Sequence[str], around: Around) -> Intent:
    return read_kubeletctl(argv, around)


def _compose(tool: str, argv: Sequence[str], around: Around) -> Intent:
    # As a plug-in of docker it gets docker's own command line, "compose" included.
    words = parse_options(Grammar.PFLAG, DOCKER.options, argv, 1).words
    return read_engine("docker" if words[:1] == ("compose",) else tool, argv, around)


def _systemd_run(_tool: str, argv: Sequence[str], _around: Around) -> Intent | None:
    return read_machine_run(argv)


def _chroot_or_lxc(tool: str, argv: Sequence[str], around: Around) -> Intent:
    return read_namespaces(tool, argv, around)


_READERS: dict[str, _Reader] = {
    **dict.fromkeys(("docker", "podman", "nerdctl", "buildah"), read_engine),
    "docker-compose": _compose,
    "docker-buildx": read_engine,
    "ctr": _ctr,
    "crictl": _crictl,
    **dict.fromkeys(("kubectl", "oc"), read_kubectl),
    "kubeletctl": _kubeletctl,
    "helm": _helm,
    **dict.fromkeys(("runc", "crun", "youki", "kata-runtime", "runsc"), read_runtime),
    **dict.fromkeys(
        ("nsenter", "unshare", "chroot", "capsh", "systemd-nspawn", "machinectl", "lxc-attach"), _chroot_or_lxc
    ),
    "systemd-run": _systemd_run,
    **dict.fromkeys(("lxc", "incus"), read_lxd),
    **dict.fromkeys(("dockerd", "containerd", "buildkitd"), read_daemon),
    **dict.fromkeys(API_CLIENTS, read_api),
}

# Whoever asks for something of its own accord; what all others ask for is found in what they run.
READ_TOOLS = frozenset(_READERS)
_TOOLS = frozenset((*_READERS, *WRAPPERS, *SHELLS, *INTERPRETERS, *_OTHER_WRAPPERS))


def read_argv(
    argv: Sequence[str],
    *,
    executable: str | None = None,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    tool: str | None = None,
    resolve: Callable[[str], str] | None = None,
) -> Intent | None:
    """
    Read what a command line asks a container runtime, an orchestrator or the kernel's namespaces to do.

    Args:
        argv: with argv[0].
        executable: the file that runs, which wins over argv[0]; also as ``/memfd:NAME (deleted)``.
        cwd: working directory, against which relative paths are read.
        env: at least the variables that choose a daemon (`wrappers.VARIABLES`).
        tool: what the program is known to be whatever its names, "docker" for a renamed docker.
        resolve: follows the symbolic links of an absolute path; see `mounts.Around`.

    Returns:
        None for a command line that asks nothing of this kind. Never raises, in time linear in the text.
    """
    if not argv and executable is None:
        return None
    around = Around(cwd=cwd, env=env or {}, resolve=resolve)
    return _read(tuple(argv) or (executable or "",), around, executable=executable, tool=tool)


def _read(
    argv: tuple[str, ...],
    around: Around,
    *,
    executable: str | None = None,
    tool: str | None = None,
    depth: int = 0,
) -> Intent | None:
    if depth > _DEPTH_MAX:
        return None
    name, renamed = _identify(argv[0], executable, tool)
    if name is None:
        return _guess(argv, around)
    if name.plugin is not None:
        argv = (name.tool, name.plugin, *argv[1:])
    if name.tool == "docker-buildx":
        argv = argv if argv[1:2] == ("buildx",) else (argv[0], "buildx", *argv[1:])
        name = Name("docker")
    reader = _READERS.get(name.tool)
    intent = reader(name.tool, argv, around) if reader else None
    if intent is None:
        return _read_wrapped(name.tool, argv, around, depth)
    return _complete(msgspec.structs.replace(intent, renamed=renamed), around, depth)


def _identify(first: str, executable: str | None, tool: str | None) -> tuple[Name | None, bool]:
    named = _find_name(first)
    if tool is not None:
        return Name(tool), executable is not None and find_tool(executable, _TOOLS) != Name(tool)
    if executable is None:
        return named, False
    file = _find_name(executable)
    if file is None:
        return named, named is not None and named.tool in _READERS
    if file.tool in _MULTI_CALL and posixpath.basename(first) != file.tool:
        return named, False
    return file, False


def _find_name(path: str) -> Name | None:
    # The dynamic loader and the interpreters have their version in the middle of their names.
    base = posixpath.basename(path.removesuffix(" (deleted)"))[:256]
    return find_tool(path, _TOOLS) or (Name(base) if is_wrapper(base) else None)


def _read_wrapped(name: str, argv: tuple[str, ...], around: Around, depth: int) -> Intent | None:
    if not is_wrapper(name):
        return None
    found = [_read(inner.argv, inner.around, depth=depth + 1) for inner in unwrap(name, argv, around)]
    intents = [intent for intent in found if intent is not None]
    if not intents:
        return _read_program(name, argv, around)
    strongest = max(intents, key=weigh)
    return msgspec.structs.replace(strongest, wrappers=(name, *strongest.wrappers))


def _read_program(name: str, argv: tuple[str, ...], around: Around) -> Intent | None:
    if name not in INTERPRETERS:
        return None
    texts = [argv[index + 1] for index, word in enumerate(argv[:-1][:16]) if word in {"-c", "-e", "-r", "eval"}]
    intent = read_program(texts[0], around) if texts else None
    return intent and msgspec.structs.replace(intent, wrappers=(name,))


def _complete(intent: Intent, around: Around, depth: int) -> Intent:
    if not intent.command:
        return intent
    intent = msgspec.structs.replace(intent, program=find_program(intent.command, around))
    inner = _read(intent.command, Around(), depth=depth + 1)
    if inner is None:
        return intent
    facts = tuple(dict.fromkeys((*intent.facts, f"inner:{inner.tool}")))
    if intent.tool not in _ENTERING:
        return msgspec.structs.replace(intent, facts=facts)
    if intent.host_namespaces:
        return merge_intents(msgspec.structs.replace(intent, facts=facts), inner)
    # Without the host's namespaces what it runs says more than the change of root or namespace around it.
    return msgspec.structs.replace(
        merge_intents(inner, intent),
        command=inner.command,
        program=inner.program,
        wrappers=(intent.tool, *inner.wrappers),
    )


# Options that only a client of a runtime has, with what it then is and the commands that prove it.
_TELLING = {
    "--address": ("ctr", CTR),
    "-address": ("ctr", CTR),
    "-a": ("ctr", CTR),
    "--runtime-endpoint": ("crictl", CRICTL),
    "-r": ("crictl", CRICTL),
    "--host": ("docker", DOCKER),
    "-H": ("docker", DOCKER),
    "--url": ("podman", PODMAN),
}
# What any path could be a link to is looked at only where it is called a socket: -a and -r say too little,
# and the kernel's filter (agent/detect/intent_bytes.py) has nothing but the text.
_SOCKET = re.compile(r"\.sock\b|/containerd-shim/|/kubelet/(?:device-plugins|pod-resources)/")


def _guess(argv: tuple[str, ...], around: Around) -> Intent | None:
    for index, word in enumerate(argv[1:8], start=1):
        option, equals, value = word.partition("=")
        if option not in _TELLING:
            continue
        value = value if equals else (argv[index + 1] if index + 1 < len(argv) else "")
        tool, commands = _TELLING[option]
        if not _SOCKET.search(value) or not is_runtime_socket(name_endpoint(value, around)):
            continue
        intent = _READERS[tool](tool, argv, around)
        if intent is not None and (intent.verb or "").partition(" ")[0] in commands.children:
            return msgspec.structs.replace(intent, renamed=True, facts=(*intent.facts, "guessed"))
    return None
