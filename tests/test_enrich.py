"""What the node adds to events; against this machine's own /proc."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from agent.enrich import Enricher
from agent.event import Container, File, Parent
from agent.procfs import read_arguments, read_cgroup, read_executable, read_stat, to_ticks
from tests.events import make_exec, make_process

PROC = Path("/proc")
ID = "0123456789abcdef" * 4
TICK_NS = 10_000_000


@pytest.fixture
def child():
    """A living process with six arguments."""
    command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", "x" * 5000, b"\xff", ""]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # it has become another program, not this one's fork
        yield process.pid
        process.kill()


@pytest.fixture
def large_child():
    """A living process with 2.4 MB of arguments; they may be as long as a quarter of the stack."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, hard))
    try:
        command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", *["x" * 120_000] * 20]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            yield process.pid
            process.kill()
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))


@pytest.fixture
def enricher():
    """An enricher for this node."""
    return Enricher(PROC, Path("/"))


def start_of(pid):
    """When a process started, as a sensor would tell: finer than /proc."""
    return read_stat(PROC, pid).start_ticks * TICK_NS + 1_234_567


def cut_exec(pid, /, **members):
    """The event of a process whose arguments the sensor cut."""
    *seen, _ = read_arguments(PROC, pid)[:4]
    event = make_exec(
        sys.executable,
        (*(argument.decode() for argument in seen), "xxx"),
        pid=pid,
        start_ns=start_of(pid),
        args_count=6,
        file=File(dev=0, inode=os.stat(f"/proc/{pid}/exe").st_ino),
        truncated=("args", "working_directory"),
    )
    return msgspec.structs.replace(event, process=msgspec.structs.replace(event.process, **members))


class TestUser:
    """The name of a user."""

    def test_name(self, enricher):
        """A user id has its name; one without stays without; a name that is there stays."""
        uids = [(0, None), (4_000_000_000, None), (0, "me")]
        events = [make_exec(uid=uid, user_name=name) for uid, name in uids]
        assert ["root", None, "me"] == [enricher.enrich(event).process.user_name for event in events]


class TestArguments:
    """Arguments that the sensor cut."""

    def test_completed(self, enricher, child):
        """While the process lives they are completed, bytes and empty ones included."""
        process = enricher.enrich(cut_exec(child)).process
        assert ("x" * 5000, "\\xff", "") == process.args[3:]
        assert ("x" * 5000).encode() == process.raw_args[3]
        assert " ".join(process.args) == process.command_line
        assert ("working_directory",) == process.truncated

    def test_unreadable(self, enricher, child):
        """Arguments of which the sensor saw nothing are read as well."""
        event = cut_exec(child, args=None, command_line=None, truncated=(), unavailable=("args",))
        process = enricher.enrich(event).process
        assert (6, ()) == (len(process.args), process.unavailable)

    @pytest.mark.parametrize(
        "members",
        [
            {"start_ns": 5},
            {"file": File(dev=0, inode=1)},
            {"file": None},
            {"args": ("other", "arguments")},
            {"args_count": 7},
            {"pid": 2**22 + 1},
            {"pid": None},
        ],
    )
    def test_not_completed(self, enricher, child, members):
        """Of another process, another program, or with another beginning they are not taken; the flag stays."""
        event = cut_exec(child, **members)
        assert event.process == enricher.enrich(event).process

    def test_too_long(self, enricher, large_child):
        """Arguments beyond 2 MiB stay cut: what is read of a process is bounded."""
        inode = os.stat(f"/proc/{large_child}/exe").st_ino
        event = make_exec(
            args=(sys.executable, "-c"),
            pid=large_child,
            start_ns=start_of(large_child),
            args_count=23,
            file=File(dev=0, inode=inode),
            truncated=("args",),
        )
        assert event.process == enricher.enrich(event).process


