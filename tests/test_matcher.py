"""Closures of predicate trees: every kind of test, and the same answers as the naive evaluator."""

import pytest
from hypothesis import given, settings

from agent.detect.matcher import compile_predicate
from agent.detect.predicate import (
    Always,
    And,
    Call,
    Cidr,
    Compare,
    Equals,
    Exists,
    FieldOf,
    Holds,
    Like,
    Literal,
    Not,
    Operator,
    Or,
    Regex,
)
from agent.intent.model import Intent
from tests import naive
from tests.events import LINUX_EXEC, make_connect, make_exec
from tests.strategies import events, predicates


def holds(predicate, event=None, **members):
    return compile_predicate(predicate)(event or make_exec(**members))


def with_field(name, value):
    return make_exec(fields={**LINUX_EXEC, name: value})


class TestEquals:
    """Whole values against constants."""

    @pytest.mark.parametrize(
        ("field", "constant", "expected"),
        [
            ("user.id", 0, True),
            ("user.id", "0", True),
            ("user.id", False, False),
            ("process.pid", 4242, True),
            ("process.pid", "4242", True),
            ("process.pid", 4242.0, True),
            ("process.pid", "many", False),
            ("process.args_count", True, False),
            ("process.memfd", False, True),
            ("process.memfd", "False", True),
            ("process.memfd", 0, False),
            ("process.name", "Docker", False),
            ("process.name", "dock", False),
        ],
    )
    def test_meets_the_kind_of_the_field(self, field, constant, expected):
        """A constant is read as the field's kind: text against text, numbers against numbers, never a boolean."""
        assert expected == holds(Equals(field, (constant,)), args=("docker",))

    @pytest.mark.parametrize(
        ("value", "constant", "expected"),
        [
            (1, "1", True),
            (1.0, 1, True),
            (True, "true", True),
            (True, 1, False),
            (("a", 7), 7, True),
            (("a", "B"), "b", False),
            ((), "", False),
        ],
    )
    def test_reads_any_value_of_an_unknown_field_as_text(self, value, constant, expected):
        """A field that only a replayed document has may hold one or several values of any kind."""
        assert expected == holds(Equals("custom", (constant,)), with_field("custom", value))

    def test_ignores_case_of_text_and_list(self):
        """Without case, both sides are compared in lower case, for single values and elements."""
        for field in ("process.name", "process.args"):
            assert holds(Equals(field, ("podman", "DOCKER"), ignore_case=True), args=("Docker",))

    def test_takes_a_scalar_where_a_list_is_usual(self):
        """A document may give `event.category` as one text."""
        assert holds(Equals("event.category", ("process",)), with_field("event.category", "process"))


class TestLike:
    """Patterns over whole values."""

    @pytest.mark.parametrize(
        ("pattern", "text", "expected"),
        [
            ("docker", "docker", True),
            ("docker", "docker ps", False),
            ("*", "", True),
            ("", "", True),
            ("", "x", False),
            ("docker*", "docker ps", True),
            ("*ps", "docker ps", True),
            ("*cker*", "docker ps", True),
            ("do*ps", "docker ps", True),
            ("do*ker*ps", "docker ps", True),
            ("ab*ba", "aba", False),
            ("*a*a*", "a", False),
            ("*a*b*c", "xaxbxbc", True),
            ("*a*b*c", "xaxcxbx", False),
            ("d?cker", "docker", True),
            ("d?cker", "dcker", False),
            ("a?b", "a\nb", True),
            ("a*b", "a\n\nb", True),
            ("\\*", "*", True),
            ("\\*", "x", False),
            ("a\\\\*", "a\\b", True),
            ("a.c", "abc", False),
            ("?", "é", True),
        ],
    )
    def test_takes_the_whole_value(self, pattern, text, expected):
        """Stars stand for any text, question marks for one character, escaped ones for themselves."""
        assert expected == holds(Like("process.name", (pattern,)), name=text)
        assert expected == holds(Like("process.name", (pattern.upper(),), ignore_case=True), name=text)

    def test_any_of_many_patterns_of_all_shapes_is_enough(self):
        """Patterns of one rule are alternatives, however many and of whatever shape."""
        patterns = ("a", "b*", "*c", "d*d", "e?e", *(f"*w{number}w*" for number in range(20)))
        predicate = Like("process.name", patterns)
        for text in ("a", "bx", "xc", "dxd", "exe", "xw7wx", "xw19w"):
            assert holds(predicate, name=text), text
        for text in ("ab", "xb", "cx", "ded-", "ee", "w20w"):
            assert not holds(predicate, name=text), text


class TestRegex:
    """RE2 over values."""

    def test_searches_or_takes_the_whole(self):
        """Without `whole` the expression may match anywhere."""
        assert holds(Regex("process.command_line", "p[s]"))
        assert not holds(Regex("process.command_line", "p[s]", whole=True))
        assert holds(Regex("process.command_line", "docker|docker p[s]", whole=True))

    def test_a_refused_expression_is_a_value_error(self):
        """What RE2 cannot do is refused when the rule is compiled."""
        with pytest.raises(ValueError, match="invalid"):
            compile_predicate(Regex("process.name", "(?=x)"))

    def test_survives_a_lone_surrogate(self):
        """A replayed document cannot stop the agent with text that is no Unicode."""
        assert holds(Regex("process.name", "^a.b$"), name="a\udc80b")
        assert holds(Like("process.name", ("a?b",)), name="a\udc80b")


