"""The commands as others run them: the console script in a process of its own, or its function in this one."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli import main

SCRIPT = Path(sys.executable).with_name("hullwatch")
REPOSITORY = Path(__file__).parent.parent
RULES = REPOSITORY / "rules"
SEEDS = RULES / "seeds"

RULE = """title: {title}
id: {id}
logsource: {{category: process_creation, product: linux}}
detection:
    tool: {{Image|endswith: /{name}}}
    condition: tool
level: {level}
"""


def hullwatch(*arguments, content=b"", **options):
    """Run a command to its end; what it wrote as text."""
    done = subprocess.run(
        [SCRIPT, *map(str, arguments)], input=content, capture_output=True, timeout=60, check=False, **options
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def hullwatch_as_nobody(*arguments, content=b""):
    """The same as a user who may do nothing."""
    if os.geteuid():
        return hullwatch(*arguments, content=content)
    probe = subprocess.run([SCRIPT, "--version"], capture_output=True, check=False, user="nobody", extra_groups=[])
    if probe.returncode:
        pytest.skip("this checkout is not readable for other users")
    return hullwatch(*arguments, content=content, user="nobody", group="nogroup", extra_groups=[], cwd="/")


def write_rule(folder, name="docker", *, rule_id=None, level="high", tests=None):
    """A rule for an executable of that name, with the tests that are given."""
    text = RULE.format(title=f"Rule {name}", id=rule_id or name, name=name, level=level)
    (folder / f"{name}.yml").write_text(text)
    if tests is not None:
        (folder / f"{name}.tests.yml").write_text(tests)
    return folder


def call(*arguments, content=b""):
    """The same inside this process, which is faster: exit status, standard output and error."""
    streams = [io.TextIOWrapper(io.BytesIO(part), "utf-8") for part in (content, b"", b"")]
    saved = sys.argv, sys.stdin, sys.stdout, sys.stderr
    sys.argv = ["hullwatch", *map(str, arguments)]
    sys.stdin, sys.stdout, sys.stderr = streams
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv, sys.stdin, sys.stdout, sys.stderr = saved
    for stream in streams[1:]:
        stream.flush()
    return status, *(stream.buffer.getvalue().decode() for stream in streams[1:])
