"""
Alerts to a syslog server: over its Unix socket, or UDP.

A Unix socket confirms that the server's queue has the message. UDP confirms nothing: where the server's
host answers that nobody listens (ICMP), the alert is kept and tried again; what a network swallows
is lost unseen. Where that matters, the server on the node forwards what it got over its socket.
"""

import errno
import os
import select
import socket

from agent.address import Endpoint, UnixEndpoint
from agent.alert import Entry
from agent.errors import SinkError
from agent.sinks.rfc5424 import MIN_BYTES, format_message

# What rsyslog takes of a message unless its maxMessageSize says otherwise (its manual says 8k; rsyslogd 8.2302 cuts
# behind 8,096 bytes). A command line made long on purpose would cost the whole JSON body; ours stays valid.
DEFAULT_MAX_BYTES = 8096
MAX_DATAGRAM_BYTES = 65_507  # 65,535 less the headers of IPv4 and UDP

_TIMEOUT_S = 2.0
_ANSWER_S = 0.2  # for an ICMP answer, once one has come
_SERVER_GONE = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EDESTADDRREQ,
        errno.ENOENT,
        errno.ENOTCONN,
        errno.EPIPE,
    }
)


class SyslogSink:
    """One syslog server; connected when there is something to send, and again when it went away."""

    def __init__(self, endpoint: Endpoint, *, name: str, hostname: str, procid: int, max_bytes: int) -> None:
        self.name = name
        self._endpoint = endpoint
        self._hostname = hostname
        self._procid = procid
        self._max_bytes = min(max_bytes, MAX_DATAGRAM_BYTES)
        self._socket: socket.socket | None = None
        self._refused = False

    def deliver(self, entry: Entry) -> None:
        """
        Send one alert; wait two seconds at most for a server that does not read.

        Raises:
            SinkError: the server is not there, or its queue is full.
        """
        try:
            self._deliver_over(self._socket or self._open(), entry)
        except OSError as error:
            self.close()
            # A server that was restarted has a new socket under the old name; one attempt finds it.
            if error.errno not in _SERVER_GONE or not isinstance(self._endpoint, UnixEndpoint):
                raise self._failure(error) from None
            try:
                self._deliver_over(self._open(), entry)
            except OSError as second:
                self.close()
                raise self._failure(second) from None

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _deliver_over(self, connection: socket.socket, entry: Entry) -> None:
        while True:
            message = format_message(entry, hostname=self._hostname, procid=self._procid, max_bytes=self._max_bytes)
            try:
                self._send(connection, message)
            except OSError as error:
                # The socket's buffer (SO_SNDBUF) or the network holds less than we thought.
                if error.errno != errno.EMSGSIZE or self._max_bytes <= MIN_BYTES:
                    raise
                self._max_bytes = max(MIN_BYTES, self._max_bytes // 2)
            else:
                return

    def _send(self, connection: socket.socket, message: bytes) -> None:
        if connection.type == socket.SOCK_STREAM:
            # RFC 6587 3.4.2; a line feed never occurs inside of our messages.
            connection.sendall(message + b"\n")
            return
        connection.send(message)
        if connection.family != socket.AF_UNIX:
            self._check_refusal(connection)

    def _check_refusal(self, connection: socket.socket) -> None:
        # Over loopback the refusal is there when send() returns. From afar it comes later: then this alert
        # counts as sent, the next fails, and until one passes without an answer we wait for it.
        if self._refused:
            _wait_for_input(connection.fileno(), _ANSWER_S)
        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        self._refused = False

    def _open(self) -> socket.socket:
        if isinstance(self._endpoint, UnixEndpoint):
            self._socket = _connect_unix(self._endpoint.path)
        else:
            self._socket = _connect_udp(self._endpoint.address.host, self._endpoint.address.port)
        return self._socket

    def _failure(self, error: OSError) -> SinkError:
        self._refused = error.errno == errno.ECONNREFUSED
        reason = "it does not read" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return SinkError(f"{self.name}: the syslog server did not take an alert: {reason}")


def open_syslog(
    endpoint: Endpoint, *, name: str, hostname: str, procid: int, max_bytes: int = DEFAULT_MAX_BYTES
) -> SyslogSink:
    """
    Make a sink for a syslog server, which need not be there yet.

    Args:
        endpoint: its Unix socket (datagram; stream where it is one), or its UDP address.
        name: of the cursor and the metrics.
        hostname: of this node, for the message's header.
        procid: the agent's process id, for the same.
        max_bytes: of a message; longer alerts are shortened.
    """
    return SyslogSink(endpoint, name=name, hostname=hostname, procid=procid, max_bytes=max_bytes)


def _wait_for_input(descriptor: int, timeout_s: float) -> None:
    # poll, not select: a descriptor may be above 1,023.
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll(timeout_s * 1000)


def _connect_unix(path: str) -> socket.socket:
    try:
        return _connect(socket.AF_UNIX, socket.SOCK_DGRAM, path)
    except OSError as error:
        if error.errno != errno.EPROTOTYPE:
            raise
    return _connect(socket.AF_UNIX, socket.SOCK_STREAM, path)


def _connect_udp(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    return _connect(family, kind, address)


def _connect(family: int, kind: int, address: object) -> socket.socket:
    connection = socket.socket(family, kind)
    try:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(address)  # type: ignore[arg-type]  # a path or what getaddrinfo gave
    except BaseException:
        connection.close()
        raise
    return connection
