import http.client
import json
import socket
import threading
import time

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import health as module
from agent.address import Address
from agent.detect.rule import Severity
from agent.errors import ConfigError
from agent.health import Check, Heartbeat, Status, open_health_server
from agent.metrics import Metrics

pytestmark = pytest.mark.process

ANY_PORT = Address("127.0.0.1", 0)
GOOD = Status((Check("sensor", ok=True, detail="core"), Check("sink stdout", ok=True)))
BAD = Status((Check("sensor", ok=True, detail="core"), Check("rules", ok=False, detail="3 faults")))


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_server(clock):
    """Open servers on free ports; all are closed at the end."""
    servers = []

    def open_one(status=lambda: GOOD, metrics=None, listen=ANY_PORT):
        heartbeat = Heartbeat(max_age_s=10, clock=clock)
        servers.append(open_health_server(listen, metrics or Metrics(), heartbeat, status))
        return servers[-1]

    yield open_one
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def shared():
    """One server for many requests."""
    server = open_health_server(ANY_PORT, Metrics(), Heartbeat(), lambda: GOOD)
    yield server
    server.close()


def has_ipv6():
    """Whether this machine has the IPv6 loopback address."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def fetch(server, path, method="GET", headers=None):
    """Status, headers and body of one request."""
    connection = http.client.HTTPConnection(server.address.host, server.address.port, timeout=10)
    connection.request(method, path, headers=headers or {})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, dict(response.getheaders()), body


def talk(server, sent):
    """All that a server answers to raw bytes; empty when it just closes the connection."""
    with socket.create_connection((server.address.host, server.address.port), timeout=10) as connection:
        answer = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
        return answer


class TestHeartbeat:
    def test_young(self, clock):
        """A loop that has beaten within its time is alive."""
        heartbeat = Heartbeat(max_age_s=10, clock=clock)
        clock.now_s += 10
        assert heartbeat.check() == Check("loop", ok=True, detail="last turn 10.0 s ago, at most 10 s")

    def test_old(self, clock):
        """A loop that has not beaten for longer is not."""
        heartbeat = Heartbeat(max_age_s=10, clock=clock)
        clock.now_s += 10.5
        assert heartbeat.check() == Check("loop", ok=False, detail="last turn 10.5 s ago, at most 10 s")

    def test_beat(self, clock):
        """A beat makes it young again."""
        heartbeat = Heartbeat(max_age_s=10, clock=clock)
        clock.now_s += 60
        heartbeat.beat()
        assert heartbeat.check().ok


class TestHealthz:
    def test_alive(self, open_server):
        """While the loop beats the answer is 200, whatever the rest is like."""
        status, headers, body = fetch(open_server(lambda: BAD), "/healthz")
        assert (status, headers["Content-Type"]) == (200, "application/json")
        loop = {"name": "loop", "ok": True, "detail": "last turn 0.0 s ago, at most 10 s"}
        assert json.loads(body) == {"ok": True, "checks": [loop]}

    def test_stuck(self, open_server, clock):
        """A loop that is stuck gives 503."""
        server = open_server()
        clock.now_s += 11
        status, _, body = fetch(server, "/healthz")
        assert (status, json.loads(body)["ok"]) == (503, False)


class TestReadyz:
    def test_ready(self, open_server):
        """When every check holds the answer is 200 and lists them."""
        status, _, body = fetch(open_server(), "/readyz")
        answer = json.loads(body)
        assert (status, answer["ok"]) == (200, True)
        assert [check["name"] for check in answer["checks"]] == ["loop", "sensor", "sink stdout"]

    def test_not_ready(self, open_server):
        """One check that does not hold gives 503 and says why."""
        status, _, body = fetch(open_server(lambda: BAD), "/readyz")
        assert status == 503
        assert json.loads(body)["checks"][-1] == {"name": "rules", "ok": False, "detail": "3 faults"}

    def test_stuck(self, open_server, clock):
        """An agent whose loop is stuck is not ready."""
        server = open_server()
        clock.now_s += 11
        assert fetch(server, "/readyz")[0] == 503

    def test_hostile_detail(self, open_server):
        """A detail may hold any text."""
        status = Status((Check("rules", ok=False, detail="a\n\x1b\udcff"),))
        _, _, body = fetch(open_server(lambda: status), "/readyz")
        assert json.loads(body)["checks"][-1]["detail"] == "a\n\x1b\\udcff"
        assert b"\x1b" not in body

    def test_broken_status(self, open_server):
        """A fault in finding the status out is logged, ends one request and no more."""

        def broken():
            raise KeyError("sensor")

        server = open_server(broken)
        with structlog.testing.capture_logs() as entries, pytest.raises(http.client.RemoteDisconnected):
            fetch(server, "/readyz")
        assert [entry["event"] for entry in entries] == ["http request failed"]
        assert fetch(server, "/healthz")[0] == 200


class TestMetrics:
    def test_text(self, open_server):
        """A counter that has risen shows in the next scrape."""
        metrics = Metrics()
        server = open_server(metrics=metrics)
        metrics.count_alert("deploy", Severity.HIGH)
        status, headers, body = fetch(server, "/metrics?a=b")
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert b'hullwatch_alerts_total{rule="deploy",severity="high"} 1.0\n' in body

    def test_openmetrics(self, open_server):
        """The Accept header decides on the format."""
        _, headers, body = fetch(open_server(), "/metrics", headers={"Accept": "application/openmetrics-text"})
        assert headers["Content-Type"].startswith("application/openmetrics-text")
        assert body.endswith(b"# EOF\n")


class TestProtocol:
    def test_head(self, open_server):
        """HEAD gives the headers of GET and no body."""
        server = open_server()
        status, headers, body = fetch(server, "/healthz", "HEAD")
        assert (status, body) == (200, b"")
        assert headers == fetch(server, "/healthz")[1]

    @pytest.mark.parametrize("path", ["/", "/metrics/", "/metricsx", "/../metrics", "/healthz%00", "*"])
    def test_nothing_else(self, open_server, path):
        """Any other path is not found and is not repeated in the answer."""
        status, _, body = fetch(open_server(), path)
        assert (status, body) == (404, b"404: there are /metrics, /healthz and /readyz\n")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "setup"])
    def test_other_methods(self, open_server, method):
        """Nothing can be done here but look."""
        status, headers, _ = fetch(open_server(), "/healthz", method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")

    def test_no_version(self, open_server):
        """The answer does not tell what software gives it."""
        assert set(fetch(open_server(), "/healthz")[1]) == {"Content-Type", "Content-Length", "Connection"}

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (b"GET /MARK HTTP/9.1\r\n\r\n", b"505"),
            (b"GET /MARK HTTP/x\r\n\r\n", b"400"),
            (b"GET /MARK MARK HTTP/1.1\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\n" + b"MARK: 1\r\n" * 200 + b"\r\n", b"431"),
            (b"\x16\x03\x01\x02\x00MARK\r\n\r\n", b"400"),
        ],
    )
    def test_malformed(self, open_server, sent, status):
        """What is not HTTP gets a short refusal that repeats nothing of it."""
        answer = talk(open_server(), sent)
        assert status in answer.split(b"\n")[0]
        assert b"MARK" not in answer

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=60), st.sampled_from([b"", b"GET /healthz HTTP/1.1\r\n", b"GET ", b"GET /healthz "]))
    def test_any_bytes(self, shared, sent, prefix):
        """No bytes that a client sends are an error of the server's own."""
        with structlog.testing.capture_logs() as entries:
            talk(shared, prefix + sent + b"\r\n\r\n")
        assert entries == []


