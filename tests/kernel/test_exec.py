"""The traps of reading an exec, each provoked on the running kernel."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest

from agent.sensors.core import open_core
from tests.kernel.conftest import eventually, marked, run_python

pytestmark = pytest.mark.kernel

TRUE = os.path.realpath("/bin/true")


class TestArguments:
    """The argv that the program got, whatever its caller did with the memory."""

    def test_reads_an_argument_whose_page_is_not_resident(self, sensor, mark, tmp_path):
        """Path and argument lie in a file mapping that nothing has touched: a probe at syscall entry reads nothing."""
        (tmp_path / "page").write_bytes(b"/bin/true\0" + mark.encode() + b"\0" + bytes(4096))
        run_python(
            """
            import ctypes, mmap, sys
            libc = ctypes.CDLL(None)
            libc.mmap.restype = ctypes.c_void_p
            file = open(sys.argv[1], "rb")
            size, offset = ctypes.c_size_t(4096), ctypes.c_long(0)
            page = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_PRIVATE, file.fileno(), offset)
            argv = (ctypes.c_void_p * 3)(page, page + 10, None)
            libc.execve(ctypes.c_void_p(page), argv, None)
            """,
            str(tmp_path / "page"),
        )
        (event,) = marked(sensor, mark)
        assert ("/bin/true", mark) == event.process.args
        assert "/bin/true" == event.process.filename

    def test_keeps_empty_arguments(self, sensor, mark):
        """An empty argument counts, also as the last."""
        subprocess.run(["/bin/true", "", mark, "", ""], check=True)
        (event,) = marked(sensor, mark)
        assert ("/bin/true", "", mark, "", "") == event.process.args
        assert 5 == event.process.args_count

    def test_reports_an_exec_without_arguments(self, sensor, tmp_path):
        """Since 5.18 the kernel puts an empty argv[0] where the caller gave none."""
        program = tmp_path / "noargs"
        shutil.copy(TRUE, program)
        run_python(
            """
            import ctypes, sys
            ctypes.CDLL(None).execve(sys.argv[1].encode(), (ctypes.c_char_p * 1)(None), None)
            """,
            str(program),
        )
        event = eventually(lambda: [e for e in sensor.poll(0.05) if e.process.executable == str(program)])[0]
        assert event.process.args in ((), ("",))
        assert len(event.process.args) == event.process.args_count

    def test_keeps_bytes_that_are_no_text(self, sensor, mark):
        """Invalid UTF-8 reads as escapes, and the original bytes stay at hand; line ends are kept as they are."""
        subprocess.run([b"/bin/true", mark.encode() + b"\xff\xfe", "a\nb\x1b[31m\té".encode()], check=True)
        (event,) = marked(sensor, mark)
        assert ("/bin/true", mark + r"\xff\xfe", "a\nb\x1b[31m\té") == event.process.args
        assert (b"/bin/true", mark.encode() + b"\xff\xfe", "a\nb\x1b[31m\té".encode()) == event.process.raw_args

    @pytest.mark.parametrize("size", [4095, 4096, 4097, 31 * 1024])
    def test_carries_long_arguments_whole(self, sensor, mark, size):
        """Up to 32 KiB of argv come with the record."""
        subprocess.run(["/bin/true", mark + "x" * size, "end"], check=True)
        (event,) = marked(sensor, mark)
        assert ("/bin/true", mark + "x" * size, "end") == event.process.args
        assert () == event.process.truncated

    def test_flags_arguments_that_are_longer_still(self, sensor, mark):
        """200 KiB of argv are cut at 32 KiB, and the record says so."""
        subprocess.run(["/bin/true", mark, *["y" * 50_000] * 4], check=True)
        (event,) = marked(sensor, mark)
        assert ("args",) == event.process.truncated
        assert 6 == event.process.args_count
        assert 32768 == len("\0".join(event.process.args))

    def test_carries_many_arguments(self, sensor, mark):
        """Thousands of short arguments are split where they were."""
        args = ["/bin/true", mark, *map(str, range(5000))]
        subprocess.run(args, check=True)
        (event,) = marked(sensor, mark)
        assert tuple(args) == event.process.args


class TestWaysToExec:
    """Every system call and every kind of file ends in one record."""

    def test_exec_of_a_thread_that_is_not_the_leader(self, sensor, mark):
        """The thread takes over the leader's id; the record has both."""
        done = run_python(
            """
            import os, sys, threading
            print(os.getpid(), flush=True)
            threading.Thread(target=os.execv, args=("/bin/true", ["true", sys.argv[1]])).start()
            threading.Event().wait()
            """,
            mark,
        )
        events = marked(sensor, mark)
        assert 2 == len(events)  # the Python itself, then its thread's exec
        assert int(done.stdout) == events[-1].process.pid
        assert events[-1].process.thread_id not in (None, events[-1].process.pid)
        assert TRUE == events[-1].process.executable

    def test_execveat(self, sensor, mark, tmp_path):
        """A path relative to a directory descriptor is resolved by the kernel, not by us."""
        shutil.copy(TRUE, tmp_path / "tool")
        run_python(
            """
            import ctypes, os, platform, sys
            number = {"x86_64": 322, "aarch64": 281}[platform.machine()]
            folder = os.open(sys.argv[1], os.O_DIRECTORY)
            argv = (ctypes.c_char_p * 3)(b"tool", sys.argv[2].encode(), None)
            ctypes.CDLL(None).syscall(number, folder, b"tool", argv, None, 0)
            """,
            str(tmp_path),
            mark,
        )
        event = marked(sensor, mark)[-1]
        assert str(tmp_path / "tool") == event.process.executable
        assert ("tool", mark) == event.process.args

    def test_fexecve_from_memory(self, sensor, mark):
        """A memfd has no path; its name, its missing links and what was asked for tell."""
        run_python(
            """
            import os, sys
            fd = os.memfd_create("kubectl", 0)
            os.write(fd, open("/bin/true", "rb").read())
            os.execve(fd, ["docker", sys.argv[1]], {})
            """,
            mark,
        )
        event = marked(sensor, mark)[-1]
        assert "/memfd:kubectl" == event.process.executable
        assert event.process.memfd
        assert event.process.deleted
        assert 0 == event.process.file.links
        assert event.process.filename.startswith("/dev/fd/")

    def test_deleted_executable(self, sensor, mark, tmp_path):
        """A file that was unlinked while open keeps its last name and is told to be deleted."""
        shutil.copy(TRUE, tmp_path / "gone")
        run_python(
            """
            import os, sys
            fd = os.open(sys.argv[1], os.O_RDONLY)
            os.unlink(sys.argv[1])
            os.execve(fd, ["gone", sys.argv[2]], {})
            """,
            str(tmp_path / "gone"),
            mark,
        )
        event = marked(sensor, mark)[-1]
        assert str(tmp_path / "gone") == event.process.executable
        assert event.process.deleted
        assert not event.process.memfd

    def test_script(self, sensor, mark, tmp_path):
        """A script is known by its own name, by its interpreter and by the program that runs."""
        script = tmp_path / "tool.sh"
        script.write_text("#!/bin/sh -e\nexit 0\n")
        script.chmod(0o755)
        subprocess.run([script, mark], check=True)
        (event,) = marked(sensor, mark)
        assert os.path.realpath("/bin/sh") == event.process.executable
        assert str(script) == event.process.filename
        assert "/bin/sh" == event.process.interpreter
        assert ("/bin/sh", "-e", str(script), mark) == event.process.args

    def test_a_failed_exec_is_no_event(self, sensor, mark):
        """What never ran is not reported."""
        with pytest.raises(FileNotFoundError):
            subprocess.run(["/nonexistent/docker", mark], check=False)
        assert [] == marked(sensor, mark)

    def test_set_uid_bit_and_inode(self, sensor, mark, tmp_path):
        """The file is identified by what stat() says of it."""
        program = tmp_path / "setuid"
        shutil.copy(TRUE, program)
        program.chmod(0o4755)
        subprocess.run([program, mark], check=True)
        (event,) = marked(sensor, mark)
        told = event.process.file
        found = program.stat()
        assert (found.st_dev, found.st_ino, found.st_nlink) == (told.dev, told.inode, told.links)
        assert found.st_ctime_ns == told.ctime_ns
        assert found.st_mode == told.mode
        assert told.mode & stat.S_ISUID


