"""
What a Compose file asks for: the services that a command line starts, read as so many ``docker run``.

Source: compose-spec's 05-services.md, 13-merge.md, 14-include.md, 15-profiles.md.
"""

import posixpath
import shlex
from collections.abc import Collection, Iterable, Sequence

from agent.intent.grammar import Parsed
from agent.intent.interpolation import interpolate
from agent.intent.model import FileReference, Intent, merge_intents
from agent.intent.mounts import Around, Mount, normalise_path, read_volume_options
from agent.intent.powers import name_mounts, read_powers
from agent.intent.tree import Mapping, as_text, child, child_list, child_map, child_text, child_texts, is_true

_SWITCHES = (("privileged", "privileged"), ("use_api_socket", "use-api-socket"))
_VALUES = (
    ("pid", "pid"),
    ("ipc", "ipc"),
    ("network_mode", "network"),
    ("userns_mode", "userns"),
    ("uts", "uts"),
    ("cgroup", "cgroupns"),
    ("cgroup_parent", "cgroup-parent"),
    ("user", "user"),
    ("runtime", "runtime"),
)
_LISTS = (
    ("cap_add", "cap-add"),
    ("device_cgroup_rules", "device-cgroup-rule"),
    ("security_opt", "security-opt"),
    ("group_add", "group-add"),
    ("volumes_from", "volumes-from"),
)
_MERGED = frozenset(
    ("cap_add", "device_cgroup_rules", "devices", "group_add", "security_opt", "volumes", "volumes_from")
)
_EXTENDS_MAX = 8
# Entries of lists that services inherit; as many as documents have nodes would take minutes.
_INHERITED_MAX = 20_000
_COMMAND_MAX = 4096


def read_compose(
    documents: Sequence[object],
    around: Around,
    *,
    words: Collection[str] | None = None,
    home: str = "/root",
) -> Intent:
    """
    Read the services that a command line starts.

    Args:
        documents: as `parse_documents` gives them; Compose merges several into one.
        around: its working directory is the project's, its environment the variables that are known.
        words: those of the command line. A service that it names is started, with those it depends on; a
            profile that it names is active. Without a named service all are that have no inactive profile.
            None: all there are.
        home: what ``~`` stands for.

    Returns:
        The union of what the services ask for; `files` has the other files that belong to the project.

    Raises:
        ValueError: it expands beyond a bound; its text is the reason.
    """
    project = _Project(documents, around, home)
    intents = [Intent(tool="docker", source="compose", files=tuple(project.find_files()))]
    intents += [project.read_service(name) for name in project.choose(words)]
    # By pairs: one by one, each would copy the union of all before it.
    while len(intents) > 1:
        pairs = [merge_intents(*intents[at : at + 2]) for at in range(0, len(intents) - 1, 2)]
        intents = pairs + intents[2 * len(pairs) :]
    return intents[0]


