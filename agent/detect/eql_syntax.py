"""EQL text to a syntax tree, and a syntax error into words. The only module of EQL that imports lark."""

import re
from collections.abc import Sequence
from importlib import resources
from typing import NoReturn

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from agent.errors import RuleError

Syntax = Tree[Token]
Part = Syntax | Token | None  # None: an optional word that was not written

LONGEST_QUERY = 1 << 20  # characters
_SHOWN = 120  # characters of a line in an error

_GRAMMAR = Lark(
    (resources.files("agent.detect") / "eql.lark").read_text(encoding="utf-8"),
    parser="lalr",
    lexer="basic",
    start=["query", "expression"],
    propagate_positions=True,
)
_OPERANDS = frozenset({"STRING", "RAW", "NUMBER", "TRUE", "FALSE", "NULL", "FIELD", "OPTIONAL", "LPAR", "MINUS"})
_WORDS = (
    (_OPERANDS | {"NOT"}, "a condition"),
    (_OPERANDS, "a field, a function or a value"),
    ({"STRING", "RAW", "NUMBER", "TRUE", "FALSE", "NULL", "MINUS"}, "a value"),
    ({"FIELD", "STRING", "RAW"}, "an event category such as process, or any"),
    ({"COMPARISON", "LIKE", "REGEX", "COLON", "IN", "NOT"}, "a comparison (== != < <= > >= : like regex in, not in)"),
    ({"PLUS", "MINUS", "STAR", "SLASH", "PERCENT"}, None),
    ({"AND", "OR"}, "'and', 'or'"),
    ({"RPAR"}, "')'"),
    ({"COMMA"}, "','"),
    ({"LPAR"}, "'('"),
    ({"WHERE"}, "'where'"),
    ({"IN"}, "'in'"),
    ({"TILDE"}, None),
    ({"$END"}, "the end of the query"),
)
_MANY_EVENTS = re.compile(r"(?>\s+|//[^\n]*|/\*[\s\S]*?\*/)*+\b(sequence|sample|join)\b(?!\s+where\b)")
_WRONG_STARTS = (
    ("|", "pipes are not supported: a rule here judges one event, so remove the '|' and what follows it"),
    ("[", "'[' belongs to sequences, samples and array indexes, which are not supported"),
    ("'", 'text stands in double quotes: "..."'),
    ('?"', 'raw text stands in three double quotes: """..."""; the form ?"..." is no longer part of EQL'),
    ("?'", 'raw text stands in three double quotes: """..."""; the form ?\'...\' is no longer part of EQL'),
    ('"', "text is not closed before the end of its line"),
    ("`", "a name is not closed by a backquote"),
    ("=", "'=' is no operator, expected == or :"),
    ("!", "'!' is no operator, expected not or !="),
    ("&", "'&' is no operator, expected and"),
)


def parse_query(text: str, path: str) -> Syntax:
    """
    Parse ``category where condition``.

    Raises:
        RuleError: the text is no event query; with the place, the line and what was expected.
    """
    if many := _MANY_EVENTS.match(text):
        line = text.count("\n", 0, many.start(1)) + 1
        raise RuleError(
            f"{many[1]!r} is not supported: a rule here judges one event, so write 'category where condition'",
            path=path,
            line=line,
            column=many.start(1) - text.rfind("\n", 0, many.start(1)),
            text=quote_line(text.split("\n"), line),
        )
    return _parse(text, path, "query")


def parse_condition(text: str, path: str) -> Syntax:
    """
    Parse a condition alone.

    Raises:
        RuleError: as for `parse_query`.
    """
    return _parse(text, path, "expression")


def kind_of(part: Part) -> str:
    """Name the grammar rule or the kind of word that a part is; nothing for a word that was not written."""
    return "" if part is None else part.type if isinstance(part, Token) else part.data


def parts_of(part: Part) -> tuple[Part, ...]:
    """Give the parts that a part is made of; none for a word."""
    return tuple(part.children) if isinstance(part, Tree) else ()


def place_of(part: Part) -> tuple[int | None, int | None]:
    """Give line and column where a part starts."""
    start = part.meta if isinstance(part, Tree) else part
    return (None, None) if start is None else (getattr(start, "line", None), getattr(start, "column", None))


def quote_line(lines: Sequence[str], line: int) -> str:
    """Give one line of a text, stripped and cut, to be shown in an error."""
    return lines[line - 1].strip()[:_SHOWN] if line <= len(lines) else ""


def _parse(text: str, path: str, start: str) -> Syntax:
    if len(text) > LONGEST_QUERY:
        raise RuleError(f"the query is longer than {LONGEST_QUERY} characters", path=path, line=1, column=1)
    try:
        return _GRAMMAR.parse(text, start=start)
    except UnexpectedInput as error:
        _refuse(error, text, path)


def _refuse(error: UnexpectedInput, text: str, path: str) -> NoReturn:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        line, column = _end_of(text)
    else:
        line, column = error.line, error.column
    message = _describe(error, text)
    raise RuleError(message, path=path, line=line, column=column, text=quote_line(text.split("\n"), line)) from None


def _describe(error: UnexpectedInput, text: str) -> str:
    if isinstance(error, UnexpectedCharacters):
        start = error.pos_in_stream or 0
        rest = text[start : start + 2]
        known = next((words for wrong, words in _WRONG_STARTS if rest.startswith(wrong)), None)
        return known or f"the character {rest[:1]!r} means nothing here"
    if not isinstance(error, UnexpectedToken):
        return "the query ends too early"
    token = error.token
    if token.type == "SLASH" and text.startswith("/*", token.start_pos):
        return "a comment is not closed by */"
    found = "the query ends" if token.type == "$END" else f"unexpected {str(token)[:40]!r}"
    return f"{found}, expected {_expected(error)}"


def _expected(error: UnexpectedToken) -> str:
    left = set(error.accepts or error.expected)
    words: list[str] = []
    for terminals, word in _WORDS:
        if terminals <= left:
            left -= terminals
            words += [word] if word else []
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _end_of(text: str) -> tuple[int, int]:
    before = text.rstrip()
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
