"""docker, podman, nerdctl, buildah and Compose: what is asked for, not how it is spelled."""

import pytest

from agent.intent.model import FileReference
from tests.intents import asked, powers, read

ROOT = {"mounts": ("/",)}


class TestPowers:
    """Options that give a container power, in their spellings."""

    @pytest.mark.parametrize(
        "options",
        [
            "--privileged",
            "--privileged=true",
            "--privileged=1",
            "-it --privileged",
            "--privileged=false --privileged",
            "-e A=b --privileged -p 80:80",
        ],
    )
    def test_privileged(self, options):
        """Privileged is privileged alone; it is not spread into what it implies."""
        assert {"privileged": True} == powers(f"docker run {options} alpine")

    @pytest.mark.parametrize(
        "options",
        [
            "--privileged=false",
            "--privileged --privileged=0",
            "--privileged=yes",
            "-e --privileged",
            "--name --privileged",
            "--label a=--privileged",
            "nginx --privileged",
            "-- nginx --privileged -v /:/h",
        ],
    )
    def test_not_privileged(self, options):
        """A switch that is off, another option's value and the container's own words ask for nothing."""
        assert {} == powers(f"docker run {options} alpine")

    @pytest.mark.parametrize(
        "options",
        [
            "-v /:/h",
            "-v/:/h",
            "-v=/:/h",
            "-itdv/:/h",
            "-itv /:/h",
            "--volume=/:/h:ro",
            "-v //:/h",
            "-v ../..:/h",
            "--mount type=bind,src=/,dst=/h",
            "--mount=TYPE=bind,Source=/,Target=/h",
        ],
    )
    def test_root_mount(self, options):
        """The host's root is one mount however it is written."""
        assert ROOT == powers(f"docker run {options} alpine")

    @pytest.mark.parametrize(
        ("option", "kind"),
        [
            ("--pid host", "pid"),
            ("--pid=host", "pid"),
            ("--net host", "net"),
            ("--network=host", "net"),
            ("--network name=host,alias=x", "net"),
            ("--network NAME=HOST", "net"),
            ("--ipc=host", "ipc"),
            ("--uts host", "uts"),
            ("--userns=host", "user"),
            ("--cgroupns host", "cgroup"),
        ],
    )
    def test_host_namespaces(self, option, kind):
        """A namespace of the host's."""
        assert {"host_namespaces": (kind,)} == powers(f"docker run {option} alpine")

    @pytest.mark.parametrize(
        "option",
        [
            "--pid container:x",
            "--net=bridge",
            "--network my-host",
            "--network-alias host",
            "-h host",
            "--ipc shareable",
            "--network name=hostnet",
            "--add-host host:1.2.3.4",
        ],
    )
    def test_other_namespaces(self, option):
        """Another container's namespace, or the word host elsewhere, is not the host's."""
        assert {} == powers(f"docker run {option} alpine")

    @pytest.mark.parametrize("option", ["--cap-add SYS_ADMIN", "--cap-add=cap_sys_admin", "--cap-add=CAP_SYS_ADMIN"])
    def test_capabilities(self, option):
        """A capability in any case, with or without its prefix."""
        assert {"capabilities": ("SYS_ADMIN",)} == powers(f"docker run {option} alpine")

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("seccomp=unconfined", "seccomp"),
            ("seccomp:unconfined", "seccomp"),
            ("apparmor=unconfined", "apparmor"),
            ("label=disable", "selinux"),
            ("label:disable", "selinux"),
            ("label=type:spc_t", "selinux"),
            ("systempaths=unconfined", "masked-paths"),
            ("unmask=ALL", "masked-paths"),
            ("no-new-privileges=false", "no-new-privileges"),
            ("no-new-privileges:false", "no-new-privileges"),
        ],
    )
    def test_unconfined(self, value, expected):
        """What is taken off a container, in both signs."""
        assert {"unconfined": (expected,)} == powers(f"podman run --security-opt {value} alpine")

    @pytest.mark.parametrize(
        "value", ["no-new-privileges", "no-new-privileges:true", "label=level:s0", "seccomp=builtin"]
    )
    def test_confined(self, value):
        """Hardening is no power."""
        assert {} == powers(f"docker run --security-opt {value} alpine")

    def test_devices(self):
        """A device by its path; a name of CDI is a fact."""
        assert {"devices": ("/dev/sda",)} == powers("docker run --device /dev/sda:/dev/x:rwm --gpus all alpine")
        assert ("cdi:nvidia.com/gpu=0",) == read("podman run --device nvidia.com/gpu=0 alpine").facts

    @pytest.mark.parametrize(
        ("options", "fact"),
        [
            ("--device-cgroup-rule 'a *:* rwm'", "device-cgroup-rule:a *:* rwm"),
            ("--group-add docker", "group-add:docker"),
            ("--volumes-from db:ro", "volumes-from:db:ro"),
            ("--use-api-socket", "use-api-socket"),
            ("--security-opt seccomp=/tmp/p.json", "seccomp-profile:/tmp/p.json"),
            ("--runtime /tmp/r", "runtime:/tmp/r"),
            ("--entrypoint sh", "entrypoint"),
            ("-w /proc/self/fd/8", "workdir:/proc/self/fd/8"),
            ("-v /a:/b:rshared", "propagation:shared"),
        ],
    )
    def test_facts(self, options, fact):
        """Powers without a member of their own are facts."""
        assert fact in read(f"docker run {options} alpine").facts

    def test_writable(self):
        """A read-only mount is no writable one."""
        intent = read("docker run -v /:/h:ro -v /etc:/e alpine")
        assert ("/", "/etc") == intent.mounts
        assert ("/etc",) == intent.writable_mounts


