"""kubectl, oc, helm, kubeletctl: scattered options, kinds, files, plug-ins."""

import pytest

from agent.intent.kinds import read_resources
from agent.intent.model import FileReference
from tests.intents import asked, powers, read


class TestExec:
    """Commands in pods."""

    @pytest.mark.parametrize(
        "line",
        [
            "kubectl exec -it web -- sh",
            "kubectl -it exec web -- sh",
            "kubectl exec web -it -- sh",
            "kubectl exec web -ti sh",
            "kubectl exec --stdin --tty=true web -c app -- sh",
            "kubectl -n x --v=9 exec web --tty -- sh",
            "k3s kubectl exec -i web -- sh",
            "microk8s.kubectl exec -it web -- sh",
            "kubectl1.29 exec -it web -- sh",
            "minikube -p x kubectl -- exec -it web -- sh",
            "oc exec -it web -- sh",
        ],
    )
    def test_spellings(self, line):
        """Options may stand anywhere before the dashes; wrappers and versions do not matter."""
        intent = read(line)
        assert ("exec", "web", ("sh",), True) == (intent.verb, intent.target, intent.command, intent.interactive)

    def test_container_s_options(self):
        """Behind the dashes everything is the command's."""
        intent = read("kubectl exec web -- ls -it --namespace x")
        assert ("ls", "-it", "--namespace", "x") == intent.command
        assert (None, False) == (intent.namespace, intent.interactive)


class TestWorkloads:
    """What brings pods to life."""

    @pytest.mark.parametrize(
        "line",
        [
            "kubectl run x --image=a --privileged",
            "kubectl --privileged=true run x --image=a",
            "kubectl run --image a --privileged=1 x -- sh",
        ],
    )
    def test_privileged(self, line):
        """Privileged, also before the command's name."""
        assert {"privileged": True} == powers(line)

    @pytest.mark.parametrize(
        "line", ["kubectl run x --image=a -- --privileged", "kubectl run x --image=a --privileged=false"]
    )
    def test_not_privileged(self, line):
        """The pod's own words and a switch that is off."""
        assert {} == powers(line)

    @pytest.mark.parametrize("option", ["--overrides {}", "--overrides={}"])
    def test_overrides(self, option):
        """Inline JSON is handed on as text."""
        line = "kubectl run x --image=a " + option.format("""'{"spec":{"hostPID":true}}'""")
        assert (FileReference("overrides", None, '{"spec":{"hostPID":true}}'),) == read(line).files

    @pytest.mark.parametrize(
        ("line", "files"),
        [
            ("kubectl apply -f a.yaml", (FileReference("manifest", "/work/a.yaml"),)),
            (
                "kubectl apply --filename=/a.yaml,b.yaml",
                (FileReference("manifest", "/a.yaml"), FileReference("manifest", "/work/b.yaml")),
            ),
            ("kubectl create -f https://h/a.yaml", (FileReference("manifest", "https://h/a.yaml"),)),
            ("kubectl apply -k https://h/x", (FileReference("kustomization", "https://h/x"),)),
            (
                "kubectl apply -k github.com/o/r/base?ref=v1",
                (FileReference("kustomization", "github.com/o/r/base?ref=v1"),),
            ),
            ("kubectl apply -k git@h:o/r", (FileReference("kustomization", "git@h:o/r"),)),
            ("kubectl apply -k h.example/o/r.git//b", (FileReference("kustomization", "h.example/o/r.git//b"),)),
            ("kubectl apply -k github.com", (FileReference("kustomization", "/work/github.com"),)),
            ("kubectl apply -k base/app.d", (FileReference("kustomization", "/work/base/app.d"),)),
            ("kubectl -f a.yaml replace", (FileReference("manifest", "/work/a.yaml"),)),
            ("kubectl patch deploy x -p '{}'", (FileReference("patch", None, "{}"),)),
            ("kubectl patch deploy x --patch-file p", (FileReference("patch", "/work/p"),)),
        ],
    )
    def test_files(self, line, files):
        """Files, lists of them, and URLs."""
        assert files == read(line).files

    def test_standard_input(self):
        """A manifest from standard input is told."""
        intent = read("kubectl apply -f -")
        assert (FileReference("manifest", "-"),) == intent.files
        assert ("stdin",) == intent.facts

    def test_debug_node(self):
        """A node's debug pod is in the host's namespaces with the host's root; sysadmin is privileged besides."""
        expected = {"host_namespaces": ("ipc", "net", "pid"), "mounts": ("/",)}
        assert expected == powers("kubectl debug node/w1 -it --image=busybox")
        assert {**expected, "privileged": True} == powers("kubectl debug node/w1 --profile sysadmin --image=busybox")
        assert {} == powers("kubectl debug node/w1 --profile=restricted --image=busybox")

    def test_debug_pod(self):
        """A pod gets a container of its own, or is copied."""
        assert ("ephemeral",) == read("kubectl debug -it web --image=x").facts
        assert ("copy-pod", "share-processes") == read("kubectl debug web --copy-to=y --share-processes").facts


