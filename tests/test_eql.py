"""Elastic EQL: bare queries, conditions, and Elastic's rule files."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.elastic_toml import read_elastic_toml
from agent.detect.eql import parse_expression, read_eql
from agent.detect.eql_syntax import LONGEST_QUERY
from agent.detect.matcher import compile_predicate
from agent.detect.predicate import Always, And, Cidr, Compare, Equals, Exists, Holds, Like, Not, Or, Regex
from agent.detect.rule import Severity
from agent.ecs import parse_document
from agent.errors import RuleError
from tests.events import make_connect, make_exec

HERE = Path(__file__).parent
SEEDS = HERE.parent / "rules" / "seeds"
CASES = [json.loads(line) for line in (HERE / "data" / "eql.jsonl").read_text().splitlines()]
SEED = """process where host.os.type == "linux" and event.type == "start" and event.action ACTION and
(
(
process.name in ("ctr", "crictl", "nerdctl") and
(
(process.args == "tasks" and process.args == "exec") or
(process.args == "run" and process.args in ("--privileged", "--rm", "--mount", "--net-host", "--pid-host")) or
(process.args == "snapshots" and process.args == "mount")
)
) or
(
(process.executable like ("/dev/shm/*", "/tmp/*", "/var/tmp/*") or process.name : ".*") and
process.args like ("*containerd.sock*", NAMESPACE)
)
) and
not process.parent.executable in (
"/usr/bin/kubelet", "/usr/local/bin/kubelet",
"/usr/bin/containerd", "/usr/sbin/containerd",
"/lib/systemd/systemd", "/usr/lib/systemd/systemd", "/sbin/init"
)
"""
SEED_A = SEED.replace("ACTION", 'in ("exec", "executed")').replace("NAMESPACE", '"k8s.io"')
SEED_B = SEED.replace("ACTION", '== "exec"').replace("NAMESPACE", '"*k8s.io*"')
VOCABULARY = (
    *"process where and or not in like~ regex ~ : == != < ( ) , - + / % ? null true 1 .5 1e9 user.id ?x.y".split(),
    *'process.pid `a` length startsWith cidrMatch number concat | [ sequence // /* */ "a*" """\\""" "\\q" "&"'.split(),
    "\n",
)
FORMS = {
    "rule_A_linux": (
        lambda: read_eql(SEED_A, "a.eql"),
        lambda: read_elastic_toml(
            (SEEDS / "seed_runtime_cli_arguments_elastic.toml").read_text(), "a.toml", shipped=True
        ),
    ),
    "rule_B_d4c": (
        lambda: read_eql(SEED_B, "b.eql"),
        lambda: read_eql((SEEDS / "seed_runtime_cli_arguments_exec.eql").read_text(), "b.eql", shipped=True),
    ),
}


def read_rule(result):
    """The one rule of a result without fault or warning."""
    assert ((), ()) == (result.errors, result.warnings)
    return result.rules[0]


def holds(condition, event=None, **members):
    """Whether a condition holds for an event."""
    return compile_predicate(parse_expression(condition))(event or make_exec(**members))


def faults_of(result):
    """Place and message of each fault."""
    return [(error.line, error.column, error.message) for error in result.errors]


class TestSeeds:
    @pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
    @pytest.mark.parametrize("seed", FORMS)
    @pytest.mark.parametrize("form", [0, 1], ids=["as it is published", "in our layout"])
    def test_case(self, case, seed, form):
        """Each form of both published rules answers every known event."""
        rule = read_rule(FORMS[seed][form]())
        event = parse_document(case["event"])
        assert case["expect"][seed] == compile_predicate(rule.outcomes[0].predicate)(event)

    @pytest.mark.parametrize("seed", FORMS)
    def test_forms_agree(self, seed):
        """The published text and our layout agree on events made of the rules' own words."""
        published, ours = (compile_predicate(read_rule(form()).outcomes[0].predicate) for form in FORMS[seed])
        words = ["ctr", "run", "tasks", "exec", "--rm", "k8s.io", "registry.k8s.io/pause", "snapshots", "mount", "x"]
        paths = ["/usr/bin/ctr", "/tmp/nerdctl", "/opt/.x", "/dev/shm/x", "/usr/bin/kubelet", "/sbin/init"]
        fields = make_exec().fields
        events = [
            make_exec(path, [first, second], parent=parent, fields={**fields, "event.action": action})
            for path in paths
            for parent in paths[-3:]
            for first in words
            for second in words
            for action in ("exec", "executed", "fork")
        ]
        answers = [published(event) for event in events]
        assert answers == [ours(event) for event in events]
        assert {True, False} == set(answers)