class TestVerbs:
    """Which command it is."""

    @pytest.mark.parametrize(
        ("line", "verb"),
        [
            ("docker run x", "run"),
            ("docker container run x", "run"),
            ("docker -D --log-level error run x", "run"),
            ("docker -l=error -H tcp://h:1 container create x", "create"),
            ("docker container ls", "ps"),
            ("docker image ls", "images"),
            ("docker image rm x", "rmi"),
            ("docker network list", "network ls"),
            ("docker system prune -af", "system prune"),
            ("docker scout cves x", "scout"),
            ("podman play kube x", "kube play"),
            ("podman container list", "ps"),
            ("nerdctl -n k8s.io container exec x sh", "exec"),
            ("nerdctl namespace ls", "namespace ls"),
            ("buildah bud .", "build"),
            ("docker-compose up", "compose up"),
            ("nerdctl compose -f x up", "compose up"),
            ("docker --version", None),
        ],
    )
    def test_verb(self, line, verb):
        """Management commands, aliases and options before the command do not change its name."""
        assert verb == read(line).verb

    def test_run(self):
        """Image, name, user and command of a new container."""
        expected = {
            "verb": "run",
            "image": "alpine",
            "target": "web",
            "user": "0",
            "interactive": True,
            "command": ("sh", "-c", "id"),
            "program": "sh",
        }
        assert expected == asked("docker run -it --name web -u 0 alpine sh -c id")

    def test_exec(self):
        """Container and command of an exec; privileged is said of the command."""
        expected = {"verb": "exec", "target": "web", "privileged": True, "command": ("sh",), "program": "sh"}
        assert expected == asked("docker exec --privileged web sh")

    @pytest.mark.parametrize(
        "line", ["docker cp web:/etc/shadow .", "podman cp web:/x /work", "nerdctl cp -L a:/x /work"]
    )
    def test_copy_out(self, line):
        """The host's end of a copy is a path of the host."""
        intent = read(line)
        assert ("copy-out",) == intent.facts
        assert ("/work",) == intent.host_paths

    def test_volume_and_plugin(self):
        """A volume made of the host's root, a plug-in that gets what it asks for."""
        assert ROOT == powers("docker volume create -o type=none -o o=bind -o device=/ v")
        assert ("grant-all-permissions",) == read("docker plugin install --grant-all-permissions x").facts
        assert ROOT == powers("docker plugin set p rootfs.source=/")

    def test_service(self):
        """A service of a swarm takes the same powers, also added later."""
        expected = {"mounts": ("/",), "host_namespaces": ("net",), "capabilities": ("ALL",)}
        assert expected == powers("docker service create --mount type=bind,src=/,dst=/h --network host --cap-add ALL x")
        assert ROOT == powers("docker service update --mount-add type=bind,src=/,dst=/h x")

    def test_build(self):
        """A build may ask for entitlements and for the host's network."""
        assert ("allow:security.insecure",) == read("docker buildx build --allow security.insecure .").facts
        assert ("allow:network.host",) == read("docker-buildx build --allow=network.host .").facts
        assert {"host_namespaces": ("net",)} == powers("docker build --network host .")

    def test_podman(self):
        """What podman has alone: namespace files, a directory for a root, its own service."""
        assert {"host_namespaces": ("pid",)} == powers("podman run --pid ns:/proc/1/ns/pid x")
        assert ROOT == powers("podman run --rootfs / sh")
        assert "listen:tcp://0.0.0.0:80" in read("podman system service tcp:0.0.0.0:80").facts
        assert "runtime:/tmp/r" in read("podman run --runtime /tmp/r x").facts
        assert (FileReference("manifest", "/work/pod.yaml"),) == read("podman kube play pod.yaml").files

    @pytest.mark.parametrize("verb", ["copy", "add"])
    def test_buildah_copy(self, verb):
        """The host's files that go into a working container; not those of another image or of the web."""
        intent = read(f"buildah {verb} w /etc/shadow s /x")
        assert ("cp", ("/etc/shadow", "/work/s"), ("copy-in",)) == (intent.verb, intent.host_paths, intent.facts)
        assert ("/work/s",) == read(f"buildah {verb} w s").host_paths
        assert () == read(f"buildah {verb} --from alpine w /etc/shadow /x").host_paths
        assert () == read(f"buildah {verb} w https://h/x /x").host_paths

    def test_connection(self):
        """The address that a name stands for from now on."""
        assert "tcp://h:1" == read("podman system connection add x tcp://h:1").endpoint

    def test_buildah(self):
        """buildah takes a command's options before its name as well."""
        assert {"capabilities": ("ALL",), "mounts": ("/",)} == powers("buildah --cap-add=all run -v /:/h c sh")
        assert "c" == read("buildah run --cap-add all c sh").target


