"""
The simple commands of a shell text, as far as they can be told without running it.

Quotes, backslashes, ``;``, ``&``, ``|``, newlines, parentheses and redirections are read; an expansion
(``$X``, backquotes) stays as it is written. Source: POSIX.1-2017, Shell Command Language, 2.2 to 2.4.
"""

import re

_COMMANDS_MAX = 64
# Written in place of blanks where those would be noticed.
_FIELD_SEPARATOR = re.compile(r"\$\{IFS\}|\$IFS(?:\$[0-9@*])?(?![A-Za-z0-9_])")
_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+|\\\n)|(?P<comment>\#[^\n]*)|(?P<redirect>[0-9]*(?:<<<|<<-?|>>|<>|[<>]\&|\&>>?|>\||[<>]))"""
    r"""|(?P<end>\|\||\&\&|;;|[{}](?=[\s;&|(){}]|\Z)|[;&|\n()`])"""
    r"""|'(?P<single>[^']*)'?|\$'(?P<ansi>(?:[^'\\]|\\.)*)'?|\$?"(?P<double>(?:[^"\\]|\\.)*)"?|\\(?P<escaped>.)"""
    r"""|(?P<plain>[^\s'"\\;&|()<>\#`]+|.)""",
    re.DOTALL,
)
_IN_DOUBLE = re.compile(r"\\([\"\\$`\n])")
_ANSI = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|u[0-9a-fA-F]{1,4}|.)", re.DOTALL)
_ANSI_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}
# Words that a command may follow.
_RESERVED = frozenset("if then else elif do while until ! { } time fi done esac".split())


def split_commands(text: str) -> list[list[str]]:
    """
    Split a shell text into simple commands, each a list of words, the first 64 of them.

    Returns:
        Words without their quotes; redirections and what they point to are left out. Text that no shell would
        take is read as far as it goes.
    """
    commands: list[list[str]] = []
    words: list[str] = []
    word: list[str] | None = None
    skips_target = False
    for match in _TOKEN.finditer(_FIELD_SEPARATOR.sub(" ", text)):
        kind = match.lastgroup or "plain"
        if kind == "comment" and word is not None:
            word.append(match[0])
            continue
        if kind in {"blank", "end", "redirect", "comment"}:
            if word is not None and not skips_target:
                words.append("".join(word))
            skips_target = skips_target and word is None and kind != "end"
            word = None
            if kind == "redirect":
                skips_target = True
            elif kind == "end" and words:
                commands.append(words)
                words = []
                if len(commands) >= _COMMANDS_MAX:
                    return commands
            continue
        word = [] if word is None else word
        word.append(_unquote(kind, match))
    if word is not None and not skips_target:
        words.append("".join(word))
    if words:
        commands.append(words)
    return commands


def _unquote(kind: str, match: re.Match[str]) -> str:
    value = match[kind] or ""
    if kind == "double":
        return _IN_DOUBLE.sub(lambda found: "" if found[1] == "\n" else found[1], value)
    if kind == "ansi":
        return _ANSI.sub(_read_ansi, value)
    return value


def _read_ansi(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xu" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    return _ANSI_LETTERS.get(code, code)


def drop_reserved(words: list[str]) -> list[str]:
    """Leave out the reserved words that stand before a command, as ``if`` and ``do``."""
    at = 0
    while at < len(words) and words[at] in _RESERVED:
        at += 1
    return words[at:]
