"""Indexed things under the keys they require, found in an event with a few lookups and one pass over its text."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from agent.detect.literals import fold
from agent.detect.regex import compile_literals
from agent.detect.requirement import Keys, Place
from agent.event import Process

Item = TypeVar("Item")


class Table(msgspec.Struct, Generic[Item], frozen=True):
    """Positions of `items` by key; `always` are those that no key is known for."""

    items: tuple[Item, ...]
    always: tuple[int, ...]
    by_name: Mapping[str, Sequence[int]]
    by_file: Mapping[str, Sequence[int]]
    by_argument: Mapping[str, Sequence[int]]
    by_part: tuple[Sequence[int], ...]
    find_parts: Callable[[str], list[int]] | None
    part_members: tuple[str, ...]  # of Process

    def find(self, process: Process) -> Sequence[Item]:
        """Give the items of which a process has a key, in their order."""
        groups: list[Sequence[int]] = []
        if self.by_name and process.name is not None:
            groups.append(self.by_name.get(process.name.lower(), ()))
        if self.by_file and process.executable is not None:
            groups.append(self.by_file.get(process.executable.lower().rpartition("/")[2], ()))
        if self.by_argument and process.args is not None:
            by_argument = self.by_argument
            groups += [by_argument[text] for text in by_argument.keys() & set(map(str.lower, process.args))]
        if self.find_parts:
            by_part = self.by_part
            groups += [by_part[index] for index in self.find_parts(self._text(process))]
        found = {position for group in groups for position in group}
        found.update(self.always)
        items = self.items
        return [items[position] for position in sorted(found)]

    def _text(self, process: Process) -> str:
        texts: list[str] = []
        for member in self.part_members:
            value = getattr(process, member)
            if isinstance(value, tuple):
                texts += value
            elif value is not None:
                texts.append(value)
        return fold("\n".join(texts))


def build_table(items: Sequence[tuple[Item, Keys | None]]) -> Table[Item]:
    """Enter items under their keys; one with an empty set of keys is never found."""
    positions: dict[Place, dict[str, list[int]]] = {place: defaultdict(list) for place in Place}
    fields: set[str] = set()
    for position, (_, keys) in enumerate(items):
        for place, text in {(key.place, key.text) for key in keys or ()}:
            positions[place][text].append(position)
        fields |= {key.field for key in keys or () if key.place is Place.PART}
    parts = positions[Place.PART]
    return Table(
        items=tuple(item for item, _ in items),
        always=tuple(position for position, (_, keys) in enumerate(items) if keys is None),
        by_name=positions[Place.NAME],
        by_file=positions[Place.FILE],
        by_argument=positions[Place.ARGUMENT],
        by_part=tuple(parts.values()),
        find_parts=compile_literals(tuple(parts)) if parts else None,
        part_members=tuple(sorted(field.removeprefix("process.") for field in fields)),
    )
