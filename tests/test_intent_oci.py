"""OCI bundles; those in data/oci are of real containers, shortened."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.intent.model import Intent
from agent.intent.mounts import Around
from agent.intent.oci import DEFAULT_CAPABILITIES, read_bundle, read_process

DATA = Path(__file__).parent / "data" / "oci"
BUNDLE = Around(cwd="/run/b")
NAMESPACES = [{"type": kind} for kind in ("pid", "network", "mount", "ipc", "uts")]


def make_bundle(process=None, linux=None, **members):
    """A container that gets nothing special, unless told otherwise."""
    held = [f"CAP_{name}" for name in DEFAULT_CAPABILITIES]
    base = {
        "process": {"args": ["sh"], "capabilities": {"bounding": held}, **(process or {})},
        "root": {"path": "rootfs"},
        "linux": {
            "namespaces": NAMESPACES,
            "maskedPaths": ["/proc/kcore"],
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO"},
            **(linux or {}),
        },
    }
    return json.dumps({**base, **members}).encode()


def read(**members):
    return read_bundle(make_bundle(**members), BUNDLE)


class TestRealBundles:
    """What docker and podman wrote."""

    def test_plain_docker_container_asks_for_nothing(self):
        """Its hosts file and the like, its own devices and its missing user namespace say nothing."""
        found = read_bundle((DATA / "docker-plain.json").read_bytes(), BUNDLE)
        assert not any((found.privileged, found.host_namespaces, found.mounts, found.capabilities, found.devices))
        assert () == found.unconfined
        assert ("/bin/sleep", "60") == found.command

    def test_docker_with_the_hosts_root_and_pids(self):
        """Mounted / and the socket, three namespaces of the host."""
        found = read_bundle((DATA / "docker-host-mount.json").read_bytes(), BUNDLE)
        assert ("/", "/run/docker.sock") == found.mounts == found.writable_mounts
        assert ("ipc", "pid", "uts") == found.host_namespaces

    def test_privileged_podman_container(self):
        """All capabilities without any mask are what --privileged gives."""
        found = read_bundle((DATA / "podman-privileged.json").read_bytes(), BUNDLE)
        assert found.privileged
        assert ("ALL",) == found.capabilities
        assert "/dev/block/7:0" in found.devices
        assert "device-cgroup-rule:a *:* rwm" in found.facts


class TestNamespaces:
    """Whose namespaces a container has."""

    def test_a_missing_type_is_the_hosts(self):
        """A namespace that is not made is shared, but for users and cgroups, which are rarely made."""
        assert ("ipc", "mnt", "net", "pid", "uts") == read(linux={"namespaces": []}).host_namespaces

    def test_a_path_is_joined_unless_it_is_the_hosts(self):
        """Another container's namespace is joined, pid 1's is the host's."""
        paths = [{"type": "pid", "path": "/proc/1/ns/pid"}, {"type": "network", "path": "/proc/77/ns/net"}]
        found = read(linux={"namespaces": [*NAMESPACES, *paths]})
        assert (("pid",), ("net",)) == (found.host_namespaces, found.joined_namespaces)

    def test_the_caller_may_know_better(self):
        """A path that the caller knows for the host's is the host's."""
        paths = [{"type": "network", "path": "/proc/77/ns/net"}]
        data = make_bundle(linux={"namespaces": [*NAMESPACES, *paths]})
        assert ("net",) == read_bundle(data, BUNDLE, lambda _: True).host_namespaces

    @pytest.mark.parametrize(("outside", "expected"), [(100_000, True), (0, False)])
    def test_a_user_namespace_whose_root_is_nobody_outside(self, outside, expected):
        """Rootless is who is mapped to somebody else, not who merely has a user namespace."""
        mapping = [{"containerID": 0, "hostID": outside, "size": 65536}]
        assert expected == read(linux={"namespaces": [*NAMESPACES, {"type": "user"}], "uidMappings": mapping}).rootless


class TestMounts:
    """Which mounts are the host's."""

    @pytest.mark.parametrize(
        ("mount", "expected"),
        [
            ({"type": "bind", "source": "/etc", "options": ["rbind", "ro"]}, ("/etc",)),
            ({"type": "none", "source": "/var/run/docker.sock", "options": ["rbind"]}, ("/run/docker.sock",)),
            ({"source": "..//../", "options": ["bind"]}, ("/",)),
            ({"type": "bind", "source": "/", "destination": "/etc/hosts"}, ("/",)),
            ({"type": "overlay", "source": "overlay", "options": ["lowerdir=/etc:/a"]}, ("/etc", "/a")),
            ({"type": "tmpfs", "source": "/"}, ()),
            ({"type": "bind", "source": "/var/lib/kubelet/pods/0a1b2c3d-0000-4000-8000-000000000000/etc-hosts"}, ()),
            ({"type": "bind", "source": "/var/lib/docker/volumes/db/_data"}, ()),
        ],
    )
    def test_sources_are_judged_not_destinations(self, mount, expected):
        """A bind's source is told under its one name; engines' own files and volumes are not."""
        assert expected == read(mounts=[mount]).mounts

    def test_a_symlink_to_plumbing_is_what_it_points_to(self):
        """A path that only looks like an engine's own resolves first."""
        around = Around(cwd="/b", resolve=lambda path: "/etc" if path.endswith("/_data") else path)
        data = make_bundle(mounts=[{"type": "bind", "source": "/x/volumes/v/_data"}])
        assert ("/etc",) == read_bundle(data, around).mounts

    def test_the_hosts_root_as_root(self):
        """A bundle whose root is / has the host, read-only or not."""
        found = read(root={"path": "../../", "readonly": True})
        assert ("/", ("/",), ()) == (found.root, found.mounts, found.writable_mounts)


