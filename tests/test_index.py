"""The rule index: it finds what trying every rule finds, and tries few."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.detect.index import Match, build_index
from agent.detect.literals import required_literals
from agent.detect.predicate import Always, And, Equals, Exists, Like, Not, Or, Regex
from agent.detect.requirement import required_keys
from agent.detect.rule import Filter, Outcome, Rule, Severity
from agent.intent.model import Intent
from tests import naive
from tests.events import make_connect, make_exec
from tests.strategies import events, rules

DOCKER = Equals("process.name", ("docker",))
PODMAN = Equals("process.name", ("podman",))


def make_rule(*predicates, name="rule", severities=(Severity.HIGH, Severity.LOW), **members):
    outcomes = tuple(Outcome(*pair) for pair in zip(severities, predicates, strict=False))
    return Rule(id=name, name=name, language="sigma", path="rule.yml", outcomes=outcomes, **members)


def make_filter(predicate, name="quiet"):
    return Filter(id=name, name=name, path="filter.yml", rules=(), predicate=predicate)


def candidates(predicate, event, **options):
    return bool(build_index([make_rule(predicate)], **options).candidates(event))


class TestMatch:
    """What matches, how badly, and what silences it."""

    def test_gives_every_matching_rule_in_order(self):
        """Matches come in the order of the rules, by whatever key they were found."""
        several = [
            make_rule(Like("process.command_line", ("*ps*",)), name="c"),
            make_rule(PODMAN, name="x"),
            make_rule(Exists("user.name"), name="b"),
            make_rule(DOCKER, name="a"),
            make_rule(Equals("process.args", ("ps",)), name="d"),
        ]
        assert ["c", "b", "a", "d"] == [match.rule.id for match in build_index(several).match(make_exec())]

    def test_the_first_outcome_that_holds_decides(self):
        """Outcomes are tried in order, not by severity."""
        rule = make_rule(PODMAN, DOCKER, Always(True), severities=(Severity.CRITICAL, Severity.LOW, Severity.HIGH))
        assert [Match(rule, Severity.LOW, rule.outcomes[1])] == build_index([rule]).match(make_exec())

    def test_a_filter_that_holds_silences(self):
        """A silenced match is given with the filter's id, so that it can be counted."""
        quiet = make_filter(Equals("user.name", ("root",)))
        loud = make_filter(PODMAN, name="other")
        found = build_index([make_rule(DOCKER, filters=(loud, quiet)), make_rule(DOCKER, filters=(loud,))])
        assert ["quiet", None] == [match.silenced_by for match in found.match(make_exec())]

    def test_a_rule_that_cannot_be_compiled_is_named(self):
        """The error begins with the rule's id."""
        with pytest.raises(ValueError, match=r"^bad: "):
            build_index([make_rule(Regex("process.name", "(?=x)"), name="bad")])


