"""Recorded events read from files."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.sensors.replay import LONGEST_LINE, open_replay

AUDIT = Path(__file__).parent / "data" / "audit"


def read(content, form="auto"):
    """The events of some text or bytes, and what was reported."""
    reports = []
    stream = io.BytesIO(content) if isinstance(content, bytes) else io.StringIO(content)
    events = list(open_replay(stream, form, lambda error: reports.append(str(error))))
    return events, reports


def names(content, form="auto"):
    """The names of the processes, where nothing was reported."""
    events, reports = read(content, form)
    assert [] == reports
    return [event.process.name for event in events]


class TestDocuments:
    """One ECS document a line."""

    def test_lines(self):
        """Each line is an event; empty lines count for nothing."""
        assert ["a", "b"] == names('\n{"process.name": "a"}\r\n\n{"process": {"name": "b"}}')

    @pytest.mark.parametrize(
        "content",
        [
            b'\xef\xbb\xbf{"process.name": "a"}\n{"process.name": "b"}\n',
            '[{"process.name": "a"}, {"process.name": "b"}]',
            '[\n  {"process.name": "a"},\n  {"process.name": "b"}\n]\n',
            '{"_index": "x", "_source": {"process": {"name": "a"}}}\n{"_id": "7", "_source": {"process.name": "b"}}',
        ],
    )
    def test_wrappings(self, content):
        """A byte order mark, arrays and Elasticsearch's hits are looked through."""
        assert ["a", "b"] == names(content)

    def test_time_and_origin(self):
        """A document without a time has the time of reading; every event says that it was recorded."""
        (event,), _ = read("{}")
        assert event.time_ns > 1_700_000_000_000_000_000
        assert "replay" == event.origin

    def test_text_that_is_not_unicode(self):
        """Lone surrogates, bytes that are not UTF-8 and numbers that are not JSON's cost no document."""
        lines = [rb'{"process.name": "\ud800"}', b'{"process.name": "\xff"}', b'{"process.name": "a", "x": NaN}']
        assert ["\ufffd", "\ufffd", "a"] == names(b"\n".join(lines))

    def test_text_stream(self, tmp_path):
        """A file opened as text is read as well, with bytes that are not UTF-8."""
        path = tmp_path / "events.jsonl"
        path.write_bytes(b'{"process.name": "\xff"}\n')
        with path.open(encoding="utf-8") as stream:
            assert ["\ufffd"] == [event.process.name for event in open_replay(stream, "auto", pytest.fail)]

    def test_faults(self):
        """A line that cannot be read is reported with its number, and the others are read."""
        content = '{"process.name": "a"}\n{"process.pid": "x"}\n{"a"\n7\n[{"process.name": "b"}, null]\n'
        events, reports = read(content)
        assert ["a", "b"] == [event.process.name for event in events]
        assert [
            "line 2: 'process.pid' is not a whole number: 'x'.",
            "line 3: not JSON: Expecting ':' delimiter: line 1 column 5 (char 4).",
            "line 4: A document is an object, not a int.",
            "line 5: A document is an object, not a NoneType.",
        ] == reports

    def test_depth(self):
        """Nesting beyond what any parser follows is a fault of its line."""
        nested = ["[" * 100_000, '{"a":' * 500 + "0" + "}" * 500]
        events, reports = read("\n".join(['{"process.name": "a"}', *nested]))
        assert (1, 2) == (len(events), len(reports))

    @pytest.mark.parametrize("excess", [1, LONGEST_LINE + 5])
    def test_long_line(self, excess):
        """A line beyond 4 MiB is reported once and skipped, however long; its number counts once."""
        line = b"{" + b" " * (LONGEST_LINE - 1 + excess) + b"}\n"
        events, reports = read(b'{"process.name": "a"}\n' + line + b'{"process.name": "b"}\n{"process.pid": "x"}')
        assert ["a", "b"] == [event.process.name for event in events]
        assert ["line 2: longer than 4194304 bytes.", "line 4: 'process.pid' is not a whole number: 'x'."] == reports

    def test_longest_line(self):
        """A line of 4 MiB is read, also as the last."""
        line = b'{"process.name": "a"' + b" " * (LONGEST_LINE - 21) + b"}"
        assert ["a", "a"] == names(line + b"\n" + line)


class TestAudit:
    """An audit log."""

    @pytest.mark.parametrize(
        ("name", "expected"),
        [("ubuntu-5.15.log", ["docker", "dash"]), ("rhel9-enriched.log", ["podman", "memfd:x"])],
    )
    def test_log(self, name, expected):
        """A log is recognised by its first record."""
        content = (AUDIT / name).read_bytes()
        assert expected == names(content)
        assert {"replay"} == {event.origin for event in read(content)[0]}

    def test_faults(self):
        """Lines that are no records, and events that lack some, are reported."""
        events, reports = read((AUDIT / "incomplete.log").read_bytes())
        assert ["ctr", "kubectl"] == [event.process.name for event in events]
        assert ["line 9", "line 10", "line 12", "line 12"] == [report.partition(":")[0] for report in reports]


class TestForms:
    """What a file holds."""

    def test_neither(self):
        """Lines before the first that is recognised are reported."""
        events, reports = read('hello\n{"process.name": "a"}')
        assert 1 == len(events)
        assert ["line 1: neither a JSON object nor an audit record: b'hello'."] == reports

    def test_given(self):
        """A form that is given holds for every line."""
        assert ["line 1"] == [report.partition(":")[0] for report in read("{}", "audit")[1]]
        assert ["line 1"] == [report.partition(":")[0] for report in read("type=EOE msg=audit(1.0:1):", "ecs")[1]]

    def test_empty(self):
        """An empty file has no events."""
        assert ([], []) == read(b"")

    @given(
        st.lists(
            st.binary(max_size=20) | st.sampled_from([b'{"process":', b"[", b"}", b"type=EXECVE msg=audit(1.0:1):"])
        )
    )
    @settings(max_examples=200, deadline=None)
    def test_any_bytes(self, parts):
        """Any bytes give events and reports, never an exception."""
        for form in ("auto", "ecs", "audit"):
            read(b"".join(parts), form)
            read(b"\n".join(parts), form)

    @given(
        st.recursive(
            st.none() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=6,
        )
    )
    @settings(max_examples=100, deadline=None)
    def test_any_json(self, content):
        """Any JSON gives events and reports, never an exception."""
        read(json.dumps(content), "ecs")
