"""`hullwatch replay`, from a file or a pipe to alerts."""

import fcntl
import json
import os
import pty
import re
import subprocess
import sys
import termios

import pytest

from tests.commands import REPOSITORY, SCRIPT, SEEDS, call, hullwatch_as_nobody, write_rule

pytestmark = pytest.mark.process

DATA = REPOSITORY / "tests" / "data"
AUDIT_IDS = {
    "centos7-interleaved": ["1767225800.001:501", "1767225800.001:502"],
    "incomplete": ["1767225900.100:702", "1767225900.100:701"],
    "rhel9-enriched": ["1767225700.456:981", "1767225701.000:982"],
    "ubuntu-5.15": ["1767225600.123:24287", "1767225601.200:24290"],
}
IMPATIENT = (
    "from agent.tools import terminal; terminal._FIRST_PROGRESS_S = terminal._PROGRESS_S = 0;"
    "from agent.cli import main; main()"
)
PRIVILEGED = {
    "event.id": "e-1",
    "@timestamp": "2026-01-01T00:00:00.000Z",
    "process.executable": "/usr/bin/docker",
    "process.command_line": "docker run --privileged alpine",
}
ORDINARY = {**PRIVILEGED, "event.id": "e-2", "process.executable": "/usr/bin/ls", "process.command_line": "ls"}


def lines_of(*documents):
    """Documents, one a line."""
    return "".join(json.dumps(document) + "\n" for document in documents).encode()


def replay(content, *options):
    """Exit status, alerts and standard error, in this process."""
    status, output, errors = call("replay", "-", *options, content=content)
    return status, [json.loads(line) for line in output.splitlines()], errors


def cases_of(name):
    """The cases of a file, each with an event under its own id."""
    cases = [json.loads(line) for line in (DATA / name).read_text().splitlines()]
    return cases, lines_of(*({**case["event"], "event.id": case["id"]} for case in cases))


class TestAlerts:
    """What comes out for what goes in."""

    def test_one_line_an_alert(self):
        """An alert is one ECS document a line with its input's id; what no rule matches gives nothing."""
        status, (alert,), _ = replay(lines_of(ORDINARY, PRIVILEGED), "--rules", SEEDS)
        assert 0 == status
        assert "alert" == alert["event"]["kind"]
        assert "e-1" == alert["event"]["id"]
        assert "critical" == alert["hullwatch"]["severity"]
        assert ["T1609", "T1610", "T1611"] == alert["threat"]["technique"]["id"]

    def test_repeats_are_not_folded(self):
        """Every match is an alert."""
        _, alerts, errors = replay(lines_of(*[PRIVILEGED] * 23), "--rules", SEEDS)
        assert 23 == len(alerts)
        assert "23 events, 23 alerts\n" == errors

    def test_nothing_is_added(self):
        """What the event does not say of its node and user stays unsaid."""
        _, (alert,), _ = replay(lines_of(PRIVILEGED), "--rules", SEEDS)
        assert {"host", "user", "container"}.isdisjoint(alert)

    def test_silenced(self, tmp_path):
        """What a filter silences is no alert, and is counted."""
        write_rule(tmp_path)
        (tmp_path / "filter.yml").write_text(
            "title: Quiet\nid: quiet\nlogsource: {category: process_creation, product: linux}\n"
            "filter:\n    rules: [docker]\n    known: {CommandLine|contains: alpine}\n    condition: not known\n"
        )
        status, alerts, errors = replay(lines_of(PRIVILEGED), "--rules", tmp_path)
        assert (0, []) == (status, alerts)
        assert "1 events, 0 alerts, 1 silenced by filters\n" == errors

    @pytest.mark.parametrize("log", AUDIT_IDS)
    def test_audit_logs(self, log, tmp_path):
        """Of a recorded audit log each whole event gives its alert, under audit's own id."""
        (tmp_path / "any.eql").write_text("process where process.executable != null")
        status, output, _ = call("replay", DATA / "audit" / f"{log}.log", "--rules", tmp_path)
        assert 0 == status
        assert AUDIT_IDS[log] == [json.loads(line)["event"]["id"] for line in output.splitlines()]

    def test_eql_cases(self):
        """The cases of both EQL queries give the expected answer through the whole command."""
        cases, content = cases_of("eql.jsonl")
        _, alerts, _ = replay(content, "--rules", SEEDS)
        matched = {(alert["event"]["id"], rule["id"]) for alert in alerts for rule in alert["hullwatch"]["matched"]}
        rules = {
            "rule_A_linux": "b5b1c1ae-35c2-4a4c-8a3c-0e5d8f0a6d51",
            "rule_B_d4c": "seed_runtime_cli_arguments_exec",
        }
        expected = {
            (case["id"], rules[name]) for case in cases for name, expected in case["expect"].items() if expected
        }
        assert expected
        assert expected == {pair for pair in matched if pair[1] in rules.values()}

    def test_cql_cases(self):
        """The cases of the LogScale query give the expected severity through the whole command."""
        cases, content = cases_of("cql.jsonl")
        _, alerts, _ = replay(content, "--rules", SEEDS)
        severities = {
            alert["event"]["id"]: rule["severity"]
            for alert in alerts
            for rule in alert["hullwatch"]["matched"]
            if rule["id"] == "seed-deploy-container-cql"
        }
        expected = {case["id"]: case["expect"].lower() for case in cases if case["expect"] != "dropped"}
        assert expected
        assert expected == severities


