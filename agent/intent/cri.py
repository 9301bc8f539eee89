"""
What ``crictl runp``, ``create`` and ``run`` hand to a runtime: pod and container configurations, JSON or YAML.

Source: cri-api's api.proto, PodSandboxConfig and ContainerConfig; enumerations come as numbers or names.
"""

import posixpath
from collections.abc import Sequence

from agent.intent.documents import fold_keys
from agent.intent.model import Intent
from agent.intent.mounts import Around, Mount, normalise_path
from agent.intent.powers import name_mounts, parse_capabilities
from agent.intent.tree import Mapping, child, child_list, child_map, child_text, child_texts, is_true

_NAMESPACES = (("network", "net"), ("pid", "pid"), ("ipc", "ipc"))
_NODE = (2, "2", "NODE")
_TARGET = (3, "3", "TARGET")
_UNCONFINED = (1, "1", "Unconfined")
_BIDIRECTIONAL = (2, "2", "PROPAGATION_BIDIRECTIONAL")


def read_cri_config(documents: Sequence[object], around: Around) -> Intent:
    """
    Read a pod's or a container's configuration.

    Args:
        documents: as `parse_documents` gives them; the first counts.
        around: resolves the symbolic links of the host's paths.
    """
    folded = fold_keys(documents[0]) if documents else None
    config: Mapping = folded if isinstance(folded, dict) else {}
    context = child_map(config, "linux", "securitycontext")
    modes = child_map(context, "namespaceoptions")
    command = tuple(child_texts(config, "command") + child_texts(config, "args"))
    mounts = child_list(config, "mounts")
    shared = any(child(entry, "propagation") in _BIDIRECTIONAL for entry in mounts)
    return Intent(
        tool="crictl",
        source="manifest",
        privileged=is_true(context, "privileged"),
        host_namespaces=tuple(sorted(kind for key, kind in _NAMESPACES if child(modes, key) in _NODE)),
        joined_namespaces=tuple(sorted(kind for key, kind in _NAMESPACES if child(modes, key) in _TARGET)),
        capabilities=parse_capabilities(child_texts(context, "capabilities", "addcapabilities")),
        unconfined=tuple(sorted(_read_confinement(context))),
        image=child_text(config, "image", "image") or child_text(config, "image"),
        target=child_text(config, "metadata", "name"),
        namespace=child_text(config, "metadata", "namespace"),
        interactive=is_true(config, "stdin") or is_true(config, "tty"),
        user=child_text(context, "runasuser", "value") or child_text(context, "runasusername"),
        command=command,
        program=posixpath.basename(command[0]) if command else None,
        facts=("propagation:shared",) if shared else (),
        **name_mounts([*(_read_mount(entry, around) for entry in mounts), *_read_devices(config, around)]),
    )


def _read_mount(entry: object, around: Around) -> Mount | None:
    path = child_text(entry, "hostpath")
    return Mount(normalise_path(path, around), writable=not is_true(entry, "readonly")) if path else None


def _read_devices(config: Mapping, around: Around) -> list[Mount]:
    paths = [child_text(entry, "hostpath") for entry in child_list(config, "devices")]
    return [Mount(normalise_path(path, around), device=True) for path in paths if path]


def _read_confinement(context: Mapping) -> list[str]:
    found = []
    for name, profile in (("seccomp", "seccompprofilepath"), ("apparmor", "apparmorprofile")):
        if child(context, name, "profiletype") in _UNCONFINED or child(context, profile) == "unconfined":
            found.append(name)
    if child(context, "selinuxoptions", "type") in ("spc_t", "unconfined_t"):
        found.append("selinux")
    # A list that is there and empty masks nothing; one that is absent leaves the runtime's own.
    if child(context, "maskedpaths") == []:
        found.append("masked-paths")
    return found
