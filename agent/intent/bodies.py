"""
The body of a request to an engine's or a cluster's API: what it asks for, read as the same ``docker run``.

Sources: the Docker Engine API (ContainerCreate, ContainerExec, VolumeCreate), podman's libpod API
(SpecGenerator); bodies of the Kubernetes API are manifests.
"""

import posixpath
from collections.abc import Sequence

import msgspec

from agent.intent.documents import fold_keys
from agent.intent.grammar import Parsed
from agent.intent.kubernetes import read_manifest
from agent.intent.model import Intent
from agent.intent.mounts import Around, Mount, normalise_path, read_volume_options
from agent.intent.powers import name_mounts, read_powers
from agent.intent.tree import Mapping, as_text, child, child_list, child_map, child_text, child_texts, is_true

_SWITCHES = (("privileged", "privileged"), ("tty", "tty"), ("openstdin", "tty"), ("terminal", "tty"), ("stdin", "tty"))
_MODES = (
    ("pidmode", "pid"),
    ("ipcmode", "ipc"),
    ("networkmode", "network"),
    ("utsmode", "uts"),
    ("usernsmode", "userns"),
    ("cgroupnsmode", "cgroupns"),
    ("cgroupparent", "cgroup-parent"),
    ("runtime", "runtime"),
    ("user", "user"),
)
# Libpod has an object for each: {"nsmode": "host"}.
_LIBPOD = (
    ("pidns", "pid"),
    ("ipcns", "ipc"),
    ("netns", "network"),
    ("utsns", "uts"),
    ("userns", "userns"),
    ("cgroupns", "cgroupns"),
)
_LISTS = (
    ("capadd", "cap-add"),
    ("devicecgrouprules", "device-cgroup-rule"),
    ("securityopt", "security-opt"),
    ("groupadd", "group-add"),
    ("groups", "group-add"),
    ("volumesfrom", "volumes-from"),
    ("binds", "volume"),
)


def read_body(documents: Sequence[object], around: Around) -> Intent:
    """
    Read the body of an API request, whichever API it is for.

    Args:
        documents: as `parse_documents` gives them.
        around: resolves the symbolic links of the host's paths.
    """
    folded = fold_keys(documents[0]) if documents else None
    body: Mapping = folded if isinstance(folded, dict) else {}
    if child_text(body, "kind") or child_text(body, "apiversion") or child_map(body, "spec") or not body:
        return msgspec.structs.replace(read_manifest(documents), source="api")
    # What docker nests, libpod has beside the rest.
    settings = {**body, **child_map(body, "hostconfig")}
    options = {name: ["true"] for key, name in _SWITCHES if is_true(settings, key)}
    options.update({name: [text] for key, name in _MODES if (text := child_text(settings, key)) is not None})
    options.update({name: [mode] for key, name in _LIBPOD if (mode := _read_mode(settings, key)) is not None})
    options.update({name: found for key, name in _LISTS if (found := child_texts(settings, key))})
    members = read_powers(Parsed({name: tuple(found) for name, found in options.items()}, (), 0), around)
    for name, paths in name_mounts(_read_mounts(settings, around)).items():
        members[name] = (*members[name], *paths)
    unconfined = {*members["unconfined"], *_read_confinement(settings)}
    command = (*child_texts(body, "entrypoint"), *(child_texts(body, "cmd") or child_texts(body, "command")))
    return Intent(
        tool="docker",
        source="api",
        image=child_text(body, "image"),
        target=child_text(body, "name"),
        command=command,
        program=posixpath.basename(command[0]) if command else None,
        **{**members, "unconfined": tuple(sorted(unconfined))},
    )


def _read_mode(settings: Mapping, key: str) -> str | None:
    mode, value = child_text(settings, key, "nsmode"), child_text(settings, key, "value")
    return f"ns:{value}" if mode == "path" and value else mode


def _read_confinement(settings: Mapping) -> list[str]:
    found = []
    # A list that is there and empty takes all masks away; null leaves them.
    if child(settings, "maskedpaths") == [] or "ALL" in child_texts(settings, "unmask"):
        found.append("masked-paths")
    if child(settings, "seccompprofilepath") == "unconfined":
        found.append("seccomp")
    if child(settings, "apparmorprofile") == "unconfined":
        found.append("apparmor")
    if "disable" in child_texts(settings, "selinuxopts"):
        found.append("selinux")
    return found


def _read_mounts(settings: Mapping, around: Around) -> list[Mount]:
    found = []
    for entry in child_list(settings, "mounts"):
        source, kind = child_text(entry, "source") or "", (child_text(entry, "type") or "").lower()
        options = child_texts(entry, "options")
        writable = not is_true(entry, "readonly") and "ro" not in options
        if source.startswith("/") and kind in {"bind", "none", ""}:
            found.append(Mount(normalise_path(source, around), writable))
        driver = child_map(entry, "volumeoptions", "driverconfig", "options")
        found += read_volume_options(_join(driver), around, writable=writable)
    for entry in child_list(settings, "devices"):
        path = child_text(entry, "pathonhost") or child_text(entry, "path") or as_text(entry)
        if path:
            found.append(Mount(normalise_path(path, around), device=True))
    # The body of a volume's creation.
    for key in ("driveropts", "options"):
        found += read_volume_options(_join(child_map(settings, key)), around)
    return found


def _join(options: Mapping) -> list[str]:
    return [f"{key}={as_text(value) or ''}" for key, value in options.items()]
