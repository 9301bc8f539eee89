"""A JSON patch as the piece of an object that it sets, so that it reads as any other piece."""

_SETTING = frozenset(("add", "replace"))
# No path into an object that a cluster takes is longer.
_SEGMENTS_MAX = 64


def unfold_patch(document: object) -> list[object]:
    """
    Give what a document sets.

    Returns:
        For a list of operations (RFC 6902) each value at its place, ``[{"a": {"b": [1]}}]`` for 1 added at
        ``/a/b/-``; for anything else the document itself.
    """
    if not isinstance(document, list) or not all(isinstance(item, dict) and "op" in item for item in document):
        return [document]
    return [_nest(item.get("path"), item.get("value")) for item in document if item["op"] in _SETTING]


def _nest(path: object, value: object) -> object:
    if not isinstance(path, str) or path.count("/") > _SEGMENTS_MAX:
        return value
    for segment in reversed(path.split("/")[1:]):
        name = segment.replace("~1", "/").replace("~0", "~")
        value = [value] if name == "-" or name.isdecimal() else {name: value}
    return value
