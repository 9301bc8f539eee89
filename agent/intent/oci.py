"""
What an OCI bundle's ``config.json`` gives a container: the truth, whoever asked for it and how.

Sources: runtime-spec's config.md and config-linux.md; containerd's pkg/cri/annotations, CRI-O's
pkg/annotations and moby's oci/defaults.go for what the callers write into it.
"""

import posixpath
import re
from collections.abc import Callable

from agent.intent.documents import fold_keys, parse_documents
from agent.intent.hostns import KINDS, is_host_file
from agent.intent.model import Intent
from agent.intent.mounts import Around, Mount, normalise_path, read_volume_options
from agent.intent.powers import Members, name_mounts, parse_capabilities
from agent.intent.tree import Mapping, child, child_list, child_map, child_text, child_texts, is_true

# What docker and containerd give every container; podman and CRI-O give less.
DEFAULT_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP "
        "SETUID SYS_CHROOT"
    ).split()
)
# Linux 3.16 had 37; what a runtime holds back of those that came since is nothing beside them.
_ALL_CAPABILITIES = 37
# The namespaces that every engine makes anew. One of users is made for few containers, one of cgroups
# for none under cgroup v1, one of time for none at all: their absence says nothing.
_ALWAYS_NEW = ("ipc", "mnt", "net", "pid", "uts")
# Sources of the mounts by which engines and the kubelet hand a container its hosts file and the like, and of
# volumes, which no command line names by their place on the host either.
_PLUMBING = re.compile(
    r"/containers/(?:[\w.-]+/)?[0-9a-f]{64}/(?:resolv\.conf|hostname|hosts|mounts/shm|mounts/secrets|secrets)\Z"
    r"|/[a-z0-9]+-containers/[0-9a-f]{64}/userdata/(?:resolv\.conf|hostname|hosts|shm|\.containerenv|run/[\w./-]+)\Z"
    r"|/io\.containerd\.grpc\.v1\.cri/sandboxes/[0-9a-f]{64}/(?:resolv\.conf|hostname|hosts|shm)\Z"
    r"|/etchosts/[\w.-]+/[0-9a-f]{64}/hosts\Z"
    r"|/volumes/(?:[\w.-]+/){1,2}_data\Z"
    r"|\A(?:/var/snap/microk8s/common)?/var/lib/kubelet/pods/[0-9a-f-]{32,36}/"
    r"(?:etc-hosts|containers|volumes|volume-subpaths|plugins)(?:/|\Z)"
    r"|\A/dev/(?:shm|mqueue|pts)\Z"
)
_DEFAULT_DEVICES = frozenset(f"/dev/{name}" for name in "null zero full random urandom tty console ptmx".split())
_MEMORY_DEVICES = {1: "/dev/mem", 2: "/dev/kmem", 4: "/dev/port", 11: "/dev/kmsg"}
_MAX_NAMED = 64
_IMAGE = ("io.kubernetes.cri.image-name", "io.kubernetes.cri-o.imagename", "io.kubernetes.cri-o.image")
_POD = ("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name", "io.kubernetes.cri-o.kubename")
_NAMESPACE = (
    "io.kubernetes.cri.sandbox-namespace",
    "io.kubernetes.pod.namespace",
    "io.kubernetes.cri-o.namespace",
    "nerdctl/namespace",
)
_CONTAINER = (
    "io.kubernetes.cri.container-name",
    "io.kubernetes.container.name",
    "nerdctl/name",
    "io.kubernetes.cri-o.name",
)
_POD_UID = ("io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid")


