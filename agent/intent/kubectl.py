"""
What a kubectl or oc command line asks for.

Sources: kubectl's pkg/cmd (run, debug, exec, cp, proxy), client-go's tools/clientcmd, oc's pkg/cli.
"""

import re
from collections.abc import Callable, Sequence

from agent.intent.engine import read_copy
from agent.intent.grammar import Grammar, Parsed, every, is_on, last
from agent.intent.invocation import Cli, Invocation, read_invocation
from agent.intent.kinds import read_resources
from agent.intent.model import FileReference, Intent
from agent.intent.mounts import Around, normalise_path
from agent.intent.powers import Members
from agent.intent.tables.kubernetes import KUBECTL, OC

_CLIS = {
    "kubectl": Cli(KUBECTL, Grammar.KUBECTL, scattered=True),
    "oc": Cli(OC, Grammar.KUBECTL, scattered=True),
}
# pkg/cmd/debug/profiles.go: those that put a node's debug pod into the host's namespaces.
_HOST_PROFILES = {"legacy": ("ipc", "net", "pid"), "general": ("ipc", "net", "pid"), "sysadmin": ("ipc", "net", "pid")}
# kustomize's api/internal/git/repospec.go: what it clones instead of looking for it in the working directory.
_REMOTE_BASE = re.compile(
    r"\A(?:git::|git@|gh:|org-[0-9]+@|github\.com[/:].)|[?&](?:ref|version)=|\.git(?:\Z|/|\?)|/_git/", re.IGNORECASE
)
_NETADMIN = ("ipc", "net", "pid")
_ANY_HOST = frozenset((".*", "^.*$", ".+", "^.*", ".*$", "^.+$", ""))


def read_kubectl(tool: str, argv: Sequence[str], around: Around) -> Intent:
    """Read a command line of kubectl or oc; ``argv[0]`` is the CLI itself."""
    invocation = read_invocation(_CLIS[tool], argv)
    options, verb = invocation.options, invocation.verb
    members: Members = {
        "verb": verb,
        "namespace": last(options, "namespace"),
        "endpoint": last(options, "server"),
        "files": _read_files(options, around),
        "facts": (*_read_facts(options, around), *(() if invocation.known or verb is None else (f"plugin:{verb}",))),
        "interactive": is_on(options, "stdin", "tty"),
        "notes": invocation.notes,
    }
    reader = _READERS.get(verb or "", _read_words)
    for name, value in reader(invocation, around).items():
        members[name] = (*members[name], *value) if name in {"facts", "files"} else value
    return Intent(tool=tool, **members)


def _name_file(path: str, around: Around) -> str:
    return path if path == "-" or "://" in path else normalise_path(path, around)


def _read_files(options: Parsed, around: Around) -> tuple[FileReference, ...]:
    named = [path for value in every(options, "filename") for path in value.split(",") if path]
    files = [FileReference("manifest", _name_file(path, around)) for path in named]
    files += [
        FileReference("kustomization", path if _REMOTE_BASE.search(path) else _name_file(path, around))
        for path in every(options, "kustomize")
    ]
    return tuple(files)


def _read_facts(options: Parsed, around: Around) -> list[str]:
    facts = [f"impersonate:{value[:256]}" for value in every(options, "as", "as-group", "as-uid")]
    kubeconfig = last(options, "kubeconfig") or around.env.get("KUBECONFIG")
    if kubeconfig:
        facts += [f"kubeconfig:{normalise_path(path, around)[:256]}" for path in kubeconfig.split(":") if path]
    facts += [f"context:{value[:256]}" for value in every(options, "context")]
    facts += [f"raw:{value[:256]}" for value in every(options, "raw") if value not in {"true", "false"}]
    facts += [f"service-account:{value[:256]}" for value in every(options, "serviceaccount")]
    facts += [f"output:{value[:64]}" for value in every(options, "output")[-1:]]
    for option, fact in (("token", "token"), ("client-certificate", "client-certificate")):
        facts += [fact] if last(options, option) else []
    for option, fact in (("insecure-skip-tls-verify", "insecure-tls"), ("all-namespaces", "all-namespaces")):
        facts += [fact] if is_on(options, option) else []
    if any(path == "-" for value in every(options, "filename") for path in value.split(",")):
        facts.append("stdin")
    return facts


