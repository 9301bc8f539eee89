"""
Which container a cgroup path belongs to.

Runtimes name a container's cgroup after its id, 64 hex digits, in a few forms; a directory of 64 hex
digits anywhere else is no container. Where containers are nested (docker in docker, a kind node, a
container started inside a pod) the innermost counts, with the innermost pod around it. Who may write
to a cgroup tree, as root in a privileged container may, can name cgroups in it at will: the path is a
fact about the host's tree, not proof of who made it.

Source: the runtimes' own code: runc ``libcontainer/cgroups/systemd``, containerd ``internal/cri``,
CRI-O ``internal/config/cgmgr``, podman ``libpod/oci_conmon``, kubelet ``pkg/kubelet/cm``.
"""

import re

from agent.event import Container

_ID = "([0-9a-f]{64})"
_RUNTIMES = {
    "docker": "docker",
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "libpod": "podman",
}
# systemd: docker-<id>.scope. Monitors (crio-conmon-<id>.scope) have a word more.
_SCOPE = re.compile(rf"({'|'.join(_RUNTIMES)})-{_ID}\.scope")
# systemd's slice:prefix:name where the runtime took it for a directory: system.slice:docker:<id>.
_COLONS = re.compile(rf"[^:]*:({'|'.join(_RUNTIMES)}):{_ID}")
_PREFIXED = re.compile(rf"(crio|libpod)-{_ID}")
_BARE = re.compile(_ID)
_BUILD = re.compile(r"[0-9a-z]{25}")

# Directories of one runtime, for a bare id in them: containerd's are its namespaces.
_PARENTS = {"docker": "docker", "default": "containerd", "k8s.io": "containerd"}

# Kubernetes' pod uid is a UUID, or the MD5 of its manifest for a pod from a file.
_UID = "[0-9a-f]{8}([-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12}"
_POD = re.compile(rf"pod({_UID})")
_POD_SLICE = re.compile(rf"(?:[^/:]+-)?kubepods(?:-burstable|-besteffort)?-pod({_UID})\.slice(?::.*)?")


def parse_cgroup(path: str) -> Container | None:
    """
    Read a path below the cgroup root, of either hierarchy, by either cgroup driver.

    Returns:
        The container's id, and runtime and pod uid where the path tells them; None for what is no
        container or of an unknown kind (LXC, Garden, systemd-nspawn).
    """
    found: Container | None = None
    pod_uid: str | None = None
    in_pods = False
    before = ""
    for name in path.split("/"):
        in_pods = in_pods or name == "kubepods"
        pod = _POD_SLICE.fullmatch(name) or (_POD.fullmatch(name) if in_pods else None)
        if pod:
            pod_uid = pod[1].replace("_", "-")
        container = _container(name, before, in_pods)
        if container:
            found = Container(id=container[1], runtime=container[0], pod_uid=pod_uid)
        before = name
    return found


# Runtime and id by the name of one directory and that of the one before.
def _container(name: str, before: str, in_pods: bool) -> tuple[str | None, str] | None:
    named = _SCOPE.fullmatch(name) or _COLONS.fullmatch(name) or _PREFIXED.fullmatch(name)
    if named:
        return _RUNTIMES[named[1]], named[2]
    if before == "buildkit" and _BUILD.fullmatch(name):
        return "buildkit", name
    if not _BARE.fullmatch(name):
        return None
    if before in _PARENTS:
        return _PARENTS[before], name
    return (None, name) if in_pods and _POD.fullmatch(before) else None


def parse_cgroup_file(text: str) -> Container | None:
    """
    Read /proc/PID/cgroup: ``hierarchy:controllers:path`` a line; on a hybrid node only some tell the container.

    Source: cgroups(7).
    """
    for line in text.split("\n"):
        _, _, rest = line.partition(":")
        container = parse_cgroup(rest.partition(":")[2])
        if container:
            return container
    return None
