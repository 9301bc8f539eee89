"""The rules' filter: what it holds back no rule matches, and what it lets pass it gives reasons for."""

import json
import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.config import shipped_rules_dir
from agent.detect.index import build_index
from agent.detect.predicate import Always, And, Equals, Exists, Like, Not, Or, Regex, escape_pattern
from agent.detect.prefilter import Kind, build_prefilter
from agent.detect.rule import Outcome, Rule, Severity
from agent.detect.ruleset import read_rules
from agent.detect.ruletest import TESTS_ENDING, parse_tests
from agent.ecs import parse_document
from agent.event import Ancestor, Container, Exec
from agent.intent.argv import read_argv
from agent.rule_files import load_rule_files
from agent.sensors.wire import decode_args, decode_text
from tests import naive, strategies
from tests.events import LINUX_EXEC, make_exec

DATA = Path(__file__).parent / "data"
FILES = load_rule_files((shipped_rules_dir(), shipped_rules_dir() / "seeds"))
SHIPPED = read_rules(FILES).rules


def make_rule(*predicates, name="rule"):
    outcomes = tuple(Outcome(Severity.HIGH, predicate) for predicate in predicates)
    return Rule(id=name, name=name, language="sigma", path=f"{name}.yml", outcomes=outcomes)


def make_filter(*predicates, **options):
    rules = [make_rule(predicate, name=f"r{number}") for number, predicate in enumerate(predicates)]
    return build_prefilter(rules, live_fields=LINUX_EXEC, **options)


def make_live(path=b"/usr/bin/docker", argv=(b"docker", b"ps"), **members):
    """Make an event of bytes, as a sensor does (agent/sensors/wire.py)."""
    args, raw = decode_args(b"".join(argument + b"\0" for argument in argv), len(argv))
    return make_exec(decode_text(path), args, raw_args=raw, name=decode_text(path).rpartition("/")[2], **members)


def with_intent(event):
    process = event.process
    return replace(event, intent=read_argv(process.args, executable=process.executable) if process.args else None)


def kind_of(predicate):
    (report,) = make_filter(predicate).report.rules
    return report.kind


broken = st.sampled_from((b"\xff", b"\x8f", b"\xfd", b"\xe2\x84", b"\xc3"))
odd_words = st.sampled_from(
    (
        b"\xfdocker",
        b"doc\xff",
        b"l\xc1",
        b"\xe2\x84\xaaubectl",
        b"\xc5\xbfh",
        b"D\xc3\x96",
        b"\xc4\xb0t",
        b"-it",
        b"x y",
    )
)
words = strategies.words.map(lambda text: text.replace("\0", "").encode()) | odd_words | broken
paths = strategies.paths.map(lambda text: text.replace("\0", "").encode()) | st.builds(
    bytes.__add__, st.sampled_from((b"/usr/bin/", b"/tmp/", b"")), odd_words
)
live_events = st.builds(
    make_live,
    paths,
    st.lists(words | paths | st.lists(words, max_size=3).map(b" ".join), max_size=4),
    parent=strategies.paths,
    memfd=st.just(False),
    ancestors=st.lists(st.builds(Ancestor, st.just(1), st.just(0), strategies.names), max_size=1).map(tuple),
    container=st.none() | st.builds(Container, id=st.none() | strategies.words),
)