class _Project:
    """What the services of one file share."""

    def __init__(self, documents: Sequence[object], around: Around, home: str) -> None:
        trees = [interpolate(document, around.env) for document in documents]
        self.inherited = 0
        self.around = around
        self.home = home.rstrip("/")
        self.trees = trees
        self.services = self._collect("services")
        self.volumes = self._collect("volumes")
        self.networks = self._collect("networks")
        self.contents = {"secrets": self._collect("secrets"), "configs": self._collect("configs")}

    def _collect(self, key: str) -> Mapping:
        return {name: item for tree in self.trees for name, item in child_map(tree, key).items()}

    def choose(self, words: Collection[str] | None) -> list[str]:
        if words is None:
            return list(self.services)
        given = {part for word in words for part in (word, word.rpartition("=")[2])}
        named = [name for name in self.services if name in given]
        if named:
            return self._with_dependencies(named)
        return [name for name, service in self.services.items() if _is_active(service, given)]

    def _with_dependencies(self, names: list[str]) -> list[str]:
        found, pending = dict.fromkeys(names), list(names)
        while pending:
            needed = child(self.services[pending.pop()], "depends_on")
            for name in needed if isinstance(needed, (list, dict)) else ():
                if isinstance(name, str) and name in self.services and name not in found:
                    found[name] = None
                    pending.append(name)
        return list(found)

    def find_files(self) -> Iterable[FileReference]:
        for tree in self.trees:
            for entry in child_list(tree, "include"):
                for path in child_texts(entry, "path") if isinstance(entry, dict) else [as_text(entry)]:
                    if path:
                        yield FileReference("compose", self.name_path(path))
        for service in self.services.values():
            path = child_text(service, "extends", "file")
            if path:
                yield FileReference("compose", self.name_path(path))

    def name_path(self, path: str) -> str:
        if path == "~" or path.startswith("~/"):
            path = self.home + path[1:]
        return path if "://" in path else normalise_path(path, self.around)

    def read_service(self, name: str) -> Intent:
        service = self._extend(name)
        parsed = Parsed({key: tuple(found) for key, found in self._name_options(service).items() if found}, (), 0)
        members = read_powers(parsed, self.around)
        mounts = [mount for entry in child_list(service, "volumes") for mount in self._read_volume(entry)]
        mounts += self._read_contents(service)
        for key, paths in name_mounts(mounts).items():
            members[key] = (*members[key], *paths)
        command = (*_split(child(service, "entrypoint")), *_split(child(service, "command")))
        started = child_list(service, "post_start") + child_list(service, "pre_stop")
        if any(is_true(hook, "privileged") for hook in started):
            members["privileged"] = True
        return Intent(
            tool="docker",
            source="compose",
            image=child_text(service, "image"),
            target=child_text(service, "container_name") or name[:256],
            command=command,
            program=posixpath.basename(command[0]) if command else None,
            **members,
        )

    def _extend(self, name: str) -> Mapping:
        chain: list[Mapping] = []
        seen: set[str] = set()
        at: str | None = name
        while at is not None and at not in seen and len(chain) < _EXTENDS_MAX:
            seen.add(at)
            service = child_map(self.services, at)
            chain.append(service)
            base = child_text(service, "extends", "service") or child_text(service, "extends")
            at = base if child(service, "extends", "file") is None else None
        joined: Mapping = {}
        for service in reversed(chain):
            self.inherited += sum(len(child_list(service, key)) for key in _MERGED) if len(chain) > 1 else 0
            if self.inherited > _INHERITED_MAX:
                raise ValueError(f"its services inherit more than {_INHERITED_MAX} entries")
            for key, value in service.items():
                joined[key] = [*child_list(joined, key), *child_list(service, key)] if key in _MERGED else value
        return joined

    def _name_options(self, service: Mapping) -> dict[str, list[str]]:
        options = {name: ["true"] for key, name in _SWITCHES if is_true(service, key)}
        options.update({name: [text] for key, name in _VALUES if (text := child_text(service, key)) is not None})
        options.update({name: child_texts(service, key) for key, name in _LISTS})
        options["device"] = [
            source
            for entry in child_list(service, "devices")
            if (source := child_text(entry, "source") if isinstance(entry, dict) else as_text(entry))
        ]
        if is_true(service, "tty") or is_true(service, "stdin_open"):
            options["tty"] = ["true"]
        used = child(service, "networks")
        hosts = [key for key in (used if isinstance(used, (list, dict)) else ()) if self._is_host_network(key)]
        if hosts:
            options["network"] = ["host"]
        options["allow"] = child_texts(service, "build", "entitlements")
        if is_true(service, "build", "privileged"):
            options["allow"].append("security.insecure")
        return options

    def _is_host_network(self, key: object) -> bool:
        return isinstance(key, str) and child(self.networks, key, "name") == "host"

    def _read_volume(self, entry: object) -> list[Mount]:
        if isinstance(entry, dict):
            kind, source = child_text(entry, "type") or "volume", child_text(entry, "source") or ""
            writable = not is_true(entry, "read_only")
            shared = source if kind == "bind" else ""
        else:
            source, _, rest = (as_text(entry) or "").partition(":")
            writable = not {"ro", "readonly", "rro"} & set(rest.partition(":")[2].split(","))
            shared = source if rest and source.startswith(("/", ".", "~")) else ""
        if shared:
            return [Mount(self.name_path(shared), writable)]
        given = child_map(self.volumes, source, "driver_opts")
        options = [f"{key}={self._name_option(key, value)}" for key, value in given.items()]
        return list(read_volume_options(options, self.around, writable=writable))

    def _name_option(self, key: str, value: object) -> str:
        text = as_text(value) or ""
        return self.name_path(text) if key == "device" and text.startswith(("~", ".")) else text

    def _read_contents(self, service: Mapping) -> list[Mount]:
        # Secrets and configurations made of files are bind mounts, too.
        found = []
        for kind, defined in self.contents.items():
            for entry in child_list(service, kind):
                name = child_text(entry, "source") if isinstance(entry, dict) else as_text(entry)
                path = child_text(defined, name or "", "file")
                found += [Mount(self.name_path(path), writable=False)] if path else []
        return found


def _is_active(service: object, given: Collection[str]) -> bool:
    profiles = child_texts(service, "profiles")
    return not profiles or "*" in given or any(profile in given for profile in profiles)


def _split(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for text in map(as_text, value) if text]
    text = (as_text(value) or "")[:_COMMAND_MAX]
    try:
        return shlex.split(text)
    except ValueError:
        # Compose would refuse the quotes; the words are told all the same.
        return text.split()
