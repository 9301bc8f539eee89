"""Events from ECS documents and to ECS documents."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.fields import FIELDS
from agent.ecs import parse_document, to_document
from agent.errors import DecodeError
from agent.event import Ancestor, Connect, Container, Exec, File, Namespaces, Parent, Process
from agent.intent.model import FileReference, Intent
from tests.events import make_connect, make_exec

ELASTIC = {
    "@timestamp": "2026-01-01T00:00:00.123Z",
    "event": {"id": "e-1", "category": ["process"], "type": "start", "action": "exec", "kind": "event"},
    "host": {"os.type": "linux", "name": "node-1"},
    "process": {
        "pid": 42,
        "executable": "/usr/bin/ctr",
        "args": ["ctr", "run"],
        "parent": {"executable": "/bin/bash", "pid": "41"},
        "env_vars": ["DOCKER_HOST=tcp://x", "EMPTY=", "BARE"],
        "tty": {"char_device": {"major": 136, "minor": 1}},
    },
    "user": {"id": "0", "name": "root", "effective.id": "0"},
    "container": {"id": "abc", "image": {"name": "nginx"}},
    "orchestrator": {"namespace": "default", "resource": {"name": "web-0"}},
    "labels": {"team": "a", "list": ["x"]},
}


class TestParse:
    """A document in ECS names."""

    def test_members(self):
        """Each field lands in its member."""
        event = parse_document(ELASTIC)
        expected = Process(
            pid=42,
            executable="/usr/bin/ctr",
            args=("ctr", "run"),
            command_line="ctr run",
            env={"DOCKER_HOST": "tcp://x", "EMPTY": "", "BARE": ""},
            tty=(136, 1),
            uid=0,
            euid=0,
            user_name="root",
        )
        assert expected == event.process
        assert Parent(executable="/bin/bash", pid=41) == event.parent
        assert Container(id="abc", image="nginx", namespace="default", pod_name="web-0") == event.container
        assert ("e-1", 1_767_225_600_123_000_000) == (event.id, event.time_ns)

    def test_fields(self):
        """What has no member is kept under its dotted name, a list as a tuple."""
        expected = {
            "event.id": "e-1",
            "event.category": ("process",),
            "event.type": ("start",),
            "event.action": "exec",
            "event.kind": "event",
            "host.os.type": "linux",
            "host.name": "node-1",
            "labels.team": "a",
            "labels.list": ("x",),
            "@timestamp": "2026-01-01T00:00:00.123Z",
        }
        assert expected == parse_document(ELASTIC).fields

    def test_absent_stays_absent(self):
        """Nothing is filled in from an executable or a command line: rules test that a field is missing."""
        event = parse_document({"process.executable": "/usr/bin/ctr", "process.command_line": "ctr run"})
        assert Process(executable="/usr/bin/ctr", command_line="ctr run") == event.process
        assert (None, {}, "replay", "replay", 0) == (
            event.container,
            event.fields,
            event.sensor,
            event.origin,
            event.time_ns,
        )

    def test_time_of_the_caller(self):
        """A document without a time has the caller's."""
        assert 7 == parse_document({}, time_ns=7).time_ns
        assert 123_000_000 == parse_document({"@timestamp": "1970-01-01T00:00:00.123Z"}, time_ns=7).time_ns

    def test_id_of_content(self):
        """Without an id it is a hash of the content, whatever the order and spelling of keys."""
        first = parse_document({"process": {"pid": 1, "name": "a"}})
        assert first.id == parse_document({"process.name": "a", "process.pid": 1}).id
        assert first.id != parse_document({"process": {"pid": 2, "name": "a"}}).id

    def test_single_argument(self):
        """Arguments given as one text are one argument."""
        assert ("ctr run",) == parse_document({"process.args": "ctr run"}).process.args

    def test_user_id_that_is_no_number(self):
        """A user id of another system is kept as a field."""
        event = parse_document({"user.id": "S-1-5-18", "process.login_user.id": "4294967295"})
        assert (None, None, {"user.id": "S-1-5-18"}) == (event.process.uid, event.process.login_uid, event.fields)

    def test_several_actions(self):
        """An action that an agent merged from several keeps them all."""
        assert ("fork", "exec") == parse_document({"event.action": ["fork", "exec"]}).fields["event.action"]

    def test_rules_names(self):
        """What rules call intent, truncation and ancestors can be given so."""
        document = {
            "intent": {"tool": "docker", "mounts": "/", "privileged": True},
            "process": {"truncated": "args", "ancestors": [{"name": "bash"}, {"name": "sshd"}]},
        }
        event = parse_document(document)
        assert Intent(tool="docker", mounts=("/",), privileged=True) == event.intent
        assert ("args",) == event.process.truncated
        assert ["bash", "sshd"] == [ancestor.comm for ancestor in event.ancestors]


