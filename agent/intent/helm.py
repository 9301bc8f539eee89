"""What a helm command line asks for; and kubeletctl's."""

import re
from collections.abc import Iterable, Iterator, Sequence

from agent.intent.documents import DocumentError, parse_documents
from agent.intent.grammar import Grammar, every, is_on, last
from agent.intent.invocation import Cli, read_invocation
from agent.intent.model import FileReference, Intent
from agent.intent.mounts import Around, Mount, normalise_path
from agent.intent.powers import Members, name_mounts, parse_capabilities
from agent.intent.tables.kubernetes import HELM, KUBELETCTL

_HELM = Cli(HELM, Grammar.PFLAG, scattered=True)
_KUBELETCTL = Cli(KUBELETCTL, Grammar.PFLAG, scattered=True)
_HOST_KEYS = {"hostpid": "pid", "hostnetwork": "net", "hostipc": "ipc"}
# A comma ends a setting, but not inside {a,b} nor behind a backslash.
_SETTING = re.compile(r"(?:\\.|\{[^{}]*\}|[^,\\])+")
_WITH_CHART = frozenset(("install", "upgrade", "template"))


def read_helm(argv: Sequence[str], around: Around) -> Intent:
    """Read a command line of helm; ``argv[0]`` is the CLI itself."""
    invocation = read_invocation(_HELM, argv)
    options, words, verb = invocation.options, invocation.words, invocation.verb
    paths = [path for value in every(options, "values") for path in value.split(",")]
    kubeconfig = last(options, "kubeconfig") or around.env.get("KUBECONFIG")
    facts = [f"impersonate:{value[:256]}" for value in every(options, "kube-as-user", "kube-as-group")]
    facts += [f"post-renderer:{value[:256]}" for value in every(options, "post-renderer")]
    facts += ["token"] if last(options, "kube-token") else []
    facts += ["insecure-tls"] if is_on(options, "kube-insecure-skip-tls-verify") else []
    facts += [f"kubeconfig:{normalise_path(kubeconfig, around)[:256]}"] if kubeconfig else []
    facts += [f"context:{value[:256]}" for value in every(options, "kube-context")]
    facts += [f"plugin:{verb}"] if verb and not invocation.known else []
    settings = [pair for text in every(options, "set", "set-string", "set-literal") for pair in _SETTING.findall(text)]
    settings += [pair for text in every(options, "set-json") for pair in _flatten(text)]
    members = _read_values(settings, around)
    chart = words[-1] if verb in _WITH_CHART and words else None
    return Intent(
        tool="helm",
        verb=verb,
        namespace=last(options, "namespace"),
        endpoint=last(options, "kube-apiserver"),
        image=chart,
        target=words[0] if words else None,
        files=tuple(
            FileReference("values", path if "://" in path or path == "-" else normalise_path(path, around))
            for path in paths
        ),
        facts=tuple(facts),
        notes=invocation.notes,
        **members,
    )


def _flatten(text: str) -> Iterator[str]:
    # PATH=JSON, or one object for the whole tree: as PATH=VALUE for each of its leaves.
    start, sign, value = text.partition("=")
    start, value = ("", text) if not sign or text.lstrip().startswith("{") else (start, value)
    try:
        documents = parse_documents(value.encode(errors="replace"))
    except DocumentError:
        return
    rest = [(start, document) for document in documents]
    while rest:
        path, tree = rest.pop()
        if isinstance(tree, dict):
            rest += [(f"{path}.{key}", child) for key, child in tree.items()]
        elif isinstance(tree, list):
            rest += [(path, child) for child in tree]
        else:
            yield f"{path}={str(tree).lower() if isinstance(tree, bool) else tree}"


def _read_values(settings: Iterable[str], around: Around) -> Members:
    # Charts name these keys as the Kubernetes API does, somewhere in their own trees.
    privileged, hosts, capabilities, mounts = False, set(), [], []
    for pair in settings:
        path, _, value = pair.partition("=")
        keys = [key.partition("[")[0].lower() for key in path.split(".")]
        value = value.strip().strip("\"'")
        is_true = value.lower() == "true"
        if keys[-1] == "privileged" and is_true:
            privileged = True
        elif keys[-1] in _HOST_KEYS and is_true:
            hosts.add(_HOST_KEYS[keys[-1]])
        elif "hostpath" in keys and value.startswith("/"):
            mounts.append(Mount(normalise_path(value, around)))
        elif "capabilities" in keys and keys[-1] == "add":
            capabilities.append(value.strip("{}[]").replace('"', ""))
    return {
        "privileged": privileged,
        "host_namespaces": tuple(sorted(hosts)),
        "capabilities": parse_capabilities(capabilities),
        **name_mounts(mounts),
    }


def read_kubeletctl(argv: Sequence[str], _around: Around) -> Intent:
    """Read a command line of kubeletctl, a client of the kubelet's own API; ``argv[0]`` is the CLI itself."""
    invocation = read_invocation(_KUBELETCTL, argv)
    options, words = invocation.options, invocation.words
    target = last(options, "pod")
    return Intent(
        tool="kubeletctl",
        verb=invocation.verb,
        namespace=last(options, "namespace"),
        endpoint=last(options, "server", "cidr"),
        target=target,
        command=words if invocation.verb in {"exec", "run"} else (),
        facts=("token",) if last(options, "token") else (),
        notes=invocation.notes,
    )
