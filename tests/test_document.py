"""JSON documents: dotted names and typed values."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.document import (
    clean_text,
    flatten,
    nest,
    read_flag,
    read_number,
    read_text,
    read_texts,
    read_time_ns,
    write_time,
)
from agent.errors import DecodeError

KEYS = st.text(st.sampled_from("ab.é\ud800"), max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


class TestFlatten:
    """Nested, dotted and mixed keys become dotted names."""

    @pytest.mark.parametrize(
        "document",
        [
            {"process": {"parent": {"name": "sh"}}},
            {"process.parent.name": "sh"},
            {"process.parent": {"name": "sh"}},
            {"process": {"parent.name": "sh"}},
        ],
    )
    def test_spellings(self, document):
        """Every way to spell a name gives the same one."""
        assert {"process.parent.name": "sh"} == flatten(document)

    def test_absent(self):
        """Null, empty arrays, empty objects and arrays of nulls are absent; empty text is a value."""
        assert {"e": ""} == flatten({"a": None, "b": [], "c": {}, "d": [None, []], "e": ""})

    def test_arrays(self):
        """Arrays become tuples, nested ones are one, and nulls in them count for nothing."""
        assert {"a": (1, "x", True)} == flatten({"a": [1, ["x", None], True]})

    def test_objects_in_arrays(self):
        """The members of objects in an array are collected by name."""
        document = {"threat": [{"id": "T1610", "x": {"y": 1}}, {"id": ["T1611"]}]}
        assert {"threat.id": ("T1610", "T1611"), "threat.x.y": (1,)} == flatten(document)

    def test_depth(self):
        """A document nested as deep as an attacker likes costs an error, not the stack."""
        objects, arrays = {}, []
        for _ in range(5000):
            objects, arrays = {"a": objects}, [arrays]
        for document in (objects, {"a": arrays}):
            with pytest.raises(DecodeError, match="nested deeper than 64 levels"):
                flatten(document)

    def test_surrogates(self):
        """Lone surrogates are replaced in names and values, halves of a pair are joined."""
        assert {"a\ufffd": "\ufffdx", "b": ("😀",)} == flatten({"a\ud800": "\udfffx", "b": ["\ud83d\ude00"]})

    @given(st.dictionaries(KEYS, JSON, max_size=4))
    @settings(max_examples=100, deadline=None)
    def test_any_document(self, document):
        """Whatever JSON says gives scalars and tuples of valid text, or a DecodeError."""
        try:
            flat = flatten(document)
        except DecodeError:
            return
        for name, value in flat.items():
            name.encode()
            for item in value if isinstance(value, tuple) else (value,):
                assert isinstance(item, str | int | float | bool)
                str(item).encode()


class TestNest:
    """Dotted names become nested objects."""

    def test_branches(self):
        """Names with a common beginning share an object."""
        assert {"a": {"b": 1, "c": {"d": 2}}} == nest({"a.b": 1, "a.c.d": 2})

    @pytest.mark.parametrize("names", [("a", "a.b", "a.b.c"), ("a.b.c", "a.b", "a")])
    def test_conflict(self, names):
        """A name that is the beginning of others keeps its value, and so do they."""
        flat = {name: name for name in names}
        assert {"a": "a", "a.b": "a.b", "a.b.c": "a.b.c"} == nest(flat)
        assert flat == flatten(nest(flat))

    @given(st.dictionaries(st.text(st.sampled_from("ab."), max_size=5), st.integers(0, 9), max_size=6))
    @settings(max_examples=100, deadline=None)
    def test_inverse(self, flat):
        """Flattening gives back what was nested, whatever the names."""
        assert flat == flatten(nest(flat))


class TestValues:
    """Readers give the promised type or name the field."""

    @pytest.mark.parametrize(("value", "expected"), [("a", "a"), (7, "7"), (True, "true"), (("a",), "a")])
    def test_text(self, value, expected):
        """Texts, scalars and single values of an array are text."""
        assert expected == read_text("process.name", value)

    def test_texts(self):
        """A scalar is a list of one, numbers are taken by their digits."""
        assert ("a",) == read_texts("process.args", "a")
        assert ("a", "1") == read_texts("process.args", ("a", 1))

    @pytest.mark.parametrize(("value", "expected"), [(7, 7), ("7", 7), (" 7 ", 7), (7.0, 7), ((7,), 7), ("-1", -1)])
    def test_number(self, value, expected):
        """Whole numbers are read from digits too."""
        assert expected == read_number("process.pid", value)

    @pytest.mark.parametrize("value", ["abc", "", True, 1.5, float("inf"), (1, 2), "9" * 20, "0x10", "\uff11"])
    def test_no_number(self, value):
        """Anything else is an error that names field and value."""
        with pytest.raises(DecodeError, match=r"'process\.pid' is not a whole number"):
            read_number("process.pid", value)

    def test_flag(self):
        """Booleans are read from their names too, and from nothing else."""
        assert [True, False, True] == [read_flag("f", value) for value in (True, "false", ("true",))]
        with pytest.raises(DecodeError, match="'f' is neither true nor false: 'yes'"):
            read_flag("f", "yes")

    def test_several_texts(self):
        """Several values where one is expected are an error."""
        with pytest.raises(DecodeError, match=r"'process\.name' has 2 values"):
            read_text("process.name", ("a", "b"))

    def test_long_value(self):
        """An error quotes at most a line of what was given."""
        with pytest.raises(DecodeError) as caught:
            read_number("process.pid", "x" * 1_000_000)
        assert len(str(caught.value)) < 200

    def test_clean_text(self):
        """Valid text stays as it is."""
        assert "é😀\x00" == clean_text("é😀\x00")


class TestTime:
    """Points in time are ns since the epoch."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("2026-01-01T00:00:00Z", 1_767_225_600_000_000_000),
            ("2026-01-01T00:00:00.123456789Z", 1_767_225_600_123_456_789),
            ("2026-01-01T02:00:00.5+02:00", 1_767_225_600_500_000_000),
            ("2026-01-01 00:00:00.123", 1_767_225_600_123_000_000),
            ("1970-01-01T00:00:00Z", 0),
            (1_767_225_600_123, 1_767_225_600_123_000_000),
            ("1767225600.5", 1_767_225_600_500_000_000),
            ("1767225600", 1_767_225_600_000_000_000),
        ],
    )
    def test_forms(self, value, expected):
        """RFC 3339 with any fraction and offset, milliseconds, and Falcon's seconds."""
        assert expected == read_time_ns("@timestamp", value)

    @pytest.mark.parametrize("value", ["yesterday", "", "2026-13-01T00:00:00Z", "9999-01-01T00:00:00Z", "²", "9" * 50])
    def test_no_time(self, value):
        """Anything else is an error that names field and value."""
        with pytest.raises(DecodeError, match="'@timestamp' is not a time"):
            read_time_ns("@timestamp", value)

    @given(st.integers(0, 2**63 - 1))
    @settings(max_examples=100, deadline=None)
    def test_inverse(self, time_ns):
        """What is written is read back to the millisecond."""
        assert time_ns // 1_000_000 == read_time_ns("@timestamp", write_time(time_ns)) // 1_000_000

    @given(st.text(max_size=20) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,Z+-]{0,14}", fullmatch=True))
    @settings(max_examples=150, deadline=None)
    def test_any_text(self, text):
        """Any text is a time or a DecodeError."""
        with contextlib.suppress(DecodeError):
            assert read_time_ns("@timestamp", text) >= 0
