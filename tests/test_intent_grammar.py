"""The option grammars: every spelling of an option is one value under one name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.intent.grammar import Grammar, every, is_off, is_on, last, parse_options
from agent.intent.options import parse_table

DOCKER = parse_table("i,interactive t,tty d,detach v,volume= privileged net,network= cap-add= name=")
NSENTER = parse_table("a,all t,target= m,mount? n,net? u,uts? U,user? preserve-credentials S,setuid=")


def values(grammar, table, *argv, stops=True):
    """The options that were found."""
    return dict(parse_options(grammar, table, argv, stops=stops).values)


class TestPflag:
    """github.com/spf13/pflag: docker, podman, nerdctl, kubectl, helm, Compose."""

    @pytest.mark.parametrize(
        "argv",
        [
            ("-v", "/:/h"),
            ("-v/:/h",),
            ("-v=/:/h",),
            ("--volume", "/:/h"),
            ("--volume=/:/h",),
        ],
    )
    def test_value_spellings(self, argv):
        """A value stands behind a space, a sign or nothing."""
        assert {"volume": ("/:/h",)} == values(Grammar.PFLAG, DOCKER, *argv)

    @pytest.mark.parametrize("argv", [("-itv", "/:/h"), ("-itv/:/h",), ("-itv=/:/h",), ("-i", "-t", "-v", "/:/h")])
    def test_clusters(self, argv):
        """Short switches are joined, and the last of the word may take a value."""
        expected = {"interactive": ("true",), "tty": ("true",), "volume": ("/:/h",)}
        assert expected == values(Grammar.PFLAG, DOCKER, *argv)

    def test_options_end_at_the_first_word(self):
        """What stands behind the image belongs to the container's command."""
        parsed = parse_options(Grammar.PFLAG, DOCKER, ["-d", "alpine", "--privileged"])
        assert {"detach": ("true",)} == dict(parsed.values)
        assert ("alpine", "--privileged") == parsed.words
        assert 1 == parsed.position

    def test_scattered_options_end_at_dashes(self):
        """Where options may follow words, only two dashes end them."""
        parsed = parse_options(Grammar.PFLAG, DOCKER, ["a", "-i", "b", "--", "-t"], stops=False)
        assert {"interactive": ("true",)} == dict(parsed.values)
        assert ("a", "b", "-t") == parsed.words
        assert 2 == parsed.terminated

    def test_no_prefixes(self):
        """An abbreviated name is not the option."""
        parsed = parse_options(Grammar.PFLAG, DOCKER, ["--priv", "x"])
        assert {} == dict(parsed.values)
        assert ("--priv: not an option that is known here",) == parsed.notes

    def test_an_alias_has_its_option_s_name(self):
        """An older name of an option gives the same value."""
        assert {"network": ("host",)} == values(Grammar.PFLAG, DOCKER, "--net=host")

    def test_a_value_may_look_like_an_option(self):
        """The word behind an option that takes a value is that value, whatever it looks like."""
        assert {"name": ("--privileged",)} == values(Grammar.PFLAG, DOCKER, "--name", "--privileged", "x")

    def test_a_missing_value_is_noted(self):
        """An option at the end without its value is noted."""
        assert ("--name: its value is missing",) == parse_options(Grammar.PFLAG, DOCKER, ["--name"]).notes

    @pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
    def test_true(self, text):
        """Six words turn a switch on."""
        assert is_on(parse_options(Grammar.PFLAG, DOCKER, [f"--privileged={text}"]), "privileged")

    @pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
    def test_false(self, text):
        """Six words turn it off."""
        parsed = parse_options(Grammar.PFLAG, DOCKER, [f"--privileged={text}"])
        assert not is_on(parsed, "privileged")
        assert is_off(parsed, "privileged")

    def test_no_boolean(self):
        """Any other word is refused by the command, so the switch is not on; it is noted."""
        parsed = parse_options(Grammar.PFLAG, DOCKER, ["--privileged=yes"])
        assert not is_on(parsed, "privileged")
        assert ("--privileged: 'yes' is no boolean",) == parsed.notes

    def test_the_last_value_wins(self):
        """A switch and a value that are given twice are what they were given last."""
        parsed = parse_options(Grammar.PFLAG, DOCKER, ["--privileged=false", "--privileged", "--net=a", "--net=b"])
        assert is_on(parsed, "privileged")
        assert "b" == last(parsed, "network")
        assert ("a", "b") == every(parsed, "network")


