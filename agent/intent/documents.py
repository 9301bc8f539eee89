"""
YAML and JSON that somebody else wrote, with a bound on everything: bytes, depth, nodes, what aliases expand to.

Scalars are what YAML 1.1 makes of the words that matter here: null, booleans, integers; the rest stays text.
Keys are text. Sources: yaml.org/spec/1.1, apimachinery's pkg/util/yaml (a stream of either format).
"""

import json
import re

import msgspec
import yaml

MAX_BYTES = 1 << 20
MAX_DEPTH = 100
# Kubernetes' own largest manifests hold about 60,000 nodes in a MiB; aliases count as what they stand for.
MAX_NODES = 150_000
MAX_STREAM = 1_000
_TEXT_PER_NODE = 32

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}\Z")
_BOOLEAN_TAG = "tag:yaml.org,2002:bool"
_TEXT_TAGS = frozenset(("tag:yaml.org,2002:str", "!", "tag:yaml.org,2002:binary"))


class DocumentError(ValueError):
    """
    Text that cannot be read to its end.

    `before`: the documents ahead of the fault; kubectl has applied them by the time it finds it.
    """

    def __init__(self, message: str, before: list[object]) -> None:
        super().__init__(message)
        self.before = before


def parse_documents(data: bytes) -> list[object]:
    """
    Read a stream of YAML documents, a JSON value, or JSON values one behind the other.

    Returns:
        Dictionaries, lists and scalars. The last of equal keys wins; empty documents are left out.

    Raises:
        DocumentError: a bound is passed or the text is neither, its text is the reason in a clause.
    """
    if len(data) > MAX_BYTES:
        raise DocumentError(f"it holds {len(data)} bytes, more than the {MAX_BYTES} that are read", [])
    if data.lstrip()[:1] in (b"{", b"["):
        try:
            return [_bounded(msgspec.json.decode(data))]
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            # A stream of JSON, or YAML's flow style.
            found = _parse_json_stream(data)
            if found is not None:
                return found
    return _parse_yaml(data)