class TestCandidates:
    """What may match before enrichment."""

    @pytest.mark.parametrize(
        "predicate",
        [
            Equals("process.name", ("podman", "ctr")),
            Like("process.executable", ("*/podman", "/opt/*/ctr"), ignore_case=True),
            Equals("Image", ("/usr/bin/podman",)),
            Equals("process.args", ("--privileged",)),
            Like("CommandLine", ("*--privileged*", "*pid?host*")),
            Regex("CommandLine", "(?i)run .*--privi(leged|lege)"),
            Or((PODMAN, Like("CommandLine", ("*--privileged*",)))),
            And((Exists("user.name"), Or((PODMAN, Equals("process.args", ("run",)))))),
            Not(Or((Not(PODMAN), Exists("container.id")))),
            Equals("event_simpleName", ("UnixSocketConnect",)),
            Equals("event.category", ("network", "file")),
            And((DOCKER, Always(False))),
            Equals("process.name", ()),
        ],
    )
    def test_a_rule_whose_literals_are_missing_is_none(self, predicate):
        """`docker ps` is no candidate for rules about other tools, arguments, text or kinds of event."""
        assert not candidates(predicate, make_exec())

    @pytest.mark.parametrize(
        "predicate",
        [
            DOCKER,
            Not(PODMAN),
            Exists("container.id"),
            Like("process.executable", ("*DOCKER",), ignore_case=True),
            Like("process.command_line", ("*p?",)),
            Regex("process.command_line", "do+cker"),
            Equals("event_simpleName", ("ProcessRollup2",)),
            And((DOCKER, Not(Equals("event.category", ("network",))))),
        ],
    )
    def test_a_rule_that_may_match_is_one(self, predicate):
        """A rule stays a candidate for what enrichment may add, and where nothing is required."""
        assert candidates(predicate, make_exec())

    @pytest.mark.parametrize(
        ("predicate", "name"),
        [
            (Equals("process.name", ("Docker",)), "Docker"),
            (Equals("process.name", ("DOCKER",), ignore_case=True), "Docker"),
            (Equals("process.executable", ("/opt/Docker",)), "Docker"),
            (Like("process.executable", ("*/DOCKER",), ignore_case=True), "Docker"),
            (Like("process.executable", ("*ocker",)), "Docker"),
            (Like("process.command_line", ("Doc*",)), "Docker"),
            (Equals("process.args", ("Docker",)), "Docker"),
            (Regex("process.executable", "(?i)/SH$"), "\u017fh"),
            (Regex("process.command_line", "(?i)^kubectl"), "\u212aubectl"),
            (Like("process.executable", ("*/\u017fh",)), "\u017fh"),
            (Like("process.executable", ("*ΑΣ*",)), "ΑΣΒ"),
        ],
    )
    def test_case_never_hides_a_match(self, predicate, name):
        """Keys are looked up without case, also for the letters that RE2 and lower case treat differently."""
        event = make_exec(f"/opt/{name}", (name,))
        assert candidates(predicate, event)
        assert build_index([make_rule(predicate)]).match(event)

    def test_kinds_of_event_are_told_apart(self):
        """The same index serves execs and connections, each with its own rules."""
        several = [
            make_rule(Equals("event.category", ("process",)), name="exec"),
            make_rule(Equals("event.category", ("network",)), name="connect"),
        ]
        found = build_index(several)
        for event, expected in ((make_exec(), "exec"), (make_connect(), "connect"), (make_exec(), "exec")):
            assert [expected] == [rule.id for rule in found.candidates(event)]

    def test_an_event_without_a_kind_has_every_rule_of_its_literals(self):
        """What an event's category will be is not guessed."""
        assert candidates(Equals("event.category", ("network",)), make_exec(fields={}))

    def test_kinds_without_end_are_still_answered(self):
        """Documents that each name another category get right answers."""
        found = build_index([make_rule(Equals("event.category", ("c30", "1")))])
        for number in range(40):
            event = make_exec(fields={"event.category": f"c{number}"})
            assert (number == 30) == bool(found.match(event))
        for category, expected in ((1, True), (True, False), (1.0, True)):
            assert expected == bool(found.match(make_exec(fields={"event.category": category})))
            assert expected == bool(found.match(make_exec(fields={"event.category": (category,)})))

    @pytest.mark.parametrize("categories", [(1, True), (True, 1), ((1,), (True,)), ((True,), (1,))])
    def test_kinds_that_are_equal_in_python_are_told_apart(self, categories):
        """The number one and true are different categories, whichever comes first."""
        found = build_index([make_rule(Equals("event.category", ("1",)))])
        for category in categories:
            assert (str(category) in ("1", "(1,)")) == bool(found.match(make_exec(fields={"event.category": category})))

    def test_a_truncated_process_keeps_every_rule(self):
        """Enrichment may find the rest of the arguments."""
        assert candidates(Equals("process.args", ("--privileged",)), make_exec(truncated=("args",)))
        assert candidates(Equals("process.args", ("--privileged",)), make_exec(unavailable=("args",)))

    def test_may_match_tells_whether_there_are_candidates(self):
        """The loop asks this first."""
        found = build_index([make_rule(PODMAN)])
        assert not found.may_match(make_exec())
        assert found.may_match(make_exec("/usr/bin/podman"))


class TestIntent:
    """Rules that need an intent, which enrichment adds."""

    RULE = Or((Equals("intent.privileged", (True,)), And((DOCKER, Exists("intent.mounts")))))

    def test_are_candidates_where_an_intent_may_come(self):
        """The caller says for which events an intent may still be read."""
        assert candidates(self.RULE, make_exec())
        assert not candidates(self.RULE, make_exec(), may_have_intent=lambda _event: False)
        assert candidates(self.RULE, make_exec(intent=Intent(tool="docker")), may_have_intent=lambda _event: False)

    def test_match_with_an_intent_only(self):
        """Once the intent is there the rule is tried; without one it cannot match."""
        found = build_index([make_rule(self.RULE)])
        assert found.match(make_exec(intent=Intent(tool="docker", privileged=True)))
        assert not found.match(make_exec(intent=Intent(tool="docker")))
        assert not found.match(make_exec())

    def test_a_rule_that_can_hold_without_is_always_one(self):
        """Only a rule that needs the intent is left out."""
        for rule in (Not(self.RULE), Or((self.RULE, DOCKER))):
            assert candidates(rule, make_exec(), may_have_intent=lambda _event: False)


