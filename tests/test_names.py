"""Sigma's and CrowdStrike's names."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ecs import parse_document
from agent.names import split_command_line

SIGMA = {
    "Image": "/usr/bin/docker",
    "CommandLine": "docker run -e 'A=b c' alpine",
    "CurrentDirectory": "/root",
    "ProcessId": "42",
    "ParentImage": "/bin/bash",
    "ParentCommandLine": "bash -l",
    "User": "root",
    "LogonId": "1000",
    "UtcTime": "2026-01-01 00:00:00.123",
}
FALCON = {
    "#event_simpleName": "ProcessRollup2",
    "ImageFileName": "/usr/bin/docker",
    "CommandHistory": "docker ps",
    "ParentBaseFileName": "bash",
    "TargetProcessId": "139911111111111",
    "RawProcessId": "42",
    "UID": "0",
    "UserName": "root",
    "ComputerName": "node-1",
    "ContextTimeStamp": "1767225600.123",
}


class TestSigma:
    """A document in Sysmon's names."""

    def test_members(self):
        """Each name lands in its member, name and arguments follow."""
        event = parse_document(SIGMA)
        process, parent = event.process, event.parent
        assert ("/usr/bin/docker", "docker", "/root", 42) == (
            process.executable,
            process.name,
            process.working_directory,
            process.pid,
        )
        assert ("docker", "run", "-e", "A=b c", "alpine") == process.args
        assert "docker run -e 'A=b c' alpine" == process.command_line
        assert ("/bin/bash", "bash", ("bash", "-l")) == (parent.executable, parent.name, parent.args)
        assert ("root", 1000, 1_767_225_600_123_000_000) == (process.user_name, process.login_uid, event.time_ns)

    def test_nothing_guessed(self):
        """What only an ECS document would say stays absent."""
        assert {"@timestamp"} == set(parse_document(SIGMA).fields)


class TestFalcon:
    """A document in CrowdStrike's names."""

    def test_members(self):
        """Each name lands in its member or field, name and arguments follow."""
        event = parse_document(FALCON)
        process = event.process
        assert ("/usr/bin/docker", "docker", ("docker", "ps")) == (process.executable, process.name, process.args)
        assert ("bash", 0, "root") == (event.parent.name, process.uid, process.user_name)
        assert "node-1" == event.fields["host.name"]
        assert 1_767_225_600_123_000_000 == event.time_ns

    @pytest.mark.parametrize("name", ["event_simpleName", "#event_simpleName"])
    def test_event_name(self, name):
        """The event's name is what the document says, under its plain name."""
        assert "DnsRequest" == parse_document({name: "DnsRequest"}).fields["event_simpleName"]

    def test_exact_name_wins(self):
        """The kernel's process id is taken rather than the sensor's, a command line rather than a history."""
        event = parse_document({**FALCON, "CommandLine": "docker run x"})
        assert (42, "docker run x") == (event.process.pid, event.process.command_line)
        assert "docker ps" == event.fields["CommandHistory"]


class TestMixed:
    """Foreign and ECS names in one document."""

    def test_ecs_wins(self):
        """An ECS name keeps its value, and nothing is derived from it."""
        event = parse_document({"process.executable": "/bin/a", "Image": "/bin/b"})
        assert ("/bin/a", None) == (event.process.executable, event.process.name)


class TestSplitCommandLine:
    """A command line becomes arguments."""

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("docker  run\tx\n", ("docker", "run", "x")),
            ("sh -c 'docker run x'", ("sh", "-c", "docker run x")),
            ('a "" b\\ c', ("a", "", "b c")),
            ("echo it's", ("echo", "it's")),
            ("a\u00a0b", ("a\u00a0b",)),
            ("", ()),
        ],
    )
    def test_forms(self, line, expected):
        """As a shell would, and at spaces only where a quote is not closed."""
        assert expected == split_command_line(line)

    @given(st.text(st.sampled_from("a '\"\\\n"), max_size=30))
    @settings(max_examples=200, deadline=None)
    def test_any_text(self, line):
        """Any text gives arguments."""
        assert all(isinstance(part, str) for part in split_command_line(line))
