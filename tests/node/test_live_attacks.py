"""
Attacks with the real clients of Docker, containerd, podman and Kubernetes, under the shipped rules.

Each must alert whatever it is called and however it is spelled. What becomes of a container does not matter
here (some machines cannot grant what is asked for): who asked, and for what, has been seen by then.
"""

import json
import time

import pytest

from tests.node.live import loud, make_token, open_node

pytestmark = [pytest.mark.node, pytest.mark.kernel]

POD = """
apiVersion: v1
kind: Pod
metadata: {name: TOKEN}
spec:
  hostPID: true
  containers:
  - name: c
    image: alpine
    securityContext: {privileged: true}
    volumeMounts: [{name: root, mountPath: /h}]
  volumes: [{name: root, hostPath: {path: /}}]
"""
COMPOSE = """
version: "3"
services:
  TOKEN:
    image: hull/busybox
    command: ["true"]
    network_mode: none
    privileged: true
    volumes: ["/:/host"]
"""
OVERRIDES = '{"spec": {"hostPID": true, "containers": [{"name": "c", "securityContext": {"privileged": true}}]}}'
POWERS = {"Image": "hull/busybox", "Cmd": ["true"], "HostConfig": {"Privileged": True, "Binds": ["/:/h"]}}


@pytest.fixture(scope="module")
def node(docker, tmp_path_factory):
    with open_node(docker, tmp_path_factory.mktemp("attacks")) as node:
        yield node


@pytest.fixture
def token(node):
    """A fresh word, and files about it: a pod's manifest, a Compose file, an API call's body."""
    word = make_token()
    (node.directory / f"{word}.yaml").write_text(POD.replace("TOKEN", word))
    (node.directory / f"{word}.json").write_text(json.dumps(POWERS))
    project = node.directory / word
    project.mkdir()
    (project / "compose.yml").write_text(COMPOSE.replace("TOKEN", word))
    return word


class TestAtomicTests:
    """The three that the seeds name, each as it is written there."""

    def test_privileged_with_the_hosts_file_system(self, node, token):
        """A privileged container with the node's root is critical."""
        node.sh("docker run --rm --privileged -v /:/host --name $TOKEN hull/busybox true", token)
        node.expect(token, "critical", ("T1610", "T1611"), privileged=True, writable_mounts=("/",))

    def test_host_network_and_host_processes(self, node, token):
        """The host's namespaces are high, and the container really runs."""
        done = node.sh("docker run --rm --net=host --pid=host --name $TOKEN hull/busybox echo it runs", token)
        assert "it runs\n" == done.stdout.decode()
        node.expect(token, "high", host_namespaces=("net", "pid"))

    def test_a_privileged_pod(self, node, token):
        """What the manifest asks for is critical, though no API server ever sees it."""
        node.sh("$KUBECTL apply -f $TOKEN.yaml", token)
        node.expect(token, "critical", source="manifest", privileged=True, mounts=("/",), host_namespaces=("pid",))


