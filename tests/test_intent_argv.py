"""The entry: which tool it is, and that any command line is read, in time linear in its length."""

import json
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.fields import FIELDS
from agent.intent.argv import read_argv
from agent.intent.facts import is_fact
from agent.intent.model import FileReference, Intent, merge_intents
from agent.intent.naming import Name, find_tool
from tests.intents import read

TOOLS = frozenset("docker kubectl docker-compose runc nsenter containerd ip time nc oc".split())
WORDS = """
run exec create -v --volume --mount type=bind,src=/,dst=/h -it --privileged --privileged=x -- - --pid=host / /:/h
compose up -c -lc -t1 -m=/ -H tcp:// -n k8s.io t c images shell -d @x {} ; + -exec -e x=y --set a.hostPath=/ config
device add get po,secrets/x -A -o netns debug node/x -Xx http://x:2375/containers/create sh sudo docker kubectl
""".split()
COMMANDS = """
docker podman nerdctl buildah docker-compose ctr crictl kubectl oc helm runc crun youki nsenter unshare chroot
systemd-nspawn machinectl lxc incus dockerd curl wget socat nc grpcurl sudo env sh xargs find su k3s minikube python3
""".split()


class TestNames:
    """Which tool a file's name stands for."""

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/usr/bin/docker", Name("docker")),
            ("docker-20.10.7", Name("docker")),
            ("kubectl-1.29", Name("kubectl")),
            ("kubectl1.29.3", Name("kubectl")),
            ("kubectl.1.32", Name("kubectl")),
            ("kubectl-v1.30.0-linux-amd64", Name("kubectl")),
            ("docker-compose-linux-x86_64", Name("docker-compose")),
            ("docker-compose-v2", Name("docker-compose")),
            ("runc.amd64", Name("runc")),
            ("nsenter.static", Name("nsenter")),
            ("/usr/bin/docker (deleted)", Name("docker")),
            ("-docker", Name("docker")),
            ("nc.openbsd", Name("nc")),
            ("ncat", Name("nc")),
            ("microk8s.kubectl", Name("kubectl")),
            ("kubectl-node_shell", Name("kubectl", "node-shell")),
            ("oc-x", Name("oc", "x")),
            ("docker-entrypoint.sh", None),
            ("docker-proxy", None),
            ("docker-init", None),
            ("containerd-shim-runc-v2", None),
            ("ip6tables", None),
            ("timedatectl", None),
            ("mydocker", None),
            ("Docker", None),
            ("", None),
            ("/", None),
        ],
    )
    def test_names(self, path, expected):
        """Versions, platforms and packages are no part of the tool's name."""
        assert expected == find_tool(path, TOOLS)

    @pytest.mark.parametrize(
        ("argv", "executable", "tool", "expected"),
        [
            (["docker", "ps"], "/usr/bin/docker", None, ("docker", False)),
            (["nginx", "ps"], "/usr/bin/docker", None, ("docker", False)),
            (["docker", "ps"], "/memfd:x (deleted)", None, ("docker", True)),
            (["kubectl", "get", "po"], "/tmp/peirates", None, ("kubectl", True)),
            (["/tmp/x", "ps"], "/tmp/x", "docker", ("docker", True)),
            (["docker", "ps"], "/usr/bin/docker", "docker", ("docker", False)),
            (["docker", "ps"], None, None, ("docker", False)),
            (["kubectl", "ps"], "/usr/bin/docker", "docker", ("docker", False)),
        ],
    )
    def test_renamed(self, argv, executable, tool, expected):
        """What it is known to be comes first, then the file's name, then argv[0]."""
        intent = read_argv(argv, executable=executable, tool=tool)
        assert expected == (intent.tool, intent.renamed)

    def test_guessed(self):
        """A client under another name is told by the option that names a runtime's socket."""
        intent = read("/dev/shm/x --address /run/containerd/containerd.sock c ls")
        assert ("ctr", "containers ls", True, ("guessed",)) == (intent.tool, intent.verb, intent.renamed, intent.facts)
        assert "docker" == read("/tmp/x -H unix:///var/run/docker.sock ps").tool

    @pytest.mark.parametrize(
        "line",
        [
            "/usr/bin/containerd-shim-runc-v2 -namespace k8s.io -address /run/containerd/containerd.sock -id x start",
            "kubelet --runtime-endpoint unix:///run/containerd/containerd.sock --v=2",
            "ls -a /run/docker.sock",
            "curl -H Host:x http://h",
        ],
    )
    def test_not_guessed(self, line):
        """Plumbing that carries the socket in its arguments asks for nothing."""
        assert read(line) is None


