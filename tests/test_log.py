import io
import json
import logging
import os
import pty
import re
import unicodedata

import pytest
import structlog
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.log import _ToStructlog, configure_logging
from agent.text import make_printable

STYLES = re.compile(r"\x1b\[[0-9;]*m")  # the renderer's own colours
HOSTILE = "a\nb\r\x1b[2Jc\x9b1m\u2028\u202e\x7f\ud800"


@pytest.fixture(autouse=True)
def _restore_logging():
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _ToStructlog)]:
        root.removeHandler(handler)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def fail(error):
    """Raise an error, so that it has a traceback."""
    raise error


def logged(stream, *args, **values):
    """What one log call writes to a stream."""
    configure_logging(stream)
    structlog.get_logger().info(*args, **values)
    return stream.getvalue()


class TestFormat:
    def test_json_elsewhere(self):
        """A file or a pipe gets one JSON object a line, with level and UTC time."""
        entry = json.loads(logged(io.StringIO(), "sensor open", sensor="core", lost=0))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", entry.pop("timestamp"))
        assert entry == {"event": "sensor open", "level": "info", "sensor": "core", "lost": 0}

    def test_console_on_a_terminal(self):
        """A real terminal gets readable text."""
        main, secondary = pty.openpty()
        with os.fdopen(secondary, "w") as stream, os.fdopen(main, "rb", buffering=0) as screen:
            configure_logging(stream)
            structlog.get_logger().info("sensor open", sensor="core")
            text = STYLES.sub("", screen.read(4096).decode())
        assert re.fullmatch(r"\S+Z \[info +\] sensor open +sensor=core\r\n", text)

    def test_debug_is_silent(self):
        """Debug entries are not written."""
        stream = io.StringIO()
        configure_logging(stream)
        structlog.get_logger().debug("noise")
        assert stream.getvalue() == ""

    def test_other_types(self):
        """A value that JSON does not know is written as Python shows it."""
        assert json.loads(logged(io.StringIO(), "x", error=OSError(2, "no")))["error"] == "FileNotFoundError(2, 'no')"


class TestHostileText:
    def test_json_gives_the_text_back(self):
        """In JSON nothing is lost and nothing but printable ASCII is written."""
        line = logged(io.StringIO(), HOSTILE, value=HOSTILE, values=[HOSTILE])
        assert re.fullmatch(r"[ -~]+\n", line)
        entry = json.loads(line)
        assert (entry["event"], entry["value"], entry["values"]) == (HOSTILE, HOSTILE, [HOSTILE])

    @pytest.mark.parametrize(
        "value", [HOSTILE, [HOSTILE], {"k": HOSTILE}, ValueError(HOSTILE), HOSTILE.encode("utf-8", "replace")]
    )
    def test_console_is_one_printable_line(self, value):
        """On a terminal an entry stays one line without a control sequence of its own."""
        text = STYLES.sub("", logged(Terminal(), HOSTILE, value=value))
        assert text.endswith("\n")
        assert text[:-1].isprintable()

    def test_traceback_on_a_terminal(self):
        """A traceback's lines are indented, those that its message brings along too."""
        stream = Terminal()
        configure_logging(stream)
        try:
            fail(ValueError("bad\n2026-01-01T00:00:00Z [info] all is well \x1b[2J"))
        except ValueError:
            structlog.get_logger().exception("failed")
        first, *rest = STYLES.sub("", stream.getvalue()).rstrip("\n").split("\n")
        assert "failed" in first
        assert rest[-1] == "    2026-01-01T00:00:00Z [info] all is well \\x1b[2J"
        assert all(line.startswith("    ") for line in rest)

    @settings(max_examples=200, deadline=None)
    @given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "L"])))
    @example(HOSTILE)
    def test_escaped_text_is_harmless(self, text):
        """Escaped text has no control, no line end and no surrogate; letters are untouched."""
        escaped = make_printable(text)
        assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(character) for character in escaped}
        assert escaped.encode().decode() == escaped
        assert not {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI"} & {
            unicodedata.bidirectional(character) for character in escaped
        }

    def test_escape_form(self):
        """A control character is written by its number."""
        assert make_printable("ä \x1b\x9b\u2028\ud800") == "ä \\x1b\\x9b\\u2028\\ud800"


class TestStandardLibrary:
    def test_warning_of_a_dependency(self):
        """What a dependency warns of is an entry like any other."""
        stream = io.StringIO()
        configure_logging(stream)
        logging.getLogger("sigma.rule").warning("odd %s", "rule")
        entry = json.loads(stream.getvalue())
        assert (entry["level"], entry["event"], entry["logger"]) == ("warning", "odd rule", "sigma.rule")

    def test_exception_of_a_dependency(self):
        """Its exceptions keep their traceback."""
        stream = io.StringIO()
        configure_logging(stream)
        try:
            fail(KeyError("k"))
        except KeyError:
            logging.getLogger("x").exception("failed")
        entry = json.loads(stream.getvalue())
        assert entry["level"] == "error"
        assert entry["exception"].endswith("KeyError: 'k'")

    def test_chatter_of_a_dependency(self):
        """Its information is not written."""
        stream = io.StringIO()
        configure_logging(stream)
        logging.getLogger("sigma.rule").info("noise")
        assert stream.getvalue() == ""


class TestStreams:
    def test_last_call_holds(self):
        """A logger from before writes where the last call says, and only there, once."""
        first, second = io.StringIO(), io.StringIO()
        configure_logging(first)
        log = structlog.get_logger()
        log.info("one")
        configure_logging(second)
        log.info("two")
        logging.getLogger("x").warning("three")
        assert [json.loads(line)["event"] for line in first.getvalue().splitlines()] == ["one"]
        assert [json.loads(line)["event"] for line in second.getvalue().splitlines()] == ["two", "three"]

    def test_standard_error_by_default(self, capsys):
        """Without a stream the log goes to standard error as it is at the call."""
        configure_logging()
        structlog.get_logger().info("here")
        captured = capsys.readouterr()
        assert captured.out == ""
        assert json.loads(captured.err)["event"] == "here"

    def test_broken_pipe(self):
        """A reader that has gone does not end the agent."""
        reader, writer = os.pipe()
        os.close(reader)
        stream = os.fdopen(writer, "w")
        configure_logging(stream)
        structlog.get_logger().info("nobody listens")
        with pytest.raises(BrokenPipeError):
            stream.close()

    def test_full_disk(self):
        """A file that takes no more does not end the agent."""
        stream = open("/dev/full", "w")  # noqa: SIM115 - closing it fails, as it must
        configure_logging(stream)
        structlog.get_logger().info("no room")
        with pytest.raises(OSError, match="No space left"):
            stream.close()
