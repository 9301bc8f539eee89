"""
The files that a command line hands to its runtime, read into its intent.

What cannot be read is told in `Intent.unread`. A file may change between the exec and the reading here;
the bundle that the runtime is given in the end is read again when that runs.
"""

import posixpath
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from agent.errors import UnreadableFileError
from agent.files import list_directory, read_bounded, read_descriptor
from agent.intent.bodies import read_body
from agent.intent.compose import read_compose
from agent.intent.cri import read_cri_config
from agent.intent.documents import DocumentError, parse_documents
from agent.intent.kubernetes import read_kustomization, read_manifest
from agent.intent.model import FileReference, Intent, merge_intents
from agent.intent.mounts import Around
from agent.intent.oci import read_bundle, read_process

_MAX_FILES = 64
_MAX_ENTRIES = 1000
_OBJECT_FILES = (".yaml", ".yml", ".json")
_COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_DESCRIPTOR = re.compile(r"/(?:dev/fd|proc/(?:self|thread-self|[0-9]+)/fd)/([0-9]{1,6})\Z")
_OWN_CWD = re.compile(r"/proc/(?:self|thread-self)/cwd(?=/|\Z)")
_VARIABLE = re.compile(r"(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=[ \t]*(.*)", re.ASCII)
_COUNTED = ("mounts", "writable_mounts", "devices", "facts", "unread", "host_paths", "files", "resources")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where a command line stands.

    `root`: what its process has for ``/``. `process`: its directory in /proc while it lives. `deadline_s`:
    on the monotonic clock, after which nothing more is read.
    """

    root: Path
    cwd: str | None
    words: tuple[str, ...]
    deadline_s: float
    process: Path | None = None
    home: str = "/root"
    env: Mapping[str, str] = {}
    resolve: Callable[[str], str] | None = None
    is_host: Callable[[str], bool]


def follow_references(intent: Intent, place: Place) -> Intent:
    """Read the files of an intent, those that they name in turn, and add what they ask for."""
    pending, seen = deque(intent.files), set(intent.files)
    count = 0
    while pending:
        reference = pending.popleft()
        count += 1
        name = reference.path or reference.kind
        if count > _MAX_FILES:
            intent = _with_unread(intent, f"{name[:256]}: more than {_MAX_FILES} files")
            break
        found, faults = _read_reference(reference, place)
        for reason in faults:
            intent = _with_unread(intent, f"{name[:256]}: {reason[:256]}")
        for other in found:
            intent = merge_intents(intent, other)
            if other.source == "bundle" and other.namespace:
                # The pod's, rather than containerd's own of the runtime's state directory.
                intent = msgspec.structs.replace(intent, namespace=other.namespace)
            pending.extend(file for file in other.files if file not in seen)
            seen.update(other.files)
    return _bounded(intent)


def _with_unread(intent: Intent, text: str) -> Intent:
    return msgspec.structs.replace(intent, unread=tuple(dict.fromkeys((*intent.unread, text))))


def _bounded(intent: Intent) -> Intent:
    # Alerts hold these lists. The paths that matter most are the shortest.
    changes = {}
    for name in _COUNTED:
        entries = getattr(intent, name)
        if len(entries) > _MAX_ENTRIES:
            kept = sorted(entries, key=lambda entry: len(str(entry)))[:_MAX_ENTRIES]
            changes[name] = tuple(kept)
            changes["notes"] = (*changes.get("notes", intent.notes), f"{name}: {len(entries)} in all")
    return msgspec.structs.replace(intent, **changes) if changes else intent


def _read_reference(reference: FileReference, place: Place) -> tuple[list[Intent], list[str]]:
    faults: list[str] = []
    try:
        found = list(_READERS[reference.kind](reference, place, faults)) if reference.kind in _READERS else []
    except (UnreadableFileError, ValueError) as error:
        return [], [*faults, str(error)]
    return found, faults


def _read(path: str, place: Place) -> bytes:
    remaining_s = place.deadline_s - time.monotonic()
    if remaining_s <= 0:
        raise UnreadableFileError("no time is left for it")
    if "://" in path:
        raise UnreadableFileError("it is a URL")
    number = 0 if path in {"-", "/dev/stdin"} else None
    matched = _DESCRIPTOR.match(path)
    if matched is not None:
        number = int(matched[1])
    if number is not None:
        if place.process is None:
            raise UnreadableFileError("it was open in a process that is gone")
        return read_descriptor(number, process=place.process, deadline_s=min(0.25, remaining_s))
    path = _OWN_CWD.sub(lambda _: place.cwd or "", path)
    return read_bounded(path, process_root=place.root, cwd=place.cwd, deadline_s=min(0.25, remaining_s))


def _list(path: str, place: Place) -> tuple[str, ...] | None:
    if path == "-" or "://" in path or _DESCRIPTOR.match(path):
        return None
    remaining_s = max(0.01, place.deadline_s - time.monotonic())
    return list_directory(path, process_root=place.root, cwd=place.cwd, deadline_s=min(0.25, remaining_s))


def _parse(data: bytes, faults: list[str]) -> list[object]:
    try:
        return parse_documents(data)
    except DocumentError as error:
        # kubectl has applied what stands before the fault by the time it finds it.
        faults.append(str(error))
        return error.before


def _content(reference: FileReference, place: Place) -> bytes:
    if reference.text is not None:
        return reference.text.encode(errors="replace")
    return _read(reference.path or "-", place)


def _around(place: Place, cwd: str | None) -> Around:
    return Around(cwd=cwd, env=place.env, resolve=place.resolve)


def _read_bundle(reference: FileReference, place: Place, _faults: list[str]) -> Iterable[Intent]:
    path = reference.path or "-"
    if _list(path, place) is not None:
        path = posixpath.join(path, "config.json")
    yield read_bundle(_read(path, place), _around(place, posixpath.dirname(path)), place.is_host)


def _read_process(reference: FileReference, place: Place, _faults: list[str]) -> Iterable[Intent]:
    yield read_process(_content(reference, place))


def _read_manifest(reference: FileReference, place: Place, faults: list[str]) -> Iterable[Intent]:
    path = reference.path
    names = None if path is None or reference.text is not None else _list(path, place)
    if path is None or names is None:
        yield read_manifest(_parse(_content(reference, place), faults))
        return
    files = [FileReference("manifest", posixpath.join(path, name)) for name in names if name.endswith(_OBJECT_FILES)]
    if any(word in {"-R", "--recursive", "--recursive=true"} for word in place.words):
        others = [posixpath.join(path, name) for name in names if not name.endswith(_OBJECT_FILES)]
        files += [FileReference("manifest", other) for other in others if _list(other, place) is not None]
    yield Intent(tool="kubernetes", source="manifest", files=tuple(files))


def _read_patch(reference: FileReference, place: Place, faults: list[str]) -> Iterable[Intent]:
    yield read_manifest(_parse(_content(reference, place), faults))


def _read_kustomization(reference: FileReference, place: Place, faults: list[str]) -> Iterable[Intent]:
    path = reference.path or "."
    names = _list(path, place)
    if names is not None:
        own = next((name for name in _KUSTOMIZATIONS if name in names), _KUSTOMIZATIONS[0])
        path = posixpath.join(path, own)
    yield read_kustomization(_parse(_read(path, place), faults), _around(place, posixpath.dirname(path)))


def _read_compose(reference: FileReference, place: Place, faults: list[str]) -> Iterable[Intent]:
    path = reference.path or "-"
    names = _list(path, place)
    if names is not None:
        yield Intent(tool="docker", source="compose", files=_find_compose(path, names, place))
        return
    project = place.cwd if path == "-" else posixpath.dirname(path)
    variables = {**_read_variables(project, place), **place.env}
    around = Around(cwd=project, env=variables, resolve=place.resolve)
    yield read_compose(_parse(_content(reference, place), faults), around, words=place.words[1:], home=place.home)


def _find_compose(path: str, names: tuple[str, ...], place: Place) -> tuple[FileReference, ...]:
    # Compose looks in the directories above as well.
    for _ in range(32):
        own = next((name for name in _COMPOSE_FILES if name in names), None)
        if own is not None:
            stem, _, ending = own.rpartition(".")
            also = [f"{stem}.override.{end}" for end in (ending, "yml", "yaml")]
            found = [own, *[name for name in also if name in names][:1]]
            return tuple(FileReference("compose", posixpath.join(path, name)) for name in found)
        if path in {"/", ""}:
            break
        path = posixpath.dirname(path)
        names = _list(path, place) or ()
    raise UnreadableFileError("there is no Compose file in it or above it")


def _read_variables(project: str | None, place: Place) -> dict[str, str]:
    try:
        text = _read(posixpath.join(project or "/", ".env"), place).decode(errors="replace")
    except UnreadableFileError:
        return {}
    matches = (_VARIABLE.match(line.strip()) for line in text.splitlines()[:1000])
    return {match[1]: match[2].strip().strip("\"'")[:1024] for match in matches if match}


def _read_cri(reference: FileReference, place: Place, faults: list[str]) -> Iterable[Intent]:
    yield read_cri_config(_parse(_content(reference, place), faults), _around(place, "/"))


def _read_body(reference: FileReference, place: Place, faults: list[str]) -> Iterable[Intent]:
    yield read_body(_parse(_content(reference, place), faults), _around(place, "/"))


_READERS: dict[str, Callable[[FileReference, Place, list[str]], Iterable[Intent]]] = {
    "bundle": _read_bundle,
    "spec": _read_bundle,
    "process": _read_process,
    "manifest": _read_manifest,
    "kustomization": _read_kustomization,
    "overrides": _read_patch,
    "patch": _read_patch,
    "values": _read_patch,
    "compose": _read_compose,
    "pod-config": _read_cri,
    "container-config": _read_cri,
    "json-body": _read_body,
}
