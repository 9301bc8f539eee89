"""Events get their intent: command line, program and files put together."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.event import Container, File, Namespaces
from agent.intent.facts import is_fact
from agent.intent.model import Intent
from agent.intents import IntentReader
from tests.events import make_connect, make_exec

DATA = Path(__file__).parent / "data" / "oci"
POD = """
kind: Pod
metadata: {name: x, namespace: kube-system}
spec:
  hostPID: true
  containers:
  - {image: alpine, command: [nsenter, -t, "1", -m, sh], securityContext: {privileged: true}, volumeMounts: [{name: h}]}
  volumes: [{name: h, hostPath: {path: /}}]
"""
COMPOSE = """
services:
  web: {image: nginx, volumes: ["./html:/h:ro"]}
  tool: {image: t, privileged: "${POWER:-false}", profiles: [debug]}
"""


@pytest.fixture
def root(tmp_path):
    """A node's files."""
    files = {
        "srv/pod.yaml": POD,
        "srv/all/a.yaml": "kind: Pod\nspec: {hostIPC: true}\n",
        "srv/all/b.json": '{"kind": "Secret"}',
        "srv/all/notes.txt": "hostPID: true",
        "srv/all/below/c.yml": "kind: Pod\nspec: {hostNetwork: true}\n",
        "srv/kust/base/kustomization.yaml": "resources: [../../pod.yaml]\n",
        "srv/kust/over/kustomization.yml": "resources: [../base]\npatches: [{patch: 'hostIPC: true'}]\n",
        "srv/app/compose.yaml": COMPOSE,
        "srv/app/.env": "# comment\nexport POWER='true'\n",
        "srv/app/deep/down/x": "x",
        "srv/broken.yaml": POD + "---\n[\n",
        "srv/overrides.json": '{"spec": {"hostPID": true}}',
        "srv/ctr.json": '{"linux": {"security_context": {"privileged": true}}}',
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "srv/bundle").mkdir()
    shutil.copy(DATA / "podman-privileged.json", tmp_path / "srv/bundle/config.json")
    (tmp_path / "srv/innocent").symlink_to("/")
    return tmp_path


def read(root, *args, cwd="/srv", executable=None, **members):
    reader = IntentReader(Path("/proc"), root)
    event = make_exec(executable or f"/usr/bin/{args[0]}", args, working_directory=cwd, origin="replay", **members)
    return reader.add_intent(event).intent


