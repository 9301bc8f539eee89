"""Files that somebody else chose."""

import contextlib
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import files
from agent.errors import UnreadableFileError
from agent.files import list_directory, open_program, read_bounded, read_descriptor, read_environment, resolve_symlinks


@pytest.fixture
def root(tmp_path):
    """A root with a secret outside of it, and links of every kind that point there."""
    (tmp_path / "secret").write_text("outside")
    inside = tmp_path / "root"
    (inside / "etc").mkdir(parents=True)
    (inside / "etc/file").write_text("inside")
    (inside / "up").symlink_to("../../secret")
    (inside / "absolute").symlink_to("/etc/file")
    (inside / "out").symlink_to(tmp_path / "secret")
    (inside / "etc/loop").symlink_to("loop")
    (inside / "dir").symlink_to("/etc/../etc/.")
    return inside


def read(root, path, cwd="/", **options):
    return read_bounded(path, process_root=root, cwd=cwd, **options)


class TestInside:
    """What lies below the root is read."""

    @pytest.mark.parametrize(
        ("path", "cwd"),
        [("/etc/file", "/"), ("file", "/etc"), ("//etc/./file", None), ("/../../etc/file", "/"), ("/absolute", "/"),
         ("/dir/file", "/"), ("../etc/../etc/file", "/etc")],
    )  # fmt: skip
    def test_every_spelling_of_one_file(self, root, path, cwd):
        """Relative, doubled, dotted, linked absolutely: one file."""
        assert b"inside" == read(root, path, cwd)

    def test_lists_names(self, root):
        """A directory has sorted names, a file has none."""
        assert ("file", "loop") == list_directory("/etc", process_root=root, cwd="/")
        assert list_directory("/etc/file", process_root=root, cwd="/") is None


class TestOutside:
    """Nothing leads out."""

    @pytest.mark.parametrize("path", ["/up", "/out", "/../secret", "/etc/../../secret"])
    def test_no_link_and_no_dots_lead_out(self, root, path):
        """The file outside exists and is not read."""
        with pytest.raises(UnreadableFileError, match="No such file"):
            read(root, path)

    def test_a_directory_that_moves_out_meanwhile(self, root):
        """A rename between two steps of a walk never shows what is outside."""
        (root.parent / "etc").mkdir()
        (root.parent / "etc/file").write_text("outside")
        (root / "a/b").mkdir(parents=True)
        stop = threading.Event()

        def move():
            while not stop.is_set():
                os.rename(root / "a/b", root.parent / "b")
                os.rename(root.parent / "b", root / "a/b")

        thread = threading.Thread(target=move)
        thread.start()
        try:
            for _ in range(200):
                with contextlib.suppress(UnreadableFileError):
                    assert b"inside" == read(root, "/a/b/../../etc/file")
        finally:
            stop.set()
            thread.join()


