"""LogScale CQL queries as rules."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.cql import read_cql
from agent.detect.cql_flow import FREE_TEXT_FIELDS
from agent.detect.cql_syntax import LONGEST_TEXT
from agent.detect.fields import FIELDS
from agent.detect.matcher import compile_predicate
from agent.detect.predicate import And, Equals, Like, Not, Or, Regex, fields_of
from agent.detect.rule import Severity
from agent.ecs import parse_document
from tests.events import make_exec

HERE = Path(__file__).parent
SEED = """#event_simpleName=ProcessRollup2
| ImageFileName = /docker|kubectl|crictl|podman|nsenter|runc/i
| case {
    CommandHistory = /--privileged|nsenter.*pid.*1/i | RiskLevel := "Critical";
    CommandHistory = /--pid=host|--cap-add=SYS_ADMIN|--net=host/i | RiskLevel := "High";
    CommandHistory = /exec|run.*-it/i | RiskLevel := "Medium";
    * | RiskLevel := "Low"
  }
| where RiskLevel in ("Critical", "High", "Medium")
| table([@timestamp, UserName, ComputerName, ImageFileName, CommandHistory, RiskLevel])
"""
CASES = [json.loads(line) for line in (HERE / "data" / "cql.jsonl").read_text().splitlines()]


def read_rule(text):
    """Read a query that has no fault and no warning."""
    result = read_cql(text, "q.cql", shipped=True)
    assert ((), ()) == (result.errors, result.warnings)
    return result.rules[0]


def severity_of(rule, event):
    """The label of the first outcome that holds, or "dropped"."""
    held = (outcome.severity.label for outcome in rule.outcomes if compile_predicate(outcome.predicate)(event))
    return next(held, "dropped")


def matches(query, event=None, **members):
    """Whether a query takes an event."""
    return severity_of(read_rule(query), event or make_exec(**members)) != "dropped"


def faults_of(text, **options):
    """Place and message of each fault of a text."""
    return [(error.line, error.column, error.message) for error in read_cql(text, "q.cql", **options).errors]


class TestSeed:
    @pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
    @pytest.mark.parametrize("source", ["as it is published", "in our layout"])
    def test_every_case(self, case, source):
        """The published query and ours answer every case as LogScale does."""
        ours = (HERE.parent / "rules" / "seeds" / "seed_deploy_container.cql").read_text()
        rule = read_rule(SEED if source == "as it is published" else ours)
        assert case["expect"].lower() == severity_of(rule, parse_document(case["event"]))

    def test_summary(self):
        """The fields of the table are the summary, as they are written."""
        expected = ("@timestamp", "UserName", "ComputerName", "ImageFileName", "CommandHistory", "RiskLevel")
        assert expected == read_rule(SEED).summary_fields

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.sampled_from(["--privileged", "nsenter", "pid", "1", "--net=host", "exec", "run", "-it", "\n", "x"]),
            max_size=6,
        ).map(" ".join)
    )
    def test_outcomes_exclude_each_other(self, command_line):
        """At most one outcome of a case holds, so that their order does not matter."""
        event = make_exec(command_line=command_line)
        assert sum(compile_predicate(outcome.predicate)(event) for outcome in read_rule(SEED).outcomes) <= 1


class TestComparisons:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("FileName=docker", True),
            ("FileName=Docker", False),
            ("FileName=dock", False),
            ("FileName=d*r", True),
            ('FileName="doc*"', True),
            ("FileName=d?cker", False),
            ("FileName!=docker", False),
            ("FileName!=podman", True),
            ("FileName=*", True),
            ("FileName like cke", True),
            ("FileName like CKE", False),
            ("FileName=/CKE/", False),
            ("FileName=/CKE/i", True),
            ("FileName=/^cke/", False),
            (r"ImageFileName=/\/usr\/bin\//", True),
            ('"FileName"="docker"', True),
            ("process.name=docker", True),
            ("process.args=ps", True),
            ("UID=0", True),
            ("UID<1", True),
            ("UID>=1", False),
            ('UID<="0"', True),
            ("TargetProcessId=4242", True),
            ("TargetProcessId>4242", False),
            ("TargetProcessId==4242", True),
            ("event_platform=Lin #event_simpleName=ProcessRollup2", True),
            ("event_platform=Win", False),
        ],
    )
    def test_one_comparison(self, query, expected):
        """A value is compared whole and with its case, a regular expression is searched for."""
        assert expected == matches(query)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("container.id=x", False),
            ("container.id!=x", True),
            ("container.id=*", False),
            ("container.id!=*", True),
            ("not container.id=*", True),
            ("process.args_count>0", True),
            ("process.parent.pid<0", False),
            ('in(container.id, values=["*"])', False),
        ],
    )
    def test_missing_field(self, query, expected):
        """A test of a field that the event lacks fails, but for !=."""
        assert expected == matches(query)

    @pytest.mark.parametrize(("flags", "expected"), [("", False), ("d", True), ("g", False), ("di", True)])
    def test_dot_and_line_ends(self, flags, expected):
        """A dot stops at a line end unless flag d is set."""
        assert expected == matches(f"CommandLine=/a.b/{flags}", command_line="a\nb")

    @pytest.mark.parametrize(("flags", "expected"), [("", False), ("m", True)])
    def test_anchors_and_lines(self, flags, expected):
        """With flag m the anchors mean a line."""
        assert expected == matches(f"CommandLine=/^b/{flags}", command_line="a\nb")

    def test_quoted_text_has_escapes(self):
        """In quotes a backslash makes quotes, line ends and itself; before anything else it stays."""
        query = r'CommandLine="say \"hi\"\n\\ \d"'
        assert matches(query, command_line='say "hi"\n\\ \\d')

    def test_falcon_and_ecs_names_are_one(self):
        """Both of Falcon's names for the command line read the same field."""
        predicates = {str(read_rule(f"{name}=x").outcomes) for name in ("CommandLine", "CommandHistory")}
        assert {str(read_rule("process.command_line=x").outcomes)} == predicates


