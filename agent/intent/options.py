"""
Which options take a value: the text that agent/intent/tables/ is written in, and what it is read into.

An option is written as its spellings without dashes, the canonical one last, and how it takes a value:
``t,tty`` is a switch, ``v,volume=`` needs a value, ``m,mount?`` takes one only when it is attached. A
spelling of one letter is a short option unless two dashes stand before it.
"""

from collections.abc import Mapping
from enum import Enum

import msgspec


class Takes(Enum):
    """How an option comes by its value."""

    NOTHING = ""
    VALUE = "="
    ATTACHED = "?"  # --name=value or -nvalue, never the next argument


class Option(msgspec.Struct, frozen=True):
    """One option under its canonical name."""

    name: str
    takes: Takes


# By spelling: "volume" for --volume, "-v" for the short one.
Table = Mapping[str, Option]


class Command(msgspec.Struct, frozen=True):
    """
    One command of a CLI and those below it.

    `verb`: its canonical name whatever its spelling ("ps" of ``docker container ls``).
    `stops`: its options end at the first word that is none, as those of ``docker run`` do.
    `group`: a word below it that has no entry is a command as well.
    """

    verb: str | None
    options: Table
    children: "dict[str, Command]"
    stops: bool = False
    group: bool = False


def parse_table(text: str) -> dict[str, Option]:
    """
    Read options written as the module's docstring says, separated by space.

    Returns:
        The options by each of their spellings.
    """
    table = {}
    for word in text.split():
        takes = {"=": Takes.VALUE, "?": Takes.ATTACHED}.get(word[-1], Takes.NOTHING)
        spellings = word.rstrip("=?").split(",")
        option = Option(spellings[-1].removeprefix("--"), takes)
        for spelling in spellings:
            is_short = len(spelling) == 1
            table[f"-{spelling}" if is_short else spelling.removeprefix("--")] = option
    return table


def parse_commands(text: str, *, options: str = "", inherited: str = "", **sets: str) -> Command:
    """
    Read a CLI's tree of commands.

    Args:
        text: a command a line, ``PATH[, PATH...] [!]: OPTIONS``; the first path is the verb, ``!`` says that
            options stop at the first positional, ``*`` that any word below is a command. A line that starts
            with a space continues the one before.
        options: those of the CLI itself, read before the first command only.
        inherited: those that every command has as well.
        sets: options by name, for ``$name`` in the text.
    """
    below = parse_table(inherited)
    root = Command(None, {**below, **parse_table(options)}, {}, stops=True)
    for line in text.strip().replace("\n ", " ").splitlines():
        head, _, words = line.partition(":")
        if not head:
            continue
        stops, group = "!" in head, "*" in head
        paths = [path.split() for path in head.rstrip("!* ").split(",")]
        listed = " ".join(sets[word[1:]] if word.startswith("$") else word for word in words.split())
        verb = " ".join(paths[0])
        for path in paths:
            _place(root, path, Command(verb, {**below, **parse_table(listed)}, {}, stops, group))
    return root


def _place(root: Command, path: list[str], command: Command) -> None:
    at = root
    for depth, word in enumerate(path[:-1], start=1):
        at = at.children.setdefault(word, Command(" ".join(path[:depth]), root.options, {}, group=True))
    known = at.children.get(path[-1])
    if known is not None:
        command.children.update(known.children)
    at.children[path[-1]] = command
