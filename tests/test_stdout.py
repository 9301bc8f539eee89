"""The stdout sink on a real terminal, a pipe, a file and a stream that nobody reads."""

import contextlib
import json
import os
import pty
import re

import pytest

from agent.errors import SinkError
from agent.event import Container
from agent.sinks.stdout import open_stdout, render_alert
from tests.alerts import make_entry, make_exec_alert

HOSTILE = "a\nb\r\x1b[31m\x9b2J\x07\u202eevil\u2028"


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        with contextlib.suppress(OSError):
            os.close(descriptor)


class TestElsewhere:
    def test_one_document_a_line(self, pipe):
        """Where no terminal is, each alert is one JSON document on a line of its own."""
        reader, writer = pipe
        sink = open_stdout(writer)
        entries = [make_entry(make_exec_alert(number, args=("docker", HOSTILE))) for number in range(3)]
        for entry in entries:
            sink.deliver(entry)
        lines = os.read(reader, 65_536).splitlines()
        assert [entry.document for entry in entries] == lines
        assert HOSTILE == json.loads(lines[0])["process"]["args"][1]

    def test_file(self, tmp_path):
        """A file gets whole lines of any length."""
        with (tmp_path / "alerts").open("wb") as file:
            open_stdout(file.fileno()).deliver(make_entry(make_exec_alert(args=("x" * 300_000,))))
        assert 300_000 == len(json.loads((tmp_path / "alerts").read_text())["process"]["args"][0])

    def test_reader_that_went(self, pipe):
        """A pipe whose reader is gone is one sentence."""
        reader, writer = pipe
        os.close(reader)
        with pytest.raises(SinkError, match=r"^stdout: an alert could not be written: Broken pipe$"):
            open_stdout(writer).deliver(make_entry())

    def test_reader_that_sleeps(self, pipe, monkeypatch):
        """A full pipe is a failure after the time-out; the next line begins on its own."""
        monkeypatch.setattr("agent.sinks.stdout._TIMEOUT_S", 0.05)
        reader, writer = pipe
        sink = open_stdout(writer)
        large = make_entry(make_exec_alert(args=("x" * 40_000,)))
        with pytest.raises(SinkError, match="nobody reads"):
            sink.deliver(large)
        os.read(reader, 1 << 20)
        sink.deliver(make_entry())
        torn, line = os.read(reader, 1 << 20).split(b"\n")[-3:-1]
        assert "event-1" == json.loads(line)["event"]["id"]
        assert b"" == torn


class TestTerminal:
    def test_readable_line(self):
        """A terminal gets one colored line that says who did what, and how bad it is."""
        controller, terminal = pty.openpty()
        try:
            open_stdout(terminal).deliver(make_entry())
            written = os.read(controller, 65_536).decode()
        finally:
            os.close(controller)
            os.close(terminal)
        assert "\x1b[31m" in written
        plain = re.sub(r"\x1b\[[0-9;]*m", "", written)
        assert 1 == plain.count("\n")
        for text in ("2026-01-01", "high", "Name of privileged", "user=root", "command='docker ps'", "technique=T1610"):
            assert text in plain

    def test_nothing_hostile_gets_through(self):
        """Text of an attacker can neither color, move nor reverse the line; only our colors are in it."""
        alert = make_exec_alert(
            executable=HOSTILE,
            args=("docker", HOSTILE),
            user_name=HOSTILE,
            container=Container(id=HOSTILE, pod_name=HOSTILE, namespace=HOSTILE),
        )
        assert render_alert(alert.document, colors=False).isprintable()
        colored = render_alert(alert.document, colors=True)
        assert re.sub(r"\x1b\[[0-9]*m", "", colored).isprintable()
        assert set(re.findall(r"\x1b\[[0-9]*m", render_alert(make_exec_alert().document, colors=True))) >= set(
            re.findall(r"\x1b\[[0-9]*m", colored)
        )

    def test_long_command(self):
        """A long command line is cut on a terminal."""
        line = render_alert(make_exec_alert(args=("docker", "x" * 9000)).document, colors=False)
        assert "xxx..." in line
        assert len(line) < 2000

    def test_empty_document(self):
        """A document without any of the fields still gives a line."""
        assert "alert" in render_alert({}, colors=False)
