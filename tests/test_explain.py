"""Explanations of rules: each node's answer and what it saw."""

from hypothesis import given, settings

from agent.detect.explain import explain_rule, format_explanation
from agent.detect.index import build_index
from agent.detect.predicate import And, Compare, Equals, Exists, FieldOf, Like, Literal, Not, Operator, Or
from agent.detect.rule import Filter, Outcome, Rule, Severity
from tests.events import make_exec
from tests.strategies import events, rules

DOCKER = Equals("process.name", ("docker", "podman"), ignore_case=True)
PRIVILEGED = Equals("process.args", ("--privileged",))
ON_CRON = Like("process.parent.executable", ("*/cron",))


def make_rule(*outcomes, filters=()):
    return Rule(id="r1", name="Docker", language="sigma", path="r1.yml", outcomes=outcomes, filters=filters)


def explain(predicate, event):
    return explain_rule(make_rule(Outcome(Severity.HIGH, predicate)), event).children[0].children[0]


class TestTree:
    """Every node has its answer."""

    def test_nodes_tell_whether_they_held(self):
        """Parts that matching would not come to are evaluated as well."""
        node = explain(And((PRIVILEGED, Or((DOCKER, ON_CRON)), Not(ON_CRON))), make_exec())
        assert ("all of", False) == (node.text, node.held)
        assert [False, True, True] == [child.held for child in node.children]
        assert [True, False] == [child.held for child in node.children[1].children]

    def test_tests_tell_what_they_saw(self):
        """Each field once, None where it is absent."""
        pid = FieldOf("process.pid")
        same = Compare(pid, Operator.LT, FieldOf("process.parent.pid"))
        assert (("process.args", ("docker", "ps")),) == explain(PRIVILEGED, make_exec()).seen
        assert (("container.id", None),) == explain(Exists("container.id"), make_exec()).seen
        assert (("process.pid", 4242), ("process.parent.pid", 4000)) == explain(same, make_exec()).seen
        assert (("process.pid", 4242),) == explain(Compare(pid, Operator.EQ, pid), make_exec()).seen

    def test_the_rule_holds_where_an_outcome_does(self):
        """Outcomes and filters stand below the rule in order."""
        quiet = Filter(id="f1", name="Quiet", path="f.yml", rules=(), predicate=DOCKER)
        outcomes = (Outcome(Severity.CRITICAL, PRIVILEGED), Outcome(Severity.LOW, DOCKER))
        root = explain_rule(make_rule(*outcomes, filters=(quiet,)), make_exec())
        assert ("r1: Docker", True) == (root.text, root.held)
        found = [(child.text, child.held) for child in root.children]
        assert [("severity critical", False), ("severity low", True), ("filter f1: Quiet", True)] == found

    @settings(max_examples=60, deadline=None)
    @given(rules(max_size=1), events())
    def test_agrees_with_matching(self, several, event):
        """A rule that is explained to hold is a rule that matches, with the severity of the first that held."""
        for rule in several:
            root = explain_rule(rule, event)
            matches = build_index([rule]).match(event)
            assert bool(matches) == root.held
            for match in matches:
                held = next(child for child in root.children if child.held)
                assert f"severity {match.severity.label}" == held.text


class TestText:
    """What is printed."""

    def test_is_an_indented_list_of_marked_nodes(self):
        """A plus for what held, a minus for what did not, and what was seen."""
        lines = format_explanation(
            explain_rule(make_rule(Outcome(Severity.HIGH, And((DOCKER, PRIVILEGED, Not(ON_CRON))))), make_exec())
        ).splitlines()
        assert [
            "- r1: Docker",
            "  - severity high",
            "    - all of",
            '      + process.name in~ ("docker", "podman")  (process.name is "docker")',
            '      - process.args == "--privileged"  (process.args is ["docker", "ps"])',
            "      + not",
            '        - process.parent.executable like "*/cron"  (process.parent.executable is "/usr/bin/bash")',
        ] == lines

    def test_shows_absence(self):
        """Absent is not the empty text."""
        assert "(container.id is absent)" in format_explanation(explain(Exists("container.id"), make_exec()))
        assert '(process.name is "")' in format_explanation(explain(Exists("process.name"), make_exec(name="")))

    def test_cannot_be_broken_by_an_event(self):
        """Line ends, escape sequences and direction marks of an attacker stay text on one line; long ones are cut."""
        event = make_exec(name="a\nb\x1b[2J\u202e\udc80é", args=("x" * 1000,))
        text = format_explanation(
            explain(Or((DOCKER, PRIVILEGED, Compare(FieldOf("process.memfd"), Operator.EQ, Literal(1)))), event)
        )
        assert '(process.name is "a\\nb\\x1b[2J\\u202e\\udc80é")' in text
        assert "(process.memfd is false)" in text
        assert "... (1004 characters))" in text
        assert 4 == len(text.splitlines())
        assert max(map(len, text.splitlines())) < 300
