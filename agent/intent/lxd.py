"""What a command line of LXD's lxc, of incus and of a container daemon asks for."""

from collections.abc import Callable, Iterable, Sequence

from agent.intent.endpoint import name_endpoint
from agent.intent.grammar import Grammar, every, is_on, last, parse_options
from agent.intent.invocation import Cli, Invocation, read_invocation
from agent.intent.model import Intent
from agent.intent.mounts import Around, Mount, normalise_path
from agent.intent.powers import Members, name_mounts
from agent.intent.tables.lxd import DAEMONS, LXD

_CLI = Cli(LXD, Grammar.PFLAG, scattered=True)


def read_lxd(tool: str, argv: Sequence[str], around: Around) -> Intent:
    """Read a command line of lxc or incus; ``argv[0]`` is the CLI itself."""
    invocation = read_invocation(_CLI, argv)
    members = _READERS.get(invocation.verb or "", _read_target)(invocation, around)
    return Intent(
        tool=tool,
        verb=invocation.verb,
        namespace=last(invocation.options, "project"),
        notes=invocation.notes,
        **members,
    )


def _read_target(invocation: Invocation, _around: Around) -> Members:
    words = invocation.words
    return {"target": words[0] if words else None}


def _read_launch(invocation: Invocation, around: Around) -> Members:
    options, words = invocation.options, invocation.words
    members = _read_settings(every(options, "config"))
    fields = [field for value in every(options, "device") for field in value.split(",")[1:]]
    return {
        **members,
        **_read_device(fields, around),
        "image": words[0] if words else None,
        "target": words[1] if len(words) > 1 else None,
    }


def _read_config_set(invocation: Invocation, _around: Around) -> Members:
    words = invocation.words
    target, pairs = (words[0] if words else None), list(words[1:])
    if len(pairs) == 2 and "=" not in pairs[0]:
        pairs = [f"{pairs[0]}={pairs[1]}"]
    return {**_read_settings(pairs), "target": target}


def _read_settings(pairs: Iterable[str]) -> Members:
    privileged, facts, hosts, unconfined = False, [], [], []
    for pair in pairs:
        key, _, value = pair.partition("=")
        is_true = value.lower() in {"true", "1", "yes", "on"}
        if key == "security.privileged":
            privileged = is_true
        elif key in {"security.nesting", "security.syscalls.intercept.mount"} and is_true:
            facts.append("nesting")
        elif key == "raw.idmap":
            hosts.append("user")
        elif key in {"raw.lxc", "raw.apparmor", "raw.seccomp", "raw.qemu"}:
            facts.append(f"raw:{key}={value[:256]}")
            if "unconfined" in value:
                unconfined.append("apparmor")
    return {
        "privileged": privileged,
        "facts": tuple(facts),
        "host_namespaces": tuple(hosts),
        "unconfined": tuple(unconfined),
    }


def _read_device_add(invocation: Invocation, around: Around) -> Members:
    # INSTANCE NAME TYPE KEY=VALUE...; an override or a set has no type.
    words = invocation.words
    kind = [f"type={words[2]}"] if len(words) > 2 and "=" not in words[2] else []
    return {**_read_device([*kind, *words[2:]], around), "target": words[0] if words else None}


def _read_device(fields: Sequence[str], around: Around) -> Members:
    given = dict(field.partition("=")[::2] for field in fields if "=" in field)
    if given.get("connect", "").startswith("unix:/"):
        return name_mounts((Mount(normalise_path(given["connect"].removeprefix("unix:"), around)),))
    source = given.get("source") or ("" if given.get("type") == "disk" else given.get("path", ""))
    if not source.startswith(("/", ".")):
        return {}
    path = normalise_path(source, around)
    is_device = given.get("type", "disk") in {"unix-block", "unix-char", "unix-hotplug"} or path.startswith("/dev/")
    writable = given.get("readonly", "false").lower() not in {"true", "1", "yes", "on"}
    facts = ("propagation:shared",) if "shared" in given.get("propagation", "") else ()
    return {**name_mounts((Mount(path, writable, is_device),)), **({"facts": facts} if facts else {})}


def _read_storage(invocation: Invocation, around: Around) -> Members:
    words = invocation.words
    return {**_read_device(words[2:], around), "target": words[0] if words else None}


def _read_exec(invocation: Invocation, _around: Around) -> Members:
    # `shell` is an alias of `exec INSTANCE -- su -l`; exec itself does not go without a command.
    words, options = invocation.words, invocation.options
    return {
        "target": words[0] if words else None,
        "command": words[1:] or ("su", "-l"),
        "user": last(options, "user"),
        "interactive": is_on(options, "force-interactive") or len(words) == 1,
    }


def _read_push(invocation: Invocation, around: Around) -> Members:
    words = invocation.words
    return {
        "target": words[-1].partition("/")[0] if words else None,
        "host_paths": tuple(normalise_path(word, around) for word in words[:-1][:64] if word != "-"),
        "facts": ("copy-in",),
    }


def _read_pull(invocation: Invocation, around: Around) -> Members:
    words = invocation.words
    return {
        "target": words[0].partition("/")[0] if words else None,
        "host_paths": tuple(normalise_path(word, around) for word in words[-1:] if len(words) > 1 and word != "-"),
        "facts": ("copy-out",),
    }


def _read_remote(invocation: Invocation, around: Around) -> Members:
    words = invocation.words
    return {"endpoint": name_endpoint(words[-1], around) if words else None}


_READERS: dict[str, Callable[[Invocation, Around], Members]] = {
    "launch": _read_launch,
    "init": _read_launch,
    "copy": _read_launch,
    "config set": _read_config_set,
    "profile set": _read_config_set,
    **dict.fromkeys(
        ("config device add", "config device set", "config device override", "profile device add"), _read_device_add
    ),
    "storage create": _read_storage,
    "exec": _read_exec,
    "file push": _read_push,
    "file pull": _read_pull,
    "remote add": _read_remote,
}


def read_daemon(tool: str, argv: Sequence[str], around: Around) -> Intent:
    """Read the start of dockerd, containerd or buildkitd: the addresses it listens on."""
    parsed = parse_options(Grammar.PFLAG, DAEMONS[tool], argv, 1, stops=False)
    addresses = [name_endpoint(value, around) for value in every(parsed, "host", "address", "addr")]
    facts = [f"listen:{address[:256]}" for address in addresses]
    if any(address.startswith("tcp://") for address in addresses) and not is_on(parsed, "tlsverify"):
        facts += [] if last(parsed, "tlscacert") and tool == "buildkitd" else ["no-tls-verify"]
    facts += [f"allow:{value[:64]}" for value in every(parsed, "allow-insecure-entitlement")]
    facts += [f"runtime:{value[:256]}" for value in every(parsed, "add-runtime", "default-runtime")]
    return Intent(tool=tool, verb="serve", endpoint=addresses[0] if addresses else None, facts=tuple(facts))