def _behind_dashes(parsed: Parsed, skipped: int) -> tuple[str, ...]:
    # The command stands behind "--"; old versions take it without, behind the words that are theirs.
    start = skipped if parsed.terminated is None else parsed.terminated
    return parsed.words[start:]


def _read_words(invocation: Invocation, _around: Around) -> Members:
    words = invocation.words
    return {"target": words[0] if words else None}


def _read_run(invocation: Invocation, _around: Around) -> Members:
    options, words = invocation.options, invocation.words
    return {
        "privileged": is_on(options, "privileged"),
        "image": last(options, "image"),
        "target": words[0] if words else None,
        "command": _behind_dashes(options, 1),
        "files": tuple(FileReference("overrides", None, text) for text in every(options, "overrides")),
    }


def _read_workload(invocation: Invocation, _around: Around) -> Members:
    members = _read_run(invocation, _around)
    return {**members, "resources": read_resources((invocation.verb or "").split()[-1:])}


def _read_exec(invocation: Invocation, _around: Around) -> Members:
    options, words = invocation.options, invocation.words
    named = bool(words) and options.terminated != 0
    return {"target": words[0] if named else None, "command": _behind_dashes(options, 1)}


def _read_rsh(invocation: Invocation, around: Around) -> Members:
    return {**_read_exec(invocation, around), "interactive": not is_on(invocation.options, "no-tty", "T")}


def _read_debug(invocation: Invocation, around: Around) -> Members:
    options, words = invocation.options, invocation.words
    target = words[0] if words else None
    profile = last(options, "profile") or "legacy"
    custom = last(options, "custom")
    facts = [f"debug-profile:{profile[:64]}"] if "profile" in options.values else []
    members: Members = {
        "image": last(options, "image"),
        "target": target,
        "command": _behind_dashes(options, 1),
        "privileged": profile == "sysadmin",
        "files": (FileReference("overrides", _name_file(custom, around)),) if custom else (),
    }
    kind, _, name = (target or "").partition("/")
    if kind in {"node", "nodes", "no"} and name:
        facts.append(f"node:{name[:256]}")
        members["host_namespaces"] = _HOST_PROFILES.get(profile, _NETADMIN if profile == "netadmin" else ())
        if profile in _HOST_PROFILES:
            members["mounts"] = members["writable_mounts"] = ("/",)
    elif "copy-to" in options.values:
        facts.append("copy-pod")
    else:
        facts.append("ephemeral")
    if is_on(options, "share-processes"):
        facts.append("share-processes")
    if profile == "netadmin":
        members["capabilities"] = ("NET_ADMIN", "NET_RAW")
    return {**members, "facts": tuple(facts)}


def _read_copy(invocation: Invocation, around: Around) -> Members:
    members = read_copy(invocation.words, around)
    namespace, slash, pod = (members["target"] or "").rpartition("/")
    return {**members, "target": pod, "namespace": namespace} if slash else members


def _read_get(invocation: Invocation, _around: Around) -> Members:
    words = invocation.words
    names = words[1:] if words and "/" not in words[0] else words
    return {"resources": read_resources(words), "target": names[0] if names else None}


def _read_marks(invocation: Invocation, around: Around) -> Members:
    fact = "label-set" if invocation.verb == "label" else "annotation-added"
    marks = tuple(f"{fact}:{word[:256]}" for word in invocation.words[1:] if "=" in word or word.endswith("-"))
    return {**_read_get(invocation, around), "facts": marks}