class TestPowers:
    """Capabilities, devices, hooks, confinement."""

    def test_only_added_capabilities_are_told(self):
        """Docker's own set is no addition, whichever set of the process holds one more."""
        assert ("SYS_ADMIN",) == read(
            process={"capabilities": {"ambient": ["CAP_SYS_ADMIN", "CAP_CHOWN"]}}
        ).capabilities

    def test_devices_are_what_their_numbers_say(self):
        """A block device and /dev/mem are recognised under any path."""
        devices = [
            {"path": "/dev/a", "type": "b", "major": 8, "minor": 0},
            {"path": "/dev/null", "type": "c", "major": 1, "minor": 1},
        ]
        assert ("/dev/block/8:0", "/dev/a", "/dev/mem") == read(linux={"devices": devices}).devices

    def test_names_are_read_as_go_reads_them(self):
        """encoding/json takes members in any case."""
        data = make_bundle().replace(b'"process"', b'"PROCESS"').replace(b'"args"', b'"Args"')
        assert ("sh",) == read_bundle(data, BUNDLE).command

    def test_hooks_run_on_the_host(self):
        """A hook is a fact with its program."""
        assert ("hook:/tmp/x",) == read(hooks={"createRuntime": [{"path": "/tmp//x"}]}).facts

    def test_confinement_that_is_gone(self):
        """No seccomp, no masks, explicit unconfined profiles."""
        process = {"apparmorProfile": "unconfined", "selinuxLabel": "system_u:system_r:spc_t:s0"}
        found = read(process=process, linux={"seccomp": None, "maskedPaths": None})
        assert ("apparmor", "masked-paths", "seccomp", "selinux") == found.unconfined

    @pytest.mark.parametrize(
        "annotations",
        [
            {
                "io.kubernetes.cri.container-name": "c", "io.kubernetes.cri.image-name": "i",
                "io.kubernetes.cri.sandbox-name": "p", "io.kubernetes.cri.sandbox-namespace": "n",
            },
            {
                "io.kubernetes.container.name": "c", "io.kubernetes.cri-o.ImageName": "i",
                "io.kubernetes.pod.name": "p", "io.kubernetes.pod.namespace": "n",
            },
        ],
    )  # fmt: skip
    def test_names_of_pod_and_image(self, annotations):
        """containerd and CRI-O write the names into the bundle."""
        found = read(annotations=annotations)
        assert ("i", "p", "n") == (found.image, found.target, found.namespace)
        assert ("container:c", "pod:p") == found.facts


class TestProcess:
    """process.json of an exec."""

    def test_reads_the_process_alone(self):
        """Command, user, terminal and added capabilities of an exec."""
        data = {
            "args": ["/bin/sh"],
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "capabilities": {"bounding": ["CAP_BPF"]},
        }
        found = read_process(json.dumps(data).encode())
        assert (("/bin/sh",), "sh", True, "0:0", ("BPF",)) == (
            found.command, found.program, found.interactive, found.user, found.capabilities,
        )  # fmt: skip


class TestAnything:
    """Mutated real bundles."""

    @pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b'"x"'])
    def test_refuses_what_is_no_object(self, data):
        """The reason is a clause."""
        with pytest.raises(ValueError, match=r"holds no JSON object|neither YAML"):
            read_bundle(data, BUNDLE)

    @settings(max_examples=80, deadline=None)
    @given(st.data())
    def test_gives_an_intent_or_a_reason(self, data):
        """Any member may be of any type."""
        tree = json.loads((DATA / "docker-host-mount.json").read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            at = tree
            while isinstance(at, (dict, list)) and at:
                key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
                if not isinstance(at[key], (dict, list)) or data.draw(st.booleans()):
                    at[key] = data.draw(
                        st.sampled_from([None, 1, -1, "", "x", "/", [], [None], {}, {"type": []}, True, 1e9])
                    )
                    break
                at = at[key]
        try:
            assert isinstance(read_bundle(json.dumps(tree).encode(), BUNDLE), Intent)
        except ValueError as error:
            assert "holds no JSON object" in str(error)  # noqa: PT017
