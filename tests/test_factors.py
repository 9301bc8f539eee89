"""What expressions need: RE2 matches no text that lacks it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.factors import required_steps
from agent.detect.pieces import ALL_ASCII, LOOP, TEXT_END, TEXT_START
from agent.detect.regex import compile_regex


def to_expression(steps):
    """Write a sequence as Python's expression; what RE2 takes for a letter without case counts as that letter."""
    parts = []
    for step in steps:
        characters = [chr(code) for code in range(128) if step >> code & 1]
        characters += [character.upper() for character in characters]
        characters += "\u212a" * ("k" in characters) + "\u017f" * ("s" in characters)
        some = f"[{re.escape(''.join(characters))}]"
        parts.append({TEXT_START: r"\A", TEXT_END: r"\Z"}.get(step) or (f"{some}*" if step & LOOP else some))
    return "".join(parts)


def spell(sequences):
    """Write sequences so that a person can read them: a class as its last character, a loop with a star."""
    marks = {TEXT_START: "^", TEXT_END: "$"}
    return sorted(
        "".join(
            marks.get(step) or chr((step & ALL_ASCII).bit_length() - 1) + ("*" if step & LOOP else "") for step in steps
        )
        for steps in sequences
    )


pieces = st.sampled_from(
    r"a b sk S \. \- / \d \s \w \S . [ab] [^ab] [a-c/] [\d.] [\]x] [[:alpha:]] "
    r"^ $ \b \A \z é (?:a|b) (?i)k \x41 \Qa\E".split()
)
repeats = st.sampled_from(("", "", "", "", "*", "+", "?", "{2}", "{0,1}", "{1,}", "{0}", "{2,3}", "*?", "+?"))
expressions = st.deferred(
    lambda: (
        st.lists(st.tuples(pieces | groups, repeats).map("".join), max_size=5).map("".join)
        | st.lists(expressions, min_size=2, max_size=3).map("|".join)
    )
)
groups = st.builds(str.format, st.sampled_from(("({})", "(?:{})", "(?i:{})", "(?P<n>{})", "(?m:{})")), expressions)
texts = st.text("abckKsS\u212a\u017f./- \n1Aé", max_size=12)


class TestSoundness:
    @given(expressions, st.lists(texts, min_size=5, max_size=10), st.booleans())
    @settings(max_examples=50, deadline=None)
    def test_against_re2(self, pattern, several, whole):
        """A text that matches, anywhere or whole, holds one of the sequences."""
        try:
            compiled = compile_regex(pattern)
        except ValueError:
            return
        sequences = required_steps(pattern, whole=whole)
        if not sequences:
            return
        needed = re.compile("|".join(map(to_expression, sequences)))
        matches = compiled.fullmatch if whole else compiled.search
        assert [] == [text for text in several if matches(text) and not needed.search(text)]

    @given(st.text("()[]{}\\|*+?^$.-:<>PiQEdAz0k", max_size=12))
    @settings(max_examples=150, deadline=None)
    def test_never_raises(self, pattern):
        """Any text is read or given up."""
        required_steps(pattern)


class TestWhatIsFound:
    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("docker|podman", ["docker", "podman"]),
            ("(?i)--privileged|nsenter.*pid.*1", ["--privileged", "nsenter"]),
            ("^/(tmp|var/tmp)/", ["^/tmp/", "^/var/tmp/"]),
            (r"(^|\s)mkfs\.\w+", ["^mkfs.z", " mkfs.z"]),
            (r"/proc/0*1/(root|cwd)", ["/proc/0*1/cwd", "/proc/0*1/root"]),
            (r"-t\s+1$", ["-t  *1$"]),
            ("deepce(\\.sh)?", ["deepce"]),
            ("a{3}b", ["aaab"]),
            ("(?s)x.*long(er)", ["longer"]),
            ("[^a]bcd", ["bcd"]),
        ],
    )
    def test_sequences(self, pattern, expected):
        """Alternatives, anchors, loops and classes are kept as far as they are contiguous."""
        assert sorted(expected) == spell(required_steps(pattern))

    @pytest.mark.parametrize("pattern", ["", ".*", "a?", "run|", "\\Qrun\\E", "(?i)a(?i)*", "\\pL", "é", "[^a]"])
    def test_nothing(self, pattern):
        """What any text may match, and what is not read here, needs nothing."""
        assert frozenset() == required_steps(pattern)

    def test_lines(self):
        """With the flag m an anchor is no end of the text."""
        assert ["abc"] == spell(required_steps("(?m)^abc$"))

    def test_many(self):
        """Very many alternatives are kept, products of them are not."""
        assert 500 == len(required_steps("|".join(f"name{number}" for number in range(500))))
        assert len(required_steps("(a|b|c|d){12}")) <= 96
