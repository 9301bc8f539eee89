"""From asking for an exec to the syslog datagram about it."""

from tests.bench.table import Row
from tests.bench.watched import ALERTING, MARK, Receiver, median, percentile, watching

IDLE_RATE = 50
LOAD_RATE = 1000


def measure(native, directory, seconds=10):
    """
    Give the rows of this bench.

    An exec's time is taken right before posix_spawn(), so a latency includes the fork; the datagram's is that of
    its arrival in the receiver's queue, so the receiver does not count.
    """
    directory.mkdir(exist_ok=True)
    receiver = Receiver(directory / "syslog")
    tool = native.name_tiny(ALERTING[0])
    try:
        with watching(directory / "agent", sink=receiver.sink) as agent:
            native.spawn(20, tool, *ALERTING, f"{MARK}@", "alpine", rate=IDLE_RATE)
            while receiver.receive(1.0) is not None:
                pass
            idle = _measure_ms(native, receiver, tool, IDLE_RATE, IDLE_RATE * seconds)
            load = _measure_ms(native, receiver, tool, LOAD_RATE, LOAD_RATE * seconds)
            lost = agent.metric("hullwatch_events_lost_total")
    finally:
        receiver.close()
    note = f"{len(load):,} of {LOAD_RATE * seconds:,} received, {lost:.0f} counted as lost"
    return [
        *_rows(f"idle ({IDLE_RATE} execs/s)", idle, (2, 15), ""),
        *_rows(f"{LOAD_RATE:,} alerts/s", load, (None, 100), note),
    ]


def _measure_ms(native, receiver, tool, rate, count):
    spawner = native.start(count, tool, *ALERTING, f"{MARK}@", "alpine", rate=rate)
    latencies = []
    # Behind the last one a quiet time: a few may come late.
    while len(latencies) < count:
        got = receiver.receive(2.0)
        if got is not None:
            latencies.append((got[1] - got[0]) / 1e6)
        elif spawner.poll() is not None:
            break
    spawner.communicate()
    return latencies


def _rows(what, latencies, budgets, note):
    if not latencies:
        return [Row("latency", what, None, note="no datagram came")]
    figures = (("p50", median(latencies)), ("p99", percentile(latencies, 0.99)), ("max", max(latencies)))
    return [
        Row("latency", f"{what}, {name}", figure, "ms", budget, note=note if name == "p99" else "")
        for (name, figure), budget in zip(figures, (*budgets, None), strict=True)
    ]