class TestPaths:
    """Where the executable lies, as its own process sees it."""

    def test_chroot(self, sensor, mark, tmp_path):
        """Inside a chroot, paths begin at its root."""
        busybox = shutil.which("busybox")
        assert busybox, "needs busybox-static"
        (tmp_path / "bin").mkdir()
        shutil.copy(busybox, tmp_path / "bin" / "busybox")
        subprocess.run(["chroot", tmp_path, "/bin/busybox", "true", mark], check=True)
        event = marked(sensor, mark)[-1]
        assert "/bin/busybox" == event.process.executable
        assert "/" == event.process.working_directory

    def test_other_mount_and_pid_namespace(self, sensor, mark, tmp_path):
        """A pid is the one of the initial namespace; the namespaces tell where the process really is."""
        (tmp_path / "mounted").mkdir()
        shutil.copy(TRUE, tmp_path / "tool")
        script = f"mount --bind {tmp_path} {tmp_path}/mounted && exec {tmp_path}/mounted/tool {mark}"
        subprocess.run(["unshare", "--mount", "--pid", "--fork", "sh", "-c", script], check=True)
        event = marked(sensor, mark)[-1]
        assert f"{tmp_path}/mounted/tool" == event.process.executable
        assert event.process.pid > 1
        assert os.stat("/proc/self/ns/mnt").st_ino != event.process.namespaces.mount
        assert os.stat("/proc/self/ns/pid").st_ino != event.process.namespaces.pid
        assert os.stat("/proc/self/ns/user").st_ino == event.process.namespaces.user

    def test_mount_on_mount(self, sensor, mark, tmp_path):
        """Stacked mounts are crossed one by one."""
        inner = tmp_path / "a" / "b"
        inner.mkdir(parents=True)
        script = (
            f"mount -t tmpfs one {tmp_path}/a && mkdir {inner} && mount -t tmpfs two {inner} && mkdir {inner}/c && "
            f"cp /bin/true {inner}/c/tool && cd {inner}/c && exec ./tool {mark}"
        )
        subprocess.run(["unshare", "--mount", "sh", "-c", script], check=True)
        event = marked(sensor, mark)[-1]
        assert f"{inner}/c/tool" == event.process.executable
        assert f"{inner}/c" == event.process.working_directory

    def test_path_that_is_too_long_is_flagged(self, sensor, mark, tmp_path):
        """A walk that meets its limit keeps the end of the path and says so."""
        run_python(
            """
            import os, sys
            os.chdir(sys.argv[1])
            for _ in range(300):
                os.mkdir("d" * 20)
                os.chdir("d" * 20)
            os.execv("/bin/true", ["true", sys.argv[2]])
            """,
            str(tmp_path),
            mark,
        )
        event = marked(sensor, mark)[-1]
        assert ("working_directory",) == event.process.truncated
        assert event.process.working_directory.endswith("/" + "d" * 20)
        subprocess.run(["rm", "-rf", tmp_path], check=True)  # too deep for shutil


