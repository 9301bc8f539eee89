"""The functions that rule expressions call."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.functions import FOLDING, FUNCTIONS, TESTS, call
from tests.strategies import scalars


def evaluate(function, *arguments):
    """Call a function by its name as it stands in a query, a tilde included."""
    return call(function.removesuffix("~"), arguments, ignore_case=function.endswith("~"))


class TestTexts:
    @pytest.mark.parametrize(
        ("expected", "function", "arguments"),
        [
            (True, "startsWith", ("kubectl", "kube")),
            (False, "startsWith", ("kubectl", "Kube")),
            (True, "startsWith~", ("kubectl", "KUBE")),
            (True, "startsWith", ("", "")),
            (True, "endsWith", ("a.sock", ".sock")),
            (False, "endsWith", ("a.sock", ".SOCK")),
            (True, "endsWith~", ("a.sock", ".SOCK")),
            (True, "stringContains", ("a b c", " b ")),
            (False, "stringContains", ("abc", "")),
            (True, "stringContains~", ("aBc", "Bc")),
            (3, "length", ("a\U0001f40bb",)),
            (0, "length", ("",)),
            (None, "length", (5,)),
            ("a 42 2.5 true", "concat", ("a ", 42, " ", 2.5, " ", True)),
            ("true", "string", (True,)),
            ("42.5", "string", (42.5,)),
        ],
    )
    def test_value(self, expected, function, arguments):
        """Texts are compared, measured and joined as the reference says."""
        assert expected == evaluate(function, *arguments)

    @pytest.mark.parametrize(
        ("expected", "arguments"),
        [
            ("run img", ("ctr run img", 4)),
            ("ctr", ("ctr run img", 0, 3)),
            ("img", ("ctr run img", -3)),
            ("im", ("ctr run img", -3, -1)),
            ("", ("ctr", 2, 1)),
            ("", ("ctr", 9)),
            (None, ("ctr", 1.0)),
            (None, ("ctr", True)),
        ],
    )
    def test_substring(self, expected, arguments):
        """Positions count from 0, negative ones from the end; what lies outside is empty."""
        assert expected == evaluate("substring", *arguments)

    @pytest.mark.parametrize(
        ("expected", "function", "arguments"),
        [
            (3, "indexOf", ("subdomain.example.com", "d")),
            (9, "indexOf", ("subdomain.example.com", ".", 9)),
            (17, "indexOf", ("subdomain.example.com", ".", 10)),
            (9, "indexOf", ("subdomain.example.com", ".", -6)),
            (None, "indexOf", ("subdomain.example.com", "D")),
            (3, "indexOf~", ("subdomain.example.com", "D")),
            (0, "indexOf", ("abc", "")),
            (None, "indexOf", ("abc", "", 4)),
            (1, "indexOf~", ("İX", "x")),
        ],
    )
    def test_index(self, expected, function, arguments):
        """The first position at or behind the start, in the text as it is; none where there is none."""
        assert expected == evaluate(function, *arguments)

    @pytest.mark.parametrize(
        ("expected", "function", "arguments"),
        [
            ("log", "between", ("/var/log/x", "/var/", "/")),
            ("var", "between", ("/var/log/x", "/", "/")),
            ("var/log", "between", ("/var/log/x", "/", "/", True)),
            ("", "between", ("/var/log/x", "/VAR/", "/")),
            ("log", "between~", ("/var/log/x", "/VAR/", "/")),
            ("", "between", ("", "", "")),
            (None, "between", ("a", "b", 3)),
        ],
    )
    def test_between(self, expected, function, arguments):
        """What lies between two texts, shortest unless greedy; empty where one is missing."""
        assert expected == evaluate(function, *arguments)


class TestPatterns:
    @pytest.mark.parametrize(
        ("expected", "function", "arguments"),
        [
            (True, "wildcard", ("/run/x.sock", "*.pid", "/run/*.sock")),
            (False, "wildcard", ("/run/x.sock", "run*")),
            (True, "wildcard", ("a\\b", "a\\?")),
            (True, "wildcard~", ("CTR", "c?r")),
            (None, "wildcard", (5, "*")),
            (True, "match", ("ctr-1", "[a-z]+", "ctr-[0-9]")),
            (False, "match", ("ctr-12", "ctr-[0-9]")),
            (True, "match~", ("CTR", "ctr")),
            (True, "cidrMatch", ("10.1.2.3", "192.168.0.0/16", "10.0.0.1/8")),
            (True, "cidrMatch", ("fe80::1", "fe80::/10")),
            (False, "cidrMatch", ("10.1.2.3", "fe80::/10")),
            (None, "cidrMatch", ("no address", "10.0.0.0/8")),
        ],
    )
    def test_value(self, expected, function, arguments):
        """Wildcards and expressions cover the whole text; an address is in any of the networks."""
        assert expected == evaluate(function, *arguments)


class TestNumbers:
    @pytest.mark.parametrize(
        ("expected", "function", "arguments"),
        [
            (4.5, "add", (4, 0.5)),
            (-8, "subtract", (-2, 6)),
            (1.0, "multiply", (0.5, 2)),
            (1, "divide", (4, 3)),
            (-1, "divide", (-4, 3)),
            (4 / 3, "divide", (4, 3.0)),
            (None, "divide", (4, 0)),
            (4, "modulo", (10, -6)),
            (-4, "modulo", (-10, -6)),
            (0.0, "modulo", (10, 0.5)),
            (None, "modulo", (10, 0)),
            (None, "add", (True, 1)),
            (None, "add", ("1", 1)),
            (None, "multiply", (1e308, 10.0)),
            (None, "add", (10**400, 0.5)),
        ],
    )
    def test_arithmetic(self, expected, function, arguments):
        """Whole numbers stay whole and divide towards zero; what has no finite result gives none."""
        assert expected == evaluate(function, *arguments)

    @pytest.mark.parametrize(
        ("expected", "arguments"),
        [
            (1337, (" +1337 ",)),
            (-32.5, ("-32.5",)),
            (3735928559, ("0xdeadbeef",)),
            (3735928559, ("deadbeef", 16)),
            (5, ("101", 2)),
            (7, (7,)),
            (None, ("",)),
            (None, ("1_000",)),
            (None, ("\u0661",)),
            (None, ("1e999",)),
            (None, ("9" * 5000,)),
            (None, ("12", 1)),
            (None, ("12", 0)),
            (None, (True,)),
        ],
    )
    def test_number(self, expected, arguments):
        """Texts read as numbers in a base; whatever is none gives none."""
        assert expected == evaluate("number", *arguments)


class TestAll:
    def test_tables_agree(self):
        """Every function with a tilde form, or true by itself, exists."""
        assert set(FUNCTIONS) >= FOLDING | TESTS

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_nothing_raises(self, data):
        """Any values give a value of the right kind or none, never an exception."""
        function = data.draw(st.sampled_from(sorted(FUNCTIONS)))
        arity = FUNCTIONS[function]
        count = data.draw(st.integers(arity.start, min(arity.stop - 1, 4)))
        arguments = [data.draw(scalars | st.integers() | st.floats()) for _ in range(count)]
        value = call(function, arguments, ignore_case=data.draw(st.booleans()))
        assert value is None or (isinstance(value, bool) if function in TESTS else isinstance(value, str | int | float))
        assert not isinstance(value, float) or math.isfinite(value) or function == "number"