class TestRefusals:
    """What is no file to read."""

    def test_pipes_sockets_devices_directories(self, root):
        """Nothing but a regular file is opened, and a pipe without a writer does not wait."""
        os.mkfifo(root / "pipe")
        os.mknod(root / "device", 0o20600, os.makedev(1, 5))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(root / "socket"))
        started = time.monotonic()
        for name, kind in (("pipe", "pipe"), ("device", "device"), ("socket", "socket"), ("etc", "directory")):
            with pytest.raises(UnreadableFileError, match=f"it is a {kind}"):
                read(root, f"/{name}")
        listener.close()
        assert 1.0 > time.monotonic() - started

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("/etc/loop", "too many symbolic links"),
            ("/etc/nothing", "No such file"),
            ("/etc/file/x", "Not a directory"),
            ("/a\0b", "NUL"),
            ("/a" * 300, "more than 256 parts"),
            ("/" + "a" * 5000, "name too long"),
            ("/\ud800", "encode"),
        ],
    )
    def test_reasons(self, root, path, reason):
        """Each has its reason, in a clause."""
        with pytest.raises(UnreadableFileError, match=reason):
            read(root, path)

    def test_large_and_empty_files(self, root):
        """A file over the limit is not read in part; one without a size may be one of /proc."""
        (root / "large").write_bytes(b"x" * 11)
        (root / "empty").touch()
        assert b"x" * 11 == read(root, "/large", limit=11)
        with pytest.raises(UnreadableFileError, match="more than the 10"):
            read(root, "/large", limit=10)
        with pytest.raises(UnreadableFileError, match="empty"):
            read(root, "/empty")
        with pytest.raises(UnreadableFileError, match="empty"):
            read(Path("/"), "/proc/kmsg")

    def test_a_file_system_that_does_not_answer(self, root, monkeypatch):
        """A read that hangs is left behind in time; beyond four of them nothing is read until one returns."""
        let_go = threading.Event()
        monkeypatch.setattr(files, "_read_regular", lambda *_: let_go.wait(20) and b"late")
        started = time.monotonic()
        for _ in range(files.MAX_STUCK):
            with pytest.raises(UnreadableFileError, match=r"no answer within 0\.02 s"):
                read(root, "/etc/file", deadline_s=0.02)
        with pytest.raises(UnreadableFileError, match="have not come back"):
            read(root, "/etc/file")
        assert 2.0 > time.monotonic() - started
        let_go.set()
        monkeypatch.undo()
        for _ in range(100):
            try:
                assert b"inside" == read(root, "/etc/file")
                break
            except UnreadableFileError:
                time.sleep(0.01)
        else:
            pytest.fail("the reads that came back did not make room")

    def test_no_descriptor_stays_open(self, root):
        """Whatever happens, what was opened is closed."""
        before = len(os.listdir("/proc/self/fd"))
        for path in ("/etc/file", "/up", "/etc/loop", "/etc", "/nothing/x"):
            resolve_symlinks(path, process_root=root, cwd=None)
            with contextlib.suppress(UnreadableFileError):
                read(root, path)
        os.close(open_program("/etc/file", process_root=root))
        assert before == len(os.listdir("/proc/self/fd"))


class TestResolving:
    """Paths of mounts."""

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/dir/file", "/etc/file"),
            ("/absolute", "/etc/file"),
            ("/dir/new/x", "/etc/new/x"),
            ("/up", "/secret"),
            ("/..//./etc/..", "/"),
            ("/etc/loop", "/etc/loop"),
            ("/a\0", "/a\0"),
        ],
    )
    def test_gives_the_one_name(self, root, path, expected):
        """As far as it exists without links, the rest as it is; never an error."""
        assert expected == resolve_symlinks(path, process_root=root, cwd="/")

    def test_a_namespace_file_is_no_further_link(self, tmp_path):
        """What its text names is nowhere; and on some machines not even root may read it."""
        (tmp_path / "link").symlink_to(f"/proc/{os.getpid()}/ns/net")
        found = resolve_symlinks(str(tmp_path / "link"), process_root=Path("/"), cwd=None)
        assert f"/proc/{os.getpid()}/ns/net" == found

    @settings(max_examples=60, deadline=None)
    @given(st.text("/.abc", max_size=12))
    def test_agrees_with_the_kernel(self, path):
        """In the machine's own root it says what realpath(3) says."""
        assert os.path.realpath("/" + path) == resolve_symlinks("/" + path, process_root=Path("/"), cwd=None)


class TestProcesses:
    """What a process has open, and its environment."""

    def test_standard_input_from_a_file(self, root):
        """A regular file is read from its start, also where its name is gone; a pipe is left alone."""
        path = root / "gone"
        path.write_text("manifest")
        with path.open() as opened:
            path.unlink()
            opened.read(3)
            child = subprocess.Popen(["sleep", "9"], stdin=opened, stdout=subprocess.PIPE)
        try:
            process = Path(f"/proc/{child.pid}")
            assert b"manifest" == read_descriptor(0, process=process)
            with pytest.raises(UnreadableFileError, match="it is a pipe"):
                read_descriptor(1, process=process)
            with pytest.raises(UnreadableFileError, match="No such file"):
                read_descriptor(99, process=process)
        finally:
            child.kill()
            child.communicate()

    def test_only_named_variables_are_kept(self):
        """Nothing of an environment but what is asked for."""
        child = subprocess.Popen(["sleep", "9"], env={"DOCKER_HOST": "tcp://x", "TOKEN": "secret", "EMPTY": ""})
        try:
            names = frozenset(("DOCKER_HOST", "EMPTY", "ABSENT"))
            process = Path(f"/proc/{child.pid}")
            while b"sleep" not in (process / "cmdline").read_bytes():
                time.sleep(0.01)
            assert {"DOCKER_HOST": "tcp://x", "EMPTY": ""} == read_environment(process, names)
        finally:
            child.kill()
            child.wait()
        assert {} == read_environment(process, names)