class TestInside:
    """The command that is to run in a container."""

    @pytest.mark.parametrize(
        ("command", "program"),
        [
            ("sh", "sh"),
            ("/bin/bash -c id", "bash"),
            ("env A=b sh", "sh"),
            ("timeout 5 nginx", "nginx"),
            ("busybox sh", "sh"),
        ],
    )
    def test_program(self, command, program):
        """Its program, behind env and its like."""
        assert program == read(f"docker exec x {command}").program

    def test_inner_tool(self):
        """A container tool inside a container is told, its powers are not the command's own."""
        intent = read("docker run --pid=host x nsenter -t 1 -m sh")
        assert ("inner:nsenter",) == intent.facts
        assert ("pid",) == intent.host_namespaces
        assert ("inner:chroot",) == read("docker run -v /:/h x chroot /h").facts


class TestMerge:
    """`merge_intents`."""

    def test_union(self):
        """Powers add up; the base keeps its own name and words."""
        base = Intent(tool="kubectl", verb="apply", target="x", facts=("token",))
        other = Intent(
            tool="kubernetes",
            source="manifest",
            privileged=True,
            mounts=("/",),
            image="a",
            target="y",
            capabilities=("ALL",),
        )
        expected = Intent(
            tool="kubectl", verb="apply", source="manifest", target="x", facts=("token",),
            privileged=True, mounts=("/",), image="a", capabilities=("ALL",),
        )  # fmt: skip
        assert expected == merge_intents(base, other)

    def test_nothing_twice(self):
        """An intent merged with itself stays as it is."""
        intent = read("docker run --privileged -v /:/h --pid=host --cap-add ALL x sh")
        assert intent == merge_intents(intent, intent)


class TestContract:
    """What holds of every intent."""

    @settings(max_examples=400, deadline=None)
    @given(
        st.sampled_from(COMMANDS) | st.text(max_size=4),
        st.lists(st.sampled_from(("", "\0", "\n", *WORDS)) | st.text(max_size=5), max_size=10),
        st.sampled_from((None, "/usr/bin/docker", "/bin/busybox", "/tmp/x", "")),
        st.sampled_from((None, "/", "relative", "")),
    )
    def test_total(self, name, words, executable, cwd):
        """Any command line gives an intent or none; facts are of the closed list; values are hashable."""
        intent = read_argv([name, *words], executable=executable, cwd=cwd)
        if intent is not None:
            assert [] == [fact for fact in intent.facts if not is_fact(fact)]
            assert hash(intent) == hash(msgspec.structs.replace(intent))
            assert list(intent.host_namespaces) == sorted(intent.host_namespaces)
            assert set(intent.writable_mounts) <= set(intent.mounts)

    def test_empty(self):
        """No arguments at all."""
        assert read_argv([]) is None
        assert "docker" == read_argv([], executable="/usr/bin/docker").tool

    @pytest.mark.parametrize(
        "words",
        [
            ["run", *["-v", "/:/h"] * 50_000],
            ["x"] * 100_000,
            ["-" + "v" * 131_000],
            ["run", "--mount", ",".join(["a=b"] * 30_000)],
            ["run", "-v", "/" + "../" * 40_000],
            ["-c", "a;" * 65_000],
            ["-c", '"$(`' * 32_000],
            ["get", ",".join(["po"] * 40_000)],
            ["install", "--set", "{," * 65_000],
            ["-d", "[" * 131_000, "http://x:2375/containers/create"],
            ["sudo"] * 100_000,
            ["run", "--security-opt", "label=type:" * 10_000],
        ],
    )
    @pytest.mark.parametrize("name", ["docker", "kubectl", "ctr", "nsenter", "bash", "helm", "curl", "sudo"])
    def test_long(self, name, words):
        """Long command lines take time in proportion to their length, far under a second."""
        start = time.perf_counter()
        read_argv([name, *words], cwd="/work")
        assert time.perf_counter() - start < 2

    def test_every_member_is_a_field(self):
        """Rules can ask for all of an intent; files by their paths."""
        members = {f"intent.{name}" for name in Intent.__struct_fields__} - {"intent.files"} | {"intent.file_paths"}
        assert set() == members - set(FIELDS)

    def test_file_paths(self):
        """Paths and URLs, without inline text."""
        files = (FileReference("manifest", "/a"), FileReference("overrides", None, "{}"))
        assert ("/a",) == Intent(tool="kubectl", files=files).file_paths


CASES = [json.loads(line) for line in (Path(__file__).parent / "data/intent_commands.jsonl").read_text().splitlines()]


class TestCases:
    """Command lines with what they ask for."""

    @pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
    def test_read(self, case):
        """Each asks for what is written beside it; null for nothing of this kind."""
        intent = read_argv(case["argv"], executable=case["exe"], cwd=case["cwd"], env=case.get("env"))
        members = json.loads(msgspec.json.encode(intent))
        asked_for = members and {key: value for key, value in members.items() if value not in (None, False, [])}
        assert case["intent"] == asked_for
