"""
YAML text -> trees that know their place, for the rule files that Sigma is written in.

A YAML loader gives bare values, and then no fault has a line. Hostile files cost little here: nesting
is bounded before anything recurses, aliases before anything is expanded, and only plain data is built.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import yaml

from agent.errors import RuleError

# A rule nests about ten deep. libyaml's composer recurses in C, where Python's limit does not hold.
MAX_DEPTH = 64
MAX_ALIASED_NODES = 10_000
_MAX_NUMBER_CHARACTERS = 64
_TAG = "tag:yaml.org,2002:"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Anything in a document; `line` and `column` are 1-based."""

    line: int
    column: int


class Scalar(Node, frozen=True, kw_only=True):
    """
    One value.

    `text` is what is written, without quotes; `text_column` where it starts, 0 when it has several lines.
    """

    value: str | int | float | bool | None
    text: str
    text_column: int = 0


class Sequence(Node, frozen=True, kw_only=True):
    """A list."""

    items: tuple[Node, ...]


class Mapping(Node, frozen=True, kw_only=True):
    """A mapping; each value with the node of its key."""

    entries: dict[str, tuple[Scalar, Node]]

    def get(self, key: str) -> Node | None:
        """Find the value of a key; absent and ``null`` are the same."""
        _, node = self.entries.get(key, (None, None))
        return None if isinstance(node, Scalar) and node.value is None else node


def fault(message: str, path: str, node: Node, text: str | None = None) -> RuleError:
    """Make the error for a node; without `text` it quotes what a scalar says."""
    quoted = node.text if text is None and isinstance(node, Scalar) else text or ""
    head = quoted.partition("\n")[0][:120]
    return RuleError(message, path=path, line=node.line, column=node.column, text=head or None)


def parse_documents(text: str, path: str) -> tuple[list[Node], list[RuleError]]:
    """
    Read all documents of a YAML stream; empty ones are left out.

    Returns:
        Trees, and a `RuleError` for each document that has none. A syntax error costs the whole text.
    """
    documents: list[Node] = []
    errors: list[RuleError] = []
    try:
        budget = _count_nodes(text, path) + MAX_ALIASED_NODES
        loader = yaml.CSafeLoader(text)
        while loader.check_node():
            node = loader.get_node()
            try:
                tree = _build(node, _Building(loader, path, iter(range(budget))), depth=0)
            except RuleError as error:
                errors.append(error)
                continue
            if not (isinstance(tree, Scalar) and tree.value is None):
                documents.append(tree)
    except RuleError as error:
        return [], [error]
    except yaml.YAMLError as error:
        return [], [_syntax_error(error, text, path)]
    except UnicodeError:
        return [], [RuleError("not YAML: a character is not valid Unicode", path=path, line=1)]
    return documents, errors


class _Building(NamedTuple):
    loader: yaml.CSafeLoader
    path: str
    budget: Iterator[int]  # one step for each node that may still be built


# One pass over the parser's events, which libyaml produces without recursion.
def _count_nodes(text: str, path: str) -> int:
    depth = nodes = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _error(f"nested more than {MAX_DEPTH} deep", path, event)
    return nodes


def _error(message: str, path: str, marked: Any, text: str | None = None) -> RuleError:
    mark = marked.start_mark
    quoted = text.partition("\n")[0][:120] if text else None
    return RuleError(message, path=path, line=mark.line + 1, column=mark.column + 1, text=quoted)


def _syntax_error(error: yaml.YAMLError, text: str, path: str) -> RuleError:
    # libyaml marks where it stopped; for a character that YAML forbids it has an offset only, or nothing.
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    quoted = lines[line - 1].strip()[:120] if 0 < line <= len(lines) else None
    column = mark.column + 1 if mark else None
    return RuleError(f"not YAML: {str(reason).partition(chr(10))[0]}", path=path, line=line, column=column, text=quoted)


# An alias is the very node of its anchor: what it expands to counts here, and recursion meets the depth.
def _build(node: Any, building: _Building, *, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise _error(f"nested more than {MAX_DEPTH} deep", building.path, node)
    if next(building.budget, None) is None:
        raise _error("aliases expand to too many nodes", building.path, node)
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, tuple[Scalar, Node]] = {}
        for key_node, value_node in node.value:
            key = _build_key(key_node, building.path)
            if key.text in entries:
                raise _error("the same key twice in one mapping", building.path, key_node, key.text)
            entries[key.text] = (key, _build(value_node, building, depth=depth + 1))
        return Mapping(line=line, column=column, entries=entries)
    if isinstance(node, yaml.SequenceNode):
        items = tuple(_build(item, building, depth=depth + 1) for item in node.value)
        return Sequence(line=line, column=column, items=items)
    return _build_scalar(node, building)


def _build_key(node: Any, path: str) -> Scalar:
    if not isinstance(node, yaml.ScalarNode):
        raise _error("a key is a text", path, node)
    if node.tag == _TAG + "merge":
        raise _error("merge keys are not taken; write the pairs out", path, node, node.value)
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    return Scalar(line=line, column=column, value=node.value, text=node.value, text_column=column)


def _build_scalar(node: Any, building: _Building) -> Scalar:
    text: str = node.value
    value: str | int | float | bool | None = text
    # Dates and whatever else YAML knows stay what is written: no field of an event has another type.
    kind = node.tag.removeprefix(_TAG)
    if kind in ("int", "float", "bool", "null"):
        try:
            value = None if kind == "null" else building.loader.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, OverflowError):
            raise _error(f"this is no {kind}", building.path, node, text) from None
        if len(text) > _MAX_NUMBER_CHARACTERS:
            raise _error("a number too long to be one", building.path, node, text)
    one_line = node.end_mark.line == node.start_mark.line
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    text_column = column + (node.style in ("'", '"')) if one_line else 0
    return Scalar(line=line, column=column, value=value, text=text, text_column=text_column)