class TestCategory:
    def test_category(self):
        """A category is one of the event's, `any` asks for none."""
        process = compile_predicate(read_rule(read_eql("process where true", "r.eql")).outcomes[0].predicate)
        network = compile_predicate(read_rule(read_eql('"network" where true', "r.eql")).outcomes[0].predicate)
        every = compile_predicate(read_rule(read_eql("any where true", "r.eql")).outcomes[0].predicate)
        assert [True, False, True] == [test(make_exec()) for test in (process, network, every)]
        assert [False, True, True] == [test(make_connect()) for test in (process, network, every)]

    def test_unseen_category(self):
        """A category that no sensor reports is told, not refused."""
        result = read_eql("file where true", "r.eql")
        assert ("r.eql: no sensor reports 'file' events; only replay can match this rule",) == result.warnings
        assert 1 == len(result.rules)

    @pytest.mark.parametrize("word", ["sequence", "sample", "join"])
    def test_several_events(self, word):
        """What joins several events is refused by its name, where it stands."""
        text = f"// a comment\n  {word} by host.id\n [process where true]\n [network where true]"
        ((line, column, message),) = faults_of(read_eql(text, "r.eql"))
        assert (2, 3) == (line, column)
        assert repr(word) in message

    def test_pipe(self):
        """Pipes are refused by name, where they stand."""
        ((line, column, message),) = faults_of(read_eql("process where true\n| head 5", "r.eql"))
        assert (2, 1) == (line, column)
        assert message.startswith("pipes are not supported")