TEXT_FIELDS = ("process.name", "process.executable", "process.command_line", "process.args", "Image", "CommandLine")
shown = st.sampled_from(
    ("\\xff", "x8", "\\", "fd", "8f doc", "\\xc1", "c1", "\u212aubectl", "i\u0307t", "İT", "\u017fh", "DÖ")
)
literals = strategies.texts | shown
tests_of_text = st.one_of(
    st.builds(Equals, st.sampled_from(TEXT_FIELDS), st.lists(literals, max_size=3).map(tuple), st.booleans()),
    st.builds(
        Like,
        st.sampled_from(TEXT_FIELDS),
        st.lists(strategies.patterns() | st.builds("*{}*".format, literals), max_size=3).map(tuple),
        st.booleans(),
    ),
    st.builds(Regex, st.sampled_from(TEXT_FIELDS), strategies.regexes, st.booleans()),
    st.builds(
        Regex, st.sampled_from(TEXT_FIELDS), literals.map(lambda text: f"(?i){naive_quote(text)}"), st.booleans()
    ),
    strategies.leaves.filter(lambda leaf: "intent" not in repr(leaf)),
)
trees_of_text = st.recursive(
    tests_of_text,
    lambda children: st.one_of(
        st.builds(And, st.lists(children, max_size=3).map(tuple)),
        st.builds(Or, st.lists(children, max_size=3).map(tuple)),
        st.builds(Not, children),
    ),
    max_leaves=5,
)


@st.composite
def met_tests(draw):
    """A test made of an event's own text, so that it mostly holds, and the event."""
    event = draw(live_events)
    field = draw(st.sampled_from(TEXT_FIELDS))
    text = draw(st.sampled_from(naive.texts_of(field, event) or [""]))
    first = draw(st.integers(0, len(text)))
    part = text[first : draw(st.integers(first, len(text)))]
    fold = draw(st.booleans())
    change = draw(st.sampled_from((str.lower, str.upper, str.swapcase, str.title))) if fold else str
    part, whole = change(part), change(text)
    escaped = escape_pattern(part)
    prefix = "(?i)" if fold else ""
    start, end = whole == part or first == 0, first + len(part) == len(text)
    test = draw(
        st.sampled_from(
            (
                Equals(field, (whole,), fold),
                Like(field, (f"*{escaped}*",), fold),
                Like(field, ("*" * (not start) + escaped + "*" * (not end),), fold),
                Regex(field, prefix + naive_quote(part)),
                Regex(field, prefix + "^" * start + naive_quote(part) + "$" * end),
                Regex(field, f"{prefix}(?s).*{naive_quote(part)}.*", whole=True),
            )
        )
    )
    return test, event


def naive_quote(text):
    return "".join(f"\\{character}" if character in "\\.*+?()[]{}|^$" else character for character in text)


class TestNothingIsMissed:
    """Where the filter says no, no rule says yes."""

    @given(st.lists(met_tests(), min_size=1, max_size=4), st.sampled_from((4096, 4096, 30)))
    @settings(max_examples=75, deadline=None)
    def test_parts_of_a_text(self, met, budget):
        """A test of any part of an event's text, in any case, with and without anchors."""
        prefilter = make_filter(*(test for test, _ in met), state_budget=budget)
        for test, event in met:
            assert prefilter.accepts_event(event) or not naive.holds(test, event), (test, event.process)

    @given(st.lists(trees_of_text, min_size=1, max_size=3), st.lists(live_events, min_size=3, max_size=6))
    @settings(max_examples=60, deadline=None)
    def test_texts(self, trees, events):
        """Rules about names, paths, arguments and command lines, and anything beside them."""
        prefilter = make_filter(*trees)
        for event in events:
            matched = [tree for tree in trees if naive.holds(tree, event)]
            assert prefilter.accepts_event(event) or not matched, (event.process, matched)

    @given(
        st.lists(trees_of_text, min_size=1, max_size=4),
        st.lists(live_events, min_size=3, max_size=6),
        st.integers(3, 40),
    )
    @settings(max_examples=40, deadline=None)
    def test_small_budgets(self, trees, events, budget):
        """The same when texts have to be shortened, or given up."""
        prefilter = make_filter(*trees, state_budget=budget)
        assert prefilter.report.states <= budget
        for event in events:
            assert prefilter.accepts_event(event) or not any(naive.holds(tree, event) for tree in trees)

    @given(strategies.rules(max_size=2), st.lists(live_events, min_size=3, max_size=6))
    @settings(max_examples=25, deadline=None)
    def test_any_rules(self, rules, events):
        """Rules of every shape, about intents as well, with all of the index between filter and matcher."""
        prefilter, index = build_prefilter(rules, live_fields=LINUX_EXEC), build_index(rules)
        for event in events:
            assert prefilter.accepts_event(event) or not index.match(with_intent(event))


