"""Where something listens: ``HOST:PORT``, ``unix:PATH``, ``udp://HOST:PORT``."""

import ipaddress
import json
import re

import msgspec

_MAX_PATH_BYTES = 107  # unix(7): sun_path is 108 bytes with its final NUL


class Address(msgspec.Struct, frozen=True):
    """A host and a port; the host is a name or an IP address without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class UnixEndpoint(msgspec.Struct, frozen=True):
    """A Unix socket that a syslog server listens on, datagram or stream."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


class UdpEndpoint(msgspec.Struct, frozen=True):
    """A syslog server reached over UDP."""

    address: Address

    def __str__(self) -> str:
        return f"udp://{self.address}"


Endpoint = UnixEndpoint | UdpEndpoint


def parse_address(text: str) -> Address:
    """
    Read ``HOST:PORT``; an IPv6 address stands in brackets.

    Raises:
        ValueError: it is not of that form.
    """
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", text)
    if found is None or not 0 < int(found[3]) < 1 << 16:
        raise ValueError(f"{json.dumps(text)} is not HOST:PORT (an IPv6 address stands in brackets)")
    if found[1] is not None:
        try:
            ipaddress.IPv6Address(found[1])
        except ValueError:
            raise ValueError(f"{json.dumps(found[1])} is not an IPv6 address") from None
    return Address(found[1] or found[2], int(found[3]))


def parse_endpoint(text: str) -> Endpoint:
    """
    Read where a syslog server listens: ``unix:PATH`` or ``udp://HOST:PORT``.

    Raises:
        ValueError: it is neither.
    """
    if text.startswith("udp://"):
        return UdpEndpoint(parse_address(text.removeprefix("udp://")))
    if not text.startswith("unix:"):
        raise ValueError(f"{json.dumps(text)} is neither unix:PATH nor udp://HOST:PORT")
    path = text.removeprefix("unix:")
    if not path.startswith("/") or "\0" in path:
        raise ValueError(f"{json.dumps(path)} is not an absolute path")
    if len(path.encode()) > _MAX_PATH_BYTES:
        raise ValueError(f"the path of a Unix socket is longer than {_MAX_PATH_BYTES} bytes")
    return UnixEndpoint(path)
