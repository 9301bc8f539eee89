"""
Ordinary work with containers, under the shipped rules: nothing of it gives an alert above low.

Each operation is the real one with the real result, and what daemons, shims and runtimes execute for it
counts as well as what was typed.
"""

import tempfile
from pathlib import Path

import pytest

from tests.node.conftest import wait_until
from tests.node.live import brief, loud, open_node

pytestmark = [pytest.mark.node, pytest.mark.kernel]

DOCKERFILE = """
FROM hull/busybox
COPY app.txt /app.txt
RUN cat /app.txt
HEALTHCHECK CMD cat /app.txt
CMD ["sleep", "60"]
"""
COMPOSE = """
version: "3"
services:
  web:
    image: hull/busybox
    command: ["sleep", "60"]
    network_mode: none
    environment: {MODE: production}
    volumes: ["./site:/srv:ro", "state:/state"]
    healthcheck: {test: ["CMD", "true"], interval: 1s}
    restart: unless-stopped
volumes: {state: {}}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.4
        ports: [{containerPort: 8080}]
        volumeMounts: [{name: config, mountPath: /etc/web}]
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumes: [{name: config, configMap: {name: web}}]
"""

# In order. A container `web` of the image hull/app runs; what begins with ! must fail.
DOCKER = [
    "docker version",
    "docker info",
    "docker ps --all",
    "docker ps --filter label=privileged=true --format '{{.Names}}'",
    "docker images",
    "docker logs --tail 5 web",
    "docker inspect web",
    "docker inspect --format '{{.HostConfig.Privileged}}' web",
    "docker top web",
    "docker stats --no-stream web",
    "docker port web",
    "docker diff web",
    "docker history hull/app",
    "docker volume ls",
    "docker volume create data",
    "docker network ls",
    "docker network inspect none",
    "docker system df",
    "docker events --since 1s --until 0s",
    "docker cp web:/app.txt copy.txt",
    "docker cp app/app.txt web:/tmp/app.txt",
    "docker exec web cat /app.txt",
    "docker exec --user 1000 --workdir /tmp web ls",
    "docker rename web web2; docker rename web2 web",
    "docker update --cpus 1 web",
    "docker restart --time 0 web",
    "docker tag hull/app hull/app:2; docker rmi hull/app:2",
    "docker save hull/app --output app.tar; docker load --input app.tar",
    "docker build --network none --tag hull/app:3 app",
    "docker run --rm --network none hull/busybox echo hello",
    "docker run --rm --network none --volume data:/data --volume $DIR/app:/app:ro hull/busybox cat /app/app.txt",
    "docker run --rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges hull/busybox id",
    "docker run --rm --network none --privileged=false hull/busybox true",
    "docker run --rm --network none hull/busybox echo --privileged -v /:/host --pid=host",
    "docker run --detach --name short --network none hull/busybox sleep 9; docker stop --time 0 short; docker rm short",
    "docker container prune --force",
    "docker image prune --force",
    "! docker pull 127.0.0.1:1/nginx:1.27",
    "! docker push 127.0.0.1:1/hull/app",
    "! docker logs nobody",
]
COMPOSED = [
    "docker-compose --file app/docker-compose.yml config",
    "cd app; docker-compose up --detach; docker-compose ps; docker-compose logs",
    "cd app; docker-compose exec -T web true; docker-compose restart --timeout 0",
    "cd app; docker-compose down --timeout 0 --volumes",
]
PODMAN = [
    "$PODMAN version",
    "$PODMAN info",
    "$PODMAN ps --all",
    "$PODMAN images",
    "$PODMAN build --isolation chroot --ulimit nofile=20000:20000 --tag hull/pod app",
    "$PODMAN run --rm $LIMITS hull/busybox echo hello",
    "$PODMAN create --name pod $LIMITS --volume $DIR/app:/app:ro hull/busybox sleep 60; $PODMAN start pod",
    "$PODMAN exec pod cat /app/app.txt; $PODMAN logs pod; $PODMAN inspect pod",
    "$PODMAN rm --force --time 0 pod",
    "! $PODMAN pull --quiet --tls-verify=false 127.0.0.1:1/nginx",
]
CONTAINERD = [
    "ctr version",
    "ctr images ls --quiet",
    "ctr containers ls",
    "ctr tasks ls",
    "ctr run --rm $IMAGE plain true",
]
KUBERNETES = [
    "kubectl version --client",
    "kubectl config view",
    "! $KUBECTL get pods",
    "! $KUBECTL get deployments --namespace shop --output wide",
    "! $KUBECTL describe pod web",
    "! $KUBECTL logs deployment/web",
    "! $KUBECTL apply --validate=false --filename deployment.yaml",
    "! $KUBECTL rollout status deployment/web",
]
HOST = [
    "runc --version",
    "runc list",
    "crun --version",
    "runc spec --bundle app; rm app/config.json",
    "nsenter --version; unshare --version",
    "lsns",
    "grep --recursive privileged app; test $? = 1",
    "echo docker run --privileged -v /:/host alpine",
    "truncate --size 0 executor.log",
    "sh -c 'echo nothing to see'",
    "bash -lc 'cd app && ls'",
    "env A=b nohup timeout 5 cat app/app.txt",
    "dpkg --list docker.io containerd runc",
    "apt-cache policy docker.io",
    "tar --create --file app.tar.gz --gzip app",
    "find / -maxdepth 1 -name docker",
    "! curl --silent --max-time 2 http://127.0.0.1:1/containers/json",
    "command -v docker podman kubectl",
]


