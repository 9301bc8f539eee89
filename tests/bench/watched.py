"""The agent as a process of its own, and what the kernel says of it."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import click

from tests.bench.table import ROOT

MARK = "hullwatch-bench-"
# Finds every exec that carries the mark, whatever the shipped rules say of it.
_RULE = f"""
title: Exec of the bench
id: 9d3c7c1e-2a53-4d0c-b3a7-6d3f0c2f4e01
status: test
description: Finds the benches' own execs.
logsource: {{category: process_creation, product: linux}}
detection:
    marked: {{CommandLine|contains: '{MARK}'}}
    condition: marked
level: low
"""
RULE_NAME = "Exec of the bench"
RULE_ID = "9d3c7c1e-2a53-4d0c-b3a7-6d3f0c2f4e01"
ALERTING = ("docker", "run", "--privileged", "--name")  # with a mark behind it: power, and a name like no other

# Keeps the rules' automaton out of the kernel: what the same agent costs without its filter.
_UNFILTERED = (
    "from agent.sensors.core import CoreSensor; CoreSensor.set_filter = lambda *_: None;"
    "from agent.cli import main; main()"
)


class Watched:
    """A running agent."""

    def __init__(self, directory, *, sink="", ring_bytes=None, filtered=True):
        directory.mkdir()
        self.state_dir = directory / "state"
        rules = directory / "rules"
        rules.mkdir()
        (rules / "bench.yml").write_text(_RULE)
        self._port = free_port()
        configuration = directory / "hullwatch.toml"
        configuration.write_text(
            f'rules = ["shipped", "{rules}"]\nstate_dir = "{self.state_dir}"\n'
            + (sink or "sinks = []\n")
            + f'[http]\nlisten = "127.0.0.1:{self._port}"\n'
            + (f"[core]\nring_bytes = {ring_bytes}\n" if ring_bytes else "")
        )
        start = [Path(sys.executable).with_name("hullwatch")] if filtered else [sys.executable, "-c", _UNFILTERED]
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*start, "run", "--config", configuration], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT
            )

    def wait_ready(self, timeout_s=20):
        """Wait until it says of itself that it watches."""
        deadline = time.monotonic() + timeout_s
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise click.ClickException(f"the agent did not start: {self._log.read_text()[-1000:]}")
            time.sleep(0.02)

    def metric(self, name):
        """Add up a metric over its labels; None for one that the agent does not have."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        values = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, values)) if values else None

    def filter_mode(self):
        """Say what the agent says of its kernel filter."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=20) as answer:
            found = re.search(r'^hullwatch_kernel_filter\{mode="([^"]*)"\} 1', answer.read().decode(), re.MULTILINE)
        return found[1] if found else "none"

    def cpu_ns(self):
        """Give the CPU time of all its threads so far."""
        return sum(int(text.split()[0]) for text in self._of_threads("schedstat"))

    def wake_ups(self):
        """Count how often its threads have waited for something."""
        found = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)", re.MULTILINE)
        return sum(int(found.search(text)[1]) for text in self._of_threads("status"))

    def memory_bytes(self, name="VmRSS"):
        """Give one of the sizes in its /proc status."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024

    def stop(self):
        """End it as systemd would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def _of_threads(self, name):
        texts = []
        for path in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # a thread of the HTTP server that has ended
                texts.append((path / name).read_text())
        return texts


@contextlib.contextmanager
def watching(directory, **options):
    """Run an agent until the block ends; it is ready when the block begins."""
    agent = Watched(directory, **options)
    try:
        agent.wait_ready()
        yield agent
    finally:
        agent.stop()


class Receiver:
    """A syslog server's end of a Unix socket: when each marked datagram was sent, by the kernel's own clock."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.sink = f'[[sinks]]\ntype = "syslog"\naddress = "unix:{path}"\n'

    def receive(self, timeout_s):
        """Wait for a marked alert; gives the time in its mark and the time it was sent, ns since the epoch, or None."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                data, extra, _, _ = self._socket.recvmsg(1 << 17, 256)
            except TimeoutError:
                return None
            mark = _MARKED.search(data)
            if mark:  # others on this machine may alert as well
                seconds, nanoseconds = (int.from_bytes(extra[0][2][at : at + 8], sys.byteorder) for at in (0, 8))
                return int(mark[1]), seconds * 1_000_000_000 + nanoseconds
        return None

    def close(self):
        """Close the socket."""
        self._socket.close()


_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the socket module does not name it
_MARKED = re.compile(rf"{MARK}(\d+)".encode())


def median(values):
    """Give the middle one of some figures."""
    return sorted(values)[len(values) // 2]


def percentile(values, share):
    """Give the figure that so great a share of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def free_port():
    """Give a TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