class TestFiles:
    """The files that a command line names."""

    @pytest.mark.parametrize(
        ("args", "source"),
        [
            (("kubectl", "apply", "-f", "pod.yaml"), "manifest"),
            (("kubectl", "create", "-f", "../srv/./pod.yaml"), "manifest"),
            (("kubectl", "apply", "-k", "kust/over"), "manifest"),
            (("podman", "kube", "play", "pod.yaml"), "manifest"),
            (("runc", "run", "-b", "bundle", "x"), "bundle"),
            (("crun", "run", "--bundle=/srv/bundle", "x"), "bundle"),
            (("crictl", "create", "id", "ctr.json", "ctr.json"), "manifest"),
            (("docker", "compose", "-f", "app/compose.yaml", "run", "tool"), "compose"),
            (("kubectl", "run", "x", "--overrides", '{"containers":[{"securityContext":{"privileged":true}}]}'),
             "manifest"),
        ],
    )  # fmt: skip
    def test_a_privileged_container_in_a_file(self, root, args, source):
        """Whatever kind of file says it, it is what the command line asks for."""
        found = read(root, *args)
        assert (True, source, args[0], ()) == (found.privileged, found.source, found.tool, found.unread)
        assert all(map(is_fact, found.facts))

    def test_everything_a_manifest_says(self, root):
        """Host namespaces, mounts, names, and what its command would do."""
        found = read(root, "kubectl", "apply", "-f", "pod.yaml")
        assert (("pid",), ("/",), "alpine", "kube-system", "nsenter") == (
            found.host_namespaces, found.mounts, found.image, found.namespace, found.program,
        )  # fmt: skip
        assert "inner:nsenter" in found.facts

    def test_directories_of_manifests(self, root):
        """Files of the three endings count; directories below when they are asked for."""
        assert (("ipc",), ("pods", "secrets")) == (
            (found := read(root, "kubectl", "apply", "-f", "all")).host_namespaces, found.resources,
        )  # fmt: skip
        assert ("ipc", "net") == read(root, "kubectl", "apply", "-R", "-f", "all").host_namespaces

    def test_compose_looks_above_and_reads_its_variables(self, root):
        """The project's file may lie above the working directory, its variables in .env beside it."""
        found = read(root, "docker", "compose", "up", "-d", cwd="/srv/app/deep/down")
        assert (False, ("/srv/app/html",), ()) == (found.privileged, found.mounts, found.writable_mounts)
        assert read(root, "docker", "compose", "--profile", "debug", "up", cwd="/srv/app").privileged

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("https://example.org/x.yaml", "https://example.org/x.yaml: it is a URL"),
            ("nothing.yaml", "/srv/nothing.yaml: No such file or directory"),
            ("-", "-: it was open in a process that is gone"),
            ("broken.yaml", "/srv/broken.yaml: it is neither YAML nor JSON"),
        ],
    )
    def test_what_cannot_be_read_is_told(self, root, path, reason):
        """The path and the reason; what stands before a fault counts."""
        found = read(root, "kubectl", "apply", "-f", path)
        assert found.unread[0].startswith(reason)
        assert found.privileged == (path == "broken.yaml")

    def test_circles_and_crowds_of_files_end(self, root):
        """Files that name each other are read once; the 65th is not read."""
        for name in "ab":
            folder = root / "srv" / name
            folder.mkdir()
            other = "a" if name == "b" else "b"
            (folder / "kustomization.yaml").write_text(
                f"resources: [../{other}]\npatches: [{{patch: 'hostPID: true'}}]"
            )
        assert ("pid",) == read(root, "kubectl", "apply", "-k", "a").host_namespaces
        many = root / "srv/many"
        many.mkdir()
        for number in range(80):
            (many / f"{number}.yaml").write_text("kind: Pod")
        assert "more than 64 files" in read(root, "kubectl", "apply", "-f", "many").unread[-1]

    def test_time_for_files_is_limited(self, root):
        """When files have taken too long lately, the next are not read and told."""
        reader = IntentReader(Path("/proc"), root)
        event = make_exec(
            args=("kubectl", "apply", "-f", "pod.yaml"),
            executable="/usr/bin/kubectl",
            working_directory="/srv",
            origin="replay",
        )
        assert reader.add_intent(event).intent.privileged
        reader._allowance_s = -1.0
        assert "no time is left" in reader.add_intent(event).intent.unread[0]


class TestMounts:
    """Host paths through the root."""

    def test_symbolic_links_are_followed(self, root):
        """A link to / is /, whatever it is called."""
        assert ("/",) == read(root, "docker", "run", "-v", "./innocent:/h", "alpine").mounts

    def test_a_link_to_a_namespace_file(self, root):
        """nsenter enters what its file leads to."""
        (root / "srv/spaces").symlink_to("/proc/1/ns")
        assert ("mnt",) == read(root, "nsenter", "--mount=spaces/mnt", "sh").host_namespaces

    def test_a_client_in_a_container_names_paths_of_the_node(self, root, tmp_path):
        """Links of the container's own tree say nothing about the daemon's node."""
        proc = tmp_path / "proc"
        (proc / "1").mkdir(parents=True)
        (proc / "1/root").symlink_to(tmp_path / "node")
        (tmp_path / "node/srv").mkdir(parents=True)
        (tmp_path / "node/srv/innocent").symlink_to("/etc")
        event = make_exec(
            args=("docker", "run", "-v", "/srv/innocent:/h", "alpine"),
            container=Container(id="c"),
            working_directory="/",
        )
        assert ("/etc",) == IntentReader(proc, root).add_intent(event).intent.mounts


