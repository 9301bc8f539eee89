"""The predicate tree: patterns, normal form, JSON."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.predicate import (
    Always,
    And,
    Equals,
    Exists,
    Not,
    Or,
    Predicate,
    all_of,
    any_of,
    escape_pattern,
    fields_of,
    split_pattern,
    to_nnf,
)
from tests import naive
from tests.strategies import events, predicates

A, B, C = (Exists(name) for name in ("a", "b", "c"))


class TestPatterns:
    """Wildcards and their escapes."""

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("", ()),
            ("a", ((False, "a"),)),
            ("*a**", ((True, "*"), (False, "a"), (True, "*"))),
            ("??", ((True, "?"), (True, "?"))),
            ("a\\*b", ((False, "a*b"),)),
            ("\\\\*", ((False, "\\"), (True, "*"))),
            ("\\a\\", ((False, "\\a\\"),)),
        ],
    )
    def test_are_taken_apart(self, pattern, expected):
        """Neighbouring literals join, neighbouring stars are one, a backslash before another letter is itself."""
        assert expected == split_pattern(pattern)

    @given(st.text(alphabet="ab*?\\"))
    @settings(max_examples=100, deadline=None)
    def test_escaped_text_is_one_literal(self, text):
        """Escaping undoes every meaning."""
        assert (((False, text),) if text else ()) == split_pattern(escape_pattern(text))


class TestBuilding:
    """Trees without needless nesting."""

    def test_joins_are_flat(self):
        """A join of joins of the same kind is one; of one child it is the child; of none a constant."""
        assert And((A, B, C)) == all_of(all_of(A, B), C)
        assert Or((A, B, C)) == any_of(A, any_of(B, C))
        assert A == all_of(A) == any_of(A)
        assert (Always(True), Always(False)) == (all_of(), any_of())

    def test_fields_are_listed(self):
        """Every field that is read, in order."""
        assert list("aba") == list(fields_of(And((A, Not(Or((B, A)))))))


def _negates_only_tests(tree):
    match tree:
        case And(children) | Or(children):
            return all(map(_negates_only_tests, children))
        case Not(child):
            return not isinstance(child, And | Or | Not | Always)
    return True


class TestNormalForm:
    """Negation normal form."""

    def test_negation_moves_to_the_tests(self):
        """De Morgan's laws."""
        assert Or((Not(A), And((B, Not(C))))) == to_nnf(Not(And((A, Or((Not(B), C))))))

    @settings(max_examples=50, deadline=None)
    @given(predicates, events())
    def test_keeps_the_answer(self, predicate, event):
        """The normal form holds exactly where the tree does, and negates nothing but tests."""
        normal = to_nnf(predicate)
        assert _negates_only_tests(normal)
        assert naive.holds(predicate, event) == naive.holds(normal, event)


class TestJson:
    """Trees as JSON."""

    @settings(max_examples=50, deadline=None)
    @given(predicates, events())
    def test_keeps_the_tree_and_the_answer(self, predicate, event):
        """A tree read back from JSON is the same and gives the same answer."""
        back = msgspec.json.decode(msgspec.json.encode(predicate), type=Predicate)
        assert predicate == back
        assert naive.holds(predicate, event) == naive.holds(back, event)

    def test_keeps_the_kind_of_constants(self):
        """One, one point nought, true and the text stay apart."""
        back = msgspec.json.decode(msgspec.json.encode(Equals("a", (1, 1.0, True, "1"))), type=Predicate)
        assert [int, float, bool, str] == [type(value) for value in back.values]
