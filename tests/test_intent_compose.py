"""Compose files, and the same requests as bodies of API calls."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.intent.bodies import read_body
from agent.intent.compose import read_compose
from agent.intent.documents import DocumentError, parse_documents
from agent.intent.interpolation import interpolate
from agent.intent.model import FileReference, Intent
from agent.intent.mounts import Around

PROJECT = Around(cwd="/srv/app")


def read(text, words=None, env=None):
    around = Around(cwd="/srv/app", env=env or {})
    return read_compose(parse_documents(text if isinstance(text, bytes) else text.encode()), around, words=words)


def of(service):
    return read(f"services: {{a: {{image: x, {service}}}}}")


class TestServices:
    """One service as one docker run."""

    def test_all_the_powers(self):
        """Every power of the vocabulary is read."""
        found = of(
            "privileged: true, pid: host, ipc: host, network_mode: host, userns_mode: host, uts: host, cgroup: host,"
            "cap_add: [sys_admin], devices: ['/dev/sda:/dev/x:rwm', {source: /dev/kmsg}],"
            "device_cgroup_rules: ['b *:* rwm'],"
            "security_opt: ['seccomp:unconfined', apparmor=unconfined, label:disable], use_api_socket: true, user: '0',"
            "entrypoint: [sh, -c], command: id, tty: true"
        )
        assert found.privileged
        assert ("cgroup", "ipc", "net", "pid", "user", "uts") == found.host_namespaces
        assert (("SYS_ADMIN",), ("/dev/sda", "/dev/kmsg")) == (found.capabilities, found.devices)
        assert ("apparmor", "seccomp", "selinux") == found.unconfined
        assert {"device-cgroup-rule:b *:* rwm", "use-api-socket"} == set(found.facts)
        assert (("sh", "-c", "id"), "sh", "0", True, "x") == (
            found.command, found.program, found.user, found.interactive, found.image,
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("volume", "mounts", "writable"),
        [
            ("'/:/host'", ("/",), ("/",)),
            ("'./data:/d:ro'", ("/srv/app/data",), ()),
            ("'../..:/d'", ("/",), ("/",)),
            ("'~/.ssh:/s'", ("/root/.ssh",), ("/root/.ssh",)),
            ("{type: bind, source: /etc, target: /e, read_only: true}", ("/etc",), ()),
            ("'data:/d'", (), ()),
            ("'root:/d'", ("/",), ("/",)),
            ("{type: volume, source: root, target: /d}", ("/",), ("/",)),
            ("'/anonymous'", (), ()),
        ],
    )
    def test_volumes_short_and_long(self, volume, mounts, writable):
        """Both syntaxes, relative to the project; a named volume is what its driver makes of it."""
        volumes = "volumes: {data: {}, root: {driver_opts: {type: none, o: bind, device: /}}}"
        found = read(f"services: {{a: {{volumes: [{volume}]}}}}\n{volumes}")
        assert (mounts, writable) == (found.mounts, found.writable_mounts)

    def test_networks_secrets_and_hooks(self):
        """The host's network by its name, a secret made of a file, a privileged hook."""
        text = """
        services: {a: {networks: [n], secrets: [s], post_start: [{command: id, privileged: true}]}}
        networks: {n: {external: true, name: host}}
        secrets: {s: {file: /etc/shadow}, unused: {file: /etc/passwd}}
        """
        found = read(text)
        assert (("net",), ("/etc/shadow",), (), True) == (
            found.host_namespaces, found.mounts, found.writable_mounts, found.privileged,
        )  # fmt: skip

    def test_plain_service_asks_for_nothing(self):
        """An ordinary web application."""
        found = of("ports: ['80:80'], privileged: false, volumes: [db:/var/lib/db], restart: always, networks: [front]")
        assert not any((found.privileged, found.host_namespaces, found.mounts, found.capabilities, found.facts))


class TestSelection:
    """Which services a command line starts."""

    TEXT = """
    services:
      web: {image: w, depends_on: [db]}
      db: {image: d, cap_add: [BPF]}
      tool: {image: t, privileged: true, profiles: [debug]}
      agent: {image: a, pid: host}
    """

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["compose", "up"], (False, ("BPF",), ("pid",))),
            (["compose", "up", "web"], (False, ("BPF",), ())),
            (["compose", "--profile", "debug", "up"], (True, ("BPF",), ("pid",))),
            (["compose", "--profile=debug", "up"], (True, ("BPF",), ("pid",))),
            (["compose", "run", "tool", "sh"], (True, (), ())),
            (["compose", "--profile", "*", "up"], (True, ("BPF",), ("pid",))),
            (None, (True, ("BPF",), ("pid",))),
        ],
    )
    def test_named_services_and_profiles(self, words, expected):
        """What is named, with what it depends on; else all whose profile is active."""
        found = read(self.TEXT, words)
        assert expected == (found.privileged, found.capabilities, found.host_namespaces)

    def test_extends_inherits_and_overrides(self):
        """Lists of a base add up, single values are replaced, circles end."""
        text = """
        services:
          base: {privileged: true, cap_add: [BPF], profiles: [never]}
          a: {extends: {service: base}, privileged: false, cap_add: [SYSLOG]}
          b: {extends: b}
        """
        found = read(text, ["up"])
        assert (False, ("BPF", "SYSLOG")) == (found.privileged, found.capabilities)

    def test_other_files_are_named(self):
        """What extends and include name is to be read, too."""
        text = "include: [one.yml, {path: [two.yml]}]\nservices: {a: {extends: {file: ../c.yml, service: x}}}"
        names = ("/srv/app/one.yml", "/srv/app/two.yml", "/srv/c.yml")
        assert tuple(FileReference("compose", name) for name in names) == read(text).files


