"""`hullwatch run`: builds what an agent consists of, wires it, and turns the loop until a signal."""

import os
import platform
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack

import structlog

from agent import __version__, config
from agent.alert import Suppressor
from agent.config import Config
from agent.delivery import Delivery, Hooks, Sink, open_delivery
from agent.detect.index import build_index
from agent.detect.rule import ReadResult
from agent.enrich import Enricher
from agent.event import Event
from agent.health import Check, Heartbeat, Status, open_health_server
from agent.intents import IntentReader
from agent.journal import open_journal
from agent.metrics import Metrics
from agent.pipeline import LOST_JOURNAL, Pipeline, count_repeat
from agent.rule_reader import Reading
from agent.sensors import core
from agent.sensors.core import CoreSensor
from agent.sinks.stdout import open_stdout
from agent.sinks.syslog import open_syslog

POLL_S = 1.0  # the longest the loop waits for an event: how often windows close and the heart beats
_FILTER_POLL_S = 0.05
LAST_DELIVERY_S = 5.0  # what sinks get at the end; the journal keeps what they did not take


def watch(settings: Config, reading: Reading, sensor_name: str) -> None:
    """
    Watch this node until SIGTERM or SIGINT.

    Args:
        settings: the configuration.
        reading: the rules, as they come; the faults of broken ones are logged, counted and shown in /readyz.
        sensor_name: of `config.SENSORS`.

    Raises:
        ConfigError, JournalError: something cannot be opened as configured.
        SensorError: no sensor works on this node, or the one that did has died.
    """
    with ExitStack() as stack:
        stack.callback(reading.close)
        _watch(settings, reading, sensor_name, stack)


def _watch(settings: Config, reading: Reading, sensor_name: str, stack: ExitStack) -> None:
    log = structlog.get_logger()
    # First of all: what happens while the rest is made ready waits in the ring.
    sensor = open_sensor(sensor_name, settings)
    stack.callback(sensor.close)
    metrics, heartbeat = Metrics(), Heartbeat()
    journal = open_journal(settings.state_dir)
    stack.callback(journal.close)
    hooks = Hooks(on_delivered=metrics.count_delivered, on_failure=metrics.count_failure, on_change=_log_sink_change)
    delivery = open_delivery(settings.state_dir, _open_sinks(settings), hooks=hooks)
    metrics.declare_sinks(delivery.states)
    metrics.declare_sensor(
        sensor.name, types=("exec",), fields=core.TRUNCATABLE, reasons=(*sensor.lost(), *delivery.lost(), LOST_JOURNAL)
    )
    read = reading.rules()
    metrics.declare_filter(is_on=False)
    for fault in (*read.errors, *read.warnings):
        log.warning("rule file", fault=str(fault))
    metrics.declare_rules(read.rules, errors=len(read.errors))

    def status() -> Status:
        return Status((Check("sensor", ok=True, detail=sensor.name), _check_rules(read), *_check_sinks(delivery)))

    server = open_health_server(settings.http.listen, metrics, heartbeat, status)
    stack.callback(server.close)
    intents = IntentReader(settings.host.proc, settings.host.root)
    enricher = Enricher(settings.host.proc, settings.host.root)
    rules = build_index(read.rules, may_have_intent=intents.may_have_intent)
    pipeline = Pipeline(
        sensor=sensor,
        enrich=lambda event: intents.add_intent(enricher.enrich(event)),
        learn=_learner(sensor, intents),
        rules=rules,
        suppressor=Suppressor(settings.suppress.window_s * 1_000_000_000, on_repeat=count_repeat(metrics)),
        journal=journal,
        notify=delivery.notify,
        metrics=metrics,
    )
    stopping = _stop_signals()
    log.info(
        "watching", version=__version__, sensor=sensor.name, rules=len(read.rules), rule_errors=len(read.errors),
        sinks=list(delivery.states), http=str(server.address), state_dir=str(settings.state_dir),
    )  # fmt: skip
    # Until the filter is made of them, the rules see every exec.
    is_filtering = False
    next_look_s = 0.0
    while not stopping():
        pipeline.step(POLL_S if is_filtering else _FILTER_POLL_S)
        heartbeat.beat()
        if not is_filtering and (found := reading.filter(wait_s=0)):
            is_filtering = True
            sensor.set_filter(found.automaton)
            metrics.declare_filter(is_on=found.report.is_on)
            log.info("kernel filter", on=found.report.is_on, states=found.report.states)
        if time.monotonic() >= next_look_s:  # under load the loop turns hundreds of times a second
            next_look_s = time.monotonic() + POLL_S
            _observe(metrics, sensor, delivery)
    unsaved = pipeline.drain()
    kept = {name: count for name, count in delivery.close(LAST_DELIVERY_S).items() if count}
    log.info("ended", kept=kept, lost={**sensor.lost(), LOST_JOURNAL: unsaved})


# A file is looked at once; from then on the kernel judges its execs by name and arguments.
def _learner(sensor: CoreSensor, intents: IntentReader) -> Callable[[Event], None]:
    def learn(event: Event) -> None:
        is_disguised = intents.is_disguised(event)
        if event.process.file is not None and is_disguised is not None:
            sensor.learn(event.process.file, is_tool=is_disguised)

    return learn


def open_sensor(_name: str, settings: Config) -> CoreSensor:
    """
    Open the sensor of that name; ``auto`` is the best that works here.

    Raises:
        SensorError: why none does.
    """
    return core.open_core(ring_bytes=settings.core.ring_bytes)


def _open_sinks(settings: Config) -> list[Sink]:
    sinks: list[Sink] = []
    for sink in settings.sinks:
        if isinstance(sink, config.StdoutSink):
            sinks.append(open_stdout(name=sink.name))
        else:
            sinks.append(open_syslog(sink.address, name=sink.name, hostname=platform.node(), procid=os.getpid()))
    return sinks


def _log_sink_change(name: str, error: str | None) -> None:
    log = structlog.get_logger()
    if error is None:
        log.info("sink takes alerts again", sink=name)
    else:
        log.warning("sink takes no alerts, the journal keeps them", sink=name, reason=error)


def _observe(metrics: Metrics, sensor: CoreSensor, delivery: Delivery) -> None:
    metrics.observe_lost({**sensor.lost(), **delivery.lost()})
    metrics.observe_filtered(sensor.name, sensor.filtered())
    for program, stats in sensor.cost().items():
        metrics.observe_program(program, runs=stats.runs, run_time_ns=stats.run_time_ns)
    for name in delivery.states:
        metrics.set_backlog(name, delivery.backlog(name))


def _check_rules(read: ReadResult) -> Check:
    return Check("rules", ok=not read.errors, detail=f"{len(read.rules)} in force, {len(read.errors)} faults")


def _check_sinks(delivery: Delivery) -> list[Check]:
    return [Check(f"sink {name}", ok=sink.up, detail=sink.last_error or "") for name, sink in delivery.states.items()]


def _stop_signals() -> Callable[[], bool]:
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: received.append(number))
    return lambda: bool(received)
