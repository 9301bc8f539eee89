"""
What Kubernetes objects ask for: manifests, overrides, patches, kustomizations, charts' values.

Powers are found wherever they stand, by the names of their members: objects of the built-in kinds, of
operators' own kinds, lists, and pieces of any of them then read alike.
Sources: the Kubernetes API reference (PodSpec, SecurityContext), kubectl's kustomize.
"""

import posixpath
from collections.abc import Iterable, Sequence

from agent.intent.documents import fold_keys
from agent.intent.kinds import read_resources
from agent.intent.model import FileReference, Intent
from agent.intent.mounts import Around, Mount, normalise_path
from agent.intent.patches import unfold_patch
from agent.intent.powers import name_mounts, parse_capabilities
from agent.intent.tree import Mapping, child, child_list, child_map, child_text, child_texts, is_true, walk

_CONTAINERS = ("containers", "initcontainers", "ephemeralcontainers")
_HOST_NAMESPACES = (("hostpid", "pid"), ("hostipc", "ipc"), ("hostnetwork", "net"))
# Policies and schemas speak of powers without asking for them.
_SPEAK_ONLY = frozenset(
    (
        "clusterpolicy configmap customresourcedefinition podsecuritypolicy policy secret securitycontextconstraints "
        "validatingadmissionpolicy"
    ).split()
)
_BINDINGS = frozenset(("clusterrolebinding", "rolebinding"))
_ROLES = frozenset(("clusterrole", "role"))
_MAX_NAMED = 64
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP = ("seccomp.security.alpha.kubernetes.io/pod", "container.seccomp.security.alpha.kubernetes.io/")


def read_manifest(documents: Sequence[object]) -> Intent:
    """
    Read the documents of a manifest, of ``--overrides``, of a patch, of a chart's values.

    Args:
        documents: as `parse_documents` gives them; an override may be any part of an object, a patch may be
            a list of operations.
    """
    folded = [fold_keys(part) for document in documents for part in unfold_patch(document)]
    objects = [item for document in folded for item in _split_list(document)]
    maps = [part for item in objects if not _is_speech(item) for part in walk(item)]
    containers = [container for part in maps for container in _find_containers(part)]
    # The one with the most power says what the request is about.
    main: Mapping = max(containers, key=_count_powers, default={})
    command = tuple(child_texts(main, "command") + child_texts(main, "args"))
    return Intent(
        tool="kubernetes",
        source="manifest",
        privileged=any(is_true(part, "privileged") for part in maps),
        host_namespaces=tuple(sorted({kind for part in maps for key, kind in _HOST_NAMESPACES if is_true(part, key)})),
        capabilities=parse_capabilities(name for part in maps for name in child_texts(part, "capabilities", "add")),
        unconfined=tuple(sorted({name for part in maps for name in _read_confinement(part)})),
        image=child_text(main, "image") or _first(child_text(part, "image") for part in maps),
        target=_first(child_text(item, "metadata", "name") for item in objects),
        namespace=_first(child_text(item, "metadata", "namespace") for item in objects),
        interactive=any(is_true(container, "stdin") or is_true(container, "tty") for container in containers),
        user=_first(child_text(part, "runasuser") for part in (child_map(main, "securitycontext"), *maps)),
        command=command,
        program=posixpath.basename(command[0]) if command else None,
        resources=tuple(dict.fromkeys(name for item in objects for name in _name_kind(item)))[:_MAX_NAMED],
        rootless=_keeps_users_apart(maps),
        facts=tuple(dict.fromkeys((*_read_pod_facts(maps), *_read_grants(objects))))[:_MAX_NAMED],
        **name_mounts(_read_mounts(objects, maps)),
    )


def read_kustomization(documents: Sequence[object], around: Around) -> Intent:
    """
    Read a ``kustomization.yaml``: its inline patches, and the names of the files that it builds on.

    Args:
        documents: as `parse_documents` gives them.
        around: its working directory is the kustomization's.
    """
    texts: list[str] = []
    files: list[tuple[str, str]] = []
    for document in map(fold_keys, documents):
        named = [name for key in _BASES for name in child_texts(document, key)]
        files += [("manifest" if name.endswith(_FILES) else "kustomization", name) for name in named]
        for entry in (item for key in _PATCHES for item in child_list(document, key)):
            inline, path = child_text(entry, "patch"), child_text(entry, "path")
            if isinstance(entry, str):
                inline, path = (entry, None) if "\n" in entry else (None, entry)
            texts += [inline] if inline else []
            files += [("patch", path)] if path else []
    references = [FileReference("patch", None, text) for text in texts]
    references += [FileReference(kind, path if "://" in path else normalise_path(path, around)) for kind, path in files]
    return Intent(tool="kubernetes", source="manifest", files=tuple(references[:_MAX_NAMED]))


_BASES = ("resources", "bases", "components")
_FILES = (".yaml", ".yml", ".json")
_PATCHES = ("patches", "patchesjson6902", "patchesstrategicmerge")


def _split_list(document: object) -> list[object]:
    if (child_text(document, "kind") or "").endswith("List"):
        return [item for entry in child_list(document, "items") for item in _split_list(entry)]
    return [document]