@pytest.fixture(scope="module")
def node(docker):
    # Not in /tmp: files of containers that lie there are no ordinary work.
    with tempfile.TemporaryDirectory(prefix="hullwatch-", dir="/srv") as name, open_node(docker, Path(name)) as node:
        app = node.directory / "app"
        (app / "site").mkdir(parents=True)
        (app / "app.txt").write_text("hello\n")
        (app / "Dockerfile").write_text(DOCKERFILE)
        (app / "docker-compose.yml").write_text(COMPOSE)
        (node.directory / "deployment.yaml").write_text(DEPLOYMENT)
        done = node.sh(
            "set -e; docker build --network none --tag hull/app app;"
            "docker run --detach --name web --network none --publish 8080 --health-interval 1s hull/app"
        )
        assert 0 == done.returncode, done.stderr.decode()
        yield node
        node.sh("docker rm --force --volumes web; docker volume rm data; docker rmi hull/app hull/app:3")


def succeed(node, script):
    """Run an operation that must do what it is for."""
    done = node.sh(script)
    assert 0 == done.returncode, (done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("script", [*DOCKER, *COMPOSED, *PODMAN, *CONTAINERD, *KUBERNETES, *HOST])
def test_stays_quiet(node, script):
    """Nothing above low, of the operation itself and of whatever runs for it."""
    alerts = node.alerts_during(lambda: succeed(node, script))
    assert [] == brief(loud(alerts))


def test_health_checks(node):
    """The daemon's own execs into a container, every second."""
    inspect = ("inspect", "--format", "{{.State.Health.Status}}", "web")

    def wait_for_health():
        succeed(node, "docker restart --time 0 web")
        wait_until(lambda: b"healthy" == node.docker(*inspect).stdout.strip(), "health")

    alerts = node.alerts_during(wait_for_health)
    assert [] == brief(loud(alerts))


def test_something_would_be_heard(node):
    """The same arrangement hears what is not ordinary, of the client and of the runtime."""
    alerts = node.alerts_during(lambda: node.sh("docker run --rm --pid=host -v /:/h --network none hull/busybox true"))
    sources = {alert["hullwatch"]["intent"]["source"] for alert in loud(alerts)}
    assert {"argv", "bundle"} == sources
