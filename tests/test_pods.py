"""Names of pods from the names of container logs."""

import pytest

from agent.event import Container
from agent.pods import REFRESH_NS, PodName, PodNames, parse_container_log, parse_pod_directory

ID = "0123456789abcdef" * 4
UID = "8dbc5577-d0e2-4706-8787-57d52c03ddf2"
LOG = f"web-7d4b9c-x2x5z_shop_nginx-proxy-{ID}.log"


@pytest.fixture
def root(tmp_path):
    """A node with one started container and one that is about to start."""
    (tmp_path / "var/log/containers").mkdir(parents=True)
    (tmp_path / "var/log/containers" / LOG).symlink_to("/nowhere")
    (tmp_path / f"var/log/pods/shop_api-0_{UID}/api").mkdir(parents=True)
    return tmp_path


class TestParse:
    """The name of one log."""

    def test_container_log(self):
        """Pod, namespace and container are between the underscores and the id."""
        assert (ID, PodName("web-7d4b9c-x2x5z", "shop", "nginx-proxy")) == parse_container_log(LOG)

    @pytest.mark.parametrize(
        "name", ["", "x.log", f"a_b_c-{ID}.log.1", f"a_b-{ID}.log", f"a_b_c_d-{ID}.log", f"a_b_c-{ID[:63]}.log", "../a"]
    )
    def test_no_container_log(self, name):
        """Other files have no names in them."""
        assert parse_container_log(name) is None

    @pytest.mark.parametrize("uid", [UID, "d4a2bf9b6ccbf1e0c8f1d5a3b7e9c012"])
    def test_pod_directory(self, uid):
        """The order is another, the uid that of the API or of a file."""
        assert (uid, PodName("etcd-node.1", "kube-system")) == parse_pod_directory(f"kube-system_etcd-node.1_{uid}")

    @pytest.mark.parametrize("name", ["", "a_b", f"a_b_c_{UID}", f"A_b_{UID}"])
    def test_no_pod_directory(self, name):
        """Other directories have no names in them."""
        assert parse_pod_directory(name) is None


class TestPodNames:
    """The names that a node's directories tell."""

    def test_container(self, root):
        """A container is found by its id."""
        expected = Container(id=ID, name="nginx-proxy", pod_name="web-7d4b9c-x2x5z", namespace="shop")
        assert expected == PodNames(root).complete(Container(id=ID), 0)

    def test_pod(self, root):
        """A container that has no log yet is found by its pod; its own name stays unknown."""
        given = Container(id="f" * 64, runtime="containerd", pod_uid=UID)
        expected = Container(id="f" * 64, runtime="containerd", pod_uid=UID, pod_name="api-0", namespace="shop")
        assert expected == PodNames(root).complete(given, 0)

    def test_known_stays(self, root):
        """What the event says is not replaced."""
        assert "mine" == PodNames(root).complete(Container(id=ID, name="mine"), 0).name

    def test_refresh(self, root):
        """A miss lists the directories again, though not at once; a hit never does."""
        names, late = PodNames(root), Container(id="e" * 64)
        assert late == names.complete(late, 0)
        log = root / "var/log/containers" / LOG.replace(ID, "e" * 64)
        log.touch()
        assert late == names.complete(late, REFRESH_NS - 1)
        assert "nginx-proxy" == names.complete(late, REFRESH_NS).name
        log.unlink()
        assert "nginx-proxy" == names.complete(late, 10 * REFRESH_NS).name

    def test_no_directories(self, tmp_path):
        """A node without Kubernetes has no names."""
        assert Container(id=ID) == PodNames(tmp_path).complete(Container(id=ID), 0)
