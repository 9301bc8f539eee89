"""The shipped rules on command lines as people and intruders type them; expectations are in data/commands.jsonl."""

import json
import posixpath
from pathlib import Path

import pytest

from agent.config import shipped_rules_dir
from agent.detect.index import build_index
from agent.detect.predicate import And, Equals, Not, Or, any_of, to_nnf
from agent.detect.requirement import required_keys, requires_intent
from agent.detect.rule import Severity
from agent.detect.ruleset import read_rules
from agent.ecs import parse_document
from agent.intent.facts import is_fact
from agent.intents import IntentReader
from agent.rule_files import load_rule_files
from tests.commands import REPOSITORY, SEEDS

CASES = [json.loads(line) for line in (REPOSITORY / "tests/data/commands.jsonl").read_text().splitlines()]
POSITIVE = [case for case in CASES if case["expect"]["alert"]]
NEGATIVE = [case for case in CASES if not case["expect"]["alert"]]
RULES = read_rules(load_rule_files([shipped_rules_dir()])).rules
PACK = build_index(RULES)
LEVELS = ["none", *(severity.label for severity in Severity)]
CONTAINER_ID = "c" * 64

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: Path(rule.path).name)


def each(cases):
    """A test for each case, under its id."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: case["id"])


def documents_of(case):
    """A case as events: the exec, and the connection that it makes."""
    document = {
        "event.id": case["id"],
        "event.category": ["process"],
        "event.type": ["start"],
        "event.action": "exec",
        "host.os.type": "linux",
        "process.executable": case["exe"],
        "process.name": posixpath.basename(case["exe"]),
        "process.args": case["argv"],
        "process.args_count": len(case["argv"]),
        "process.command_line": " ".join(case["argv"]),
        "process.working_directory": case["cwd"],
        "process.parent.executable": case["parent_exe"],
        "process.parent.name": posixpath.basename(case["parent_exe"]),
        "process.env_vars": [f"{name}={value}" for name, value in case.get("env", {}).items()],
        "user.id": str(case["uid"]),
        **({"container.id": case.get("container_id", CONTAINER_ID)} if case.get("in_container") else {}),
    }
    yield document
    if "connect" in case:
        connection = {"event.action": "connected-to", "event.category": ["network"]}
        yield {**document, **connection, "destination.address": case["connect"]}


def lay_out(case, root):
    """Write the files and links of a case below `root`."""
    for name, text in case.get("file_contents", {}).items():
        path = root / posixpath.join(case["cwd"], name).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, target in case.get("fs", {}).items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)


@pytest.fixture
def root_of(tmp_path_factory):
    """A directory with the files and links of a case; where it has none, a place with nothing below it."""

    def make(case):
        if not case.keys() & {"file_contents", "fs"}:
            return Path("/dev/null")
        root = tmp_path_factory.mktemp(case["id"])
        lay_out(case, root)
        return root

    return make


def matches_of(case, root, index=PACK):
    """What the rules say of a case: name, level and techniques of each match, by event."""
    reader = IntentReader(proc=Path("/dev/null"), root=root)
    for document in documents_of(case):
        event = reader.add_intent(parse_document(document))
        yield [(match.rule.name, match.severity.label, set(match.rule.techniques)) for match in index.match(event)]


class TestCases:
    """Every case on its own."""

    @each(POSITIVE)
    def test_positive(self, case, root_of):
        """What deserves an alert gets one of at least its severity, with one of its techniques."""
        expect = case["expect"]
        floor = LEVELS.index(expect["min_severity"])
        alerts = [
            (max(LEVELS.index(level) for _, level, _ in matches), set().union(*(ids for *_, ids in matches)))
            for matches in matches_of(case, root_of(case))
            if matches
        ]
        assert any(level >= floor and techniques & set(expect["technique"]) for level, techniques in alerts), alerts

    @each(NEGATIVE)
    def test_negative(self, case, root_of):
        """What is ordinary stays at or under its ceiling."""
        ceiling = LEVELS.index(case["expect"].get("max_severity") or "low")
        loud = [
            (name, level)
            for matches in matches_of(case, root_of(case))
            for name, level, _ in matches
            if LEVELS.index(level) > ceiling
        ]
        assert [] == loud


class TestSeeds:
    def test_nothing_is_given_up(self, root_of):
        """Wherever a seed rightly alerts, the pack does too."""
        seeds = build_index(read_rules(load_rule_files([SEEDS])).rules)
        both = [case for case in POSITIVE if any(matches_of(case, root_of(case), seeds))]
        missed = [case["id"] for case in both if not any(matches_of(case, root_of(case)))]
        assert len(both) > 50
        assert [] == missed


class TestShape:
    """What makes a rule cheap and true."""

    @each_rule
    def test_is_selective(self, rule):
        """It needs an intent, a literal of the command line, or a connection: none makes every exec a candidate."""
        whole = to_nnf(any_of(*(outcome.predicate for outcome in rule.outcomes)))
        of_connections = "UnixSocketConnect" in str(whole)
        assert required_keys(whole) or requires_intent(whole) or of_connections

    @each_rule
    def test_facts(self, rule):
        """The facts of an intent that it asks for are some that a reader tells."""
        asked = {value for test in comparisons_in(rule) if test.field == "intent.facts" for value in test.values}
        assert [] == [fact for fact in asked if not is_fact(fact)]

    @each_rule
    def test_tests(self, rule):
        """Its tests have two events that match, two that do not, and an evasion."""
        text = Path(rule.path.removesuffix(".yml") + ".tests.yml").read_text()
        silent = text.count("expect: none")
        assert text.count("expect: ") - silent >= 2
        assert silent >= 2
        assert "evasion:" in text

    @each_rule
    def test_advice(self, rule):
        """Its description says what to do about an alert."""
        assert "On an alert:" in rule.description

    @each_rule
    def test_table(self, rule):
        """The table of rules/README.md has it, with its severity and techniques."""
        table = (shipped_rules_dir() / "README.md").read_text()
        severity = rule.outcomes[0].severity.label
        row = f"({Path(rule.path).name}) | `{rule.id[:8]}` | {severity} | {', '.join(rule.techniques)} |"
        assert f"| [{rule.name}]{row}" in table


def comparisons_in(rule):
    """Every comparison with constants in a rule."""
    pending = [outcome.predicate for outcome in rule.outcomes]
    while pending:
        match pending.pop():
            case And(children) | Or(children):
                pending.extend(children)
            case Not(child):
                pending.append(child)
            case Equals() as test:
                yield test