class TestKubectl:
    """pflag as kubectl uses it."""

    def test_underscores(self):
        """An underscore in a name is a dash, one in a value stays."""
        table = parse_table("as-group= v,--v=")
        assert {"as-group": ("a_b",)} == values(Grammar.KUBECTL, table, "--as_group", "a_b")
        assert {"as-group": ("a_b",)} == values(Grammar.KUBECTL, table, "--as_group=a_b")

    def test_a_long_name_of_one_letter(self):
        """klog's verbosity is -v and --v."""
        table = parse_table("v,--v=")
        assert {"v": ("9",)} == values(Grammar.KUBECTL, table, "--v", "9")
        assert {"v": ("9",)} == values(Grammar.KUBECTL, table, "-v9")


class TestGoFlag:
    """Go's own flag package under urfave/cli: ctr, runc, crictl."""

    @pytest.mark.parametrize("argv", [("-privileged",), ("--privileged",), ("-privileged=1",)])
    def test_one_dash_or_two(self, argv):
        """A long name takes one dash as well."""
        assert is_on(parse_options(Grammar.GO_FLAG, DOCKER, argv), "privileged")

    def test_no_clusters(self):
        """Joined letters are one name that does not exist, but for crictl, which splits them."""
        assert {} == values(Grammar.GO_FLAG, DOCKER, "-it")
        assert {"interactive": ("true",), "tty": ("true",)} == values(Grammar.GO_CLUSTERS, DOCKER, "-it")

    def test_a_whole_name_comes_before_a_cluster(self):
        """A word that is a name is not split."""
        assert {"detach": ("true",)} == values(Grammar.GO_CLUSTERS, DOCKER, "-detach")


class TestGetopt:
    """getopt_long(3): nsenter, unshare, busybox; argp of crun alike."""

    @pytest.mark.parametrize("argv", [("-t", "1"), ("-t1",), ("--target", "1"), ("--targ=1",), ("--t", "1")])
    def test_prefixes_and_glued_values(self, argv):
        """A name may be cut as long as it is the only one of its beginning."""
        assert {"target": ("1",)} == values(Grammar.GETOPT, NSENTER, *argv)

    def test_an_ambiguous_prefix(self):
        """A beginning that several names have is refused."""
        parsed = parse_options(Grammar.GETOPT, NSENTER, ["--us", "x"])
        assert {"user": ("",)} == dict(parsed.values)
        assert {} == values(Grammar.GETOPT, NSENTER, "--u", "x")

    def test_optional_values_are_attached(self):
        """An optional value is part of the word; the next word is the program."""
        parsed = parse_options(Grammar.GETOPT, NSENTER, ["-m/proc/1/ns/mnt", "--net=/a", "-u", "sh"])
        assert {"mount": ("/proc/1/ns/mnt",), "net": ("/a",), "uts": ("",)} == dict(parsed.values)
        assert ("sh",) == parsed.words

    def test_clusters(self):
        """Joined letters, the last with its value."""
        assert {"all": ("true",), "target": ("1",)} == values(Grammar.GETOPT, NSENTER, "-at1")


class TestAnyText:
    """Attackers write the arguments."""

    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(Grammar), st.lists(st.text(alphabet="-=abitv/: \0", max_size=6), max_size=8), st.booleans())
    def test_total(self, grammar, argv, stops):
        """Any arguments are read; no word is counted twice."""
        parsed = parse_options(grammar, DOCKER, argv, stops=stops)
        assert parsed.position <= len(argv)
        assert len(parsed.words) <= len(argv)
        assert all(isinstance(value, str) for found in parsed.values.values() for value in found)

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.sampled_from(("-i", "-t", "--privileged", "-v/:/h", "--net=host")), max_size=6))
    def test_position_is_the_first_word(self, options):
        """Whatever options precede, the image is the image."""
        parsed = parse_options(Grammar.PFLAG, DOCKER, [*options, "alpine", "--name", "x"])
        assert ("alpine", "--name", "x") == parsed.words
        assert len(options) == parsed.position
