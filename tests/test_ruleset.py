"""Many rule files into one set."""

import pytest

from agent.detect.matcher import compile_predicate
from agent.detect.predicate import Regex
from agent.detect.rule import Outcome, Rule, Severity
from agent.detect.rule_file import RuleFile
from agent.detect.ruleset import read_rules, split_compilable
from tests.events import make_exec

SIGMA = """title: {title}
id: {id}
logsource: {{category: process_creation, product: linux}}
detection:
  s: {{Image|endswith: /docker}}
  condition: s
level: high
"""
FILTER = """title: quiet
id: 11111111-1111-4111-8111-111111111111
logsource: {{category: process_creation, product: linux}}
filter:
  rules: {rules}
  s: {{User: root}}
  condition: not s
"""
EXPAND = """title: expand
id: 22222222-2222-4222-8222-222222222222
logsource: {category: process_creation, product: linux}
detection:
  s: {User|expand: '%admins%'}
  condition: s
"""
TOML = b"""[rule]
name = 'T'
rule_id = 't'
type = 'eql'
language = 'eql'
severity = 'low'
query = 'process where true'
"""
A = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
B = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"


def sigma(path, id_, title="A rule"):
    """A Sigma file with one rule."""
    return RuleFile(path, SIGMA.format(id=id_, title=title).encode())


def read_text(path, text, **options):
    """Read one file given as text."""
    return read_rules([RuleFile(path, text.encode(), **options)])


class TestReaders:
    def test_the_ending_chooses_the_language(self):
        """Each language's files are read by its reader."""
        files = [
            sigma("a.yml", A),
            sigma("b.yaml", B),
            RuleFile("c.cql", b"FileName=docker"),
            RuleFile("d.eql", b'process where process.name == "docker"'),
            RuleFile("e.toml", TOML),
        ]
        result = read_rules(files)
        assert () == result.errors
        assert ["sigma", "sigma", "cql", "eql", "eql"] == [rule.language for rule in result.rules]

    @pytest.mark.parametrize("path", ["a.tests.yml", "README.md", "cql", "a.cql.bak", "x/a.tests.yml"])
    def test_other_files_are_left_out(self, path):
        """Tests and unknown endings are neither rules nor faults."""
        result = read_text(path, "{{{")
        assert ((), (), (), ()) == (result.rules, result.errors, result.warnings, result.skipped)

    @pytest.mark.parametrize(("data", "place"), [(b"a\nb\xff", (2, 2)), (b"\xff", (1, 1)), (b"\xc3\n", (1, 1))])
    def test_text_that_is_not_utf8(self, data, place):
        """Bytes that are no text are a fault with their place; other files are read."""
        result = read_rules([RuleFile("bad.cql", data), RuleFile("good.cql", b"FileName=a")])
        assert [("bad.cql", *place)] == [(error.path, error.line, error.column) for error in result.errors]
        assert ["good"] == [rule.id for rule in result.rules]

    def test_a_byte_order_mark_is_no_text(self):
        """The mark that some editors put first is dropped."""
        assert () == read_rules([RuleFile("a.cql", b"\xef\xbb\xbfFileName=a")]).errors

    def test_every_fault_of_every_file(self):
        """One run shows all there is to mend, and what is right is kept."""
        files = [
            RuleFile("a.cql", b"FileName=/(/ | UID > x"),
            RuleFile("b.yml", b"title: x"),
            RuleFile("c.cql", b"UID=0"),
        ]
        result = read_rules(files)
        assert {"a.cql", "b.yml"} == {error.path for error in result.errors}
        assert 2 == sum(error.path == "a.cql" for error in result.errors)
        assert ["c"] == [rule.id for rule in result.rules]

    def test_unknown_fields_of_shipped_and_own_files(self):
        """An unknown field is an error in a shipped rule and a warning in a user's."""
        own, shipped = (read_text("a.cql", "Nonsense=a", shipped=flag) for flag in (False, True))
        assert (0, 1, 1, 0) == (len(own.errors), len(own.warnings), len(shipped.errors), len(shipped.warnings))


class TestIdentity:
    def test_the_second_of_two_equal_ids_is_dropped(self):
        """A taken id is a fault of the later rule, and names both places."""
        result = read_rules([sigma("a.yml", A), sigma("b.yml", A)])
        assert ["a.yml"] == [rule.path for rule in result.rules]
        (error,) = result.errors
        assert ("b.yml", 1, True) == (error.path, error.line, f"'{A}' is already taken by a.yml:1" in error.message)


class TestFilters:
    @pytest.mark.parametrize(
        ("named", "expected"),
        [(f"[{A}]", {A}), ("[Second]", {B}), (f"[{A.upper()}, second]", {A, B}), ("any", {A, B})],
    )
    def test_go_to_the_rules_that_they_name(self, named, expected):
        """A filter is found at the rules it names by id or title, or at all."""
        files = [
            RuleFile("f.yml", FILTER.format(rules=named).encode()),
            sigma("a.yml", A, "First"),
            sigma("b.yml", B, "Second"),
        ]
        result = read_rules(files)
        assert ((), ()) == (result.errors, result.warnings)
        assert expected == {rule.id for rule in result.rules if rule.filters}
        assert ["quiet"] == [item.name for item in result.filters]

    def test_a_rule_that_does_not_exist(self):
        """A filter for nothing is a warning with its place."""
        text = FILTER.format(rules="[Nobody]")
        expected = ("f.yml:1: filter 'quiet' names the rule 'Nobody', which does not exist.",)
        assert expected == read_text("f.yml", text).warnings


class TestPlaceholders:
    def test_are_handed_to_sigma(self):
        """What a placeholder file defines stands in every rule; the last definition counts."""
        files = [
            RuleFile("rules/expand.yml", EXPAND.encode()),
            RuleFile("rules/placeholders.yml", b"admins: [nobody]"),
            RuleFile("mine/placeholders.yml", b"admins: [adm, root]"),
        ]
        result = read_rules(files)
        assert () == result.errors
        holds = compile_predicate(result.rules[0].outcomes[0].predicate)
        assert [True, False] == [holds(make_exec(user_name=name)) for name in ("root", "nobody")]

    @pytest.mark.parametrize(
        ("text", "place"),
        [("- a", (1, 1)), ("a: [x]\nb: {c: d}", (2, 1)), ("a: []", (1, 1)), ("a:", (1, 1)), ("a: [", (2, 1))],
    )
    def test_faults(self, text, place):
        """A placeholder without values is a fault with its place."""
        assert [place] == [(error.line, error.column) for error in read_text("placeholders.yml", text).errors]


class TestCompilable:
    def test_a_rule_that_the_matcher_cannot_take_stops_no_other(self):
        """It is set apart, with its place."""
        good, bad = (
            Rule(
                id=name,
                name=name,
                language="sigma",
                path="rules.yml",
                line=7,
                outcomes=(Outcome(Severity.LOW, Regex("process.name", pattern)),),
            )
            for name, pattern in (("good", "a"), ("bad", "("))
        )
        usable, (error,) = split_compilable([bad, good])
        assert [good] == usable
        assert "rules.yml:7: 'bad' cannot be used" in str(error)
