"""
`Intent`: what a container command asks for, filled alike by every reader of this package.

Empty means not asked for; None means that this kind of request has no such thing.
"""

import msgspec


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a container runtime, an orchestrator or a namespace tool."""

    tool: str  # docker, podman, nerdctl, ctr, crictl, kubectl, runc, nsenter, ... whatever its file is called
    verb: str | None = None  # run, create, exec, pull, import, cp, mount, apply, debug, ...
    source: str = "argv"  # argv, manifest, compose, bundle, api
    privileged: bool = False
    host_namespaces: tuple[str, ...] = ()  # of pid net ipc uts user cgroup mnt; sorted
    capabilities: tuple[str, ...] = ()  # added ones, upper case without CAP_; ALL; sorted
    mounts: tuple[str, ...] = ()  # host paths, normalised
    devices: tuple[str, ...] = ()  # host device paths
    unconfined: tuple[str, ...] = ()  # of seccomp apparmor selinux no-new-privileges masked-paths; sorted
    image: str | None = None
    target: str | None = None  # container, pod or pid
    namespace: str | None = None  # of Kubernetes or containerd
    endpoint: str | None = None  # socket or host of the daemon, where it was named
    interactive: bool = False
    user: str | None = None  # inside the container
    command: tuple[str, ...] = ()  # what is to run inside
    rootless: bool = False
    wrappers: tuple[str, ...] = ()  # sudo, env, sh, ... that were looked through; outermost first
    renamed: bool = False  # the file's name is not the tool's
    unread: tuple[str, ...] = ()  # "path: reason" of files that could not be read
