"""The outbox: what is committed stays, each sink has its place, and bad directories say so."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import JournalError
from agent.journal import JOURNAL_NAME, SCHEMA_VERSION, open_journal
from tests.alerts import make_exec_alert

ROOT = Path(__file__).parents[1]


@pytest.fixture
def journal(tmp_path):
    with closing(open_journal(tmp_path)) as opened:
        yield opened


class TestAppendAndRead:
    def test_in_order_and_whole(self, journal):
        """What was appended is read back in order, with its time, severity, rule and document."""
        alerts = [make_exec_alert(number, args=("docker", f"é\n{number}")) for number in range(3)]
        seqs = journal.append(alerts[:2]) + journal.append(alerts[2:])
        entries = journal.read(0, 10)
        assert [1, 2, 3] == seqs == [entry.seq for entry in entries]
        assert [alert.id for alert in alerts] == [entry.id for entry in entries]
        assert alerts[0].severity is entries[0].severity
        assert (alerts[0].time_ns, "privileged") == (entries[0].time_ns, entries[0].rule_id)
        assert rb"\u00e9\n2" in entries[2].document

    def test_from_a_place(self, journal):
        """Reading goes on behind a place and gives no more than asked for."""
        journal.append([make_exec_alert(number) for number in range(5)])
        assert [3, 4] == [entry.seq for entry in journal.read(2, 2)]
        assert [] == journal.read(5, 2)

    def test_nothing_to_append(self, journal):
        """Appending nothing changes nothing."""
        assert [] == journal.append([])
        assert 0 == journal.end()

    def test_another_thread_opens_its_own(self, journal, tmp_path):
        """Two threads append through their own connections at the same time; nothing is lost or mixed."""

        def append():
            with closing(open_journal(tmp_path)) as other:
                for number in range(100):
                    other.append([make_exec_alert(f"other-{number}")])

        thread = threading.Thread(target=append)
        thread.start()
        for number in range(100):
            journal.append([make_exec_alert(f"own-{number}")])
        thread.join()
        ids = [entry.id for entry in journal.read(0, 1000)]
        assert 200 == len(set(ids)) == journal.end()
        assert [f"event-own-{number}" for number in range(100)] == [id_ for id_ in ids if "own" in id_]

    def test_full_disk(self, journal):
        """When there is no room the whole append fails with one sentence, and succeeds once there is room again."""
        journal.append([make_exec_alert(0)])
        pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
        journal._database.execute(f"PRAGMA max_page_count = {pages}")
        many = [make_exec_alert(number, args=("docker", "x" * 9000)) for number in range(1, 3)]
        with pytest.raises(JournalError, match=r"journal\.db: the journal cannot be used: database or disk is full"):
            journal.append(many)
        assert 1 == len(journal.read(0, 10))
        journal._database.execute("PRAGMA max_page_count = 100000")
        assert [2, 3] == journal.append(many)

    def test_killed_process(self, tmp_path):
        """What a process had committed is there after kill -9, and what it had not is not."""
        script = (
            "import os, sys; from pathlib import Path; from agent.journal import open_journal;"
            "from tests.alerts import make_exec_alert; journal = open_journal(Path(sys.argv[1]));"
            "journal.append([make_exec_alert(n) for n in range(23)]);"
            "journal._database.execute('BEGIN IMMEDIATE');"
            "journal._database.execute('DELETE FROM alert');"
            "os.kill(os.getpid(), 9)"
        )
        done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, cwd=ROOT)
        assert -signal.SIGKILL == done.returncode
        with closing(open_journal(tmp_path)) as journal:
            assert [f"event-{number}" for number in range(23)] == [entry.id for entry in journal.read(0, 100)]


class TestCursors:
    def test_new_sink_starts_at_the_end(self, journal):
        """A sink seen for the first time does not get what was alerted before it."""
        journal.append([make_exec_alert(1)])
        assert 1 == journal.start_cursor("syslog")
        assert 0 == journal.backlog("syslog")

    def test_known_sink_goes_on(self, tmp_path):
        """A sink that was there before goes on where it was, across restarts."""
        with closing(open_journal(tmp_path)) as journal:
            journal.start_cursor("syslog")
            journal.append([make_exec_alert(number) for number in range(5)])
            journal.advance_cursor("syslog", 2)
        with closing(open_journal(tmp_path)) as journal:
            assert 2 == journal.start_cursor("syslog")
            assert 3 == journal.backlog("syslog")

    def test_never_goes_back(self, journal):
        """A cursor does not go back."""
        journal.start_cursor("syslog")
        journal.advance_cursor("syslog", 5)
        journal.advance_cursor("syslog", 3)
        assert 5 == journal.start_cursor("syslog")

    def test_each_sink_has_its_own(self, journal):
        """The cursor of one sink says nothing of another's, and an unknown sink waits for nothing."""
        for sink in ("syslog", "stdout"):
            journal.start_cursor(sink)
        journal.append([make_exec_alert(1), make_exec_alert(2)])
        journal.advance_cursor("stdout", 2)
        assert (2, 0, 0) == tuple(journal.backlog(sink) for sink in ("syslog", "stdout", "none"))