class TestConnect:
    """A connection to a socket."""

    def test_connect(self):
        """Action and address make a document a connection."""
        document = {"event.action": "connected-to", "destination": {"address": "/run/x.sock", "requested": "x.sock"}}
        event = parse_document(document)
        assert isinstance(event, Connect)
        assert ("/run/x.sock", "x.sock") == (event.address, event.requested)
        assert {"event.action": "connected-to"} == event.fields

    @pytest.mark.parametrize("document", [{"event.action": "connected-to"}, {"destination.address": "/run/x.sock"}])
    def test_no_connect(self, document):
        """One of the two is not enough."""
        event = parse_document(document)
        assert isinstance(event, Exec)
        assert document == event.fields


class TestErrors:
    """A document that is not what it claims to be."""

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({"process.pid": "abc"}, "'process.pid' is not a whole number: 'abc'."),
            ({"process": {"name": ["a", "b"]}}, "'process.name' has 2 values where one is expected."),
            ({"process.memfd": "maybe"}, "'process.memfd' is neither true nor false: 'maybe'."),
            ({"@timestamp": "now"}, "'@timestamp' is not a time: 'now'."),
            ({"hullwatch.raw_args": ["é"]}, "'hullwatch.raw_args' is not base64."),
            ({"hullwatch.ancestors": [{"comm": "a"}]}, "'hullwatch.ancestors' has members that lack"),
            ({"intent.verb": "run"}, "'intent' cannot be read: Object missing required field `tool`"),
            ({"hullwatch.file": {"dev": "x", "inode": 1}}, "'hullwatch.file' cannot be read: "),
            ({"a": object()}, "'a' holds a object, which is not JSON."),
            ([], "A document is an object, not a list."),
        ],
    )
    def test_message(self, document, message):
        """One sentence names the field and what is wrong."""
        with pytest.raises(DecodeError) as caught:
            parse_document(document)
        assert str(caught.value).startswith(message)

    @given(
        st.dictionaries(
            st.sampled_from(
                [*FIELDS, "hullwatch.intent.tool", "hullwatch.file.dev", "hullwatch.raw_args", "Image", "x"]
            ),
            st.none() | st.booleans() | st.integers(-5, 2**66) | st.floats() | st.text(max_size=4) | st.just(["a", 1]),
            max_size=6,
        )
    )
    @settings(max_examples=150, deadline=None)
    def test_any_values(self, document):
        """Any values under known names give an event or a DecodeError; the event can be written."""
        try:
            event = parse_document(document)
        except DecodeError:
            return
        msgspec.json.encode(to_document(event))


class TestWrite:
    """An event as a document."""

    def test_shape(self):
        """A document is nested ECS; nothing absent is written."""
        event = make_exec(time_ns=1_767_225_600_123_456_789, sensor="core", tty=(136, 0), origin="live")
        expected = {
            "@timestamp": "2026-01-01T00:00:00.123Z",
            "event": {
                "id": "event-1",
                "kind": "event",
                "category": ("process",),
                "type": ("start",),
                "action": "exec",
            },
            "host": {"os": {"type": "linux"}, "name": "node-1"},
            "process": {
                "pid": 4242,
                "executable": "/usr/bin/docker",
                "name": "docker",
                "args": ("docker", "ps"),
                "args_count": 2,
                "command_line": "docker ps",
                "working_directory": "/root",
                "tty": {"char_device": {"major": 136, "minor": 0}},
                "parent": {"pid": 4000, "executable": "/usr/bin/bash", "name": "bash"},
            },
            "user": {"id": "0", "name": "root", "effective": {"id": "0"}},
            "group": {"id": "0"},
            "hullwatch": {"sensor": "core", "origin": "live"},
        }
        assert expected == to_document(event)

    def test_starts(self):
        """With the event's boot time known, starts are points in time."""
        event = make_exec(boot_ns=5_000_000_000, start_ns=3_000_000_000)
        assert "2025-12-31T23:59:58.000Z" == to_document(event)["process"]["start"]

    def test_zero_is_a_value(self):
        """An executable without links is told as such."""
        event = make_exec(file=File(dev=0, inode=5, links=0))
        assert {"dev": 0, "inode": 5, "links": 0} == to_document(event)["hullwatch"]["file"]

    def test_files_of_an_intent(self):
        """The files that a command names are plain objects of the document, and no part of what is read back."""
        files = (FileReference(kind="manifest", path="/m.yaml"), FileReference(kind="overrides", text="{}"))
        document = to_document(make_exec(intent=Intent(tool="kubectl", files=files)))
        assert {"kind": "manifest", "path": "/m.yaml", "text": None} == document["hullwatch"]["intent"]["files"][0]
        assert Intent(tool="kubectl") == parse_document(document).intent