class TestDiscovery:
    """Reading the cluster."""

    @pytest.mark.parametrize(
        "words",
        ["secret", "secrets", "Secrets", "secret/x", "secrets.v1.", "secrets x", "secret/x secret/y"],
    )
    def test_one_kind(self, words):
        """A kind has one name."""
        assert ("secrets",) == read_resources(words.split())

    def test_several_kinds(self):
        """Lists of kinds, short names among them."""
        assert ("pods", "configmaps", "secrets") == read_resources(["po,cm,secret"])

    @pytest.mark.parametrize("option", ["-A", "--all-namespaces", "-A=true", "--all_namespaces", "-Aoyaml"])
    def test_all_namespaces(self, option):
        """Every namespace, in its spellings."""
        intent = read(f"kubectl get secrets {option}")
        assert "all-namespaces" in intent.facts
        assert ("secrets",) == intent.resources

    def test_raw(self):
        """A path of the API, and a kubeconfig with its keys."""
        assert ("raw:/api/v1/secrets",) == read("kubectl get --raw /api/v1/secrets").facts
        assert ("raw:kubeconfig",) == read("kubectl config view --raw").facts


class TestSubjects:
    """Identities added to a binding."""

    @pytest.mark.parametrize("binding", ["clusterrolebinding cluster-admin", "clusterrolebinding/cluster-admin"])
    def test_own_binding(self, binding):
        """The cluster's own bindings have the names of their roles."""
        assert ("cluster-role:cluster-admin",) == read(f"kubectl set subject {binding} --user=x").facts


class TestMarks:
    """Labels and annotations."""

    def test_set_and_removed(self):
        """What is set, and what is taken away."""
        assert ("label-set:a=b", "label-set:c-") == read("kubectl label ns x a=b c-").facts


class TestCredentials:
    """As whom, with what, against what."""

    @pytest.mark.parametrize(
        ("options", "fact"),
        [
            ("--as x", "impersonate:x"),
            ("--as_group system:masters", "impersonate:system:masters"),
            ("--as-group=system:masters", "impersonate:system:masters"),
            ("--token abc", "token"),
            ("--kubeconfig=/tmp/k", "kubeconfig:/tmp/k"),
            ("--insecure-skip-tls-verify", "insecure-tls"),
            ("--context prod", "context:prod"),
        ],
    )
    def test_facts(self, options, fact):
        """Each is a fact, wherever the option stands."""
        assert (fact,) == read(f"kubectl {options} get po").facts
        assert (fact,) == read(f"kubectl get po {options}").facts

    def test_grants(self):
        """Bindings, tokens, security contexts."""
        intent = read("kubectl create clusterrolebinding x --clusterrole=cluster-admin --serviceaccount a:b")
        assert ("service-account:a:b", "cluster-role:cluster-admin") == intent.facts
        assert ("create token", "admin") == (
            read("kubectl create token admin").verb,
            read("kubectl create token admin").target,
        )
        assert "cluster-role:privileged" in read("oc adm policy add-scc-to-user privileged -z default").facts

    def test_proxies(self):
        """A proxy that listens to all, and one without its filter."""
        facts = read("kubectl proxy --address=0.0.0.0 --accept-hosts='.*'").facts
        assert ("listen:0.0.0.0", "disabled-filter") == facts
        assert ("listen:0.0.0.0",) == read("kubectl port-forward --address 0.0.0.0 po/x 80").facts
        assert () == read("kubectl proxy --port 8001").facts


class TestPlugins:
    """Programs named kubectl-something."""

    @pytest.mark.parametrize(
        "line", ["kubectl node-shell w1", "kubectl-node_shell w1", "/root/.krew/bin/kubectl-node_shell w1"]
    )
    def test_plugin(self, line):
        """A plug-in by its command or by its file."""
        expected = {"verb": "node-shell", "target": "w1", "facts": ("plugin:node-shell",)}
        assert expected == asked(line)


class TestHelm:
    """Values that name powers."""

    def test_values(self):
        """Keys of the Kubernetes API anywhere in a chart's values."""
        line = "helm install x ./c --set a.securityContext.privileged=true,hostPID=true --set v[0].hostPath.path=/"
        assert {"privileged": True, "host_namespaces": ("pid",), "mounts": ("/",)} == powers(line)
        assert {"capabilities": ("NET_ADMIN", "SYS_ADMIN")} == powers(
            "helm upgrade x c --set capabilities.add={SYS_ADMIN,NET_ADMIN}"
        )
        assert {} == powers("helm install x c --set privileged=false")

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ('securityContext={"privileged":true}', {"privileged": True}),
            ('a.b={"securityContext":{"privileged":true}}', {"privileged": True}),
            ('{"hostPID":true,"x":[{"hostPath":{"path":"/"}}]}', {"host_namespaces": ("pid",), "mounts": ("/",)}),
            ('capabilities.add=["SYS_ADMIN"]', {"capabilities": ("SYS_ADMIN",)}),
            ('c={"capabilities":{"add":["NET_ADMIN"]}}', {"capabilities": ("NET_ADMIN",)}),
            ("hostPID=true", {"host_namespaces": ("pid",)}),
            ('securityContext={"privileged":false}', {}),
            ("x={broken", {}),
        ],
    )
    def test_json_values(self, value, expected):
        """A value that is a tree of its own is read whole."""
        assert expected == powers(f"helm install x c --set-json '{value}'")

    def test_files_and_programs(self):
        """Values from files, and a program that rewrites the manifests."""
        assert (FileReference("values", "/work/v.yaml"),) == read("helm install x c -f v.yaml").files
        assert ("post-renderer:/tmp/p",) == read("helm upgrade -i x c --post-renderer=/tmp/p").facts


class TestKubeletctl:
    """A client of the kubelet."""

    def test_exec(self):
        """Its exec."""
        expected = {"verb": "exec", "endpoint": "10.0.0.5", "target": "web", "command": ("id",), "program": "id"}
        assert expected == asked("kubeletctl --server 10.0.0.5 exec id -p web -c app")
