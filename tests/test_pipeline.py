"""The loop, from events to the journal."""

import contextlib
import subprocess

import msgspec
import pytest

from agent.alert import Suppressor
from agent.detect.index import build_index
from agent.detect.sigma import read_sigma
from agent.journal import open_journal
from agent.metrics import Metrics
from agent.pipeline import Pipeline, count_repeat
from tests.events import make_exec

RULES = """
title: Docker was started
id: docker
logsource: {product: linux, category: process_creation}
detection: {selection: {Image|endswith: /docker}, condition: selection}
level: low
---
title: A container was run
id: run
logsource: {product: linux, category: process_creation}
detection: {selection: {CommandLine|contains: docker run}, condition: selection}
level: high
"""
FILTER = """
title: Not the build server's
id: build-server
logsource: {product: linux, category: process_creation}
filter:
  rules: [docker]
  selection: {User: ci}
  condition: not selection
"""


class Recorded:
    """A sensor that gives what it was given, as `poll` is called."""

    name = "recorded"

    def __init__(self):
        self.events = []

    def poll(self, timeout_s):  # noqa: ARG002 - the protocol's name
        events, self.events = self.events, []
        return events

    def lost(self):
        return {}

    def close(self):
        pass


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "state")


class World:
    """A pipeline with a real journal, and what it counts."""

    def __init__(self, state_dir, window_s=0, text=RULES, silenced=""):
        self.sensor = Recorded()
        self.metrics = Metrics()
        self.journal = open_journal(state_dir)
        self.told = []
        self.enriched = []
        rules = read_sigma(text, "rules.yml").rules
        filters = read_sigma(silenced, "filter.yml").filters if silenced else ()
        rules = [msgspec.structs.replace(r, filters=tuple(f for f in filters if r.id in f.rules)) for r in rules]
        self.metrics.declare_rules(rules, errors=0)
        self.pipeline = Pipeline(
            sensor=self.sensor,
            enrich=self.enrich,
            learn=lambda _: None,
            rules=build_index(rules),
            suppressor=Suppressor(window_s * 10**9, on_repeat=count_repeat(self.metrics)),
            journal=self.journal,
            notify=self.told.append,
            metrics=self.metrics,
        )

    def enrich(self, event):
        self.enriched.append(event)
        return event

    def feed(self, *events):
        self.sensor.events += events
        self.pipeline.step(0)

    def alerts(self):
        return self.journal.read(0, 1000)

    def metric(self, line):
        """The value of one series, by its text before the value."""
        text = self.metrics.render()[1].decode()
        return next(
            (float(row.rpartition(" ")[2]) for row in text.splitlines() if row.rpartition(" ")[0] == line), None
        )


class TestMatching:
    """From an event to an alert."""

    def test_one_event_gives_one_alert(self, world):
        """Two rules match: the worse one names the alert, and both are counted."""
        world.feed(make_exec(args=("docker", "run", "x")))
        (alert,) = world.alerts()
        assert "run" == alert.rule_id
        assert 1 == world.metric('hullwatch_alerts_total{rule="run",severity="high"}')
        assert 1 == world.metric('hullwatch_alerts_total{rule="docker",severity="low"}')
        assert [1] == world.told

    def test_what_no_rule_can_match_costs_no_enrichment(self, world):
        """An event without a candidate rule goes no further."""
        world.feed(make_exec("/usr/bin/ls", ("ls",)), make_exec())
        assert ["docker"] == [event.process.name for event in world.enriched]
        assert 2 == world.metric('hullwatch_events_total{sensor="recorded",type="exec"}')

    def test_a_filter_silences_and_is_counted(self, tmp_path):
        """What a filter takes away shows in a metric, so that a filter gone wrong shows."""
        world = World(tmp_path / "state", silenced=FILTER)
        world.feed(make_exec(user_name="ci"), make_exec(user_name="eve"))
        assert 1 == len(world.alerts())
        assert 1 == world.metric('hullwatch_alerts_suppressed_total{reason="filter:build-server",rule="docker"}')
        assert 1 == world.metric('hullwatch_alerts_total{rule="docker",severity="low"}')

    def test_cut_members_are_counted(self, world):
        """An event that lacks something says so in a metric."""
        world.feed(make_exec(truncated=("args",)))
        assert 1 == world.metric('hullwatch_events_truncated_total{field="args"}')

    def test_the_latency_is_observed(self, world):
        """Only of events that carry the kernel's time."""
        world.feed(make_exec(boot_ns=1), make_exec())
        assert 1 == world.metric("hullwatch_detection_seconds_count")


class TestRepeats:
    """Folding is told."""

    def test_repeats_are_folded_and_counted(self, tmp_path):
        """The first goes out at once; the rest are one summary at the end."""
        world = World(tmp_path / "state", window_s=3600)
        world.feed(*(make_exec(id=f"event-{n}") for n in range(5)))
        assert ["event-0"] == [alert.id for alert in world.alerts()]
        assert 0 == world.pipeline.drain()
        summary = msgspec.json.decode(world.alerts()[1].document)
        assert 4 == summary["hullwatch"]["repeated"]
        assert 4 == world.metric('hullwatch_alerts_suppressed_total{reason="repeated",rule="docker"}')


class TestEnd:
    """What still waits when the agent ends."""

    def test_everything_that_waits_is_taken(self, world):
        """A sensor gives its events in portions; the end takes all of them, not the next one."""
        events = [make_exec(id=f"event-{n}") for n in range(5)]
        world.sensor.poll = lambda _timeout_s: [events.pop(0)] if events else []
        assert 0 == world.pipeline.drain()
        assert [f"event-{n}" for n in range(5)] == [alert.id for alert in world.alerts()]


@pytest.mark.node
class TestFullDisk:
    """On a file system that takes no more."""

    @pytest.fixture
    def full(self, tmp_path):
        """A state directory on a file system of its own, and a function that fills it."""
        place = tmp_path / "small"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "small", place], check=True)
        yield place
        subprocess.run(["umount", "--lazy", place], check=True)

    def test_alerts_wait_in_memory_and_come_later(self, full):
        """Nothing is lost while the disk is full for a while."""
        world = World(full / "state")
        filler = full / "filler"
        world.feed(make_exec(id="before"))
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        for number in range(40):
            world.feed(make_exec(id=f"while-{number}"))
        held = len(world.alerts())
        assert held < 41
        filler.unlink()
        world.feed(make_exec(id="after"))
        assert ["before", *(f"while-{n}" for n in range(40)), "after"] == [alert.id for alert in world.alerts()]
        assert world.metric('hullwatch_events_lost_total{reason="journal"}') in (None, 0)
