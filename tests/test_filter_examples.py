"""The examples of filters in deploy/rules.d: each silences what it says, and nothing beside it."""

import json
import shlex
from pathlib import Path

import pytest

from agent.config import shipped_rules_dir
from agent.detect.index import build_index
from agent.detect.ruleset import read_rules
from agent.ecs import parse_document
from agent.intents import IntentReader
from agent.rule_files import load_rule_files
from tests.commands import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "rules.d"
READ = read_rules(load_rule_files([shipped_rules_dir(), FOLDER]))
INDEX = build_index(READ.rules)
SYSTEMD = {"process.parent.executable": "/usr/lib/systemd/systemd"}
RUNNER = {"process.parent.executable": "/usr/bin/gitlab-runner", "user.id": "998"}
SHIM = {"process.parent.executable": "/usr/bin/containerd-shim-runc-v2"}
NETDATA = {"process.parent.args": ["bash", "/usr/libexec/netdata/plugins.d/cgroup-name.sh"], "user.name": "netdata"}
MONITORING = {"user.name": "monitoring", "user.id": "120"}

FALCO = (
    "docker run --privileged --pid=host -v /:/host:ro -v /run/docker.sock:/s registry.example.com/platform/falco:0.41"
)
COLLECTOR = (
    "docker run -d -v /var/log:/var/log:ro -v /var/lib/docker/overlay2:/o:ro registry.example.com/logging/filebeat:9"
)
DIND = "docker run --privileged docker:27.3-dind"
TRIVY = "docker run --rm -v /var/run/docker.sock:/var/run/docker.sock aquasec/trivy:0.57 image app:1"
POLL = "curl --unix-socket /var/run/docker.sock http://localhost/containers/json"
PROBE = "docker exec db sh -c 'pg_isready -U app -q'"

SILENCED = [
    (FALCO, SYSTEMD),
    (COLLECTOR, {}),
    (COLLECTOR.replace("/overlay2:/o", "/image:/o"), {}),
    (DIND, RUNNER),
    (TRIVY, {}),
    (POLL, NETDATA),
    (PROBE, MONITORING),
]
# One thing each that is not as the filter says.
LOUD = [
    (FALCO, {}),
    (FALCO, {**SYSTEMD, "user.id": "1000"}),
    (FALCO.replace("example.com", "examp1e.com"), SYSTEMD),
    (FALCO.replace("registry.example.com/platform/", "evil/registry.example.com/platform/"), SYSTEMD),
    (FALCO + " sh", SYSTEMD),
    (FALCO, {**SYSTEMD, "container.id": "c" * 64}),
    (COLLECTOR.replace(":/o:ro", ":/o"), {}),
    (COLLECTOR.replace("-d", "-d -v /etc:/e:ro"), {}),
    (COLLECTOR.replace("-d", "-d --pid=host"), {}),
    (COLLECTOR.replace("-d", "-d --privileged"), {}),
    (COLLECTOR.replace("logging/", "logging/x/"), {}),
    (DIND, {}),
    (DIND, {**RUNNER, "user.id": "0"}),
    (DIND.replace("--privileged", "--privileged -v /:/h"), RUNNER),
    (DIND.replace("docker:27.3-dind", "alpine"), RUNNER),
    (DIND.replace("--privileged", "--privileged --pid=host"), RUNNER),
    (TRIVY.replace("aquasec/", "evil/"), {}),
    (TRIVY.replace("--rm", "--rm -v /:/h"), {}),
    (TRIVY.replace("--rm", "--rm --entrypoint sh"), {}),
    (TRIVY.replace("--rm", "--rm --pid=host"), {}),
    (TRIVY.replace("/var/run/docker.sock:/var/run/docker.sock", "/run:/run"), {}),
    (POLL, {}),
    (POLL.replace("/containers/json", "/containers/create") + " -d {}", NETDATA),
    (POLL, {**NETDATA, "container.id": "c" * 64}),
    (PROBE, {}),
    (PROBE.replace("-q'", "-q; id'"), MONITORING),
    (PROBE.replace("exec", "exec -it"), MONITORING),
    (PROBE.replace("exec", "exec --privileged"), MONITORING),
    (PROBE.replace(" db ", " web "), MONITORING),
]