class TestPrograms:
    """What runs, whatever it is called."""

    @pytest.mark.parametrize(
        ("program", "args", "tool"),
        [
            ("/usr/bin/docker", ("nginx", "run", "--privileged", "alpine"), "docker"),
            ("/usr/sbin/runc", ("kworker", "exec", "id", "sh"), "runc"),
            ("/usr/bin/nsenter", ("ls", "-t", "1", "-m", "sh"), "nsenter"),
        ],
    )
    def test_a_renamed_tool_is_known(self, root, program, args, tool):
        """A copy under another name, with another argv[0]."""
        if not os.path.exists(program):
            pytest.skip(f"{program} is not here")
        shutil.copy(program, root / "srv/backup")
        found = read(root, *args, executable="/srv/backup")
        assert (tool, True) == (found.tool, found.renamed)
        assert f"argv0:{args[0]}" in found.facts

    def test_a_renamed_multi_call_program_is_looked_through(self, root):
        """busybox as x runs its applets as x's first argument."""
        shutil.copy("/usr/bin/busybox", root / "srv/x")
        found = read(root, "x", "nsenter", "-t", "1", "-m", "sh", executable="/srv/x")
        assert ("nsenter", ("mnt",)) == (found.tool, found.host_namespaces)

    @pytest.mark.parametrize(
        ("executable", "first"),
        [("/usr/bin/docker", "docker"), ("/usr/bin/docker", "/usr/bin/docker"), ("/opt/kubectl-1.30", "kubectl"),
         ("/usr/bin/kubectl.distribution", "kubectl"),
         ("/usr/bin/busybox", "nsenter"), ("/memfd:runc_cloned (deleted)", "runc")],
    )  # fmt: skip
    def test_an_honest_name_is_no_lie(self, root, executable, first):
        """The file's name, its alternatives' name and the tool's name are honest."""
        found = read(
            root, first, *(("-t", "1", "-m") if first == "nsenter" else ("delete", "x")), executable=executable
        )
        assert not [fact for fact in found.facts if fact.startswith("argv0:")]

    def test_other_events_stay_as_they_are(self, root):
        """An ordinary program, a connection, and an event that has its intent."""
        reader = IntentReader(Path("/proc"), root)
        own = make_exec(args=("docker", "ps"), intent=Intent(tool="x"))
        for event in (make_exec("/usr/bin/ls", ("ls",), origin="replay"), make_connect(), own, make_exec(args=())):
            assert event is reader.add_intent(event)


