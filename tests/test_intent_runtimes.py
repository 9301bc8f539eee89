"""runc, crun, youki, nsenter, unshare, chroot, nspawn, lxc, daemons."""

import pytest

from agent.intent.hostns import is_host_file, is_pid_one
from agent.intent.model import FileReference
from tests.intents import asked, powers, read

ALL = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")


class TestRuntimes:
    """OCI runtimes."""

    @pytest.mark.parametrize(
        "line",
        [
            "runc run -b /tmp/b x",
            "runc run --bundle=/tmp/b x",
            "runc run x -b /tmp/b",
            "runc create -bundle /tmp/b x",
            "crun run --bund /tmp/b x",
            "crun --debug create -b/tmp/b x",
            "youki run -b /tmp/b x",
            "kata-runtime run -b /tmp/b x",
            "runsc --root=/r run -bundle /tmp/b x",
            "runc.amd64 --root /r run -b /tmp/../tmp/b/ x",
        ],
    )
    def test_bundle(self, line):
        """The bundle in each runtime's grammar."""
        assert (FileReference("bundle", "/tmp/b"),) == read(line).files
        assert "x" == read(line).target

    def test_default_bundle(self):
        """Without an option it is the working directory; crun may name another file in it."""
        assert (FileReference("bundle", "/work"),) == read("runc run x").files
        assert (FileReference("bundle", "/tmp/b/evil.json"),) == read("crun run -b /tmp/b -f evil.json x").files

    def test_exec(self):
        """What an exec is given; behind its words nothing is an option."""
        expected = {
            "verb": "exec",
            "namespace": "k8s.io",
            "target": "x",
            "user": "0",
            "interactive": True,
            "capabilities": ("SYS_ADMIN",),
            "unconfined": ("apparmor", "no-new-privileges"),
            "command": ("sh", "--cap", "CAP_BPF"),
            "program": "sh",
        }
        options = "-t -u 0 --cap CAP_SYS_ADMIN --apparmor unconfined --no-new-privs=false"
        assert expected == asked(f"runc --root /run/containerd/runc/k8s.io exec {options} x sh --cap CAP_BPF")

    @pytest.mark.parametrize("path", ["/proc/self/fd/7", "/proc/1234/fd/7/../..", "/dev/fd/7"])
    def test_leaked_descriptor(self, path):
        """A working directory behind a descriptor that the runtime left open (CVE-2024-21626)."""
        assert f"workdir:{path}" in read(f"runc exec --cwd {path} x sh").facts
        assert () == read("runc exec --cwd /proc/self x sh").facts

    def test_process_file(self):
        """A process from a file."""
        assert (FileReference("process", "/work/p.json"),) == read("runc exec --process p.json x").files

    @pytest.mark.parametrize(
        ("line", "verb"), [("runc init", "init"), ("runc --version", None), ("crun list -q", "list")]
    )
    def test_other_commands(self, line, verb):
        """Commands that ask for nothing."""
        assert verb == read(line).verb
        assert {} == powers(line)


class TestHostFiles:
    """Files and numbers that mean the host's pid 1."""

    @pytest.mark.parametrize(
        "path",
        [
            "/proc/1/ns/mnt",
            "/host/proc/1/ns/mnt",
            "/rootfs/proc/1/ns/net",
            "//proc//1/./ns/pid",
            "/proc/self/root/proc/1/ns/mnt",
            "/proc/1/task/1/ns/uts",
            "/proc/9/../1/ns/mnt",
            "/run/docker/netns/default",
            "/proc/1/ns/pid_for_children",
        ],
    )
    def test_host(self, path):
        """Under whatever prefix."""
        assert is_host_file(path)

    @pytest.mark.parametrize(
        "path", ["/proc/11/ns/mnt", "/proc/1/net/tcp", "/run/netns/x", "/var/run/docker/netns/4f2a", ""]
    )
    def test_other(self, path):
        """Another process's, or a named namespace."""
        assert not is_host_file(path)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("1", True),
            ("01", True),
            ("+1", True),
            (" 1", True),
            ("1:99", True),
            ("11", False),
            ("", False),
            ("1_0", False),
            ("1a", False),
            ("0", False),
        ],
    )
    def test_numbers(self, text, expected):
        """As strtoul(3) reads them."""
        assert expected == is_pid_one(text)