def event_of(line, members, root=Path("/dev/null")):
    """A command line as an event, started by a shell of root's unless `members` say otherwise."""
    arguments = shlex.split(line)
    document = {
        "process.executable": f"/usr/bin/{arguments[0]}",
        "process.args": arguments,
        "process.args_count": len(arguments),
        "process.command_line": " ".join(arguments),
        "process.working_directory": "/",
        "process.parent.executable": "/usr/bin/bash",
        "user.id": "0",
        **members,
    }
    return IntentReader(proc=Path("/dev/null"), root=root).add_intent(parse_document(document))


def alerting(event, index=INDEX):
    """Names of the rules that raise an alert above low."""
    return [
        match.rule.name
        for match in index.match(event)
        if match.silenced_by is None and match.severity.label in {"medium", "high", "critical"}
    ]


class TestFiles:
    def test_are_right(self):
        """All files are read without a fault, and name rules that exist."""
        assert ((), ()) == (READ.errors, READ.warnings)
        assert len(READ.filters) >= 7

    def test_five_classes(self):
        """There is an example for each of the usual classes of false positives, with a comment at its head."""
        files = sorted(FOLDER.glob("*.yml"))
        assert len(files) == 5
        assert all(file.read_text().startswith("# ") for file in files)


class TestEffect:
    @pytest.mark.parametrize(("line", "members"), SILENCED)
    def test_silenced(self, line, members):
        """What a filter describes raises nothing above low with it, and something without it."""
        event = event_of(line, members)
        unfiltered = build_index(read_rules(load_rule_files([shipped_rules_dir()])).rules)
        assert alerting(event, unfiltered)
        assert [] == alerting(event)

    @pytest.mark.parametrize(("line", "members"), LOUD)
    def test_nothing_else(self, line, members):
        """Where one thing is otherwise, the alert stays."""
        assert alerting(event_of(line, members))

    def test_bundle_of_a_builder(self, tmp_path):
        """The builder's container is silenced as its runtime starts it too, unless it has the node's files."""
        line = f"runc --root /var/run/docker/runtime-runc/moby create --bundle {tmp_path.name} abc"
        (tmp_path / tmp_path.name).mkdir()
        results = []
        for source in ("/var/lib/docker/volumes/a/_data", "/etc"):
            config = {
                "process": {
                    "args": ["dockerd-entrypoint.sh"],
                    "capabilities": {"bounding": [f"CAP_{number}" for number in range(41)]},
                },
                "mounts": [{"destination": "/m", "type": "bind", "source": source, "options": ["rbind"]}],
                "linux": {"namespaces": [{"type": kind} for kind in ("mount", "pid", "network", "ipc", "uts")]},
            }
            (tmp_path / tmp_path.name / "config.json").write_text(json.dumps(config))
            event = event_of(line, SHIM, tmp_path)
            assert event.intent.privileged
            results.append(alerting(event))
        assert [] == results[0]
        assert "Privileged container" in results[1]

    def test_connection_of_a_scanner(self):
        """The scanner's program may connect from its own image, and from no other."""
        document = {
            "event.action": "connected-to",
            "destination.address": "/run/docker.sock",
            "process.executable": "/usr/local/bin/trivy",
            "container.id": "c" * 64,
            "container.image.name": "registry.example.com/security/trivy:0.57",
        }
        audible = [
            [match.rule.name for match in INDEX.match(parse_document(event)) if match.silenced_by is None]
            for event in (document, {**document, "container.image.name": "evil/trivy"})
        ]
        assert [[], ["Container runtime reached from inside a container"]] == audible
