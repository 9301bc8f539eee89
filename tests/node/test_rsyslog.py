"""A real rsyslogd takes our alerts apart: over its Unix socket and over UDP, with its stock limits."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing

import pytest

from agent.address import Address, UdpEndpoint, UnixEndpoint
from agent.delivery import open_delivery
from agent.journal import open_journal
from agent.sinks.syslog import DEFAULT_MAX_BYTES, open_syslog
from tests.alerts import make_entry, make_exec_alert

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(not shutil.which("rsyslogd"), reason="needs rsyslogd (apt install rsyslog)"),
]

# One JSON object a line, of what rsyslog itself parsed out of each message.
CONFIGURATION = """
global(workDirectory="{directory}")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
template(name="parsed" type="list" option.jsonf="on") {{
    property(outname="pri" name="pri" format="jsonf")
    property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="hostname" name="hostname" format="jsonf")
    property(outname="app_name" name="app-name" format="jsonf")
    property(outname="procid" name="procid" format="jsonf")
    property(outname="msgid" name="msgid" format="jsonf")
    property(outname="sd" name="structured-data" format="jsonf")
    property(outname="msg" name="msg" format="jsonf")
    property(outname="protocol" name="protocol-version" format="jsonf")
}}
ruleset(name="keep") {{ action(type="omfile" file="{directory}/parsed" template="parsed") }}
input(type="imuxsock" Socket="{directory}/log" useSpecialParser="off" parseHostname="on"
    ignoreTimestamp="off" useSysTimeStamp="off" RateLimit.Interval="0" ruleset="keep")
input(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="4m" ruleset="keep")
"""

INJECTION = (
    "docker",
    "a\n<34>1 2026-01-01T00:00:00Z forged su - - - forged\r\n",
    '"] [hullwatch@32473 rule="forged"] {"rule":{"id":"forged"}}',
    "\x1b[2J\x1b[31m\x9b1A\x07\x00\x7f",
    "\u202e\u2066exe.txt\u2028\u2029\ufeff",
    r"\xff\xfe",
    "🐳 jürgen %msg% $!all",
)


class Rsyslog:
    def __init__(self, directory):
        self.directory = directory
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (directory / "rsyslog.conf").write_text(CONFIGURATION.format(directory=directory, port=self.port))
        self.process = None

    def start(self):
        command = ["rsyslogd", "-n", "-f", self.directory / "rsyslog.conf", "-i", self.directory / "pid"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        self._wait(lambda: (self.directory / "log").exists() and f":{self.port:04X}" in udp_table())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=10)
        assert b"" == errors

    def parsed(self, count):
        """What rsyslog has written, once it is `count` messages."""
        file = self.directory / "parsed"
        self._wait(lambda: file.exists() and file.read_bytes().count(b"\n") >= count)
        return [json.loads(line) for line in file.read_text().splitlines()]

    def _wait(self, holds):
        deadline = time.monotonic() + 10
        while not holds():
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def endpoint(self, kind):
        return (
            UnixEndpoint(str(self.directory / "log"))
            if kind == "unix"
            else UdpEndpoint(Address("127.0.0.1", self.port))
        )


def udp_table():
    with open("/proc/net/udp") as table:
        return table.read()


@pytest.fixture
def rsyslog(tmp_path):
    directory = tmp_path / "rsyslog"
    directory.mkdir()
    server = Rsyslog(directory)
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("kind", ["unix", "udp"])
class TestRsyslog:
    def send(self, rsyslog, kind, *alerts):
        with closing(open_syslog(rsyslog.endpoint(kind), name=kind, hostname="node-1", procid=os.getpid())) as sink:
            for alert in alerts:
                sink.deliver(make_entry(alert))
        return rsyslog.parsed(len(alerts))

    def test_parsed_as_rfc_5424(self, rsyslog, kind):
        """Header, structured data and JSON body arrive as the fields they are."""
        alert = make_exec_alert(time_ns=1_767_225_600_123_456_000)
        (message,) = self.send(rsyslog, kind, alert)
        body = json.loads(message.pop("msg"))
        expected = {
            "pri": "83",
            "time": "2026-01-01T00:00:00.123456Z",
            "hostname": "node-1",
            "app_name": "hullwatch",
            "procid": str(os.getpid()),
            "msgid": "privileged",
            "protocol": "1",
            "sd": '[hullwatch@32473 rule="privileged" rule_name="Name of privileged" severity="high" technique="T1610"'
            ' event_id="event-1" user="root" executable="/usr/bin/docker"]',
        }
        assert expected == {**message, "time": message["time"].replace("+00:00", "Z")}
        assert json.loads(make_entry(alert).document) == body

    def test_injection(self, rsyslog, kind):
        """Text of an attacker makes no second message, no second element and no other field."""
        alert = make_exec_alert(executable='/tmp/"] [x@1 y="\n\\', args=INJECTION, user_name="a\x1b[0m\u202eb")
        (message,) = self.send(rsyslog, kind, alert)
        assert list(INJECTION) == json.loads(message["msg"])["process"]["args"]
        assert r'executable="/tmp/\"\] [x@1 y=\"\\x0a\\"]' in message["sd"]
        assert r'user="a\\x1b[0m\\u202eb"' in message["sd"]
        assert (message["sd"] + message["msg"]).isprintable()
        assert message["msg"].isascii()

    def test_long_arguments(self, rsyslog, kind):
        """Under rsyslog's stock limit of 8 KiB a long command line leaves the body whole and says what is missing."""
        alerts = [make_exec_alert(number, args=("docker", "x" * size)) for number, size in enumerate((7000, 31_000))]
        for message in self.send(rsyslog, kind, *alerts):
            body = json.loads(message["msg"])
            assert "command_line" in body["hullwatch"]["truncated"]

    def test_exactly_the_limit(self, rsyslog, kind):
        """A message that fills the limit to the last byte is not cut."""
        short = len(make_entry(make_exec_alert(args=("docker", ""), command_line=None)).document)
        alerts = [
            make_exec_alert(number, args=("docker", "x" * (DEFAULT_MAX_BYTES - short - number)), command_line=None)
            for number in range(180, 240)
        ]
        bodies = [json.loads(message["msg"]) for message in self.send(rsyslog, kind, *alerts)]
        assert any("truncated" not in body["hullwatch"] for body in bodies)
        assert any("truncated" in body["hullwatch"] for body in bodies)

    def test_restart(self, rsyslog, kind, tmp_path):
        """What is alerted while rsyslog is down arrives when it is back, in order."""
        with closing(open_journal(tmp_path / "state")) as journal:
            sink = open_syslog(rsyslog.endpoint(kind), name=kind, hostname="node-1", procid=1)
            delivery = open_delivery(tmp_path / "state", [sink])
            delivery.notify(journal.append([make_exec_alert(0)])[-1])
            rsyslog.parsed(1)
            rsyslog.stop()
            delivery.notify(journal.append([make_exec_alert(number) for number in range(1, 11)])[-1])
            time.sleep(0.3)
            assert (10, False) == (delivery.backlog(kind), delivery.states[kind].up)
            rsyslog.start()
            ids = [json.loads(message["msg"])["event"]["id"] for message in rsyslog.parsed(11)]
            assert {kind: 0} == delivery.close(5)
        assert [f"event-{number}" for number in range(11)] == ids
