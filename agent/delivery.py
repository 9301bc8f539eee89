"""
From the journal to the sinks: a thread and a cursor each, so that none waits for another.

A sink has an alert when its `deliver` returns; only then its cursor moves. So each alert arrives at
least once, and twice where the process dies in between.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import msgspec

from agent.alert import Entry
from agent.errors import JournalError, SinkError
from agent.journal import Journal, open_journal

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 30.0
_BATCH = 64
_UPKEEP_S = 10.0
_UPKEEP_ALERTS = 2000  # or so many since: at some KiB each the log stays small
_JITTER = random.SystemRandom()


class Sink(Protocol):
    """
    Where alerts go.

    `deliver` is only called from one thread, the same that calls `close`. It raises `SinkError` for what
    may pass (the alert is tried again), never blocks for more than some seconds, and returns when the
    alert is out of our hands.
    """

    @property
    def name(self) -> str:
        """The name of its cursor and of its metrics."""

    def deliver(self, entry: Entry) -> None:
        """Send one alert."""

    def close(self) -> None:
        """Release what it holds; no error."""


def _ignore(*_: object) -> None:
    pass


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """What is called from a sink's own thread; none may raise or wait."""

    on_delivered: Callable[[str, int], object] = _ignore  # sink, alerts
    on_failure: Callable[[str], object] = _ignore  # sink, at each failed attempt
    on_change: Callable[[str, str | None], object] = _ignore  # sink, why it fails from now on; None: it is well again


class SinkState(msgspec.Struct):
    """What a sink did since the start; its own threads write it, anyone may read it."""

    position: int  # the last sequence number that it has
    delivered: int = 0
    failures: int = 0  # failed attempts; the alert was tried again
    refused: int = 0  # alerts passed over because the sink cannot take them; they stay in the journal
    dropped: int = 0  # alerts that the journal's retention took away first
    up: bool = True  # the last attempt went well, or there was none
    last_error: str | None = None


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal keeps: beyond either limit the oldest alerts are dropped, delivered or not, and counted."""

    max_age_s: float = 7 * 86_400
    max_bytes: int = 256 << 20


DEFAULT_RETENTION = Retention()
NO_HOOKS = Hooks()


class Delivery:
    """Delivers what is appended to the journal until it is closed."""

    def __init__(self, lanes: Sequence["_Lane"], keeper: "_Keeper") -> None:
        self._lanes = lanes
        self._keeper = keeper
        self.states: Mapping[str, SinkState] = {lane.sink.name: lane.state for lane in lanes}

    def notify(self, seq: int) -> None:
        """Say that the journal now reaches to `seq`; costs microseconds and never waits."""
        for lane in self._lanes:
            lane.wake.set()
        self._keeper.notify(seq)

    def backlog(self, sink: str) -> int:
        """Count the alerts kept that a sink does not have yet."""
        return max(0, self._keeper.end - max(self.states[sink].position, self._keeper.oldest - 1))

    def lost(self) -> dict[str, int]:
        """Count what some sink will never get, by reason; as a sensor's `lost()`."""
        return {
            "journal_retention": sum(state.dropped for state in self.states.values()),
            "sink_refused": sum(state.refused for state in self.states.values()),
        }

    def close(self, deadline_s: float) -> dict[str, int]:
        """
        Deliver what can be delivered until the deadline, then stop.

        Returns:
            The backlog of each sink: what the journal keeps for the next start.
        """
        deadline = time.monotonic() + deadline_s
        threads: list[_Lane | _Keeper] = [*self._lanes, self._keeper]
        for thread in threads:
            thread.stop(deadline)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()) + 0.1)
        return {name: self.backlog(name) for name in self.states}


def open_delivery(
    state_dir: Path,
    sinks: Sequence[Sink],
    *,
    retention: Retention = DEFAULT_RETENTION,
    hooks: Hooks = NO_HOOKS,
) -> Delivery:
    """
    Start delivering from a state directory's journal.

    Args:
        state_dir: as `open_journal` takes it.
        sinks: each with a name of its own; they are closed by `Delivery.close`.
        retention: how much the journal keeps.
        hooks: for metrics and the log.

    Raises:
        JournalError: the journal cannot be opened.
    """
    with closing(open_journal(state_dir)) as journal:
        lanes = [_Lane(state_dir, sink, SinkState(journal.start_cursor(sink.name)), hooks) for sink in sinks]
        states = {lane.sink.name: lane.state for lane in lanes}
        keeper = _Keeper(state_dir, states, journal, retention)
    for thread in (*lanes, keeper):
        thread.start()
    return Delivery(lanes, keeper)