class TestBounds:
    def test_long_head(self, open_server):
        """A head beyond its limit closes the connection without an answer."""
        server = open_server()
        padding = b"A" * (module.MAX_HEAD_BYTES - 100)
        assert talk(server, b"GET /healthz HTTP/1.1\r\nX: " + padding + b"\r\n\r\n").startswith(b"HTTP/1.0 200")
        assert talk(server, b"GET /healthz HTTP/1.1\r\nX: " + padding + b"A" * 200 + b"\r\n\r\n") == b""

    def test_slow_client(self, open_server, monkeypatch):
        """A client that drips its request is cut off when its time is over, not when it pauses."""
        monkeypatch.setattr(module, "TIMEOUT_S", 0.5)
        server = open_server()
        start_s = time.monotonic()
        with socket.create_connection((server.address.host, server.address.port)) as connection:
            connection.settimeout(0.1)
            closed = False
            while not closed and time.monotonic() - start_s < 5:
                try:
                    connection.sendall(b"G")
                    closed = connection.recv(1) == b""
                except TimeoutError:
                    pass
                except ConnectionError:
                    closed = True
        assert closed
        assert 0.4 < time.monotonic() - start_s < 2

    def test_silent_clients(self, open_server):
        """As many idle connections as are allowed keep others out only while they last."""
        server = open_server()
        place = (server.address.host, server.address.port)
        idle = [socket.create_connection(place) for _ in range(module.MAX_CONNECTIONS)]
        assert talk(server, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
        for connection in idle:
            connection.close()
        deadline_s = time.monotonic() + 5
        while not (answer := talk(server, b"GET /healthz HTTP/1.1\r\n\r\n")) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert answer.startswith(b"HTTP/1.0 200")

    def test_slow_reader_of_an_answer(self, open_server, monkeypatch):
        """A client that does not read its answer does not keep a place for ever."""
        monkeypatch.setattr(module, "TIMEOUT_S", 0.3)
        metrics = Metrics()
        metrics.declare_sinks(f"sink-{number:05}" for number in range(20_000))
        server = open_server(metrics=metrics)
        before = threading.active_count()
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((server.address.host, server.address.port))
            connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            connection.recv(1)
            assert threading.active_count() == before + 1
            deadline_s = time.monotonic() + 5
            while threading.active_count() > before and time.monotonic() < deadline_s:
                time.sleep(0.02)
            assert threading.active_count() == before


class TestListening:
    def test_address_in_use(self, open_server):
        """A second agent on the same address is one sentence that names it."""
        first = open_server()
        with pytest.raises(ConfigError) as caught:
            open_server(listen=first.address)
        assert str(caught.value) == f"http.listen: cannot listen on {first.address}: Address already in use"

    @pytest.mark.parametrize(
        ("host", "reason"),
        [("192.0.2.1", "Cannot assign requested address"), ("a..b", "not a host name")],
    )
    def test_impossible_address(self, open_server, host, reason):
        """An address that is not this machine's, or none at all, is refused by name."""
        with pytest.raises(ConfigError) as caught:
            open_server(listen=Address(host, 9847))
        assert str(caught.value) == f"http.listen: cannot listen on {host}:9847: {reason}"

    @pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
    def test_ipv6(self, open_server):
        """An IPv6 address can be listened on."""
        assert fetch(open_server(listen=Address("::1", 0)), "/healthz")[0] == 200

    def test_close(self, open_server, clock):
        """A closed server frees its address at once and leaves no thread."""
        before = threading.active_count()
        server = open_health_server(ANY_PORT, Metrics(), Heartbeat(clock=clock), lambda: GOOD)
        fetch(server, "/healthz")
        server.close()
        assert fetch(open_server(listen=server.address), "/healthz")[0] == 200
        deadline_s = time.monotonic() + 5
        while threading.active_count() > before + 1 and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert threading.active_count() == before + 1