class TestLiveProcesses:
    """Processes of this machine."""

    def start(self, tmp_path, **options):
        child = subprocess.Popen(["sleep", "9"], cwd=tmp_path, **options)
        while b"sleep" not in Path(f"/proc/{child.pid}/cmdline").read_bytes():
            time.sleep(0.01)
        ticks = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19])
        members = {"pid": child.pid, "start_ns": ticks * 10_000_000, "working_directory": str(tmp_path)}
        return child, members

    def test_standard_input_and_environment(self, tmp_path):
        """A manifest on standard input, when it is a file; the variables that choose the daemon."""
        (tmp_path / "pod.yaml").write_text(POD)
        reader = IntentReader(Path("/proc"), Path("/nowhere"))
        with (tmp_path / "pod.yaml").open() as opened:
            child, members = self.start(
                tmp_path, stdin=opened, env={"DOCKER_HOST": "tcp://192.0.2.1:2375", "TOKEN": "x"}
            )
        try:
            event = make_exec("/usr/bin/kubectl", ("kubectl", "apply", "-f", "-"), **members)
            assert reader.add_intent(event).intent.privileged
            event = reader.add_intent(make_exec(args=("docker", "ps"), **members))
            assert "tcp://192.0.2.1:2375" == event.intent.endpoint
            assert {"DOCKER_HOST": "tcp://192.0.2.1:2375"} == event.process.env
            ordinary = reader.add_intent(make_exec("/usr/bin/env", ("env", "-i"), **members))
            assert ordinary.process.env is None
        finally:
            child.kill()
            child.wait()

    def test_a_process_that_is_gone_leaves_its_namespace(self, tmp_path):
        """Its files are read through somebody in the same mount namespace; another pid's owner is not asked."""
        (tmp_path / "pod.yaml").write_text(POD)
        namespaces = Namespaces(mount=os.stat("/proc/self/ns/mnt").st_ino, pid=1, user=1)
        members = {"pid": os.getpid(), "start_ns": 5, "working_directory": str(tmp_path), "namespaces": namespaces}
        event = make_exec("/usr/bin/kubectl", ("kubectl", "apply", "-f", "pod.yaml"), **members)
        event = IntentReader(Path("/proc"), Path("/nowhere")).add_intent(event)
        assert event.intent.privileged

    def test_a_process_that_ends_while_it_is_read(self, tmp_path):
        """Its root is held from the first look on: most commands that name a file live for milliseconds."""
        (tmp_path / "pod.yaml").write_text(POD)
        child, members = self.start(tmp_path)
        doomed = []

        def clock_s():
            for process in doomed:
                process.kill()
                process.wait()
            return time.monotonic()

        reader = IntentReader(Path("/proc"), Path("/nowhere"), clock_s)
        doomed.append(child)  # by the clock's next turn, which is that of the files
        event = reader.add_intent(make_exec("/usr/bin/kubectl", ("kubectl", "apply", "-f", "pod.yaml"), **members))
        assert child.returncode is not None
        assert (True, ()) == (event.intent.privileged, event.intent.unread)

    @pytest.mark.parametrize("first", ["1", "self"])
    @pytest.mark.parametrize(("whose", "expected"), [("own", ("net",)), ("nobody", ())])
    def test_a_namespace_file_of_the_host_by_its_inode(self, tmp_path, whose, expected, first):
        """A path to pid 1's namespace is the host's, whatever it is; to the agent's own where pid 1 is hidden."""
        child, members = self.start(tmp_path)
        path = f"/proc/{child.pid if whose == 'own' else 4_000_000}/ns/net"
        kinds = [{"type": "network", "path": path}, *({"type": kind} for kind in ("pid", "ipc", "uts", "mount"))]
        (tmp_path / "config.json").write_text(json.dumps({"linux": {"namespaces": kinds}}))
        proc = tmp_path / "proc"
        proc.mkdir()
        (proc / first).symlink_to(f"/proc/{os.getpid()}")
        (proc / str(child.pid)).symlink_to(f"/proc/{child.pid}")
        try:
            event = make_exec("/usr/sbin/runc", ("runc", "create", "x"), **members)
            found = IntentReader(proc, Path("/")).add_intent(event).intent
        finally:
            child.kill()
            child.wait()
        assert expected == found.host_namespaces

    def test_known_by_its_inode_without_looking_again(self, tmp_path):
        """A second exec of one file costs no second look."""
        reader = IntentReader(tmp_path, Path("/"))
        found = os.stat("/usr/bin/nsenter")
        file = File(dev=found.st_dev, inode=found.st_ino, ctime_ns=found.st_ctime_ns)
        event = make_exec("/usr/bin/nsenter", ("x", "-t", "1", "-m"), file=file, start_ns=5, pid=1 << 30)
        for _ in range(2):
            assert "nsenter" == reader.add_intent(event).intent.tool
            event = make_exec("/gone", ("x", "-t", "1", "-m"), file=file, start_ns=5, pid=1 << 30)


class TestAnything:
    """Arbitrary command lines and files."""

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_never_raises(self, tmp_path_factory, data):
        """Whatever is on the command line and in the files, there is an event."""
        root = tmp_path_factory.getbasetemp() / "any"
        root.mkdir(exist_ok=True)
        (root / "f").write_bytes(data.draw(st.binary(max_size=60) | st.sampled_from([POD.encode(), COMPOSE.encode()])))
        heads = [("kubectl", "apply", "-f"), ("docker", "compose", "-f"), ("runc", "run", "-b"), ("ctr", "run", "-c"),
                 ("crictl", "create", "x"), ("kubectl", "apply", "-k"), ("podman", "kube", "play"),
                 ("curl", "-d")]  # fmt: skip
        words = st.sampled_from("f /f - /dev/stdin /proc/self/fd/0 .. up http://x @f { --unix-socket \0".split())
        args = (*data.draw(st.sampled_from(heads)), *data.draw(st.lists(words | st.text(max_size=4), max_size=5)))
        found = read(root, *args, cwd=data.draw(st.sampled_from(["/", None, "relative"])))
        assert found is None or isinstance(found, Intent)