class _Lane(threading.Thread):
    # The thread of one sink. A daemon: one that hangs in the kernel does not keep the process alive.
    def __init__(self, state_dir: Path, sink: Sink, state: SinkState, hooks: Hooks) -> None:
        super().__init__(name=f"sink {sink.name}", daemon=True)
        self.sink = sink
        self.state = state
        self.wake = threading.Event()
        self._state_dir = state_dir
        self._hooks = hooks
        self._closing = threading.Event()
        self._deadline = float("inf")
        self._pause_s = FIRST_PAUSE_S

    def stop(self, deadline: float) -> None:
        self._deadline = deadline
        self._closing.set()
        self.wake.set()

    def run(self) -> None:
        stopped = False
        while not stopped:
            try:
                with closing(open_journal(self._state_dir)) as journal:
                    self._deliver_until_stopped(journal)
                stopped = True
            except (SinkError, JournalError) as error:
                # Who is to stop has had its last attempt; the journal keeps the rest.
                stopped = self._closing.is_set()
                self._fail(str(error))
                self._pause()
        self.sink.close()

    def _deliver_until_stopped(self, journal: Journal) -> None:
        while True:
            # Cleared before the journal is read: what is appended after that read wakes us.
            self.wake.clear()
            while entries := journal.read(self.state.position, _BATCH):
                try:
                    for entry in entries:
                        if time.monotonic() > self._deadline:
                            return
                        self._deliver(entry)
                finally:
                    journal.advance_cursor(self.sink.name, self.state.position)
            if self._closing.is_set():
                return
            self.wake.wait()

    def _deliver(self, entry: Entry) -> None:
        try:
            self.sink.deliver(entry)
        except SinkError:
            raise
        except Exception as error:  # noqa: BLE001 - one alert that no attempt gets through must not hold up all others
            self.state.refused += 1
            self.state.last_error = f"alert {entry.id} was passed over: {error!r}"
        else:
            self.state.delivered += 1
            self._hooks.on_delivered(self.sink.name, 1)
        # In memory too: when the disk is full the cursor stays behind, and nothing shall be sent again and again.
        self.state.position = entry.seq
        self._pause_s = FIRST_PAUSE_S
        if not self.state.up:
            self.state.up = True
            self._hooks.on_change(self.sink.name, None)

    def _fail(self, reason: str) -> None:
        self.state.failures += 1
        self.state.last_error = reason
        self._hooks.on_failure(self.sink.name)
        if self.state.up:
            self.state.up = False
            self._hooks.on_change(self.sink.name, reason)

    def _pause(self) -> None:
        # Jitter: the agents of a whole fleet do not come back to a server in step.
        self._closing.wait(self._pause_s * _JITTER.uniform(0.5, 1.0))
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)


class _Keeper(threading.Thread):
    # The thread that waits for the disk, so that no other has to: checkpoints and retention.
    def __init__(
        self, state_dir: Path, states: Mapping[str, SinkState], journal: Journal, retention: Retention
    ) -> None:
        super().__init__(name="journal upkeep", daemon=True)
        self.end = journal.end()
        self.oldest = journal.oldest()
        self._kept_to = self.end
        self._state_dir = state_dir
        self._states = states
        self._retention = retention
        self._wake = threading.Event()
        self._closing = False

    def notify(self, seq: int) -> None:
        self.end = seq
        if seq - self._kept_to >= _UPKEEP_ALERTS:
            self._wake.set()

    def stop(self, _deadline: float) -> None:
        self._closing = True
        self._wake.set()

    def run(self) -> None:
        journal: Journal | None = None
        while not self._closing:
            self._kept_to = self.end
            try:
                journal = journal or open_journal(self._state_dir)
                self._keep(journal)
            except JournalError:
                pass  # the next append fails too, and that one is told
            self._wake.wait(_UPKEEP_S)
            self._wake.clear()
        if journal:
            journal.close()

    def _keep(self, journal: Journal) -> None:
        before_ns = time.time_ns() - int(self._retention.max_age_s * 1e9)
        for sink, count in journal.prune(before_ns=before_ns, max_bytes=self._retention.max_bytes).items():
            if sink in self._states:
                self._states[sink].dropped += count
        self.oldest = journal.oldest()
        journal.checkpoint()
