"""Audit records put together into events."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.event import File
from agent.sensors.audit_records import AuditAssembler

DATA = Path(__file__).parent / "data" / "audit"
HEADER = "msg=audit(1767225600.123:7):"
CALL = (
    f"type=SYSCALL {HEADER} arch=c000003e syscall=59 success=yes exit=0 items=1 ppid=1 pid=2 auid=4294967295"
    ' uid=0 euid=0 tty=pts1 ses=4294967295 comm="a" exe="/a" key=(null)'
)


def assemble(lines):
    """The events of some lines, and what was lost."""
    assembler = AuditAssembler()
    events = [event for line in lines for event in assembler.feed(line)]
    return events + assembler.flush(), dict(assembler.lost)


def load(name):
    """The lines of a log; str.splitlines would end one at auditd's 0x1d."""
    return (DATA / name).read_text().split("\n")


def exec_with(arguments):
    """The one event of a call with such an EXECVE record, and what was lost."""
    (event,), lost = assemble([CALL, f"type=EXECVE {HEADER} {arguments}"])
    return event, lost


class TestPlainLog:
    """A log as auditd 3 writes it on Ubuntu 22.04."""

    def test_events(self):
        """Successful execs are events; failed ones, other calls and other records are not."""
        events, lost = assemble(load("ubuntu-5.15.log"))
        assert [("docker", "24287"), ("dash", "24290")] == [
            (event.process.name, event.id.split(":")[1]) for event in events
        ]
        assert {"incomplete": 0, "malformed": 0} == lost

    def test_binary(self):
        """Every record adds its part."""
        event = assemble(load("ubuntu-5.15.log"))[0][0]
        process = event.process
        assert ("1767225600.123:24287", 1_767_225_600_123_000_000) == (event.id, event.time_ns)
        assert ("docker", "run", "--privileged", "-v", "/:/host", "alpine") == process.args
        assert "docker run --privileged -v /:/host alpine" == process.command_line
        assert ("/usr/bin/docker", "docker", "/root", 6) == (
            process.executable,
            process.comm,
            process.working_directory,
            process.args_count,
        )
        assert (3538, 2686, 0, 0, 0, 1000, 3, (136, 0)) == (
            process.pid,
            event.parent.pid,
            process.uid,
            process.gid,
            process.euid,
            process.login_uid,
            process.session_id,
            process.tty,
        )
        assert File(dev=os.makedev(0xFD, 1), inode=1311, mode=0o100755) == process.file
        assert ("/usr/bin/docker", None) == (process.filename, process.interpreter)
        assert ("audit", "live", "auditd") == (event.sensor, event.origin, event.fields["event.module"])

    def test_script(self):
        """A script is what was asked for, its interpreter what runs; nobody logged in is absent."""
        event = assemble(load("ubuntu-5.15.log"))[0][1]
        process = event.process
        assert ("/usr/bin/dash", "./start.sh", "/bin/sh", 77) == (
            process.executable,
            process.filename,
            process.interpreter,
            process.file.inode,
        )
        assert ("/bin/sh", "./start.sh", "a b", "") == process.args
        assert ("/srv/my app", None, None, None) == (
            process.working_directory,
            process.login_uid,
            process.session_id,
            process.tty,
        )


class TestEnrichedLog:
    """A log as auditd writes it with names for numbers, forwarded with the node's name."""

    def test_names(self):
        """The node and the user are told by the log; a user without a name stays without."""
        first, second = assemble(load("rhel9-enriched.log"))[0]
        assert ("worker-3.example.org", "root", None) == (
            first.fields["host.name"],
            first.process.user_name,
            second.process.user_name,
        )
        assert ("podman", "exec", "-it", "web", "sh") == first.process.args

    def test_memfd(self):
        """An executable without a file is known as such; bytes that are not UTF-8 are kept."""
        process = assemble(load("rhel9-enriched.log"))[0][1].process
        assert ("/memfd:x", True, True) == (process.executable, process.deleted, process.memfd)
        assert ("ctr", "caf\\xe9") == process.args
        assert (b"ctr", b"caf\xe9") == process.raw_args