class TestNsenter:
    """nsenter."""

    @pytest.mark.parametrize(
        "line",
        [
            "nsenter -t 1 -m sh",
            "nsenter -t1 -m sh",
            "nsenter --target 1 --mount sh",
            "nsenter --targ=1 --mo sh",
            "nsenter --mount=/proc/1/ns/mnt sh",
            "nsenter -m/host/proc/1/ns/mnt sh",
            "nsenter --target=01 -m sh",
            "busybox nsenter -t 1 -m sh",
            "nsenter --mount=//proc/1/ns/mnt -- sh",
        ],
    )
    def test_host_mounts(self, line):
        """The host's mount namespace by number or by file."""
        intent = read(line)
        assert ("nsenter", ("mnt",), ("sh",)) == (intent.tool, intent.host_namespaces, intent.command)

    @pytest.mark.parametrize("line", ["nsenter -at1", "nsenter --all --target 1", "nsenter -a -t 1 bash"])
    def test_all(self, line):
        """All of them at once."""
        assert ALL == read(line).host_namespaces

    def test_other_process(self):
        """Another process's namespaces are joined, not the host's."""
        intent = read("nsenter --net=/proc/4312/ns/net ip route")
        assert ((), ("net",)) == (intent.host_namespaces, intent.joined_namespaces)
        assert ("mnt", "pid") == read("nsenter -t 99 -m -p").joined_namespaces

    def test_root(self):
        """The root directory of pid 1 is the host's."""
        assert "/" == read("nsenter -t 1 -r").root
        assert "/proc/77/root" == read("nsenter -t 77 --root").root
        assert "/host" == read("nsenter --root=/host sh").root

    def test_options_of_the_program(self):
        """Behind the program nothing is nsenter's."""
        assert () == read("nsenter -n sh -t 1 -m").host_namespaces


class TestUnshare:
    """unshare."""

    @pytest.mark.parametrize(
        ("line", "made", "facts"),
        [
            ("unshare -Ur sh", ("user",), ("map-root",)),
            ("unshare -Urm sh", ("mnt", "user"), ("map-root",)),
            ("unshare --us --map-r sh", ("user",), ("map-root",)),
            ("unshare --map-user=0 sh", ("user",), ("map-root",)),
            ("unshare --map-auto sh", ("user",), ()),
            ("unshare -fp --mount-proc sh", ("mnt", "pid"), ()),
            ("unshare -m --propagation shared sh", ("mnt",), ("propagation:shared",)),
            ("unshare --mount=/tmp/ns sh", ("mnt",), ()),
        ],
    )
    def test_new(self, line, made, facts):
        """Short options take no file here, long ones may."""
        intent = read(line)
        assert (made, facts, ("sh",)) == (intent.new_namespaces, intent.facts, intent.command)


class TestRoots:
    """Other roots."""

    @pytest.mark.parametrize(
        "line",
        ["chroot /host", "chroot --userspec=0 /host/ sh", "chroot --skip /host bash -c id", "capsh --chroot=/host --"],
    )
    def test_root(self, line):
        """The directory is the new root."""
        assert "/host" == read(line).root

    def test_inside(self):
        """What runs inside says more than the change of root, which is kept."""
        intent = read("chroot /host docker run --privileged x")
        assert ("docker", True, "/host", ("chroot",)) == (intent.tool, intent.privileged, intent.root, intent.wrappers)

    def test_entering_the_host(self):
        """The host's namespaces stay the point, with what is done in them."""
        intent = read("nsenter -t 1 -m -- docker run --privileged x")
        assert ("nsenter", True, ("mnt",)) == (intent.tool, intent.privileged, intent.host_namespaces)
        assert ("inner:docker",) == intent.facts

    def test_capsh_print(self):
        """A look at one's own capabilities asks for nothing."""
        assert {"verb": "print"} == asked("capsh --print")