def read_bundle(data: bytes, around: Around, is_host: Callable[[str], bool] = is_host_file) -> Intent:
    """
    Read a ``config.json``.

    Args:
        data: the file.
        around: its working directory is the bundle's directory, to which the root and bind sources are relative.
        is_host: tells whether a namespace file is the host's; by its name alone unless the caller knows better.

    Raises:
        ValueError: it is not JSON, or no object; its text is the reason.
    """
    spec = _read_object(data)
    linux = child_map(spec, "linux")
    hosts, joined = _read_namespaces(linux, is_host)
    root = child_text(spec, "root", "path")
    process = _read_process(child_map(spec, "process"))
    found = _read_devices(linux)
    found += [mount for entry in child_list(spec, "mounts") for mount in _read_mount(entry, around)]
    root_path = normalise_path(root, around) if root else None
    if root_path == "/":
        found.append(Mount(root_path, writable=not is_true(spec, "root", "readonly")))
    unmasked = not child_list(linux, "maskedpaths") and not child_list(linux, "readonlypaths")
    unconfined = {*process["unconfined"], *(["masked-paths"] if unmasked else [])}
    if not child_map(linux, "seccomp"):
        unconfined.add("seccomp")
    rules = _read_device_rules(linux)
    members = {
        **process,
        "host_namespaces": hosts,
        "joined_namespaces": joined,
        "unconfined": tuple(sorted(unconfined)),
        "root": root_path,
        "privileged": unmasked and process["capabilities"] == ("ALL",),
        "rootless": "user" not in hosts + joined and _is_mapped(linux),
        **_read_names(child_map(spec, "annotations")),
        **name_mounts(found),
    }
    facts = (*members.pop("named"), *_read_facts(spec, linux, rules))
    if members["privileged"] and "device-cgroup-rule:a *:* rwm" not in facts:
        facts = (*facts, "privileged-devices-off")
    return Intent(tool="oci", source="bundle", facts=facts, **members)


def read_process(data: bytes) -> Intent:
    """
    Read the ``process.json`` of ``runc exec --process``, the member `process` of a ``config.json``.

    Raises:
        ValueError: it is not JSON, or no object; its text is the reason.
    """
    return Intent(tool="oci", source="bundle", **_read_process(_read_object(data)))


def _read_object(data: bytes) -> Mapping:
    documents = parse_documents(data)
    folded = fold_keys(documents[0]) if documents else None
    if not isinstance(folded, dict):
        raise ValueError("it holds no JSON object")  # noqa: TRY004 -- the type of a text's content
    return folded


def _read_process(process: Mapping) -> Members:
    capabilities = child_map(process, "capabilities")
    held = parse_capabilities(name for kind in capabilities for name in child_texts(capabilities, kind))
    added = tuple(name for name in held if name not in DEFAULT_CAPABILITIES)
    unconfined = ["apparmor"] if child(process, "apparmorprofile") == "unconfined" else []
    if re.search(r":(?:spc_t|unconfined_t)(?::|\Z)", child_text(process, "selinuxlabel") or ""):
        unconfined.append("selinux")
    user, group = (child_text(process, "user", key) for key in ("uid", "gid"))
    command = tuple(child_texts(process, "args"))
    return {
        "capabilities": ("ALL",) if len(held) >= _ALL_CAPABILITIES else added,
        "unconfined": tuple(unconfined),
        "user": f"{user}:{group or 0}" if user else None,
        "command": command,
        "program": posixpath.basename(command[0]) if command else None,
        "interactive": is_true(process, "terminal"),
    }


