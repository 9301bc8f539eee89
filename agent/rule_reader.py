"""
Rules read by another process: the parsers of three languages are 10 MiB that the agent needs for a second.

Both sides of it. A child gets the files' texts on its standard input and answers with predicate trees and
the kernel's filter; it opens nothing, and what a rule file could do to a parser it does to the child.
"""

import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, cast

import msgspec

from agent.detect.prefilter import FilterReport, build_prefilter
from agent.detect.rule import Filter, ReadResult, Rule
from agent.detect.rule_file import RuleFile
from agent.errors import ConfigError, RuleError
from agent.event import FieldValue

_TIMEOUT_S = 120.0
_LENGTH_BYTES = 8  # before each answer


class _Fault(msgspec.Struct, frozen=True):
    message: str
    path: str | None
    line: int | None
    column: int | None
    text: str | None


class _Question(msgspec.Struct, frozen=True):
    files: tuple[RuleFile, ...]
    live_fields: dict[str, str | tuple[str, ...]]


class _Rules(msgspec.Struct, frozen=True):
    rules: tuple[Rule, ...]
    filters: tuple[Filter, ...]
    errors: tuple[_Fault, ...]
    warnings: tuple[str, ...]
    skipped: tuple[str, ...]


class LoadedFilter(msgspec.Struct, frozen=True):
    """
    The kernel's filter for a set of rules.

    `automaton`: of `Prefilter.encoded`; None lets everything pass, and `report` says which rule does it.
    """

    automaton: bytes | None
    report: FilterReport


class Reading:
    """
    A child that reads, begun when this is made.

    It answers twice: with the rules, which is all that is needed to begin, and with the filter made of them.

    Args:
        files: the rules and what is beside them.
        live_fields: what every event of the sensor has in `Exec.fields`.
    """

    def __init__(self, files: Sequence[RuleFile], live_fields: Mapping[str, FieldValue]) -> None:
        # A file in memory, which can be written at once, however late the child comes to read it.
        with os.fdopen(os.memfd_create("rules"), "w+b") as question:
            question.write(msgspec.msgpack.encode({"files": files, "live_fields": live_fields}))
            question.seek(0)
            self._child = subprocess.Popen(  # noqa: S603 - our own module: -I keeps the working directory out of its search
                [sys.executable, "-I", "-m", __name__], stdin=question, stdout=subprocess.PIPE
            )
        self._output = cast("IO[bytes]", self._child.stdout)  # as PIPE was asked for

    def rules(self) -> ReadResult:
        """
        Wait for what `read_rules` gives.

        Raises:
            ConfigError: the child has died or took minutes; a rule that can do that is a bug to report.
        """
        found = msgspec.msgpack.decode(self._read_answer(_TIMEOUT_S), type=_Rules)
        errors = (
            RuleError(fault.message, path=fault.path, line=fault.line, column=fault.column, text=fault.text)
            for fault in found.errors
        )
        return ReadResult(
            rules=found.rules,
            filters=found.filters,
            errors=tuple(errors),
            warnings=found.warnings,
            skipped=found.skipped,
        )

    def filter(self, wait_s: float = _TIMEOUT_S) -> LoadedFilter | None:
        """
        Give what `build_prefilter` makes of the rules, None where that is not done within `wait_s`.

        To be called after `rules`, until it has given the filter.

        Raises:
            ConfigError: as `rules`.
        """
        if not self._has_answer(wait_s):
            return None
        found = msgspec.msgpack.decode(self._read_answer(_TIMEOUT_S), type=LoadedFilter)
        self.close()
        return found

    def close(self) -> None:
        """End the child, whatever it is at; may be called twice."""
        self._output.close()
        self._child.kill()
        self._child.wait()

    def _has_answer(self, wait_s: float) -> bool:
        return bool(select.select([self._output], [], [], wait_s)[0])

    def _read_answer(self, wait_s: float) -> bytes:
        if not self._has_answer(wait_s):
            self.close()
            raise ConfigError(f"rules: reading them took more than {wait_s:.0f} s")
        answer = self._output.read(int.from_bytes(self._output.read(_LENGTH_BYTES), "big"))
        if not answer:
            status = self._child.wait()
            self.close()
            raise ConfigError(f"rules: the process that reads them ended with {status}")
        return answer


def _answer() -> None:
    from agent.detect.ruleset import read_rules  # noqa: PLC0415 - only the child pays for the parsers

    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Question)
    read = read_rules(asked.files)
    faults = tuple(_Fault(fault.message, fault.path, fault.line, fault.column, fault.text) for fault in read.errors)
    _send(_Rules(read.rules, read.filters, faults, read.warnings, read.skipped))
    prefilter = build_prefilter(read.rules, live_fields=asked.live_fields)
    _send(LoadedFilter(prefilter.encoded, prefilter.report))


def _send(answer: _Rules | LoadedFilter) -> None:
    encoded = msgspec.msgpack.encode(answer)
    try:
        sys.stdout.buffer.write(len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)  # who asked has ended meanwhile


if __name__ == "__main__":
    _answer()