class TestNspawn:
    """systemd's containers."""

    def test_powers(self):
        """Directory, bind mounts, capabilities."""
        assert {"mounts": ("/",), "capabilities": ("ALL",)} == powers(
            "systemd-nspawn -D /srv/c --bind=/:/h --capability=all"
        )
        assert {"mounts": ("/",)} == powers("systemd-nspawn --directory / sh")
        assert {} == powers("systemd-nspawn -bD /srv/c -n")

    def test_devices(self):
        """A device as the image, or one that the unit is let to."""
        assert {"devices": ("/dev/sda",)} == powers("systemd-nspawn -i /dev/sda")
        assert {"devices": ("/dev/sda",)} == powers("systemd-nspawn -D /srv/c '--property=DeviceAllow=/dev/sda rwm'")
        assert {} == powers("systemd-nspawn -i /srv/c.raw -p DeviceAllow=")

    def test_network(self):
        """Without a network option it shares the host's; that is its default, so a fact."""
        assert ("shared-network",) == read("systemd-nspawn -D /srv/c").facts
        assert () == read("systemd-nspawn -D /srv/c --network-veth").facts

    def test_machinectl(self):
        """A shell in a machine, or on the host."""
        intent = read("machinectl shell root@web /bin/sh")
        assert ("exec", "web", "root", ("/bin/sh",)) == (intent.verb, intent.target, intent.user, intent.command)
        assert ".host" == read("machinectl shell").target
        assert {"mounts": ("/etc",)} == powers("machinectl bind web /etc /mnt")


class TestSystemdRun:
    """A unit in a machine, not on the host."""

    def test_machine(self):
        """It is an exec in the container of that name."""
        intent = read("systemd-run -M web -t /bin/bash -l")
        assert ("machinectl", "exec", "web", True, ("/bin/bash", "-l")) == (
            intent.tool,
            intent.verb,
            intent.target,
            intent.interactive,
            intent.command,
        )
        assert ("web", "root") == (
            read("systemd-run --machine=root@web ls").target,
            read("systemd-run -Mroot@web ls").user,
        )
        assert ("sh",) == read("systemd-run -M web -S").command

    def test_host(self):
        """The host has a name as well."""
        assert read("systemd-run -M .host ls") is None
        assert {"privileged": True} == powers("systemd-run --machine=me@.host docker run --privileged alpine")


class TestLxd:
    """LXD, Incus, LXC."""

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("lxc launch ubuntu: c -c security.privileged=true", {"privileged": True}),
            ("lxc -c security.privileged=true init ubuntu: c", {"privileged": True}),
            ("incus config set c security.privileged true", {"privileged": True}),
            ("lxc config set c security.privileged=false", {}),
            ("lxc config device add c h disk source=/ path=/mnt", {"mounts": ("/",)}),
            ("incus config device add c d unix-block source=/dev/sda", {"devices": ("/dev/sda",)}),
            ("lxc config set c raw.idmap 'both 0 0'", {"host_namespaces": ("user",)}),
            ("lxc config set c raw.lxc lxc.apparmor.profile=unconfined", {"unconfined": ("apparmor",)}),
            ("lxc list", {}),
            (
                "lxc config device add c s proxy listen=unix:/d connect=unix:/run/docker.sock",
                {"mounts": ("/run/docker.sock",)},
            ),
            ("lxc config device add c s proxy listen=tcp:0.0.0.0:80 connect=tcp:127.0.0.1:80", {}),
            ("lxc storage create s dir source=/", {"mounts": ("/",)}),
            ("incus storage create s zfs source=/dev/sdb", {"devices": ("/dev/sdb",)}),
            ("lxc storage create s dir", {}),
        ],
    )
    def test_powers(self, line, expected):
        """Settings and devices."""
        assert expected == powers(line)

    @pytest.mark.parametrize("line", ["lxc exec c -- sh", "incus exec c sh", "lxc-attach -n c -- sh"])
    def test_exec(self, line):
        """Commands in containers."""
        assert ("exec", "c", ("sh",)) == (read(line).verb, read(line).target, read(line).command)

    def test_shell(self):
        """A shell is an exec that names no command."""
        intent = read("lxc shell c")
        assert ("exec", "c", ("su", "-l"), True) == (intent.verb, intent.target, intent.command, intent.interactive)

    def test_files(self):
        """Files in and out."""
        assert {"verb": "file push", "target": "c", "host_paths": ("/work/x",), "facts": ("copy-in",)} == asked(
            "lxc file push x c/root/"
        )


class TestDaemons:
    """Daemons that open themselves to others."""

    def test_tcp(self):
        """TCP without a check of its clients."""
        expected = ("listen:tcp://0.0.0.0:2375", "listen:/run/docker.sock", "no-tls-verify")
        assert expected == read("dockerd -H tcp://0.0.0.0:2375 --host=unix:///var/run/docker.sock").facts
        assert ("listen:tcp://0.0.0.0:2376",) == read("dockerd --tlsverify -H tcp://0.0.0.0:2376").facts

    def test_usual_start(self):
        """As its unit starts it."""
        assert ("listen:fd://",) == read("dockerd -H fd:// --containerd=/run/containerd/containerd.sock").facts