class TestOtherNames:
    """A client is what its file holds."""

    RUN = "run --privileged --name $TOKEN hull/busybox true"

    def test_copied(self, node, token):
        """A copy under another name."""
        node.sh(f"cp $(command -v docker) $TOKEN-x; ./$TOKEN-x {self.RUN}", token)
        node.expect(token, "critical", process__executable=f"{node.directory}/{token}-x", renamed=True)

    def test_hard_linked(self, node, token):
        """A second name of one file, of which the first was used honestly before."""
        node.sh(
            "mkdir bin-$TOKEN; cp $(command -v docker) bin-$TOKEN/docker; ln bin-$TOKEN/docker $TOKEN-y;"
            "bin-$TOKEN/docker --version; sleep 0.3; ./$TOKEN-y run -v/:/h --name $TOKEN hull/busybox true",
            token,
        )
        node.expect(token, "critical", process__executable=f"{node.directory}/{token}-y", renamed=True)

    def test_bind_mounted(self, node, token):
        """The same by a mount, which changes nothing of the file, not even a time."""
        script = (
            "docker --version; sleep 0.3; touch $TOKEN-b; mount --bind $(readlink -f $(command -v docker)) $TOKEN-b;"
            "./$TOKEN-b run -v/:/h --name $TOKEN hull/busybox true; umount $TOKEN-b"
        )
        node.sh(script, token)
        node.expect(token, "critical", process__executable=f"{node.directory}/{token}-b", renamed=True)

    def test_symbolic_link(self, node, token):
        """A link named as something else runs what it points to, and the name is told for a lie."""
        node.sh(f"ln -s $(command -v docker) ls; ./ls {self.RUN}", token)
        node.expect(token, "critical", facts=("argv0:ls",))

    def test_deleted(self, node, token):
        """A program whose file is gone by the time that it runs."""
        node.sh(f"cp $(command -v docker) $TOKEN-d; exec 3<$TOKEN-d; rm $TOKEN-d; /proc/self/fd/3 {self.RUN}", token)
        node.expect(token, "critical", process__executable=f"{node.directory}/{token}-d", process__deleted=True)

    def test_from_memory(self, node, token):
        """A program that never was a file, under the name of a kernel thread."""
        node.run_memfd("docker", "run", "--privileged", "--name", token, "hull/busybox", "true")
        node.expect(token, "critical", tool="docker", process__executable="/memfd:cache")

    def test_by_the_loader(self, node, token):
        """The dynamic loader runs what its argument names."""
        node.sh(f"$(ls -d /lib*/ld-linux*.so.* | head -n1) $(readlink -f $(command -v docker)) {self.RUN}", token)
        node.expect(token, "critical", tool="docker")

    def test_nsenter(self, node, token):
        """A program of C has no build information, and is known by its text."""
        node.sh("cp $(command -v nsenter) n; ./n -t1 -m true $TOKEN", token)
        node.expect(token, "medium", ("T1611",), tool="nsenter", host_namespaces=("mnt",), renamed=True)

    def test_busybox_under_another_name(self, node, token):
        """An applet of a copied busybox."""
        node.sh("cp $(command -v busybox) bb; ./bb nsenter -t1 -m true $TOKEN", token)
        node.expect(token, "medium", ("T1611",), tool="nsenter", host_namespaces=("mnt",))


class TestOtherEngines:
    """What docker is watched for, without docker."""

    def test_ctr_from_memory(self, node, token):
        """containerd's client from a memfd, against a containerd that runs it."""
        node.run_memfd(
            "ctr", "run", "--rm", "--privileged", "--mount", "type=bind,src=/,dst=/h,options=rbind:rw",
            node.environment["IMAGE"], token, "true",
        )  # fmt: skip
        node.expect(token, "critical", tool="ctr", privileged=True, writable_mounts=("/",))

    def test_ctr_hosts_namespaces(self, node, token):
        """Long options with one dash, and a namespace by its file."""
        node.sh("ctr run -rm -net-host --with-ns=pid:/proc/1/ns/pid $IMAGE $TOKEN true", token)
        node.expect(token, "high", tool="ctr", host_namespaces=("net", "pid"))

    def test_podman_with_another_runtime(self, node, token):
        """`podman --runtime runc`; the container runs."""
        done = node.sh("$PODMAN run --rm --privileged $LIMITS --name $TOKEN hull/busybox echo it runs", token)
        assert "it runs\n" == done.stdout.decode()
        node.expect(token, "critical", tool="podman", privileged=True)

    def test_podman_kube_play(self, node, token):
        """A manifest that podman plays."""
        node.sh("$PODMAN play kube --start=false $TOKEN.yaml", token)
        node.expect(token, "critical", tool="podman", privileged=True, mounts=("/",))

    @pytest.mark.parametrize("runtime", ["runc", "crun"])
    def test_runtime_by_hand(self, node, token, runtime):
        """A bundle of one's own, run from a shell: its powers, and that no engine stands behind it."""
        node.sh(f"mkdir -p {runtime}/rootfs; cd {runtime}; test -e config.json || runc spec", token)
        path = node.directory / runtime / "config.json"
        config = json.loads(path.read_text())
        config["mounts"].append({"destination": "/h", "type": "bind", "source": "/", "options": ["rbind", "rw"]})
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]
        path.write_text(json.dumps(config))
        node.sh(f"{runtime} run -b {runtime} $TOKEN", token)
        node.expect(token, "critical", tool=runtime, source="bundle", mounts=("/",), host_namespaces=("pid",))

    def test_a_bundle_that_asks_for_nothing(self, node, token):
        """Even that is medium when a shell runs it, from the directory that it stands in."""
        node.sh("mkdir -p plain-$TOKEN/rootfs; cd plain-$TOKEN; runc spec; runc create $TOKEN", token)
        node.expect(token, "medium", tool="runc", source="bundle", verb="create")


