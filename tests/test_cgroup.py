"""Containers by their cgroup path."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cgroup import parse_cgroup, parse_cgroup_file
from agent.event import Container

ID = "0123456789abcdef" * 4
OUTER = "f" * 64
UID = "8dbc5577-d0e2-4706-8787-57d52c03ddf2"
UNDERSCORED = UID.replace("-", "_")
STATIC = "d4a2bf9b6ccbf1e0c8f1d5a3b7e9c012"
PODS = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UNDERSCORED}.slice"

CONTAINERS = [
    (f"/docker/{ID}", "docker", None),
    (f"/docker/{ID}/init", "docker", None),
    (f"/system.slice/docker-{ID}.scope", "docker", None),
    (f"/system.slice/docker-{ID}.scope/system.slice/nginx.service", "docker", None),
    (f"system.slice:docker:{ID}", "docker", None),
    (f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope", "docker", None),
    (f"/kubepods/burstable/pod{UID}/{ID}", None, UID),
    (f"/kubepods/pod{UID}/{ID}", None, UID),
    (f"/kubepods/besteffort/pod{STATIC}/{ID}", None, STATIC),
    (f"/custom/root/kubepods/burstable/pod{UID}/{ID}", None, UID),
    (f"/kubepods/burstable/pod{UID}/crio-{ID}", "cri-o", UID),
    (f"{PODS}/docker-{ID}.scope", "docker", UID),
    (f"{PODS}/cri-containerd-{ID}.scope", "containerd", UID),
    (f"/kubepods.slice/kubepods-pod{UNDERSCORED}.slice/cri-containerd-{ID}.scope", "containerd", UID),
    (f"{PODS}/crio-{ID}.scope", "cri-o", UID),
    (f"{PODS}/crio-{ID}.scope/container", "cri-o", UID),
    (
        f"/system.slice/containerd.service/kubepods-besteffort-pod{UNDERSCORED}.slice:cri-containerd:{ID}",
        "containerd",
        UID,
    ),
    (f"/kubepods-pod{STATIC}.slice:cri-containerd:{ID}", "containerd", STATIC),
    (f"/../../{PODS}/cri-containerd-{ID}.scope", "containerd", UID),
    (f"/machine.slice/libpod-{ID}.scope", "podman", None),
    (f"/machine.slice/libpod-{ID}.scope/container", "podman", None),
    (f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container", "podman", None),
    (f"/libpod_parent/libpod-{ID}", "podman", None),
    (f"/libpod_parent/libpod-{ID}/ctr", "podman", None),
    (f"/default/{ID}", "containerd", None),
    (f"/system.slice/nerdctl-{ID}.scope", "containerd", None),
    (f"/k8s.io/{ID}", "containerd", None),
]
NESTED = [
    (f"/docker/{OUTER}/docker/{ID}", "docker", None),
    (f"/docker/{OUTER}/system.slice/docker-{ID}.scope", "docker", None),
    (f"/docker/{OUTER}/kubelet/kubepods/burstable/pod{UID}/{ID}", None, UID),
    (
        (
            f"/system.slice/docker-{OUTER}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice"
            f"/kubelet-kubepods-besteffort-pod{UNDERSCORED}.slice/cri-containerd-{ID}.scope"
        ),
        "containerd",
        UID,
    ),
    (f"{PODS}/cri-containerd-{OUTER}.scope/docker/{ID}", "docker", UID),
    (f"/kubepods/pod{STATIC}/{OUTER}/kubepods/pod{UID}/{ID}", None, UID),
]
NONE = [
    "",
    "/",
    "/init.scope",
    "/system.slice",
    "/system.slice/docker.service",
    "/system.slice/docker.socket",
    "/system.slice/containerd.service",
    "/system.slice/crio.service",
    "/system.slice/kubelet.service",
    "/system.slice/sshd.service",
    "/system.slice/system-getty.slice/getty@tty1.service",
    "/user.slice/user-0.slice/session-3.scope",
    "/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope",
    f"/user.slice/user-1000.slice/user@1000.service/app.slice/run-r{ID[:32]}.scope",
    f"/user.slice/{ID}",
    f"/{ID}",
    f"/system.slice/{ID}",
    f"/system.slice/{ID}.service",
    f"/build/{ID}",
    f"/docker/builds/{ID}",
    f"/mydocker/{ID}",
    f"/docker-{ID}",
    f"/docker/{ID[:63]}",
    f"/docker/{ID}0",
    f"/docker/{ID.upper()}",
    f"/docker/{ID[:12]}",
    "/docker/my-container",
    f"/system.slice/docker-{ID[:12]}.scope",
    f"/system.slice/docker-{ID}.scope.d",
    f"/system.slice/xdocker-{ID}.scope",
    f"/system.slice/docker-{ID}.service",
    f"/system.slice/docker-{ID}.mount",
    f"/system.slice/run-docker-{ID}.scope",
    f"{PODS}/crio-conmon-{ID}.scope",
    f"/machine.slice/libpod-conmon-{ID}.scope",
    f"/libpod_parent/libpod-conmon-{ID}",
    f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-conmon-{ID}.scope",
    f"/kubepods/burstable/pod{UID}",
    f"{PODS}",
    f"{PODS}/kata_overhead",
    f"/kubepods/burstable/pod{UID}/{ID[:40]}",
    f"/kubepods/burstable/{ID}",
    f"/pods/pod{UID}/{ID}",
    f"/kubepods/burstable/podcast/{ID}",
    "/kubepods.slice/kubepods-burstable.slice",
    f"/lxc/{ID}",
    "/lxc.payload.web",
    "/lxc.monitor.web",
    "/garden/6ae1a0d3-8a50-4c5b-5cbb-0ae36ee0ad2b",
    f"/garden/{ID}",
    "/machine.slice/machine-debian.scope",
    r"/machine.slice/systemd-nspawn@web.service/payload",
    "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
    f"/default/x/{ID}",
    "/default/redis",
    f"/mesos/{UID}",
    "/buildkit",
    "/docker/buildkit/short",
    f"a:b:{ID}",
    f"system.slice:crio-conmon:{ID}",
]


class TestParse:
    """One path."""

    @pytest.mark.parametrize(("path", "runtime", "pod_uid"), CONTAINERS)
    def test_container(self, path, runtime, pod_uid):
        """Each runtime's forms give the id, and runtime and pod where the path tells them."""
        assert Container(id=ID, runtime=runtime, pod_uid=pod_uid) == parse_cgroup(path)

    @pytest.mark.parametrize(("path", "runtime", "pod_uid"), NESTED)
    def test_nested(self, path, runtime, pod_uid):
        """The innermost container counts, with the innermost pod around it."""
        assert Container(id=ID, runtime=runtime, pod_uid=pod_uid) == parse_cgroup(path)

    def test_build(self):
        """A step of an image build runs in a container of BuildKit's."""
        expected = Container(id="z7ysnp4gz6nd01ki8w6k46gjo", runtime="buildkit")
        assert expected == parse_cgroup("/docker/buildkit/z7ysnp4gz6nd01ki8w6k46gjo")

    @pytest.mark.parametrize("path", NONE)
    def test_no_container(self, path):
        """Everything else is no container."""
        assert parse_cgroup(path) is None

    @given(
        st.lists(st.sampled_from(["docker", "kubepods", ID, f"pod{UID}", f"crio-{ID}.scope", ":", ".."]) | st.text())
    )
    @settings(max_examples=200, deadline=None)
    def test_any_path(self, names):
        """Any text gives an answer."""
        container = parse_cgroup("/".join(names))
        assert container is None or container.id


class TestParseFile:
    """/proc/PID/cgroup."""

    def test_unified(self):
        """The one line of the unified hierarchy."""
        assert Container(id=ID, runtime="docker") == parse_cgroup_file(f"0::/system.slice/docker-{ID}.scope\n")

    def test_hybrid(self):
        """Where the unified hierarchy tells nothing, a controller's does."""
        text = f"12:pids:/docker/{ID}\n11:name=systemd:/docker/{ID}\n1:cpu,cpuacct:/\n0::/system.slice/x.service\n"
        assert Container(id=ID, runtime="docker") == parse_cgroup_file(text)

    def test_colons(self):
        """A path may hold colons itself."""
        assert Container(id=ID, runtime="docker") == parse_cgroup_file(f"3:cpu:/system.slice:docker:{ID}\n")

    @pytest.mark.parametrize("text", ["", "0::/\n", "garbage", "1:cpu\n0::/init.scope"])
    def test_no_container(self, text):
        """Anything else is no container."""
        assert parse_cgroup_file(text) is None
