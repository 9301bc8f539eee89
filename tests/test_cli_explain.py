"""`hullwatch explain`: a command line against every rule."""

import json

import pytest

from agent.detect.explain import Explanation
from agent.tools.explain import came_close
from tests.commands import SEEDS, call, hullwatch_as_nobody, write_rule

pytestmark = pytest.mark.process

SHARE_HOST = "f744c807-7fe9-46b1-9f2c-69720ebb6cf9"
QUIET = """title: Quiet
id: quiet
logsource: {category: process_creation, product: linux}
filter:
    rules: [docker]
    known: {CommandLine|contains: alpine}
    condition: not known
"""


def explain(*arguments, rules=SEEDS):
    """What is told of a command line, as JSON."""
    status, output, errors = call("explain", "--rules", rules, "--output", "json", *arguments)
    assert (0, "") == (status, errors)
    return json.loads(output)


def process_of(*arguments, rules=SEEDS):
    """The process that a command line is taken for."""
    return explain(*arguments, rules=rules)["event"]["process"]


def leaf(name, *, held):
    """A test of one field."""
    return Explanation(f"{name} == 1", held, ((name, None),))


def node(text, *children, held=False):
    """A part with parts."""
    return Explanation(text, held, (), children)


class TestEvent:
    """What a command line is taken for."""

    def test_members(self):
        """Arguments are kept one by one; directory, user and parent are as told."""
        told = explain("--cwd", "/srv", "--uid", "0", "--parent", "/usr/bin/kubelet", "--", "/x/ctr", "run", "", "a b")
        process = told["event"]["process"]
        assert "/x/ctr" == process["executable"]
        assert "ctr" == process["name"]
        assert ["/x/ctr", "run", "", "a b"] == process["args"]
        assert "/srv" == process["working_directory"]
        assert "/usr/bin/kubelet" == process["parent"]["executable"]
        assert {"id": "0", "name": "root"} == {key: told["event"]["user"][key] for key in ("id", "name")}

    def test_options_of_the_command(self):
        """What stands behind the command belongs to it, also without ``--``."""
        assert ["docker", "run", "--rules", "x"] == process_of("docker", "run", "--rules", "x")["args"]

    def test_found_in_path(self, tmp_path, monkeypatch):
        """A bare name is looked for in PATH, links followed; the file is not run."""
        program, link = tmp_path / "real", tmp_path / "tool"
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        program.chmod(0o755)
        link.symlink_to(program)
        monkeypatch.setenv("PATH", str(tmp_path))
        process = process_of("tool")
        assert (str(program), str(link)) == (process["executable"], process["filename"])
        assert not (tmp_path / "ran").exists()

    def test_found_below_root(self, tmp_path, monkeypatch):
        """With another root PATH is looked through below it."""
        folder = tmp_path / "opt" / "bin"
        folder.mkdir(parents=True)
        (folder / "tool").write_text("")
        (folder / "tool").chmod(0o755)
        monkeypatch.setenv("PATH", "/usr/bin:/opt/bin")
        assert "/opt/bin/tool" == process_of("--root", tmp_path, "--", "tool")["executable"]

    def test_found_nowhere(self):
        """A bare name that is nowhere counts as /usr/bin/NAME."""
        assert "/usr/bin/no-such-tool" == process_of("no-such-tool")["executable"]

    def test_relative(self, tmp_path):
        """A relative name counts from the directory."""
        process = process_of("--cwd", tmp_path, "--", "../x/./docker")
        assert str(tmp_path.parent / "x" / "docker") == process["executable"]

    def test_bytes(self):
        """An argument that is no UTF-8 reads as sensors write it."""
        assert ["x", r"\xff"] == process_of("x", "\udcff")["args"]


