"""Predicate trees as EQL text."""

import pytest
from hypothesis import assume, given, settings

from agent.detect.eql import parse_expression
from agent.detect.matcher import compile_predicate
from agent.detect.predicate import (
    Always,
    And,
    Call,
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
from agent.detect.printer import format_predicate
from tests.events import make_exec
from tests.strategies import events, predicates

NAME = FieldOf("process.name")
PID = FieldOf("process.pid")


class TestText:
    @pytest.mark.parametrize(
        ("expected", "predicate"),
        [
            ("true", Always(True)),
            ("false", Or(())),
            ('process.name == "ctr"', Equals("process.name", ("ctr",))),
            ('process.name != "ctr"', Not(Equals("process.name", ("ctr",)))),
            ("process.pid in (1, 2.5, -3)", Equals("process.pid", (1, 2.5, -3))),
            ('process.args not in~ ("a", "b")', Not(Equals("process.args", ("a", "b"), True))),
            ('process.args like ("*k8s.io*", "a?")', Like("process.args", ("*k8s.io*", "a?"))),
            ('process.name : ".*"', Like("process.name", (".*",), True)),
            ('process.name like """a\\*"""', Like("process.name", ("a\\\\*",))),
            ('process.name regex """(?s)a\\*.*"""', Like("process.name", ("a\\**",))),
            ('process.name regex "(?s:.*)(?:sh$)(?s:.*)"', Regex("process.name", "sh$")),
            ('process.name regex "(?:)sh|ps"', Regex("process.name", "sh|ps", True)),
            ("process.name == null", Not(Exists("process.name"))),
            ("intent.privileged == true", Equals("intent.privileged", (True,))),
            ("length(process.name) > 3", Compare(Call("length", (NAME,)), Operator.GT, Literal(3))),
            ("process.pid >= 3", Compare(Literal(3), Operator.LE, PID)),
            ("process.name ==~ user.name", Compare(NAME, Operator.EQ, FieldOf("user.name"), True)),
            (
                'endsWith~(concat(process.name, 1), "k1")',
                Holds(Call("endsWith", (Call("concat", (NAME, Literal(1))), Literal("k1")), True)),
            ),
            ("`odd-name``s` != null", Exists("odd-name`s")),
            ('user.name == "\\u{200f}\\"\\\\"', Equals("user.name", ('\u200f"\\',))),
        ],
    )
    def test_form(self, expected, predicate):
        """Each node has its natural spelling, and reads back to the same answers."""
        text = format_predicate(predicate)
        assert expected == text
        event = make_exec("/bin/a*b", ["a*b", "xk8s.ioy"], pid=5)
        assert compile_predicate(predicate)(event) == compile_predicate(parse_expression(text))(event)

    def test_parentheses(self):
        """They stand only where `or` is inside `and`, or anything but one test behind `not`."""
        one, two, three = Exists("a"), Exists("b"), Exists("c")
        tree = Or((And((one, Or((two, three)))), Not(And((one, two)))))
        assert "a != null and (b != null or c != null) or not (a != null and b != null)" == format_predicate(tree)

    def test_open_quote(self):
        r"""An expression that ends inside \Q is closed before text is put behind it."""
        predicate = parse_expression(format_predicate(Regex("process.name", "\\Qa.b")))
        assert compile_predicate(predicate)(make_exec("/bin/xa.by"))
        assert not compile_predicate(predicate)(make_exec("/bin/xacby"))


class TestReadBack:
    @settings(max_examples=125, deadline=None)
    @given(predicates, events())
    def test_same_answers(self, predicate, event):
        """A printed tree reads back to one with the same answers, and that one to itself."""
        read = parse_expression(format_predicate(predicate))
        assert read == parse_expression(format_predicate(read))
        expected, actual = compile_predicate(predicate)(event), compile_predicate(read)(event)
        if expected != actual:
            assume(not {"İ", "Σ"} & set(repr(event)))  # the stated exception
        assert expected == actual
