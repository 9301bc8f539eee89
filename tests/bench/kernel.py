"""What the program at the exec tracepoint costs in the kernel, by the kernel's own account."""

import contextlib
import ctypes
import os

from agent.config import shipped_rules_dir
from agent.detect.ruleset import read_rules
from agent.event import File
from agent.rule_files import load_rule_files
from agent.sensors import core, wire
from agent.sensors.libbpf import BpfObject
from tests.bench.table import Row
from tests.bench.watched import ALERTING, MARK, median

ROUNDS = 7
EXECS = 1500
# A compiler's line: neither short nor long among those of a busy node.
BENIGN = ("gcc", "-O2", "-g", "-Wall", "-Iinclude", "-c", "src/server/request.c", "-o", "request-@.o")
_RUN_TIME = 0  # BPF_STATS_RUN_TIME of enum bpf_stats_type


def measure(native, _directory):
    """Give the rows of this bench."""
    benign, tool = native.name_tiny("gcc"), native.name_tiny(ALERTING[0])
    automaton, mode = build_automaton()
    with counting(), contextlib.ExitStack() as stack:
        empty = BpfObject(native.compile_empty(), map_entries={})
        stack.callback(empty.close)
        empty.attach("empty")
        sensor = core.open_core(ring_bytes=16 << 20)
        stack.callback(sensor.close)

        def run_ns(path, *args):
            """Time of one run of the empty program and of ours."""
            programs = ((empty, "empty"), (sensor._bpf, core.PROGRAM))
            before = [bpf.program_stats(name) for bpf, name in programs]
            spawner = native.start(EXECS, path, *args, cpu=0)
            while spawner.poll() is None:
                sensor.poll(0.05)
            after = [bpf.program_stats(name) for bpf, name in programs]
            return [(b.run_time_ns - a.run_time_ns) / (b.runs - a.runs) for a, b in zip(before, after, strict=True)]

        for path in (benign, tool):
            sensor.learn(_file(path), is_tool=False)
        figures = {"filtered": [], "unfiltered": [], "matching": []}
        run_ns(benign, *BENIGN)
        for _ in range(ROUNDS):
            sensor.set_filter(automaton)
            kept_before = sensor.filtered()
            figures["filtered"].append(run_ns(benign, *BENIGN))
            kept = (sensor.filtered() - kept_before) / EXECS
            figures["matching"].append(run_ns(tool, *ALERTING, f"{MARK}@"))
            sensor.set_filter(None)
            figures["unfiltered"].append(run_ns(benign, *BENIGN))

    ours = {name: median([own for _, own in pairs]) / 1000 for name, pairs in figures.items()}
    nothing = median([none for pairs in figures.values() for none, _ in pairs]) / 1000
    ratio = median([own / none for none, own in figures["filtered"]])
    note = f"{mode}; {kept:.1%} kept from the agent"
    return [
        Row("kernel", "empty program", nothing, "us/exec"),
        Row("kernel", "benign exec, filter on", ours["filtered"], "us/exec", 0.8, note=note),
        Row("kernel", "benign exec, times an empty program", ratio, "x", 8),
        Row("kernel", "benign exec, filter off", ours["unfiltered"], "us/exec"),
        Row("kernel", "matching exec, filter on", ours["matching"], "us/exec"),
    ]


def build_automaton():
    """Build the shipped rules' automaton; where this version cannot, one that refuses everything but reads it all."""
    try:
        from agent.detect.prefilter import build_prefilter  # noqa: PLC0415
    except ImportError:
        stand_in = wire.AUTOMATON.pack(0, bytes(256), bytes(2 * wire.MAX_TRANSITIONS))
        return stand_in, "a stand-in automaton, which refuses all"
    rules = read_rules(load_rule_files([shipped_rules_dir()])).rules
    built = build_prefilter(rules, live_fields=core.live_exec_fields())
    if not built.report.is_on:
        return None, "the shipped rules let everything pass"
    return built.encoded, f"{len(rules)} shipped rules, {built.report.states:,} states"


def _file(path):
    found = os.stat(path)
    return File(dev=found.st_dev, inode=found.st_ino, ctime_ns=found.st_ctime_ns)


@contextlib.contextmanager
def counting():
    """
    Let the kernel count the run time of BPF programs for the time of the block.

    As kernel.bpf_stats_enabled does, but held by a descriptor: the kernel counts the holders, so that two benches
    do not undo each other, and nothing stays behind one that is killed.
    """
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    descriptor = library.bpf_enable_stats(_RUN_TIME)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "the kernel does not count run times")
    try:
        yield
    finally:
        os.close(descriptor)