class TestRules:
    """Which rules are told, and what of them."""

    def test_a_match(self):
        """A rule that matches comes first, with its severity and every part's answer."""
        first, *_ = explain("--", "docker", "run", "--net=host", "alpine")["rules"]
        assert (SHARE_HOST, True, "high") == (first["id"], first["matches"], first["severity"])
        assert first["why"]["held"]

    def test_worst_first(self):
        """Matches are in the order of their severity, and those that came close follow."""
        told = explain("--", "docker", "run", "--privileged", "x")["rules"]
        matches = [rule["matches"] for rule in told]
        assert matches == sorted(matches, reverse=True)
        assert "critical" == told[0]["severity"]

    def test_far_off(self):
        """A rule that has little to do with a command is told only with --all."""
        assert [] == explain("--", "/usr/bin/ls")["rules"]
        told = explain("--all", "--", "/usr/bin/ls")["rules"]
        assert len(json.loads(call("rules", "--rules", SEEDS, "--output", "json")[1])) == len(told)
        assert not any(rule["matches"] for rule in told)

    def test_silenced(self, tmp_path):
        """A match that a filter silences says which."""
        write_rule(tmp_path)
        (tmp_path / "quiet.yml").write_text(QUIET)
        (rule,) = explain("--", "docker", "run", "alpine", rules=tmp_path)["rules"]
        assert (True, "quiet") == (rule["matches"], rule["silenced_by"])
        (rule,) = explain("--", "docker", "run", "debian", rules=tmp_path)["rules"]
        assert (True, None) == (rule["matches"], rule["silenced_by"])

    def test_broken_rules(self, tmp_path):
        """The good rules are asked, the others told."""
        write_rule(tmp_path)
        (tmp_path / "broken.eql").write_text("process where")
        status, output, errors = call("explain", "--rules", tmp_path, "--", "docker")
        assert 0 == status
        assert "1 of 1 rules match" in output
        assert f"{tmp_path}/broken.eql:1" in errors


class TestClose:
    """What counts as close."""

    @pytest.mark.parametrize(
        ("close", "why"),
        [
            (True, node("all of", leaf("process.name", held=True), leaf("process.args", held=False))),
            (False, node("all of", leaf("process.name", held=False), leaf("process.args", held=False))),
            (False, node("all of", leaf("event.type", held=True), leaf("process.args", held=False))),
            (False, node("all of", node("not", leaf("x", held=False), held=True), leaf("y", held=False))),
            (True, node("all of", leaf("x", held=True), node("not", leaf("y", held=True)))),
            (True, node("any of", leaf("x", held=False), node("all of", leaf("x", held=True), leaf("y", held=False)))),
            (False, node("any of", leaf("x", held=False), leaf("y", held=False))),
            (False, leaf("x", held=False)),
            (False, leaf("x", held=True)),
        ],
    )
    def test_close(self, close, why):
        """One part missing and one there that tests more than the kind of event: that is close."""
        assert close == came_close(why)

    def test_an_exclusion(self, tmp_path):
        """A rule that one exclusion keeps from matching came close."""
        (tmp_path / "x.eql").write_text('process where process.name == "ctr" and not process.args == "ls"')
        (rule,) = explain("--", "ctr", "ls", rules=tmp_path)["rules"]
        assert (False, None) == (rule["matches"], rule["severity"])


class TestText:
    """What a person is shown."""

    def test_tree(self, tmp_path):
        """Each rule has a head with its verdict and place, and a tree with what each test saw."""
        (tmp_path / "x.eql").write_text('// name: X\nprocess where process.name == "ctr" and process.args == "run"')
        status, output, _ = call("explain", "--rules", tmp_path, "--cwd", "/", "--uid", "0", "--", "/x/ctr", "run")
        assert 0 == status
        head = "/x/ctr: /x/ctr run\nby root in /, started by /usr/bin/bash\n"
        head += 'intent: tool="ctr", verb="run", source="argv"\n'
        assert head == output[: output.index("\n\n") + 1]
        assert f": X  {tmp_path}/x.eql:1\n" in output
        assert '+ process.args == "run"  (process.args is ["/x/ctr", "run"])\n' in output
        assert output.endswith("\n1 of 1 rules match\n")

    def test_hostile_arguments(self):
        """What an argument says cannot act on a terminal."""
        _, output, _ = call("explain", "--rules", SEEDS, "--all", "--", "docker", "run", "\x1b]0;x\x07\u202e")
        assert output.replace("\n", "").isprintable()

    def test_without_privilege(self):
        """A user who may do nothing explains."""
        status, output, _ = hullwatch_as_nobody("explain", "--rules", SEEDS, "--", "docker", "run", "--privileged", "x")
        assert 0 == status
        assert "critical: " in output

    def test_no_command(self):
        """Without a command it says what is missing."""
        status, output, errors = call("explain")
        assert (2, "") == (status, output)
        assert "Missing argument 'COMMAND...'" in errors
