"""Rules read by a child process."""

import subprocess
import sys
from contextlib import closing

import pytest

from agent.detect.prefilter import build_prefilter
from agent.detect.rule_file import RuleFile
from agent.detect.ruleset import read_rules
from agent.errors import ConfigError
from agent.rule_files import load_rule_files
from agent.rule_reader import Reading
from tests.commands import RULES

pytestmark = pytest.mark.process

LIVE = {"event.category": ("process",), "event.type": ("start",), "event.action": "exec", "host.os.type": "linux"}


def read_apart(files):
    """The rules as a child reads them."""
    with closing(Reading(files, LIVE)) as reading:
        return reading.rules()


class TestReading:
    def test_the_child_reads_what_the_reader_reads(self):
        """Rules, filters, warnings: nothing is lost between the processes, in any of the languages."""
        files = load_rule_files([RULES, RULES / "seeds"])
        here, there = read_rules(files), read_apart(files)
        assert here.rules == there.rules
        assert {"sigma", "eql", "cql"} == {rule.language for rule in there.rules}
        assert (here.filters, here.warnings, here.skipped) == (there.filters, there.warnings, there.skipped)

    def test_the_child_makes_the_filter(self):
        """The automaton and what is said of it are those that are made here."""
        files = load_rule_files([RULES])
        here, reading = build_prefilter(read_rules(files).rules, live_fields=LIVE), Reading(files, LIVE)
        reading.rules()
        there = reading.filter()
        assert here.encoded == there.automaton
        assert here.report == there.report
        assert there.report.is_on

    def test_the_filter_is_not_waited_for(self):
        """The rules come first; who asks for the filter too early is told so, and asks again."""
        reading = Reading(load_rule_files([RULES]), LIVE)
        reading.rules()
        assert reading.filter(wait_s=0) is None
        assert reading.filter().report.is_on

    def test_errors_keep_their_places(self):
        """An error is the same sentence with the same place."""
        files = [RuleFile("bad.yml", b"title: [\n"), RuleFile("bad.eql", b"process where (")]
        here, there = read_rules(files).errors, read_apart(files).errors
        assert len(here) == 2
        assert [str(error) for error in here] == [str(error) for error in there]
        assert [(error.path, error.line) for error in here] == [(error.path, error.line) for error in there]

    def test_the_working_directory_is_not_searched(self, tmp_path, monkeypatch):
        """Root in a directory of somebody else's runs nothing that lies there."""
        (tmp_path / "agent").mkdir()
        (tmp_path / "agent" / "__init__.py").write_text("raise SystemExit('planted')")
        monkeypatch.chdir(tmp_path)
        assert () == read_apart([]).rules

    def test_a_child_that_dies_is_an_error(self):
        """Whatever a rule file does to a parser, the agent says so and ends."""
        reading = Reading([RuleFile("x.yml", b"")], LIVE)
        reading._child.kill()
        with pytest.raises(ConfigError, match="ended with -9"):
            reading.rules()

    def test_no_parser_is_loaded_here(self):
        """The agent's own process has none of the languages' libraries."""
        code = (
            "import sys, agent.run, agent.cli; print([m for m in ('sigma', 'lark', 'pyparsing') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert "[]\n" == done.stdout
