r"""
Texts and names as EQL spells them, both ways.

Source: Elastic's EQL syntax reference, "Strings" and "Escape a field name". Beyond its table the
escapes ``\t``, ``\b``, ``\f`` and ``\'`` are taken, as Elasticsearch does.
"""

import re

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "\\": "\\", '"': '"', "'": "'"}
_ESCAPE = re.compile(r"\\(u\{[^}\"]*\}?|.)", re.DOTALL)
_CODE_POINT = re.compile(r"u\{([0-9A-Fa-f]{2,8})\}")
_PLAIN_NAME = re.compile(r"[A-Za-z_@][A-Za-z0-9_@]*(\.[A-Za-z0-9_@]+)*")
_NAME_PART = re.compile(r"`(?:[^`]|``)+`|[^`.]+|\.")
_KEYWORDS = frozenset({"and", "false", "in", "like", "not", "null", "or", "regex", "true", "where"})


def parse_string(token: str) -> str:
    """
    Read a string as it stands in a query, quotes included.

    Raises:
        ValueError: an escape sequence means nothing.
    """
    if token.startswith('"""'):
        return token[3:-3]
    return _ESCAPE.sub(_unescape, token[1:-1])


def _unescape(found: re.Match[str]) -> str:
    escape = found[1]
    if escape in _ESCAPES:
        return _ESCAPES[escape]
    if point := _CODE_POINT.fullmatch(escape):
        code = int(point[1], 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise ValueError(f"\\{escape} is no Unicode character")
        return chr(code)
    if escape.startswith("u"):
        raise ValueError("a Unicode escape has the form \\u{200f}, with 2 to 8 hexadecimal digits")
    raise ValueError(f'unknown escape \\{escape}, expected one of \\n \\r \\t \\\\ \\" \\u{{...}}')


def format_string(text: str) -> str:
    r"""Write a text so that `parse_string` gives it back; with backslashes as a raw string where that can be."""
    if "\\" in text and text.isprintable() and '"' not in text:
        return f'"""{text}"""'
    return f'"{"".join(map(_escape, text))}"'


def _escape(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\u{{{ord(character):02x}}}"


def parse_name(token: str) -> str:
    """Read a field's name as it stands in a query: optional mark and backquotes go."""
    parts = _NAME_PART.findall(token.removeprefix("?"))
    return "".join(part[1:-1].replace("``", "`") if part.startswith("`") else part for part in parts)


def format_name(name: str) -> str:
    """Write a field's name so that `parse_name` gives it back."""
    if _PLAIN_NAME.fullmatch(name) and name not in _KEYWORDS:
        return name
    return f"`{name.replace('`', '``')}`"