class TestLogic:
    A, B, C = (Equals("process.name", (name,)) for name in "abc")

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("FileName=a and FileName=b", And((A, B))),
            ("FileName=a FileName=b", And((A, B))),
            ("FileName=a | FileName=b", And((A, B))),
            ("FileName=a AND FileName=b OR FileName=c", And((A, Or((B, C))))),
            ("FileName=a Or FileName=b FileName=c", And((Or((A, B)), C))),
            ("FileName=a or (FileName=b FileName=c)", Or((A, And((B, C))))),
            ("not FileName=a or FileName=b", Or((Not(A), B))),
            ("!(FileName=a or FileName=b)", Not(Or((A, B)))),
            ("! not FileName=a", A),
            ("* FileName=a", A),
            ("true FileName=a", A),
            ("| FileName=a // end\n/* | FileName=b\n*/ | FileName=c", And((A, C))),
            ('where FileName in ("a", "b")', Equals("process.name", ("a", "b"))),
            ("where FileName not in (a, b)", Not(Equals("process.name", ("a", "b")))),
            ("where FileName = a", A),
            ("#FileName=a", A),
        ],
    )
    def test_tree(self, query, expected):
        """`or` binds tighter than `and`, written or implied, and a pipe is an `and`."""
        assert expected == read_rule(query).outcomes[0].predicate


class TestFreeText:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ('"run --rm"', True),
            ("RUN", False),
            ("/RUN/i", True),
            ("r*rm", True),
            ("bash", True),
            ("nowhere", False),
            ("not nowhere", True),
            ("root bash", True),
            ('regex("R.N", flags="i")', True),
            ("wildcard(RUN, ignoreCase=true)", True),
        ],
    )
    def test_is_looked_for_in_every_text(self, query, expected):
        """Free text is found in part of any of the event's texts, with its case."""
        assert expected == matches(query, args=("docker", "run", "--rm"))

    def test_fields(self):
        """What is searched are texts that the agent has and Falcon's events have too."""
        expected = Or(tuple(Like(name, ("*x*",)) for name in FREE_TEXT_FIELDS))
        assert expected == read_rule("x").outcomes[0].predicate
        assert {"process.command_line", "process.executable", "user.name"} < set(FREE_TEXT_FIELDS) <= FIELDS.keys()