class TestInterleavedLog:
    """Records of two processors, of a kernel without PROCTITLE records."""

    def test_split_arguments(self):
        """Long arguments come in pieces and further records, quoted or hex."""
        events, lost = assemble(load("centos7-interleaved.log"))
        args = {event.process.name: event.process.args for event in events}
        assert ("runc", "-v=/" + "x" * 9000, "spaced " * 1500, "end") == args["runc"]
        assert ("nsenter", "-t1", "-m") == args["busybox"]
        assert {"incomplete": 0, "malformed": 0} == lost

    @pytest.mark.parametrize("name", ["ubuntu-5.15.log", "rhel9-enriched.log", "centos7-interleaved.log"])
    @pytest.mark.parametrize("seed", range(5))
    def test_any_order(self, name, seed):
        """The order of the records does not matter."""
        lines = load(name)
        expected = assemble(lines)
        random.Random(seed).shuffle(lines)
        events, lost = assemble(lines)
        assert sorted(expected[0], key=lambda event: event.id) == sorted(events, key=lambda event: event.id)
        assert expected[1] == lost


class TestIncomplete:
    """What is missing is told."""

    def test_missing_records(self):
        """Without its call an exec is no event; without arguments, or with a gap in them, it says so."""
        events, lost = assemble(load("incomplete.log"))
        assert [("ctr", ("ctr", "run", "x"), ("args",), ()), ("kubectl", None, (), ("args",))] == [
            (event.process.name, event.process.args, event.process.truncated, event.process.unavailable)
            for event in events
        ]
        assert {"incomplete": 3, "malformed": 2} == lost

    @pytest.mark.parametrize(
        "arguments",
        [
            'argc=3 a0="x" a1="y"',
            'argc=2 a0="x" a2="y"',
            'argc=1 a0_len=9 a0[0]="xxxx"',
            'argc=1 a0_len=8 a0[0]="xxxx" a0[2]="xxxx"',
            'argc=2 a0="x" a1=(null)',
            'a0="x"',
        ],
    )
    def test_missing_arguments(self, arguments):
        """Any argument or piece that is missing counts."""
        event, lost = exec_with(arguments)
        assert ("args",) == event.process.truncated
        assert 1 == lost["incomplete"]

    def test_absurd_count(self):
        """A count that no memory could hold costs none."""
        event, _ = exec_with('argc=9999999999999999999 a0="x" a9999999="y"')
        assert (("x", "y"), ("args",)) == (event.process.args, event.process.truncated)


class TestEndOfEvent:
    """When an event is complete."""

    ARGUMENTS = f'type=EXECVE {HEADER} argc=1 a0="a"'
    REST = (f'type=CWD {HEADER} cwd="/"', f'type=PATH {HEADER} item=0 name="/a"')

    def test_end_record(self):
        """The record that says so ends it, whatever is missing."""
        assembler = AuditAssembler()
        assert [] == assembler.feed(CALL)
        assert 1 == len(assembler.feed(f"type=EOE {HEADER} "))
        assert [] == assembler.flush()

    def test_title(self):
        """The last record of auditd's log ends it."""
        assembler = AuditAssembler()
        assert [] == [event for line in (CALL, self.ARGUMENTS, *self.REST) for event in assembler.feed(line)]
        assert 1 == len(assembler.feed(f'type=PROCTITLE {HEADER} proctitle="a"'))

    def test_title_too_early(self):
        """While something is missing, it does not."""
        assembler = AuditAssembler()
        title = f'type=PROCTITLE {HEADER} proctitle="a"'
        assert [] == [event for line in (CALL, *self.REST, title, self.ARGUMENTS) for event in assembler.feed(line)]
        assert ("a",) == assembler.flush()[0].process.args

    def test_newer_events(self):
        """Sixty-four newer events end it too."""
        assembler = AuditAssembler()
        assembler.feed(CALL)
        newer = [CALL.replace(":7)", f":{serial})") for serial in range(8, 72)]
        assert [0] * 63 + [1] == [len(assembler.feed(line)) for line in newer]

    def test_serials_of_two_nodes(self):
        """Two nodes may use the same serial at the same time."""
        events, _ = assemble([f"node={node} {CALL}" for node in ("n1", "n2")])
        assert ["n1", "n2"] == [event.fields["host.name"] for event in events]