class TestInterpolation:
    """Variables."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("$A-${A}", "1-1"), ("${B:-x}", "x"), ("${E-x}|${E:-x}", "|x"), ("${A:+y}${B:+n}", "y"),
            ("$$A", "$A"), ("${B:-${A}}", "1"), ("${B:-${C:-/}}", "/"), ("${B:?stop}", ""),
            ("$B", ""), ("100$", "100$"),
        ],
    )  # fmt: skip
    def test_defaults_and_known_values(self, text, expected):
        """An unknown variable is unset, so that its default counts."""
        assert [expected] == interpolate([text], {"A": "1", "E": ""})

    def test_a_power_behind_a_default(self):
        """Privileged by default is privileged; by a variable of the project, too."""
        assert of("privileged: '${P:-true}'").privileged
        assert read("services: {a: {privileged: $P}}", env={"P": "true"}).privileged

    def test_growth_is_bounded(self):
        """A long value in many places is refused."""
        with pytest.raises(ValueError, match="expand to more than"):
            interpolate("$A" * 10_000, {"A": "x" * 1000})


class TestBodies:
    """The bodies of API calls."""

    @pytest.mark.parametrize(
        "body",
        [
            {"Image": "a", "Cmd": ["sh"], "HostConfig": {"Privileged": True, "PidMode": "host", "Binds": ["/:/h"]}},
            {"image": "a", "cmd": ["sh"], "hostconfig": {"privileged": True, "pidmode": "host",
             "Mounts": [{"Type": "bind", "Source": "/", "Target": "/h"}]}},
            {"image": "a", "command": ["sh"], "privileged": True, "pidns": {"nsmode": "host"},
             "mounts": [{"type": "bind", "source": "/", "destination": "/h", "options": ["rbind"]}]},
            {"kind": "Pod", "spec": {"hostPID": True, "containers": [{
                "image": "a", "command": ["sh"], "securityContext": {"privileged": True},
                "volumeMounts": [{"name": "h"}]}],
             "volumes": [{"name": "h", "hostPath": {"path": "/"}}]}},
        ],
    )  # fmt: skip
    def test_the_same_request_of_every_api(self, body):
        """Docker's, libpod's and Kubernetes' words for one container."""
        found = read_body(parse_documents(json.dumps(body).encode()), PROJECT)
        assert ("api", True, ("pid",), ("/",), "a", ("sh",)) == (
            found.source, found.privileged, found.host_namespaces, found.mounts, found.image, found.command,
        )  # fmt: skip

    def test_volumes_and_masks(self):
        """A volume of the host's root at its creation; masks that are taken away."""
        volume = {"Name": "v", "DriverOpts": {"type": "none", "o": "bind", "device": "/"}}
        assert ("/",) == read_body([volume], PROJECT).mounts
        assert ("masked-paths",) == read_body([{"HostConfig": {"MaskedPaths": []}}], PROJECT).unconfined
        assert () == read_body([{"Image": "a", "HostConfig": {"MaskedPaths": None}}], PROJECT).unconfined


class TestAnything:
    """Mutated files, and files made to be slow."""

    @pytest.mark.parametrize(
        "text",
        [
            b"services:\n" + b"".join(b" s%d: {volumes: ['/v%d:/x']}\n" % (i, i) for i in range(15_000)),
            b"services:\n a: {command: '" + b"x " * 400_000 + b"'}\n",
            b"services:\n base: {cap_add: [" + b"A," * 15_000 + b"]}\n"
            + b"".join(b" s%d: {extends: base}\n" % i for i in range(10_000)),
        ],
    )  # fmt: skip
    def test_ends_soon(self, text):
        """Large files end within seconds, with what they ask for or a reason."""
        started = time.monotonic()
        try:
            read(text)
        except ValueError as error:
            assert "inherit" in str(error)  # noqa: PT017
        assert 5.0 > time.monotonic() - started

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_gives_an_intent_or_a_reason(self, data):
        """Any member may be of any type."""
        keys = st.sampled_from(
            (
                "services volumes networks include a extends privileged cap_add devices command profiles "
                "depends_on file path"
            ).split()
        )
        leaves = st.sampled_from([None, True, 1, "", "/", "a", "host", "$A", "${A:-", "~/x", "/:/h"])
        trees = st.recursive(
            leaves, lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=4), max_leaves=20
        )
        document = {"services": {"a": data.draw(trees)}, **dict.fromkeys(["volumes", "networks"], data.draw(trees))}
        try:
            documents = parse_documents(json.dumps(document).encode())
        except DocumentError:
            return
        assert isinstance(read_compose(documents, PROJECT, words=["a"]), Intent)
        assert isinstance(read_body(documents, PROJECT), Intent)
