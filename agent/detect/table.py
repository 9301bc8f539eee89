"""
Items under the keys they require, found in an event with a few lookups and at most one pass over its text.

A set of items is an integer, one bit each: with a thousand items, joining two sets costs 50 ns.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from agent.detect.literals import fold
from agent.detect.regex import compile_literals
from agent.detect.requirement import Key, Keys, Place
from agent.event import Process

Item = TypeVar("Item")

# Items that have a key in the first, and in the second, of their required sets (`required_keys`).
Bits = tuple[int, int]


class Table(msgspec.Struct, Generic[Item], frozen=True):
    """The items of an index by key; `free` are those that lack a first, and a second, set of keys."""

    items: tuple[Item, ...]
    free: Bits
    by_name: Mapping[str, Bits]
    by_file: Mapping[str, Bits]
    by_argument: Mapping[str, Bits]
    by_part: tuple[Bits, ...]
    any_part: Bits
    find_parts: Callable[[str], list[int]] | None
    part_members: tuple[str, ...]  # of Process

    def find(self, process: Process) -> list[Item]:
        """Give the items of which a process has every required key, in their order."""
        hits: list[Bits] = [self.free]
        if self.by_name and process.name is not None:
            hits.append(self.by_name.get(process.name.lower(), _NONE))
        if self.by_file and process.executable is not None:
            hits.append(self.by_file.get(process.executable.lower().rpartition("/")[2], _NONE))
        if self.by_argument and process.args is not None:
            by_argument = self.by_argument
            hits += [by_argument[text] for text in by_argument.keys() & set(map(str.lower, process.args))]
        first, second = self.free
        for bits in hits:
            first |= bits[0]
            second |= bits[1]
        # Without any item that parts of the text could still bring in, the text is not read.
        if self.find_parts and (first | self.any_part[0]) & (second | self.any_part[1]):
            for index in self.find_parts(self._text(process)):
                bits = self.by_part[index]
                first |= bits[0]
                second |= bits[1]
        return _select(self.items, first & second)

    def _text(self, process: Process) -> str:
        texts: list[str] = []
        for member in self.part_members:
            value = getattr(process, member)
            if isinstance(value, tuple):
                texts += value
            elif value is not None:
                texts.append(value)
        return fold("\n".join(texts))


_NONE: Bits = (0, 0)


def _select(items: Sequence[Item], bits: int) -> list[Item]:
    found = []
    while bits:
        lowest = bits & -bits
        found.append(items[lowest.bit_length() - 1])
        bits ^= lowest
    return found


def build_table(items: Sequence[tuple[Item, tuple[Keys, ...]]]) -> Table[Item]:
    """Enter items under their keys; one with an empty set of keys is never found."""
    of_key: dict[Key, list[int]] = {}
    free = [0, 0]
    for position, (_, sets) in enumerate(items):
        for which in (0, 1):
            if which >= len(sets):
                free[which] |= 1 << position
                continue
            for key in sets[which]:
                of_key.setdefault(key, [0, 0])[which] |= 1 << position

    def place(wanted: Place) -> dict[str, Bits]:
        return {key.text: (first, second) for key, (first, second) in of_key.items() if key.place is wanted}

    parts = [key for key in of_key if key.place is Place.PART]
    by_part = tuple((of_key[key][0], of_key[key][1]) for key in parts)
    any_part = [0, 0]
    for bits in by_part:
        any_part = [any_part[0] | bits[0], any_part[1] | bits[1]]
    return Table(
        items=tuple(item for item, _ in items),
        free=(free[0], free[1]),
        by_name=place(Place.NAME),
        by_file=place(Place.FILE),
        by_argument=place(Place.ARGUMENT),
        by_part=by_part,
        any_part=(any_part[0], any_part[1]),
        find_parts=compile_literals([key.text for key in parts]) if parts else None,
        part_members=tuple(sorted({key.field.removeprefix("process.") for key in parts})),
    )
