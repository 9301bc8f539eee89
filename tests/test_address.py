import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.address import Address, UdpEndpoint, UnixEndpoint, parse_address, parse_endpoint

HOSTS = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True) | st.ip_addresses(v=6).map(str)
ADDRESSES = st.builds(Address, HOSTS, st.integers(1, 65535))
PATHS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20).map("/{}".format)


class TestAddress:
    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("127.0.0.1:9847", Address("127.0.0.1", 9847)),
            ("node-1.example.org:1", Address("node-1.example.org", 1)),
            ("[::]:65535", Address("::", 65535)),
            ("[::ffff:10.0.0.1]:514", Address("::ffff:10.0.0.1", 514)),
        ],
    )
    def test_forms(self, text, address):
        """A name, an IPv4 address and a bracketed IPv6 address are hosts."""
        assert address == parse_address(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "9847",
            ":9847",
            "h:",
            "h:0",
            "h:65536",
            "h:-1",
            "h:+1",
            "h:٣",
            "h h:1",
            "::1:80",
            "[h]:1",
            "[:::]:1",
            "h:1\n",
        ],
    )
    def test_refused(self, text):
        """What is not HOST:PORT is refused, a port that only looks like a number included."""
        with pytest.raises(ValueError, match=r"is not (HOST:PORT|an IPv6 address)"):
            parse_address(text)

    @settings(max_examples=100, deadline=None)
    @given(ADDRESSES)
    def test_text_reads_back(self, address):
        """What an address prints is what it is read from."""
        assert address == parse_address(str(address))


class TestEndpoint:
    @settings(max_examples=100, deadline=None)
    @given(st.builds(UdpEndpoint, ADDRESSES) | st.builds(UnixEndpoint, PATHS))
    def test_text_reads_back(self, endpoint):
        """What an endpoint prints is what it is read from."""
        assert endpoint == parse_endpoint(str(endpoint))

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("/dev/log", '"/dev/log" is neither unix:PATH nor udp://HOST:PORT'),
            ("tcp://h:1", '"tcp://h:1" is neither unix:PATH nor udp://HOST:PORT'),
            ("udp://h", '"h" is not HOST:PORT (an IPv6 address stands in brackets)'),
            ("unix:dev/log", '"dev/log" is not an absolute path'),
            ("unix:/a\0", '"/a\\u0000" is not an absolute path'),
            ("unix:/" + "ä" * 54, "the path of a Unix socket is longer than 107 bytes"),
        ],
    )
    def test_refused(self, text, reason):
        """A refusal says what was expected."""
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
            parse_endpoint(text)
        assert reason == str(caught.value)

    def test_longest_unix_path(self):
        """A path of 107 bytes fits a socket address."""
        path = "/" + "a" * 106
        assert UnixEndpoint(path) == parse_endpoint(f"unix:{path}")
