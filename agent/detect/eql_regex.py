r"""
Elastic's regular expressions, which are Lucene's, as RE2 expressions.

They match the whole value, ``.`` is any character, line ends included, a backslash makes any other
character plain (``\d \w \s`` and their opposites excepted), and ``^ $`` are plain characters.
``~ & <1-5>`` have no counterpart in RE2. An expression that opens with ``(?`` makes no sense in
Lucene: it is taken for RE2 syntax as it stands, so that a rule can say what Lucene cannot.

Source: Elasticsearch's reference, "Regular expression syntax".
"""

import re

import msgspec

from agent.detect.regex import compile_regex, quote_regex

RE2_MARK = "(?"

_TOKEN = re.compile(
    r"""
    (?P<class>\\[dDwWsS])
  | \\(?P<escaped>.)
  | "(?P<quoted>[^"]*)"
  | (?P<set>\[\^?(?:\\.|[^\]\\])*\])
  | (?P<repeat>\{\d+(?:,\d*)?\})
  | (?P<operator>[.?+*|()])
  | (?P<special>["\\\[{@\#&~<])
  | (?P<literal>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SET_MEMBER = re.compile(r"(?P<class>\\[dDwWsS])|\\(?P<escaped>.)|(?P<range>-)|(?P<literal>.)", re.DOTALL)
_REFUSED = {
    "&": "'&' (both sides match) has no counterpart in RE2; write it as two tests, or as \\& for the character",
    "~": "'~' (anything but) has no counterpart in RE2; write it with not, or as \\~ for the character",
    "<": "'<' (a range of numbers) has no counterpart in RE2; write \\< for the character",
    "{": "'{' is not followed by a count such as {2,4}; write \\{ for the character",
    "[": "a set of characters is not closed by ']'",
    '"': "a quoted part is not closed by '\"'",
    "\\": "the expression ends in a backslash",
}
_OF_RE2 = f"an expression that opens with {RE2_MARK!r} is read as RE2's; Elastic has no such groups"


class Translation(msgspec.Struct, frozen=True):
    """An expression for RE2, or the one text it stands for, and what its author may not expect."""

    pattern: str
    literal: str | None
    warnings: tuple[str, ...] = ()


def translate_regex(pattern: str, *, ignore_case: bool) -> Translation:
    """
    Write a Lucene expression for RE2, to be matched whole.

    Raises:
        ValueError: neither can take it; names the construct.
    """
    if pattern.startswith(RE2_MARK):
        compile_regex(pattern)
        return Translation(f"(?i){pattern}" if ignore_case else pattern, None, (_OF_RE2,))
    parts: list[str] = []
    plain: list[str] = []
    warnings: list[str] = []
    for token in _TOKEN.finditer(pattern):
        part, text = _translate_token(token)
        parts.append(part)
        plain += [] if text is None else [text]
        if token["literal"] in ("^", "$"):
            warnings.append(f"{token[0]!r} is a plain character in Elastic's expressions, which match the whole value")
        elif token["escaped"] is not None and token["escaped"].isalnum():
            warnings.append(f"{token[0]!r} is the plain character {token['escaped']!r} in Elastic's expressions")
    translated = f"(?{'i' if ignore_case else ''}s){''.join(parts)}"
    compile_regex(translated)
    literal = "".join(plain) if len(plain) == len(parts) else None
    return Translation(translated, literal, tuple(dict.fromkeys(warnings)))


# The RE2 text, and the plain text where the token stands for nothing else.
def _translate_token(token: re.Match[str]) -> tuple[str, str | None]:
    kind, text = token.lastgroup, token[token.lastgroup or 0]
    if kind in ("escaped", "quoted", "literal"):
        return quote_regex(text), text
    if kind == "set":
        return _translate_set(text), None
    if text in _REFUSED:
        raise ValueError(_REFUSED[text])
    return {"@": "(?:.*)", "#": r"[^\x00-\x{10FFFF}]"}.get(text, text), None


def _translate_set(text: str) -> str:
    negation = "^" if text.startswith("[^") else ""
    members = list(_SET_MEMBER.finditer(text[1 + len(negation) : -1]))
    if not members:
        raise ValueError("a set of characters is empty")
    parts: list[str] = []
    for index, member in enumerate(members):
        between = 0 < index < len(members) - 1 and not (members[index - 1]["class"] or members[index + 1]["class"])
        if member["range"] and between:
            parts.append("-")
        else:
            parts.append(member["class"] or f"\\x{{{ord(member['escaped'] or member['literal'] or '-'):x}}}")
    return f"[{negation}{''.join(parts)}]"