class TestRequiredKeys:
    """Conditions weaker than a tree, never stronger."""

    RUN = Equals("process.args", ("run",))
    PARTS = Like("process.command_line", ("*--privileged*", "*--pid=host*"))

    @pytest.mark.parametrize(
        ("predicate", "sizes"),
        [
            (Always(True), []),
            (Always(False), [0]),
            (And(()), []),
            (Or(()), [0]),
            (And((DOCKER, Equals("user.name", ()), Always(False))), [0]),
            (And((PARTS, DOCKER, RUN)), [1, 2]),
            (And((PARTS, DOCKER, Exists("user.name"))), [1, 2]),
            (Or((And((PARTS, DOCKER)), And((PARTS, PODMAN)))), [2, 2]),
            (Or((DOCKER, PARTS)), [3]),
            (Or((DOCKER, Exists("user.name"))), []),
            (Like("process.command_line", ("*x*",)), []),
            (Not(DOCKER), []),
        ],
    )
    def test_are_at_most_two_sets(self, predicate, sizes):
        """Of what must hold together the two most telling sets, of alternatives their union."""
        assert sizes == [len(keys) for keys in required_keys(predicate)]


class TestRequiredLiterals:
    """Text without which a regular expression cannot match."""

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("docker", [{"docker"}]),
            ("(?i)DOCKER", [{"docker"}]),
            ("docker|podman", [{"docker", "podman"}]),
            ("docker|a.podman", [{"docker", "podman"}]),
            ("^/usr/bin/(docker|podman)$", [{"docker", "podman"}, {"/usr/bin/"}]),
            ("a(docker|podman)?b", [{"a"}, {"b"}]),
            ("x(docker|podman)+", [{"docker", "podman"}, {"x"}]),
            ("(?P<tool>docker) .*run", [{"docker"}, {" "}, {"run"}]),
            ("doc?ker", [{"do"}, {"ker"}]),
            ("doc+ker", [{"doc"}, {"ker"}]),
            ("doc{0,2}kers", [{"do"}, {"kers"}]),
            ("--privi\\.leged\\s", [{"--privi.leged"}]),
            ("[]x]docker[^]y]", [{"docker"}]),
            ("(?:(?:(?:docker)))", [{"docker"}]),
            ("docker|", []),
            (".*", []),
            ("docker|\\d+", []),
            ("docker(?i)*", []),
            ("\\Qdocker\\E", []),
            ("\\x64ocker", []),
            ("\\pNdocker", []),
            ("é", []),
            ("(" * 900 + "docker" + ")" * 900, []),
        ],
    )
    def test_are_found_where_it_is_plain(self, pattern, expected):
        """Optional parts give nothing, alternatives give each, anything unusual gives nothing."""
        assert set(map(frozenset, expected)) == set(required_literals(pattern))


class TestAgainstEveryRule:
    """The index and trying every rule with the naive evaluator."""

    @settings(max_examples=60, deadline=None)
    @given(several=rules(), seen=st.lists(events(), min_size=1, max_size=2))
    def test_same_matches(self, several, seen):
        """For generated rules and events: same rules, severities and filters; each match a candidate before."""
        found = build_index(several)
        for event in seen:
            expected = [match for rule in several if (match := _try(rule, event))]
            assert expected == found.match(event)
            raw = replace(event, intent=None, container=None)
            assert {match.rule.id for match in expected} <= {rule.id for rule in found.candidates(raw)}


def _try(rule, event):
    for outcome in rule.outcomes:
        if naive.holds(outcome.predicate, event):
            silenced_by = next((each.id for each in rule.filters if naive.holds(each.predicate, event)), None)
            return Match(rule, outcome.severity, outcome, silenced_by)
    return None


class TestSize:
    """Indexing pays."""

    def test_most_rules_are_not_tried(self):
        """Of a thousand rules with names of their own an event meets one."""
        several = [make_rule(Equals("process.name", (f"tool{number}",)), name=str(number)) for number in range(1000)]
        found = build_index(several)
        assert ["7"] == [rule.id for rule in found.candidates(make_exec("/usr/bin/tool7"))]
        assert {1} == {len(required_keys(rule.outcomes[0].predicate)) for rule in several}
