"""
The powers that the engines' run-like commands spell alike: docker, podman, nerdctl, buildah, Compose, services.

Sources: docker/cli cli/command/container/opts.go, podman's cmd/podman/common/create.go and
pkg/specgenutil, nerdctl's cmd/nerdctl/container, runtime-spec's config-linux.md.
"""

import re
from collections.abc import Iterable
from typing import Any

from agent.intent.grammar import Parsed, every, is_on, last
from agent.intent.hostns import is_host_file
from agent.intent.mounts import Around, Mount, normalise_path, parse_mount, parse_volume

# Members of an Intent under their names, to be completed by a reader.
Members = dict[str, Any]

_NAMESPACE_OPTIONS = {"pid": "pid", "ipc": "ipc", "uts": "uts", "userns": "user", "cgroupns": "cgroup"}
# Both of these option names say the same thing of a service.
_MOUNTS = ("mount", "mount-add")
_NETWORKS = ("network", "network-add")
_UNCONFINED_MASKS = frozenset(("systempaths", "unmask"))


def read_powers(parsed: Parsed, around: Around) -> Members:
    """Read what a container is given beyond its image: namespaces, mounts, capabilities, devices, confinement."""
    hosts, joined = _read_namespaces(parsed)
    unconfined, profiles = read_security(every(parsed, "security-opt"))
    mounts = [parse_volume(value, around) for value in every(parsed, "volume")]
    mounts += [mount for value in every(parsed, *_MOUNTS) for mount in parse_mount(value, around)]
    devices = [value.partition(":")[0] for value in every(parsed, "device")]
    mounts += [Mount(normalise_path(path, around), device=True) for path in devices if path.startswith(("/", "."))]
    members: Members = {
        "privileged": is_on(parsed, "privileged"),
        "host_namespaces": hosts,
        "joined_namespaces": joined,
        "capabilities": parse_capabilities(every(parsed, "cap-add", "cap")),
        "unconfined": unconfined,
        "interactive": is_on(parsed, "interactive", "tty"),
        "user": last(parsed, "user"),
        "facts": (*_read_facts(parsed, devices), *profiles),
    }
    return {**members, **name_mounts(mounts)}


def name_mounts(found: Iterable[Mount | None]) -> Members:
    """Sort mounts into the members of an Intent."""
    mounts = [mount for mount in found if mount is not None]
    paths = [mount for mount in mounts if not mount.device]
    return {
        "mounts": tuple(dict.fromkeys(mount.path for mount in paths)),
        "writable_mounts": tuple(dict.fromkeys(mount.path for mount in paths if mount.writable)),
        "devices": tuple(dict.fromkeys(mount.path for mount in mounts if mount.device)),
    }


def parse_capabilities(values: Iterable[str]) -> tuple[str, ...]:
    """Read capability names in any case, with or without ``CAP_``, also several in one value."""
    names = (name.strip().upper().removeprefix("CAP_") for value in values for name in value.split(","))
    return tuple(sorted({name for name in names if name}))


def _read_namespaces(parsed: Parsed) -> tuple[tuple[str, ...], tuple[str, ...]]:
    hosts, joined = set(), set()
    asked = [(kind, last(parsed, option)) for option, kind in _NAMESPACE_OPTIONS.items()]
    asked += [("net", _network_name(value)) for value in every(parsed, *_NETWORKS)]
    for kind, value in asked:
        if value is None:
            continue
        path = value.removeprefix("ns:")
        if value == "host" or (path.startswith("/") and is_host_file(path)):
            hosts.add(kind)
        elif value.startswith(("container:", "ns:", "/")):
            joined.add(kind)
    return tuple(sorted(hosts)), tuple(sorted(joined))


def _network_name(value: str) -> str:
    # docker's long form is a CSV record whose keys and values it puts in lower case.
    if "=" not in value.partition(":")[0]:
        return value.partition(",")[0]
    fields = dict(field.strip().partition("=")[::2] for field in value.lower().split(","))
    return fields.get("name", "")


def read_security(values: Iterable[str]) -> tuple[tuple[str, ...], list[str]]:
    """Read ``--security-opt``, with ``=`` or the older ``:``; gives what is unconfined, and facts."""
    unconfined, profiles = set(), []
    for given in values:
        key, sign, value = given.partition("=")
        if not sign:
            key, sign, value = given.partition(":")
        value = value.strip()
        if key in {"seccomp", "apparmor"} and value == "unconfined":
            unconfined.add(key)
        elif key == "seccomp" and value not in {"", "builtin"}:
            profiles.append(f"seccomp-profile:{value[:256]}")
        elif key == "label" and (value == "disable" or value.startswith(("type:spc_t", "type:unconfined_t"))):
            unconfined.add("selinux")
        elif key == "no-new-privileges" and value.lower() in {"false", "0", "f"}:
            unconfined.add("no-new-privileges")
        elif key in _UNCONFINED_MASKS and value:
            unconfined.add("masked-paths")
        elif key == "privileged-without-host-devices":
            profiles.append("privileged-devices-off")
    return tuple(sorted(unconfined)), profiles


_DESCRIPTOR = re.compile(r"/+(?:proc/+(?:self|thread-self|[0-9]+)/+fd|dev/+fd)/+[0-9]")
_VALUE_FACTS = (
    "allow",
    "cgroup-parent",
    "device-cgroup-rule",
    "group-add",
    "runtime",
    "volumes-from",
    "hooks-dir",
)


def read_workdir(value: str | None) -> list[str]:
    """
    Tell of a working directory behind an open descriptor, by which a container of an old runc is on the host.

    Source: CVE-2024-21626.
    """
    return [f"workdir:{value[:256]}"] if value and _DESCRIPTOR.match(value) else []


def _read_facts(parsed: Parsed, devices: Iterable[str]) -> list[str]:
    facts = [f"{name}:{value[:256]}" for name in _VALUE_FACTS for value in every(parsed, name)]
    facts += read_workdir(last(parsed, "workdir", "workingdir"))
    facts += [f"cdi:{name[:256]}" for name in devices if not name.startswith(("/", ".")) and "=" in name]
    facts += [name for name in ("env-host", "use-api-socket") if is_on(parsed, name)]
    if any(int(value) for value in every(parsed, "preserve-fds") if value.isdecimal() and len(value) < 10):
        facts.append("preserve-fds")
    facts += [f"userns-map:{value[:64]}" for value in every(parsed, "uidmap") if value.split(":")[1:2] == ["0"]]
    shared = ("shared", "rshared")
    if any(
        set(value.replace(":", ",").replace("=", ",").split(",")) & {*shared}
        for value in every(parsed, "volume", "mount")
    ):
        facts.append("propagation:shared")
    return facts
