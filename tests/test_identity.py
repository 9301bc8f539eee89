"""What a program is; the real tools of this machine where it has them."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.event import File
from agent.intent.identity import Identity, identify
from agent.programs import Programs
from tests.events import make_process

TOOLS = {
    "/usr/bin/docker": "docker",
    "/usr/local/bin/docker": "docker",
    "/usr/bin/kubectl": "kubectl",
    "/usr/bin/ctr": "ctr",
    "/usr/sbin/runc": "runc",
    "/usr/bin/podman": "podman",
    "/usr/bin/buildah": "buildah",
    "/usr/bin/containerd": "containerd",
    "/usr/sbin/dockerd": "dockerd",
    "/usr/bin/crun": "crun",
    "/usr/bin/nsenter": "nsenter",
    "/usr/bin/unshare": "unshare",
    "/usr/sbin/chroot": "chroot",
    "/usr/bin/busybox": "busybox",
}


class Source:
    """Bytes that count how many of them were asked for."""

    def __init__(self, data):
        self.data = data
        self.asked = 0

    def __call__(self, offset, size):
        found = self.data[offset : offset + size] if offset >= 0 else b""
        self.asked += len(found)
        return found


def need(path):
    if not os.path.exists(path):
        pytest.skip(f"{path} is not here")
    return path


def make_elf(data, *, name=b".go.buildinfo", address=0x1000):
    """A 64-bit little-endian ELF file of one section and one writable segment that hold `data`."""
    names = b"\0" + name + b"\0.shstrtab\0"
    data_at = 64 + 56
    names_at = data_at + len(data)
    table_at = names_at + len(names)
    header = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, table_at, 0, 64, 56, 1, 64, 3, 2)
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + header
    segment = struct.pack("<IIQQQQQQ", 1, 6, data_at, address, 0, len(data), len(data), 16)
    sections = bytes(64)
    sections += struct.pack("<IIQQQQIIQQ", 1, 1, 3, address, data_at, len(data), 0, 0, 16, 0)
    sections += struct.pack("<IIQQQQIIQQ", 2 + len(name), 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    return head + segment + data + names + sections


def modules(path):
    return bytes(16) + f"path\t{path}\nmod\tx\t(devel)\t\n".encode() + bytes(16)


def inline(path):
    """Build information as Go 1.18 and later lay it out."""
    text = modules(path)
    length = bytes([len(text) & 0x7F | 0x80, len(text) >> 7])
    return b"\xff Go buildinf:\x08\x02" + bytes(16) + b"\x08go1.22.1" + length + text


def pointed(path, address=0x1000):
    """Build information as Go 1.13 to 1.17 lay it out: two addresses of two strings' headers."""
    text = modules(path)
    head = b"\xff Go buildinf:\x08\x00" + struct.pack("<QQ", address + 64, address + 80)
    headers = struct.pack("<QQQQ", address + 96, 6, address + 102, len(text))
    return head + bytes(32) + headers + b"go1.16" + text


class TestRealPrograms:
    """The files that a distribution ships."""

    @pytest.mark.parametrize(("path", "tool"), TOOLS.items())
    def test_each_is_what_it_is(self, path, tool):
        """Told from the content alone, of which 400 KiB at most are read."""
        source = Source(Path(need(path)).read_bytes())
        assert tool == identify(source).tool
        assert 400 << 10 > source.asked

    @pytest.mark.parametrize(
        "path", ["/usr/bin/ls", "/usr/bin/bash", "/usr/bin/python3", "/usr/bin/sudo", "/usr/bin/git"]
    )
    def test_others_are_none_of_them(self, path):
        """An ordinary program is none of the tools."""
        assert identify(Source(Path(need(path)).read_bytes())) is None

    def test_stripping_changes_nothing(self, tmp_path):
        """Neither symbols nor section headers are needed."""
        strip = need(shutil.which("strip") or "/usr/bin/strip")
        subprocess.run([strip, "-o", tmp_path / "x", need("/usr/sbin/runc")], check=True)
        data = bytearray((tmp_path / "x").read_bytes())
        assert "runc" == identify(Source(data)).tool
        data[40:48], data[60:64] = bytes(8), bytes(4)
        assert "runc" == identify(Source(data)).tool


