"""Kubernetes objects in every shape, and what crictl reads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.intent.cri import read_cri_config
from agent.intent.documents import DocumentError, parse_documents
from agent.intent.facts import is_fact
from agent.intent.kubernetes import read_kustomization, read_manifest
from agent.intent.model import FileReference, Intent
from agent.intent.mounts import Around

SPEC = """
hostPID: true
hostNetwork: true
nodeName: node-1
serviceAccountName: admin
tolerations: [{operator: Exists}]
containers:
- name: side
  image: side:1
- name: main
  image: alpine:3
  command: [nsenter, -t, "1"]
  args: [-m]
  stdin: true
  securityContext: {privileged: true, runAsUser: 0, capabilities: {add: [SYS_ADMIN]}, procMount: Unmasked}
  volumeMounts: [{name: host, mountPath: /host}, {name: logs, mountPath: /l, readOnly: true}]
volumes:
- {name: host, hostPath: {path: //..}}
- {name: logs, hostPath: {path: /var/log}}
- {name: unused, hostPath: {path: /etc}}
- {name: disk, hostPath: {path: /dev/sda, type: BlockDevice}}
"""


def nest(kind, *path):
    """A manifest of a kind whose pod specification stands at a path."""
    lines = [f"kind: {kind}", "metadata: {name: x, namespace: kube-system}"]
    for depth, key in enumerate(path):
        lines.append("  " * depth + f"{key}:")
    return "\n".join([*lines, *("  " * len(path) + line for line in SPEC.splitlines())]).encode()


def read(text):
    return read_manifest(parse_documents(text if isinstance(text, bytes) else text.encode()))


class TestWorkloads:
    """Every kind that makes pods."""

    @pytest.mark.parametrize(
        ("kind", "path"),
        [
            ("Pod", ["spec"]),
            ("PodTemplate", ["template", "spec"]),
            ("CronJob", ["spec", "jobTemplate", "spec", "template", "spec"]),
            ("Rollout", ["spec", "anything", "spec"]),
            *(
                (kind, ["spec", "template", "spec"])
                for kind in "Deployment DaemonSet StatefulSet ReplicaSet ReplicationController Job".split()
            ),
        ],
    )
    def test_finds_the_pod(self, kind, path):
        """The same specification asks for the same wherever it stands."""
        found = read(nest(kind, *path))
        assert found.privileged
        assert ("net", "pid") == found.host_namespaces
        assert ("SYS_ADMIN",) == found.capabilities
        assert ("/", "/var/log") == found.mounts
        assert ("/",) == found.writable_mounts
        assert ("masked-paths",) == found.unconfined
        assert ("alpine:3", "x", "kube-system", "0", True) == (
            found.image, found.target, found.namespace, found.user, found.interactive,
        )  # fmt: skip
        assert (("nsenter", "-t", "1", "-m"), "nsenter") == (found.command, found.program)
        assert {"node:node-1", "service-account:admin", "tolerates-all"} <= set(found.facts)
        assert all(map(is_fact, found.facts))

    def test_reads_lists_streams_and_json(self):
        """A List, several documents and a stream of JSON objects hold as many objects."""
        text = "kind: List\nitems:\n- {kind: Pod, spec: {hostIPC: true}}\n---\n{kind: Secret}\n"
        assert (("ipc",), ("pods", "secrets")) == (read(text).host_namespaces, read(text).resources)
        assert ("ipc", "pid") == read('{"spec":{"hostPID":true}}{"spec":{"hostIPC":true}}').host_namespaces

    @pytest.mark.parametrize("key", ["containers", "initContainers", "ephemeralContainers"])
    def test_every_list_of_containers_counts(self, key):
        """A privileged container is one whichever list it stands in."""
        assert read(f"spec: {{{key}: [{{securityContext: {{privileged: true}}}}]}}").privileged

    def test_annotations_from_before_the_members(self):
        """AppArmor and seccomp were annotations once, and still are read."""
        keys = ("container.apparmor.security.beta.kubernetes.io/a", "seccomp.security.alpha.kubernetes.io/pod")
        annotations = ", ".join(f"{key}: unconfined" for key in keys)
        assert ("apparmor", "seccomp") == read("kind: Pod\nmetadata: {annotations: {" + annotations + "}}").unconfined

    def test_profiles_as_members(self):
        """Unconfined profiles of a pod and of a container."""
        text = """
        spec:
          securityContext: {seccompProfile: {type: Unconfined}, seLinuxOptions: {type: spc_t}}
          containers: [{securityContext: {appArmorProfile: {type: Unconfined}, allowPrivilegeEscalation: true}}]
        """
        assert ("apparmor", "no-new-privileges", "seccomp", "selinux") == read(text).unconfined

    @pytest.mark.parametrize(
        "text",
        [
            "kind: Pod\nspec: {containers: [{securityContext: {privileged: false, capabilities: {drop: [ALL]}}}]}",
            "kind: PodSecurityPolicy\nspec: {privileged: true, hostPID: true}",
            "kind: ConfigMap\ndata: {privileged: 'true', hostPID: 'true'}",
            "kind: CustomResourceDefinition\nspec: {hostPID: {type: boolean}, privileged: true}",
            "kind: Namespace\nmetadata: {labels: {pod-security.kubernetes.io/enforce: privileged}}",
            "", "[]", "- 1\n", "x",
        ],
    )  # fmt: skip
    def test_asks_for_nothing(self, text):
        """Ordinary pods, and objects that only speak of powers, ask for none."""
        found = read(text)
        assert not any((found.privileged, found.host_namespaces, found.capabilities, found.mounts, found.unconfined))

    def test_one_pod_with_its_own_users_hides_no_other(self):
        """Only where every pod keeps its users apart does it lower what is asked."""
        apart = "spec: {hostUsers: false, containers: [{image: a}]}\n"
        assert read(apart).rootless
        assert not read(apart + "---\nspec: {containers: [{image: b}]}\n").rootless


class TestPieces:
    """Overrides, patches, values, kustomizations."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('{"spec":{"containers":[{"name":"1","securityContext":{"privileged":true}}]}}', True),
            ('[{"op":"add","path":"/spec/template/spec/containers/0/securityContext/privileged","value":true}]', True),
            ('[{"op":"replace","path":"/spec/containers/0/securityContext","value":{"privileged":true}}]', True),
            ('[{"op":"remove","path":"/spec/containers/0/securityContext/privileged","value":true}]', False),
            ('[{"op":"add","path":"/metadata/labels/privileged","value":"yes-please"}]', False),
            ('[{"op":"add"},{"op":"add","path":3,"value":[]}]', False),
            ("spec: {template: {spec: {containers: [{securityContext: {privileged: true}}]}}}", True),
            ("controller:\n  containerSecurityContext:\n    privileged: true\n", True),
        ],
    )
    def test_privileged_in_any_piece(self, text, expected):
        """Any piece of an object, and any operation that sets one, is read as the object."""
        assert expected == read(text).privileged

    def test_a_patch_mounts_what_it_names(self):
        """A volume of a patch counts: the containers that mount it are elsewhere."""
        text = '[{"op":"add","path":"/spec/template/spec/volumes/-","value":{"name":"h","hostPath":{"path":"/"}}}]'
        assert ("/",) == read(text).mounts

    def test_kustomization_names_files_and_holds_patches(self):
        """Its bases are files to read, its inline patches text to read."""
        text = b"""
        resources: [pod.yaml, ../base, https://example.org/x.yaml]
        patches:
        - patch: |
            hostPID: true
        - path: p.yaml
        patchesStrategicMerge: [q.yaml]
        """
        found = read_kustomization(parse_documents(text), Around(cwd="/k/over"))
        assert (
            FileReference("patch", None, "hostPID: true\n"),
            FileReference("manifest", "/k/over/pod.yaml"),
            FileReference("kustomization", "/k/base"),
            FileReference("manifest", "https://example.org/x.yaml"),
            FileReference("patch", "/k/over/p.yaml"),
            FileReference("patch", "/k/over/q.yaml"),
        ) == found.files


