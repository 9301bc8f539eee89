"""Delivery: at least once, each sink at its own pace, and nothing lost uncounted."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from agent.delivery import Hooks, Retention, open_delivery
from agent.errors import JournalError, SinkError
from agent.journal import open_journal
from tests.alerts import make_exec_alert

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[1]


class Received:
    """A sink that keeps ids in memory, and fails or waits as a test tells it to."""

    def __init__(self, name="sink"):
        self.name = name
        self.ids = []
        self.attempts = []
        self.failing = False
        self.poison = None
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    def deliver(self, entry):
        self.attempts.append(time.monotonic())
        self.gate.wait()
        if self.failing:
            raise SinkError(f"{self.name}: nobody there")
        if entry.id == self.poison:
            raise ValueError(entry.id)
        self.ids.append(entry.id)

    def close(self):
        self.closed = True


@pytest.fixture
def journal(tmp_path):
    with closing(open_journal(tmp_path)) as opened:
        yield opened


def eventually(holds, within_s=5.0):
    deadline = time.monotonic() + within_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.002)
    return holds()


def ids(numbers):
    return [f"event-{number}" for number in numbers]


def append(journal, delivery, numbers):
    delivery.notify(journal.append([make_exec_alert(number) for number in numbers])[-1])


class TestDelivering:
    def test_all_in_order(self, journal, tmp_path):
        """A prime number of alerts, appended in pieces, arrives whole and in order at each sink."""
        sinks = [Received("a"), Received("b")]
        delivery = open_delivery(tmp_path, sinks)
        for start in range(0, 499, 7):
            append(journal, delivery, range(start, min(start + 7, 499)))
        assert {"a": 0, "b": 0} == delivery.close(10)
        assert [ids(range(499))] * 2 == [sink.ids for sink in sinks]
        assert [499, 499] == [state.delivered for state in delivery.states.values()]

    def test_continues_after_a_restart(self, journal, tmp_path):
        """The next start goes on where the last one ended, with what came in between."""
        first = open_delivery(tmp_path, [Received()])
        append(journal, first, [1, 2])
        first.close(5)
        journal.append([make_exec_alert(3)])
        sink = Received()
        open_delivery(tmp_path, [sink]).close(5)
        assert ids([3]) == sink.ids

    def test_new_sink_gets_what_comes_now(self, journal, tmp_path):
        """A sink that is configured later is not flooded with what was before."""
        journal.append([make_exec_alert(1)])
        sink = Received()
        delivery = open_delivery(tmp_path, [sink])
        append(journal, delivery, [2])
        delivery.close(5)
        assert ids([2]) == sink.ids

    def test_hooks(self, journal, tmp_path):
        """Deliveries, failures and changes are told; a change only once."""
        told = []
        hooks = Hooks(
            on_delivered=lambda *of: told.append(("delivered", *of)),
            on_failure=lambda *of: told.append(("failure", *of)),
            on_change=lambda *of: told.append(("change", *of)),
        )
        sink = Received()
        sink.failing = True
        delivery = open_delivery(tmp_path, [sink], hooks=hooks)
        append(journal, delivery, [1])
        assert eventually(lambda: delivery.states["sink"].failures > 1)
        sink.failing = False
        assert eventually(lambda: sink.ids)
        delivery.close(5)
        assert 1 == told.count(("change", "sink", "sink: nobody there"))
        assert [("delivered", "sink", 1), ("change", "sink", None)] == told[-2:]
        assert delivery.states["sink"].failures == told.count(("failure", "sink"))

    def test_no_journal(self, tmp_path):
        """A journal that cannot be opened is told at once, not in a thread."""
        (tmp_path / "state").touch()
        with pytest.raises(JournalError):
            open_delivery(tmp_path / "state", [Received()])


class TestOutages:
    def test_kept_and_sent_later(self, journal, tmp_path):
        """What came while a sink was away arrives when it is back, in order; meanwhile its state says so."""
        sink = Received()
        sink.failing = True
        delivery = open_delivery(tmp_path, [sink])
        append(journal, delivery, range(5))
        assert eventually(lambda: not delivery.states["sink"].up)
        assert (5, "sink: nobody there") == (delivery.backlog("sink"), delivery.states["sink"].last_error)
        sink.failing = False
        assert eventually(lambda: delivery.backlog("sink") == 0)
        assert delivery.states["sink"].up
        assert ids(range(5)) == sink.ids
        delivery.close(5)

    def test_pauses_grow(self, journal, tmp_path):
        """A dead sink is tried ever less often."""
        sink = Received()
        sink.failing = True
        delivery = open_delivery(tmp_path, [sink])
        append(journal, delivery, [1])
        assert eventually(lambda: len(sink.attempts) == 4)
        first, *_, last = (later - sooner for sooner, later in zip(sink.attempts, sink.attempts[1:], strict=False))
        assert 0.05 <= first < 0.2 <= last
        delivery.close(5)

    def test_others_do_not_wait(self, journal, tmp_path):
        """A sink that hangs delays neither the appending thread nor another sink."""
        stuck, free = Received("stuck"), Received("free")
        stuck.gate.clear()
        delivery = open_delivery(tmp_path, [stuck, free])
        started = time.monotonic()
        for number in range(50):
            append(journal, delivery, [number])
        assert time.monotonic() - started < 1
        assert eventually(lambda: len(free.ids) == 50)
        assert (50, 0) == (delivery.backlog("stuck"), delivery.backlog("free"))
        stuck.gate.set()
        delivery.close(5)
        assert ids(range(50)) == stuck.ids

    def test_poisoned_alert(self, journal, tmp_path):
        """An alert that breaks a sink is passed over, counted and named; the next ones arrive."""
        sink = Received()
        sink.poison = "event-1"
        delivery = open_delivery(tmp_path, [sink])
        append(journal, delivery, range(3))
        delivery.close(5)
        state = delivery.states["sink"]
        assert ids([0, 2]) == sink.ids
        assert (1, 2, 0) == (state.refused, state.delivered, state.failures)
        assert "alert event-1 was passed over" in state.last_error
        assert 1 == delivery.lost()["sink_refused"]

    def test_retention_is_counted(self, journal, tmp_path):
        """What the journal drops before a sink has it is counted for the sink and leaves its backlog."""
        sink = Received()
        sink.failing = True
        sinks = [sink]
        open_delivery(tmp_path, sinks).close(5)
        journal.append([make_exec_alert(number) for number in range(7)])
        delivery = open_delivery(tmp_path, sinks, retention=Retention(max_age_s=0))
        assert eventually(lambda: delivery.states["sink"].dropped == 7)
        assert eventually(lambda: delivery.backlog("sink") == 0)
        assert 7 == delivery.lost()["journal_retention"]
        delivery.close(5)


class TestClosing:
    def test_everything_is_sent_first(self, journal, tmp_path):
        """A working sink gets its whole backlog before it is closed."""
        sink = Received()
        sink.gate.clear()
        delivery = open_delivery(tmp_path, [sink])
        append(journal, delivery, range(300))
        threading.Timer(0.1, sink.gate.set).start()
        assert {"sink": 0} == delivery.close(10)
        assert 300 == len(sink.ids)
        assert sink.closed

    def test_dead_sink_does_not_hold_up(self, journal, tmp_path):
        """A sink that fails gets one more attempt, and the journal keeps the rest."""
        sink = Received()
        sink.failing = True
        delivery = open_delivery(tmp_path, [sink])
        append(journal, delivery, range(3))
        assert eventually(lambda: delivery.states["sink"].failures == 1)
        started = time.monotonic()
        assert {"sink": 3} == delivery.close(10)
        assert time.monotonic() - started < 2
        assert 3 == journal.backlog("sink")

    def test_hanging_sink_has_a_deadline(self, journal, tmp_path):
        """A sink that hangs is left behind at the deadline; what it did not take is kept."""
        sink = Received()
        sink.gate.clear()
        delivery = open_delivery(tmp_path, [sink])
        append(journal, delivery, range(3))
        assert eventually(lambda: sink.attempts)
        started = time.monotonic()
        assert {"sink": 3} == delivery.close(0.2)
        assert time.monotonic() - started < 1
        sink.gate.set()
        assert eventually(lambda: sink.closed)

    def test_deadline_in_a_long_backlog(self, journal, tmp_path):
        """At the deadline a long backlog stops between two alerts, and the cursor tells which came last."""
        sink = Received()
        deliver = sink.deliver
        sink.deliver = lambda entry: (time.sleep(0.01), deliver(entry))
        delivery = open_delivery(tmp_path, [sink])
        append(journal, delivery, range(200))
        left = delivery.close(0.3)["sink"]
        assert 200 == left + len(sink.ids)
        assert left == journal.backlog("sink") > 0


class TestKilled:
    def test_nothing_is_missing(self, tmp_path):
        """Killed in the middle of delivering and started again, a sink has every alert at least once."""
        script = """
import sys
from pathlib import Path
from agent.delivery import open_delivery
from agent.journal import open_journal
from agent.sinks.stdout import open_stdout
from tests.alerts import make_exec_alert
journal = open_journal(Path(sys.argv[1]))
delivery = open_delivery(Path(sys.argv[1]), [open_stdout()])
if sys.argv[2] == "append":
    delivery.notify(journal.append([make_exec_alert(number) for number in range(2003)])[-1])
    import time
    time.sleep(60)
delivery.close(10)
"""
        command = [sys.executable, "-c", script, str(tmp_path)]
        with subprocess.Popen([*command, "append"], stdout=subprocess.PIPE, cwd=ROOT) as process:
            before = [process.stdout.readline() for _ in range(101)]
            process.send_signal(signal.SIGKILL)
            before += process.stdout.read().splitlines(keepends=True)
        after = subprocess.run([*command, "go on"], stdout=subprocess.PIPE, check=True, cwd=ROOT).stdout
        lines = b"".join(before).splitlines() + after.splitlines()
        assert len(before) < 2003
        found = {line.split(b'"id":"event-')[1].split(b'"')[0] for line in lines if line.endswith(b"}")}
        assert {str(number).encode() for number in range(2003)} == found
