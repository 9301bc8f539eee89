"""ctr and crictl: aliases, single dashes and clusters, namespace files, JSON files."""

import pytest

from agent.intent.model import FileReference
from tests.intents import asked, powers, read


class TestCtr:
    """urfave/cli without clusters."""

    @pytest.mark.parametrize(
        "line",
        [
            "ctr run --privileged i x",
            "ctr run -privileged i x",
            "ctr run -privileged=1 -t i x",
            "ctr -n k8s.io run --rm --privileged i x",
            "ctr c create --privileged i x",
            "ctr container create -privileged i x",
            "ctr c create i x --privileged",
            "/usr/bin/ctr -a=/run/x.sock containers create --privileged i x",
        ],
    )
    def test_privileged(self, line):
        """One dash or two, before the words and, for create, behind them."""
        assert {"privileged": True} == powers(line)

    def test_words_of_the_container(self):
        """Behind run's words nothing is an option any more."""
        assert {} == powers("ctr run i x --privileged --net-host")

    @pytest.mark.parametrize(
        "line", ["ctr t exec --exec-id a x sh", "ctr task exec -exec-id=a x sh", "ctr tasks exec x sh"]
    )
    def test_exec(self, line):
        """Three names of one command."""
        assert {"verb": "exec", "target": "x", "command": ("sh",), "program": "sh"} == asked(line)

    @pytest.mark.parametrize(
        "line",
        ["ctr snapshots mounts /mnt k", "ctr snapshot mount /mnt k", "ctr snapshot --snapshotter=native m /mnt k"],
    )
    def test_snapshot_mounts(self, line):
        """Six names of the mounts of a snapshot."""
        assert {"verb": "mount", "target": "k", "host_paths": ("/mnt",)} == asked(line)

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ("--net-host", {"host_namespaces": ("net",)}),
            ("--with-ns pid:/proc/1/ns/pid", {"host_namespaces": ("pid",)}),
            ("--with-ns network:/host/proc/1/ns/net", {"host_namespaces": ("net",)}),
            ("--with-ns pid:/proc/7/ns/pid", {}),
            ("--mount type=bind,src=/,dst=/h,options=rbind:rw", {"mounts": ("/",)}),
            ("--rootfs", {"mounts": ("/work/i",)}),
            ("--device /dev/sda", {"devices": ("/dev/sda",)}),
            ("--cap-add CAP_SYS_ADMIN", {"capabilities": ("SYS_ADMIN",)}),
            ("--privileged-without-host-devices", {"privileged": True}),
            ("--apparmor-profile unconfined --allow-new-privs", {"unconfined": ("apparmor", "no-new-privileges")}),
            ("--seccomp=false", {"unconfined": ("seccomp",)}),
        ],
    )
    def test_powers(self, options, expected):
        """What ctr gives a container."""
        assert expected == powers(f"ctr run {options} i x")

    def test_spec(self):
        """A spec takes the image's place."""
        intent = read("ctr run --config /tmp/s.json x sh")
        assert (FileReference("spec", "/tmp/s.json"),) == intent.files
        assert ("x", None, ("sh",)) == (intent.target, intent.image, intent.command)

    @pytest.mark.parametrize(
        ("line", "verb"),
        [
            ("ctr i pull x", "pull"),
            ("ctr images import x.tar", "import"),
            ("ctr image mount x /mnt", "mount"),
            ("ctr -n k8s.io c ls", "containers ls"),
            ("ctr t ls", "tasks ls"),
            ("ctr shim --id a exec sh", "shim exec"),
            ("ctr ns ls", "namespaces ls"),
            ("ctr content fetch x", "content fetch"),
        ],
    )
    def test_verbs(self, line, verb):
        """Aliases have their command's name."""
        assert verb == read(line).verb

    def test_daemon(self):
        """Address and namespace from options, else from variables."""
        env = {"CONTAINERD_ADDRESS": "/run/a.sock", "CONTAINERD_NAMESPACE": "moby"}
        assert ("/run/a.sock", "moby") == (read("ctr c ls", env=env).endpoint, read("ctr c ls", env=env).namespace)
        intent = read("ctr --address /run/b.sock -n k8s.io c ls", env=env)
        assert ("/run/b.sock", "k8s.io") == (intent.endpoint, intent.namespace)

    @pytest.mark.parametrize(
        ("options", "fact"),
        [("--cgroup ''", "cgroup-parent:"), ("-cgroup=/x", "cgroup-parent:/x"), ("--sandbox s", "sandbox:s")],
    )
    def test_place(self, options, fact):
        """Its cgroup, where an empty name is the caller's own, and the pod that it is put into."""
        assert (fact,) == read(f"ctr run {options} i x").facts


class TestCrictl:
    """urfave/cli with clusters."""

    @pytest.mark.parametrize(
        "line",
        [
            "crictl exec -it x sh",
            "crictl exec -i -t x sh",
            "crictl exec -ti x sh",
            "crictl exec --tty --interactive x sh",
            "crictl -r unix:///run/crio/crio.sock exec -it x sh",
            "crictl --timeout=5s exec -tty x sh",
        ],
    )
    def test_exec(self, line):
        """Container and command, whatever stands before."""
        intent = read(line)
        assert ("exec", "x", ("sh",), True) == (intent.verb, intent.target, intent.command, intent.interactive)

    def test_selected(self):
        """Where an option selects the containers, the first word is the command already."""
        intent = read("crictl exec -s --name web id -u")
        assert ("web", ("id", "-u"), ("sync",)) == (intent.target, intent.command, intent.facts)

    @pytest.mark.parametrize(
        ("line", "files"),
        [
            ("crictl runp /tmp/p.json", (FileReference("pod-config", "/tmp/p.json"),)),
            (
                "crictl run --no-pull c.json p.json",
                (FileReference("container-config", "/work/c.json"), FileReference("pod-config", "/work/p.json")),
            ),
            (
                "crictl create POD c.json p.json",
                (FileReference("container-config", "/work/c.json"), FileReference("pod-config", "/work/p.json")),
            ),
        ],
    )
    def test_files(self, line, files):
        """The files that say what is asked for."""
        assert files == read(line).files

    def test_daemon(self):
        """The endpoint from its option, else from the variable."""
        assert "/run/crio/crio.sock" == read("crictl -r unix:///var/run/crio/crio.sock ps").endpoint
        assert "/run/x.sock" == read("crictl ps", env={"CONTAINER_RUNTIME_ENDPOINT": "unix:///run/x.sock"}).endpoint
