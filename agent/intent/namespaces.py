"""What the tools ask for that enter or make namespaces and roots: nsenter, unshare, chroot, nspawn, lxc-attach."""

from collections.abc import Callable, Sequence

from agent.intent.grammar import Grammar, Parsed, every, is_on, last, parse_options
from agent.intent.hostns import KINDS, is_host_file, is_pid_one
from agent.intent.model import Intent
from agent.intent.mounts import Around, Mount, normalise_path
from agent.intent.options import Table
from agent.intent.powers import name_mounts, parse_capabilities
from agent.intent.tables.namespaces import CAPSH, CHROOT, LXC_ATTACH, MACHINECTL, NSENTER, NSPAWN, UNSHARE
from agent.intent.tables.wrappers import WRAPPERS

# The namespaces that nsenter and unshare have an option for, by that option's name.
_OPTIONS = ("mount", "uts", "ipc", "net", "pid", "user", "cgroup", "time")
_ALL = tuple(sorted(KINDS[option] for option in _OPTIONS))


def read_namespaces(tool: str, argv: Sequence[str], around: Around) -> Intent:
    """Read a command line of one of these tools; ``argv[0]`` is the tool itself."""
    table, stops, reader = _TOOLS[tool]
    return reader(parse_options(Grammar.GETOPT, table, argv, 1, stops=stops), around)


def _read_nsenter(parsed: Parsed, around: Around) -> Intent:
    target = last(parsed, "target")
    hosts: set[str] = set()
    joined: set[str] = set()
    for option in _OPTIONS:
        for value in parsed.values.get(option, ()):
            path = value.removeprefix("=")
            is_host = _leads_to_host(path, around) if path else target is not None and is_pid_one(target)
            (hosts if is_host else joined).add(KINDS[option])
    if "all" in parsed.values and target is not None:
        (hosts if is_pid_one(target) else joined).update(_ALL)
    root = last(parsed, "root")
    if root == "" and target is not None:
        root = f"/proc/{target.strip()[:16]}/root"
    return Intent(
        tool="nsenter",
        verb="enter",
        host_namespaces=tuple(sorted(hosts)),
        joined_namespaces=tuple(sorted(joined - hosts)),
        target=target,
        root=normalise_path(root, around) if root else None,
        user=last(parsed, "setuid"),
        command=parsed.words,
        notes=parsed.notes,
    )


def _leads_to_host(path: str, around: Around) -> bool:
    return is_host_file(path) or is_host_file(normalise_path(path, around))


def _read_unshare(parsed: Parsed, around: Around) -> Intent:
    made = {KINDS[option] for option in _OPTIONS if option in parsed.values}
    maps = [name for name in parsed.values if name.startswith("map-")]
    if maps:
        made.add("user")
    if "mount-proc" in parsed.values:
        made.add("mnt")
    maps_root = "map-root-user" in parsed.values or last(parsed, "map-user") in {"0", "root"}
    facts = ["map-root"] if maps_root else []
    facts += [f"propagation:{value}" for value in every(parsed, "propagation") if value == "shared"]
    root = last(parsed, "root")
    return Intent(
        tool="unshare",
        verb="unshare",
        new_namespaces=tuple(sorted(made)),
        root=normalise_path(root, around) if root else None,
        user=last(parsed, "setuid"),
        command=parsed.words,
        facts=tuple(facts),
        notes=parsed.notes,
    )


def _read_chroot(parsed: Parsed, around: Around) -> Intent:
    words = parsed.words
    return Intent(
        tool="chroot",
        verb="chroot" if words else None,
        root=normalise_path(words[0], around) if words else None,
        user=last(parsed, "userspec"),
        command=words[1:],
        notes=parsed.notes,
    )


def _read_capsh(parsed: Parsed, around: Around) -> Intent:
    root = last(parsed, "chroot")
    return Intent(
        tool="capsh",
        verb="chroot" if root else "print" if "print" in parsed.values else None,
        root=normalise_path(root, around) if root else None,
        user=last(parsed, "uid", "user"),
        command=() if parsed.terminated is None else ("/bin/bash", *parsed.words),
    )


