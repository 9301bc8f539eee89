r"""
One line of an audit log, taken apart.

The kernel puts text that a user may have chosen in quotes, or in upper-case hex where it holds a
quote, a blank, a control character or a byte beyond ASCII; so neither can end a value early. What
auditd adds by itself (names for the numbers) follows a byte 0x1d and is in upper-case keys.

Source: kernel/audit.c ``audit_log_n_untrustedstring``; auditd.conf(5) ``log_format = ENRICHED``.
"""

import re

import msgspec

from agent.errors import DecodeError

_HEADER = re.compile(r"(?:node=(\S+) )?type=(\S+) (?:msg=)?audit\((\d{1,12})\.(\d{1,9}):(\d{1,20})\):", re.ASCII)
_FIELD = re.compile(r"""([^\s="']+)=("[^"]*"|'[^']*'|\S*)""")  # \s has 0x1d too
_HEX = re.compile(r"(?:[0-9A-F]{2})+")
_NUMBER = re.compile(r"[0-9]{1,19}")
_UNSET = 2**32 - 1
_LATEST_S = 2**63 // 1_000_000_000
_NOTHING = ("(null)", "(none)", "?")

# include/uapi/linux/audit.h: as records are named where auditd did not write them.
_TYPES = {"1300": "SYSCALL", "1302": "PATH", "1307": "CWD", "1309": "EXECVE", "1320": "EOE", "1327": "PROCTITLE"}


class Record(msgspec.Struct, frozen=True):
    """One record; records of one event share `node`, `time_ns` and `serial`. Values are as written."""

    kind: str
    node: str | None
    time_ns: int  # since the epoch
    serial: int
    values: dict[str, str]


def parse_record(line: str) -> Record:
    """
    Read one line as auditd writes it, or as the kernel does with its record's number for a type.

    Raises:
        DecodeError: the line does not begin as an audit record.
    """
    header = _HEADER.match(line)
    if not header or int(header[3]) >= _LATEST_S:
        raise DecodeError(f"Not an audit record: {line[:60]!r}.")
    node, kind, seconds, fraction, serial = header.groups()
    time_ns = int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0"))
    values = dict(_FIELD.findall(line, header.end()))
    return Record(_TYPES.get(kind, kind), node, time_ns, int(serial), values)


def decode_value(value: str) -> bytes | None:
    """
    Turn a value as written into the bytes that it stands for.

    Returns:
        None for the kernel's ways to say that there is none. What is neither quoted nor hex stands for itself.
    """
    if value[:1] == '"':
        return value.strip('"').encode(errors="replace")
    if value in _NOTHING:
        return None
    return bytes.fromhex(value) if _HEX.fullmatch(value) else value.encode(errors="replace")


def decode_text(value: str | None) -> str | None:
    r"""Turn a value into text; a byte that is not UTF-8 reads as ``\xNN``. None for an absent value."""
    content = None if value is None else decode_value(value)
    # The kernel's words for a path that it could not name; real paths never begin so.
    if content is None or content in (b"<too_long>", b"<no_memory>"):
        return None
    return content.decode("utf-8", "backslashreplace")


def read_number(value: str | None) -> int | None:
    """Read an unsigned number of at most 64 bits; None where it is absent or none."""
    return int(value) if value is not None and _NUMBER.fullmatch(value) else None


def read_id(value: str | None) -> int | None:
    """Read a user, group, process or session id; None also for the kernel's "unset"."""
    number = read_number(value)
    return None if number is None or number >= _UNSET else number


def read_tty(name: str | None) -> tuple[int, int] | None:
    """Tell a terminal's major and minor number by the kernel's name for it (Documentation/admin-guide/devices.txt)."""
    for prefix, major, first in (("pts", 136, 0), ("ttyS", 4, 64), ("tty", 4, 0)):
        number = read_id((name or "").removeprefix(prefix)) if name and name.startswith(prefix) else None
        if number is not None:
            return major + (first + number) // 256, (first + number) % 256
    return None
