"""A node with an agent on the shipped rules, and engines of the tests' own beside it: docker, containerd, podman."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import uuid

from agent.detect.rule import Severity, parse_severity
from tests.node.conftest import Agent, end, field, unmount_below, wait_until

IMAGE = "docker.io/hull/busybox:latest"  # containerd's name of what the docker fixture imports as hull/busybox
NEVER_FOLD = '[[sinks]]\ntype = "stdout"\n[suppress]\nwindow_s = 0\n'
CONTAINERD_TOML = """
version = 2
root = "{state}/containerd"
state = "{run}/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{run}/containerd.sock"
"""


class Node:
    """
    What the tests of one module share.

    A command's alerts are found by a word that no other command of the machine has: ``$TOKEN`` in scripts.
    """

    def __init__(self, agent, docker, directory, state, run):
        self.agent = agent
        self.docker = docker
        self.directory = directory
        self._places = (str(directory), state, run, *docker.places)
        self._alerts = []
        self._read_bytes = 0
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(directory),
            "DIR": str(directory),
            "IMAGE": IMAGE,
            "DOCKER_HOST": docker.host,
            "SOCKET": docker.host.removeprefix("unix://"),
            "CONTAINERD_ADDRESS": f"{run}/containerd.sock",
            # The second runtime of every podman test: what the node's own default is does not matter.
            "PODMAN": f"podman --root {state}/podman --runroot {run}/podman --storage-driver vfs "
            "--cgroup-manager cgroupfs --events-backend file --runtime runc",
            # Of a container in a machine whose hard limits are lower than podman's defaults.
            "LIMITS": "--network none --ulimit nofile=20000:20000 --ulimit nproc=4096:4096",
            "KUBECTL": "kubectl --server=http://127.0.0.1:1",
        }

    def sh(self, script, token="", timeout_s=30):
        """
        Run lines of shell, which no `-c` shows: the agent sees the commands themselves, children of a plain `sh`.
        """
        return subprocess.run(
            ["sh"],
            input=script.encode(),
            cwd=self.directory,
            env={**self.environment, "TOKEN": token},
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )

    def run_memfd(self, program, *args):
        """Run a program from memory: a memfd has no path and no name but the one that it is given."""
        descriptor = os.memfd_create("cache")
        try:
            with open(shutil.which(program), "rb") as file:
                while chunk := file.read(1 << 20):
                    os.write(descriptor, chunk)
            return subprocess.run(
                ["kworker", *args],
                executable=f"/proc/self/fd/{descriptor}",
                pass_fds=(descriptor,),
                cwd=self.directory,
                env=self.environment,
                capture_output=True,
                timeout=30,
                check=False,
            )
        finally:
            os.close(descriptor)

    def expect(self, token, floor, techniques=("T1610",), **proof):
        """
        Wait for the alert that a command deserves.

        Args:
            token: a word of the alert.
            floor: the least severity.
            techniques: those that it names, at least.
            proof: members of `hullwatch.intent`, or, with ``__`` for dots, any field; a tuple is a subset.
        """

        def look():
            return [alert for alert in self.about(token) if _deserves(alert, floor, techniques, proof)]

        try:
            return wait_until(look, "the alert", 30)[0]
        except AssertionError:
            raise AssertionError(
                f"no alert of {floor} with {techniques} and {proof}; there are {brief(self.about(token))}"
            ) from None

    def about(self, token):
        """Every alert so far that has the word anywhere."""
        return [alert for line, alert in self._read() if token in line]

    # The whole machine is watched, and others work on it: what was read is kept.
    def _read(self):
        with self.agent.stdout.open("rb") as file:
            file.seek(self._read_bytes)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read_bytes += len(whole) + len(newline)
        self._alerts += [(line, json.loads(line)) for line in whole.decode().splitlines()]
        return self._alerts

    def alerts_during(self, act):
        """Give the alerts about this module's own processes that an act and what it set off have given."""
        before = len(self._read())
        act()
        # Alerts come in the order of their events, so that all are there once a later one is.
        mark = make_token()
        self.sh("nsenter -t1 -m true $TOKEN", mark)
        self.expect(mark, "low", ())
        return [alert for line, alert in self._read()[before:] if mark not in line and self._is_own(line, alert)]

    # Daemons leave their children to pid 1; those are known by their paths.
    def _is_own(self, line, alert):
        pids = {ancestor["pid"] for ancestor in field(alert, "hullwatch.ancestors") or ()}
        return os.getpid() in pids or any(place in line for place in self._places)


def make_token():
    """A word that nothing else says, fit for the name of a container."""
    return f"t{uuid.uuid4().hex[:12]}"


def severity(alert):
    """How bad an alert is, to be compared."""
    return parse_severity(field(alert, "hullwatch.severity"))


def brief(alerts):
    """What a failed test says of alerts."""
    return [
        (
            severity(alert).label,
            [rule["name"] for rule in field(alert, "hullwatch.matched")],
            field(alert, "process.command_line"),
            field(alert, "process.executable"),
            field(alert, "process.parent.executable"),
            field(alert, "hullwatch.intent"),
        )
        for alert in alerts
    ]


def loud(alerts):
    """Those above low."""
    return [alert for alert in alerts if severity(alert) > Severity.LOW]


def _deserves(alert, floor, techniques, proof):
    if severity(alert) < parse_severity(floor) or not set(techniques) <= set(field(alert, "threat.technique.id") or ()):
        return False
    for name, expected in proof.items():
        found = field(alert, name.replace("__", ".") if "__" in name else f"hullwatch.intent.{name}")
        if not (set(expected) <= set(found or ()) if isinstance(expected, tuple) else expected == found):
            return False
    return True


@contextlib.contextmanager
def open_node(docker, directory):
    """Start an agent and a containerd, and give all engines the one image."""
    # Where engines keep such things on a real node; in /tmp they would be suspicious.
    run = tempfile.mkdtemp(prefix="hullwatch-live-", dir="/run")
    state = tempfile.mkdtemp(prefix="hullwatch-live-", dir="/var/lib")
    (directory / "agent").mkdir()
    agent = Agent(directory / "agent", config=NEVER_FOLD)
    node = Node(agent, docker, directory, state, run)
    (directory / "containerd.toml").write_text(CONTAINERD_TOML.format(state=state, run=run))
    with (directory / "containerd.log").open("wb") as log:
        containerd = subprocess.Popen(
            ["containerd", "--config", directory / "containerd.toml"], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        wait_until(lambda: node.sh("ctr version").returncode == 0, "containerd's start")
        done = node.sh(
            "set -e; docker save --output image.tar hull/busybox; ctr images import image.tar; "
            "$PODMAN load --quiet --input image.tar"
        )
        assert 0 == done.returncode, done.stderr.decode()
        agent.start()
        yield node
    finally:
        if agent.process is not None:
            end(agent.process)
        end(containerd)
        for place in (directory, state, run):
            unmount_below(place)
        shutil.rmtree(state)
        shutil.rmtree(run)
