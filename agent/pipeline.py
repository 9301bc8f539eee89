"""
The loop: sensor -> enrich -> match -> suppress -> journal.

One thread, one direction. What an event meets on its way is handed in by agent/run.py; the sinks read
the journal on threads of their own and are only told that it has grown.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog

from agent.alert import Alert, Suppressor, make_alert
from agent.detect.index import Match, RuleIndex
from agent.ecs import to_document
from agent.errors import JournalError
from agent.event import Event, Exec
from agent.journal import Journal
from agent.metrics import FILTERED, REPEATED, Metrics
from agent.relations import Relations

MAX_PENDING = 10_000  # alerts kept in memory while the journal cannot be written
_LONGEST_DRAIN_S = 10.0
LOST_JOURNAL = "journal"  # the reason under which alerts beyond that are counted


class Sensor(Protocol):
    """Where events come from; see agent/sensors."""

    @property
    def name(self) -> str:
        """The name that configuration and metrics use."""

    def poll(self, timeout_s: float) -> list[Event]:
        """Give the events that arrived, or wait for the first; raises `SensorError` when it has died."""

    def lost(self) -> dict[str, int]:
        """Count what never became an event, by reason, since the sensor opened."""

    def close(self) -> None:
        """Give back what it holds."""


class Pipeline:
    """
    What one agent does with events.

    Args:
        sensor: open.
        enrich: fills in what the node knows (users, containers, intents).
        learn: is shown every event, before anything else, so that the sensor can be told what files are.
        rules: the index over the rules in force.
        suppressor: folds repeats; its `on_repeat` is `count_repeat`.
        journal: open, in the thread that calls `step`.
        notify: told the journal's new end.
        metrics: counts everything.
    """

    def __init__(
        self,
        *,
        sensor: Sensor,
        enrich: Callable[[Event], Event],
        learn: Callable[[Event], None],
        rules: RuleIndex,
        suppressor: Suppressor,
        journal: Journal,
        notify: Callable[[int], None],
        metrics: Metrics,
    ) -> None:
        self._sensor = sensor
        self._enrich = enrich
        self._learn = learn
        self._rules = rules
        self._suppressor = suppressor
        self._journal = journal
        self._notify = notify
        self._metrics = metrics
        self._relations = Relations()
        self._pending: deque[Alert] = deque()
        self._dropped = 0
        self._log = structlog.get_logger()

    def step(self, timeout_s: float) -> int:
        """
        Wait for events at most `timeout_s`, and take those that came as far as the journal.

        Returns:
            How many events the sensor gave; there may be more where that is not 0.

        Raises:
            SensorError: the sensor has died.
        """
        events = self._sensor.poll(timeout_s)
        self._count(events)
        alerted: list[Event] = []
        now_ns = time.monotonic_ns()
        for event in events:
            self._learn(event)
            if not self._rules.may_match(event):
                continue
            full = self._enrich(event)
            matches = self._audible(self._rules.match(full))
            if matches:
                alert = make_alert(full, matches, to_document(full), related=self._relations.relate(full))
                self._pending.extend(self._suppressor.offer(alert, now_ns))
                alerted.append(full)
        self._pending.extend(self._suppressor.close_windows(now_ns))
        self._commit()
        self._observe(alerted)
        return len(events)

    def drain(self) -> int:
        """
        Take what the sensor still holds, close all suppression windows and commit.

        Returns:
            How many alerts could not be committed; they are lost and counted.
        """
        # A storm that goes on must not keep the agent from ending.
        deadline_s = time.monotonic() + _LONGEST_DRAIN_S
        while self.step(0) and time.monotonic() < deadline_s:
            pass
        self._pending.extend(self._suppressor.close_all())
        self._commit()
        unsaved = len(self._pending)
        self._drop(unsaved)
        return unsaved

    def _audible(self, matches: Iterable[Match]) -> list[Match]:
        audible = []
        for match in matches:
            if match.silenced_by is None:
                audible.append(match)
                self._metrics.count_alert(match.rule.id, match.severity)
            else:
                self._metrics.count_suppressed(match.rule.id, FILTERED + match.silenced_by)
        return audible

    def _commit(self) -> None:
        if not self._pending:
            return
        try:
            self._notify(self._journal.append(self._pending)[-1])
        except JournalError as error:
            # Kept for the next step: a disk that is full now may not be so for long.
            self._log.error("the journal takes no alerts", reason=str(error), pending=len(self._pending))
            self._drop(len(self._pending) - MAX_PENDING)
        else:
            self._pending.clear()

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._pending.popleft()
        self._dropped += max(0, count)
        self._metrics.observe_lost({LOST_JOURNAL: self._dropped})

    def _count(self, events: Sequence[Event]) -> None:
        if not events:
            return
        kinds = Counter("exec" if isinstance(event, Exec) else "connect" for event in events)
        for kind, count in kinds.items():
            self._metrics.count_events(self._sensor.name, kind, count)
        for event in events:
            for field in event.process.truncated:
                self._metrics.count_truncated(field)

    def _observe(self, events: Iterable[Event]) -> None:
        now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        for event in events:
            if event.boot_ns is not None:
                self._metrics.observe_detection((now_ns - event.boot_ns) / 1e9)


def count_repeat(metrics: Metrics) -> Callable[[Alert], None]:
    """Give what counts an alert that was folded away, for each rule that it stands for."""

    def on_repeat(alert: Alert) -> None:
        for rule in alert.matched:
            metrics.count_suppressed(rule.id, REPEATED)

    return on_repeat
