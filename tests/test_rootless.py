"""Which requests an engine of the user's own takes."""

import pytest

from agent.intent.rootless import is_rootless
from tests.intents import read


class TestRootless:
    @pytest.mark.parametrize(
        "line",
        [
            "podman run --privileged alpine",
            "nerdctl run alpine",
            "buildah from alpine",
            "env A=b podman ps",
            "docker -H unix:///run/user/1000/docker.sock run --privileged alpine",
        ],
    )
    def test_own_engine(self, line):
        """An ordinary user's podman, nerdctl and buildah run as the user; so does a docker on the user's socket."""
        assert is_rootless(read(line), 1000)

    @pytest.mark.parametrize(
        "line",
        [
            "docker run --privileged alpine",
            "sudo podman run --privileged alpine",
            "podman --remote run alpine",
            "podman --url tcp://10.0.0.9:8080 run alpine",
            "nerdctl -a /run/containerd/containerd.sock run alpine",
            "kubectl apply -f pod.yaml",
        ],
    )
    def test_engine_of_root(self, line):
        """A daemon that is root, one elsewhere, and what runs behind sudo are not."""
        assert not is_rootless(read(line), 1000)

    @pytest.mark.parametrize("uid", [0, None])
    def test_root(self, uid):
        """Root's engine is root's, and a user who is not known counts as root."""
        assert not is_rootless(read("podman run alpine"), uid)