class TestFunctions:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ('in(FileName, values=["podman", "doc*"])', True),
            ('in(field="FileName", values=[docker])', True),
            ('in(FileName, values=["DOCKER"])', False),
            ('in(FileName, values=["DOCKER"], ignoreCase=true)', True),
            ('!in(FileName, values=["docker"])', False),
            ('FileName =~ in(values=["docker"])', True),
            ('regex("^doc", field=FileName)', True),
            ('regex("^nope", field=FileName, strict=false)', True),
            ('regex(regex="^DOC", field=FileName, flags="i")', True),
            ('wildcard(field=FileName, pattern="DOCK*", ignoreCase=true)', True),
            ('wildcard(field=FileName, pattern="DOCK", ignoreCase=true)', False),
            ('test(FileName == "docker")', True),
            ('test(FileName == "doc*")', False),
            ('test(FileName != "docker")', False),
            ("test(FileName == FileName)", True),
            ("test(FileName == UserName)", False),
            ("test(UID == 0)", True),
            ("test(UID > 0)", False),
        ],
    )
    def test_filters_of_one_event(self, query, expected):
        """The functions that filter single events do so."""
        assert expected == matches(query)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ('cidr(source.ip, subnet="10.0.0.0/8")', True),
            ('cidr(source.ip, subnet=["192.168.0.0/16", "fe80::/10"])', False),
            ('cidr(source.ip, subnet=["192.168.0.0/16"], negate=true)', True),
        ],
    )
    def test_networks(self, query, expected):
        """An address is in a network or not."""
        rule = read_cql(query, "q.cql").rules[0]
        assert expected == (severity_of(rule, make_exec(fields={"source.ip": "10.1.2.3"})) == "medium")

    @pytest.mark.parametrize(
        ("query", "column", "message"),
        [
            ("* | groupBy([x], function=[count()])", 5, "'groupBy' works on many events at once"),
            ("* | groupBy([x], function={ y | count() })", 5, "'groupBy' works on many events at once"),
            ("* | sort(x, limit=5)", 5, "'sort' works on many events at once"),
            ("* | x := lower(y)", 10, "function 'lower' is not supported, expected one of cidr, in, regex"),
            ("* | $saved()", 5, "function '$saved' is not supported"),
            ("x match { a => b }", 9, "'match {...}' is not supported, expected 'case {...}'"),
            ("if(x) { y }", 1, "function 'if' is not supported"),
            ('in(FileName, valeus=["x"])', 1, "'in' has no argument 'valeus', expected field, values, ignorecase"),
            ("in(FileName)", 1, "'in' needs the argument 'values', a list of texts"),
            ('cidr(UserName, subnet="x")', 23, "not a network"),
            ("test(UID+1 == 0)", 6, "arithmetic is not supported"),
            ("in(FileName, values=[lower(x)])", 22, "function 'lower' is not supported"),
            ('wildcard(x, ignoreCase="perhaps")', 24, "'ignorecase' is true or false"),
        ],
    )
    def test_others_are_refused_by_name(self, query, column, message):
        """What we cannot do is named with its place and what could stand there."""
        ((line, at, said),) = faults_of(query)
        assert (1, column) == (line, at)
        assert said.startswith(message)