class TestCompose:
    """Powers that stand in a file."""

    def test_up(self, node, token):
        """docker-compose brings up a privileged service."""
        node.sh("docker-compose --file $TOKEN/compose.yml up; docker-compose --file $TOKEN/compose.yml down", token)
        node.expect(token, "critical", tool="docker-compose", source="compose", privileged=True, writable_mounts=("/",))

    def test_found_by_its_name(self, node, token):
        """No option names the file: it lies in a directory above."""
        node.sh("mkdir $TOKEN/deep; cd $TOKEN/deep; docker compose up --detach", token)
        node.expect(token, "critical", tool="docker", verb="compose up", privileged=True, mounts=("/",))

    def test_through_standard_input(self, node, token):
        """`-f -`, redirected from the file."""
        node.sh("docker compose -f - -p $TOKEN up <$TOKEN/compose.yml", token)
        node.expect(token, "critical", privileged=True, mounts=("/",))


class TestApi:
    """Calls to the daemon's socket without its client."""

    URL = "http://localhost/v1.41/containers/create?name=$TOKEN"

    def test_body_on_the_command_line(self, node, token):
        """curl creates a privileged container."""
        body = json.dumps(POWERS)
        done = node.sh(
            f"curl -s --unix-socket $SOCKET -d '{body}' -H 'Content-Type: application/json' {self.URL}", token
        )
        assert "Id" in json.loads(done.stdout)
        node.expect(token, "critical", source="api", privileged=True, mounts=("/",))

    def test_body_in_a_file(self, node, token):
        """The same with `-d @FILE`, glued, behind a header of another order."""
        header = "-HContent-Type:application/json"
        node.sh(f"curl {header} -sXPOST -d@$TOKEN.json --unix-socket $SOCKET {self.URL}", token)
        node.expect(token, "critical", source="api", privileged=True, mounts=("/",))

    def test_body_through_standard_input(self, node, token):
        """A file that only the shell names: curl may have ended before it is read, and is high even so."""
        node.sh(f"curl -s --json @- --unix-socket=$SOCKET {self.URL} <$TOKEN.json", token)
        node.expect(token, "high", source="api", verb="create")

    def test_socket_under_another_name(self, node, token):
        """A symbolic link to the socket hides nothing of the request."""
        node.sh(f"ln -s $SOCKET $TOKEN.s; curl -s --unix-socket $TOKEN.s -d @$TOKEN.json {self.URL}", token)
        node.expect(token, "critical", source="api", privileged=True)


class TestNamespaces:
    """The node's own namespaces, entered from a shell."""

    @pytest.mark.parametrize(
        "options",
        [
            "-t1 -m",
            "-t 1 -m",
            "--target 1 --mount",
            "--ta=1 --mou",
            "-at1",
            "--mount=/proc/1/ns/mnt",
            "-m/proc/1/ns/mnt",
            "-m -t $(echo 01)",
            "--mount=/proc/1/task/1/ns/mnt",
        ],
    )
    def test_nsenter(self, node, token, options):
        """
        Every spelling that getopt takes, by number and by file.

        Whether the kernel lets anybody in is another matter: some machines keep pid 1 from root.
        """
        node.sh(f"nsenter {options} echo $TOKEN", token)
        node.expect(token, "medium", ("T1611",), tool="nsenter", host_namespaces=("mnt",))

    def test_through_a_container(self, node, token):
        """The whole way in one line: into the host's processes, and from there into its namespaces."""
        node.sh(
            "docker run --rm --privileged --pid=host --network none --name $TOKEN hull/busybox nsenter -t1 -a sh", token
        )
        node.expect(token, "critical", ("T1610", "T1611"), host_namespaces=("pid",), facts=("inner:nsenter",))


class TestMounts:
    """The node's root, spelled otherwise."""

    @pytest.mark.parametrize(
        "option",
        [
            "-v /:/h",
            "-itv /:/h",
            "-v=/:/h",
            "--volume=//:/h",
            "-v /etc/..:/h",
            "-v $DIR/root:/h",
            "-v $DIR/root/../root/.:/h",
            "-v ../../../../../../../../:/h",
            "-v /proc/1/root:/h",
            "--mount type=bind,src=/,dst=/h",
            "--mount 'type=bind,\"src=/\",dst=/h'",
            "--mount type=volume,dst=/h,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/",
        ],
    )
    def test_docker_run(self, node, token, option):
        """Relative, linked, doubled and quoted, it is still the root."""
        if not (node.directory / "root").is_symlink():
            (node.directory / "root").symlink_to("/")
        node.sh(f"docker run --rm --network none {option} --name $TOKEN hull/busybox true", token)
        node.expect(token, "critical", ("T1610", "T1611"), writable_mounts=("/",))

    def test_volume_made_before(self, node, token):
        """A named volume that is the root; `docker run -v NAME:/h` then shows nothing of it."""
        node.sh(
            "docker volume create -o type=none -o o=bind -o device=/ $TOKEN; docker volume rm $TOKEN",
            token,
        )
        node.expect(token, "high", (), mounts=("/",))


