"""Elastic's regular expressions on RE2."""

import pytest

from agent.detect.eql import parse_expression, read_eql
from agent.detect.eql_regex import translate_regex
from agent.detect.matcher import compile_predicate
from tests.events import make_exec


class TestTranslation:
    @pytest.mark.parametrize(
        ("pattern", "matching", "others"),
        [
            ("a.c", ["abc", "a\nc"], ["xabc", "ac"]),
            ('a"."c', ["a.c"], ["abc"]),
            (r"\@\#\~\<", ["@#~<"], []),
            ("a@", ["a", "a\nb"], ["b"]),
            ("x|#", ["x"], ["", "#"]),
            ("^a$", ["^a$"], ["a"]),
            ("[a\\-c]+", ["a-c"], ["b"]),
            ("[-a]+", ["-a"], ["b"]),
            ("[^a-c[]", ["d", "-"], ["b", "["]),
            ("[\\d-.]+", ["1-2.3"], ["a", "/"]),
            ("[\\d]{2,3}", ["12", "123"], ["1"]),
            (r"\w+\s\d*", ["ab 12"], ["ab12"]),
            ("(ab)*?c", ["abab" + "c"], ["ab"]),
            ("(?i)^ab$", ["AB"], ["^ab$"]),
        ],
    )
    def test_extent(self, pattern, matching, others):
        """Lucene's operators, matched whole."""
        regex = compile_predicate(parse_expression(f'process.name regex """{pattern}"""'))
        assert [True] * len(matching) == [regex(make_exec(name=text)) for text in matching]
        assert [False] * len(others) == [regex(make_exec(name=text)) for text in others]

    @pytest.mark.parametrize(
        "pattern", ["a&b", "~a", "f<1-9>", "a{", "[a", "[]", 'a"b', "a\\", "(a", "a)", "*a", "a{2000}"]
    )
    def test_refused(self, pattern):
        """What RE2 cannot do is refused at the expression's place."""
        result = read_eql(f'process where\n process.name regex ("a", """{pattern}""")', "r.eql")
        (fault,) = result.errors
        assert (2, 27) == (fault.line, fault.column)
        assert fault.message.startswith("this regular expression cannot be used: ")

    @pytest.mark.parametrize(
        ("pattern", "sign"), [("a$", "'$'"), (r"\bx", "'\\\\b'"), ("(?i)x", "an expression that opens")]
    )
    def test_surprise(self, pattern, sign):
        """What other dialects read otherwise is told."""
        (warning,) = translate_regex(pattern, ignore_case=False).warnings
        assert warning.startswith(sign)
