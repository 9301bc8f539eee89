"""
Every Prometheus metric of the agent, in one table: `Metrics.__init__`.

Label sets are bounded by what an operator installs (rules, sinks) or by what is written in the code;
text from an event is never a label. The only module that imports `prometheus_client`.
"""

import threading
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence

import prometheus_client as prometheus
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from agent import __version__
from agent.detect.rule import Rule, Severity

# Why an alert was not sent on its own.
REPEATED = "repeated"  # folded into the alert before it
FILTERED = "filter:"  # silenced by the Sigma Filter whose id follows

# Around the budget: half of all alerts within 2 ms, 99 of 100 within 15 ms idle and 100 ms under load.
_DETECTION_BUCKETS_S = (0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.1, 0.25, 0.5, 1.0)


class Metrics:
    """The metrics of one agent, in a registry of their own; every method may be called from any thread."""

    def __init__(self) -> None:
        # The library has this switch for the process only. A `_created` series doubles the number of
        # series and Prometheus makes no use of it.
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = prometheus.CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> prometheus.Counter:
            return prometheus.Counter(name, text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> prometheus.Gauge:
            return prometheus.Gauge(name, text, labels, registry=registry)

        build = prometheus.Info("hullwatch_build", "Version of the agent.", registry=registry)
        build.info({"version": __version__})
        self._sensor = gauge("hullwatch_sensor_info", "The sensor that events come from.", "sensor")
        self._events = counter("hullwatch_events_total", "Events that a sensor gave.", "sensor", "type")
        self._lost = counter(
            "hullwatch_events_lost_total", "Events that were lost, by the place of the loss.", "reason"
        )
        self._filtered = counter(
            "hullwatch_events_filtered_total",
            "Events that the kernel kept to itself: no rule could match them.",
            "sensor",
        )
        self._filter = gauge("hullwatch_kernel_filter", "Whether the kernel's filter is on or off.", "mode")
        self._bpf_seconds = counter(
            "hullwatch_bpf_run_seconds_total", "Time in a BPF program, while kernel.bpf_stats_enabled is 1.", "program"
        )
        self._bpf_runs = counter(
            "hullwatch_bpf_runs_total", "Runs of a BPF program, while kernel.bpf_stats_enabled is 1.", "program"
        )
        self._truncated = counter("hullwatch_events_truncated_total", "Events with a field cut short.", "field")
        self._alerts = counter(
            "hullwatch_alerts_total", "Alerts, counted for each rule that matched.", "rule", "severity"
        )
        self._suppressed = counter(
            "hullwatch_alerts_suppressed_total", "Alerts that were not sent on their own.", "rule", "reason"
        )
        self._detection = prometheus.Histogram(
            "hullwatch_detection_seconds",
            "Time from the kernel's record of an event to its alert in the journal.",
            buckets=_DETECTION_BUCKETS_S,
            registry=registry,
        )
        self._delivered = counter("hullwatch_sink_delivered_total", "Alerts that a sink has taken.", "sink")
        self._failures = counter("hullwatch_sink_failures_total", "Deliveries that failed and are tried again.", "sink")
        self._backlog = gauge("hullwatch_sink_backlog", "Alerts in the journal that a sink has not taken yet.", "sink")
        self._rules = gauge("hullwatch_rules", "Rules in force.", "language")
        self._rule_errors = gauge("hullwatch_rule_errors", "Faults of rule files that keep rules out of force.")
        prometheus.ProcessCollector(registry=registry)

        self._totals_seen: dict[prometheus.Counter, float] = {}
        self._languages: set[str] = set()
        self._lock = threading.Lock()

    def declare_sensor(
        self, sensor: str, *, types: Iterable[str], fields: Iterable[str], reasons: Iterable[str]
    ) -> None:
        """
        Name the sensor that was opened; its counters begin at 0.

        Args:
            sensor: its name.
            types: of the events it can give: exec, connect.
            fields: members that it can cut short (`Process.truncated`).
            reasons: the keys of its `lost()`.
        """
        self._sensor.clear()
        self._sensor.labels(sensor).set(1)
        for event_type in types:
            self._events.labels(sensor, event_type)
        for field in fields:
            self._truncated.labels(field)
        for reason in reasons:
            self._lost.labels(reason)

    def declare_rules(self, rules: Sequence[Rule], *, errors: int) -> None:
        """
        Count the rules in force and the faults of those that are not; counters of new rules begin at 0.

        Counters of rules no longer in force stay: what they counted has happened.
        """
        for rule in rules:
            for severity in {outcome.severity for outcome in rule.outcomes}:
                self._alerts.labels(_label(rule.id), severity.label)
            for reason in (REPEATED, *(_label(FILTERED + item.id) for item in rule.filters)):
                self._suppressed.labels(_label(rule.id), reason)
        tally = Tally(rule.language for rule in rules)
        with self._lock:
            self._languages |= tally.keys()
            for language in self._languages:
                self._rules.labels(language).set(tally[language])
        self._rule_errors.set(errors)

    def declare_sinks(self, names: Iterable[str]) -> None:
        """Begin the counters of sinks at 0."""
        for name in names:
            self._delivered.labels(_label(name))
            self._failures.labels(_label(name))
            self._backlog.labels(_label(name))

    def count_events(self, sensor: str, event_type: str, count: int = 1) -> None:
        """Count events; `event_type` is exec or connect."""
        self._events.labels(sensor, event_type).inc(count)

    def declare_filter(self, *, is_on: bool) -> None:
        """Tell whether the kernel holds back what no rule can match."""
        self._filter.labels("on").set(is_on)
        self._filter.labels("off").set(not is_on)

    def observe_filtered(self, sensor: str, total: int) -> None:
        """Take over a sensor's `filtered()`: its total since it was opened."""
        self._advance(self._filtered.labels(sensor), total)

    def observe_program(self, program: str, *, runs: int, run_time_ns: int) -> None:
        """Take over the kernel's totals of a BPF program."""
        self._advance(self._bpf_runs.labels(program), runs)
        self._advance(self._bpf_seconds.labels(program), run_time_ns / 1e9)

    def count_truncated(self, field: str) -> None:
        """Count an event's member that was cut short, by its name in `Process.truncated`."""
        self._truncated.labels(field).inc()

    def observe_lost(self, lost: Mapping[str, int]) -> None:
        """Take over a sensor's `lost()`: totals since it was opened, so that nothing is counted twice."""
        for reason, total in lost.items():
            self._advance(self._lost.labels(reason), total)

    def count_alert(self, rule: str, severity: Severity) -> None:
        """Count an alert for a rule that matched, by its id."""
        self._alerts.labels(_label(rule), severity.label).inc()

    def count_suppressed(self, rule: str, reason: str) -> None:
        """Count an alert that did not go out on its own: `REPEATED`, or `FILTERED` with the filter's id."""
        self._suppressed.labels(_label(rule), _label(reason)).inc()

    def observe_detection(self, seconds: float) -> None:
        """Note the time from the kernel's record to the journal."""
        self._detection.observe(seconds)

    def count_delivered(self, sink: str, alerts: int = 1) -> None:
        """Count alerts that a sink has taken."""
        self._delivered.labels(_label(sink)).inc(alerts)

    def count_failure(self, sink: str) -> None:
        """Count a delivery that failed."""
        self._failures.labels(_label(sink)).inc()

    def set_backlog(self, sink: str, alerts: int) -> None:
        """Set how many alerts a sink has not taken yet."""
        self._backlog.labels(_label(sink)).set(alerts)

    def render(self, accept: str = "") -> tuple[str, bytes]:
        """
        Write all metrics down.

        Args:
            accept: the HTTP header of a scrape; OpenMetrics is written for who names it.

        Returns:
            Content type and body: OpenMetrics 1.0.0, or Prometheus text 0.0.4.
        """
        media_types = {offer.partition(";")[0].strip().lower() for offer in accept.split(",")}
        if "application/openmetrics-text" in media_types:
            body: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            return openmetrics.CONTENT_TYPE_LATEST, body
        return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry)

    def _advance(self, counter: prometheus.Counter, total: float) -> None:
        with self._lock:
            seen = self._totals_seen.get(counter, 0)
            # A smaller total is of something that was opened anew.
            counter.inc(total - seen if total >= seen else total)
            self._totals_seen[counter] = total


def _label(text: str) -> str:
    # A lone surrogate, which YAML can write, would make every scrape fail.
    return text.encode("utf-8", "backslashreplace").decode()
