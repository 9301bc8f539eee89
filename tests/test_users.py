"""Names of users."""

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.users import UserNames, parse_passwd

PASSWD = "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n# comment\nalice:x:1000:1000\nbroken:x\n:x:5:5\n"


class TestParse:
    """The text of passwd."""

    def test_names(self):
        """The first name of an id counts; what is no entry counts for nothing."""
        assert {0: "root", 1000: "alice"} == parse_passwd(PASSWD)

    @given(st.text(st.sampled_from("a:1\n²"), max_size=30))
    @settings(max_examples=100, deadline=None)
    def test_any_text(self, text):
        """Any text gives names."""
        assert all(isinstance(uid, int) for uid in parse_passwd(text))


class TestUserNames:
    """Looking names up."""

    def test_services(self):
        """At the root of this node its own sources are asked; a user that does not exist has no name."""
        names = UserNames(Path("/"))
        assert ("root", None, None) == (names.get(0), names.get(4_000_000_000), names.get(2**70))

    def test_other_root(self, tmp_path):
        """Under another root its passwd is read, again when it has changed."""
        (tmp_path / "etc").mkdir()
        passwd = tmp_path / "etc/passwd"
        passwd.write_text(PASSWD)
        names = UserNames(tmp_path)
        assert ("root", "alice", None) == (names.get(0), names.get(1000), names.get(1001))
        passwd.write_text(PASSWD + "bob:x:1001:1001\n")
        os.utime(passwd, ns=(1, 1))
        assert "bob" == names.get(1001)

    def test_no_file(self, tmp_path):
        """Without a passwd nobody has a name."""
        assert UserNames(tmp_path).get(0) is None

    def test_many(self, tmp_path):
        """However many users are asked for, the memory is bounded and the answers stay right."""
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/passwd").write_text(PASSWD)
        names = UserNames(tmp_path)
        assert [None] * 10_000 == [names.get(uid) for uid in range(5000, 15_000)]
        assert len(names._names) <= 4096
        assert "alice" == names.get(1000)
