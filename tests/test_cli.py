"""What the commands have in common."""

import subprocess
import sys

import pytest

from tests.commands import REPOSITORY, SEEDS, call

pytestmark = pytest.mark.process

# An entry of None makes an import of that module fail.
WITHOUT_KERNEL = """
import sys
for name in ("agent.run", "agent.enrich", "agent.sensors.core", "agent.sensors.libbpf", "ctypes"):
    sys.modules[name] = None
from agent.cli import main
main()
"""


class TestWithoutKernel:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("test", SEEDS),
            ("replay", REPOSITORY / "tests" / "data" / "cql.jsonl", "--rules", SEEDS),
            ("explain", "--rules", SEEDS, "--", "docker", "ps"),
            ("rules", "--rules", SEEDS),
        ],
        ids=lambda arguments: arguments[0],
    )
    def test_no_sensor_is_loaded(self, arguments):
        """The tools for rules work where no sensor can be imported, and nothing of libbpf."""
        command = [sys.executable, "-c", WITHOUT_KERNEL, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60, cwd=REPOSITORY)
        assert 0 == done.returncode, done.stderr


class TestErrors:
    def test_unknown_command(self):
        """A command that does not exist is told, with 2."""
        status, output, errors = call("frobnicate")
        assert (2, "") == (status, output)
        assert "No such command 'frobnicate'" in errors

    def test_unusable_configuration(self, tmp_path):
        """Every fault of a configuration is told, with 2."""
        config = tmp_path / "hullwatch.toml"
        config.write_text("sensors = 1\n")
        status, output, errors = call("replay", "-", "--config", config)
        assert (2, "") == (status, output)
        assert f'hullwatch: {config}: sensors: unknown key; did you mean "sensor"?\n' == errors
