"""
Rules read by another process: the parsers of three languages are 10 MiB that the agent needs for a second.

Both sides of it. A child gets the files' texts on its standard input and answers with predicate trees; it
opens nothing, and what a rule file could do to a parser it does to the child.
"""

import subprocess
import sys
from collections.abc import Sequence

import msgspec

from agent.detect.rule import Filter, ReadResult, Rule
from agent.detect.rule_file import RuleFile
from agent.errors import ConfigError, RuleError

_TIMEOUT_S = 120


class _Fault(msgspec.Struct, frozen=True):
    message: str
    path: str | None
    line: int | None
    column: int | None
    text: str | None


class _Answer(msgspec.Struct, frozen=True):
    rules: tuple[Rule, ...]
    filters: tuple[Filter, ...]
    errors: tuple[_Fault, ...]
    warnings: tuple[str, ...]
    skipped: tuple[str, ...]


class Reading:
    """A child that reads; `result` waits for it."""

    def __init__(self, files: Sequence[RuleFile]) -> None:
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._question = msgspec.msgpack.encode(files)

    def result(self) -> ReadResult:
        """
        Give what `agent.detect.ruleset.read_rules` gives.

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
        read = msgspec.msgpack.decode(answer, type=_Answer)
        errors = (
            RuleError(fault.message, path=fault.path, line=fault.line, column=fault.column, text=fault.text)
            for fault in read.errors
        )
        return ReadResult(
            rules=read.rules, filters=read.filters, errors=tuple(errors), warnings=read.warnings, skipped=read.skipped
        )


def _answer() -> None:
    from agent.detect.ruleset import read_rules  # noqa: PLC0415 - only the child pays for the parsers

    question = sys.stdin.buffer.read()
    if not question:
        return  # who asked has ended meanwhile
    read = read_rules(msgspec.msgpack.decode(question, type=list[RuleFile]))
    faults = (_Fault(error.message, error.path, error.line, error.column, error.text) for error in read.errors)
    answer = _Answer(read.rules, read.filters, tuple(faults), read.warnings, read.skipped)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))


if __name__ == "__main__":
    _answer()
