import os
import threading

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from agent import __version__
from agent.detect.predicate import Always
from agent.detect.rule import Filter, Outcome, Rule, Severity
from agent.metrics import FILTERED, REPEATED, Metrics

# In the manner of Prometheus 2 and of Prometheus 3.
ACCEPT_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5"
)
ACCEPT_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;q=0.4,*/*;q=0.1"
)


@pytest.fixture
def metrics():
    return Metrics()


def make_rule(rule_id="deploy", *severities, language="sigma"):
    outcomes = tuple(Outcome(severity, Always(True)) for severity in severities or (Severity.HIGH,))
    return Rule(id=rule_id, name=rule_id, language=language, path="r.yml", outcomes=outcomes)


def samples(metrics):
    """All that a scrape gives: ``(name, label values by label name...)`` to value."""
    families = parse_text(metrics.render()[1].decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def own(metrics, prefix):
    """The samples whose name begins with a prefix."""
    return {key: value for key, value in samples(metrics).items() if key[0].startswith(f"hullwatch_{prefix}")}


class TestStart:
    def test_build(self, metrics):
        """The version is a label of a constant."""
        assert own(metrics, "build") == {("hullwatch_build_info", __version__): 1}

    def test_process(self, metrics):
        """The agent's own memory, processor time and descriptors are there."""
        found = samples(metrics)
        assert found["process_resident_memory_bytes",] > 1 << 20
        assert {"process_cpu_seconds_total", "process_open_fds", "process_start_time_seconds"} <= {
            key[0] for key in found
        }

    def test_two_agents_in_one_process(self, metrics):
        """Nothing is shared between two sets of metrics."""
        metrics.count_alert("deploy", Severity.HIGH)
        assert own(Metrics(), "alerts") == {}

    def test_no_created_series(self, metrics):
        """No series tells when a counter was made."""
        metrics.count_alert("deploy", Severity.HIGH)
        metrics.observe_detection(0.001)
        assert b"_created" not in metrics.render()[1] + metrics.render(ACCEPT_2)[1]


class TestSensor:
    def test_counters_begin_at_zero(self, metrics):
        """Every event type, loss and truncation of a sensor can be queried before it happens."""
        metrics.declare_sensor("core", types=["exec"], fields=["args"], reasons=["ring_full", "decode"])
        expected = {
            ("hullwatch_events_total", "core", "exec"): 0,
            ("hullwatch_events_lost_total", "ring_full"): 0,
            ("hullwatch_events_lost_total", "decode"): 0,
            ("hullwatch_events_truncated_total", "args"): 0,
        }
        assert expected == own(metrics, "events")
        assert own(metrics, "sensor") == {("hullwatch_sensor_info", "core"): 1}

    def test_one_sensor_at_a_time(self, metrics):
        """The sensor that was declared last is the one that is shown."""
        for sensor in ("bcc", "core"):
            metrics.declare_sensor(sensor, types=[], fields=[], reasons=[])
        assert own(metrics, "sensor") == {("hullwatch_sensor_info", "core"): 1}

    def test_counts(self, metrics):
        """Events come in lots, truncations one by one."""
        metrics.count_events("core", "exec", 2)
        metrics.count_events("core", "exec")
        metrics.count_truncated("args")
        expected = {
            ("hullwatch_events_total", "core", "exec"): 3,
            ("hullwatch_events_truncated_total", "args"): 1,
        }
        assert expected == own(metrics, "events")

    @pytest.mark.parametrize(
        ("readings", "total"),
        [([], None), ([0], 0), ([5, 5], 5), ([5, 7], 7), ([5, 2], 7), ([5, 0, 1], 6)],
        ids=["never", "none", "same", "more", "anew", "anew from 0"],
    )
    def test_absolute_losses(self, metrics, readings, total):
        """A loss is counted once however often it is read, and a sensor opened anew adds to the old one's."""
        for reading in readings:
            metrics.observe_lost({"ring_full": reading})
        assert own(metrics, "events_lost").get(("hullwatch_events_lost_total", "ring_full")) == total


class TestRules:
    def test_counters_begin_at_zero(self, metrics):
        """Every rule can be queried before it matches, with each severity that it can give."""
        quiet = Filter(id="quiet", name="Quiet", path="f.yml", rules=("a",), predicate=Always(True))
        rules = [
            msgspec.structs.replace(make_rule("a"), filters=(quiet,)),
            make_rule("b", Severity.LOW, Severity.CRITICAL, Severity.LOW),
        ]
        metrics.declare_rules(rules, errors=0)
        assert own(metrics, "alerts_total") == {
            ("hullwatch_alerts_total", "a", "high"): 0,
            ("hullwatch_alerts_total", "b", "low"): 0,
            ("hullwatch_alerts_total", "b", "critical"): 0,
        }
        assert own(metrics, "alerts_suppressed") == {
            ("hullwatch_alerts_suppressed_total", REPEATED, "a"): 0,
            ("hullwatch_alerts_suppressed_total", f"{FILTERED}quiet", "a"): 0,
            ("hullwatch_alerts_suppressed_total", REPEATED, "b"): 0,
        }

    def test_rules_in_force(self, metrics):
        """Rules are counted by language; a language whose last rule has gone shows 0."""
        metrics.declare_rules([make_rule("a"), make_rule("b"), make_rule("c", language="eql")], errors=3)
        assert own(metrics, "rule") == {
            ("hullwatch_rules", "sigma"): 2,
            ("hullwatch_rules", "eql"): 1,
            ("hullwatch_rule_errors",): 3,
        }
        metrics.declare_rules([make_rule("c", language="eql")], errors=0)
        assert own(metrics, "rule") == {
            ("hullwatch_rules", "sigma"): 0,
            ("hullwatch_rules", "eql"): 1,
            ("hullwatch_rule_errors",): 0,
        }

    def test_counts_outlive_a_new_rule_set(self, metrics):
        """What was counted stays when the rules are declared again."""
        metrics.declare_rules([make_rule("a")], errors=0)
        metrics.count_alert("a", Severity.HIGH)
        metrics.declare_rules([make_rule("a")], errors=0)
        assert own(metrics, "alerts_total") == {("hullwatch_alerts_total", "a", "high"): 1}

    def test_suppressed(self, metrics):
        """An alert that was held back is counted with its reason."""
        metrics.count_suppressed("a", REPEATED)
        assert list(own(metrics, "alerts_suppressed").values()) == [1]

    def test_hostile_rule_id(self, metrics):
        """A rule id cannot break the text of a scrape."""
        metrics.declare_rules([make_rule('a"} 1\nfake 2\\ \ud800')], errors=0)
        found = {key[1:] for key in own(metrics, "alerts_total")}
        assert found == {('a"} 1\nfake 2\\ \\ud800', "high")}


class TestSinks:
    def test_counters_begin_at_zero(self, metrics):
        """Every sink can be queried before anything is delivered."""
        metrics.declare_sinks(["stdout"])
        assert own(metrics, "sink") == {
            ("hullwatch_sink_delivered_total", "stdout"): 0,
            ("hullwatch_sink_failures_total", "stdout"): 0,
            ("hullwatch_sink_backlog", "stdout"): 0,
        }

    def test_counts(self, metrics):
        """Deliveries come in lots, failures one by one, the backlog is what was set last."""
        metrics.count_delivered("stdout", 3)
        metrics.count_delivered("stdout")
        metrics.count_failure("stdout")
        metrics.set_backlog("stdout", 7)
        metrics.set_backlog("stdout", 2)
        assert own(metrics, "sink") == {
            ("hullwatch_sink_delivered_total", "stdout"): 4,
            ("hullwatch_sink_failures_total", "stdout"): 1,
            ("hullwatch_sink_backlog", "stdout"): 2,
        }


class TestDetection:
    def test_buckets(self, metrics):
        """The histogram goes from a quarter of a millisecond to a second and has the budgets' bounds."""
        metrics.observe_detection(0.002)
        metrics.observe_detection(3.0)
        buckets = own(metrics, "detection_seconds_bucket")
        counts = {float(bound): count for (_, bound), count in buckets.items()}
        assert (min(counts), sorted(counts)[-2]) == (0.00025, 1.0)
        assert {0.002, 0.015, 0.1} <= counts.keys()
        assert (counts[0.001], counts[0.002], counts[1.0], counts[float("inf")]) == (0, 1, 1, 2)


class TestRender:
    @pytest.mark.parametrize("accept", [ACCEPT_2, ACCEPT_3, "text/plain , APPLICATION/openmetrics-text"])
    def test_openmetrics_on_request(self, metrics, accept):
        """Who names OpenMetrics gets it, ended as it must be."""
        metrics.declare_rules([make_rule()], errors=0)
        content_type, body = metrics.render(accept)
        assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        names = {family.name for family in parse_openmetrics(body.decode())}
        assert {"hullwatch_build", "hullwatch_alerts", "hullwatch_detection_seconds"} <= names

    @pytest.mark.parametrize(
        "accept", ["", "*/*", "text/html", "text/plain;version=1.0.0", ",;,", "xapplication/openmetrics-text"]
    )
    def test_text_otherwise(self, metrics, accept):
        """Everybody else gets Prometheus's text format, whatever the header holds."""
        content_type, body = metrics.render(accept)
        assert content_type == "text/plain; version=0.0.4; charset=utf-8"
        assert body.startswith(b"# HELP hullwatch_build_info ")

    def test_scrape_while_counting(self, metrics):
        """Scrapes and new series do not disturb each other, and no count is lost."""

        def count():
            for number in range(500):
                metrics.count_delivered(f"sink-{number}")

        threads = [threading.Thread(target=count) for _ in range(2)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            samples(metrics)
        for thread in threads:
            thread.join()
        assert sum(own(metrics, "sink_delivered").values()) == 1000


def test_process_metrics_are_of_this_process(metrics):
    """The descriptors that are shown are those of this process."""
    before = samples(metrics)["process_open_fds",]
    reader, writer = os.pipe()
    after = samples(metrics)["process_open_fds",]
    os.close(reader)
    os.close(writer)
    assert after - before == 2


class TestKernel:
    def test_the_filter_and_what_it_held_back(self, metrics):
        """One series is 1; totals are taken over, not added up."""
        metrics.declare_filter(is_on=True)
        metrics.observe_filtered("core", 5)
        metrics.observe_filtered("core", 7)
        assert {("hullwatch_kernel_filter", "on"): 1, ("hullwatch_kernel_filter", "off"): 0} == own(metrics, "kernel")
        assert {("hullwatch_events_filtered_total", "core"): 7} == own(metrics, "events_filtered")

    def test_the_cost_of_a_program(self, metrics):
        """Runs and seconds follow the kernel's own totals."""
        metrics.observe_program("on_exec", runs=10, run_time_ns=5_000)
        metrics.observe_program("on_exec", runs=30, run_time_ns=2_000_000_000)
        assert {
            ("hullwatch_bpf_run_seconds_total", "on_exec"): 2,
            ("hullwatch_bpf_runs_total", "on_exec"): 30,
        } == own(metrics, "bpf")
