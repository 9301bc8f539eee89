"""
JSON documents as rules see them: one level of dotted names, and values of known types.

What comes in by replay was written by anyone; whatever is read here is valid Unicode, finite in depth
and of the type that its reader promises, or a `DecodeError` that names the field.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from agent.errors import DecodeError
from agent.event import FieldValue

_DEEPEST = 64
_LARGEST_NUMBER = 2**64 - 1
_NANOSECONDS = 1_000_000_000
_LATEST_NS = 2**63 - 1  # SQLite's and the kernel's own limit: the year 2262
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"[.,]([0-9]+)")
_INTEGER = re.compile(r"-?[0-9]{1,20}")

Scalar = str | int | float | bool


def flatten(document: Mapping[str, object]) -> dict[str, FieldValue]:
    """
    Bring nested, dotted and mixed keys to dotted names, as Elasticsearch indexes them.

    Returns:
        Scalars, and tuples for arrays; null, empty arrays and empty objects are absent. The members of
        objects in an array are collected into one tuple a name.

    Raises:
        DecodeError: objects or arrays are nested deeper than 64 levels, or a value is not JSON's.
    """
    flat: dict[str, FieldValue] = {}
    _flatten_into(flat, "", document, _DEEPEST)
    return flat


def _flatten_into(flat: dict[str, FieldValue], prefix: str, members: Mapping[str, object], levels: int) -> None:
    if not levels:
        raise DecodeError(f"{_quoted(prefix)} is nested deeper than {_DEEPEST} levels.")
    for key, value in members.items():
        name = prefix + (key if isinstance(key, str) and key.isascii() else clean_text(str(key)))
        if isinstance(value, str):
            flat[name] = value if value.isascii() else clean_text(value)
        elif isinstance(value, Mapping):
            _flatten_into(flat, name + ".", value, levels - 1)
        elif isinstance(value, list | tuple):
            items = tuple(_scalars(flat, name, value, levels - 1))
            if items:
                flat[name] = items
        elif value is not None:
            flat[name] = _scalar(name, value)


def _scalars(flat: dict[str, FieldValue], name: str, items: object, levels: int) -> Iterator[Scalar]:
    if not levels:
        raise DecodeError(f"{_quoted(name)} is nested deeper than {_DEEPEST} levels.")
    for item in items if isinstance(items, list | tuple) else ():
        if isinstance(item, Mapping):
            inner: dict[str, FieldValue] = {}
            _flatten_into(inner, name + ".", item, levels)
            for key, value in inner.items():
                flat[key] = _as_tuple(flat.get(key, ())) + _as_tuple(value)
        elif isinstance(item, list | tuple):
            yield from _scalars(flat, name, item, levels - 1)
        elif item is not None:
            yield _scalar(name, item)


def _scalar(name: str, value: object) -> Scalar:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER:
            return value
        raise DecodeError(f"{_quoted(name)} is a number beyond 64 bits.")
    raise DecodeError(f"{_quoted(name)} holds a {type(value).__name__}, which is not JSON.")


def _as_tuple(value: FieldValue) -> tuple[Scalar, ...]:
    return value if isinstance(value, tuple) else (value,)


def nest(flat: Mapping[str, object]) -> dict[str, object]:
    """
    Bring dotted names to nested objects, the inverse of `flatten`.

    Where one name is also the beginning of another (``a`` and ``a.b``) the longer stays dotted.
    """
    document: dict[str, object] = {}
    for name in sorted(flat, key=lambda name: name.count(".")):  # a beginning comes before what it begins
        branch = document
        *path, leaf = name.split(".")
        for step in path:
            inner = branch.setdefault(step, {})
            if not isinstance(inner, dict):
                branch, leaf = document, name
                break
            branch = inner
        branch[leaf] = flat[name]
    return document


def clean_text(text: str) -> str:
    """Replace lone surrogates (which JSON can spell) by U+FFFD: regular expressions and sinks need UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def read_text(name: str, value: FieldValue) -> str:
    """
    Read one text; a number is taken by its digits.

    Raises:
        DecodeError: the field has several values.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        if len(value) != 1:
            raise DecodeError(f"{_quoted(name)} has {len(value)} values where one is expected.")
        return read_text(name, value[0])
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def read_texts(name: str, value: FieldValue) -> tuple[str, ...]:
    """Read a list of texts; a single value is a list of one."""
    return tuple(item if isinstance(item, str) else read_text(name, item) for item in _as_tuple(value))


def read_number(name: str, value: FieldValue) -> int:
    """
    Read a whole number of at most 64 bits, also from its decimal digits.

    Raises:
        DecodeError: it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, tuple) and len(value) == 1:
        return read_number(name, value[0])
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        number = int(value)
        if -_LARGEST_NUMBER <= number <= _LARGEST_NUMBER:
            return number
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise DecodeError(f"{_quoted(name)} is not a whole number: {_quoted(value)}.")


def read_flag(name: str, value: FieldValue) -> bool:
    """
    Read a boolean, also from ``"true"`` and ``"false"``.

    Raises:
        DecodeError: it is none.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, tuple) and len(value) == 1:
        return read_flag(name, value[0])
    if value in ("true", "false"):
        return value == "true"
    raise DecodeError(f"{_quoted(name)} is neither true nor false: {_quoted(value)}.")


def read_time_ns(name: str, value: FieldValue) -> int:
    """
    Read a point in time: RFC 3339 (UTC where it names no offset), or a number.

    Args:
        name: the field, for the error.
        value: a number counts milliseconds since the epoch, as in Elasticsearch and LogScale; where it
            is too small for that (before 1973) or has a fraction, seconds, as Falcon's ContextTimeStamp.

    Returns:
        ns since the epoch.

    Raises:
        DecodeError: it is no time, or beyond the year 2262.
    """
    text = read_text(name, value).strip()
    try:
        time_ns = _number_ns(text) if text.replace(".", "", 1).isdigit() else _calendar_ns(text)
    except (ValueError, OverflowError):
        time_ns = -1
    if not 0 <= time_ns <= _LATEST_NS:
        raise DecodeError(f"{_quoted(name)} is not a time: {_quoted(value)}.")
    return time_ns


def _number_ns(text: str) -> int:
    whole, point, fraction = text.partition(".")
    number = int(whole[:20] or "0")
    if point or number < 100_000_000_000:
        return number * _NANOSECONDS + int(fraction[:9].ljust(9, "0"))
    return number * 1_000_000


def _calendar_ns(text: str) -> int:
    fraction = _FRACTION.search(text)
    if fraction:  # datetime keeps microseconds only
        text = text[: fraction.start()] + text[fraction.end() :]
    moment = datetime.fromisoformat(text)
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    whole_ns = (since.days * 86_400 + since.seconds) * _NANOSECONDS
    return whole_ns + (int(fraction[1][:9].ljust(9, "0")) if fraction else 0)


def write_time(time_ns: int) -> str:
    """Write ns since the epoch as RFC 3339 in UTC, to the millisecond."""
    moment = _EPOCH + timedelta(milliseconds=time_ns // 1_000_000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Reader = Callable[[str, FieldValue], object]


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