def _name_kind(item: object) -> tuple[str, ...]:
    kind = child_text(item, "kind")
    return read_resources([kind]) if kind else ()


def _is_speech(item: object) -> bool:
    return (child_text(item, "kind") or "").lower() in _SPEAK_ONLY


def _first(texts: Iterable[str | None]) -> str | None:
    return next((text for text in texts if text), None)


def _find_containers(part: Mapping) -> list[Mapping]:
    return [item for key in _CONTAINERS for item in child_list(part, key) if isinstance(item, dict)]


def _count_powers(container: Mapping) -> int:
    context = child_map(container, "securitycontext")
    return 100 * is_true(context, "privileged") + len(child_texts(context, "capabilities", "add"))


def _keeps_users_apart(maps: Iterable[Mapping]) -> bool:
    # One pod that does must not make another beside it look so.
    pods = [part for part in maps if _find_containers(part)]
    return bool(pods) and all(child(part, "hostusers") is False for part in pods)


def _read_confinement(part: Mapping) -> list[str]:
    found = []
    if child(part, "seccompprofile", "type") == "Unconfined":
        found.append("seccomp")
    if child(part, "apparmorprofile", "type") == "Unconfined":
        found.append("apparmor")
    if child(part, "procmount") == "Unmasked":
        found.append("masked-paths")
    if child_text(part, "selinuxoptions", "type") in {"spc_t", "unconfined_t"}:
        found.append("selinux")
    if is_true(part, "allowprivilegeescalation"):
        found.append("no-new-privileges")
    # As annotations, before there were members for it.
    for key, value in part.items():
        if value == "unconfined" and key.startswith((_APPARMOR, *_SECCOMP)):
            found.append("apparmor" if key.startswith(_APPARMOR) else "seccomp")
    return found


def _read_mounts(objects: Sequence[object], maps: Sequence[Mapping]) -> list[Mount]:
    found: list[Mount] = []
    seen: set[int] = set()
    for part in maps:
        containers = _find_containers(part)
        if containers:
            volumes = child_list(part, "volumes")
            seen.update(id(volume) for volume in volumes)
            found += _read_volumes(volumes, containers)
    for part in maps:
        # Of a patch, or of a chart's values: the containers that mount it are not shown.
        path = child_text(part, "hostpath", "path")
        if path is not None and id(part) not in seen:
            found.append(Mount(_name_path(path)))
    for item in objects:
        local = child_text(item, "spec", "local", "path")
        if local is not None and child(item, "kind") == "PersistentVolume":
            found.append(Mount(_name_path(local)))
    return found


def _read_volumes(volumes: Sequence[object], containers: Sequence[Mapping]) -> list[Mount]:
    writable: dict[str, bool] = {}
    for container in containers:
        for entry in child_list(container, "volumemounts"):
            name = child_text(entry, "name") or ""
            writable[name] = writable.get(name, False) or not is_true(entry, "readonly")
    found = []
    for volume in volumes:
        path, name = child_text(volume, "hostpath", "path"), child_text(volume, "name") or ""
        # A volume that no container mounts gives nothing.
        if path is not None and name in writable:
            is_device = child(volume, "hostpath", "type") in ("BlockDevice", "CharDevice")
            found.append(Mount(_name_path(path), writable[name], device=is_device))
    return found


def _name_path(path: str) -> str:
    # The node's path, whatever the client's files look like.
    return normalise_path(path if path.startswith("/") else f"/{path}", Around())


def _read_pod_facts(maps: Iterable[Mapping]) -> list[str]:
    facts = []
    for part in maps:
        node = child_text(part, "nodename") or child_text(part, "nodeselector", "kubernetes.io/hostname")
        account = child_text(part, "serviceaccountname") or child_text(part, "serviceaccount")
        facts += [f"node:{node[:256]}"] if node else []
        facts += [f"service-account:{account[:256]}"] if account else []
        facts += ["ephemeral"] if child_list(part, "ephemeralcontainers") else []
        tolerations = child_list(part, "tolerations")
        if any(child(entry, "operator") == "Exists" and child(entry, "key") is None for entry in tolerations):
            facts.append("tolerates-all")
        shared = [child(entry, "mountpropagation") for entry in child_list(part, "volumemounts")]
        facts += ["propagation:shared"] if "Bidirectional" in shared else []
    return facts


def _read_grants(objects: Iterable[object]) -> list[str]:
    facts = []
    for item in objects:
        kind = (child_text(item, "kind") or "").lower()
        if kind in _BINDINGS:
            facts.append(f"cluster-role:{(child_text(item, 'roleref', 'name') or '')[:256]}")
            facts += [_name_subject(subject) for subject in child_list(item, "subjects")]
        elif kind in _ROLES:
            rules = child_list(item, "rules")
            if any("*" in child_texts(rule, "verbs") and "*" in child_texts(rule, "resources") for rule in rules):
                facts.append("cluster-role:*")
    return facts


def _name_subject(subject: object) -> str:
    name = (child_text(subject, "name") or "")[:256]
    if child(subject, "kind") != "ServiceAccount":
        return f"subject:{name}"
    return f"service-account:{child_text(subject, 'namespace') or 'default'}:{name}"
