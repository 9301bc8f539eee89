import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import config as module
from agent.address import Address, UdpEndpoint, UnixEndpoint
from agent.config import (
    Config,
    StdoutSink,
    SyslogSink,
    load_config,
    parse_config,
    shipped_rules_dir,
)
from agent.errors import ConfigError

SHIPPED_FILE = Path(__file__).parent.parent / "deploy" / "hullwatch.toml"
PATH = Path("hullwatch.toml")


def faults_of(text):
    """The fault lines of a text, without the file name that each must begin with."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, PATH)
    lines = str(caught.value).split("\n")
    assert all(line.startswith("hullwatch.toml: ") for line in lines)
    return [line.removeprefix("hullwatch.toml: ") for line in lines]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = st.sampled_from([*Config.__struct_fields__, "type", "name", "address", "listen", "window_s", "ring_bytes", "x"])
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(["syslog", "stdout", "udp://h:1", "/x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def to_toml(value):
    """A value as TOML writes it in a line; JSON's notation serves for all but tables."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {to_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(to_toml(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def is_config_or_fault(text):
    """Whether reading a text ends as it is documented to; any other exception passes through."""
    try:
        return isinstance(parse_config(text, PATH), Config)
    except ConfigError as error:
        return str(error).startswith("hullwatch.toml: ")


def dotted_keys(struct, prefix=""):
    """Every key that a struct of the configuration has, tables walked into, sinks apart."""
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from dotted_keys(field.type, f"{prefix}{field.name}.")
        elif field.name != "sinks":
            yield prefix + field.name


class TestDefaults:
    def test_empty_text_is_all_defaults(self):
        """A configuration without a key is the built-in one."""
        assert Config() == parse_config("", PATH)

    def test_default_sinks(self):
        """Without a [[sinks]] table, alerts go to the local syslog and to standard output."""
        assert (SyslogSink(address=UnixEndpoint("/dev/log")), StdoutSink()) == Config().sinks

    def test_no_sinks_on_purpose(self):
        """An empty array is a choice: alerts stay in the journal."""
        assert parse_config("sinks = []", PATH).sinks == ()

    def test_shipped_rules_of_a_checkout(self):
        """In a checkout the shipped rules are those beside the package."""
        assert Path(__file__).parent.parent / "rules" == shipped_rules_dir()

    def test_shipped_rules_of_a_wheel(self, tmp_path, monkeypatch):
        """In an installed wheel the shipped rules are inside the package."""
        rules = tmp_path / "agent" / "data" / "rules"
        rules.mkdir(parents=True)
        monkeypatch.setattr(module, "__file__", str(tmp_path / "agent" / "config.py"))
        assert rules == shipped_rules_dir()


class TestShippedFile:
    def test_is_exactly_the_defaults(self):
        """The file that shows every key changes nothing."""
        assert Config() == load_config(SHIPPED_FILE)

    def test_names_every_key(self):
        """No key exists that the shipped file does not show."""
        document = tomllib.loads(SHIPPED_FILE.read_text())
        shown = {f"{name}.{key}" for name, table in document.items() if isinstance(table, dict) for key in table}
        shown |= {name for name, value in document.items() if not isinstance(value, dict)}
        assert {*dotted_keys(Config), "sinks"} == shown

    def test_names_every_key_of_every_sink(self):
        """Each type of sink is shown with all its keys."""
        shown = {table["type"]: set(table) for table in tomllib.loads(SHIPPED_FILE.read_text())["sinks"]}
        expected = {sink.__struct_config__.tag: {"type", *sink.__struct_fields__} for sink in (SyslogSink, StdoutSink)}
        assert expected == shown


