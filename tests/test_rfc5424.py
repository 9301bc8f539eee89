"""Syslog messages, read back by a parser of its own that follows RFC 5424's grammar letter by letter."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.alert import Entry, encode_document
from agent.detect.rule import Severity
from agent.event import Container
from agent.sinks.rfc5424 import MIN_BYTES, format_message, format_structured_data
from agent.text import make_printable
from tests.alerts import alert_of, make_entry, make_exec_alert, make_match
from tests.events import make_exec

TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # lone surrogates: readers never let one in
HEADER = re.compile(
    rb"<(?P<pri>[0-9]{1,3})>1 (?P<time>-|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,6}Z) "
    rb"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<procid>[!-~]{1,128}) (?P<msgid>[!-~]{1,32}) "
)


def parse(message):
    """Read header, SD-ELEMENT and body; fail on whatever the grammar does not allow."""
    header = HEADER.match(message)
    assert header, message[:300]
    identifier, parameters, end = parse_element(message, header.end())
    assert b" " == message[end : end + 1]
    fields = {name: value.decode() for name, value in header.groupdict().items()}
    return {**fields, "sd_id": identifier, "sd": parameters, "body": json.loads(message[end + 1 :])}


def parse_element(message, at):
    assert b"[" == message[at : at + 1]
    identifier = re.compile(rb"[^ =\]\"\x00-\x20\x7f-\xff]{1,32}").match(message, at + 1)
    at, parameters = identifier.end(), {}
    while message[at : at + 1] == b" ":
        name = re.compile(rb" ([!#-<>-\\^-~]{1,32})=\"").match(message, at)
        value, at = parse_value(message, name.end())
        assert name[1].decode() not in parameters
        parameters[name[1].decode()] = value
    assert b"]" == message[at : at + 1]
    return identifier[0].decode(), parameters, at + 1


def parse_value(message, at):
    value = bytearray()
    while message[at : at + 1] != b'"':
        if message[at : at + 1] == b"\\" and message[at + 1 : at + 2] in (b'"', b"\\", b"]"):
            at += 1
        else:
            assert message[at : at + 1] not in (b"]", b"\\", b"")
        value += message[at : at + 1]
        at += 1
    return value.decode(), at + 1


def write(entry, *, hostname="node-1", max_bytes=8192):
    return format_message(entry, hostname=hostname, procid=4242, max_bytes=max_bytes)


class TestHeader:
    def test_fields(self):
        """The header has the agent's facility, the event's time in microseconds, the node and the rule."""
        entry = make_entry(make_exec_alert(time_ns=1_767_225_600_123_456_789))
        message = parse(write(entry))
        names = ("pri", "time", "host", "app", "procid", "msgid")
        expected = ["83", "2026-01-01T00:00:00.123456Z", "node-1", "hullwatch", "4242", "privileged"]
        assert expected == [message[name] for name in names]

    @pytest.mark.parametrize(("severity", "priority"), list(zip(Severity, ("86", "85", "84", "83", "82"), strict=True)))
    def test_severity(self, severity, priority):
        """Critical is syslog's critical, and so on down to informational."""
        assert priority == parse(write(make_entry(alert_of(make_exec(), make_match(severity=severity)))))["pri"]

    @pytest.mark.parametrize(
        ("rule", "msgid"),
        [
            ("a rule\nwith é", "a_rule_with__"),
            ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0-4f89-11d3-9a0c-0305e82c"),
            ("", "-"),
        ],
    )
    def test_msgid(self, rule, msgid):
        """A rule's id is cut to what a MSGID can be; structured data has the whole."""
        message = parse(write(make_entry(alert_of(make_exec(), make_match(rule)))))
        assert msgid == message["msgid"]

    @pytest.mark.parametrize(("hostname", "written"), [("", "-"), ("a b\n", "a_b_"), ("x" * 300, "x" * 255)])
    def test_hostname(self, hostname, written):
        """A host name cannot break out of its field."""
        assert written == parse(write(make_entry(), hostname=hostname))["host"]

    @pytest.mark.parametrize(
        ("time_ns", "written"), [(0, "1970-01-01T00:00:00.000000Z"), (2**63 - 1, "2262-04-11T23:47:16.854775Z")]
    )
    def test_any_time(self, time_ns, written):
        """Every time that an event can have is written."""
        assert written == parse(write(make_entry(make_exec_alert(time_ns=time_ns))))["time"]


class TestStructuredData:
    def test_parameters(self):
        """Structured data has what a server routes by, under the number reserved for examples."""
        match = make_match("r", Severity.CRITICAL, techniques=("T1611", "T1610"))
        event = make_exec(container=Container(id="c" * 64), user_name="jürgen")
        message = parse(write(make_entry(alert_of(event, match))))
        expected = {
            "rule": "r",
            "rule_name": "Name of r",
            "severity": "critical",
            "technique": "T1610,T1611",
            "event_id": "event-1",
            "user": "jürgen",
            "container": "c" * 64,
            "executable": "/usr/bin/docker",
        }
        assert ("hullwatch@32473", expected) == (message["sd_id"], message["sd"])

    def test_absent(self):
        """What the alert does not have has no parameter."""
        entry = make_entry(alert_of(make_exec(user_name=None), make_match(techniques=())))
        assert {"user", "container", "technique"}.isdisjoint(parse(write(entry))["sd"])

    @pytest.mark.parametrize("text", ['/tmp/a"b', "/tmp/a]b", "/tmp/a\\", '\\"]', '"] [forged@1 x="', "]" * 50])
    def test_escapes(self, text):
        """Quotes, brackets and backslashes neither end a value nor change it."""
        message = parse(write(make_entry(make_exec_alert(executable=text))))
        assert text == message["sd"]["executable"]
        assert text == message["body"]["process"]["executable"]

    @given(st.text(), st.integers(16, 200))
    @settings(max_examples=100, deadline=None)
    def test_any_text(self, text, longest):
        """Any text is parsed back as its printable form, or as the beginning of it when it is too long."""
        written = format_structured_data({"user": {"name": text}}, longest)
        identifier, parameters, end = parse_element(written, 0)
        assert ("hullwatch@32473", len(written)) == (identifier, end)
        shown, value = make_printable(text), parameters["user"]
        assert len(written) <= len('[hullwatch@32473 user=""]') + longest
        assert value == shown or (value.endswith("...") and shown.startswith(value[:-3]))


