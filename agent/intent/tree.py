"""Steps through a document of unknown shape: what is not of the expected type reads as absent."""

from collections.abc import Iterator

Mapping = dict[str, object]

_TRUE = (True, 1, "true", "True", "TRUE", "t", "1", "yes", "on")


def child(value: object, *path: str) -> object:
    """Give the member at the end of a path of keys, or None."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def child_list(value: object, *path: str) -> list[object]:
    """Give the items of a list, or nothing."""
    found = child(value, *path)
    return found if isinstance(found, list) else []


def child_map(value: object, *path: str) -> Mapping:
    """Give a mapping, empty where there is none."""
    found = child(value, *path)
    return found if isinstance(found, dict) else {}


def child_text(value: object, *path: str) -> str | None:
    """Give a text that is not empty; a number reads as its digits."""
    return as_text(child(value, *path))


def child_texts(value: object, *path: str) -> list[str]:
    """Give the texts of a list; a single text counts as a list of one."""
    found = child(value, *path)
    items = found if isinstance(found, list) else [found]
    return [text for text in map(as_text, items) if text is not None]


def is_true(value: object, *path: str) -> bool:
    """Tell whether a member is true, also as a text that templates and interpolation leave."""
    return child(value, *path) in _TRUE


def as_text(value: object) -> str | None:
    """Give a scalar as text; None for anything that is empty or no scalar."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value.bit_length() < 128 else None
    return None


def walk(value: object) -> Iterator[Mapping]:
    """Give every mapping of a tree, outer ones first; depth and size are bounded by whoever parsed it."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending.extend(reversed(item.values()))
        elif isinstance(item, list):
            pending.extend(reversed(item))