class TestProcessTree:
    """Who started it."""

    def test_parent_and_its_arguments(self, sensor, mark):
        """The parent's own argv comes from the kernel, also through a fork that did not exec."""
        subprocess.run(["bash", "-c", f"( /bin/true {mark}; : ); : says-{mark}"], check=True)
        events = marked(sensor, mark)
        assert ("/bin/true", mark) == events[-1].process.args
        parent = events[-1].parent
        assert os.path.realpath(shutil.which("bash")) == parent.executable
        assert ("bash", "-c", f"( /bin/true {mark}; : ); : says-{mark}") == parent.args
        assert os.getpid() in [ancestor.pid for ancestor in events[-1].ancestors]

    def test_parent_that_is_gone(self, sensor, mark):
        """A double fork leaves the reaper as parent; the record is complete all the same."""
        run_python(
            """
            import os, sys, time
            if os.fork() == 0:
                middle = os.getpid()
                if os.fork() == 0:
                    while os.getppid() == middle:
                        time.sleep(0.01)
                    os.execv("/bin/true", ["true", sys.argv[1]])
                os._exit(0)
            os.wait()
            """,
            mark,
        )
        event = eventually(lambda: [e for e in marked(sensor, mark) if e.process.executable == TRUE])[0]
        assert ("true", mark) == event.process.args
        assert event.parent.pid == event.ancestors[0].pid

    def test_identity_and_start_time(self, sensor, mark):
        """User, group and session are those of the process, and pid with start time is its identity."""
        subprocess.run(["/bin/true", mark], check=True, user=12345, group=23456, extra_groups=[])
        (event,) = marked(sensor, mark)
        assert (12345, 23456, 12345) == (event.process.uid, event.process.gid, event.process.euid)
        assert event.parent.start_ns < event.process.start_ns < event.boot_ns
        assert os.getpid() == event.parent.pid
        assert os.path.realpath(sys.executable) == event.parent.executable

    def test_terminal(self, sensor, mark):
        """A process on a terminal carries the terminal's device number."""
        run_python(
            """
            import os, pty, sys
            pid, fd = pty.fork()
            if pid == 0:
                os.execv("/bin/true", ["true", sys.argv[1]])
            os.waitpid(pid, 0)
            """,
            mark,
        )
        event = next(e for e in marked(sensor, mark) if e.process.executable == TRUE)
        assert 136 == event.process.tty[0]  # Unix98 pseudo-terminals

    def test_cgroup(self, sensor, mark):
        """The cgroup is read with the exec: also of a process that has ended long before anyone could look."""
        subprocess.run(["/bin/true", mark], check=True)
        (event,) = marked(sensor, mark)
        with open("/proc/self/cgroup") as file:
            paths = [line.rstrip("\n").split(":", 2)[2] for line in file]
        assert max(path.count("/") for path in paths if path != "/" or len(paths) == 1) >= 1
        assert event.process.cgroup in paths