class TestMessage:
    @given(TEXT, st.lists(TEXT))
    @settings(max_examples=75, deadline=None)
    def test_any_text(self, executable, args):
        """Any program and arguments come back from the body as they were, and no control byte is in the message."""
        message = write(make_entry(make_exec_alert(executable=executable, args=args)), max_bytes=65_507)
        assert not any(byte < 0x20 or byte == 0x7F for byte in message)
        assert message.decode().isprintable()
        process = parse(message)["body"]["process"]
        assert (executable, list(args)) == (process.get("executable"), process.get("args", []))

    def test_body_is_the_document(self):
        """An alert that fits is sent as it is in the journal."""
        entry = make_entry()
        assert write(entry).endswith(b"] " + entry.document)


class TestShortening:
    def test_command_line_goes_first(self):
        """What the arguments say too is left out first, and named."""
        args = ["docker", "run", "x" * 5000]
        body = parse(write(make_entry(make_exec_alert(args=args))))["body"]
        assert args == body["process"]["args"]
        assert "command_line" not in body["process"]
        assert ["command_line"] == body["hullwatch"]["truncated"]

    def test_then_arguments(self):
        """Long arguments keep their beginning; the program, the user and the rules stay whole."""
        args = ["docker", "run", "--privileged", "x" * 31_000, "--pid=host"]
        message = write(make_entry(make_exec_alert(args=args)))
        body = parse(message)["body"]
        assert 4096 < len(message) <= 8192
        assert ["docker", "run", "--privileged", "x" * 4096 + "...", "--pid=host"] == body["process"]["args"]
        assert ["command_line", "args"] == body["hullwatch"]["truncated"]
        assert make_exec_alert().document["rule"] == body["rule"]

    def test_many_arguments(self):
        """Of very many arguments the first are kept."""
        body = parse(write(make_entry(make_exec_alert(args=["docker", *map(str, range(9000))]))))["body"]
        assert ["docker", "0", "1", "2"] == body["process"]["args"][:4]
        assert 100 < len(body["process"]["args"]) < 9000

    def test_what_the_sensor_cut_stays_named(self):
        """Truncation that happened earlier is still told."""
        entry = make_entry(
            hullwatch={"severity": "high", "truncated": ["working_directory"]}, process={"args": ["x" * 9000]}
        )
        body = parse(write(entry))["body"]
        assert ["working_directory", "command_line", "args"] == body["hullwatch"]["truncated"]

    def test_at_last_only_names(self):
        """A document that no clipping makes fit keeps who, what and which rule."""
        entry = make_entry(labels={f"k{number}": "v" for number in range(5000)})
        body = parse(write(entry, max_bytes=MIN_BYTES))["body"]
        assert "document" in body["hullwatch"]["truncated"]
        assert "labels" not in body
        assert ("event-1", "privileged") == (body["event"]["id"], body["rule"]["id"])
        assert ("high", "/usr/bin/docker", "root") == (
            body["hullwatch"]["severity"],
            body["process"]["executable"],
            body["user"]["name"],
        )

    @given(
        st.recursive(
            TEXT | st.integers(-(2**63), 2**63) | st.sampled_from(["\U0001f433" * 3000, "\x7f" * 9000, '"\\]' * 3000]),
            lambda inner: st.lists(inner, max_size=30) | st.dictionaries(TEXT, inner, max_size=5),
            max_leaves=20,
        ),
        st.sampled_from(["\U0001f433", "\x00", "]", "x", "é"]),
        st.integers(MIN_BYTES, 9000),
    )
    @settings(max_examples=40, deadline=None)
    def test_always_whole(self, value, character, max_bytes):
        """Whatever the document, the message fits and is complete."""
        long = character * 4000
        document = {
            "@timestamp": long,
            "event": {"id": long, "kind": long},
            "rule": {"id": long, "name": long},
            "threat": {"technique": {"id": [long, long]}},
            "hullwatch": {"severity": "high", "matched": value, "truncated": value},
            "process": {"executable": long, "args": value, "command_line": long, "pid": 2**64},
            "user": {"name": long},
            "container": {"id": long},
            "host": {"name": long},
            "value": value,
        }
        entry = Entry(1, "id", 0, Severity.HIGH, long, encode_document(document))
        message = write(entry, hostname=long, max_bytes=max_bytes)
        assert len(message) <= max_bytes
        assert not any(byte < 0x20 or byte == 0x7F for byte in message)
        assert isinstance(parse(message)["body"], dict)
