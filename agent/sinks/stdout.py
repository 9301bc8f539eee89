"""
Alerts on standard output: a readable line each on a terminal, a JSON document each elsewhere.

The agent's own log goes to standard error; nothing else is on this stream.
"""

import os
import select
from collections.abc import Mapping

import msgspec
import structlog

from agent.alert import Entry
from agent.errors import SinkError
from agent.sinks.rfc5424 import get_field
from agent.text import make_printable

_TIMEOUT_S = 2.0
_LONGEST_VALUE = 400
_RED, _YELLOW, _CYAN, _BOLD = "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[1m"
_STYLES = {
    "critical": _BOLD + _RED,
    "high": _RED,
    "medium": _YELLOW,
    "low": _CYAN,
    "informational": "",
}
_SHOWN = (
    ("user", "user.name"),
    ("executable", "process.executable"),
    ("command", "process.command_line"),
    ("parent", "process.parent.executable"),
    ("pod", "orchestrator.resource.name"),
    ("namespace", "orchestrator.namespace"),
    ("container", "container.id"),
    ("technique", "threat.technique.id"),
    ("repeated", "hullwatch.repeated"),
)


class StdoutSink:
    """A descriptor that alerts are written to, line by line."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self._descriptor = descriptor
        self._terminal = os.isatty(descriptor)
        self._torn = False
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def deliver(self, entry: Entry) -> None:
        """
        Write one alert.

        Raises:
            SinkError: nobody reads the stream any more, or has not for two seconds.
        """
        if self._terminal:
            text = render_alert(msgspec.json.decode(entry.document, type=dict[str, object]), colors=True)
            line = text.encode()
        else:
            line = entry.document
        try:
            # After a line that broke off, ours begins on a new one.
            self._write(b"\n" * self._torn + line + b"\n")
        except OSError as error:
            raise SinkError(f"{self.name}: an alert could not be written: {error.strerror}") from None

    def close(self) -> None:
        """Leave the stream open; it is the process's."""

    def _write(self, text: bytes) -> None:
        # Straight to the descriptor: a buffer whose lock a stuck thread holds cannot be flushed at exit.
        whole = len(text)
        while text:
            if not self._poll.poll(_TIMEOUT_S * 1000):
                self._torn = self._torn or len(text) < whole
                raise TimeoutError(None, "nobody reads")
            text = text[os.write(self._descriptor, text[: select.PIPE_BUF]) :]
        self._torn = False


def open_stdout(descriptor: int = 1, *, name: str = "stdout") -> StdoutSink:
    """Make a sink of an open descriptor; it is not closed with the sink."""
    return StdoutSink(descriptor, name)


def render_alert(document: Mapping[str, object], *, colors: bool) -> str:
    r"""
    Show an alert as one readable line.

    Args:
        document: nested ECS.
        colors: with ANSI colors by severity; nothing else in the line can be an escape sequence, for what is not
            printable reads as ``\xNN`` or ``\uNNNN``.
    """
    renderer = structlog.dev.ConsoleRenderer(
        colors=colors,
        sort_keys=False,
        pad_event_to=0,
        level_styles=_STYLES if colors else dict.fromkeys(_STYLES, ""),
    )
    logger = structlog.wrap_logger(structlog.ReturnLogger(), processors=[renderer])
    shown = {name: _show(get_field(document, field)) for name, field in _SHOWN}
    line: str = logger.msg(
        _show(get_field(document, "rule.name")) or "alert",
        timestamp=_show(get_field(document, "@timestamp")),
        level=_show(get_field(document, "hullwatch.severity")),
        **{name: text for name, text in shown.items() if text},
    )
    return line


def _show(value: object) -> str:
    if value is None:
        return ""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return make_printable(text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "...")