class TestLoss:
    """Received and counted lost is all there was."""

    def test_a_prime_number_of_execs(self, sensor, mark):
        """As many as were started are received, as fast as this machine can."""
        sent = 2003
        source = """
        import os, sys
        for _ in range(int(sys.argv[1])):
            os.waitpid(os.posix_spawn("/bin/true", ["true", "run-" + sys.argv[2]], {}), 0)
        """
        run_python(source, str(sent), mark)
        assert sent == sum(f"run-{mark}" in event.process.args for event in marked(sensor, mark))
        assert {0} == set(sensor.lost().values())

    def test_a_ring_that_is_full_is_counted(self, mark):
        """Nobody reads a small ring: what it could not take is in the counter."""
        small = open_core(ring_bytes=64 << 10)
        try:
            for _ in range(199):
                subprocess.run(["/bin/true", mark, "x" * 2000], check=True)
            lost = small.lost()
            received = len(marked(small, mark))
        finally:
            small.close()
        assert lost["ring_full"] > 0
        # Other processes of this machine may have been lost as well, never fewer than ours.
        assert received < 199 <= received + lost["ring_full"]

    def test_a_storm_comes_in_portions(self, sensor, mark):
        """One poll gives a bounded number of events; the rest waits in the ring, and nothing is lost."""
        source = """
        import os, sys
        for _ in range(int(sys.argv[1])):
            os.waitpid(os.posix_spawn("/bin/true", ["true", "run-" + sys.argv[2]], {}), 0)
        """
        while sensor.poll(0.05):
            pass
        run_python(source, "1301", mark)
        portions = []
        while events := sensor.poll(0.05):
            portions.append(events)
        assert max(map(len, portions)) <= 512
        assert 1301 == sum(f"run-{mark}" in event.process.args for events in portions for event in events)

    def test_events_go_on_after_a_loss(self, mark):
        """A ring that was full takes records again once it was read."""
        small = open_core(ring_bytes=64 << 10)
        try:
            for _ in range(60):
                subprocess.run(["/bin/true", "x" * 4000], check=True)
            assert small.lost()["ring_full"] > 0
            marked(small, mark)
            subprocess.run(["/bin/true", mark], check=True)
            assert 1 == len(marked(small, mark))
        finally:
            small.close()


def test_poll_returns_on_a_signal(sensor):
    """A signal ends the wait, so that the agent's end is not delayed by a quiet node."""
    received = []
    previous = signal.signal(signal.SIGALRM, lambda number, _: received.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        began = time.monotonic()
        while not received:
            sensor.poll(30)  # other processes' execs end it as well
        assert time.monotonic() - began < 30
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def test_two_sensors_at_once(sensor, mark):
    """A second agent on the node sees the same, and neither disturbs the other."""
    second = open_core(ring_bytes=1 << 20)
    try:
        subprocess.run(["/bin/true", mark], check=True)
        assert 1 == len(marked(sensor, mark)) == len(marked(second, mark))
    finally:
        second.close()
