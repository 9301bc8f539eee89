"""
How many execs a second one core takes once they are in user space.

The records are the kernel's own, of real execs; the loop is that of `hullwatch run`, wired by itself, in a process
of its own whose sensor gives these records again and again. Times are CPU times of the loop's thread, so that
neither what else runs here nor the sinks' threads count.
"""

import cProfile
import os
import pstats
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import click
import msgspec

import agent.run
from agent.cli import cli
from agent.config import shipped_rules_dir
from agent.detect.index import build_index
from agent.detect.ruleset import read_rules
from agent.intents import IntentReader
from agent.rule_files import load_rule_files
from agent.sensors import core, wire
from agent.sensors.libbpf import BpfObject, possible_cpus
from tests.bench import match
from tests.bench.table import ROOT, Row
from tests.bench.watched import ALERTING, MARK, free_port, median

BUDGET = 50_000
_BATCH = 100  # records of one look at the ring buffer
_BENIGN_BATCHES = 150
_ALERT_BATCHES = 15
_HINTS = 12
_SHAPES = (match.by_name, match.by_part, match.by_anything)


class Timings(msgspec.Struct, frozen=True):
    """What a child measured: CPU ns of each batch's step, and where a profile saw the time go."""

    step_ns: list[int]
    hot: list[str]


def measure(native, directory):
    """Give the rows of this bench, and below them hints where the time goes."""
    benign, alerts = record_execs(native)
    decode_ns, match_ns = _time_parts(benign)
    rows = [
        Row("throughput", "wire.decode_exec alone", 1e9 / decode_ns, "execs/s"),
        Row("throughput", "decode + may_match, benign", 1e9 / match_ns, "execs/s", BUDGET, at_least=True),
    ]
    hints = []
    for name, records, batches in (("benign", benign, _BENIGN_BATCHES), ("matching", alerts, _ALERT_BATCHES)):
        place = directory / name
        place.mkdir(parents=True)
        (place / "records").write_bytes(msgspec.msgpack.encode(records))
        step_ns = median(_run_loop(place, batches, profiled=False).step_ns) / _BATCH
        budget = BUDGET if name == "benign" else None
        rows.append(Row("throughput", f"the whole loop, {name}", 1e9 / step_ns, "execs/s", budget, at_least=True))
        hints += [f"throughput, {name}: {line}" for line in _run_loop(place, batches, profiled=True).hot]
    return [*rows, _compare_rule_counts()], hints


def record_execs(native):
    """Give records of benign execs and of execs that alert; their processes are gone."""
    bpf = BpfObject(core.OBJECT, map_entries={"records": 16 << 20, "scratch": possible_cpus()})
    records = []
    try:
        bpf.attach(core.PROGRAM)
        bpf.open_ring("records", records, at_once=1 << 20)
        for path, args in match.COMMON:
            if os.path.basename(path) not in ("docker", "runc"):  # they alert, whoever runs them
                native.spawn(100, native.name_tiny(os.path.basename(path)), *args, f"{_BENIGN_MARK}@")
        native.spawn(300, native.name_tiny(ALERTING[0]), *ALERTING, f"{MARK}@", "alpine")
        bpf.poll(0)
    finally:
        bpf.close()
    benign = [record for record in records if _BENIGN_MARK.encode() in record]
    random.Random(5).shuffle(benign)
    return benign, [record for record in records if MARK.encode() in record]


_BENIGN_MARK = "ordinary-"


def _time_parts(records):
    read = read_rules(load_rule_files([shipped_rules_dir()]))
    index = build_index(read.rules, may_have_intent=IntentReader(Path("/proc"), Path("/")).may_have_intent)
    origin = wire.Origin("core", "bench", 0, core.live_exec_fields())

    def decode(record):
        return wire.decode_exec(record, origin)

    def decode_and_ask(record):
        return index.may_match(wire.decode_exec(record, origin))

    return [_best_ns(function, records) for function in (decode, decode_and_ask)]


def _best_ns(function, records):
    rounds = []
    for _ in range(7):
        start = time.thread_time_ns()
        for record in records:
            function(record)
        rounds.append(time.thread_time_ns() - start)
    return min(rounds) / len(records)


