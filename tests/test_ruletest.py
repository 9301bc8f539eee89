"""The tests that stand beside rules."""

import contextlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.cql import read_cql
from agent.detect.predicate import Equals
from agent.detect.rule import Filter, Outcome, Rule, Severity
from agent.detect.ruletest import RuleTest, assign_tests, missing_tests, parse_tests, path_of_tests, run_tests
from agent.ecs import parse_document
from agent.errors import RuleError

SEEDS = Path(__file__).parent.parent / "rules" / "seeds"
RULE = Rule(
    id="r",
    name="R",
    language="cql",
    path="r.cql",
    outcomes=(
        Outcome(Severity.HIGH, Equals("process.name", ("docker",))),
        Outcome(Severity.LOW, Equals("user.name", ("root",))),
    ),
)


def make_test(expect, **event):
    """A test of some fields, whose dots are written as underscores."""
    fields = {name.replace("_", "."): value for name, value in event.items()}
    return RuleTest(name="t", event=fields, expect=expect, path="r.tests.yml", line=1)


class TestParse:
    def test_two_tests(self):
        """Each test has its name, its event nested or dotted, its expectation and its line."""
        text = (
            "- name: one\n  event: {process.name: docker, process: {args: [docker, '1', 2], pid: 7}}\n  expect: HIGH\n"
            "- name: 2\n  event: {}\n  expect: none\n"
        )
        one = {"process.name": "docker", "process": {"args": ["docker", "1", 2], "pid": 7}}
        expected = (
            RuleTest(name="one", event=one, expect=Severity.HIGH, path="a", line=1),
            RuleTest(name="2", event={}, expect=None, path="a", line=4),
        )
        assert expected == parse_tests(text, "a")

    def test_an_empty_file_has_no_tests(self):
        """A file with comments only is no fault here."""
        assert () == parse_tests("# later\n", "a")

    @pytest.mark.parametrize(
        ("text", "place", "message"),
        [
            ("name: x", (1, 1), "expected one list of tests"),
            ("- x", (1, 3), "expected a test with the keys name, event and expect"),
            ("- name: x\n  event: {}\n", (1, 3), "a test needs the key 'expect'"),
            ("- name: x\n  event: {}\n  expect: bad", (3, 11), "severity 'bad' is not one of informational, low"),
            ("- name: x\n  event: []\n  expect: none", (2, 10), "a test's event is a mapping of ECS fields"),
            ("- name: x\n  event: {}\n  expect: none\n  expcet: low", (4, 3), "unknown key"),
            ("- name: [x]\n  event: {}\n  expect: none", (1, 9), "a test's name is a text"),
            ("- name: x\n  event: {}\n  expect: [low]", (3, 11), "what a test expects is a severity or none"),
            ("- [", (2, 1), ""),
        ],
    )
    def test_faults_have_a_place(self, text, place, message):
        """What is wrong is told with its line and column."""
        with pytest.raises(RuleError) as raised:
            parse_tests(text, "a.tests.yml")
        assert ("a.tests.yml", *place) == (raised.value.path, raised.value.line, raised.value.column)
        assert raised.value.message.startswith(message)

    @settings(max_examples=200, deadline=None)
    @given(st.text(alphabet="- \n:[]{}'\"&*!%@name,evxpct1", max_size=40))
    def test_any_text(self, text):
        """Any text gives tests or a RuleError, nothing else."""
        with contextlib.suppress(RuleError):
            assert isinstance(parse_tests(text, "a"), tuple)