def _read_can_i(invocation: Invocation, _around: Around) -> Members:
    words = invocation.words
    return {"resources": read_resources(words[1:2]), "target": words[0] if words else None}


def _read_binding(invocation: Invocation, _around: Around) -> Members:
    options, words = invocation.options, invocation.words
    facts = [f"cluster-role:{value[:256]}" for value in every(options, "clusterrole")]
    subjects = [f"{value[:256]}" for value in every(options, "user", "group")]
    return {"target": words[0] if words else ",".join(subjects) or None, "facts": tuple(facts)}


def _read_subject(invocation: Invocation, _around: Around) -> Members:
    # The role is the binding's; that of the cluster's own bindings has their name.
    words = invocation.words
    name = words[1] if len(words) > 1 else (words[0].partition("/")[2] if words else "")
    return {"target": name or None, "facts": (f"cluster-role:{name[:256]}",) if name else ()}


def _read_grant(invocation: Invocation, _around: Around) -> Members:
    words = invocation.words
    return {
        "target": words[1] if len(words) > 1 else last(invocation.options, "serviceaccount"),
        "facts": tuple(f"cluster-role:{word[:256]}" for word in words[:1]),
    }


def _read_patch(invocation: Invocation, around: Around) -> Members:
    options = invocation.options
    files = [FileReference("patch", None, text) for text in every(options, "patch")]
    files += [FileReference("patch", _name_file(path, around)) for path in every(options, "patch-file")]
    return {**_read_get(invocation, around), "files": tuple(files)}


def _read_secret(invocation: Invocation, around: Around) -> Members:
    paths = [value.partition("=")[2] or value for value in every(invocation.options, "from-file", "from-env-file")]
    return {**_read_words(invocation, around), "host_paths": tuple(normalise_path(path, around) for path in paths)}


def _read_proxy(invocation: Invocation, around: Around) -> Members:
    options = invocation.options
    address, socket, www = last(options, "address"), last(options, "unix-socket"), last(options, "www")
    facts = [f"listen:{address[:256]}"] if address else []
    if socket:
        facts.append(f"listen:{normalise_path(socket, around)[:256]}")
    accepted = last(options, "accept-hosts")
    if is_on(options, "disable-filter") or (accepted is not None and accepted in _ANY_HOST):
        facts.append("disabled-filter")
    return {"facts": tuple(facts), "host_paths": (normalise_path(www, around),) if www else ()}


def _read_forward(invocation: Invocation, around: Around) -> Members:
    address = last(invocation.options, "address")
    return {**_read_words(invocation, around), "facts": (f"listen:{address[:256]}",) if address else ()}


def _read_view(invocation: Invocation, _around: Around) -> Members:
    return {"facts": ("raw:kubeconfig",) if is_on(invocation.options, "raw") else ()}


_READERS: dict[str, Callable[[Invocation, Around], Members]] = {
    "run": _read_run,
    **dict.fromkeys((f"create {kind}" for kind in ("deployment", "job", "cronjob")), _read_workload),
    **dict.fromkeys((f"create {kind}" for kind in ("clusterrolebinding", "rolebinding")), _read_binding),
    "set subject": _read_subject,
    **dict.fromkeys(("create secret generic", "create configmap"), _read_secret),
    "exec": _read_exec,
    "attach": _read_exec,
    "rsh": _read_rsh,
    "debug": _read_debug,
    "cp": _read_copy,
    "rsync": _read_copy,
    **dict.fromkeys(("get", "describe", "delete", "edit", "logs", "wait", "scale", "expose"), _read_get),
    "label": _read_marks,
    "annotate": _read_marks,
    "patch": _read_patch,
    "auth can-i": _read_can_i,
    "proxy": _read_proxy,
    "port-forward": _read_forward,
    "config view": _read_view,
    **dict.fromkeys(
        (f"adm policy add-{what}" for what in ("scc-to-user", "scc-to-group", "cluster-role-to-user", "role-to-user")),
        _read_grant,
    ),
}