class TestCases:
    def levels(self, text):
        """Severities of a query's outcomes."""
        return [outcome.severity for outcome in read_rule(text).outcomes]

    def test_first_clause_wins_even_when_dropped_later(self):
        """A clause whose mark is filtered out still keeps its events from later clauses."""
        query = 'case { FileName=docker | x := "no"; UID=0 | x := "yes" } | x = "yes"'
        assert not matches(query)
        assert matches(query, executable="/usr/bin/podman")

    def test_no_clause_no_event(self):
        """An event that no clause takes is dropped."""
        assert not matches("case { FileName=podman; FileName=crictl }")

    def test_a_clause_that_filters_after_its_mark_lets_the_next_try(self):
        """A clause takes an event only when its whole pipeline does."""
        query = 'case { FileName=docker | RiskLevel := "high" | UID=1; * | RiskLevel := "low" }'
        assert "low" == severity_of(read_rule(query), make_exec())

    def test_nested(self):
        """A clause may hold a case of its own, whose ways all count as the outer clause's."""
        query = (
            'case { FileName=docker | case { UID=0 | severity := "critical"; UID=1 | severity := "high" };'
            ' * | severity := "low" }'
        )
        rule = read_rule(query)
        got = [severity_of(rule, make_exec(uid=uid)) for uid in (0, 1, 2)]
        assert ["critical", "high", "low"] == got

    def test_several_marks_and_several_cases(self):
        """Marks last until a later one; cases follow each other."""
        query = (
            'kind := "a" | case { UID=0 | kind := "b" | RiskLevel := "low"; * | RiskLevel := "low" }'
            ' | case { kind="b" | RiskLevel := "CRITICAL"; * }'
        )
        assert [Severity.CRITICAL, Severity.LOW] == self.levels(query)

    @pytest.mark.parametrize(
        ("test", "expected"),
        [
            ('in(w, values=["7", "8"])', True),
            ("w > 6", True),
            ("w < 6", False),
            ("w = /7/", True),
            ("w != 7", False),
            ("w = *", True),
            ("where w in (7)", True),
            ("test(w == 7)", True),
            ("test(w == v)", True),
        ],
    )
    def test_constants_are_tested_when_read(self, test, expected):
        """A test of an assigned constant is decided without an event."""
        result = read_cql(f"FileName=docker | w := 7 | v := 7 | {test}", "q.cql")
        assert expected == bool(result.rules)

    @pytest.mark.parametrize(("head", "expected"), [("", Severity.MEDIUM), ("// severity: low\n", Severity.LOW)])
    def test_severity_without_a_mark(self, head, expected):
        """Where nothing is assigned the header says how bad it is, else medium."""
        assert [expected] == self.levels(f"{head}FileName=docker")

    def test_a_regex_stays_where_it_is_needed(self):
        """The way to a clause is its own test and the denial of the earlier ones, nothing else."""
        query = 'FileName=a | case { FileName=/x/ | RiskLevel := "high"; UserName=b }'
        name, user = Equals("process.name", ("a",)), Equals("user.name", ("b",))
        regex = Regex("process.name", "x")
        expected = [And((name, regex)), And((name, Not(regex), user))]
        assert expected == [outcome.predicate for outcome in read_rule(query).outcomes]


