"""What a replay reads and where it writes: lines at once, and on a terminal how far it is."""

import io
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from agent.text import make_printable

_BLOCK_BYTES = 1 << 16
_FIRST_PROGRESS_S = 1.0  # a replay that is over by then shows none
_PROGRESS_S = 0.2
_WIPE_LINE = "\r\x1b[K"


class Terminal:
    """
    Standard output and standard error of one replay, and on a terminal how far it is.

    Args:
        total_bytes: of a regular file; None shows no progress.
    """

    def __init__(self, total_bytes: int | None) -> None:
        self._total_bytes = total_bytes if sys.stderr.isatty() else None
        self._read_bytes = 0
        self._due_s = time.monotonic() + _FIRST_PROGRESS_S
        self._shown = False
        self._shared = sys.stdout.isatty()

    def say(self, line: bytes) -> None:
        """Write a line to standard output at once, so that it is there while the next is waited for."""
        if self._shared:
            self.wipe()
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()

    def report(self, sentence: str) -> None:
        """Write a line to standard error."""
        self.wipe()
        sys.stderr.write(make_printable(sentence) + "\n")

    def advance(self, count: int) -> None:
        """Take note that so many more bytes were read."""
        self._read_bytes += count
        now_s = time.monotonic()
        if self._total_bytes and now_s >= self._due_s:
            self._due_s = now_s + _PROGRESS_S
            done = min(1.0, self._read_bytes / self._total_bytes)
            sys.stderr.write(f"\r[{'#' * int(done * 40):40}] {done:4.0%}")
            sys.stderr.flush()
            self._shown = True

    def wipe(self) -> None:
        """Take the progress away, if it is there."""
        if self._shown:
            sys.stderr.write(_WIPE_LINE)
            sys.stderr.flush()
            self._shown = False


class _Watched(io.FileIO):
    # Tells of every block that is read, at no cost for the lines in it.
    def __init__(self, path: Path, advance: Callable[[int], None]) -> None:
        super().__init__(path)
        self._advance = advance

    def readinto(self, buffer: "bytearray | memoryview", /) -> int | None:  # type: ignore[override]
        count = super().readinto(buffer)
        self._advance(count or 0)
        return count


@contextmanager
def open_input(path: Path) -> Iterator[tuple[IO[bytes], Terminal]]:
    """
    Open what is replayed, ``-`` for standard input, and the terminal that shows how far it is read.

    Raises:
        OSError: it cannot be read.
    """
    if str(path) == "-":
        yield sys.stdin.buffer, Terminal(None)
        return
    status = path.stat()
    terminal = Terminal(status.st_size if stat.S_ISREG(status.st_mode) else None)
    with io.BufferedReader(_Watched(path, terminal.advance), _BLOCK_BYTES) as stream:
        yield stream, terminal
