"""What a ctr or crictl command line asks for."""

from collections.abc import Callable, Sequence

from agent.intent.endpoint import name_endpoint
from agent.intent.grammar import Grammar, Parsed, every, is_off, is_on, last
from agent.intent.hostns import KINDS, is_host_file
from agent.intent.invocation import Cli, Invocation, read_invocation
from agent.intent.model import FileReference, Intent
from agent.intent.mounts import Around, Mount, normalise_path, parse_mount
from agent.intent.powers import Members, name_mounts, parse_capabilities
from agent.intent.tables.containerd import CRICTL, CTR

_CTR = Cli(CTR, Grammar.GO_FLAG)
_CRICTL = Cli(CRICTL, Grammar.GO_CLUSTERS)


def read_ctr(argv: Sequence[str], around: Around) -> Intent:
    """Read a command line of ctr; ``argv[0]`` is the CLI itself."""
    invocation = read_invocation(_CTR, argv)
    endpoint = last(invocation.above, "address") or around.env.get("CONTAINERD_ADDRESS")
    reader = _CTR_READERS.get(invocation.verb or "", _read_words)
    return Intent(
        tool="ctr",
        verb=invocation.verb,
        namespace=last(invocation.above, "namespace") or around.env.get("CONTAINERD_NAMESPACE"),
        endpoint=name_endpoint(endpoint, around) if endpoint else None,
        notes=invocation.notes,
        **reader(invocation, around),
    )


def _read_words(invocation: Invocation, _around: Around) -> Members:
    words = invocation.words
    return {"target": words[0] if words else last(invocation.above, "id")}


def _read_ctr_run(invocation: Invocation, around: Around) -> Members:
    options, words = invocation.options, invocation.words
    config = last(options, "config")
    hosts, joined = _read_joined(options)
    mounts = [mount for value in every(options, "mount") for mount in parse_mount(value, around, kind="bind")]
    mounts += [Mount(normalise_path(path, around), device=True) for path in every(options, "device")]
    if is_on(options, "rootfs") and words and not config:
        mounts.append(Mount(normalise_path(words[0], around)))
    without_devices = is_on(options, "privileged-without-host-devices")
    members: Members = {
        "privileged": is_on(options, "privileged") or without_devices,
        "host_namespaces": tuple(sorted({*hosts, *(("net",) if is_on(options, "net-host") else ())})),
        "joined_namespaces": joined,
        "capabilities": parse_capabilities(every(options, "cap-add")),
        "unconfined": _read_unconfined(options),
        "interactive": is_on(options, "tty"),
        "user": last(options, "user"),
        "facts": _read_facts(options, without_devices=without_devices),
        **name_mounts(mounts),
    }
    if config:
        # A spec takes the place of the image; the container's name is the first word.
        members["files"] = (FileReference("spec", normalise_path(config, around)),)
        return {**members, "target": words[0] if words else None, "command": words[1:]}
    return {
        **members,
        "image": words[0] if words else None,
        "target": words[1] if len(words) > 1 else None,
        "command": words[2:],
    }


def _read_joined(options: Parsed) -> tuple[tuple[str, ...], tuple[str, ...]]:
    hosts: set[str] = set()
    joined: set[str] = set()
    for value in every(options, "with-ns"):
        kind, _, path = value.partition(":")
        (hosts if is_host_file(path) else joined).add(KINDS.get(kind, kind[:16]))
    return tuple(sorted(hosts)), tuple(sorted(joined))


def _read_unconfined(options: Parsed) -> tuple[str, ...]:
    found = []
    if last(options, "apparmor-profile") == "unconfined":
        found.append("apparmor")
    if is_on(options, "allow-new-privs"):
        found.append("no-new-privileges")
    if is_off(options, "seccomp"):
        found.append("seccomp")
    return tuple(found)


def _read_facts(options: Parsed, *, without_devices: bool) -> tuple[str, ...]:
    facts = [f"runtime:{value[:256]}" for value in every(options, "runtime", "runc-binary")]
    facts += [f"seccomp-profile:{value[:256]}" for value in every(options, "seccomp-profile")]
    facts += [f"device-cgroup-rule:{value[:64]}" for value in every(options, "device-cgroup-rule")]
    facts += [f"cgroup-parent:{value[:256]}" for value in every(options, "cgroup")]
    facts += [f"sandbox:{value[:256]}" for value in every(options, "sandbox")]
    facts += [f"with-ns:{value[:256]}" for value in every(options, "with-ns")]
    facts += [
        f"propagation:{value}" for value in every(options, "rootfs-propagation") if value in {"shared", "rshared"}
    ]
    if without_devices:
        facts.append("privileged-devices-off")
    return tuple(facts)


