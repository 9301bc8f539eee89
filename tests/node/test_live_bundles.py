"""What a container really gets, by the bundle of its runtime: the truth even where no client was executed."""

import http.client
import json
import shutil
import socket

import pytest

from tests.node.conftest import field
from tests.node.live import brief, loud, make_token, open_node

pytestmark = [pytest.mark.node, pytest.mark.kernel]


@pytest.fixture(scope="module")
def node(docker, tmp_path_factory):
    with open_node(docker, tmp_path_factory.mktemp("bundles")) as node:
        yield node


@pytest.fixture
def token():
    return make_token()


def ask(node, method, path, body=None):
    """Ask dockerd from within this process, so that no exec tells of it."""
    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(node.environment["SOCKET"])
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse().read()
    connection.close()
    return json.loads(answer) if answer else None


def create(node, name, **powers):
    """Create a container by the API; give its id."""
    body = {"Image": "hull/busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none", **powers}}
    return ask(node, "POST", f"/v1.41/containers/create?name={name}", body)["Id"]


def run(node, name, **powers):
    """Create, start and remove one."""
    container_id = create(node, name, **powers)
    ask(node, "POST", f"/v1.41/containers/{container_id}/start")
    ask(node, "DELETE", f"/v1.41/containers/{container_id}?force=true")
    return container_id


class TestNobodyAsked:
    """Requests over the socket that no command line shows."""

    def test_powers_that_a_container_gets(self, node, token):
        """The runtime's alert has the mounts, the capabilities and the namespaces, and names the container."""
        container_id = run(node, token, Binds=["/:/h"], CapAdd=["SYS_ADMIN"], PidMode="host")
        alert = node.expect(
            container_id, "critical", ("T1610", "T1611"), tool="runc", verb="create", source="bundle",
            writable_mounts=("/",), capabilities=("SYS_ADMIN",), host_namespaces=("pid",), target=container_id,
        )  # fmt: skip
        assert shutil.which("runc") == field(alert, "process.executable")
        assert "containerd-shim-runc-v2" == field(alert, "process.parent.name")
        assert ["true"] == field(alert, "hullwatch.intent.command")

    def test_privileged(self, node, token):
        """Seen also where the machine cannot grant it."""
        container_id = run(node, token, Privileged=True)
        node.expect(container_id, "critical", ("T1610", "T1611"), source="bundle", privileged=True)

    def test_hosts_network(self, node, token):
        """A namespace that the bundle does not make is the host's."""
        container_id = run(node, token, NetworkMode="host")
        node.expect(container_id, "high", source="bundle", host_namespaces=("net",))

    def test_runtime_socket(self, node, token):
        """Whoever gets the socket can ask for the rest."""
        container_id = run(node, token, Binds=[f"{node.environment['SOCKET']}:/s"])
        node.expect(container_id, "high", source="bundle", mounts=(node.environment["SOCKET"],))

    def test_a_container_that_asks_for_nothing(self, node, token):
        """The runtime as its engine runs it is no alert."""
        alerts = node.alerts_during(lambda: run(node, token))
        assert [] == brief(loud(alerts))


class TestWhoAsked:
    """Client and runtime are two alerts about one act."""

    def test_api_call_and_runtime(self, node, token):
        """curl creates and starts; the runtime's alert names curl's."""
        # A second to live: with the container its bundle goes, and a busy machine may be slower than `true`.
        body = json.dumps({"Image": "hull/busybox", "Cmd": ["sleep", "5"], "HostConfig": {"Binds": ["/:/h"]}})
        (node.directory / f"{token}.json").write_text(body)
        api = "curl -s --unix-socket $SOCKET -H 'Content-Type: application/json'"
        done = node.sh(
            f"{api} -d @$TOKEN.json http://d/v1.41/containers/create?name=$TOKEN;"
            f"{api} -X POST http://d/v1.41/containers/$TOKEN/start; sleep 1; docker rm -f $TOKEN >/dev/null",
            token,
        )
        asked = node.expect(token, "critical", source="api", mounts=("/",))
        given = node.expect(json.loads(done.stdout)["Id"], "critical", source="bundle", mounts=("/",))
        assert asked["event"]["id"] in field(given, "hullwatch.related")

    def test_podman_and_runtime(self, node, token):
        """The same of podman, whose monitor runs the runtime."""
        script = "$PODMAN create --pid=host -v /:/h $LIMITS --name $TOKEN hull/busybox sleep 1; $PODMAN start $TOKEN"
        done = node.sh(script, token)
        asked = node.expect(token, "critical", tool="podman", mounts=("/",))
        given = node.expect(
            done.stdout.decode().split()[0], "critical", source="bundle", mounts=("/",), host_namespaces=("pid",)
        )
        assert asked["event"]["id"] in field(given, "hullwatch.related")
        assert "conmon" == field(given, "process.parent.name")

    def test_containerd(self, node, token):
        """containerd's namespace, and the container's name, by the runtime's arguments."""
        node.sh("ctr -n apart images import image.tar", token)
        node.sh("ctr -n apart run --rm --mount type=bind,src=/,dst=/h,options=rbind:rw $IMAGE $TOKEN sleep 1", token)
        node.expect(token, "critical", tool="runc", source="bundle", mounts=("/",), target=token, namespace="apart")
