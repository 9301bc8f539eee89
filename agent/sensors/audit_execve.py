"""
The arguments of one exec, from its EXECVE records.

A record holds at most 7,500 characters: arguments go on in further records, and one that is longer
comes in pieces, ``a1_len=20000 a1[0]=... a1[1]=...``, its length in characters as they are written.

Source: kernel/auditsc.c ``audit_log_execve_info``.
"""

import re

import msgspec

from agent.sensors.audit_text import Record, decode_value, read_number

_NAME = re.compile(r"a([0-9]{1,7})(?:\[([0-9]{1,7})\]|(_len))?")


class Arguments(msgspec.Struct, frozen=True):
    """What is there, in order; `whole` if that is all of it. `count` is what was passed."""

    values: tuple[bytes, ...]
    count: int | None
    whole: bool
    malformed: int  # values that say nothing


def join_arguments(records: list[Record]) -> Arguments:
    """Put the arguments together, whatever the order of their records."""
    pieces: dict[int, dict[int, bytes]] = {}
    lengths: dict[int, int | None] = {}
    malformed = 0
    for record in records:
        for name, value in record.values.items():
            match = _NAME.fullmatch(name)
            if not match:
                continue
            index = int(match[1])
            if match[3]:
                lengths[index] = read_number(value)
                continue
            content = decode_value(value)
            malformed += content is None
            pieces.setdefault(index, {}).setdefault(int(match[2] or 0), content or b"")
    count = next((read_number(record.values["argc"]) for record in records if "argc" in record.values), None)
    values = [b"".join(content for _, content in sorted(pieces[index].items())) for index in sorted(pieces)]
    whole = not malformed and count == len(values) and max(pieces, default=-1) == len(values) - 1
    whole = whole and all(_is_whole(parts, lengths.get(index)) for index, parts in pieces.items())
    return Arguments(tuple(values), count, whole, malformed)


def _is_whole(parts: dict[int, bytes], length: int | None) -> bool:
    written = sum(map(len, parts.values()))  # in hex twice that
    return max(parts) == len(parts) - 1 and (length is None or length in (written, 2 * written))