def _read_exec(invocation: Invocation, _around: Around) -> Members:
    options, words = invocation.options, invocation.words
    return {
        "target": words[0] if words else None,
        "command": words[1:],
        "interactive": is_on(options, "tty"),
        "user": last(options, "user"),
    }


def _read_shim_exec(invocation: Invocation, around: Around) -> Members:
    spec = last(invocation.options, "spec")
    return {
        "target": last(invocation.above, "id"),
        "command": invocation.words,
        "interactive": is_on(invocation.options, "tty"),
        "files": (FileReference("process", normalise_path(spec, around)),) if spec else (),
    }


def _read_image(invocation: Invocation, _around: Around) -> Members:
    words = invocation.words
    return {"image": words[0] if words else None}


def _read_mount(invocation: Invocation, around: Around) -> Members:
    words = invocation.words
    paths = tuple(normalise_path(word, around) for word in words if word.startswith(("/", ".")))
    return {"target": next((word for word in words if not word.startswith(("/", "."))), None), "host_paths": paths}


def _read_import(invocation: Invocation, around: Around) -> Members:
    words = invocation.words
    return {"facts": (f"pull-path:{normalise_path(words[0], around)[:256]}",) if words else ()}


_CTR_READERS: dict[str, Callable[[Invocation, Around], Members]] = {
    "run": _read_ctr_run,
    "create": _read_ctr_run,
    "exec": _read_exec,
    "shim exec": _read_shim_exec,
    "pull": _read_image,
    "push": _read_image,
    "mount": _read_mount,
    "unmount": _read_mount,
    "import": _read_import,
}


def read_crictl(argv: Sequence[str], around: Around) -> Intent:
    """Read a command line of crictl; ``argv[0]`` is the CLI itself."""
    invocation = read_invocation(_CRICTL, argv)
    endpoint = last(invocation.above, "runtime-endpoint", "image-endpoint")
    endpoint = endpoint or around.env.get("CONTAINER_RUNTIME_ENDPOINT")
    members = _CRICTL_READERS.get(invocation.verb or "", _read_words)(invocation, around)
    return Intent(
        tool="crictl",
        verb=invocation.verb,
        endpoint=name_endpoint(endpoint, around) if endpoint else None,
        notes=invocation.notes,
        **members,
    )


# Options that select containers take the place of the first word.
_SELECTORS = ("name", "pod", "image", "state", "label", "latest", "last")


def _read_crictl_exec(invocation: Invocation, _around: Around) -> Members:
    options, words = invocation.options, invocation.words
    selected = any(every(options, name) for name in _SELECTORS)
    target = last(options, *_SELECTORS) if selected else (words[0] if words else None)
    return {
        "target": target,
        "command": words if selected else words[1:],
        "interactive": is_on(options, "interactive", "tty"),
        "facts": ("sync",) if is_on(options, "sync") else (),
    }


def _read_crictl_files(invocation: Invocation, around: Around) -> Members:
    words, runtime = invocation.words, last(invocation.options, "runtime")
    target = words[0] if invocation.verb == "create" and words else None
    files = words[1:3] if invocation.verb == "create" else words[:2]
    kinds = ("pod-config",) if invocation.verb == "runp" else ("container-config", "pod-config")
    return {
        "target": target,
        "files": tuple(
            FileReference(kind, path if path == "-" else normalise_path(path, around))
            for kind, path in zip(kinds, files, strict=False)
        ),
        "facts": (f"runtime:{runtime[:256]}",) if runtime else (),
    }


def _read_crictl_attach(invocation: Invocation, around: Around) -> Members:
    return {**_read_words(invocation, around), "interactive": is_on(invocation.options, "stdin", "tty")}


_CRICTL_READERS: dict[str, Callable[[Invocation, Around], Members]] = {
    "exec": _read_crictl_exec,
    "attach": _read_crictl_attach,
    "run": _read_crictl_files,
    "runp": _read_crictl_files,
    "create": _read_crictl_files,
    "pull": _read_image,
}