class TestParent:
    """What the sensor did not know of the parent."""

    def test_arguments(self, enricher):
        """A parent that still is the same process and program gives its arguments."""
        pid = os.getpid()
        given = Parent(pid=pid, start_ns=start_of(pid), executable=read_executable(PROC, pid))
        parent = enricher.enrich(_with_parent(given)).parent
        assert tuple(argument.decode() for argument in read_arguments(PROC, pid)) == parent.args
        assert " ".join(parent.args) == parent.command_line
        assert os.path.basename(parent.executable) == parent.name

    @pytest.mark.parametrize("members", [{"start_ns": 5}, {"executable": "/bin/other"}, {"pid": 2**22 + 1}])
    def test_other_process(self, enricher, members):
        """A process that took its number, or another program, gives nothing."""
        pid = os.getpid()
        given = Parent(**{"pid": pid, "start_ns": start_of(pid), "executable": read_executable(PROC, pid), **members})
        assert enricher.enrich(_with_parent(given)).parent.args is None

    def test_without_start(self, enricher, child):
        """Where no start is known, the living child tells that this is its parent."""
        given = Parent(pid=os.getpid())
        parent = enricher.enrich(_with_parent(given, pid=child)).parent
        assert read_executable(PROC, os.getpid()) == parent.executable
        assert read_stat(PROC, os.getpid()).comm == parent.comm
        assert given == enricher.enrich(_with_parent(given, pid=2**22 + 1)).parent
        assert given == enricher.enrich(_with_parent(given, pid=1)).parent
        grandparent = Parent(pid=os.getppid())
        assert grandparent == enricher.enrich(_with_parent(grandparent, pid=child)).parent

    def test_name(self, enricher):
        """A name follows from the executable."""
        assert "bash" == enricher.enrich(_with_parent(Parent(pid=2**22 + 1, executable="/bin/bash"))).parent.name


def _with_parent(parent, **members):
    return msgspec.structs.replace(make_exec(), parent=parent, process=make_process(**members))


class TestContainer:
    """The container of a process."""

    def test_cgroup(self, enricher):
        """It follows from the cgroup that the sensor saw."""
        event = make_exec(cgroup=f"/system.slice/docker-{ID}.scope", pid=2**22 + 1)
        assert Container(id=ID, runtime="docker") == enricher.enrich(event).container

    def test_no_container(self, enricher):
        """A process of the node has none, and a container that is known stays."""
        assert enricher.enrich(make_exec(cgroup="/system.slice/sshd.service")).container is None
        known = Container(id="x")
        assert known == enricher.enrich(make_exec(container=known, cgroup=f"/docker/{ID}")).container

    @pytest.mark.parametrize("cgroup", [None, "/"])
    def test_hybrid(self, tmp_path, cgroup):
        """Where the sensor saw no more than the root, /proc tells; but only of the same process."""
        (tmp_path / "7").mkdir()
        (tmp_path / "7/stat").write_text(f"7 (a ) b) S 1 {'0 ' * 17}42 0\n")
        (tmp_path / "7/cgroup").write_text(f"4:memory:/docker/{ID}\n0::/\n")
        enrich = Enricher(tmp_path, tmp_path).enrich
        assert (
            Container(id=ID, runtime="docker")
            == enrich(make_exec(pid=7, start_ns=42 * TICK_NS + 9, cgroup=cgroup)).container
        )
        assert enrich(make_exec(pid=7, start_ns=43 * TICK_NS, cgroup=cgroup)).container is None
        assert enrich(make_exec(pid=8, start_ns=42 * TICK_NS, cgroup=cgroup)).container is None

    def test_names(self, tmp_path):
        """The node's container logs add names."""
        logs = tmp_path / "var/log/containers"
        logs.mkdir(parents=True)
        (logs / f"web-0_shop_nginx-{ID}.log").touch()
        container = Enricher(tmp_path, tmp_path).enrich(make_exec(cgroup=f"/docker/{ID}")).container
        assert ("web-0", "shop", "nginx") == (container.pod_name, container.namespace, container.name)


class TestRecorded:
    """A recorded event."""

    def test_left_alone(self, enricher, child):
        """This node's users and processes are not its own; its cgroup path is."""
        event = cut_exec(child, user_name=None, cgroup=f"/docker/{ID}")
        event = msgspec.structs.replace(event, origin="replay")
        enriched = enricher.enrich(event)
        assert (event.process, event.parent) == (enriched.process, enriched.parent)
        assert Container(id=ID, runtime="docker") == enriched.container


class TestProc:
    """Reading /proc."""

    def test_this_process(self):
        """What it says of this process is right."""
        pid = os.getpid()
        stat = read_stat(PROC, pid)
        assert os.getppid() == stat.parent_pid
        assert to_ticks(start_of(pid)) == stat.start_ticks
        assert "0::/" in read_cgroup(PROC, pid) or ":" in read_cgroup(PROC, pid)

    def test_vanished(self):
        """A process that is gone gives nothing."""
        assert [None] * 4 == [
            read(PROC, 2**22 + 1) for read in (read_stat, read_arguments, read_cgroup, read_executable)
        ]

    @pytest.mark.parametrize("content", ["", "7", "7 (x", "7 (x) S", "7 (x) S y" + " 0" * 20])
    def test_damaged(self, tmp_path, content):
        """A file of another form gives nothing."""
        (tmp_path / "7").mkdir()
        (tmp_path / "7/stat").write_text(content)
        assert read_stat(tmp_path, 7) is None
