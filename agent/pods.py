"""
Names of pods and containers, from the names of a node's container logs.

kubelet links each container's log as ``/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log``, once the
container has started; before it starts one, it makes ``/var/log/pods/NAMESPACE_POD_UID``. So names
come from a listing of two directories, without an API server or a runtime's socket.

Source: kubelet ``pkg/kubelet/kuberuntime/legacy.go`` and ``helpers.go``.
"""

import itertools
import os
import re
from pathlib import Path

import msgspec

from agent.event import Container

_CONTAINER_LOG = re.compile(r"([a-z0-9][a-z0-9.-]*)_([a-z0-9][a-z0-9-]*)_([a-z0-9][a-z0-9-]*)-([0-9a-f]{64})\.log")
_POD_DIRECTORY = re.compile(r"([a-z0-9][a-z0-9-]*)_([a-z0-9][a-z0-9.-]*)_([0-9a-f][0-9a-f-]{31,35})")
_MOST_ENTRIES = 20_000
REFRESH_NS = 2_000_000_000


class PodName(msgspec.Struct, frozen=True):
    """What the name of a log tells; `container` where it is one container's."""

    pod: str
    namespace: str
    container: str | None = None


def parse_container_log(name: str) -> tuple[str, PodName] | None:
    """Read a file name of /var/log/containers: the container's id and its names, or None."""
    match = _CONTAINER_LOG.fullmatch(name)
    return (match[4], PodName(match[1], match[2], match[3])) if match else None


def parse_pod_directory(name: str) -> tuple[str, PodName] | None:
    """Read a directory name of /var/log/pods: the pod's uid and its names, or None."""
    match = _POD_DIRECTORY.fullmatch(name)
    return (match[3], PodName(match[2], match[1])) if match else None


class PodNames:
    """
    Find names by container id, else by pod uid.

    A miss lists the directories again, but not within two seconds: containers without names are
    common on a node (those that nothing but a runtime knows) and cost no more than that.

    Args:
        root: of the node.
    """

    def __init__(self, root: Path) -> None:
        self._logs = root / "var" / "log"
        self._containers: dict[str, PodName] = {}
        self._pods: dict[str, PodName] = {}
        self._listed_ns: int | None = None

    def complete(self, container: Container, now_ns: int) -> Container:
        """
        Add the names that are known; members that are there stay.

        Args:
            container: with its id, and its pod's uid if that is known.
            now_ns: of a clock that never goes back.
        """
        names = self._containers.get(container.id or "")
        if names is None and (self._listed_ns is None or now_ns - self._listed_ns >= REFRESH_NS):
            self._list(now_ns)
            names = self._containers.get(container.id or "")
        names = names or self._pods.get(container.pod_uid or "")
        if names is None:
            return container
        return msgspec.structs.replace(
            container,
            name=container.name or names.container,
            pod_name=container.pod_name or names.pod,
            namespace=container.namespace or names.namespace,
        )

    def _list(self, now_ns: int) -> None:
        self._listed_ns = now_ns
        parsed = map(parse_container_log, _list_names(self._logs / "containers"))
        self._containers = dict(entry for entry in parsed if entry)
        parsed = map(parse_pod_directory, _list_names(self._logs / "pods"))
        self._pods = dict(entry for entry in parsed if entry)


def _list_names(directory: Path) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in itertools.islice(entries, _MOST_ENTRIES)]
    except OSError:  # not a Kubernetes node, or not mounted
        return []
