"""
What watching execs costs with Hullwatch, and with what Debian ships, on the same machine in the same run.

Every peer runs once in each round, and each of its runs stands beside one without it taken right before; the
figures are medians over the rounds. So what drifts (clocks, caches, neighbours) meets all alike.
"""

import contextlib
import functools
import os
import time
from pathlib import Path

import click
import msgspec

from tests.bench.kernel import BENIGN, counting
from tests.bench.native import finish
from tests.bench.peer_programs import find_descendants, find_peers
from tests.bench.watched import median

EXECS = 4000
_CHUNKS = 8  # the median of so many parts: a neighbour that wakes up spoils one
_QUIET_NS = 4_000_000  # of CPU in a quarter of a second: it has worked off what it got
_DRAIN_S = 20


class Pair(msgspec.Struct, frozen=True):
    """One run of a peer beside one without it; times of one exec in us."""

    base_us: float
    with_us: float
    full_base_us: float  # with every CPU at it: CPU time, so what the peer takes shows here as well
    full_with_us: float
    kernel_us: float | None  # of its BPF programs; None without any
    user_us: float  # CPU time of its processes, and of the kernel's audit thread
    resident_mib: float


def compare(native, directory, rounds):
    """Give the table as text."""
    directory.mkdir(parents=True)
    peers = find_peers(native)
    pairs = {name: [] for name in peers}
    for number in range(rounds):
        for name, run in peers.items():
            pair = _measure_pair(native, functools.partial(run, directory / f"{name}-{number}"))
            pairs[name].append(pair)
            click.echo(f"round {number + 1}: {name}: {pair.with_us - pair.base_us:+.1f} us an exec", err=True)
    return _format(pairs)


def _measure_pair(native, run):
    tiny = native.name_tiny("gcc")

    def one():
        chunks = [native.spawn(EXECS // _CHUNKS, tiny, *BENIGN, cpu=0) for _ in range(_CHUNKS)]
        return median(chunks) / 1000

    def full():
        # The rest of the machine is idle only where the peer leaves it so.
        cpus = range(os.cpu_count())
        took = [finish(each) for each in [native.start(EXECS // len(cpus), tiny, *BENIGN, cpu=cpu) for cpu in cpus]]
        return max(took) / EXECS * len(cpus) / 1000

    native.spawn(300, tiny, *BENIGN, cpu=0)
    base_us, full_base_us = one(), full()
    with run() as pids:
        native.spawn(300, tiny, *BENIGN, cpu=0)
        _drain(pids)
        before_ns = _cpu_ns(pids)
        with_us = one()
        _drain(pids)
        user_us = (_cpu_ns(pids) - before_ns) / EXECS / 1000
        full_with_us = full()
        _drain(pids)
        resident = _resident_mib(pids)
        kernel_us = _measure_kernel(native, tiny, pids)
    return Pair(base_us, with_us, full_base_us, full_with_us, kernel_us, user_us, resident)


def _measure_kernel(native, tiny, pids):
    with counting():
        before_ns = _programs_ns(pids)
        native.spawn(EXECS, tiny, *BENIGN, cpu=0)
        after_ns = _programs_ns(pids)
    return None if after_ns is None else (after_ns - before_ns) / EXECS / 1000


def _programs_ns(pids):
    # As their descriptors tell: others on this machine may have programs loaded as well.
    run_ns = {}
    for pid in find_descendants(pids):
        for path in Path(f"/proc/{pid}/fdinfo").glob("*"):
            with contextlib.suppress(OSError):
                said = dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)
                if "run_time_ns" in said:
                    run_ns[said["prog_id"]] = int(said["run_time_ns"])
    return sum(run_ns.values()) if run_ns else None


def _cpu_ns(pids):
    total = 0
    for pid in find_descendants(pids):
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(path.read_text().split()[0])
    return total


def _resident_mib(pids):
    pages = 0
    for pid in find_descendants(pids):
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _drain(pids):
    deadline = time.monotonic() + _DRAIN_S
    quiet = 0
    while quiet < 3 and time.monotonic() < deadline:
        before_ns = _cpu_ns(pids)
        time.sleep(0.25)
        quiet = quiet + 1 if _cpu_ns(pids) - before_ns < _QUIET_NS else 0


def _format(pairs):
    """A line a peer: medians, and in brackets how many times Hullwatch's."""

    def figures(rounds):
        kernel = [pair.kernel_us for pair in rounds if pair.kernel_us is not None]
        return {
            "us/exec, one CPU": median([pair.with_us - pair.base_us for pair in rounds]),
            "slower %": median([100 * (pair.with_us / pair.base_us - 1) for pair in rounds]),
            "all CPUs busy %": median([100 * (pair.full_with_us / pair.full_base_us - 1) for pair in rounds]),
            "BPF us/exec": median(kernel) if kernel else None,
            "daemon us/exec": median([pair.user_us for pair in rounds]),
            "MiB": median([pair.resident_mib for pair in rounds]),
        }

    table = {name: figures(rounds) for name, rounds in pairs.items() if rounds}
    ours = table["hullwatch"]
    compared = ("BPF us/exec", "daemon us/exec")
    lines = [f"{'peer':14}" + "".join(f"{name:>24}" for name in ours)]
    for name, values in table.items():
        cells = []
        for what, value in values.items():
            ratio = ""
            if what in compared and name not in ("hullwatch", "nothing") and value is not None and ours[what]:
                ratio = f" ({value / ours[what]:.0f} x)"
            cells.append("-" if value is None else f"{value:.2f}{ratio}")
        lines.append(f"{name:14}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)