class TestInput:
    """What can and cannot be read."""

    def test_lines_that_cannot_be_read(self):
        """They are told with their number and counted; the others are read, and the exit status stays 0."""
        content = b'{"a"\n' + lines_of(PRIVILEGED) + b'{"process.pid": "x"}\n'
        status, alerts, errors = replay(content, "--rules", SEEDS)
        assert (0, 1) == (status, len(alerts))
        first, second, last = errors.splitlines()
        assert first.startswith("-: line 1: not JSON")
        assert "-: line 3: 'process.pid' is not a whole number: 'x'." == second
        assert "1 events, 1 alerts, 2 could not be read" == last

    def test_format(self):
        """A format that is asked for is not guessed."""
        _, alerts, errors = replay(lines_of(PRIVILEGED), "--rules", SEEDS, "--format", "audit")
        assert [] == alerts
        assert "line 1" in errors

    @pytest.mark.parametrize(
        "arguments",
        [
            ("/nonexistent",),
            (DATA,),
            ("-", "--rules", "/nonexistent"),
            ("-", "--config", "/nonexistent"),
            ("-", "--root", "/nonexistent"),
            ("-", "--format", "xml"),
        ],
    )
    def test_unusable(self, arguments):
        """Input, rules and configuration that are not there end it with 2 and a sentence."""
        status, output, errors = call("replay", *arguments)
        assert (2, "") == (status, output)
        assert "Traceback" not in errors
        assert errors

    def test_broken_rules(self, tmp_path):
        """The good rules work, the broken ones are told."""
        write_rule(tmp_path)
        (tmp_path / "broken.eql").write_text("process where")
        status, alerts, errors = replay(lines_of(PRIVILEGED), "--rules", tmp_path)
        assert (0, 1) == (status, len(alerts))
        assert f"{tmp_path}/broken.eql:1" in errors

    def test_only_broken_rules(self, tmp_path):
        """Without one good rule silence would mean nothing: it ends with 2."""
        (tmp_path / "broken.eql").write_text("process where")
        status, output, errors = call("replay", "-", "--rules", tmp_path)
        assert (2, "") == (status, output)
        assert "hullwatch: no rule can be used" == errors.splitlines()[-1]

    def test_configured_rules(self, tmp_path):
        """Without --rules those of the configuration hold."""
        write_rule(tmp_path, level="low")
        config = tmp_path / "hullwatch.toml"
        config.write_text(f'rules = ["{tmp_path}"]\n')
        _, (alert,), _ = replay(lines_of(PRIVILEGED), "--config", config)
        assert "low" == alert["hullwatch"]["severity"]