class TestKnownEvents:
    """Every exec that the project's own tests know."""

    PREFILTER = build_prefilter(SHIPPED, live_fields=LINUX_EXEC)
    INDEX = build_index(SHIPPED)

    def check(self, event):
        """Look at an event as a sensor would have sent it; tell whether a rule matches it."""
        process = event.process
        args = process.args or tuple(shlex.split(process.command_line or "x"))
        executable = process.executable or f"/usr/bin/{args[0].rpartition('/')[2]}"
        live = make_live(executable.encode(), [argument.encode() for argument in args])
        members = {name: getattr(live.process, name) for name in ("executable", "name", "args", "raw_args")}
        process = replace(process, **members, command_line=live.process.command_line, args_count=len(args))
        live = replace(event, process=process, intent=None, origin="live", fields=LINUX_EXEC)
        matches = self.INDEX.match(with_intent(live))
        assert self.PREFILTER.accepts_event(live) or not matches, (live.process, [match.rule.path for match in matches])
        return bool(matches)

    def test_of_rules(self):
        """Those of the rules' own tests."""
        tests = [
            test
            for file in FILES
            if file.path.endswith(TESTS_ENDING)
            for test in parse_tests(file.data.decode(), file.path)
        ]
        events = [parse_document(test.event) for test in tests]
        assert sum(self.check(event) for event in events if isinstance(event, Exec)) > len(SHIPPED)

    @pytest.mark.parametrize("name", ["cql.jsonl", "eql.jsonl"])
    def test_of_rule_languages(self, name):
        """Those of the languages' reference cases."""
        lines = (DATA / name).read_text().splitlines()
        assert sum(self.check(parse_document(json.loads(line)["event"])) for line in lines) > len(lines) // 3

    def test_of_intents(self):
        """Those of the command lines with a known intent."""
        cases = map(json.loads, (DATA / "intent_commands.jsonl").read_text().splitlines())
        found = [self.check(make_exec(case["exe"], case["argv"])) for case in cases]
        assert sum(found) > len(found) // 3


