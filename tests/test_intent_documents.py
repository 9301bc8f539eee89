"""Documents that somebody else wrote."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.intent.documents import MAX_BYTES, MAX_DEPTH, MAX_NODES, DocumentError, fold_keys, parse_documents


def _laugh(line):
    """Twenty anchors, each nine times the one before."""
    return b"".join(line % (98 + i, 98 + i, b",".join([b"*%c " % (97 + i)] * 9)) for i in range(20))


class TestForms:
    """What is taken for a document."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (b"a: 1\n---\nb: [yes, 0x1, '2', null, ~]\n", [{"a": 1}, {"b": [True, "0x1", "2", None, None]}]),
            (b'{"a": {"b": [1, 2.5, null]}}', [{"a": {"b": [1, 2.5, None]}}]),
            (b'{"a": 1} {"b": 2}\n', [{"a": 1}, {"b": 2}]),
            (b"{a: 1, b: [c]}", [{"a": 1, "b": ["c"]}]),
            (b"a: 1\na: 2\n", [{"a": 2}]),
            (b"---\n---\n# nothing\n", []),
            (b"", []),
            (b"on: off\n1: 2\n", [{"true": False, "1": 2}]),
            (b'privileged: !!bool "true"\nname: !!str true\nx: !reset null\n',
             [{"privileged": True, "name": "true", "x": None}]),
        ],
    )  # fmt: skip
    def test_reads_yaml_and_json_streams(self, text, expected):
        """YAML streams, JSON values and JSON streams give the same plain values; the last of equal keys wins."""
        assert expected == parse_documents(text)

    def test_anchors_and_merge_keys_are_expanded(self):
        """A merge key fills what the mapping itself does not say, from the first source that does."""
        text = b"x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], a: 0}\n"
        assert {"a": 0, "b": 2, "c": 4} == parse_documents(text)[0]["z"]

    def test_half_a_surrogate_pair_becomes_text(self):
        """JSON that escapes half a pair can be written out again."""
        assert "a?b" == parse_documents(b'{"x": "a\\ud800b"}')[0]["x"]

    def test_keys_fold_as_go_reads_them(self):
        """Case and underscores of keys do not matter to the readers, values stay."""
        assert {"hostpid": [{"capadd": "Sys_Admin"}]} == fold_keys({"hostPID": [{"cap_add": "Sys_Admin"}]})


class TestBounds:
    """What an attacker cannot make a reader do."""

    @pytest.mark.parametrize(
        "text",
        [
            b"[" * 1_000_000,
            b'{"a":' * 150_000,
            b"a: &a [x,x,x,x,x,x,x,x,x]\n" + _laugh(b"%c: &%c [%s]\n"),
            b"a: &a {x: 1}\n" + _laugh(b"%c: &%c {<<: [%s]}\n"),
            b"t: &t " + b"x" * 100_000 + b"\nl: [" + b"*t ," * 10_000 + b"]\n",
            b"[" + b"a," * 300_000 + b"]",
            b"[" + b"1," * 500_000 + b"1]",
            b"{}" * 500_000,
            b"a: &a [*a]",
            b"a: *nobody",
            b"x" * (MAX_BYTES + 1),
            bytes(range(256)),
        ],
    )  # fmt: skip
    def test_refuses_with_a_reason_and_soon(self, text):
        """Depth, nodes, aliases and size end in one sentence, within a second on a slow machine."""
        started = time.monotonic()
        with pytest.raises(DocumentError) as caught:
            parse_documents(text)
        assert 1.0 > time.monotonic() - started
        assert "\n" not in str(caught.value)

    def test_keeps_what_stands_before_the_fault(self):
        """kubectl has applied the first document when it finds the second broken."""
        with pytest.raises(DocumentError, match="neither YAML nor JSON") as caught:
            parse_documents(b"kind: Pod\n---\n\tx: [\n")
        assert [{"kind": "Pod"}] == caught.value.before

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=200) | st.text("{}[]&*!:,-?#|>'\"% \nab1<", max_size=200).map(str.encode))
    def test_gives_values_or_a_reason(self, data):
        """Any bytes give plain values of bounded depth or the one documented error."""
        try:
            found = parse_documents(data)
        except DocumentError:
            return
        assert MAX_DEPTH >= _depth(found)
        assert MAX_NODES >= len(found)


def _depth(value):
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, below), default=0) if isinstance(value, (dict, list)) else 0