class TestRetention:
    def test_by_age(self, journal):
        """What was appended before the limit goes, whatever time its event claims; the rest stays."""
        journal.append([make_exec_alert(number, time_ns=0) for number in range(1200)])
        between_ns = time.time_ns()
        journal.append([make_exec_alert(number, time_ns=0) for number in range(3)])
        journal.prune(before_ns=between_ns, max_bytes=1 << 40)
        assert [1201, 1202, 1203] == [entry.seq for entry in journal.read(0, 10)]
        assert 1201 == journal.oldest()

    def test_by_size(self, journal, tmp_path):
        """The oldest go until the limit is kept, no more than needed, and their room is used again."""
        alerts = [make_exec_alert(number, args=("docker", "x" * 2000)) for number in range(600)]
        journal.append(alerts)
        journal.prune(before_ns=0, max_bytes=1 << 20)
        kept = journal.read(0, 1000)
        assert 600 == kept[-1].seq
        assert 0.7 * (1 << 20) < sum(len(entry.document) for entry in kept) < 1 << 20
        journal.checkpoint()
        before = (tmp_path / JOURNAL_NAME).stat().st_size
        for _ in range(3):
            journal.append(alerts[:100])
            journal.prune(before_ns=0, max_bytes=1 << 20)
            journal.checkpoint()
        assert before >= (tmp_path / JOURNAL_NAME).stat().st_size

    def test_losses_are_counted_a_sink(self, journal):
        """What is dropped before a sink had it is counted for that sink."""
        for sink in ("slow", "behind", "fast"):
            journal.start_cursor(sink)
        journal.append([make_exec_alert(number) for number in range(1203)])
        journal.advance_cursor("fast", 1203)
        journal.advance_cursor("behind", 700)
        assert {"slow": 1203, "behind": 503} == journal.prune(before_ns=time.time_ns(), max_bytes=1 << 40)
        assert (0, 0, 0) == tuple(journal.backlog(sink) for sink in ("slow", "behind", "fast"))

    def test_numbers_are_never_given_twice(self, journal):
        """An empty journal goes on counting, so that no cursor skips a new alert."""
        journal.append([make_exec_alert(1)])
        journal.prune(before_ns=time.time_ns(), max_bytes=0)
        assert (1, 2) == (journal.end(), journal.oldest())
        assert [2] == journal.append([make_exec_alert(2)])

    def test_nothing_to_drop(self, journal):
        """An empty journal is never too large or too old."""
        assert {} == journal.prune(before_ns=time.time_ns(), max_bytes=0)


class TestDirectory:
    def test_only_the_owner_reads(self, tmp_path):
        """Directory and files are the owner's alone, whatever the umask."""
        before = os.umask(0)
        try:
            with closing(open_journal(tmp_path / "a" / "state")) as journal:
                journal.append([make_exec_alert()])
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "state").iterdir()}
        finally:
            os.umask(before)
        assert 0o700 == stat.S_IMODE((tmp_path / "a" / "state").stat().st_mode)
        assert {JOURNAL_NAME: 0o600, f"{JOURNAL_NAME}-wal": 0o600, f"{JOURNAL_NAME}-shm": 0o600} == modes

    def test_empty_directory_is_closed(self, tmp_path):
        """An empty directory that others could read is closed to them."""
        tmp_path.chmod(0o777)
        open_journal(tmp_path).close()
        assert 0o700 == stat.S_IMODE(tmp_path.stat().st_mode)

    def test_shared_directory_keeps_its_mode(self, tmp_path):
        """A directory that others use too keeps its mode."""
        (tmp_path / "other").touch()
        tmp_path.chmod(0o1777)
        open_journal(tmp_path).close()
        assert 0o1777 == stat.S_IMODE(tmp_path.stat().st_mode)

    def test_planted_link(self, tmp_path):
        """A symbolic link in place of the journal is not followed."""
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / JOURNAL_NAME).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(JournalError, match=r"journal\.db: the state directory cannot be used"):
            open_journal(tmp_path / "state")
        assert not (tmp_path / "elsewhere").exists()

    def test_file_in_its_place(self, tmp_path):
        """A file where the directory should be is named."""
        (tmp_path / "state").touch()
        with pytest.raises(JournalError, match=r"state: the state directory is not a directory$"):
            open_journal(tmp_path / "state")
        with pytest.raises(JournalError, match=r"cannot be used: Not a directory$"):
            open_journal(tmp_path / "state" / "below")

    def test_unwritable(self):
        """A directory that cannot be made is named, with the reason."""
        with pytest.raises(JournalError, match=r"^/proc/hullwatch: the state directory cannot be used: No such file"):
            open_journal(Path("/proc/hullwatch"))

    def test_corrupted(self, tmp_path):
        """A file that is no database is named, and what to do about it."""
        (tmp_path / JOURNAL_NAME).write_bytes(b"no database\n" * 1000)
        with pytest.raises(JournalError, match=r"journal\.db: the journal cannot be opened: .*; move the file away"):
            open_journal(tmp_path)

    def test_corrupted_inside(self, tmp_path):
        """Damage that shows only when rows are read is a JournalError then."""
        with closing(open_journal(tmp_path)) as journal:
            journal.append([make_exec_alert(number, args=("x" * 3000,)) for number in range(50)])
        path = tmp_path / JOURNAL_NAME
        damaged = bytearray(path.read_bytes())
        damaged[3 * 4096 :] = os.urandom(len(damaged) - 3 * 4096)
        path.write_bytes(damaged)
        with closing(open_journal(tmp_path)) as journal, pytest.raises(JournalError, match="cannot be used"):
            journal.read(0, 100)

    def test_newer_schema(self, tmp_path):
        """A journal of a newer version is refused and left as it is."""
        open_journal(tmp_path).close()
        with closing(sqlite3.connect(tmp_path / JOURNAL_NAME)) as database:
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        with pytest.raises(JournalError, match=r"written by a newer version of hullwatch \(schema 2; .* up to 1\)$"):
            open_journal(tmp_path)