class TestStreams:
    """Pipes and terminals."""

    def test_no_privilege(self):
        """A user who may do nothing replays."""
        status, output, _ = hullwatch_as_nobody("replay", "-", "--rules", SEEDS, content=lines_of(PRIVILEGED))
        assert (0, 1) == (status, len(output.splitlines()))

    def test_an_alert_does_not_wait(self):
        """An alert is there before the next line comes."""
        command = [SCRIPT, "replay", "-", "--rules", SEEDS]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            process.stdin.write(lines_of(PRIVILEGED))
            process.stdin.flush()
            assert "e-1" == json.loads(process.stdout.readline())["event"]["id"]
            process.stdin.close()
            assert 0 == process.wait(10)

    def test_a_reader_that_leaves(self, tmp_path):
        """Where nobody reads on, it ends without a word."""
        file = tmp_path / "events"
        file.write_bytes(lines_of(*[PRIVILEGED] * 2000))
        command = [SCRIPT, "replay", file, "--rules", SEEDS]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            process.stdout.close()
            assert b"" == process.stderr.read()
            assert 1 == process.wait(10)

    def test_a_full_disk(self):
        """Output that cannot be written is an error, in one sentence."""
        with open("/dev/full", "wb") as full:
            command = [SCRIPT, "replay", "-", "--rules", SEEDS]
            done = subprocess.run(
                command, input=lines_of(PRIVILEGED), stdout=full, stderr=subprocess.PIPE, check=False, timeout=60
            )
        assert (2, b"hullwatch: No space left on device\n") == (done.returncode, done.stderr)

    @pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
    def test_closed_streams(self, closed):
        """A standard stream that is closed is as good as /dev/null."""
        command = f"exec '{SCRIPT}' replay - --rules '{SEEDS}' {closed}"
        done = subprocess.run(["sh", "-c", command], input=b"", capture_output=True, check=False, timeout=60)
        assert 0 == done.returncode
        assert b"Traceback" not in done.stderr

    def test_text(self):
        """An alert as text is one line, and nothing in it acts on a terminal."""
        hostile = {**PRIVILEGED, "process.command_line": "docker --privileged \x1b]0;x\x07\n\u202e"}
        status, output, _ = call("replay", "-", "--rules", SEEDS, "--output", "text", content=lines_of(hostile))
        assert 0 == status
        assert output.endswith("\n")
        assert output[:-1].isprintable()
        assert "critical" in output

    def test_terminal(self, tmp_path):
        """On a terminal alerts are text, and a long replay shows how far it is; the bar is gone at the end."""
        file = tmp_path / "events"
        file.write_bytes(lines_of(ORDINARY) * 1000 + lines_of(PRIVILEGED))
        shown = run_on_terminal("replay", file, "--rules", SEEDS)
        assert re.search(r"\r\[#+ +\] +[0-9]+%", shown)
        assert "[critical" in re.sub(r"\x1b\[[0-9]+m", "", shown)
        last = shown.rpartition("\x1b[K")[2]
        assert "1001 events, 1 alerts" in last
        assert "%" not in last

    def test_no_progress_of_a_pipe(self):
        """Where the end is not known there is no bar."""
        shown = run_on_terminal("replay", "-", "--rules", SEEDS, content=lines_of(ORDINARY))
        assert "%" not in shown


def run_on_terminal(*arguments, content=b""):
    """What a command shows where standard output and error are one terminal, and every replay is a long one."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, b"\x18\x00\x50\x00\x00\x00\x00\x00")
    command = [sys.executable, "-c", IMPATIENT, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=follower, stderr=follower) as process:
        os.close(follower)
        process.stdin.write(content)
        process.stdin.close()
        shown = b""
        while part := read_terminal(leader):
            shown += part
        assert 0 == process.wait(60)
    os.close(leader)
    return shown.decode()


def read_terminal(leader):
    """What comes next; nothing when the other side is closed, which Linux tells as EIO."""
    try:
        return os.read(leader, 65536)
    except OSError:
        return b""