class TestGrants:
    """Bindings and roles."""

    def test_names_role_and_subjects(self):
        """A binding tells the role and who gets it."""
        text = """
        kind: ClusterRoleBinding
        roleRef: {kind: ClusterRole, name: cluster-admin}
        subjects: [{kind: ServiceAccount, name: a, namespace: n}, {kind: Group, name: "system:anonymous"}]
        """
        assert ("cluster-role:cluster-admin", "service-account:n:a", "subject:system:anonymous") == read(text).facts

    def test_a_role_of_everything(self):
        """All verbs on all resources is cluster-admin under another name."""
        assert ("cluster-role:*",) == read("kind: ClusterRole\nrules: [{verbs: ['*'], resources: ['*']}]").facts


class TestCri:
    """What crictl runp and create read."""

    @pytest.mark.parametrize(
        "text",
        [
            """
            metadata: {name: p, namespace: n}
            linux: {security_context: {privileged: true, namespace_options: {pid: 2, network: NODE, ipc: 0}}}
            """,
            """{"metadata": {"name": "p", "namespace": "n"}, "linux": {"securityContext":
            {"privileged": true, "namespaceOptions": {"pid": "NODE", "network": 2}}}}""",
        ],
    )
    def test_pod_in_either_style(self, text):
        """Members come in snake_case and camelCase, enumerations as numbers and names."""
        found = read_cri_config(parse_documents(text.encode()), Around())
        assert (True, ("net", "pid"), "p", "n") == (
            found.privileged, found.host_namespaces, found.target, found.namespace,
        )  # fmt: skip

    def test_container(self):
        """Mounts, devices, capabilities, profiles and the command."""
        text = b"""
        image: {image: busybox}
        command: [sh]
        mounts: [{container_path: /h, host_path: /, readonly: true}, {host_path: /var/run/docker.sock}]
        devices: [{host_path: /dev/sda}]
        linux:
          security_context:
            capabilities: {add_capabilities: [sys_admin]}
            seccomp: {profile_type: 1}
            apparmor_profile: unconfined
            masked_paths: []
        """
        found = read_cri_config(parse_documents(text), Around())
        assert (("/", "/run/docker.sock"), ("/run/docker.sock",)) == (found.mounts, found.writable_mounts)
        assert (("/dev/sda",), ("SYS_ADMIN",)) == (found.devices, found.capabilities)
        assert ("apparmor", "masked-paths", "seccomp") == found.unconfined
        assert ("busybox", "sh") == (found.image, found.program)


class TestAnything:
    """Mutated manifests."""

    @settings(max_examples=120, deadline=None)
    @given(st.data())
    def test_gives_an_intent_or_a_reason(self, data):
        """Lines that are doubled, dropped, indented otherwise or replaced give an intent or a reason."""
        lines = nest("Deployment", "spec", "template", "spec").decode().splitlines()
        for _ in range(data.draw(st.integers(1, 6))):
            at = data.draw(st.integers(0, len(lines) - 1))
            odd = st.sampled_from(
                ["", "  - 1", "containers: 3", "volumes: [[]]", "hostPID: [true]", "- {}", "\t", "x: &a [*a]"]
            )
            lines[at] = data.draw(odd | st.just(lines[at] + lines[at]) | st.just(" " + lines[at]))
        try:
            documents = parse_documents("\n".join(lines).encode())
        except DocumentError as error:
            documents = error.before
        assert isinstance(read_manifest(documents), Intent)
        assert isinstance(read_kustomization(documents, Around(cwd="/")), Intent)
        assert isinstance(read_cri_config(documents, Around(cwd="/")), Intent)
