"""
The names that `Intent.facts` may hold, with what each means; ``name:`` has a value behind it.

One closed list, so that a rule that asks for a fact nobody tells is found by a test.
"""

from collections.abc import Mapping

FACTS: Mapping[str, str] = {
    "all-namespaces": "every namespace of the cluster is asked for",
    "allow:": "an entitlement of a build: security.insecure, network.host, device",
    "annotation-added:": "kubectl annotate or label sets this key",
    "anonymous-access": "a proxy or a kubelet serves without authentication or without its filters",
    "argv0:": "argv[0] names another program than the one that runs",
    "boots": "the container boots an init system",
    "cdi:": "a device is added by its CDI name or a directory of CDI specs is named",
    "cgroup-parent:": "the container's cgroup is chosen",
    "client-certificate": "a client certificate is given on the command line",
    "cluster-role:": "the role that a binding grants",
    "conmon:": "the container monitor is another program",
    "container:": "the name of a container inside its pod",
    "context:": "the daemon or cluster is chosen by a context's name",
    "copy-in": "files go into a container",
    "copy-out": "files come out of a container",
    "copy-pod": "kubectl debug copies a pod",
    "debug-profile:": "kubectl debug's profile of powers",
    "delete": "something is deleted or removed",
    "device-cgroup-rule:": "what is allowed on devices, as type major:minor access",
    "disabled-filter": "kubectl proxy without its filter, or with one that accepts any host",
    "endpoint-context": "the endpoint came from a context, not from an address",
    "entrypoint": "the image's own program is replaced",
    "env-host": "the caller's environment goes into the container",
    "ephemeral": "an ephemeral container is added to a pod",
    "grant-all-permissions": "a plugin gets what it asks for unasked",
    "guessed": "the tool was told from its options, not from its name",
    "group-add:": "a supplementary group of the process in the container",
    "hook:": "a program of the host that the runtime runs for the container",
    "hooks-dir:": "OCI hooks come from this directory",
    "image-volume": "a volume or root that is a host directory by the name of rootfs",
    "impersonate:": "a user or group that the request is made as",
    "inner:": "the container tool that the command inside a container runs",
    "insecure-tls": "the server's certificate is not checked",
    "kubeconfig:": "another kubeconfig than the default",
    "label-set:": "kubectl label sets this key",
    "listen:": "an address that a daemon or proxy listens on",
    "map-root": "the caller becomes root of a new user namespace",
    "module:": "podman reads this configuration module",
    "nesting": "a container may run containers",
    "no-tls-verify": "a daemon serves TCP without checking its clients",
    "node:": "the node that is debugged, or that a pod is bound to",
    "output:": "the form of kubectl's output",
    "plugin:": "a plugin of the CLI runs under this name",
    "pod:": "the name of a pod",
    "pod-uid:": "the unique id of a pod",
    "post-renderer:": "helm runs this program on the manifests",
    "preserve-fds": "open files of the caller stay open in the container",
    "privileged-devices-off": "privileged without the host's devices",
    "propagation:": "mounts are shared with the host",
    "pull-path:": "image or archive that comes from a file or URL",
    "raw:": "a raw API path of the cluster, or a raw setting of LXC",
    "remote": "the daemon is not on this host",
    "runtime:": "another OCI runtime",
    "seccomp-profile:": "a seccomp profile from a file",
    "service-account:": "the service account that a pod runs as or a binding names",
    "share-processes": "kubectl debug shares the process namespace",
    "shared-network": "systemd-nspawn without a network of its own",
    "stdin": "something is read from standard input",
    "subject:": "the user or group that a binding grants a role to",
    "sync": "crictl exec without a stream",
    "system-service": "podman serves its API",
    "token": "a bearer token is given on the command line",
    "tolerates-all": "a pod that may run on every node, the control plane's included",
    "upload": "curl sends a body",
    "use-api-socket": "the daemon's socket and the caller's credentials go into the container",
    "userns-map:": "a range of host users that the container's users are",
    "volumes-from:": "the volumes of another container",
    "with-ns:": "a namespace file that the container joins",
}


def is_fact(text: str) -> bool:
    """Tell whether a fact is of one of the names above."""
    name, colon, _ = text.partition(":")
    return name + colon in FACTS
