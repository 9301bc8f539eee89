"""Matching execs as fast as this machine can: nothing may vanish without being counted."""

import os
import sqlite3
import time

from tests.bench.native import finish
from tests.bench.table import Row
from tests.bench.throughput import record_execs
from tests.bench.watched import ALERTING, MARK, watching

DEFAULT_RING_BYTES = 8 << 20
_RING_HEADER_BYTES = 8  # BPF_RINGBUF_HDR_SZ
_DRAINED_S = 1.0  # the loop that has been idle for so long has nothing left


def measure(native, directory, execs=100_000, ring_bytes=DEFAULT_RING_BYTES):
    """Give the rows of this bench."""
    directory.mkdir(exist_ok=True)
    tool, cpus = native.name_tiny(ALERTING[0]), os.cpu_count()
    execs = execs // cpus * cpus
    with watching(directory / "agent", ring_bytes=ring_bytes) as agent:
        start = time.monotonic()
        spawners = [
            native.start(execs // cpus, tool, *ALERTING, f"{MARK}{cpu}-@", "alpine", cpu=cpu) for cpu in range(cpus)
        ]
        for spawner in spawners:
            finish(spawner)
        storm_s = time.monotonic() - start
        peak_bytes = agent.memory_bytes()
        peak_bytes = max(peak_bytes, _drain(agent))
        drain_s = time.monotonic() - start - storm_s - _DRAINED_S
        lost = int(agent.metric("hullwatch_events_lost_total"))
    with sqlite3.connect(agent.state_dir / "journal.db") as journal:
        # The journal drops its oldest alerts beyond 256 MiB, and they are ours but for a few of others.
        query = "SELECT count(*) FILTER (WHERE instr(document, ?)) + min(seq) - 1 FROM alert"
        received = journal.execute(query, (MARK.encode(),)).fetchone()[0]
    what = f"{execs:,} execs, ring of {ring_bytes >> 20} MiB"
    pace = received / (storm_s + drain_s)
    note = f"{execs / storm_s:,.0f} execs/s; {pace:,.0f} alerts/s, the last {drain_s:.0f} s later"
    return [
        Row("storm", f"{what}: counted as lost", lost, "execs", 0, note=_advise(native, lost, ring_bytes)),
        # What is lost may be of others on this machine, and then counts too often, never too seldom.
        Row("storm", f"{what}: lost and not counted", max(0, execs - received - lost), "execs", 0, note=note),
        Row("storm", f"{what}: resident", peak_bytes / (1 << 20), "MiB"),
    ]


def _drain(agent):
    # Not by its counters: what one look at the ring gave is counted at once, and takes its time behind that.
    peak_bytes = 0
    while True:
        before_ns = agent.cpu_ns()
        time.sleep(_DRAINED_S)
        peak_bytes = max(peak_bytes, agent.memory_bytes())
        if agent.cpu_ns() - before_ns < _DRAINED_S * 0.05 * 1e9:
            return peak_bytes


def _advise(native, lost, ring_bytes):
    if not lost:
        return ""
    records = record_execs(native)[1]
    record_bytes = sum(map(len, records)) / len(records) + _RING_HEADER_BYTES
    # At the agent's pace of this run, what was lost would have had to lie in the ring as well.
    needed = 1 << int(ring_bytes + lost * record_bytes - 1).bit_length()
    return f"of {record_bytes:.0f} bytes each: all of it takes a ring of {needed >> 20} MiB"
