"""Where a daemon listens: one form for each of the ways to write it."""

import re

from agent.intent.mounts import Around, normalise_path

_SOCKET_SCHEMES = ("unix://", "unix:", "npipe://")
_RUNTIME_SOCKET = re.compile(
    r"(?:docker|dockershim|cri-dockerd|containerd|crio|podman|buildkitd|k3s|kubelet|balena-engine)(?:-ttrpc)?"
    r"[\w.-]*\.sock(?:\.ttrpc)?\Z|/containerd-shim/|/kubelet/(?:device-plugins|pod-resources)/"
)


def name_endpoint(text: str, around: Around) -> str:
    """
    Give an endpoint its one form.

    Returns:
        The normalised path of a Unix socket; any other address as a URL, ``tcp://`` where no scheme is given.
    """
    for scheme in _SOCKET_SCHEMES:
        if text.startswith(scheme):
            return normalise_path(text.removeprefix(scheme), around)
    if text.startswith(("/", "./", "../")):
        return normalise_path(text, around)
    if "://" in text:
        return text
    return text if text.startswith("fd:") else f"tcp://{text}"


def is_runtime_socket(path: str) -> bool:
    """Tell whether a path has the name of a container runtime's socket."""
    return len(path) <= 4096 and bool(_RUNTIME_SOCKET.search(path))