class TestLayouts:
    """Made files."""

    @pytest.mark.parametrize("layout", [inline, pointed])
    @pytest.mark.parametrize(
        ("path", "tool"),
        [
            ("github.com/docker/cli/cmd/docker", "docker"),
            ("github.com/containerd/containerd/v2/cmd/ctr", "ctr"),
            ("github.com/containerd/nerdctl/v2/cmd/nerdctl", "nerdctl"),
            ("github.com/containers/podman/v5/cmd/podman", "podman"),
            ("sigs.k8s.io/cri-tools/cmd/crictl", "crictl"),
            ("github.com/kubernetes-sigs/cri-tools/cmd/crictl", "crictl"),
            ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
            ("helm.sh/helm/v3/cmd/helm", "helm"),
            ("github.com/k3s-io/k3s/cmd/k3s", "k3s"),
            ("github.com/docker/compose/v2/cmd", "docker-compose"),
            ("github.com/openshift/oc/cmd/oc", "oc"),
        ],
    )
    def test_main_package_names_the_tool(self, layout, path, tool):
        """Both layouts of build information, with and without a major version in the path."""
        assert Identity(tool, path) == identify(Source(make_elf(layout(path))))

    @pytest.mark.parametrize("path", ["example.org/mykubectl", "command-line-arguments", "example.org/tunekind", ""])
    def test_another_main_package_is_no_tool(self, path):
        """A path that only ends alike is another program."""
        assert identify(Source(make_elf(inline(path)))) is None

    @pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 100])
    def test_what_is_no_program(self, data):
        """Scripts, short files and nonsense are nothing."""
        assert identify(Source(data)) is None

    def test_segments_that_overlap_are_not_read_again_and_again(self):
        """A file of 128 segments that each claim all of it costs as much as one of them."""
        head = bytearray(make_elf(bytes(16))[:64])
        head[40:48], head[56:58], head[60:64] = bytes(8), struct.pack("<H", 128), bytes(4)
        segment = struct.pack("<IIQQQQQQ", 1, 6, 0, 0, 0, 1 << 30, 1 << 30, 16)
        source = Source(bytes(head) + segment * 128 + bytes(4 << 20))
        asked = []

        def read_at(offset, size):
            asked.append(size)
            return source(offset, size).ljust(size, b"\0")

        assert identify(read_at) is None
        assert 33 << 20 > sum(asked)

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_broken_files_are_nothing_or_something(self, data):
        """Any byte may be any other: an answer, never an error, never an endless read."""
        layout = data.draw(st.sampled_from([inline, pointed]))
        content = bytearray(make_elf(layout("github.com/docker/cli/cmd/docker")))
        for _ in range(data.draw(st.integers(1, 8))):
            content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
        source = Source(
            bytes(content[: data.draw(st.integers(0, len(content)))]) if data.draw(st.booleans()) else content
        )
        found = identify(source)
        assert found is None or isinstance(found, Identity)
        assert 1 << 20 > source.asked


class TestPrograms:
    """The same through files."""

    def test_a_file_is_looked_at_once(self, tmp_path):
        """The answer belongs to device, inode and change time; a changed file is looked at anew."""
        path = tmp_path / "nginx"
        path.write_bytes(make_elf(inline("github.com/docker/cli/cmd/docker")))
        programs, root = Programs(), Path("/")

        def ask(content_of, ctime_ns):
            found = os.stat(content_of)
            file = File(dev=found.st_dev, inode=found.st_ino, ctime_ns=ctime_ns)
            return programs.identify(make_process(str(path), file=file), None, root)

        assert "docker" == ask(path, 1).tool
        path.write_bytes(b"#!/bin/sh\n")
        assert "docker" == ask(path, 1).tool
        assert ask(path, 2) is None

    def test_another_file_under_the_path_is_not_remembered(self, tmp_path):
        """What lies at the path by now may not be what ran."""
        path = tmp_path / "x"
        path.write_bytes(make_elf(inline("github.com/docker/cli/cmd/docker")))
        programs, file = Programs(), File(dev=1, inode=1, ctime_ns=1)
        process = make_process(str(path), file=file)
        assert "docker" == programs.identify(process, None, Path("/")).tool
        path.unlink()
        assert programs.identify(process, None, Path("/")) is None

    def test_a_program_without_a_name_is_read_through_proc(self):
        """A memfd is known while its process lives, and not afterwards."""
        descriptor = os.memfd_create("x")
        os.write(descriptor, Path(need("/usr/bin/busybox")).read_bytes())
        file = File(dev=os.fstat(descriptor).st_dev, inode=os.fstat(descriptor).st_ino)
        name = f"/proc/self/fd/{descriptor}"
        child = subprocess.Popen(["sleep", "9"], executable=name, pass_fds=[descriptor])
        os.close(descriptor)
        process, own = make_process("/memfd:x (deleted)", file=file, pid=child.pid), Path(f"/proc/{child.pid}")
        try:
            assert "busybox" == Programs().identify(process, own, Path("/")).tool
        finally:
            child.kill()
            child.wait()
        assert Programs().identify(process, own, Path("/")) is None

    def test_a_process_that_runs_another_program_by_now(self):
        """sudo has become docker: what its exec was stays told by its own file."""
        child = subprocess.Popen(["sleep", "9"])
        try:
            process = make_process(need("/usr/bin/nsenter"), file=File(dev=1, inode=1), pid=child.pid)
            assert "nsenter" == Programs().identify(process, Path(f"/proc/{child.pid}"), Path("/")).tool
        finally:
            child.kill()
            child.wait()