class TestRun:
    @pytest.mark.parametrize(
        ("event", "expect", "got"),
        [
            ({"process_name": "docker", "user_name": "root"}, Severity.HIGH, Severity.HIGH),
            ({"user_name": "root"}, Severity.HIGH, Severity.LOW),
            ({"user_name": "bin"}, None, None),
            ({"user_name": "bin"}, Severity.LOW, None),
            ({"process_name": "docker"}, None, Severity.HIGH),
        ],
    )
    def test_first_outcome_that_holds_is_compared(self, event, expect, got):
        """A test passes when the rule says just what it expects."""
        (result,) = run_tests(RULE, [make_test(expect, **event)], parse_document)
        assert (got, expect == got, None) == (result.got, result.passed, result.fault)

    def test_an_event_that_cannot_be_read_fails_alone(self):
        """A test with a bad event fails with the reason, whatever it expects; the others run."""
        bad, good = run_tests(RULE, [make_test(None, process_pid="x"), make_test(None)], parse_document)
        assert (False, True) == (bad.passed, good.passed)
        assert "process.pid" in bad.fault

    def test_filters_are_left_aside(self):
        """A rule is tested, not what an installation silences."""
        silence = Filter(id="f", name="F", path="f.yml", rules=(), predicate=Equals("process.name", ("docker",)))
        rule = Rule(**{name: getattr(RULE, name) for name in RULE.__struct_fields__} | {"filters": (silence,)})
        (result,) = run_tests(rule, [make_test(Severity.HIGH, process_name="docker")], parse_document)
        assert result.passed

    def test_the_seed_passes(self):
        """The LogScale seed passes its own tests, which try a match and a non-match."""
        path = SEEDS / "seed_deploy_container.cql"
        (rule,) = read_cql(path.read_text(), str(path)).rules
        tests = parse_tests(Path(path_of_tests(str(path))).read_text(), "t")
        assert [] == [result for result in run_tests(rule, tests, parse_document) if not result.passed]
        assert () == missing_tests(rule, tests)


class TestMissing:
    MATCH = "r.cql: rule r has no test with an event that matches."
    NO_MATCH = "r.cql: rule r has no test with an event that does not match."

    @pytest.mark.parametrize(
        ("expectations", "expected"),
        [
            ((), (MATCH, NO_MATCH)),
            ((None,), (MATCH,)),
            ((Severity.LOW, Severity.HIGH), (NO_MATCH,)),
            ((Severity.LOW, None), ()),
        ],
    )
    def test_each_kind_is_asked_for(self, expectations, expected):
        """A rule wants an event that matches and one that does not."""
        assert expected == missing_tests(RULE, [make_test(expect) for expect in expectations])


class TestPath:
    @pytest.mark.parametrize(
        ("rule", "expected"),
        [("a/b.c/x.yml", "a/b.c/x.tests.yml"), ("x.v2.cql", "x.v2.tests.yml"), ("a.b/x", "a.b/x.tests.yml")],
    )
    def test_beside_the_rule(self, rule, expected):
        """Tests have the rule's name with another ending."""
        assert expected == path_of_tests(rule)


class TestAssign:
    """Files with several rules."""

    FIRST, SECOND = (msgspec.structs.replace(RULE, id=name, name=f"Rule {name}", path="a.yml") for name in "ab")
    QUERY = msgspec.structs.replace(RULE, id="q", path="a.cql")

    def assign(self, *names):
        """The rules that tests get, in order, where each names one of these; and the faults."""
        tests = [
            msgspec.structs.replace(make_test(None), name=str(number), rule=name) for number, name in enumerate(names)
        ]
        own, faults = assign_tests([self.FIRST, self.SECOND, self.QUERY], tests)
        return {rule: [test.name for test in given] for rule, given in own.items()}, [str(fault) for fault in faults]

    def test_no_name(self):
        """A test that names no rule is for the first rule of each file that it stands beside."""
        assert ({"a": ["0"], "b": [], "q": ["0"]}, []) == self.assign(None)

    def test_names(self):
        """A test is for the rule that it names, by id or name in any case."""
        assert ({"a": [], "b": ["0", "1"], "q": []}, []) == self.assign("B", "rule b")

    def test_unknown(self):
        """A test of a rule that is not there is a fault."""
        fault = "r.tests.yml:1: there is no rule 'x' beside this file"
        assert ({"a": ["1"], "b": [], "q": ["1"]}, [fault]) == self.assign("x", None)

    def test_from_text(self):
        """The rule is written as a key of the test."""
        (test,) = parse_tests("- name: x\n  event: {}\n  expect: none\n  rule: b\n", "a.tests.yml")
        assert "b" == test.rule
        with pytest.raises(RuleError, match="a test names one rule"):
            parse_tests("- name: x\n  event: {}\n  expect: none\n  rule: [b]\n", "a.tests.yml")
