"""What a docker, podman, nerdctl or buildah command line asks for."""

from collections.abc import Callable, Sequence

from agent.intent.endpoint import name_endpoint
from agent.intent.grammar import Grammar, every, is_on, last
from agent.intent.invocation import Cli, Invocation, read_invocation
from agent.intent.model import FileReference, Intent
from agent.intent.mounts import Around, Mount, normalise_path, read_volume_options
from agent.intent.powers import Members, name_mounts, read_powers
from agent.intent.tables.buildah import BUILDAH
from agent.intent.tables.compose import STANDALONE
from agent.intent.tables.docker import DOCKER
from agent.intent.tables.nerdctl import NERDCTL
from agent.intent.tables.podman import PODMAN

_CLIS = {
    "docker": Cli(DOCKER, Grammar.PFLAG),
    "podman": Cli(PODMAN, Grammar.PFLAG),
    "nerdctl": Cli(NERDCTL, Grammar.PFLAG),
    "buildah": Cli(BUILDAH, Grammar.PFLAG, scattered=True),
    "docker-compose": Cli(STANDALONE, Grammar.PFLAG),
}
# Of each: the options and the variables that choose the daemon, the strongest first.
_ENDPOINTS = {
    "docker": (("host",), ("DOCKER_HOST",)),
    "docker-compose": (("host",), ("DOCKER_HOST",)),
    "podman": (("url",), ("CONTAINER_HOST",)),
    "nerdctl": (("address",), ("CONTAINERD_ADDRESS",)),
    "buildah": ((), ()),
}


def read_engine(tool: str, argv: Sequence[str], around: Around) -> Intent:
    """Read a command line of one of the engines; ``argv[0]`` is the CLI itself."""
    invocation = read_invocation(_CLIS[tool], argv)
    verb = invocation.verb
    if tool == "docker-compose" and verb is not None:
        verb = f"compose {verb}"
    reader = _READERS.get(f"{tool} {verb}") or _READERS.get(verb or "", _read_words)
    if verb is not None and verb.startswith("compose "):
        reader = _read_compose
    members: Members = {"verb": verb, "notes": invocation.notes, **_read_target(tool, invocation, around)}
    for name, value in reader(invocation, around).items():
        members[name] = (*members.get(name, ()), *value) if name == "facts" else value
    return Intent(tool=tool, **members)


def _read_target(tool: str, invocation: Invocation, around: Around) -> Members:
    above = invocation.above
    options, variables = _ENDPOINTS[tool]
    facts = [
        f"{name}:{value[:256]}" for name in ("runtime", "hooks-dir", "module", "conmon") for value in every(above, name)
    ]
    endpoint = last(above, *options)
    context = last(above, "context", "connection")
    if endpoint is None and context is None:
        endpoint = next((around.env[name] for name in variables if around.env.get(name)), None)
    if context is None and endpoint is None:
        context = around.env.get("DOCKER_CONTEXT" if tool.startswith("docker") else "CONTAINER_CONNECTION")
    if context:
        facts.append(f"context:{context[:256]}")
    if is_on(above, "remote"):
        facts.append("remote")
    namespace = None
    if tool == "nerdctl":
        namespace = last(above, "namespace") or last(invocation.options, "namespace")
        namespace = namespace or around.env.get("CONTAINERD_NAMESPACE")
    return {
        "endpoint": name_endpoint(endpoint, around) if endpoint else None,
        "namespace": namespace,
        "facts": tuple(facts),
    }


def _read_words(invocation: Invocation, _around: Around) -> Members:
    words = invocation.words
    return {"target": words[0] if words else None}


def _read_run(invocation: Invocation, around: Around) -> Members:
    options, words = invocation.options, invocation.words
    members = read_powers(options, around)
    image = words[0] if words else None
    entrypoint = last(options, "entrypoint")
    if entrypoint:
        members["facts"] = (*members["facts"], "entrypoint")
    members["command"] = ((entrypoint,) if entrypoint else ()) + words[1:]
    members["image"] = image
    members["target"] = last(options, "name")
    if image and is_on(options, "rootfs"):
        path, _, overlay = image.partition(":")
        root = Mount(normalise_path(path, around), writable=overlay != "O")
        return _with_mounts(members, (root,))
    return members


