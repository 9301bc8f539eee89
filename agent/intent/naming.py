"""Which tool a program is by its name: versions, platforms, packages and plug-ins have theirs in it."""

import posixpath
import re
from collections.abc import Mapping

import msgspec

# Other names of the same command lines.
ALIASES: Mapping[str, str] = {
    "docker.io": "docker",
    "docker-current": "docker",
    "balena-engine": "docker",
    "finch": "nerdctl",
    "nerdctl.lima": "nerdctl",
    "podman-remote": "podman",
    "podman-compose": "docker-compose",
    "podman-docker": "podman",
    "compose": "docker-compose",
    "docker-runc": "runc",
    "docker-containerd-ctr": "ctr",
    "containerd-ctr": "ctr",
    "k3s-ctr": "ctr",
    "lxc.lxc": "lxc",
    "lxd.lxc": "lxc",
    "incus.incus": "incus",
    "kata-ctl": "kata-runtime",
    "kata-fc": "kata-runtime",
    "kata-qemu": "kata-runtime",
    "kubectl.real": "kubectl",
    "kubecolor": "kubectl",
    "kubectl.docker": "kubectl",
    "helm3": "helm",
    "helm2": "helm",
    "dockerd-ce": "dockerd",
    "docker-containerd": "containerd",
    "nc.openbsd": "nc",
    "nc.traditional": "nc",
    "netcat": "nc",
    "ncat": "nc",
    "socat1": "socat",
}
# Snap and MicroK8s put the package before the program.
PACKAGES = ("microk8s.", "microk8s-", "k3s.", "rke2.", "snap.", "docker.")
# What a package or a build puts behind the name, and behind it whatever it likes.
MARKS = (
    "linux static amd64 x86_64 x86-64 arm64 aarch64 armhf i386 "
    "real orig bin old new stable full rootless wrapped lite distrib"
).split()
_VERSION = r"[-_.]?v?[0-9]+(?:\.[0-9]+)*(?:[-_.+~][\w.+~-]*)?"
_SUFFIX = re.compile(rf"(?:{_VERSION}|[-_.](?:{'|'.join(MARKS)})(?:[-_.][\w.+~-]*)?)\Z")


class Name(msgspec.Struct, frozen=True):
    """A tool, and the plug-in of it that a file's name stands for."""

    tool: str
    plugin: str | None = None


def find_tool(path: str, tools: frozenset[str]) -> Name | None:
    """
    Find the tool that a file's name says it is.

    Args:
        path: of an executable, also with " (deleted)" behind it; or an argv[0], also with a login's dash.
        tools: the names that are known.
    """
    name = posixpath.basename(path.removesuffix(" (deleted)").rstrip("/"))[:256].removeprefix("-").strip()
    found = _match(name, tools)
    if found is not None:
        return found
    for package in PACKAGES:
        inner = name.removeprefix(package)
        if inner != name and _match(inner, tools) is not None:
            return _match(inner, tools)
    return None


def _match(name: str, tools: frozenset[str]) -> Name | None:
    if name in tools:
        return Name(name)
    if name in ALIASES:
        return Name(ALIASES[name])
    # The longest tool first, so that docker-compose-linux is no docker.
    heads = [name[:end] for end in range(len(name) - 1, 1, -1) if name[end] in "-_.0123456789v"]
    for head in heads:
        tool = head if head in tools else ALIASES.get(head)
        if tool is None or len(head) == 1:
            continue
        rest = name[len(head) :]
        if _SUFFIX.match(rest):
            return Name(tool)
        if tool in {"kubectl", "oc"} and rest[0] == "-":
            return Name(tool, rest[1:].replace("_", "-"))
    return None
