"""Elastic's rule files."""

import pytest

from agent.detect.elastic_toml import read_elastic_toml
from agent.detect.matcher import compile_predicate
from agent.detect.rule import Severity
from tests.events import make_exec

TOML = '''[metadata]
maturity = "production"

[rule]
author = ["someone"]
description = """
What it is.
"""
false_positives = ["Backups"]
language = "eql"
name = "A rule"
references = ["https://example.org/why"]
rule_id = "11111111-2222-4333-8444-555555555555"
severity = "high"
type = "eql"
query = \'\'\'
process where process.name == "ctr" and
  process.args : "run"
\'\'\'

[[rule.threat]]
framework = "MITRE ATT&CK"
[[rule.threat.technique]]
id = "T1552"
name = "Unsecured Credentials"
[[rule.threat.technique.subtechnique]]
id = "T1552.007"
name = "Container API"
[rule.threat.tactic]
id = "TA0006"
name = "Credential Access"
'''


class TestRuleFile:
    def test_rule(self):
        """Everything that an alert shows is taken from the file."""
        result = read_elastic_toml(TOML, "r.toml")
        (rule,) = result.rules
        assert ((), (), ()) == (result.errors, result.warnings, result.skipped)
        assert "11111111-2222-4333-8444-555555555555" == rule.id
        assert ("A rule", "What it is.", Severity.HIGH, "eql") == (
            rule.name,
            rule.description,
            rule.severity,
            rule.language,
        )
        assert (("T1552", "T1552.007"), ("credential-access",)) == (rule.techniques, rule.tactics)
        assert (("Backups",), ("https://example.org/why",)) == (rule.false_positives, rule.references)
        assert compile_predicate(rule.outcomes[0].predicate)(make_exec("/bin/ctr", ["ctr", "RUN"]))

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_place(self, newline):
        """A fault inside the query has the line and column of the file."""
        text = TOML.replace('args : "run"', 'args = "run"').replace("\n", newline)
        (fault,) = read_elastic_toml(text, "r.toml").errors
        assert (18, 16, 'process.args = "run"') == (fault.line, fault.column, fault.text)

    def test_place_in_the_key_line(self):
        """A query on the line of its key counts columns from there."""
        (fault,) = read_elastic_toml("[rule]\nquery = 'process where x = 1'\n", "r.toml").errors
        assert (2, 26) == (fault.line, fault.column)

    def test_place_of_an_escaped_query(self):
        """Where escapes make columns uncertain, the line alone is given."""
        text = '[rule]\nquery = """\nprocess where user.id == \\"1\\" and\nx = 1"""\n'
        (fault,) = read_elastic_toml(text, "r.toml").errors
        assert (4, None) == (fault.line, fault.column)

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            ('language = "eql"', 'language = "kuery"', "r.toml: its language is kuery, not eql"),
            ('language = "eql"', 'language = "esql"', "r.toml: its language is esql, not eql"),
            ('type = "eql"', 'type = "new_terms"', "r.toml: its type is new_terms, not eql"),
        ],
    )
    def test_skipped(self, old, new, expected):
        """A rule in another language or of another type is left out, with the reason."""
        result = read_elastic_toml(TOML.replace(old, new), "r.toml")
        assert ((), (), (expected,)) == (result.rules, result.errors, result.skipped)

    @pytest.mark.parametrize(
        ("old", "new", "line", "expected"),
        [
            ("[rule]", "[rule", 4, "not TOML: "),
            (TOML, "x = 1", 1, "a [rule] table is expected"),
            ('"high"', '"huge"', 14, "severity 'huge' is not one of"),
            ('"A rule"', "5", 11, "rule.name is expected to be a text"),
            ("query =", "queries =", 4, "the rule has no query"),
            ("process where", "sequence [process where true] // ", 17, "'sequence' is not supported"),
            ("[metadata]", "x = " + "[" * 10000, 1, "the TOML is nested too deeply"),
        ],
    )
    def test_fault(self, old, new, line, expected):
        """A file at fault names the line and what was expected."""
        (fault,) = read_elastic_toml(TOML.replace(old, new, 1), "r.toml").errors
        assert (line, expected) == (fault.line, fault.message[: len(expected)])
