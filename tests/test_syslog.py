"""The syslog sink against real sockets: servers that come, go, do not read or take little."""

import socket
import time
from contextlib import closing, contextmanager

import pytest

from agent.address import Address, UdpEndpoint, UnixEndpoint
from agent.delivery import open_delivery
from agent.errors import SinkError
from agent.journal import open_journal
from agent.sinks.rfc5424 import MIN_BYTES
from agent.sinks.syslog import DEFAULT_MAX_BYTES, open_syslog
from tests.alerts import make_entry, make_exec_alert
from tests.test_rfc5424 import parse


@contextmanager
def listening(kind, address):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with closing(socket.socket(family, kind)) as server:
        server.settimeout(2)
        server.bind(address)
        if kind == socket.SOCK_STREAM:
            server.listen()
        yield server


@contextmanager
def sink_to(endpoint, **options):
    with closing(open_syslog(endpoint, name="syslog", hostname="node-1", procid=7, **options)) as sink:
        yield sink


def udp(server):
    return UdpEndpoint(Address(*server.getsockname()))


def received_id(server):
    return parse(server.recv(70_000))["body"]["event"]["id"]


def deliver_until_full(sink):
    for sent in range(5000):
        try:
            sink.deliver(make_entry(make_exec_alert(sent)))
        except SinkError as error:
            return sent, str(error)
    raise AssertionError("the queue never filled")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "log")


class TestUnixDatagram:
    def test_one_datagram_an_alert(self, path):
        """Each alert is one datagram."""
        with listening(socket.SOCK_DGRAM, path) as server, sink_to(UnixEndpoint(path)) as sink:
            for number in range(3):
                sink.deliver(make_entry(make_exec_alert(number)))
            assert ["event-0", "event-1", "event-2"] == [received_id(server) for _ in range(3)]

    def test_restarted_server(self, path, tmp_path):
        """A server that was restarted under the same name gets the next alert without a failure."""
        with sink_to(UnixEndpoint(path)) as sink:
            with listening(socket.SOCK_DGRAM, path) as server:
                sink.deliver(make_entry(make_exec_alert(1)))
                assert "event-1" == received_id(server)
            (tmp_path / "log").unlink()
            with listening(socket.SOCK_DGRAM, path) as server:
                sink.deliver(make_entry(make_exec_alert(2)))
                assert "event-2" == received_id(server)

    def test_no_server(self, path):
        """Where no server is, or none listens any more, one sentence says so; later it works."""
        with sink_to(UnixEndpoint(path)) as sink:
            with pytest.raises(SinkError, match=r"^syslog: the syslog server did not take an alert: No such file"):
                sink.deliver(make_entry())
            with listening(socket.SOCK_DGRAM, path) as server:
                sink.deliver(make_entry())
                assert "event-1" == received_id(server)
            with pytest.raises(SinkError, match="Connection refused"):
                sink.deliver(make_entry())

    def test_server_that_does_not_read(self, path, monkeypatch):
        """A full queue is a failure after the time-out, not a hang; nothing is mixed up when it is read again."""
        monkeypatch.setattr("agent.sinks.syslog._TIMEOUT_S", 0.1)
        with listening(socket.SOCK_DGRAM, path) as server, sink_to(UnixEndpoint(path)) as sink:
            sent, error = deliver_until_full(sink)
            assert "it does not read" in error
            assert [f"event-{number}" for number in range(sent)] == [received_id(server) for _ in range(sent)]
            sink.deliver(make_entry(make_exec_alert(sent)))
            assert f"event-{sent}" == received_id(server)

    def test_small_buffer(self, path):
        """What the kernel does not take in one piece is shortened until it does."""
        with listening(socket.SOCK_DGRAM, path) as server, sink_to(UnixEndpoint(path), max_bytes=65_507) as sink:
            sink.deliver(make_entry())
            received_id(server)
            sink._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the kernel's least: 4,608
            sink.deliver(make_entry(make_exec_alert(2, args=("docker", "run", "x" * 30_000))))
            message = server.recv(70_000)
            assert MIN_BYTES < len(message) < 4608
            assert "args" in parse(message)["body"]["hullwatch"]["truncated"]

    def test_large_alert(self, path):
        """By default an alert is as long as a server takes by default; with more room it is sent whole."""
        alert = make_exec_alert(args=("docker", "run", "x" * 31_000))
        with listening(socket.SOCK_DGRAM, path) as server:
            with sink_to(UnixEndpoint(path)) as sink:
                sink.deliver(make_entry(alert))
                assert 4096 < len(server.recv(70_000)) <= DEFAULT_MAX_BYTES
            with sink_to(UnixEndpoint(path), max_bytes=1 << 20) as sink:
                sink.deliver(make_entry(alert))
                assert list(alert.document["process"]["args"]) == parse(server.recv(70_000))["body"]["process"]["args"]


