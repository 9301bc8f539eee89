"""
The configuration file: TOML into frozen structs, each key with its reader and its default.

Nothing is guessed: an unknown key, a wrong type or a bad value is a fault with its dotted path, and
one run shows all of them. `deploy/hullwatch.toml` shows every key.
"""

import difflib
import json
import mmap
import re
import tomllib
import typing
from pathlib import Path
from typing import Annotated, Any

import msgspec

from agent.address import Address, Endpoint, UnixEndpoint, parse_address, parse_endpoint
from agent.errors import ConfigError

DEFAULT_PATH = Path("/etc/hullwatch/hullwatch.toml")
SENSORS = ("auto", "core")
SHIPPED_RULES = "shipped"  # in `rules`: stands for `shipped_rules_dir`, wherever that is installed
SHIPPED_SEEDS = "shipped/seeds"  # and this for the published queries that lie below it

_TOML_TYPES = {bool: "a boolean", int: "an integer", float: "a float", str: "a string", list: "an array"}


def shipped_rules_dir() -> Path:
    """Find the rules that came with this package: inside an installed wheel, else beside a checkout's package."""
    package = Path(__file__).resolve().parent
    installed = package / "data" / "rules"
    return installed if installed.is_dir() else package.parent / "rules"


def parse_sensor(name: str) -> str:
    """
    Read the name of a sensor, or ``auto``.

    Raises:
        ValueError: it is no sensor of this version.
    """
    if name not in SENSORS:
        raise ValueError(f"{_quote(name)} is no sensor of this version; expected {_choices(SENSORS)}")
    return name


def parse_path(text: str) -> Path:
    """
    Read an absolute path.

    Raises:
        ValueError: it is relative (a service has no directory of its own) or holds a NUL.
    """
    if not text.startswith("/") or "\0" in text:
        raise ValueError(f"{_quote(text)} is not an absolute path")
    return Path(text)


def _parse_rules(entries: list[object]) -> tuple[Path, ...]:
    for entry in entries:
        if not isinstance(entry, str):
            raise ValueError(f"expected an array of strings, got {_type(entry)} in it")  # noqa: TRY004 - as every reader
    return tuple(map(_parse_rules_dir, map(str, entries)))


def _parse_rules_dir(entry: str) -> Path:
    if entry == SHIPPED_RULES:
        return shipped_rules_dir()
    return shipped_rules_dir() / "seeds" if entry == SHIPPED_SEEDS else parse_path(entry)


def _parse_window_s(seconds: int) -> int:
    return _between(0, seconds, 86_400)


def _parse_ring_bytes(size: int) -> int:
    # The kernel takes nothing else for a ring buffer's max_entries: ringbuf_map_alloc, kernel/bpf/ringbuf.c.
    if _between(mmap.PAGESIZE, size, 1 << 30) & (size - 1):
        raise ValueError(f"{size} is not a power of two")
    return size


def _parse_name(name: str) -> str:
    if not re.fullmatch(r"[!-~]{1,128}", name):
        raise ValueError(f"{_quote(name)} is not 1 to 128 printable ASCII characters without a space")
    return name


class StdoutSink(msgspec.Struct, frozen=True, kw_only=True, tag="stdout"):
    """Alerts on standard output."""

    name: Annotated[str, str, _parse_name] = "stdout"


class SyslogSink(msgspec.Struct, frozen=True, kw_only=True, tag="syslog"):
    """Alerts to a syslog server; the journal keeps its cursor under `name`, by default ``syslog:ADDRESS``."""

    name: Annotated[str, str, _parse_name] = ""
    address: Annotated[Endpoint, str, parse_endpoint] = UnixEndpoint("/dev/log")

    def __post_init__(self) -> None:
        if not self.name:
            msgspec.structs.force_setattr(self, "name", f"syslog:{self.address}")


Sink = StdoutSink | SyslogSink
_SINKS: dict[str, type[Sink]] = {"stdout": StdoutSink, "syslog": SyslogSink}


class Http(msgspec.Struct, frozen=True, kw_only=True):
    """Where /metrics, /healthz and /readyz are served."""

    listen: Annotated[Address, str, parse_address] = Address("127.0.0.1", 9847)


class Suppress(msgspec.Struct, frozen=True, kw_only=True):
    """How long repeats of an alert are folded into one; 0: never."""

    window_s: Annotated[int, int, _parse_window_s] = 60


class Core(msgspec.Struct, frozen=True, kw_only=True):
    """The sensor `core`: the size of its ring buffer between kernel and agent."""

    ring_bytes: Annotated[int, int, _parse_ring_bytes] = 8 << 20


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Where the node's own /proc and / are seen from here: elsewhere when the agent is a container."""

    proc: Annotated[Path, str, parse_path] = Path("/proc")
    root: Annotated[Path, str, parse_path] = Path("/")


