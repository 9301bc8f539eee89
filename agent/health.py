"""
The HTTP server: /metrics for Prometheus, /healthz and /readyz for whoever supervises the agent.

Anybody who reaches its address can talk to it, so each connection has one request, a size, and a
deadline, and there are few connections at a time. Nothing of a request comes back in the answer.
"""

import io
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

import msgspec
import structlog

from agent.address import Address
from agent.errors import ConfigError
from agent.metrics import Metrics

MAX_CONNECTIONS = 16
MAX_HEAD_BYTES = 8192
TIMEOUT_S = 5.0  # for a whole request, and again for its whole answer
BEAT_MAX_AGE_S = 10.0  # the loop turns at least once a second; a slow disk may hold it for a few

Answer = tuple[HTTPStatus, str, bytes]  # status, content type, body


class Check(msgspec.Struct, frozen=True):
    """One thing that has to hold; `detail` says what was found, for an operator."""

    name: str
    ok: bool
    detail: str = ""


class Status(msgspec.Struct, frozen=True):
    """What readiness depends on, beside the loop's heartbeat: sensor, sinks, rules."""

    checks: tuple[Check, ...] = ()


class Heartbeat:
    """
    The sign of life of the pipeline's loop: green while the last `beat` is young.

    Args:
        max_age_s: how old the last beat may be; making a heartbeat is its first beat.
        clock: monotonic seconds.
    """

    def __init__(self, max_age_s: float = BEAT_MAX_AGE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_age_s = max_age_s
        self._clock = clock
        self._last_s = clock()

    def beat(self) -> None:
        """Note that the loop is alive."""
        self._last_s = self._clock()

    def check(self) -> Check:
        """Tell whether the loop is alive."""
        age_s = self._clock() - self._last_s
        return Check("loop", age_s <= self._max_age_s, f"last turn {age_s:.1f} s ago, at most {self._max_age_s:g} s")


class HealthServer:
    """A server that runs in a thread of its own; `address` is the one it was given, with the port it got."""

    def __init__(self, server: "_Server", address: Address) -> None:
        self.address = address
        self._server = server
        # No polling: an idle agent stays asleep, and `close` wakes the thread.
        self._thread = threading.Thread(target=server.serve_forever, args=(3600.0,), name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; answers under way end by their deadline."""
        self._server.socket.shutdown(socket.SHUT_RDWR)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def open_health_server(
    listen: Address, metrics: Metrics, heartbeat: Heartbeat, status: Callable[[], Status]
) -> HealthServer:
    """
    Serve /metrics, /healthz and /readyz until closed.

    Args:
        listen: where; port 0 takes any free one.
        metrics: what /metrics renders.
        heartbeat: all of /healthz, and part of /readyz.
        status: the rest of /readyz; called from the server's threads.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    def answer(path: str, accept: str) -> Answer:
        if path == "/metrics":
            return HTTPStatus.OK, *metrics.render(accept)
        if path == "/healthz":
            return _report((heartbeat.check(),))
        if path == "/readyz":
            return _report((heartbeat.check(), *status().checks))
        return HTTPStatus.NOT_FOUND, "text/plain", b"404: there are /metrics, /healthz and /readyz\n"

    try:
        family, _, _, _, place = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)[0]
        server = _Server(family, place, answer)
    except OSError as error:
        raise ConfigError(f"http.listen: cannot listen on {listen}: {error.strerror}") from None
    except UnicodeError:  # the resolver's own limits: a label is 1 to 63 characters
        raise ConfigError(f"http.listen: cannot listen on {listen}: not a host name") from None
    return HealthServer(server, Address(listen.host, server.server_address[1]))


def _report(checks: tuple[Check, ...]) -> Answer:
    ok = all(check.ok for check in checks)
    # A detail may quote a file name, and with it bytes that are not UTF-8 (lone surrogates in Python).
    details = [check.detail.encode("utf-8", "backslashreplace").decode() for check in checks]
    listed = [msgspec.structs.replace(check, detail=detail) for check, detail in zip(checks, details, strict=True)]
    body = msgspec.json.format(msgspec.json.encode({"ok": ok, "checks": listed})) + b"\n"
    return HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE, "application/json", body


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    # Not http.server.HTTPServer: it asks the DNS for the name of its own address.
    allow_reuse_address = True  # connections of the last run may still be in TIME_WAIT
    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, family: socket.AddressFamily, place: Any, answer: Callable[[str, str], Answer]) -> None:
        self.address_family = family
        self.answer = answer
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(place, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread to be had
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's signature
        # A client that goes away is no event; a fault of our own is one, and that client gets no answer.
        if not isinstance(sys.exception(), OSError):
            structlog.get_logger().exception("http request failed")


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def setup(self) -> None:
        # The standard library's reader allows 6 MiB of headers and any number of pauses.
        self.request.settimeout(TIMEOUT_S)
        super().setup()
        self.rfile = io.BytesIO(_read_head(self.request))

    def handle(self) -> None:
        self.raw_requestline = self.rfile.readline()
        if not self.raw_requestline or not self.parse_request():
            return
        if self.command in ("GET", "HEAD"):
            self._reply(*self.server.answer(self.path.partition("?")[0], self.headers.get("Accept", "")))
        else:
            self._reply(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"405: GET or HEAD\n")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        # The standard library would quote the request.
        self.command = self.command or "GET"
        self._reply(HTTPStatus(code), "text/plain", f"{code}\n".encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's signature
        pass

    def _reply(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response_only(status)  # without the `Server` header, which tells versions
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _read_head(connection: socket.socket) -> bytes:
    # A client that sends a byte now and then would hold a time limit for each read open for ever.
    deadline_s = time.monotonic() + TIMEOUT_S
    head = b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        connection.settimeout(max(deadline_s - time.monotonic(), 0.001))
        chunk = connection.recv(MAX_HEAD_BYTES)
        head += chunk
        if not chunk or len(head) > MAX_HEAD_BYTES:
            return b""
    connection.settimeout(TIMEOUT_S)
    return head
