"""The rules' filter in the kernel: it holds back what no rule can match, and never anything else."""

import os
import shutil
import subprocess
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.detect.prefilter import build_prefilter
from agent.detect.sigma import read_sigma
from agent.event import File
from agent.sensors import core
from agent.sensors.core import live_exec_fields, open_core
from tests.kernel.conftest import marked

pytestmark = pytest.mark.kernel

RULES = """
title: Docker asks for power
id: docker
logsource: {product: linux, category: process_creation}
detection:
  tool: {Image|endswith: [/docker, /podman]}
  asks: {CommandLine|contains: ['--privileged', 'run -it']}
  condition: tool and asks
---
title: A socket is named
id: socket
logsource: {product: linux, category: process_creation}
detection: {selection: {CommandLine|contains: containerd.sock}, condition: selection}
"""


def prefilter_of(text):
    return build_prefilter(read_sigma(text, "rules.yml").rules, live_fields=live_exec_fields())


def file_of(path):
    found = os.stat(path)
    return File(dev=found.st_dev, inode=found.st_ino, ctime_ns=found.st_ctime_ns)


@pytest.fixture(params=["bpf_loop", "bounded"])
def sensor(request, monkeypatch):
    """A sensor with the filter in force; each of the two objects, the second is for kernels before 5.17."""
    if request.param == "bounded":
        monkeypatch.setattr(core, "has_helper", lambda _number: False)
    sensor = open_core(ring_bytes=4 << 20)
    sensor.set_filter(prefilter_of(RULES).encoded)
    yield sensor
    sensor.close()


@pytest.fixture
def tool(tmp_path, sensor):
    """A program called docker, known to the sensor to be nothing but what its name says."""
    return make_known(sensor, tmp_path / "docker")


@pytest.fixture
def other(tmp_path, sensor):
    """A known program whose name no rule asks for."""
    return make_known(sensor, tmp_path / "other")


def make_known(sensor, path):
    shutil.copy("/bin/true", path)
    sensor.learn(file_of(path), is_tool=False)
    return path


class TestFilter:
    def test_holds_back_what_no_rule_matches(self, sensor, other, mark):
        """Words without the tool that goes with them never leave the kernel."""
        before = sensor.filtered()
        subprocess.run([other, "run", "-it", mark], check=True)
        assert [] == marked(sensor, mark)
        assert sensor.filtered() > before

    def test_lets_pass_what_a_rule_matches(self, sensor, tool, mark):
        """Path and arguments that a rule asks for come with all their context."""
        subprocess.run([tool, "run", "--privileged", mark], check=True)
        (event,) = marked(sensor, mark)
        assert str(tool) == event.process.executable
        assert ("docker", "run") == (event.process.name, event.process.args[1])
        assert event.parent.executable

    def test_text_of_a_command_line(self, sensor, other, mark):
        """What is asked for anywhere in the arguments is found in any of them."""
        subprocess.run([other, f"--host=unix:///run/containerd/containerd.sock,{mark}"], check=True)
        assert 1 == len(marked(sensor, mark))

    def test_without_an_automaton_everything_passes(self, sensor, other, mark):
        """The filter can be taken away again."""
        sensor.set_filter(None)
        subprocess.run([other, mark], check=True)
        assert 1 == len(marked(sensor, mark))

    def test_arguments_that_are_cut_pass(self, sensor, other, mark):
        """What cannot be read to its end may hold anything."""
        subprocess.run([other, mark, "x" * 40_000], check=True)
        assert 1 == len(marked(sensor, mark))


class TestFiles:
    """Names lie: what a file is, is asked once."""

    def test_a_file_not_seen_before_passes(self, sensor, tmp_path, mark):
        """Until the agent has looked at it."""
        path = tmp_path / "unknown"
        shutil.copy("/bin/true", path)
        subprocess.run([path, mark], check=True)
        (event,) = marked(sensor, mark)
        assert file_of(path) == File(
            dev=event.process.file.dev, inode=event.process.file.inode, ctime_ns=event.process.file.ctime_ns
        )
        sensor.learn(event.process.file, is_tool=False)
        subprocess.run([path, mark], check=True)
        assert [] == marked(sensor, mark)

    def test_a_tool_under_another_name_always_passes(self, sensor, tmp_path, mark):
        """A renamed docker is of interest whatever its arguments are."""
        path = tmp_path / "renamed"
        shutil.copy("/bin/true", path)
        sensor.learn(file_of(path), is_tool=True)
        for _ in range(3):
            subprocess.run([path, mark], check=True)
        assert 3 == len(marked(sensor, mark))

    def test_a_file_that_changes_passes_again(self, sensor, other, mark):
        """Another content has another change time."""
        subprocess.run([other, mark], check=True)
        assert [] == marked(sensor, mark)
        with other.open("ab") as file:
            file.write(b"\0")
        subprocess.run([other, mark], check=True)
        assert 1 == len(marked(sensor, mark))


WORDS = st.sampled_from(
    [
        "docker",
        "podman",
        "run",
        "-it",
        "--privileged",
        "--privilege",
        "containerd.sock",
        "/run/containerd/containerd.sock",
    ]
) | st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=40)


class TestSameAutomaton:
    """The kernel's verdict is Python's, on the same bytes."""

    @given(st.sampled_from(["docker", "podman", "Docker", "docker2", "ls"]), st.lists(WORDS, max_size=5))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_kernel_and_python_agree(self, sensor, tmp_path, mark, name, words):
        """Real files with generated names, executed with generated arguments."""
        path = tmp_path / name
        if not path.exists():
            shutil.copy("/bin/true", path)
            sensor.learn(file_of(path), is_tool=False)
        args = [str(path), *words, mark]
        expected = prefilter_of(RULES).accepts(os.fsencode(path), b"".join(os.fsencode(arg) + b"\0" for arg in args))
        subprocess.run(args, check=True)
        assert expected == bool(marked(sensor, mark))


def test_nothing_is_missed_while_rules_are_swapped(sensor, tool, mark):
    """Two hundred new automata during a storm of execs that every one of them lets pass."""
    encoded = [prefilter_of(text).encoded for text in (RULES, RULES.replace("/podman", "/nerdctl"))]
    done = threading.Event()
    sent = 300

    def storm():
        for _ in range(sent):
            subprocess.run([tool, "run", "--privileged", mark], check=True)
        done.set()

    thread = threading.Thread(target=storm)
    thread.start()
    swaps, received = 0, []
    while not done.is_set() or swaps < 200:
        sensor.set_filter(encoded[swaps % 2])
        swaps += 1
        received += [event for event in sensor.poll(0.001) if mark in event.process.args]
    thread.join()
    received += marked(sensor, mark)
    assert sent == len(received)
    assert 0 == sensor.lost()["ring_full"]