class TestWrappers:
    """Programs that run another one: their own command line says it already."""

    RUN = "docker run --rm --privileged --network none --name $TOKEN hull/busybox true"

    @pytest.mark.parametrize(
        ("wrapper", "names"),
        [
            ("sudo", ("sudo",)),
            ("sudo -n -u root --", ("sudo",)),
            ("env -u HOME A=b", ("env",)),
            ("nohup", ("nohup",)),
            ("setsid --fork --wait", ("setsid",)),
            ("timeout -k 1 20", ("timeout",)),
            ("nice -n 5 ionice -c 3", ("nice", "ionice")),
            ("busybox nohup", ("nohup",)),
            ("chroot /", ("chroot",)),
            ("stdbuf -oL", ("stdbuf",)),
            ("flock $DIR/lock", ("flock",)),
            ("cp /bin/true systemd-run; ./systemd-run --wait --collect", ("systemd-run",)),
            ("unshare --mount", ("unshare",)),
        ],
    )
    def test_before_docker(self, node, token, wrapper, names):
        """A wrapper's own exec carries the intent of what it wraps; not every node has a systemd to run anything."""
        node.sh(f"{wrapper} {self.RUN}", token)
        node.expect(token, "critical", privileged=True, wrappers=names)

    @pytest.mark.parametrize("shell", ["sh -c", "bash -lc", "busybox sh -c", "env -S", "script -qc"])
    def test_in_a_text(self, node, token, shell):
        """A line of shell that is one argument."""
        node.sh(f'{shell} "cd /; {self.RUN}" </dev/null' if "sh" in shell else f'{shell} "{self.RUN}" /dev/null', token)
        node.expect(token, "critical", privileged=True, process__args=(shell.split()[0],))

    def test_detached(self, node, token):
        """A double fork, as systemd-run's, leaves pid 1 or a subreaper as the parent, which earns no trust."""
        node.sh(f"(( sleep 0.3; exec {self.RUN} ) & )", token)
        time.sleep(0.3)
        alert = node.expect(token, "critical", process__args=("docker",))
        assert "sh" not in alert["process"]["parent"]["name"]

    def test_a_script_on_standard_input(self, node, token):
        """Nothing of it is on any command line, until docker is."""
        node.sh(f"echo '{self.RUN}' | sh", token)
        node.expect(token, "critical", process__args=("docker",))


class TestKubernetes:
    """Manifests however they reach the client."""

    @pytest.mark.parametrize(
        "command",
        [
            "create --filename=$TOKEN.yaml",
            "create --validate=false -f $DIR/./$TOKEN.yaml --dry-run=none",
            "apply -f - <$TOKEN.yaml",
            "apply --recursive -f $TOKEN",
            "replace --force -f$TOKEN.yaml",
            "apply -k $TOKEN",
            f"run $TOKEN --image=alpine --overrides='{OVERRIDES}'",
        ],
    )
    def test_privileged_pod(self, node, token, command):
        """By file, by directory, by kustomization, by standard input, as text."""
        directory = node.directory / token
        (directory / "pod.yml").write_text(POD.replace("TOKEN", token))
        (directory / "kustomization.yaml").write_text("resources: [pod.yml]\n")
        (directory / "compose.yml").unlink()
        node.sh(f"$KUBECTL {command}", token)
        node.expect(token, "critical", ("T1610", "T1611"), tool="kubectl", privileged=True, host_namespaces=("pid",))

    def test_through_a_pipe(self, node, token):
        """What is in a pipe belongs to kubectl: it stays unread, which is told."""
        alerts = node.alerts_during(lambda: node.sh("cat $TOKEN.yaml | $KUBECTL apply --context=$TOKEN -f -", token))
        assert any(alert["hullwatch"]["intent"].get("unread") for alert in alerts), loud(alerts)