TEXTS = st.text(max_size=6)
NUMBERS = st.integers(0, 2**32 - 2)


def maybe(strategy):
    """Or absent."""
    return st.none() | strategy


def a_list(strategy):
    """A tuple that is absent rather than empty."""
    return st.none() | st.lists(strategy, min_size=1, max_size=3).map(tuple)


PROCESSES = st.builds(
    Process,
    pid=maybe(NUMBERS),
    thread_id=maybe(NUMBERS),
    executable=maybe(TEXTS),
    name=maybe(TEXTS),
    comm=maybe(TEXTS),
    args=a_list(TEXTS),
    raw_args=a_list(st.binary(max_size=4)),
    args_count=maybe(NUMBERS),
    command_line=TEXTS,
    env=maybe(st.dictionaries(st.sampled_from(["DOCKER_HOST", "KUBECONFIG"]), TEXTS, min_size=1)),
    working_directory=maybe(TEXTS),
    filename=maybe(TEXTS),
    interpreter=maybe(TEXTS),
    file=maybe(st.builds(File, dev=NUMBERS, inode=NUMBERS, links=maybe(NUMBERS), mode=maybe(NUMBERS))),
    deleted=st.booleans(),
    memfd=st.booleans(),
    uid=maybe(NUMBERS),
    gid=maybe(NUMBERS),
    euid=maybe(NUMBERS),
    login_uid=maybe(NUMBERS),
    session_id=maybe(NUMBERS),
    tty=maybe(st.tuples(NUMBERS, NUMBERS)),
    user_name=maybe(TEXTS),
    namespaces=maybe(st.builds(Namespaces, mount=NUMBERS, pid=NUMBERS, user=NUMBERS)),
    cgroup_id=maybe(NUMBERS),
    cgroup=maybe(TEXTS),
    truncated=st.sampled_from([(), ("args",), ("args", "executable")]),
    unavailable=st.sampled_from([(), ("args",)]),
)
COMMON = {
    "id": st.text(min_size=1, max_size=6),
    "time_ns": st.integers(1, 2**43).map(lambda time_ms: time_ms * 1_000_000),
    "sensor": st.sampled_from(["core", "audit"]),
    "origin": st.sampled_from(["live", "scan", "replay"]),
    "process": PROCESSES,
    "parent": st.builds(
        Parent,
        pid=maybe(NUMBERS),
        executable=maybe(TEXTS),
        name=maybe(TEXTS),
        comm=maybe(TEXTS),
        args=a_list(TEXTS),
        command_line=TEXTS,
    ),
    "ancestors": st.lists(st.builds(Ancestor, pid=NUMBERS, start_ns=NUMBERS, comm=TEXTS), max_size=2).map(tuple),
    "container": maybe(
        st.builds(
            Container, id=TEXTS, runtime=maybe(TEXTS), image=maybe(TEXTS), pod_name=maybe(TEXTS), name=maybe(TEXTS)
        )
    ),
    "intent": maybe(
        st.builds(
            Intent,
            tool=TEXTS,
            verb=maybe(TEXTS),
            privileged=st.booleans(),
            mounts=st.lists(TEXTS, max_size=2).map(tuple),
            command=st.lists(TEXTS, max_size=2).map(tuple),
        )
    ),
    "fields": st.fixed_dictionaries(
        {"event.category": st.just(("process",)), "event.action": st.just("connected-to")},
        optional={"host.name": TEXTS, "labels.a": a_list(TEXTS).filter(bool), "labels.b": st.booleans()},
    ),
}
EVENTS = st.builds(Exec, **COMMON) | st.builds(Connect, address=TEXTS, requested=maybe(TEXTS), **COMMON)


class TestRoundTrip:
    """What is written is read back."""

    @given(EVENTS)
    @settings(max_examples=75, deadline=None)
    def test_round_trip(self, event):
        """Every member survives the way through JSON; the origin is told anew, id and time join the fields."""
        read = parse_document(json.loads(msgspec.json.encode(to_document(event))))
        written = {name: value for name, value in read.fields.items() if name not in ("event.id", "@timestamp")}
        assert "replay" == read.origin
        assert event == msgspec.structs.replace(read, fields=written, origin=event.origin)

    def test_known_fields(self):
        """Every field that a rule can name reads the same after the way through a document."""
        for event in (make_exec(), make_connect(requested="docker.sock")):
            read = parse_document(to_document(event))
            for field in FIELDS.values():
                if field.name not in ("event.id", "@timestamp"):
                    assert field.get(event) == field.get(read), field.name
