"""What an operator reads when something is missing: one clear sentence and an exit status."""

import os
import re
import socket
import subprocess

import pytest

from tests.node.conftest import HULLWATCH, free_port

pytestmark = pytest.mark.node


@pytest.fixture
def run(tmp_path):
    """Run the agent with a configuration, perhaps behind a command that takes something away first."""

    def run(config="", *, behind=(), before="", user=None):
        path = tmp_path / "hullwatch.toml"
        plain = (
            f'state_dir = "{tmp_path}/state"\n[[sinks]]\ntype = "stdout"\n[http]\nlisten = "127.0.0.1:{free_port()}"\n'
        )
        path.write_text(config or plain)
        os.chmod(tmp_path, 0o777)
        command = [*behind, "sh", "-c", f"{before} exec {HULLWATCH} run --config {path}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, user=user)

    return run


def told(done, status, *words):
    """The one sentence on standard error, behind whatever was logged."""
    assert status == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    sentences = [line for line in done.stderr.splitlines() if line.startswith("hullwatch: ")]
    for word in words:
        assert any(word in sentence for sentence in sentences), done.stderr
    return sentences


class TestNoSensor:
    """Exit status 3."""

    def test_without_capabilities(self, run):
        """Who cannot load BPF programs is told which capabilities are missing."""
        done = run(behind=("setpriv", "--bounding-set=-sys_admin,-bpf,-perfmon", "--inh-caps=-all"))
        told(done, 3, "CAP_BPF", "CAP_PERFMON")

    def test_without_btf(self, run):
        """A kernel that was built without BTF."""
        done = run(behind=("unshare", "--mount"), before="mount -t tmpfs none /sys/kernel/btf &&")
        told(done, 3, "no BTF", "CONFIG_DEBUG_INFO_BTF")

    def test_without_libbpf(self, run):
        """A node without the library is told the package's name."""
        libraries = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
        paths = [line.split()[-1] for line in libraries.splitlines() if "libbpf.so.1" in line]
        assert paths
        hide = " ".join(f"mount --bind /dev/null {path} &&" for path in paths)
        done = run(behind=("unshare", "--mount"), before=hide)
        told(done, 3, "libbpf.so.1", "libbpf1")


class TestConfiguration:
    """Exit status 2."""

    def test_an_unknown_key(self, run):
        """The dotted path of the key is named, and the nearest known one."""
        done = run('[http]\nlisen = "127.0.0.1:1"\n')
        told(done, 2, "http.lisen", "listen")

    def test_an_address_in_use(self, run, tmp_path):
        """The address is named."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
            done = run(f'state_dir = "{tmp_path}/state"\n[http]\nlisten = "{address}"\n[[sinks]]\ntype = "stdout"\n')
        told(done, 2, address)

    def test_a_state_directory_that_cannot_be_written(self, run, tmp_path):
        """The path is named."""
        (tmp_path / "file").write_text("")
        done = run(f'state_dir = "{tmp_path}/file/state"\n[http]\nlisten = "127.0.0.1:{free_port()}"\n')
        told(done, 2, f"{tmp_path}/file")

    def test_a_rules_directory_that_does_not_exist(self, run, tmp_path):
        """A typing error must not leave a node without rules."""
        done = run(f'state_dir = "{tmp_path}/state"\nrules = ["{tmp_path}/ruels"]\n')
        told(done, 2, f"{tmp_path}/ruels")

    def test_a_configuration_that_does_not_exist(self):
        """A file that was asked for is not passed over."""
        done = subprocess.run(
            [HULLWATCH, "check", "--config", "/nonexistent.toml"], capture_output=True, text=True, check=False
        )
        assert 2 == done.returncode
        assert "/nonexistent.toml" in done.stderr

    def test_check_shows_every_fault_of_every_rule(self, tmp_path):
        """File, line and reason; the good rules still count."""
        rules = tmp_path / "rules"
        rules.mkdir()
        source = "logsource: {product: linux, category: process_creation}"
        good = f"title: t\n{source}\ndetection: {{s: {{Image: /x}}, condition: s}}\n"
        (rules / "good.yml").write_text(good)
        (rules / "bad.yml").write_text(good.replace("condition: s", "condition: missing"))
        (rules / "worse.yml").write_text("title: [\n")
        done = subprocess.run(
            [HULLWATCH, "check", "--rules", rules], capture_output=True, text=True, check=False, timeout=60
        )
        assert 2 == done.returncode
        assert f"{rules}/bad.yml:3" in done.stderr
        assert f"{rules}/worse.yml:" in done.stderr
        assert "rules: 1 (1 sigma)" in done.stdout


class TestCheck:
    """What `hullwatch check` says of the kernel's filter."""

    def test_a_rule_that_lets_everything_pass_is_named(self, tmp_path):
        """Its file, the part of its condition that does it, and what helps; it is no error."""
        rule = "title: t\nlogsource: {product: linux, category: process_creation}\n"
        (tmp_path / "any.yml").write_text(rule + "detection: {s: {User: root}, condition: s}\n")
        done = subprocess.run(
            [HULLWATCH, "check", "--rules", tmp_path], capture_output=True, text=True, check=False, timeout=60
        )
        assert 0 == done.returncode
        assert "kernel filter: off" in done.stdout
        assert f"{tmp_path}/any.yml:1: lets every exec pass: user.name" in done.stdout
        assert "ask beside it for a name" in done.stdout

    def test_the_size_of_the_filter(self):
        """With the shipped rules it is on."""
        done = subprocess.run([HULLWATCH, "check"], capture_output=True, text=True, check=False, timeout=60)
        assert re.search(r"kernel filter: on, \d+ states, \d+ classes of bytes, \d+ bytes", done.stdout)