class TestRule:
    def test_identity_without_header(self):
        """The file's name is the rule's id and name."""
        rule = read_cql("FileName=x", "rules/some_name.cql").rules[0]
        assert ("some_name", "some_name", "cql") == (rule.id, rule.name, rule.language)

    def test_identity_with_header(self):
        """The comments at the top say what the query is."""
        rule = read_rule("// id: a-1\n// name: A\n// techniques: T1610\n// tactics: execution\nFileName=x")
        assert ("a-1", "A", ("T1610",), ("execution",)) == (rule.id, rule.name, rule.techniques, rule.tactics)

    @pytest.mark.parametrize(
        "step", ["table([UserName, UID])", "select([UserName, UID])", "table(fields=[UserName, UID])"]
    )
    def test_shown_fields(self, step):
        """`table` and `select` choose the summary and drop nothing."""
        rule = read_rule(f"FileName=docker | {step}")
        assert (("UserName", "UID"), Equals("process.name", ("docker",))) == (
            rule.summary_fields,
            rule.outcomes[0].predicate,
        )

    def test_every_field_is_canonical(self):
        """No predicate of a rule speaks Falcon's names."""
        assert all(name in FIELDS for outcome in read_rule(SEED).outcomes for name in fields_of(outcome.predicate))


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "place", "message"),
        [
            ("", (1, 1), "the query ends too early, expected 'case {', a function"),
            ("// only words\n", (2, 1), "the query ends too early"),
            ("FileName=a\n| UID =", (2, 8), "the query ends too early, expected a field or text"),
            ("(FileName=a", (1, 12), "the query ends too early, expected ')'"),
            ("a | | b", (1, 5), "unexpected '|', expected"),
            ('FileName="docker', (1, 10), "a quoted text without its closing quote"),
            ("FileName=/docker", (1, 10), "a regular expression without its closing '/'"),
            ("FileName=/usr/bin", (1, 10), "unknown flag 'b' of a regular expression"),
            ("FileName=/(?=x)/", (1, 10), "RE2 cannot take this regular expression"),
            ("UID > many", (1, 7), "'>' orders numbers only, expected a number"),
            ('* | RiskLevel := "Bad"', (1, 18), "severity 'Bad' is not one of"),
            ('* | RiskLevel := "Low" | RiskLevel="High"', (1, 1), "no event can pass this query"),
            ("* | x := y", (1, 10), "only a constant can be assigned"),
            ("FileName=/(?<who>x)/ | who=y", (1, 24), "field 'who' is taken from a regular expression"),
            ("* | table([])", (1, 5), "expected a list of fields"),
            ("`a`=b", (1, 1), "unexpected '`'; a name with special characters is put in double quotes"),
            ("(" * 200 + "a" + ")" * 200, (1, 201), "nested deeper than 30 levels"),
            ("!" * 5000 + "a", (1, 30), "nested deeper than 30 levels"),
            ("case {" * 200 + "a" + "}" * 200, (1, 181), "nested deeper than 30 levels"),
            ("x" * (LONGEST_TEXT + 1), (1, 1), "the query is longer than"),
            ("case { UID=0; UID=1; UID=2 } |" * 10 + "*", (1, 1), "the query is too large"),
        ],
    )
    def test_place_and_message(self, text, place, message):
        """A fault says where it is and what was expected."""
        ((line, column, said),) = faults_of(text)
        assert place == (line, column)
        assert said.startswith(message)

    def test_all_faults_at_once(self):
        """Faults of different kinds in one query are all told."""
        text = "// severity: worst\nFileName=/(/ | UID > x\n| lower(y) | table([a], b=c) | z := a"
        assert [(1, 4), (2, 10), (2, 22), (3, 3), (3, 14), (3, 37)] == [fault[:2] for fault in faults_of(text)]

    def test_unknown_field(self):
        """A field that the agent does not have is an error in a shipped rule, else a warning."""
        text = "FileName=a | Nonsense=b"
        message = "unknown field 'Nonsense', expected an ECS or Falcon name that the agent has"
        assert [(1, 14, message)] == faults_of(text, shipped=True)
        result = read_cql(text, "q.cql")
        assert (1, (f"q.cql:1:14: {message} [Nonsense]",)) == (len(result.rules), result.warnings)

    @settings(max_examples=300, deadline=None)
    @given(st.text(max_size=80))
    def test_any_text(self, text):
        """Any text gives a rule or errors with their place, nothing else."""
        self.check(text)

    @settings(max_examples=500, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                "FileName UID RiskLevel x = != > := | ; ( ) { } [ ] , ! and or not case { where in( in ( test( "
                'regex( cidr( table( "High" "a*" /a/i /( * 7 ] ) // /* \n == =~ like values= field= # " / . $ $"'.split(
                    " "
                )
            ),
            max_size=14,
        ),
        st.sampled_from(["", " "]),
    )
    def test_any_tokens(self, tokens, between):
        """Any heap of the language's own words gives a rule or errors with their place."""
        self.check(between.join(tokens))

    def check(self, text):
        """Read a text and try what comes out."""
        result = read_cql(text, "q.cql")
        assert bool(result.rules) != bool(result.errors)
        assert all(error.path == "q.cql" and error.line and error.column for error in result.errors)
        for outcome in (outcome for rule in result.rules for outcome in rule.outcomes):
            compile_predicate(outcome.predicate)(make_exec())