class TestWhatPasses:
    """How close the filter is."""

    @pytest.mark.parametrize(
        ("predicate", "passes", "held"),
        [
            (Equals("process.name", ("docker",)), b"/usr/bin/docker", b"/usr/bin/dockerd"),
            (Equals("process.name", ("docker",)), b"docker", b"/usr/bin/mydocker"),
            (Like("process.executable", ("/tmp/*",)), b"/tmp/x", b"/usr/tmp/x"),
            (Like("Image", ("*/podman",), ignore_case=True), b"/opt/PODMAN", b"/opt/podman/bin/x"),
            (Regex("process.executable", "^/(tmp|dev/shm)/"), b"/dev/shm/x", b"/srv/dev/shm/x"),
            (Regex("process.name", "^kube(ctl|let)$"), b"/opt/kubectl", b"/opt/kubectl/x"),
        ],
    )
    def test_paths(self, predicate, passes, held):
        """Names and paths are told from what only looks like them; arguments do not matter."""
        accepts = make_filter(predicate).accepts
        args = b"/tmp/x\0docker\0/opt/podman\0"
        assert (True, False) == (accepts(passes, args), accepts(held, args))

    @pytest.mark.parametrize(
        ("predicate", "passes", "held"),
        [
            (Equals("process.args", ("exec",)), b"a\0exec\0", b"a\0execute\0"),
            (Like("process.args", ("--pid=*",)), b"a\0--pid=host\0", b"a\0x--pid=host\0"),
            (Like("CommandLine", ("* run *",)), b"a\0run\0x\0", b"a\0rerun\0x\0"),
            (Like("CommandLine", ("* run *",)), b"sh\0-c\0a run x\0", b"a\0prerun x\0"),
            (Like("CommandLine", ("docker *",)), b"docker\0ps\0", b"sudo\0docker\0ps\0"),
            (Like("CommandLine", ("*/etc/shadow",)), b"cat\0/etc/shadow\0", b"cat\0/etc/shadow-\0"),
            (Regex("process.args", "^-t0*1$"), b"a\0-t001\0", b"a\0-t12\0"),
        ],
    )
    def test_arguments(self, predicate, passes, held):
        """So are arguments, wherever a space of the command line comes from; the path does not matter."""
        accepts = make_filter(predicate).accepts
        path = b"/exec/--pid=host/run /docker /etc/shadow"
        assert (True, False) == (accepts(path, passes), accepts(path, held))

    def test_the_best_of_a_conjunction(self):
        """Of several tests that must hold, the one stands in that is the rarest."""
        rare = Like("process.command_line", ("*--privileged*",))
        accepts = make_filter(And((Equals("process.name", ("sh",)), rare, Exists("user.name")))).accepts
        assert (False, True) == (accepts(b"/bin/sh", b"sh\0x\0"), accepts(b"/bin/ls", b"ls\0--privileged\0"))

    def test_ordinary_execs(self):
        """With the shipped rules hardly any exec of an ordinary node passes."""
        lines = (DATA / "ordinary_execs.txt").read_text().splitlines()
        execs = [shlex.split(line) for line in lines]
        prefilter = build_prefilter(SHIPPED, live_fields=LINUX_EXEC)
        passed = [
            line
            for line, (path, *args) in zip(lines, execs, strict=True)
            if prefilter.accepts(path.encode(), b"".join(argument.encode() + b"\0" for argument in args))
        ]
        assert len(passed) < 0.08 * len(lines), passed

    @pytest.mark.parametrize(
        "members",
        [
            {"deleted": True},
            {"memfd": True},
            {"truncated": ("args",)},
            {"unavailable": ("args",)},
            {"args": None},
            {"executable": None},
            {"origin": "replay"},
        ],
    )
    def test_what_cannot_be_judged(self, members):
        """An event that lacks something passes, and so does one of a file without a name."""
        prefilter = make_filter(Equals("process.name", ("x",)))
        assert not prefilter.accepts_event(make_exec())
        event = make_exec()
        of_process = {name: value for name, value in members.items() if name != "origin"}
        event = replace(event, process=replace(event.process, **of_process), origin=members.get("origin", "live"))
        assert prefilter.accepts_event(event)