def _read_update(invocation: Invocation, around: Around) -> Members:
    words = invocation.words
    members = read_powers(invocation.options, around)
    return {**members, "image": last(invocation.options, "image"), "target": words[0] if words else None}


def _with_mounts(members: Members, found: Sequence[Mount]) -> Members:
    return {**members, **{name: (*members[name], *paths) for name, paths in name_mounts(found).items()}}


def _read_exec(invocation: Invocation, around: Around) -> Members:
    words = invocation.words
    members = read_powers(invocation.options, around)
    if is_on(invocation.options, "latest"):
        return {**members, "target": "latest", "command": words}
    return {**members, "target": words[0] if words else None, "command": words[1:]}


def _read_buildah_run(invocation: Invocation, around: Around) -> Members:
    members = _read_exec(invocation, around)
    return {**members, "interactive": is_on(invocation.options, "terminal")}


def _read_build(invocation: Invocation, around: Around) -> Members:
    members = read_powers(invocation.options, around)
    context = invocation.words[0] if invocation.words else None
    if context and context.startswith(("http://", "https://", "git://", "git@", "ssh://")):
        members["facts"] = (*members["facts"], f"pull-path:{context[:256]}")
    return {**members, "image": last(invocation.options, "tag"), "interactive": False, "user": None}


def _read_image(invocation: Invocation, _around: Around) -> Members:
    return {"image": invocation.words[0] if invocation.words else None}


def _read_archive(invocation: Invocation, around: Around) -> Members:
    source = last(invocation.options, "input") or (invocation.words[0] if invocation.words else None)
    return {"facts": (f"pull-path:{_name_file(source, around)[:256]}",) if source else ()}


def _read_copy(invocation: Invocation, around: Around) -> Members:
    return read_copy(invocation.words, around)


def read_copy(words: Sequence[str], around: Around) -> Members:
    """Read the two ends of a ``cp``: ``[NAMESPACE/]CONTAINER:PATH`` is the container's, anything else the host's."""
    ends = words[-2:] if len(words) > 1 else words
    inside = [":" in word and not word.startswith((".", "/")) for word in ends]
    target = next((word.partition(":")[0] for word, is_inside in zip(ends, inside, strict=True) if is_inside), None)
    paths = [word for word, is_inside in zip(ends, inside, strict=True) if not is_inside and word != "-"]
    facts = () if len(ends) < 2 or not any(inside) else (("copy-out",) if inside[0] else ("copy-in",))
    return {"target": target, "host_paths": tuple(normalise_path(path, around) for path in paths), "facts": facts}


def _read_buildah_copy(invocation: Invocation, around: Around) -> Members:
    # CONTAINER SOURCE... [DESTINATION], as Dockerfile's COPY and ADD.
    words = invocation.words
    given = words[1:2] if len(words) < 3 else words[1:-1]
    sources = [] if last(invocation.options, "from") else [word for word in given[:64] if "://" not in word]
    return {
        "verb": "cp",
        "target": words[0] if words else None,
        "host_paths": tuple(normalise_path(path, around) for path in sources),
        "facts": ("copy-in",),
    }


def _read_connection(invocation: Invocation, around: Around) -> Members:
    words = invocation.words
    return {"target": words[0] if words else None, "endpoint": name_endpoint(words[1], around) if words[1:] else None}


def _read_volume(invocation: Invocation, around: Around) -> Members:
    found = read_volume_options(every(invocation.options, "opt"), around)
    words = invocation.words
    return {**name_mounts(found), "target": words[0] if words else None}


def _read_plugin(invocation: Invocation, around: Around) -> Members:
    granted = is_on(invocation.options, "grant-all-permissions")
    settings = [word.partition("=") for word in invocation.words[1:]]
    sources = [value for key, _, value in settings if key.endswith(".source") and value.startswith("/")]
    devices = [value for key, _, value in settings if key.endswith(".path") and value.startswith("/dev/")]
    found = [Mount(normalise_path(path, around)) for path in sources]
    found += [Mount(normalise_path(path, around), device=True) for path in devices]
    return {
        **name_mounts(found),
        "image": invocation.words[0] if invocation.words else None,
        "facts": ("grant-all-permissions",) if granted else (),
    }