def fold_keys(value: object) -> object:
    """
    Give keys in lower case without underscores, as the readers of OCI, CRI and Kubernetes files look for them.

    Go's encoding/json, which runc, crictl and podman use, takes ``Privileged`` for ``privileged``; CRI's files
    have the names of their members in both styles. The last of keys that fold alike wins, as there.

    Args:
        value: as `parse_documents` gives it, and so of bounded size and depth.
    """
    if isinstance(value, dict):
        return {key.lower().replace("_", ""): fold_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [fold_keys(item) for item in value]
    return value


def _parse_json_stream(data: bytes) -> list[object] | None:
    decoder = json.JSONDecoder()
    found: list[object] = []
    try:
        text = data.decode("utf-8-sig").strip()
        at = 0
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            found.append(_without_surrogates(_bounded(value)))
            _check_stream(found)
            while text[at : at + 1].isspace():
                at += 1
    except RecursionError:
        raise DocumentError(f"it is nested deeper than {MAX_DEPTH} levels", found) from None
    except DocumentError as error:
        raise DocumentError(str(error), found) from None
    except ValueError:
        return None
    return found


def _check_stream(found: list[object]) -> None:
    if len(found) > MAX_STREAM:
        raise DocumentError(f"it is a stream of more than {MAX_STREAM} values", found)


def _without_surrogates(value: object) -> object:
    # Go reads half a pair as U+FFFD; as text it could not be written to any sink.
    return msgspec.json.decode(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def _bounded(value: object) -> object:
    """Hold what a JSON parser gave against the bounds, level by level."""
    level, count = [value], 0
    for _ in range(MAX_DEPTH + 1):
        count += len(level)
        if count > MAX_NODES:
            raise DocumentError(f"it has more than {MAX_NODES} nodes", [])
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return value
        level = below
    raise DocumentError(f"it is nested deeper than {MAX_DEPTH} levels", [])


class _Open:
    """A collection whose end has not come yet; `key` waits for its value."""

    __slots__ = ("anchor", "items", "key", "start")

    def __init__(self, items: "dict[str, object] | list[object]", anchor: str | None, start: int) -> None:
        self.items = items
        self.anchor = anchor
        self.start = start
        self.key: str | None = None


class _Builder:
    """Puts events together; PyYAML's own composer recurses, and expands merge keys without a bound."""

    def __init__(self) -> None:
        self.documents: list[object] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[object, int]] = {}
        self.nodes = 0

    def grow(self, count: int) -> None:
        self.nodes += count
        if self.nodes > MAX_NODES:
            raise ValueError(f"it has more than {MAX_NODES} nodes, aliases expanded")

    def put(self, value: object) -> None:
        if not self.stack:
            if value is not None:
                self.documents.append(value)
            return
        top = self.stack[-1]
        if isinstance(top.items, list):
            top.items.append(value)
        elif top.key is None:
            top.key = _name_key(value)
        else:
            top.items[top.key] = value
            top.key = None

    def open(self, items: "dict[str, object] | list[object]", anchor: str | None) -> None:
        self.grow(1)
        if len(self.stack) >= MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
        self.stack.append(_Open(items, anchor, self.nodes))

    def close(self) -> None:
        done = self.stack.pop()
        if isinstance(done.items, dict) and "<<" in done.items:
            _merge(done.items)
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.items, self.nodes - done.start + 1)
        self.put(done.items)

    def scalar(self, event: yaml.ScalarEvent) -> None:
        # A long text that many aliases repeat costs its readers as much as many nodes.
        size = 1 + len(event.value) // _TEXT_PER_NODE
        self.grow(size)
        value = _read_scalar(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, size)
        self.put(value)

    def alias(self, name: str) -> None:
        if name not in self.anchors:
            raise ValueError(f"its alias {name[:40]!r} stands for nothing that is complete")
        value, size = self.anchors[name]
        self.grow(size)
        self.put(value)


def _merge(items: dict[str, object]) -> None:
    merged = items.pop("<<")
    for source in merged if isinstance(merged, list) else [merged]:
        if isinstance(source, dict):
            for key, value in source.items():
                items.setdefault(key, value)


def _name_key(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else "" if value is None else str(value)[:256]


def _read_scalar(event: yaml.ScalarEvent) -> object:
    text: str = event.value
    if event.tag in _TEXT_TAGS:
        return text
    # Compose's own tags, !reset and !override, stand before plain scalars as well.
    if (event.style is None or event.style == "" or event.tag == _BOOLEAN_TAG) and len(text) < 20:
        if text in _SCALARS:
            return _SCALARS[text]
        if _INTEGER.match(text):
            return int(text)
    return text


def _parse_yaml(data: bytes) -> list[object]:
    builder = _Builder()
    loader = _Loader(data)
    try:
        while loader.check_event():
            _take(builder, loader.get_event())
    except (yaml.YAMLError, ValueError) as error:
        raise DocumentError(_explain(error), builder.documents) from None
    finally:
        loader.dispose()
    return builder.documents


def _take(builder: _Builder, event: yaml.Event) -> None:
    if isinstance(event, yaml.ScalarEvent):
        builder.scalar(event)
    elif isinstance(event, yaml.MappingStartEvent):
        builder.open({}, event.anchor)
    elif isinstance(event, yaml.SequenceStartEvent):
        builder.open([], event.anchor)
    elif isinstance(event, yaml.CollectionEndEvent):
        builder.close()
    elif isinstance(event, yaml.AliasEvent):
        builder.alias(event.anchor or "")
    elif isinstance(event, yaml.DocumentStartEvent):
        builder.grow(1)
        builder.anchors.clear()


def _explain(error: Exception) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split())[:200]
    place = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
    return f"it is neither YAML nor JSON: {error.problem}{place}"
