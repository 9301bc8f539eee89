"""`hullwatch rules`: the table and its JSON."""

import json
import re

import pytest

from tests.commands import SEEDS, call, hullwatch_as_nobody, write_rule

pytestmark = pytest.mark.process


class TestTable:
    def test_columns(self, tmp_path):
        """A rule is a line below the head, its columns aligned with it."""
        write_rule(tmp_path, "docker", level="low")
        write_rule(tmp_path, "kubectl", level="critical")
        status, output, _ = call("rules", "--rules", tmp_path)
        head, first, second = output.splitlines()
        assert 0 == status
        assert ["ID", "NAME", "SEVERITY", "LANGUAGE", "TECHNIQUES", "FILE", "FILTERS"] == head.split()
        cells = ["docker", "Rule docker", "low", "sigma", "-", f"{tmp_path}/docker.yml:1", "0"]
        assert cells == re.split("  +", first)
        assert head.index("SEVERITY") == second.index("critical")

    def test_hostile_names(self, tmp_path):
        """What a rule says of itself cannot act on a terminal."""
        (tmp_path / "x.eql").write_text("// name: a\x1b[31m\nprocess where true")
        _, output, _ = call("rules", "--rules", tmp_path)
        assert "a\\x1b[31m" in output

    def test_broken_rules(self, tmp_path):
        """The good ones are listed, the others told."""
        write_rule(tmp_path)
        (tmp_path / "broken.eql").write_text("process where")
        status, output, errors = call("rules", "--rules", tmp_path)
        assert (0, 2) == (status, len(output.splitlines()))
        assert f"{tmp_path}/broken.eql:1" in errors

    def test_no_rules(self, tmp_path):
        """An empty directory gives an empty table, and a word about it."""
        assert (0, "\n", f"there are no rules in {tmp_path}\n") == call("rules", "--rules", tmp_path)


class TestJson:
    def test_members(self, tmp_path):
        """A rule is an object with all that is known of it, the filters that hold for it among that."""
        write_rule(tmp_path)
        (tmp_path / "quiet.yml").write_text(
            "title: Quiet\nid: quiet\nlogsource: {category: process_creation, product: linux}\n"
            "filter:\n    rules: [docker]\n    known: {CommandLine|contains: ci}\n    condition: not known\n"
        )
        status, output, _ = call("rules", "--rules", tmp_path, "--output", "json")
        (rule,) = json.loads(output)
        assert 0 == status
        members = ("id", "name", "severity", "language")
        assert ["docker", "Rule docker", "high", "sigma"] == [rule[member] for member in members]
        assert (f"{tmp_path}/docker.yml", 1) == (rule["path"], rule["line"])
        assert [{"id": "quiet", "name": "Quiet", "path": f"{tmp_path}/quiet.yml", "line": 1}] == rule["filters"]

    def test_none(self, tmp_path):
        """No rules are an empty list."""
        _, output, _ = call("rules", "--rules", tmp_path, "--output", "json")
        assert [] == json.loads(output)

    def test_without_privilege(self):
        """A user who may do nothing lists the seeds, in all three languages."""
        status, output, _ = hullwatch_as_nobody("rules", "--rules", SEEDS, "--output", "json")
        assert 0 == status
        assert {"sigma", "eql", "cql"} == {rule["language"] for rule in json.loads(output)}