def _read_context(invocation: Invocation, around: Around) -> Members:
    settings = [field.partition("=") for value in every(invocation.options, "docker") for field in value.split(",")]
    hosts = [value for key, _, value in settings if key == "host"]
    members = _read_words(invocation, around)
    return {**members, "endpoint": name_endpoint(hosts[-1], around)} if hosts else members


def _read_stack(invocation: Invocation, around: Around) -> Members:
    paths = every(invocation.options, "compose-file")
    return {**_read_words(invocation, around), "files": _name_files("compose", paths, around)}


def _read_kube(invocation: Invocation, around: Around) -> Members:
    members = read_powers(invocation.options, around)
    return {**members, "files": _name_files("manifest", invocation.words[:1], around)}


def _read_service(invocation: Invocation, around: Around) -> Members:
    address = invocation.words[0] if invocation.words else None
    if address is None:
        return {"facts": ("system-service",)}
    scheme, colon, rest = address.partition(":")
    address = f"tcp://{rest}" if scheme == "tcp" and colon and not rest.startswith("/") else address
    return {"facts": ("system-service", f"listen:{name_endpoint(address, around)[:256]}")}


def _read_inside(invocation: Invocation, around: Around) -> Members:
    members = read_powers(invocation.options, around)
    return {**members, "command": invocation.words, "new_namespaces": ("mnt", "user")}


_COMPOSE_COMMANDS = frozenset(("compose run", "compose exec"))
_COMPOSE_STARTS = frozenset(
    f"compose {verb}" for verb in ("up", "create", "run", "start", "restart", "build", "watch", "scale")
)


def _read_compose(invocation: Invocation, around: Around) -> Members:
    above, options, words = invocation.above, invocation.options, invocation.words
    verb = f"compose {(invocation.verb or '').removeprefix('compose ')}"
    members: Members = {}
    if verb in _COMPOSE_COMMANDS:
        members = read_powers(options, around)
        entrypoint = last(options, "entrypoint")
        members["command"] = ((entrypoint,) if entrypoint else ()) + words[1:]
        members["interactive"] = not is_on(options, "no-tty", "detach")
    elif verb == "compose cp":
        members = read_copy(words, around)
    members.setdefault("target", words[0] if words else None)
    if verb in _COMPOSE_STARTS:
        project = last(above, "project-directory")
        paths = every(above, "file") or tuple(filter(None, around.env.get("COMPOSE_FILE", "").split(":")))
        base = around if project is None else Around(cwd=normalise_path(project, around), resolve=around.resolve)
        members["files"] = _name_files("compose", paths, around) or (
            FileReference("compose", normalise_path(".", base)),
        )
    return members


def _name_files(kind: str, paths: Sequence[str], around: Around) -> tuple[FileReference, ...]:
    return tuple(FileReference(kind, _name_file(path, around)) for path in paths)


def _name_file(path: str, around: Around) -> str:
    return path if path == "-" or "://" in path else normalise_path(path, around)


_READERS: dict[str, Callable[[Invocation, Around], Members]] = {
    "run": _read_run,
    "create": _read_run,
    "from": _read_run,
    "buildah run": _read_buildah_run,
    "buildah copy": _read_buildah_copy,
    "buildah add": _read_buildah_copy,
    "system connection add": _read_connection,
    "service create": _read_run,
    "service update": _read_update,
    "pod create": _read_run,
    "exec": _read_exec,
    "build": _read_build,
    "bud": _read_build,
    "buildx build": _read_build,
    "buildx bake": _read_build,
    "pull": _read_image,
    "push": _read_image,
    "rmi": _read_image,
    "save": _read_image,
    "image mount": _read_image,
    "import": _read_archive,
    "load": _read_archive,
    "cp": _read_copy,
    "volume create": _read_volume,
    "plugin install": _read_plugin,
    "plugin set": _read_plugin,
    "plugin upgrade": _read_plugin,
    "context create": _read_context,
    "context update": _read_context,
    "stack deploy": _read_stack,
    "kube play": _read_kube,
    "system service": _read_service,
    "unshare": _read_inside,
}
