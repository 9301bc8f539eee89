"""The rules that come with the agent: each is complete, and its tests pass."""

from pathlib import Path

import pytest

from agent.config import shipped_rules_dir
from agent.detect.ruleset import read_rules
from agent.rule_files import load_rule_files
from agent.tools.ruletests import format_trial, try_rules

FOLDERS = (shipped_rules_dir(), shipped_rules_dir() / "seeds")
FILES = load_rule_files(FOLDERS)
READ = read_rules(FILES)
TRIALS, UNUSABLE = try_rules(READ.rules, FILES)

each_rule = pytest.mark.parametrize("rule", READ.rules, ids=lambda rule: Path(rule.path).name)


class TestSet:
    def test_nothing_is_wrong(self):
        """All files load as shipped rules, without a fault, a warning or a rule left out; ids are unique."""
        assert all(file.shipped for file in FILES)
        assert ([], [], [], []) == (list(READ.errors), UNUSABLE, list(READ.warnings), list(READ.skipped))

    def test_every_folder(self):
        """The seeds are among them, in all three languages."""
        seeds = {rule.language for rule in READ.rules if Path(rule.path).parent.name == "seeds"}
        assert {"sigma", "eql", "cql"} == seeds

    @pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: Path(trial.rule.path).name)
    def test_own_tests(self, trial):
        """Each rule passes its own tests, which have an event that matches and one that does not."""
        assert trial.passed, format_trial(trial)


class TestRule:
    """What an analyst needs of each rule."""

    @each_rule
    def test_attack(self, rule):
        """It names ATT&CK techniques and tactics."""
        assert rule.techniques
        assert rule.tactics

    @each_rule
    def test_words(self, rule):
        """It has a name of its own, a description and references."""
        assert rule.name not in ("", Path(rule.path).stem)
        assert rule.description
        assert rule.references

    @each_rule
    def test_false_positives(self, rule):
        """It says what may raise it wrongly, where its layout has a place for that."""
        bare_query = rule.path.endswith((".eql", ".cql"))
        assert bare_query or rule.false_positives