class TestValues:
    def test_everything_set(self):
        """Every key reaches its member."""
        text = """
            sensor = "core"
            rules = ["/srv/rules", "shipped", "shipped/seeds"]
            state_dir = "/srv/state"
            http.listen = "[::1]:80"
            suppress.window_s = 0
            core.ring_bytes = 4096
            host = { proc = "/host/proc", root = "/host" }
            [[sinks]]
            type = "syslog"
            address = "udp://logs.example.org:514"
            name = "central"
            [[sinks]]
            type = "syslog"
            address = "unix:/run/rsyslog/dev/log"
        """
        config = parse_config(text, PATH)
        expected = Config(
            sensor="core",
            rules=(Path("/srv/rules"), shipped_rules_dir(), shipped_rules_dir() / "seeds"),
            state_dir=Path("/srv/state"),
            http=module.Http(listen=Address("::1", 80)),
            suppress=module.Suppress(window_s=0),
            core=module.Core(ring_bytes=4096),
            host=module.Host(proc=Path("/host/proc"), root=Path("/host")),
            sinks=(
                SyslogSink(name="central", address=UdpEndpoint(Address("logs.example.org", 514))),
                SyslogSink(name="syslog:unix:/run/rsyslog/dev/log", address=UnixEndpoint("/run/rsyslog/dev/log")),
            ),
        )
        assert expected == config

    def test_default_name_follows_the_address(self):
        """Two servers have two names without being asked."""
        address = UdpEndpoint(Address("::1", 514))
        assert SyslogSink(address=address).name == "syslog:udp://[::1]:514"


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ('http.lisen = ""', 'http.lisen: unknown key; did you mean "listen"?'),
            ("zzz = 1", "zzz: unknown key; known here: sensor, rules, state_dir, http, sinks, suppress, core, host"),
            (
                '"a b" = 1',
                '"a b": unknown key; known here: sensor, rules, state_dir, http, sinks, suppress, core, host',
            ),
            ("sensor = 1", "sensor: expected a string, got an integer"),
            ('sensor = "bcc"', 'sensor: "bcc" is no sensor of this version; expected "auto" or "core"'),
            ('sensor = "audit"', 'sensor: "audit" is no sensor of this version; expected "auto" or "core"'),
            ("http = 1", "http: expected a table, got an integer"),
            ("http = [1]", "http: expected a table, got an array"),
            ("state_dir = {}", "state_dir: expected a string, got a table"),
            ("state_dir = 2026-01-01", "state_dir: expected a string, got a date or time"),
            ('state_dir = "var"', 'state_dir: "var" is not an absolute path'),
            ('host.root = "/a\\u0000"', 'host.root: "/a\\u0000" is not an absolute path'),
            ('rules = "/r"', "rules: expected an array, got a string"),
            ("rules = [1]", "rules: expected an array of strings, got an integer in it"),
            ('rules = ["r"]', 'rules: "r" is not an absolute path'),
            ('http.listen = ":80"', 'http.listen: ":80" is not HOST:PORT (an IPv6 address stands in brackets)'),
            ("suppress.window_s = true", "suppress.window_s: expected an integer, got a boolean"),
            ("suppress.window_s = 1.5", "suppress.window_s: expected an integer, got a float"),
            ("suppress.window_s = -1", "suppress.window_s: expected 0 to 86400, got -1"),
            ("suppress.window_s = 86401", "suppress.window_s: expected 0 to 86400, got 86401"),
            ("core.ring_bytes = 12288", "core.ring_bytes: 12288 is not a power of two"),
            ("core.ring_bytes = 2048", "core.ring_bytes: expected 4096 to 1073741824, got 2048"),
            ("sinks = 1", "sinks: expected an array of tables ([[sinks]]), got an integer"),
            ("sinks = [1]", "sinks[0]: expected a table, got an integer"),
            ("sinks = [{}]", 'sinks[0].type: is missing; expected "stdout" or "syslog"'),
            ('sinks = [{type="file"}]', 'sinks[0].type: cannot be "file"; expected "stdout" or "syslog"'),
            ('sinks = [{type="stdout", adress=1}]', "sinks[0].adress: unknown key; known here: name"),
            ('sinks = [{type="syslog", adress=1}]', 'sinks[0].adress: unknown key; did you mean "address"?'),
            (
                'sinks = [{type="syslog", address="tls://h:1"}]',
                'sinks[0].address: "tls://h:1" is neither unix:PATH nor udp://HOST:PORT',
            ),
            (
                'sinks = [{type="stdout", name="a b"}]',
                'sinks[0].name: "a b" is not 1 to 128 printable ASCII characters without a space',
            ),
            (
                'sinks = [{type="stdout"}, {type="syslog", name="stdout"}]',
                'sinks[1].name: another sink is called "stdout" already',
            ),
        ],
    )
    def test_one_fault(self, text, fault):
        """A fault names its dotted key, what is wrong and what was expected."""
        assert [fault] == faults_of(text)

    def test_all_faults_at_once(self):
        """An operator sees everything there is to mend in one run."""
        faults = faults_of(
            'sensor = "bcc"\nhttp.lisen = 1\nsinks = [{type = "syslog", address = 1}, {type = "syslog"}, {type = "x"}]'
        )
        assert [fault.split(": ")[0] for fault in faults] == [
            "sensor",
            "http.lisen",
            "sinks[0].address",
            "sinks[2].type",
        ]

    @pytest.mark.parametrize("text", ["a = ", "[http", "a = 1\na = 2", "a = " + "[" * 5000, "a = " + "9" * 5000])
    def test_text_that_is_not_toml(self, text):
        """What TOML does not allow is one fault of the file."""
        faults = faults_of(text)
        assert len(faults) == 1
        assert faults[0].startswith("not valid TOML: ")

    @settings(max_examples=100, deadline=None)
    @given(TEXT)
    def test_any_text(self, text):
        """Any text is a configuration or a ConfigError, never another exception."""
        assert is_config_or_fault(text)

    @settings(max_examples=200, deadline=None)
    @given(st.dictionaries(KEYS, VALUES, max_size=3))
    def test_any_values(self, document):
        """Any value under any key is a configuration or a ConfigError, never another exception."""
        assert is_config_or_fault("\n".join(f"{key} = {to_toml(value)}" for key, value in document.items()))


class TestLoad:
    def test_no_file_at_the_default_place(self, tmp_path, monkeypatch):
        """An agent without a configuration file runs on the defaults."""
        monkeypatch.setattr(module, "DEFAULT_PATH", tmp_path / "none.toml")
        assert Config() == load_config(None)

    def test_file_at_the_default_place(self, tmp_path, monkeypatch):
        """The default file is read where it exists."""
        (tmp_path / "hullwatch.toml").write_text('sensor = "core"')
        monkeypatch.setattr(module, "DEFAULT_PATH", tmp_path / "hullwatch.toml")
        assert load_config(None).sensor == "core"

    def test_named_file_must_exist(self, tmp_path):
        """A file that was asked for and is not there is an error."""
        path = tmp_path / "none.toml"
        with pytest.raises(ConfigError, match=f"^{path}: cannot be read: No such file or directory$"):
            load_config(path)

    def test_directory(self, tmp_path):
        """A directory in the file's place is an error."""
        with pytest.raises(ConfigError, match=f"^{tmp_path}: cannot be read: Is a directory$"):
            load_config(tmp_path)

    def test_not_utf8(self, tmp_path):
        """Bytes that are not UTF-8 are an error with their place."""
        path = tmp_path / "hullwatch.toml"
        path.write_bytes(b'sensor = "\xff"')
        with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: not UTF-8 at byte 10$"):
            load_config(path)