def _default_rules() -> tuple[Path, ...]:
    return (shipped_rules_dir(), Path("/etc/hullwatch/rules.d"))


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All that an operator can set."""

    sensor: Annotated[str, str, parse_sensor] = "auto"
    rules: Annotated[tuple[Path, ...], list, _parse_rules] = msgspec.field(default_factory=_default_rules)
    state_dir: Annotated[Path, str, parse_path] = Path("/var/lib/hullwatch")
    http: Http = Http()
    sinks: tuple[Sink, ...] = (SyslogSink(), StdoutSink())
    suppress: Suppress = Suppress()
    core: Core = Core()
    host: Host = Host()


def load_config(path: Path | None) -> Config:
    """
    Read a configuration file; None means the default one, and the built-in defaults where there is none.

    Raises:
        ConfigError: it cannot be read, or what `parse_config` raises.
    """
    try:
        text = (path or DEFAULT_PATH).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path or DEFAULT_PATH}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        if path is None and isinstance(error, FileNotFoundError):
            return Config()
        raise ConfigError(f"{path or DEFAULT_PATH}: cannot be read: {error.strerror}") from None
    return parse_config(text, path or DEFAULT_PATH)


def parse_config(text: str, path: Path) -> Config:
    """
    Read the text of a configuration file; `path` is only named in errors.

    Raises:
        ConfigError: every fault of the text, a sentence a line: ``PATH: DOTTED.KEY: what is wrong``.
    """
    try:
        document = tomllib.loads(text)
    # Integers beyond Python's digit limit are a plain ValueError, deep nesting is a RecursionError.
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    faults: list[str] = []
    config = _read_table(document, Config, "", faults)
    if faults:
        raise ConfigError("\n".join(f"{path}: {fault}" for fault in faults))
    return typing.cast("Config", config)


def _read_table(table: object, struct: type[msgspec.Struct], prefix: str, faults: list[str]) -> msgspec.Struct | None:
    # A fault is noted and reading goes on, so that an operator mends all of them at once.
    if not isinstance(table, dict):
        faults.append(f"{prefix[:-1]}: expected a table, got {_type(table)}")
        return None
    readers = typing.get_type_hints(struct, include_extras=True)
    members: dict[str, Any] = {}
    for key, value in table.items():
        reader = readers.get(key)
        if reader is None:
            near = difflib.get_close_matches(key, readers, n=1)
            hint = f"did you mean {_quote(near[0])}?" if near else f"known here: {', '.join(readers)}"
            faults.append(f"{prefix}{_key(key)}: unknown key; {hint}")
        elif key == "sinks":
            members[key] = _read_sinks(value, faults)
        elif typing.get_origin(reader) is not Annotated:
            members[key] = _read_table(value, reader, f"{prefix}{key}.", faults)
        elif type(value) is not reader.__metadata__[0]:
            faults.append(f"{prefix}{key}: expected {_TOML_TYPES[reader.__metadata__[0]]}, got {_type(value)}")
        else:
            try:
                members[key] = reader.__metadata__[1](value)
            except ValueError as error:
                faults.append(f"{prefix}{key}: {error}")
    return struct(**members)


def _read_sinks(value: object, faults: list[str]) -> tuple[Sink, ...]:
    if not isinstance(value, list):
        faults.append(f"sinks: expected an array of tables ([[sinks]]), got {_type(value)}")
        return ()
    sinks: dict[str, Sink] = {}
    for index, table in enumerate(value):
        place = f"sinks[{index}]"
        if not isinstance(table, dict):
            faults.append(f"{place}: expected a table, got {_type(table)}")
            continue
        kind = table.get("type")
        if not isinstance(kind, str) or kind not in _SINKS:
            found = "is missing" if kind is None else f"cannot be {_quote(kind)}"
            faults.append(f"{place}.type: {found}; expected {_choices(_SINKS)}")
            continue
        settings = {key: setting for key, setting in table.items() if key != "type"}
        sound = len(faults)
        sink = typing.cast("Sink", _read_table(settings, _SINKS[kind], f"{place}.", faults))
        # A sink at fault has defaults in place of its own values, among them perhaps another's name.
        if len(faults) > sound:
            continue
        if sink.name in sinks:
            faults.append(f"{place}.name: another sink is called {_quote(sink.name)} already")
        sinks[sink.name] = sink
    return tuple(sinks.values())


def _between(low: int, value: int, high: int) -> int:
    if not low <= value <= high:
        raise ValueError(f"expected {low} to {high}, got {value}")
    return value


def _type(value: object) -> str:
    return _TOML_TYPES.get(type(value), "a table" if isinstance(value, dict) else "a date or time")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quote(key)


def _quote(value: object) -> str:
    return json.dumps(str(value))


def _choices(values: typing.Iterable[str]) -> str:
    return " or ".join(_quote(value) for value in values)