def _read_namespaces(linux: Mapping, is_host: Callable[[str], bool]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    kinds: dict[str, str | None] = {}
    for entry in child_list(linux, "namespaces"):
        kind = KINDS.get(child_text(entry, "type") or "")
        if kind is not None:
            kinds[kind] = child_text(entry, "path")
    hosts = {kind for kind in _ALWAYS_NEW if kind not in kinds}
    hosts.update(kind for kind, path in kinds.items() if path is not None and is_host(path))
    return tuple(sorted(hosts)), tuple(sorted(kind for kind, path in kinds.items() if path and kind not in hosts))


def _read_mount(entry: object, around: Around) -> list[Mount]:
    kind, source = child_text(entry, "type") or "", child_text(entry, "source") or ""
    options = child_texts(entry, "options")
    writable = {"ro", "rro"}.isdisjoint(options)
    if kind == "overlay":
        return list(read_volume_options(["type=overlay", "o=" + ",".join(options)], around, writable=writable))
    if {"bind", "rbind"}.isdisjoint((kind, *options)):
        is_device = source.startswith("/dev/")
        return [Mount(normalise_path(source, around), writable, device=True)] if is_device else []
    path = normalise_path(source, around) if source else ""
    return [] if not path or _PLUMBING.search(path) else [Mount(path, writable)]


def _read_devices(linux: Mapping) -> list[Mount]:
    found = []
    for entry in child_list(linux, "devices"):
        path = child_text(entry, "path") or ""
        major, minor = child(entry, "major"), child(entry, "minor")
        names = [] if path in _DEFAULT_DEVICES or not path else [path]
        # The path is the container's and may be anything; the numbers say what it is.
        if child(entry, "type") == "b":
            names.append(f"/dev/block/{major}:{minor}")
        elif major == 1 and isinstance(minor, int) and minor in _MEMORY_DEVICES:
            names.append(_MEMORY_DEVICES[minor])
        found += [Mount(posixpath.normpath(name), device=True) for name in names]
    # A privileged container has each of the host's: those that hold its data come first.
    return sorted(found, key=lambda mount: not mount.path.startswith("/dev/block/"))[:_MAX_NAMED]


def _read_device_rules(linux: Mapping) -> list[str]:
    # Each character device that is listed has a rule of its own, and mknod alone opens nothing.
    rules = []
    for entry in child_list(linux, "resources", "devices"):
        kind, access = child_text(entry, "type") or "a", child_text(entry, "access") or ""
        if is_true(entry, "allow") and kind in {"a", "b"} and set(access) & {"r", "w"}:
            numbers = [child_text(entry, name) or "*" for name in ("major", "minor")]
            rules.append(f"device-cgroup-rule:{kind} {':'.join(numbers)} {access[:3]}".replace("-1", "*"))
    return rules[:_MAX_NAMED]


def _read_facts(spec: Mapping, linux: Mapping, rules: list[str]) -> list[str]:
    facts = list(dict.fromkeys(rules))
    for hooks in child_map(spec, "hooks").values():
        paths = [child_text(hook, "path") for hook in (hooks if isinstance(hooks, list) else [])]
        facts += [f"hook:{posixpath.normpath(path)[:256]}" for path in paths[:_MAX_NAMED] if path]
    shared = [set(child_texts(entry, "options")) & {"shared", "rshared"} for entry in child_list(spec, "mounts")]
    if any(shared) or child(linux, "rootfspropagation") in {"shared", "rshared"}:
        facts.append("propagation:shared")
    return list(dict.fromkeys(facts))


def _is_mapped(linux: Mapping) -> bool:
    # A user namespace whose root is somebody else outside.
    kinds = [child(entry, "type") for entry in child_list(linux, "namespaces")]
    mappings = child_list(linux, "uidmappings")
    outside = [child(entry, "hostid") for entry in mappings if child(entry, "containerid") == 0]
    return "user" in kinds and bool(outside) and 0 not in outside


def _read_names(annotations: Mapping) -> Members:
    pod, container, uid = (_first(annotations, names) for names in (_POD, _CONTAINER, _POD_UID))
    named = [f"container:{container[:256]}"] if pod and container else []
    named += [f"pod:{pod[:256]}"] if pod else []
    named += [f"pod-uid:{uid[:64]}"] if uid else []
    return {
        "image": _first(annotations, _IMAGE),
        "target": pod or container,
        "namespace": _first(annotations, _NAMESPACE),
        "named": named,
    }


def _first(annotations: Mapping, names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := child_text(annotations, name))), None)