class TestOperators:
    @pytest.mark.parametrize(
        ("expected", "condition"),
        [
            (True, 'process.name == "Docker"'),
            (False, 'process.name == "docker"'),
            (False, 'process.name == "D*"'),
            (True, 'process.name : "docker"'),
            (True, 'process.name : ("x", "d?CKER")'),
            (False, 'process.name : "ocker"'),
            (True, 'process.name like "D*r"'),
            (False, 'process.name like "d*r"'),
            (True, 'process.name like~ ("d*r")'),
            (True, 'process.name in ("x", "Docker")'),
            (False, 'process.name in ("docker")'),
            (True, 'process.name in~ ("docker")'),
            (False, 'process.name in~ ("d*")'),
            (True, 'process.name not in~ ("d*")'),
            (True, 'process.name regex "D.*r"'),
            (False, 'process.name regex "ocke"'),
            (False, 'process.name regex "docker"'),
            (True, 'process.name regex~ ("x", "do[a-d]ker")'),
            (True, '"Docker" == process.name'),
            (True, 'process.name < "E"'),
            (True, '"E" > process.name'),
            (True, "process.pid == 4242 and process.pid >= 4242 and not process.pid > 4242"),
            (True, 'process.pid == "4242" and process.pid > "99"'),
            (True, "user.id == 0 and user.id < 1000"),
            (False, "process.pid != 4242"),
            (True, "process.deleted == false and not process.memfd"),
            (True, 'process.parent.name ==~ "BASH"'),
            (True, "process.name != process.parent.name"),
        ],
    )
    def test_case_and_extent(self, expected, condition):
        """Each operator has its own case rule, and all compare the whole value."""
        assert expected == holds(condition, executable="/usr/bin/Docker")

    @pytest.mark.parametrize(
        ("expected", "condition"),
        [
            (True, 'process.args == "run" and process.args in ("--privileged")'),
            (False, 'process.args == "run --privileged"'),
            (True, 'process.args != "exec"'),
            (False, 'process.args != "run"'),
            (True, "length(process.args) > 5 and length(process.args) < 5"),
            (True, 'endsWith(process.args, "leged")'),
            (True, 'substring(process.args, 2) == "privileged"'),
            (True, 'concat(process.args, "-", process.args) == "run-ctr"'),
        ],
    )
    def test_arrays(self, expected, condition):
        """Any element satisfies a test, each test on its own; a negated test wants none."""
        assert expected == holds(condition, args=["ctr", "run", "--privileged"])

    @pytest.mark.parametrize(
        ("expected", "condition"),
        [
            (False, 'container.id == "a"'),
            (True, 'container.id != "a"'),
            (True, 'not container.id : "a*"'),
            (True, 'container.id not in ("a")'),
            (True, "container.id == null"),
            (False, "null != container.id"),
            (True, "process.name != null"),
            (True, '?nowhere.known == null and ?nowhere.known != "x"'),
            (False, "length(container.id) >= 0"),
            (True, "length(container.id) == null and length(process.name) != null"),
            (False, "length(null) > 0 or null == 3 or null > 3"),
            (True, "null == null"),
            (False, 'startsWith(container.id, "") or container.id < "z"'),
        ],
    )
    def test_missing(self, expected, condition):
        """A missing field makes a test false and its negation true; null asks for that."""
        assert expected == holds(condition)

    @pytest.mark.parametrize(
        ("expected", "condition"),
        [
            (True, "true or false and false"),
            (False, "not true or false"),
            (True, 'not process.name == "x" and true'),
            (True, "(true or false) and not (false or false)"),
            (True, "1 + 2 * 3 == 7 and (1 + 2) * 3 == 9"),
            (True, "process.args_count - 1 == 1 and -process.args_count == -2 and 7 % 4 == 3"),
            (True, "4 / 3 == 1 and 4.0 / 3 > 1.3"),
            (True, '(process.name == "docker") == true and (process.name == "x") != true'),
            (True, 'stringContains(process.name, "ock") == true and startswith~(process.name, "DO") != false'),
            (True, 'number("0x10", null) == 16 and string(process.pid) : "42*"'),
            (True, 'between(process.executable, "/usr/", "/") == "bin" and indexOf(process.name, "c") == 2'),
            (True, 'wildcard(process.name, "x", "d*") and match(process.name, "d.c.+")'),
            (True, 'substring(process.name, 1) like ("oc*", "x") and substring(process.name, 0, 3) in ("doc")'),
            (True, 'concat(process.name, 1) regex~ "DOCKER[0-9]"'),
        ],
    )
    def test_logic_and_values(self, expected, condition):
        """Precedence, arithmetic and functions mean what the reference says."""
        assert expected == holds(condition)


class TestNodes:
    @pytest.mark.parametrize(
        ("expected", "condition"),
        [
            (Equals("a", ("x",)), 'a == "x"'),
            (Not(Equals("a", ("x", 1))), 'a not in ("x", 1)'),
            (Equals("a", ("x",), True), 'a : "x"'),
            (Or((Equals("a", ("x",), True), Like("a", ("y*",), True))), 'a : ("x", "y*")'),
            (Like("a", ("c:\\\\*",)), 'a like "c:\\\\*"'),
            (Like("a", ("x\\**",)), 'startsWith(a, "x*")'),
            (Like("a", ("*x",), True), 'endsWith~(a, "x")'),
            (Equals("a", ("a.b",)), 'a regex """a\\.b"""'),
            (Regex("a", "(?s)a.b", True), 'a regex "a.b"'),
            (Cidr("a", ("10.0.0.0/8",)), 'cidrMatch(a, "10.0.0.0/8")'),
            (Exists("a"), "a != null"),
            (Equals("process.memfd", (True,)), "process.memfd"),
            (Equals("process.command_line", ("x",)), 'CommandLine == "x"'),
            (Equals("a b.c`d.@e", ("x",)), '`a b`.`c``d`.@e == "x"'),
            (And((Exists("a"), Exists("b"), Exists("c"))), "(a != null and b != null) and c != null"),
            (Always(True), "not not true"),
        ],
    )
    def test_node(self, expected, condition):
        """A test of a field against constants is a node that can be indexed."""
        assert expected == parse_expression(condition)

    def test_expression(self):
        """What is computed stays an expression."""
        assert isinstance(parse_expression("length(a) == 1"), Compare)
        assert isinstance(parse_expression("startsWith(a, b)"), Holds)


