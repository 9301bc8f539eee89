"""What the agent costs a node on which nothing is wrong: CPU time, wake-ups, memory, and how long it is blind."""

import time

import click

from tests.bench.kernel import BENIGN
from tests.bench.native import finish
from tests.bench.table import Row
from tests.bench.watched import MARK, Receiver, Watched, median, watching

RATE = 1000
STARTS = 5
_MIB = 1 << 20
_START_S = 10.0


def measure(native, directory, seconds=10):
    """Give the rows of this bench; `seconds` is how long each load lasts."""
    directory.mkdir(exist_ok=True)
    rows = []
    for name, filtered, budget in (("filter out", False, None), ("as shipped", True, 0.2)):
        with watching(directory / name.replace(" ", "-"), filtered=filtered) as agent:
            start_bytes = agent.memory_bytes()
            rows += _measure_load(native, agent, name, seconds, budget, filtered=filtered)
            load_bytes = agent.memory_bytes()
            parts = [f"{agent.memory_bytes(part) / _MIB:.1f} {part}" for part in ("RssAnon", "RssFile", "RssShmem")]
    rows += [
        Row("memory", "resident after start", start_bytes / _MIB, "MiB", 45),
        Row("memory", "resident after load", load_bytes / _MIB, "MiB", 45, note=", ".join(parts)),
    ]
    starts = [_start(native, directory / f"start{number}") for number in range(STARTS)]
    firsts, alerts = zip(*starts, strict=True)
    note = "the first exec that is seen; of " + ", ".join(f"{first:.2f}" for first in sorted(firsts))
    return [
        *rows,
        Row("start", "start to first event", median(firsts), "s", 0.5, note=note),
        Row("start", "start to first alert", median(alerts), "s"),
    ]


def _measure_load(native, agent, name, seconds, budget, *, filtered):
    tiny = native.name_tiny("gcc")
    native.spawn(100, tiny, *BENIGN, rate=RATE)
    time.sleep(1.5)
    idle_ns, idle_wakes = _spend(agent, lambda: time.sleep(3))
    spawner = native.start(RATE * seconds, tiny, *BENIGN, rate=RATE)
    took = []
    cpu_ns, wakes = _spend(agent, lambda: took.append(finish(spawner)))
    rate = RATE * seconds / (took[0] / 1e9)
    what = f"{RATE:,} benign execs/s, {name}"
    idle_note = f"{idle_wakes / 3:.1f} wake-ups/s"
    mode = f"filter {agent.filter_mode()}" if filtered else "filter kept out of the kernel"
    note = f"{mode}; {rate:,.0f} execs/s for {seconds} s"
    return [
        Row("cost", f"{what}: agent CPU", 100 * cpu_ns / took[0], "% of a core", budget, note=note),
        Row("cost", f"{what}: wake-ups", wakes / (took[0] / 1e9), "/s"),
        Row("cost", f"idle, {name}: agent CPU", 100 * idle_ns / 3e9, "% of a core", note=idle_note),
    ]


def _spend(agent, work):
    cpu_ns, wakes = agent.cpu_ns(), agent.wake_ups()
    work()
    return agent.cpu_ns() - cpu_ns, agent.wake_ups() - wakes


def _start(native, directory):
    # Marked execs every 5 ms from the start on: the first one that is alerted about tells how long the agent was blind.
    directory.mkdir()
    receiver = Receiver(directory / "syslog")
    try:
        start_ns = time.time_ns()
        agent = Watched(directory / "agent", sink=receiver.sink)
        spawner = native.start(800, native.name_tiny("marker"), "marker", f"{MARK}@", rate=200)
        try:
            got = [receiver.receive(_START_S)]
            while len(got) < 20 and got[-1] is not None:
                got.append(receiver.receive(1.0))
        finally:
            agent.stop()
            spawner.terminate()
            spawner.communicate()
    finally:
        receiver.close()
    if got[0] is None:
        raise click.ClickException(f"no alert within {_START_S} s of the agent's start")
    firsts = [each for each in got if each is not None]
    return (min(mark for mark, _ in firsts) - start_ns) / 1e9, (firsts[0][1] - start_ns) / 1e9
