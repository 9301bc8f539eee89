"""RE2 behind its one door."""

import random

import pytest

from agent.detect.regex import compile_literals, compile_regex, quote_regex


class TestExpressions:
    """One expression."""

    @pytest.mark.parametrize("pattern", ["(", "(?=x)", "(a)\\1", "a**", "\\Z", "\udc80"])
    def test_what_re2_cannot_do_is_a_value_error(self, pattern):
        """Look-around, back references and what is no Unicode are refused, not guessed."""
        with pytest.raises(ValueError, match=r"."):
            compile_regex(pattern)

    def test_any_text_can_be_searched(self):
        """A lone surrogate reads as a question mark; everything else is itself."""
        assert compile_regex("^a\\?é$").search("a\udc80é")
        assert not compile_regex("^a$").search("a\n")

    def test_quoted_text_matches_just_itself(self):
        """No character keeps a meaning."""
        text = "".join(map(chr, range(1, 256)))
        assert compile_regex(quote_regex(text)).fullmatch(text)


class TestLiterals:
    """Many literals in one pass."""

    def test_finds_just_those_that_occur(self):
        """Overlapping ones and one inside another too."""
        find = compile_literals(("docker", "ock", "kerr", ".", "é"))
        assert {0, 1} == set(find("a docker é"[:-2]))
        assert {3, 4} == set(find("é."))
        assert [] == find("")

    @pytest.mark.parametrize("count", [1, 50, 2000])
    def test_is_exact_where_its_memory_runs_out(self, count):
        """Text made to fill the automaton's memory again and again still gives the right answer."""
        chance = random.Random(count)
        literals = ["".join(chance.choices("abcdefg-/ ", k=chance.randint(2, 24))) for _ in range(count)]
        literals = list(dict.fromkeys(literals))
        find = compile_literals(literals)
        for _ in range(5):
            text = "".join(chance.choice(literals)[chance.randint(0, 2) :] + chance.choice("ab ") for _ in range(2000))
            assert {index for index, literal in enumerate(literals) if literal in text} == set(find(text))