class TestReport:
    """What each rule does to the filter."""

    @pytest.mark.parametrize(
        ("predicate", "kind"),
        [
            (Equals("process.name", ("docker",)), Kind.TEXT),
            (Equals("intent.privileged", (True,)), Kind.INTENT),
            (Or((Exists("intent.tool"), Equals("process.args", ("--privileged",)))), Kind.INTENT),
            (Equals("process.deleted", (True,)), Kind.TEXT),
            (Equals("process.memfd", ("false",)), Kind.ALL),
            (Equals("event_simpleName", ("UnixSocketConnect",)), Kind.NONE),
            (Equals("event.category", ("network",)), Kind.NONE),
            (Not(Equals("host.os.type", ("linux",))), Kind.NONE),
            (Equals("file.path", ("/etc/shadow",)), Kind.NONE),
            (Or(()), Kind.NONE),
            (Equals("event.category", ("process",)), Kind.ALL),
            (Not(Equals("process.name", ("docker",))), Kind.ALL),
            (Like("process.name", ("?",)), Kind.ALL),
            (Like("process.command_line", ("*é*",)), Kind.ALL),
            (Regex("process.args", ".*"), Kind.ALL),
            (Equals("user.name", ("root",)), Kind.ALL),
            (Not(Exists("intent.tool")), Kind.ALL),
            (Equals("process.args", ("",)), Kind.TEXT),
            (Equals("process.command_line", ("",)), Kind.ALL),
            (Regex("process.command_line", "\\s*", whole=True), Kind.ALL),
        ],
    )
    def test_kinds(self, predicate, kind):
        """By text, by intent, not at all, or everything."""
        assert kind == kind_of(predicate)

    def test_live_constants(self):
        """What is the same of every live exec is no part of a condition, whichever way it is asked for."""
        same = (
            Equals("event.type", ("start",)),
            Equals("host.os.type", ("LINUX",), ignore_case=True),
            Not(Equals("event.action", ("fork",))),
            Equals("event_platform", ("Lin",)),
        )
        report = make_filter(And((*same, Equals("user.name", ("root",))))).report
        assert 'user.name == "root"' == report.rules[0].part

    def test_everything(self):
        """One rule that needs nothing turns the filter off, and is named with the part that does it."""
        prefilter = make_filter(
            Equals("process.name", ("x",)),
            Or((Equals("process.name", ("docker",)), And((Exists("user.name"), Not(Exists("process.pid")))))),
        )
        assert (None, False) == (prefilter.encoded, prefilter.report.is_on)
        assert prefilter.accepts(b"/bin/any", b"any\0")
        first, second = prefilter.report.rules
        assert (Kind.TEXT, "") == (first.kind, first.part)
        assert (Kind.ALL, "r1", "r1.yml") == (second.kind, second.rule, second.path)
        assert "user.name != null and process.pid == null" == second.part
        assert "ask beside it for a name" in second.advice

    def test_no_rules(self):
        """Without a rule everything is held back."""
        prefilter = make_filter()
        assert (True, False) == (prefilter.report.is_on, prefilter.accepts(b"/bin/x", b"x\0"))

    def test_shortened(self):
        """The costliest rules are shortened first, and told."""
        long = Like("process.command_line", tuple(f"*{letter * 3}-long-text-{letter}*" for letter in "abcdefgh"))
        prefilter = make_filter(long, Equals("process.name", ("docker",)), state_budget=80)
        kinds = [report.kind for report in prefilter.report.rules]
        assert [Kind.SHORTENED, Kind.TEXT] == kinds
        assert prefilter.accepts(b"/bin/x", b"x\0ccc-long-text-c\0")
        assert not prefilter.accepts(b"/bin/x", b"x\0ccc-\0")

    def test_too_large(self):
        """Where not even short texts fit, the filter is off and the costliest rule is named."""
        large = Like("process.command_line", tuple(f"*{number:04}*" for number in range(40)))
        prefilter = make_filter(Equals("process.name", ("docker",)), large, state_budget=20)
        assert [Kind.TEXT, Kind.ALL] == [report.kind for report in prefilter.report.rules]
        assert "does not fit into 20 states" in prefilter.report.rules[1].advice

    def test_nested_too_deeply(self):
        """A tree that cannot be walked lets everything pass."""
        tree = Exists("user.name")
        for _ in range(3000):
            tree = And((tree, Always(True)))
        assert Kind.ALL == kind_of(tree)

    def test_size(self):
        """The figures are those of the automaton."""
        prefilter = make_filter(Equals("process.name", ("docker",)))
        report = prefilter.report
        assert report.table_bytes == report.states * 2 * 2 ** (report.classes - 1).bit_length()
        assert 10 == report.states  # start, accepted, 6 letters, behind a slash, behind the path


class TestMany:
    def test_a_thousand_rules(self):
        """A thousand rules of a few texts each are compiled, if only by less than their whole texts."""
        trees = [
            And(
                (
                    Like("process.executable", (f"*/tool{number % 90}",), ignore_case=True),
                    Like("CommandLine", (f"*--some-option{number}=*", f"*/var/lib/place{number}/x*"), ignore_case=True),
                )
            )
            for number in range(1000)
        ]
        prefilter = make_filter(*trees)
        assert prefilter.report.is_on
        assert prefilter.accepts(b"/usr/bin/tool1", b"tool1\0--some-option91=3\0")
        assert not prefilter.accepts(b"/usr/bin/ls", b"ls\0-la\0/var/lib\0")