class TestCidr:
    """Networks."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [("10.1.2.3", True), ("11.0.0.1", False), ("fe80::1", True), ("/run/docker.sock", False), ("", False)],
    )
    def test_holds_for_addresses_of_a_network(self, text, expected):
        """A value that is no address is in no network."""
        assert expected == holds(Cidr("destination.address", ("10.0.0.0/8", "fe80::/10")), make_connect(text))


class TestAbsent:
    """Fields without a value."""

    def test_every_test_of_an_absent_field_is_false(self):
        """Only a `Not` around it is true."""
        for test in (
            Exists("container.id"),
            Equals("container.id", ("", "None", "none")),
            Like("container.id", ("*",)),
            Regex("container.id", ""),
            Cidr("container.id", ("0.0.0.0/0",)),
            Compare(FieldOf("container.id"), Operator.NE, Literal("x")),
            Compare(FieldOf("container.id"), Operator.EQ, FieldOf("container.id")),
            Holds(FieldOf("intent.privileged")),
        ):
            assert not holds(test), test
            assert holds(Not(test)), test

    def test_an_empty_list_is_absent_and_an_empty_text_is_not(self):
        """As in Elasticsearch, an array without members has no value."""
        assert not holds(Exists("intent.mounts"), intent=Intent(tool="docker"))
        assert holds(Exists("process.name"), name="")


class TestExpressions:
    """Comparisons and functions."""

    @pytest.mark.parametrize(
        ("left", "operator", "right", "expected"),
        [
            (Literal(2), Operator.LT, Literal(10), True),
            (Literal("2"), Operator.LT, Literal("10"), False),
            (Literal("2"), Operator.NE, Literal(10), False),
            (Literal(True), Operator.EQ, Literal(1), False),
            (FieldOf("process.args_count"), Operator.GE, Literal(2), True),
            (FieldOf("process.args"), Operator.EQ, FieldOf("process.name"), True),
            (Call("length", (FieldOf("process.args"),)), Operator.EQ, Literal(2), True),
            (Call("length", (FieldOf("container.id"),)), Operator.LT, Literal(9), False),
        ],
    )
    def test_compares_like_with_like(self, left, operator, right, expected):
        """Numbers with numbers and texts with texts; of several values any will do."""
        assert expected == holds(Compare(left, operator, right))

    def test_texts_compare_with_or_without_case(self):
        """Only where the rule says so are both sides put in lower case."""
        name, other = FieldOf("process.name"), Literal("Docker")
        assert holds(Compare(name, Operator.EQ, other, ignore_case=True))
        assert not holds(Compare(name, Operator.EQ, other))

    def test_only_true_holds(self):
        """A number or a text is not true by itself."""
        assert holds(Holds(Literal(True)))
        for expression in (Literal(1), Literal("true"), FieldOf("process.name"), FieldOf("process.memfd")):
            assert not holds(Holds(expression))

    def test_a_function_can_hold_by_itself(self):
        """A function that gives true for any element of an array holds."""
        assert holds(Holds(Call("startsWith", (FieldOf("process.args"), Literal("p")))))
        assert not holds(Holds(Call("startsWith", (FieldOf("process.args"), Literal("x")))))


class TestConnectives:
    """And, Or, Not, Always."""

    @pytest.mark.parametrize("size", range(6))
    def test_of_any_size(self, size):
        """All of nothing is true, any of nothing is false; one odd child decides, wherever it stands."""
        yes, no = Exists("process.name"), Exists("container.id")
        assert holds(And((yes,) * size))
        assert not holds(Or((no,) * size))
        for place in range(size):
            assert not holds(And((yes,) * place + (no,) + (yes,) * (size - place)))
            assert holds(Or((no,) * place + (yes,) + (no,) * (size - place)))

    @pytest.mark.parametrize(
        "level", [Not, lambda child: And((child, Always(True))), lambda child: Or((*[Always(False)] * 4, child))]
    )
    def test_depth_is_bounded_when_compiling(self, level):
        """A tree too deep for Python is refused; one of a hundred levels is not."""

        def nest(depth):
            tree = Exists("process.name")
            for _ in range(depth):
                tree = level(tree)
            return tree

        assert holds(nest(100))
        with pytest.raises(ValueError, match="nested too deeply"):
            compile_predicate(nest(2000))

    def test_constants(self):
        """What a reader could decide stays decided."""
        assert holds(Always(True))
        assert not holds(Always(False))


class TestAgainstTheNaiveEvaluator:
    """The closure of a tree and the tree itself give one answer."""

    @settings(max_examples=100, deadline=None)
    @given(predicate=predicates, event=events())
    def test_same_answers(self, predicate, event):
        """For generated trees and events both agree."""
        assert naive.holds(predicate, event) == compile_predicate(predicate)(event)