class TestUnixStream:
    def test_one_line_an_alert(self, path):
        """A stream socket is recognised and gets one line an alert, over one connection."""
        with listening(socket.SOCK_STREAM, path) as server, sink_to(UnixEndpoint(path)) as sink:
            for number in range(3):
                sink.deliver(make_entry(make_exec_alert(number, args=("docker", "a\nb"))))
            sink.close()
            connection, _ = server.accept()
            with closing(connection), connection.makefile("rb") as lines:
                ids = [parse(line.removesuffix(b"\n"))["body"]["event"]["id"] for line in lines]
            assert ["event-0", "event-1", "event-2"] == ids

    def test_server_that_goes(self, path):
        """A connection that the server closed is opened again."""
        with listening(socket.SOCK_STREAM, path) as server, sink_to(UnixEndpoint(path)) as sink:
            sink.deliver(make_entry(make_exec_alert(1)))
            server.accept()[0].close()
            sink.deliver(make_entry(make_exec_alert(2)))
            connection, _ = server.accept()
            with closing(connection), connection.makefile("rb") as lines:
                assert "event-2" == parse(lines.readline().removesuffix(b"\n"))["body"]["event"]["id"]


class TestUdp:
    def test_one_datagram_an_alert(self):
        """Each alert is one datagram."""
        with listening(socket.SOCK_DGRAM, ("127.0.0.1", 0)) as server, sink_to(udp(server)) as sink:
            for number in range(3):
                sink.deliver(make_entry(make_exec_alert(number)))
            assert ["event-0", "event-1", "event-2"] == [received_id(server) for _ in range(3)]

    def test_nobody_listens(self):
        """A refusal that the kernel knows of is a failure of that very alert, each time."""
        with listening(socket.SOCK_DGRAM, ("127.0.0.1", 0)) as server:
            endpoint = udp(server)
        with sink_to(endpoint) as sink:
            for _ in range(5):
                with pytest.raises(SinkError, match="Connection refused"):
                    sink.deliver(make_entry())

    def test_unknown_host(self):
        """A host that has no address is one sentence."""
        with sink_to(UdpEndpoint(Address("host.invalid", 514))) as sink, pytest.raises(SinkError, match="did not take"):
            sink.deliver(make_entry())

    def test_outage_loses_nothing(self, tmp_path):
        """Alerts of an outage arrive over UDP when the server is back, in order."""
        with listening(socket.SOCK_DGRAM, ("127.0.0.1", 0)) as server:
            endpoint = udp(server)
        with closing(open_journal(tmp_path)) as journal, sink_to(endpoint) as sink:
            delivery = open_delivery(tmp_path, [sink])
            for number in range(5):
                delivery.notify(journal.append([make_exec_alert(number)])[-1])
            time.sleep(0.3)
            with listening(socket.SOCK_DGRAM, (endpoint.address.host, endpoint.address.port)) as server:
                assert [f"event-{number}" for number in range(5)] == [received_id(server) for _ in range(5)]
            assert delivery.states["syslog"].failures > 0
            delivery.close(5)
