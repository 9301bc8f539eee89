"""Real daemons for tests: the agent itself, and a dockerd of our own with an image of busybox."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HULLWATCH = os.path.join(os.path.dirname(sys.executable), "hullwatch")


def free_port():
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, timeout_s=20.0):
    """Wait until `condition()` gives something true; give it."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s:.0f} s"
        time.sleep(0.05)
    return value


def end(process, number=signal.SIGTERM, timeout_s=15):
    """End a process that a test started; give its exit status."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    return process.returncode


def field(document, dotted):
    """A field of a nested document by its dotted name, or None."""
    for key in dotted.split("."):
        if not isinstance(document, dict) or key not in document:
            return None
        document = document[key]
    return document


class Agent:
    """`hullwatch run` as a process, its alerts read from its standard output."""

    def __init__(self, directory, *, rules=None, config=""):
        self.directory = directory
        self.port = free_port()
        self.state_dir = directory / "state"
        (directory / "hullwatch.toml").write_text(
            f'state_dir = "{self.state_dir}"\n'
            + (f'rules = ["{rules}"]\n' if rules else "")
            + (config or '[[sinks]]\ntype = "stdout"\n')
            + f'[http]\nlisten = "127.0.0.1:{self.port}"\n'
        )
        self.stdout = directory / "alerts.jsonl"
        self.stderr = directory / "log.jsonl"
        self.process = None

    def start(self):
        """Start, and wait until it says that it is ready."""
        with self.stdout.open("ab") as out, self.stderr.open("ab") as err:
            command = [HULLWATCH, "run", "--config", self.directory / "hullwatch.toml"]
            self.process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        wait_until(lambda: self.process.poll() is not None or self.get("/readyz")[0] == 200, "readiness")
        assert self.process.poll() is None, self.log()

    def stop(self):
        """End it as systemd would; give its exit status."""
        return end(self.process)

    def get(self, path):
        """An HTTP answer of the agent: status and body."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def alerts(self):
        """All alerts so far."""
        return [json.loads(line) for line in self.stdout.read_text().splitlines()]

    def alert_with(self, text, timeout_s=15.0):
        """The first alert whose command line holds `text`."""

        def look():
            return [a for a in self.alerts() if text in (field(a, "process.command_line") or "")]

        return wait_until(look, f"an alert about {text!r}", timeout_s)[0]

    def log(self):
        """What it said of itself."""
        return self.stderr.read_text()


@pytest.fixture
def make_agent(tmp_path):
    """Gives agents that are ended with the test."""
    agents = []

    def make(**options):
        directory = tmp_path / f"agent{len(agents)}"
        directory.mkdir()
        agents.append(Agent(directory, **options))
        return agents[-1]

    yield make
    for agent in agents:
        if agent.process is not None:
            end(agent.process)


@pytest.fixture(scope="session")
def docker(tmp_path_factory):
    """A dockerd of our own; gives a function that runs the docker command against it, its address in `host`."""
    assert shutil.which("dockerd"), "needs docker.io"
    directory = tmp_path_factory.mktemp("docker")
    # Where bundles lie on a real node; in /tmp they would be suspicious.
    state = tempfile.mkdtemp(prefix="hullwatch-docker-", dir="/run")
    host = f"unix://{state}/docker.sock"
    command = [
        "dockerd", "--host", host, "--data-root", directory / "data", "--exec-root", f"{state}/exec",
        "--pidfile", directory / "dockerd.pid", "--iptables=false", "--ip6tables=false", "--bridge=none",
    ]  # fmt: skip
    with (directory / "log").open("wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def run(*args, check=True, **options):
        environment = {**os.environ, "DOCKER_HOST": host}
        return subprocess.run(
            ["docker", *args], env=environment, check=check, capture_output=True, timeout=60, **options
        )

    run.host, run.places = host, (state, str(directory))
    try:
        wait_until(
            lambda: daemon.poll() is not None or run("version", check=False).returncode == 0, "dockerd's start", 60
        )
        assert daemon.poll() is None, (directory / "log").read_text()
        import_image(run, directory)
        yield run
    finally:
        end(daemon)
        unmount_below(directory)
        unmount_below(state)
        shutil.rmtree(state)


def unmount_below(directory):
    """Take away the mounts that a daemon leaves behind (dockerd: its own network namespace)."""
    with open("/proc/self/mounts") as file:
        places = [line.split()[1] for line in file]
    for place in reversed(places):
        if place.startswith(f"{directory}/"):
            subprocess.run(["umount", "--lazy", place], check=True)


def import_image(run, directory):
    """Make the image `hull/busybox` from Debian's static busybox."""
    root = directory / "image"
    (root / "bin").mkdir(parents=True)
    (root / "tmp").mkdir()
    shutil.copy(shutil.which("busybox"), root / "bin" / "busybox")
    for applet in ("sh", "cat", "echo", "true", "sleep", "id", "ls", "touch"):
        with contextlib.suppress(FileExistsError):
            os.symlink("busybox", root / "bin" / applet)
    archive = directory / "image.tar"
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    run("import", str(archive), "hull/busybox")
