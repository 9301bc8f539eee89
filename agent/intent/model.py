"""
`Intent`: what a container command asks for, filled alike by every reader of this package.

Empty means not asked for; None means that this kind of request has no such thing.
"""

import msgspec


class FileReference(msgspec.Struct, frozen=True):
    """
    What a command hands to the runtime beside its arguments, and the reader that it needs.

    `kind`: bundle (a directory, or its configuration where crun names another), spec (an OCI runtime spec),
    process (an OCI process.json), manifest, kustomization, overrides, patch, compose, pod-config,
    container-config, json-body (of an API call), values (of a Helm chart).
    `path`: absolute, "-" for standard input, or a URL; None where `text` holds the content itself.
    """

    kind: str
    path: str | None = None
    text: str | None = None


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is asked of a container runtime, an orchestrator or a namespace tool.

    `facts` are the powers that have no member of their own, as ``name`` or ``name:value``; the names are in
    agent/intent/facts.py.
    """

    tool: str  # docker, podman, nerdctl, ctr, crictl, kubectl, runc, nsenter, ... whatever its file is called
    verb: str | None = None  # run, create, exec, pull, import, cp, mount, apply, debug, "compose up", ...
    source: str = "argv"  # argv, manifest, compose, bundle, api
    privileged: bool = False
    host_namespaces: tuple[str, ...] = ()  # of pid net ipc uts user cgroup mnt time; sorted
    joined_namespaces: tuple[str, ...] = ()  # of any other process or file
    new_namespaces: tuple[str, ...] = ()  # unshare
    capabilities: tuple[str, ...] = ()  # added ones, upper case without CAP_; ALL; sorted
    mounts: tuple[str, ...] = ()  # host paths, normalised
    writable_mounts: tuple[str, ...] = ()  # those of `mounts` that are not read-only
    devices: tuple[str, ...] = ()  # host device paths
    unconfined: tuple[str, ...] = ()  # of seccomp apparmor selinux no-new-privileges masked-paths; sorted
    image: str | None = None
    target: str | None = None  # container, pod or pid
    namespace: str | None = None  # of Kubernetes or containerd
    endpoint: str | None = None  # path of a socket, or URL of the daemon, where it was named
    root: str | None = None  # directory that becomes the root of the command, as chroot's
    interactive: bool = False
    user: str | None = None  # inside the container
    command: tuple[str, ...] = ()  # what is to run inside
    program: str | None = None  # the base name of what `command` runs
    resources: tuple[str, ...] = ()  # Kubernetes kinds that are named: secrets, pods, nodes, ...
    host_paths: tuple[str, ...] = ()  # of the host, copied from or to
    facts: tuple[str, ...] = ()
    files: tuple[FileReference, ...] = ()
    rootless: bool = False
    wrappers: tuple[str, ...] = ()  # sudo, env, sh, ... that were looked through; outermost first
    renamed: bool = False  # the file's name is not the tool's
    notes: tuple[str, ...] = ()  # what the real command would refuse or this reader does not know
    unread: tuple[str, ...] = ()  # "path: reason" of files that could not be read

    @property
    def file_paths(self) -> tuple[str, ...]:
        """The paths and URLs of `files`."""
        return tuple(file.path for file in self.files if file.path is not None)


# Members of which a merge takes the union; those of the first line are kept sorted.
_SORTED = ("host_namespaces", "joined_namespaces", "new_namespaces", "capabilities", "unconfined")
_LISTS = ("mounts", "writable_mounts", "devices", "resources", "host_paths", "facts", "files", "notes", "unread")
_FLAGS = ("privileged", "interactive", "rootless", "renamed")
_FIRST = ("verb", "image", "target", "namespace", "endpoint", "root", "user")


def merge_intents(base: Intent, other: Intent) -> Intent:
    """
    Add what `other` asks for to `base`.

    Returns:
        `base` with the union of both powers. Its tool and its own scalar members stay, `other` fills those
        that are None; a source other than argv wins, because what was read from a file says more.
    """
    changes: dict[str, object] = {name: getattr(base, name) or getattr(other, name) for name in _FLAGS}
    for name in _SORTED:
        changes[name] = tuple(sorted({*getattr(base, name), *getattr(other, name)}))
    for name in _LISTS:
        changes[name] = tuple(dict.fromkeys((*getattr(base, name), *getattr(other, name))))
    for name in _FIRST:
        mine = getattr(base, name)
        changes[name] = getattr(other, name) if mine is None else mine
    if not base.command:
        changes["command"], changes["program"] = other.command, other.program
    changes["wrappers"] = base.wrappers or other.wrappers
    changes["source"] = other.source if base.source == "argv" else base.source
    return msgspec.structs.replace(base, **changes)
