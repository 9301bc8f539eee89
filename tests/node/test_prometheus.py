"""A real Prometheus and its promtool read what the agent serves."""

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from agent.address import Address
from agent.detect.predicate import Always
from agent.detect.rule import Outcome, Rule, Severity
from agent.health import Heartbeat, Status, open_health_server
from agent.metrics import Metrics

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(not (shutil.which("prometheus") and shutil.which("promtool")), reason="no Prometheus here"),
]

RULE = Rule(
    id="deploy", name="deploy", language="sigma", path="r.yml", outcomes=(Outcome(Severity.HIGH, Always(True)),)
)
CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: hullwatch
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.fixture(scope="module")
def metrics():
    """All metrics, each with a sample."""
    metrics = Metrics()
    metrics.declare_sensor("core", types=["exec"], fields=["args"], reasons=["ring_full"])
    metrics.declare_rules([RULE], errors=0)
    metrics.declare_sinks(["stdout"])
    metrics.observe_detection(0.0015)
    return metrics


@pytest.fixture(scope="module")
def agent(metrics):
    server = open_health_server(Address("127.0.0.1", 0), metrics, Heartbeat(), Status)
    yield server
    server.close()


@pytest.fixture(scope="module")
def prometheus(agent, tmp_path_factory):
    """Start a Prometheus that scrapes the agent every second; gives its base URL."""
    directory = tmp_path_factory.mktemp("prometheus")
    (directory / "prometheus.yml").write_text(CONFIG.format(target=agent.address))
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        "prometheus",
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/data",
        f"--web.listen-address={place}",
        "--log.level=warn",
    ]
    with open(directory / "log", "w") as log:
        process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log)
    try:
        wait_for(lambda: get(f"http://{place}/-/ready"), f"Prometheus to start; see {directory}/log")
        yield f"http://{place}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def get(url):
    """The body of an answer, or None while there is none."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.read()
    except OSError:
        return None


def wait_for(find, what, timeout_s=30):
    """Ask until something is found."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := find()):
        assert time.monotonic() < deadline_s, f"waited {timeout_s} s for {what}"
        time.sleep(0.1)
    return found


def query(base, expression):
    """The values that Prometheus has for an expression now."""
    body = get(f"{base}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
    results = json.loads(body)["data"]["result"] if body else []
    return [float(result["value"][1]) for result in results]


class TestScrape:
    def test_target_is_up(self, prometheus):
        """Prometheus can read the agent and finds nothing to complain of."""
        wait_for(lambda: query(prometheus, 'up{job="hullwatch"}') == [1.0], "the target to be up")
        (target,) = json.loads(get(f"{prometheus}/api/v1/targets"))["data"]["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")

    def test_counter_follows(self, prometheus, metrics):
        """A rule's counter is 0 before its first alert and then what the agent counted."""
        alerts = 'hullwatch_alerts_total{rule="deploy",severity="high"}'
        wait_for(lambda: query(prometheus, alerts) == [0.0], "the counter at 0")
        for _ in range(23):
            metrics.count_alert("deploy", Severity.HIGH)
        wait_for(lambda: query(prometheus, alerts) == [23.0], "the counter at 23")

    def test_series(self, prometheus):
        """The agent gives few series, and no label holds more than it was declared to."""
        wait_for(lambda: query(prometheus, 'up{job="hullwatch"}') == [1.0], "the target to be up")
        assert query(prometheus, 'scrape_samples_scraped{job="hullwatch"}')[0] < 60
        assert query(prometheus, "histogram_quantile(0.5, hullwatch_detection_seconds_bucket)") == [
            pytest.approx(0.0015)
        ]
        assert query(prometheus, 'count({__name__=~".*_created"})') == []


class TestPromtool:
    def test_names_and_help(self, metrics):
        """Promtool's linter finds no fault in names, types and help texts."""
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=metrics.render()[1], capture_output=True, check=False, timeout=30
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