class TestDaemon:
    """Which daemon the command speaks to."""

    @pytest.mark.parametrize(
        ("line", "env", "expected"),
        [
            ("docker -H tcp://10.0.0.9:2375 ps", {}, "tcp://10.0.0.9:2375"),
            ("docker -H 10.0.0.9:2375 ps", {}, "tcp://10.0.0.9:2375"),
            ("docker --host=unix:///var/run/docker.sock ps", {}, "/run/docker.sock"),
            ("docker -H ssh://root@h ps", {}, "ssh://root@h"),
            ("docker ps", {"DOCKER_HOST": "tcp://1.2.3.4:2375"}, "tcp://1.2.3.4:2375"),
            ("docker -c other ps", {"DOCKER_HOST": "tcp://1.2.3.4:2375"}, None),
            ("podman --url tcp://h:1 ps", {}, "tcp://h:1"),
            ("podman ps", {"CONTAINER_HOST": "tcp://h:1"}, "tcp://h:1"),
            ("nerdctl -a /run/k3s/containerd/containerd.sock ps", {}, "/run/k3s/containerd/containerd.sock"),
            ("nerdctl ps", {"CONTAINERD_ADDRESS": "/run/x.sock"}, "/run/x.sock"),
            ("docker context create x --docker host=tcp://h:1", {}, "tcp://h:1"),
            ("docker ps", {"KUBECONFIG": "/x"}, None),
        ],
    )
    def test_endpoint(self, line, env, expected):
        """The option comes before the variable, a context before the variable as well."""
        assert expected == read(line, env=env).endpoint

    def test_context_and_namespace(self):
        """A context's name is a fact; nerdctl's namespace comes from its option or its variable."""
        assert ("context:far",) == read("docker --context far ps").facts
        assert ("context:far",) == read("docker ps", env={"DOCKER_CONTEXT": "far"}).facts
        assert "k8s.io" == read("nerdctl --namespace=k8s.io ps").namespace
        assert "k8s.io" == read("nerdctl ps", env={"CONTAINERD_NAMESPACE": "k8s.io"}).namespace


class TestCompose:
    """Compose in its four forms."""

    @pytest.mark.parametrize(
        "line",
        [
            "docker compose -f /tmp/x.yml up -d",
            "docker-compose -f /tmp/x.yml up",
            "nerdctl compose --file=/tmp/x.yml up",
            "podman-compose -f /tmp/x.yml up",
            "/usr/libexec/docker/cli-plugins/docker-compose compose -f /tmp/x.yml up",
        ],
    )
    def test_file(self, line):
        """The file is named for the reader of Compose files."""
        assert (FileReference("compose", "/tmp/x.yml"),) == read(line).files

    def test_no_file(self):
        """Without one it is the project's directory that has it, or the variable names it."""
        assert (FileReference("compose", "/work"),) == read("docker compose up").files
        assert (FileReference("compose", "/srv/p"),) == read("docker compose --project-directory /srv/p up").files
        assert (FileReference("compose", "/a.yml"),) == read("docker compose up", env={"COMPOSE_FILE": "/a.yml"}).files
        assert (FileReference("compose", "-"),) == read("docker compose -f - up").files

    def test_run(self):
        """A service's container with more power than the file gives it."""
        intent = read("docker compose run -v /:/h --cap-add SYS_ADMIN --entrypoint sh web -c id")
        assert ("/",) == intent.mounts
        assert ("SYS_ADMIN",) == intent.capabilities
        assert ("sh", "-c", "id") == intent.command
        assert "web" == intent.target

    def test_exec(self):
        """An exec has a terminal unless it is told not to."""
        assert read("docker compose exec web sh").interactive
        assert not read("docker compose exec -T web sh").interactive