def _read_nspawn(parsed: Parsed, around: Around) -> Intent:
    directory = last(parsed, "directory", "template")
    binds = [
        (value, writable) for name, writable in (("bind", True), ("bind-ro", False)) for value in every(parsed, name)
    ]
    mounts = [Mount(normalise_path(_bind_source(value), around), writable) for value, writable in binds]
    if directory is not None and normalise_path(directory, around) == "/":
        mounts.append(Mount("/", not is_on(parsed, "ephemeral", "read-only")))
    image = last(parsed, "image", "machine")
    devices = [image] if image and image.startswith("/dev/") else []
    properties = [value.partition("=") for value in every(parsed, "property")]
    devices += [value.split()[0] for key, _, value in properties if key == "DeviceAllow" and value.startswith("/dev/")]
    mounts += [Mount(normalise_path(path, around), device=True) for path in devices]
    members = name_mounts(mount for mount in mounts if mount.path)
    network = [name for name in parsed.values if name.startswith(("private-network", "network-")) or name == "port"]
    host_file = last(parsed, "network-namespace-path")
    hosts = {"net"} if host_file and is_host_file(host_file) else set()
    if last(parsed, "private-users") in {"no", "identity"}:
        hosts.add("user")
    facts = [] if network else ["shared-network"]
    facts += ["boots"] if is_on(parsed, "boot") else []
    return Intent(
        tool="systemd-nspawn",
        verb="run",
        capabilities=parse_capabilities(every(parsed, "capability", "ambient-capability")),
        host_namespaces=tuple(sorted(hosts)),
        image=image,
        target=last(parsed, "machine"),
        root=normalise_path(directory, around) if directory else None,
        user=last(parsed, "user"),
        command=parsed.words,
        facts=tuple(facts),
        notes=parsed.notes,
        **members,
    )


def _bind_source(value: str) -> str:
    # "+" and "-" before the source are nspawn's marks for a relative and for an optional one.
    return value.partition(":")[0].lstrip("+-")


_MACHINECTL_VERBS = {"shell": "exec", "login": "attach", "copy-to": "cp", "copy-from": "cp"}


def _read_machinectl(parsed: Parsed, around: Around) -> Intent:
    words = parsed.words
    verb = words[0] if words else "list"
    target = words[1] if len(words) > 1 else None
    user = last(parsed, "uid")
    if verb == "shell" and target and "@" in target:
        user, _, target = target.partition("@")
    binds = (
        [Mount(normalise_path(words[2], around), not is_on(parsed, "read-only"))]
        if verb == "bind" and words[2:]
        else []
    )
    copies = {"copy-to": words[2:3], "copy-from": words[3:4] or words[2:3]}.get(verb, ())
    return Intent(
        tool="machinectl",
        verb=_MACHINECTL_VERBS.get(verb, verb[:64]),
        target=(target or ".host") if verb == "shell" else target,
        user=user,
        interactive=verb in {"shell", "login"},
        command=words[2:] if verb == "shell" else (),
        host_paths=tuple(normalise_path(path, around) for path in copies),
        endpoint=last(parsed, "host"),
        notes=parsed.notes,
        **name_mounts(binds),
    )


def read_machine_run(argv: Sequence[str]) -> Intent | None:
    """
    Read a command line of systemd-run; ``argv[0]`` is the tool itself.

    Returns:
        None where the unit runs on the host, so that what it runs says everything.
    """
    parsed = parse_options(Grammar.GETOPT, WRAPPERS["systemd-run"].options, argv, 1)
    user, _, machine = (last(parsed, "machine") or "").rpartition("@")
    if machine in {"", ".host"}:
        return None
    return Intent(
        tool="machinectl",
        verb="exec",
        target=machine,
        user=user or last(parsed, "uid"),
        interactive=is_on(parsed, "pty", "pty-late", "pipe", "shell"),
        command=parsed.words or ("sh",),
        notes=parsed.notes,
    )


def _read_lxc_attach(parsed: Parsed, _around: Around) -> Intent:
    return Intent(
        tool="lxc",
        verb="exec",
        target=last(parsed, "name"),
        privileged="elevated-privileges" in parsed.values,
        user=last(parsed, "uid"),
        interactive=not parsed.words,
        command=parsed.words,
        notes=parsed.notes,
    )


_TOOLS: dict[str, tuple[Table, bool, Callable[[Parsed, Around], Intent]]] = {
    "nsenter": (NSENTER, True, _read_nsenter),
    "unshare": (UNSHARE, True, _read_unshare),
    "chroot": (CHROOT, True, _read_chroot),
    "capsh": (CAPSH, False, _read_capsh),
    "systemd-nspawn": (NSPAWN, True, _read_nspawn),
    "machinectl": (MACHINECTL, False, _read_machinectl),
    "lxc-attach": (LXC_ATTACH, True, _read_lxc_attach),
}