class TestStrings:
    @pytest.mark.parametrize(
        ("expected", "written"),
        [
            ("", '""'),
            ('a\n\r\t\\"b', r'"a\n\r\t\\\"b"'),
            ("\u200f\u200f\U0001f40b", r'"\u{200f}\u{0000200F}\u{1f40b}"'),
            ('a\\n"b', '"""a\\n"b"""'),
            ('"x"', '""""x""""'),
            ("", '""""""'),
            ("a // b /* c */", '"a // b /* c */"'),
        ],
    )
    def test_value(self, expected, written):
        """Escapes, and raw text that has none."""
        assert Equals("a", (expected,)) == parse_expression(f"a == {written} // comment\n /* and\n another */")

    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            (r'"\q"', "unknown escape"),
            (r'"\u{1}"', "2 to 8 hexadecimal digits"),
            (r'"\u{d800}"', "no Unicode character"),
            (r'"\u{110000}"', "no Unicode character"),
            (r'"\u0041"', "2 to 8 hexadecimal digits"),
            ("'x'", "double quotes"),
            ('?"x"', "three double quotes"),
            ('"x', "not closed"),
            ('"x\n"', "not closed"),
        ],
    )
    def test_fault(self, written, expected):
        """Text that means nothing is refused where it starts, and says how it is written."""
        with pytest.raises(RuleError, match=re.escape(expected)) as caught:
            parse_expression(f"a == {written}")
        assert (1, 6) == (caught.value.line, caught.value.column)


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "line", "column", "expected"),
        [
            ("", 1, 1, "the query ends, expected an event category such as process, or any"),
            ("process\n", 1, 8, "the query ends, expected 'where'"),
            ("process where\n  // nothing", 2, 13, "the query ends, expected a condition"),
            ("process where a = 1", 1, 17, "'=' is no operator, expected == or :"),
            ("process where a ==", 1, 19, "the query ends, expected a field, a function or a value"),
            ("process where (a == 1\n", 1, 22, "the query ends, expected ')'"),
            ("process where a in b", 1, 20, "unexpected 'b', expected '('"),
            ('process where a in ("x" "y")', 1, 25, "unexpected '\"y\"', expected ')' or ','"),
            ('process where a[0] == "x"', 1, 16, "'[' belongs to sequences"),
            ("process where a == 1 == 2", 1, 22, "unexpected '==', expected 'and', 'or' or the end"),
            ("process where /* a", 1, 15, "a comment is not closed by */"),
            ("process where \0", 1, 15, "the character '\\x00' means nothing here"),
            ("process where frob(1)", 1, 15, "unknown function 'frob'"),
            ("process where length(1, 2) > 3", 1, 15, "length takes 1 argument, not 2"),
            ("process where string~(1) == 2", 1, 15, "string has no form that ignores case"),
            ("process where length(user.id)", 1, 15, "length gives a value, not a condition"),
            ('process where "x"', 1, 15, "a condition is expected here, not a text"),
            ('process where process.pid > "x"', 1, 29, "'process.pid' is a field of numbers"),
            ('process where cidrMatch(user.id, "x")', 1, 15, "cidrMatch cannot be used so: 'x'"),
            ("process where process.name like 5", 1, 33, "like compares texts, not a number"),
            ("process where process.name in (null)", 1, 32, "null is no value to compare with here"),
            ("process where (user.id == 1) > 2", 1, 16, "a condition is compared with == or !="),
            ("process where 1e999 == 1", 1, 15, "the number is too large"),
            ("process where " + "not " * 70 + "true", 1, 275, "the query is nested deeper than 64 levels"),
            ('"\\q" where true', 1, 1, "unknown escape"),
            ("// severity: huge\nprocess where true", 1, 4, "severity 'huge' is not one of"),
            ("x" * (LONGEST_QUERY + 1), 1, 1, "the query is longer than"),
        ],
    )
    def test_place(self, text, line, column, expected):
        """A fault has line, column and what was expected in words."""
        result = read_eql(text, "r.eql")
        (fault,) = result.errors
        assert (line, column, expected) == (fault.line, fault.column, fault.message[: len(expected)])
        assert ("r.eql", ()) == (fault.path, result.rules)

    def test_all_faults(self):
        """One reading shows every fault of meaning, each with its line."""
        text = 'process where\n frob(1) or\n process.name regex "(" or\n length(1)'
        assert [2, 3, 4] == [line for line, _, _ in faults_of(read_eql(text, "r.eql"))]

    def test_offending_line(self):
        """The line at fault is shown."""
        (fault,) = read_eql('process where\n   process.name = "x"', "r.eql").errors
        assert "r.eql:2:17: '=' is no operator, expected == or : [process.name = \"x\"]" == str(fault)

    def test_unknown_field(self):
        """A field that no table has is an error in a shipped rule, a warning in a user's, nothing if optional."""
        text = "process where frob.name == null and ?frob.name == null"
        assert [(1, 15)] == [fault[:2] for fault in faults_of(read_eql(text, "r.eql", shipped=True))]
        (warning,) = read_eql(text, "r.eql").warnings
        assert warning.startswith("r.eql:1:15: unknown field 'frob.name'")

    def test_long_nesting_of_parentheses(self):
        """Parentheses alone add no depth."""
        assert Always(True) == parse_expression("(" * 5000 + "true" + ")" * 5000)

    @settings(max_examples=100, deadline=None)
    @given(st.text())
    def test_any_text(self, text):
        """Any text gives a rule, or faults with a place."""
        for result in (
            read_eql(text, "r.eql"),
            read_eql(f"any where {text}", "r.eql"),
            read_elastic_toml(text, "r.toml"),
        ):
            assert bool(result.rules) != bool(result.errors)
            assert all(error.line for error in result.errors)

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.sampled_from(VOCABULARY),
            max_size=12,
        ).map(" ".join)
    )
    def test_any_words(self, text):
        """Any words of the language give a rule, or faults with a place."""
        for result in (read_eql(text, "r.eql"), read_eql(f"any where process.name == {text}", "r.eql")):
            assert bool(result.rules) != bool(result.errors)
            assert all(error.line for error in result.errors)
            for rule in result.rules:
                compile_predicate(rule.outcomes[0].predicate)(make_exec())


class TestBareQuery:
    def test_defaults(self):
        """A query alone has the name of its file and medium severity."""
        rule = read_rule(read_eql("\ufeffprocess where true\r\n", "/rules/odd name.eql"))
        assert ("odd name", "odd name", Severity.MEDIUM) == (rule.id, rule.name, rule.severity)

    def test_header(self):
        """Comment lines above the query say more."""
        text = "// name: A name\n// id: a-1\n// severity: critical\n// techniques: T1610, T1611\nprocess where true"
        rule = read_rule(read_eql(text, "r.eql"))
        assert ("a-1", "A name", Severity.CRITICAL, ("T1610", "T1611")) == (
            rule.id,
            rule.name,
            rule.severity,
            rule.techniques,
        )
