"""
What of the host a mount option gives away: paths and devices, normalised before anyone judges them.

Sources: docker's opts/mount.go and cli/compose/loader/volume.go, podman's pkg/specgenutil/volumes.go,
nerdctl's pkg/mountutil, containerd's cmd/ctr/commands/run, path_resolution(7).
"""

import csv
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

# A longer path is refused by the kernel (PATH_MAX); it is not worth resolving.
_PATH_MAX = 4096
# Other names of the root directory and of /run, as a daemon on the host sees them.
_ROOT_NAMES = re.compile(r"/proc/(?:1|self|thread-self|self/task/[0-9]+|1/task/1)/root(?=/|\Z)")
_VAR_RUN = re.compile(r"/var/run(?=/|\Z)")
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))
_READ_ONLY = frozenset(("ro", "readonly", "rro", "O"))
# Kinds of --mount that take nothing from the host, unless their source is an absolute path all the same.
_NOT_OF_HOST = frozenset("volume tmpfs ramfs devpts image cluster cache secret ssh npipe".split())
_VIRTUAL = frozenset("tmpfs ramfs devpts proc sysfs mqueue cgroup cgroup2 devtmpfs bpf".split())


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a command line means depends on: working directory, environment, symbolic links.

    `resolve` takes an absolute normalised path and gives it without symbolic links, as far as it exists; it
    must not raise.
    """

    cwd: str | None = None
    env: Mapping[str, str] = {}
    resolve: Callable[[str], str] | None = None


class Mount(msgspec.Struct, frozen=True):
    """A host path that becomes visible in a container; a device node where `device`."""

    path: str
    writable: bool = True
    device: bool = False


def normalise_path(path: str, around: Around) -> str:
    """
    Give a host path its one name: absolute, without ``//``, ``.``, ``..`` and symbolic links.

    A relative path stays relative where the working directory is not known.
    """
    if not path.startswith("/") and around.cwd:
        path = f"{around.cwd}/{path}"
    plain = _plain(path)
    if around.resolve is not None and plain.startswith("/") and len(plain) <= _PATH_MAX and "\0" not in plain:
        plain = _plain(around.resolve(plain))
    return plain


def _plain(path: str) -> str:
    normal = posixpath.normpath(path)
    if normal.startswith("/"):
        normal = "/" + normal.lstrip("/")
        normal = _ROOT_NAMES.sub("", normal) or "/"
        normal = _VAR_RUN.sub("/run", normal)
    return normal


def parse_volume(text: str, around: Around) -> Mount | None:
    """
    Read ``-v SOURCE:TARGET[:OPTIONS]``.

    Returns:
        None for an anonymous volume and for a named one: a source that holds no slash and starts with no dot.
    """
    source, colon, rest = text.partition(":")
    if not colon or not source or ("/" not in source and not source.startswith(".")):
        return None
    options = rest.partition(":")[2].split(",")
    return Mount(normalise_path(source, around), writable=_READ_ONLY.isdisjoint(options))


def parse_mount(text: str, around: Around, *, kind: str = "volume") -> tuple[Mount, ...]:
    """Read ``--mount``: one CSV record of ``key=value``, keys and type in any case; `kind` where it gives no type."""
    fields: dict[str, str] = {}
    volume_options: list[str] = []
    for field in _split_record(text):
        key, equals, value = field.partition("=")
        key = key.strip().lower()
        if key == "volume-opt":
            volume_options.append(value)
        else:
            fields[_KEYS.get(key, key)] = value if equals else "true"
    kind = fields.get("type", kind).lower()
    source, options = fields.get("source", ""), fields.get("options", "").split(":")
    writable = _READ_ONLY.isdisjoint(options) and fields.get("readonly", "false") in _FALSE
    if fields.get("rw") in _FALSE:
        writable = False
    found = list(read_volume_options(volume_options, around, writable=writable))
    if kind == "overlay":
        found.extend(_read_overlay(options, around, writable=writable))
    elif source.startswith("/dev/") and kind not in {"bind", "rbind", "none", ""}:
        found.append(Mount(normalise_path(source, around), writable, device=True))
    elif kind == "glob":
        found.append(Mount(normalise_path(re.split(r"[^/]*[*?\[]", source, maxsplit=1)[0], around), writable))
    elif source and kind not in _VIRTUAL and (kind not in _NOT_OF_HOST or source.startswith("/")):
        found.append(Mount(normalise_path(source, around), writable))
    return tuple(found)


_KEYS = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}


def _split_record(text: str) -> list[str]:
    try:
        return next(iter(csv.reader([text])), [])
    except csv.Error:
        # A field beyond the csv module's limit: the runtimes would take it, so it is read without quotes.
        return text.split(",")


def read_volume_options(options: Iterable[str], around: Around, *, writable: bool = True) -> tuple[Mount, ...]:
    """
    Read the options of the local volume driver, ``type=none``, ``o=bind``, ``device=/``.

    Returns:
        The host path or device that the volume is made of, if any.
    """
    given = dict(option.partition("=")[::2] for option in options)
    kind, device = given.get("type", ""), given.get("device", "")
    settings = given.get("o", "").split(",")
    if kind == "overlay":
        return _read_overlay(settings, around, writable=writable)
    if not device.startswith(("/", ".")) or kind in _VIRTUAL:
        return ()
    writable = writable and _READ_ONLY.isdisjoint(settings)
    path = normalise_path(device, around)
    is_bind = {"bind", "rbind"} & set(settings)
    return (Mount(path, writable, device=path.startswith("/dev/") and not is_bind),)


def _read_overlay(settings: Iterable[str], around: Around, *, writable: bool) -> tuple[Mount, ...]:
    found: list[Mount] = []
    for setting in settings:
        key, _, value = setting.partition("=")
        if key in {"lowerdir", "upperdir"}:
            paths = [path for path in value.split(":") if path.startswith("/")]
            found.extend(Mount(normalise_path(path, around), writable and key == "upperdir") for path in paths)
    return tuple(found)
