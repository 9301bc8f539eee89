"""
Rules read by another process: the parsers of three languages are 10 MiB that the agent needs for a second.

Both sides of it. A child gets the files' texts on its standard input and answers with predicate trees and
the kernel's filter; it opens nothing, and what a rule file could do to a parser it does to the child.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence

import msgspec

from agent.detect.prefilter import FilterReport, build_prefilter
from agent.detect.rule import Filter, ReadResult, Rule
from agent.detect.rule_file import RuleFile
from agent.errors import ConfigError, RuleError
from agent.event import FieldValue

_TIMEOUT_S = 120


class _Fault(msgspec.Struct, frozen=True):
    message: str
    path: str | None
    line: int | None
    column: int | None
    text: str | None


class _Question(msgspec.Struct, frozen=True):
    files: tuple[RuleFile, ...]
    live_fields: dict[str, str | tuple[str, ...]]


class _Answer(msgspec.Struct, frozen=True):
    automaton: bytes | None
    report: FilterReport
    rules: tuple[Rule, ...]
    filters: tuple[Filter, ...]
    errors: tuple[_Fault, ...]
    warnings: tuple[str, ...]
    skipped: tuple[str, ...]


class Loaded(msgspec.Struct, frozen=True):
    """
    A set of rules, ready for use.

    `automaton`: of `Prefilter.encoded`; None lets everything pass, and `report` says which rule does it.
    """

    read: ReadResult
    automaton: bytes | None
    report: FilterReport


class Reading:
    """
    A child that reads; `result` waits for it.

    Args:
        files: the rules and what is beside them.
        live_fields: what every event of the sensor has in `Exec.fields`.
    """

    def __init__(self, files: Sequence[RuleFile], live_fields: Mapping[str, FieldValue]) -> None:
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._question = msgspec.msgpack.encode({"files": files, "live_fields": live_fields})

    def result(self) -> Loaded:
        """
        Give what `read_rules` reads and `build_prefilter` makes of it.

        Raises:
            ConfigError: the child has died or took minutes; a rule that can do that is a bug to report.
        """
        try:
            answer, _ = self._child.communicate(self._question, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            raise ConfigError(f"rules: reading them took more than {_TIMEOUT_S} s") from None
        if self._child.returncode:
            raise ConfigError(f"rules: the process that reads them ended with {self._child.returncode}")
        found = msgspec.msgpack.decode(answer, type=_Answer)
        errors = (
            RuleError(fault.message, path=fault.path, line=fault.line, column=fault.column, text=fault.text)
            for fault in found.errors
        )
        read = ReadResult(
            rules=found.rules,
            filters=found.filters,
            errors=tuple(errors),
            warnings=found.warnings,
            skipped=found.skipped,
        )
        return Loaded(read, found.automaton, found.report)


def _answer() -> None:
    from agent.detect.ruleset import read_rules  # noqa: PLC0415 - only the child pays for the parsers

    question = sys.stdin.buffer.read()
    if not question:
        return  # who asked has ended meanwhile
    asked = msgspec.msgpack.decode(question, type=_Question)
    read = read_rules(asked.files)
    prefilter = build_prefilter(read.rules, live_fields=asked.live_fields)
    answer = _Answer(
        automaton=prefilter.encoded,
        report=prefilter.report,
        rules=read.rules,
        filters=read.filters,
        errors=tuple(_Fault(fault.message, fault.path, fault.line, fault.column, fault.text) for fault in read.errors),
        warnings=read.warnings,
        skipped=read.skipped,
    )
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))


if __name__ == "__main__":
    _answer()
