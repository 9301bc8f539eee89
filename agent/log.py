"""
The agent's own log: console text on a terminal, JSON lines elsewhere.

What is logged may hold text that an attacker wrote (an argument, a path, an exception about either).
It cannot end a line, open a new one, or reach the terminal as a control sequence. Elsewhere a module
logs with ``structlog.get_logger()``.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from agent.text import make_printable


def configure_logging(stream: TextIO | None = None) -> None:
    """
    Send structlog's and the standard library's log to a stream, by default standard error.

    Levels from info up; of the standard library, where only dependencies log, from warning up. May
    be called again: the last call holds, also for loggers that exist already.
    """
    stream = sys.stderr if stream is None else stream
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *(_console() if stream.isatty() else (_json,)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _ToStructlog)]:
        root.removeHandler(handler)
    root.addHandler(_ToStructlog(logging.WARNING))


class _Lines:
    # A log that nobody can take (a closed pipe, a full disk) must not end the agent: it would be blind.
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = msg


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            log = structlog.get_logger()
            say = log.error if record.levelno >= logging.ERROR else log.warning
            say(record.getMessage(), logger=record.name, exc_info=record.exc_info)
        except Exception:  # noqa: BLE001 - the standard library's own way with a record that cannot be formatted
            self.handleError(record)


def _json(logger: Any, level: str, event: MutableMapping[str, Any]) -> str:
    # JSON in ASCII escapes every control character but DEL, which can only stand inside a string.
    return str(structlog.processors.JSONRenderer()(logger, level, event)).replace("\x7f", "\\u007f")


def _console() -> tuple[Any, ...]:
    return (_show_event, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))


def _show_event(_logger: Any, _level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # A traceback keeps its lines, indented: none of them can pass for an entry of the log.
    trace = event.pop("exception", None)
    printable = {key: value if _is_plain(value) else make_printable(_text(value)) for key, value in event.items()}
    if trace is not None:
        printable["exception"] = "\n".join(f"    {make_printable(line)}" for line in str(trace).split("\n"))
    return printable


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
