"""README's commands do what it says."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from agent.config import parse_config

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()

# Fences: ```sh is run here; ```sh setup is run by tests/node/test_bare_debian.py; ```sh example: WHY is not run.
FENCES = re.findall(r"^```sh *(.*?)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
COMMANDS = [line for kind, body in FENCES if not kind for line in body.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.kernel
def test_a_command(command):
    """It ends with status 0, on the paths of a checkout that the first command has set up."""
    assert (ROOT / ".venv/bin/hullwatch").exists(), "needs the .venv that the first command makes"
    done = subprocess.run(
        command,
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr[-3000:]


def test_every_command_is_run_or_says_why_not():
    """No fence is of a kind that no test knows."""
    assert COMMANDS
    for kind, _ in FENCES:
        assert kind in ("", "setup") or re.fullmatch(r"example: .+", kind)


def test_the_set_up_commands_exist():
    """Both are files of the checkout that can be executed."""
    setup = [line for kind, body in FENCES if kind == "setup" for line in body.splitlines()]
    assert ["sudo ./deploy/quickstart.sh", "sudo ./tests/run.sh"] == setup
    for line in setup:
        assert os.access(ROOT / line.removeprefix("sudo "), os.X_OK)


def test_the_table_of_keys_is_whole():
    """Every key of the configuration file is in the table."""
    keys = set(re.findall(r"`(?:\[\[)?([a-z_.]+)(?:\]\])?`", TEXT.partition("| key |")[2].partition("\n\n")[0]))
    text = (ROOT / "deploy/hullwatch.toml").read_text()
    parse_config(text, Path("hullwatch.toml"))
    for name, value in tomllib.loads(text).items():
        for key in [f"{name}.{inner}" for inner in value] if isinstance(value, dict) else [name]:
            assert key in keys


def test_the_map_names_files_that_exist():
    """Each path in the way of an event is there."""
    section = TEXT.partition("## The way of an event")[2].partition("**Invariants**")[0]
    paths = set(re.findall(r"\b(?:agent|bpf)/[\w./-]*\w(?:/|\.py|\.c|\.h)", section))
    assert len(paths) > 12
    for path in paths:
        assert (ROOT / path).exists(), path
