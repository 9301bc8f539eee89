"""The comment lines above a bare query."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.header import Header, parse_header
from agent.detect.rule import Severity

QUERY = "process where true"


class TestValues:
    def test_every_key_is_read(self):
        """Each key fills its member, lists split at commas."""
        text = (
            "// id: deploy-1\n//name: Deploy: a container\n// Severity: HIGH\n\n// techniques: t1610, T1552.007\n"
            "// tactics: Privilege Escalation, execution\n// description: One.\n// description: Two.\n"
            "// references: https://example.org/a\n// reference: https://example.org/b\n" + QUERY
        )
        expected = Header(
            id="deploy-1",
            name="Deploy: a container",
            severity=Severity.HIGH,
            description="One. Two.",
            techniques=("T1610", "T1552.007"),
            tactics=("privilege-escalation", "execution"),
            references=("https://example.org/a", "https://example.org/b"),
        )
        assert (expected, ()) == parse_header(text, "a.eql")

    def test_nothing_said_is_nothing_known(self):
        """A query without a head has an empty header."""
        assert (Header(), ()) == parse_header(QUERY, "a.eql")

    def test_reading_ends_at_the_query(self):
        """A comment below the first line of code says nothing of the rule."""
        assert (Header(), ()) == parse_header(f"{QUERY}\n// severity: high\n", "a.eql")

    @pytest.mark.parametrize("line", ["// A sentence.", "// note: x", "// https://example.org", "//", "// name, or so"])
    def test_prose_is_left_alone(self, line):
        """A comment that is no key of ours is prose."""
        assert (Header(), ()) == parse_header(f"{line}\n{QUERY}", "a.eql")


class TestFaults:
    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("// severity: bad", "severity 'bad' is not one of informational, low, medium, high, critical"),
            ("// severty: high", "unknown key 'severty', expected 'severity'"),
            ("// id: two words", "an id is made of letters, digits, '.', '_' and '-' only"),
            ("// techniques: 1610", "'1610' is no ATT&CK technique, expected the form T1610 or T1552.007"),
            ("// name:", "'name' has no value"),
        ],
    )
    def test_each_fault_has_a_place_and_costs_only_itself(self, line, message):
        """A faulty line gives an error with its place; the lines beside it still count."""
        header, errors = parse_header(f"// name: N\n{line}\n// tactics: execution\n{QUERY}", "a.eql")
        assert Header(name="N", tactics=("execution",)) == header
        assert [("a.eql", 2, 4, message, line)] == [(e.path, e.line, e.column, e.message, e.text) for e in errors]

    @settings(max_examples=200, deadline=None)
    @given(st.text(alphabet="/ :\n\r\ufeffidnameseverity,T1", max_size=60))
    def test_any_text_is_read(self, text):
        """No text makes the reader raise."""
        header, _ = parse_header(text, "a.eql")
        assert isinstance(header, Header)