class TestCalls:
    """Which calls are execs."""

    @pytest.mark.parametrize(
        ("arch", "number"),
        [("c000003e", 322), ("40000003", 11), ("40000003", 358), ("c00000b7", 221), ("c00000b7", 281)],
    )
    def test_exec_calls(self, arch, number):
        """execve and execveat of each architecture, even with their arguments lost."""
        line = CALL.replace("c000003e", arch).replace("syscall=59", f"syscall={number}")
        assert 1 == len(assemble([line])[0])

    def test_other_call(self):
        """A number means something else on another architecture; an EXECVE record makes any call an exec."""
        line = CALL.replace("syscall=59", "syscall=221")
        assert 0 == len(assemble([line])[0])
        assert 1 == len(assemble([line, f'type=EXECVE {HEADER} argc=1 a0="a"'])[0])

    @pytest.mark.parametrize("success", ["success=no", ""])
    def test_failure(self, success):
        """A call that did not succeed, or does not say so, is no event and no loss."""
        line = CALL.replace("success=yes", success)
        assert ([], {"incomplete": 0, "malformed": 0}) == assemble([line, f'type=EXECVE {HEADER} argc=1 a0="a"'])

    def test_kernel_form(self):
        """Records as the kernel sends them, by number and without auditd's word."""
        lines = [
            CALL.replace("type=SYSCALL msg=", "type=1300 "),
            'type=1309 audit(1767225600.123:7): argc=1 a0="a"',
            "type=1320 audit(1767225600.123:7): ",
        ]
        assert ("a",) == assemble(lines)[0][0].process.args

    @pytest.mark.parametrize(
        ("name", "device"),
        [("pts300", (137, 44)), ("tty1", (4, 1)), ("ttyS0", (4, 64)), ("(none)", None), ("pts", None)],
    )
    def test_terminal(self, name, device):
        """A terminal's name tells its numbers."""
        assert device == assemble([CALL.replace("pts1", name)])[0][0].process.tty


class TestForgery:
    """Text that an attacker chose."""

    def test_record_in_a_record(self):
        """What looks like a record inside another is part of that."""
        text = b'x" a1="y\ntype=SYSCALL msg=audit(1.0:1): success=yes'
        event, _ = exec_with(f"argc=1 a0={text.hex().upper()}")
        assert (text.decode(),) == event.process.args
        events, lost = assemble([f"type=USER_CMD {HEADER} msg='{CALL}'", f"Jan 1 sshd: {CALL}"])
        assert ([], 1) == (events, lost["malformed"])

    @given(st.lists(st.sampled_from(CALL.split() + load("incomplete.log")) | st.text(max_size=30), max_size=12))
    @settings(max_examples=200, deadline=None)
    def test_any_lines(self, parts):
        """Any text gives events or is counted, never an exception."""
        assemble(["".join(parts), " ".join(parts), *parts])

    @given(st.data())
    @settings(max_examples=150, deadline=None)
    def test_damaged_log(self, data):
        """A log with any characters replaced still gives events of valid text."""
        name = data.draw(st.sampled_from(["ubuntu-5.15.log", "rhel9-enriched.log", "incomplete.log"]))
        text = (DATA / name).read_text()
        for _ in range(data.draw(st.integers(1, 5))):
            at = data.draw(st.integers(0, len(text)))
            text = text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 3)) :]
        for event in assemble(text.split("\n"))[0]:
            " ".join(event.process.args or ()).encode()