def _compare_rule_counts():
    events = match.make_events(3000)
    ratios = []
    for shape in _SHAPES:
        few, many = (build_index(match.make_rules(shape, count)) for count in (50, 1000))
        few_s, many_s = match.measure_s((few.match, many.match), events)
        ratios.append(many_s / few_s)
    return Row("throughput", "1,000 rules, times 50 rules", max(ratios), "x", 2, note="the worst of three shapes")


def _run_loop(directory, batches, *, profiled):
    (directory / "hullwatch.toml").write_text(
        f'rules = ["shipped"]\nstate_dir = "{directory}/state"\nsinks = []\n'
        f'[http]\nlisten = "127.0.0.1:{free_port()}"\n'
    )
    command = [sys.executable, "-m", "tests.bench.throughput", directory, str(batches), "profile" if profiled else ""]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"the loop ended with {done.returncode}: {done.stderr[-1500:]}")
    return msgspec.json.decode((directory / "timings").read_bytes(), type=Timings)


class _Recorded:
    """The core sensor, open, except that its events come from records; ends the agent after the last batch."""

    def __init__(self, real, records, batches, profile):
        self._real = real
        self._records = records
        self._left = batches
        self._profile = profile
        self._given_ns = None
        self._origin = wire.Origin("core", "bench", 0, core.live_exec_fields())
        self.step_ns = []

    def poll(self, _timeout_s):
        now_ns = time.thread_time_ns()
        if self._given_ns is not None:
            self.step_ns.append(now_ns - self._given_ns)
        elif self._left and self._profile:
            self._profile.enable()
        if not self._left:
            self._given_ns = None
            if self._profile:
                self._profile.disable()
            os.kill(os.getpid(), signal.SIGTERM)
            return []
        start = (self._left * _BATCH) % max(1, len(self._records) - _BATCH)
        self._left -= 1
        self._given_ns = time.thread_time_ns()
        # The mark's digits differ from batch to batch: a repeat would be folded away.
        number = b"%06d" % self._left
        batch = [_renumber(record, number) for record in self._records[start : start + _BATCH]]
        return [wire.decode_exec(record, self._origin) for record in batch]

    def __getattr__(self, name):
        return getattr(self._real, name)


def _renumber(record, number):
    place = record.find(MARK.encode())
    return record if place < 0 else record[: place + len(MARK)] + number + record[place + len(MARK) + 6 :]


def _child(directory, batches, profiled):
    records = msgspec.msgpack.decode((directory / "records").read_bytes(), type=list[bytes])
    profile = cProfile.Profile()
    sensors = []

    def open_recorded(*args, **options):
        sensors.append(_Recorded(open_sensor(*args, **options), records, batches, profile if profiled else None))
        return sensors[0]

    open_sensor, agent.run.open_sensor = agent.run.open_sensor, open_recorded
    try:
        cli(["run", "--config", str(directory / "hullwatch.toml")])
    except SystemExit as end:
        if end.code:
            raise
    hot = _hottest(profile) if profiled else []
    (directory / "timings").write_bytes(msgspec.json.encode(Timings(step_ns=sensors[0].step_ns, hot=hot)))


def _hottest(profile):
    stats = pstats.Stats(profile).stats
    total_s = sum(own_s for _, _, own_s, _, _ in stats.values())
    own = Counter()
    for (path, line, name), (_, _, own_s, _, callers) in stats.items():
        if path.startswith(str(ROOT / "agent")):
            own[path, line, name] += own_s
        else:  # the library's and the interpreter's functions count for who calls them
            for caller, (_, _, called_s, _) in callers.items():
                own[caller] += called_s
    return [
        f"{own_s / total_s:6.1%} itself, {stats[place][3] / total_s:6.1%} with what it calls: "
        f"{place[0].removeprefix(f'{ROOT}/')}:{place[1]} {place[2]}"
        for place, own_s in own.most_common(_HINTS)
    ]


if __name__ == "__main__":
    _child(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "profile")
