"""
The outbox: every alert is committed here before any sink sees it, and each sink has its cursor.

SQLite in WAL mode with ``synchronous=NORMAL``. What is committed survives the death of the process,
kill -9 included, for it is in the kernel's hands by then. After a loss of power the journal is whole,
but may lack what was committed since its last checkpoint (`Journal.checkpoint`, every few seconds);
alerts and cursors then go back together, so no sink passes over an alert that came later.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.alert import Alert, Entry, encode_document
from agent.detect.rule import Severity
from agent.errors import JournalError

JOURNAL_NAME = "journal.db"
SCHEMA_VERSION = 1

_SCHEMA = (
    # AUTOINCREMENT never gives a number twice, however much was pruned: cursors stay true.
    """
    CREATE TABLE alert (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        added_ns INTEGER NOT NULL,
        id TEXT NOT NULL,
        time_ns INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        rule_id TEXT NOT NULL,
        document BLOB NOT NULL
    )
    """,
    "CREATE TABLE cursor (sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
_BUSY_TIMEOUT_S = 10.0
# A checkpoint waits for the disk, so `Journal.checkpoint` makes it, on a thread that may wait. Should that
# fall behind, a commit does it: 32 MiB of pages are the most that the log outgrows.
_AUTOCHECKPOINT_PAGES = 8192
_PRUNE_ROWS = 500  # a transaction: an append never waits long for it


class Journal:
    """One connection; it stays in the thread that opened it, and others open their own."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._path = path
        self._database = database

    def append(self, alerts: Sequence[Alert]) -> list[int]:
        """
        Commit alerts, all or none.

        Returns:
            Their sequence numbers, rising.

        Raises:
            JournalError: the disk is full or fails.
        """
        added_ns = time.time_ns()
        rows = [
            (added_ns, alert.id, alert.time_ns, int(alert.severity), alert.rule_id, encode_document(alert.document))
            for alert in alerts
        ]
        statement = "INSERT INTO alert (added_ns, id, time_ns, severity, rule_id, document) VALUES (?, ?, ?, ?, ?, ?)"
        with self._transaction():
            return [self._database.execute(statement, row).lastrowid or 0 for row in rows]

    def read(self, after_seq: int, limit: int) -> list[Entry]:
        """
        Read alerts in order, from the first one behind `after_seq`; 0 is before all.

        Raises:
            JournalError: the journal cannot be read.
        """
        columns = "seq, id, time_ns, severity, rule_id, document"
        rows = self._select(f"SELECT {columns} FROM alert WHERE seq > ? ORDER BY seq LIMIT ?", after_seq, limit)  # noqa: S608 - a constant
        return [Entry(seq, id_, time_ns, Severity(level), rule, blob) for seq, id_, time_ns, level, rule, blob in rows]

    def end(self) -> int:
        """Return the last sequence number given out, 0 if none was."""
        rows = self._select("SELECT seq FROM sqlite_sequence WHERE name = 'alert'")
        return int(rows[0][0]) if rows else 0

    def oldest(self) -> int:
        """Return the sequence number of the oldest alert kept; without any, that of the next to come."""
        first = self._select("SELECT min(seq) FROM alert")[0][0]
        return self.end() + 1 if first is None else int(first)

    def start_cursor(self, sink: str) -> int:
        """
        Return where a sink is: the sequence number of the last alert that it has.

        A sink seen for the first time starts at the journal's end: what was alerted before it was
        configured is read with ``hullwatch alerts``, not sent to it.
        """
        end = self.end()
        with self._transaction():
            self._database.execute("INSERT OR IGNORE INTO cursor (sink, seq) VALUES (?, ?)", (sink, end))
        return int(self._select("SELECT seq FROM cursor WHERE sink = ?", sink)[0][0])

    def advance_cursor(self, sink: str, seq: int) -> None:
        """Note that a sink has everything up to `seq`."""
        with self._transaction():
            self._database.execute("UPDATE cursor SET seq = max(seq, ?) WHERE sink = ?", (seq, sink))

    def backlog(self, sink: str) -> int:
        """Count the alerts kept that a sink does not have yet; 0 for a sink that never started."""
        cursor = self._select("SELECT seq FROM cursor WHERE sink = ?", sink)
        return self.end() - max(cursor[0][0], self.oldest() - 1) if cursor else 0

    def prune(self, *, before_ns: int, max_bytes: int) -> dict[str, int]:
        """
        Drop the oldest alerts, until none was appended before `before_ns` and the rest takes `max_bytes` at most.

        The file does not shrink; its room is used again.

        Returns:
            For each sink how many were dropped before it had them.
        """
        dropped: dict[str, int] = {}
        while (last := self._last_to_drop(before_ns, max_bytes)) is not None:
            with self._transaction():
                first = self._database.execute("SELECT min(seq) FROM alert").fetchone()[0]
                for sink, seq in self._database.execute("SELECT sink, seq FROM cursor").fetchall():
                    dropped[sink] = dropped.get(sink, 0) + max(0, last - max(seq, first - 1))
                self._database.execute("DELETE FROM alert WHERE seq <= ?", (last,))
        return {sink: count for sink, count in dropped.items() if count}

    def checkpoint(self) -> None:
        """Bring what is committed from the log into the database and onto the disk; may take its time."""
        self._select("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def _last_to_drop(self, before_ns: int, max_bytes: int) -> int | None:
        rows = self._select("SELECT seq, added_ns FROM alert ORDER BY seq LIMIT ?", _PRUNE_ROWS)
        old = 0
        while old < len(rows) and rows[old][1] < before_ns:
            old += 1
        if not old and rows:
            old = self._rows_too_many(max_bytes)
        return rows[min(old, len(rows)) - 1][0] if old else None

    def _rows_too_many(self, max_bytes: int) -> int:
        # Pages in use, not length(document): SQLite knows their number without a look at the rows.
        pages, free, page_bytes = (
            int(self._select(f"PRAGMA {name}")[0][0]) for name in ("page_count", "freelist_count", "page_size")
        )
        used_bytes = (pages - free) * page_bytes
        if used_bytes <= max_bytes:
            return 0
        kept = self.end() - self.oldest() + 1
        return -(-kept * (used_bytes - max_bytes) // used_bytes)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            finally:
                # A failed COMMIT may have rolled back by itself, or not.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _select(self, statement: str, *values: int | str) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> JournalError:
        return JournalError(f"{self._path}: the journal cannot be used: {error}")


def open_journal(state_dir: Path) -> Journal:
    """
    Open the journal of a state directory; both are made where they are missing.

    Raises:
        JournalError: the directory cannot be used, or what is in it is no journal of this version.
    """
    path = state_dir / JOURNAL_NAME
    try:
        _prepare(state_dir, path)
    except FileExistsError:
        raise JournalError(f"{state_dir}: the state directory is not a directory") from None
    except OSError as error:
        raise JournalError(f"{error.filename or path}: the state directory cannot be used: {error.strerror}") from None
    try:
        return Journal(path, _connect(path))
    except sqlite3.DatabaseError as error:
        hint = "; move the file away to begin a new one" if not isinstance(error, sqlite3.OperationalError) else ""
        raise JournalError(f"{path}: the journal cannot be opened: {error}{hint}") from None


def _prepare(state_dir: Path, path: Path) -> None:
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    # An empty directory is ours to close; one with other things in it (say /tmp) has another owner's mode.
    if not any(state_dir.iterdir()):
        state_dir.chmod(0o700)
    # SQLite would make the file by the umask, and gives its log and index the file's own mode.
    # O_NOFOLLOW: nobody who may write to the directory makes us write elsewhere.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(f"PRAGMA wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES}")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        _check_version(path, version)
        if version == 0:
            _create(database)
    except BaseException:
        database.close()
        raise
    return database


def _check_version(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path}: the journal was written by a newer version of hullwatch"
            f" (schema {version}; this one reads up to {SCHEMA_VERSION})"
        )


def _create(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    # Another process may have been first.
    if database.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in _SCHEMA:
            database.execute(statement)
    database.execute("COMMIT")
