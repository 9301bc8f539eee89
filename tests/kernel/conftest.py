"""A real sensor on the real kernel, and children that exec in every way there is."""

import subprocess
import sys
import textwrap
import time
import uuid

import pytest

from agent.sensors.core import open_core


@pytest.fixture(scope="module")
def sensor():
    """The core sensor, open for one module of tests."""
    sensor = open_core(ring_bytes=16 << 20)
    yield sensor
    sensor.close()


@pytest.fixture
def mark():
    """A text that no other process has among its arguments."""
    return f"mark-{uuid.uuid4().hex}"


def marked(sensor, mark):
    """The events so far that carry `mark` in an argument; a child's record is in the ring before the child runs."""
    found = []
    while events := sensor.poll(0.05):
        found += [event for event in events if any(mark in arg for arg in event.process.args)]
    return found


def run_python(source, *args, **options):
    """Run a few lines of Python in a child of its own, which may exec."""
    command = [sys.executable, "-I", "-S", "-c", textwrap.dedent(source), *args]
    return subprocess.run(command, check=True, capture_output=True, timeout=120, **options)


def eventually(condition, timeout_s=10.0):
    """Wait until `condition()` is true; give its value."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)
    return value
