"""The whole path: a real docker against a real dockerd, the agent beside it, the seeds' Atomic tests."""

import os
import shutil
import subprocess
import sys
import uuid

import pytest

from tests.node.conftest import ROOT, end, field, wait_until

pytestmark = [pytest.mark.node, pytest.mark.kernel]

SEEDS = f"{ROOT}/rules/seeds"


@pytest.fixture
def agent(make_agent):
    agent = make_agent(rules=SEEDS)
    agent.start()
    return agent


class TestAtomicTests:
    """The three tests that the seeds name."""

    def test_privileged_with_the_hosts_file_system(self, agent, docker):
        """A privileged container is critical, with who, what and from where."""
        name = f"t{uuid.uuid4().hex[:12]}"
        docker("run", "--rm", "--privileged", "-v", "/:/host", "--name", name, "hull/busybox", "true", check=False)
        alert = agent.alert_with(name)
        assert "critical" == field(alert, "hullwatch.severity")
        assert 99 == field(alert, "event.severity")
        assert "alert" == field(alert, "event.kind")
        assert "T1610" in field(alert, "threat.technique.id")
        assert ["docker", "run", "--rm", "--privileged", "-v", "/:/host", "--name", name, "hull/busybox", "true"] == (
            field(alert, "process.args")
        )
        assert os.path.realpath(shutil.which("docker")) == field(alert, "process.executable")
        assert os.path.realpath(sys.executable) == field(alert, "process.parent.executable")
        assert "root" == field(alert, "user.name")
        assert "0" == field(alert, "user.id")
        assert os.getcwd() == field(alert, "process.working_directory")

    def test_host_network_and_host_processes(self, agent, docker):
        """Host namespaces are high, and the container really runs."""
        word = f"w{uuid.uuid4().hex[:12]}"
        done = docker("run", "--rm", "--net=host", "--pid=host", "hull/busybox", "echo", word)
        assert word in done.stdout.decode()
        alert = agent.alert_with(word)
        assert "high" == field(alert, "hullwatch.severity")
        assert "--pid=host" in field(alert, "process.args")

    def test_kubectl_apply_arrives_with_its_arguments(self, make_agent, tmp_path):
        """What a manifest asks for is not on the command line; that it is applied is."""
        rules = tmp_path / "rules"
        rules.mkdir()
        (rules / "any_kubectl.yml").write_text(
            "title: kubectl was started\n"
            "logsource: {product: linux, category: process_creation}\n"
            "detection: {selection: {Image|endswith: /kubectl}, condition: selection}\n"
            "level: low\n"
        )
        agent = make_agent(rules=rules)
        agent.start()
        manifest = tmp_path / f"atomic-{uuid.uuid4().hex[:8]}.yaml"
        manifest.write_text("apiVersion: v1\nkind: Pod\n")
        # No API server listens there; that kubectl fails does not matter to who watches the node.
        subprocess.run(
            ["kubectl", "--server=http://127.0.0.1:1", "apply", "-f", manifest],
            check=False,
            capture_output=True,
            timeout=60,
        )
        alert = agent.alert_with(str(manifest))
        assert ["kubectl", "--server=http://127.0.0.1:1", "apply", "-f", str(manifest)] == field(alert, "process.args")
        assert "low" == field(alert, "hullwatch.severity")


class TestContainers:
    """What runs inside of one."""

    def test_a_process_in_a_container_carries_its_id(self, make_agent, docker, tmp_path):
        """Container id and runtime come from the cgroup, even of a process that lived for a millisecond."""
        word = f"w{uuid.uuid4().hex[:12]}"
        rules = tmp_path / "rules"
        rules.mkdir()
        (rules / "word.yml").write_text(
            "title: a word\n"
            "logsource: {product: linux, category: process_creation}\n"
            f"detection: {{selection: {{Image: /bin/busybox, CommandLine|contains: {word}}}, condition: selection}}\n"
            "level: medium\n"
        )
        agent = make_agent(rules=rules)
        agent.start()
        name = f"n{uuid.uuid4().hex[:12]}"
        docker("run", "--name", name, "hull/busybox", "echo", word)
        container_id = docker("inspect", "--format", "{{.Id}}", name).stdout.decode().strip()
        docker("rm", name)
        alert = agent.alert_with(word)
        assert container_id == field(alert, "container.id")
        assert "docker" == field(alert, "container.runtime")
        assert ["echo", word] == field(alert, "process.args")


class TestLife:
    """Start, end and what is kept."""

    def test_clean_end(self, agent, docker):
        """SIGTERM ends it with status 0, and what was alerted is delivered."""
        word = f"w{uuid.uuid4().hex[:12]}"
        docker("run", "--rm", "--net=host", "hull/busybox", "echo", word)
        assert 0 == agent.stop()
        assert "high" == field(agent.alert_with(word), "hullwatch.severity")

    def test_nothing_is_sent_twice_after_a_restart(self, agent, docker):
        """A restart goes on where the cursor stands."""
        word = f"w{uuid.uuid4().hex[:12]}"
        docker("run", "--rm", "--net=host", "hull/busybox", "echo", word)
        agent.alert_with(word)
        agent.stop()
        agent.start()
        other = f"w{uuid.uuid4().hex[:12]}"
        docker("run", "--rm", "--net=host", "hull/busybox", "echo", other)
        agent.alert_with(other)
        ids = [field(alert, "event.id") for alert in agent.alerts()]
        assert len(set(ids)) == len(ids)

    def test_the_counter_and_the_health(self, agent, docker):
        """The matched rule's counter rises, others stay at 0; health and readiness are good."""
        metrics = agent.get("/metrics")[1]
        assert 'hullwatch_alerts_total{rule="' in metrics
        docker("run", "--rm", "--net=host", "hull/busybox", "echo", "counted")

        def counted():
            return [
                line
                for line in agent.get("/metrics")[1].splitlines()
                if line.startswith("hullwatch_alerts_total") and 'severity="high"' in line and line.endswith(" 1.0")
            ]

        wait_until(counted, "a counter's rise")
        assert 200 == agent.get("/healthz")[0]
        assert 200 == agent.get("/readyz")[0]

    def test_a_second_agent_on_the_same_port(self, agent, make_agent):
        """An address in use is one clear sentence and exit status 2."""
        second = make_agent(rules=SEEDS)
        config = second.directory / "hullwatch.toml"
        config.write_text(config.read_text().replace(str(second.port), str(agent.port)))
        second.port = agent.port
        process = subprocess.run(
            [f"{os.path.dirname(sys.executable)}/hullwatch", "run", "--config", config],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert 2 == process.returncode
        assert f"127.0.0.1:{agent.port}" in process.stderr
        assert "Traceback" not in process.stderr
        assert 0 == end(agent.process)
