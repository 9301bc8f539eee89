"""
The option grammars of the container CLIs, each one pure function ``(table, argv, start) -> Parsed``.

Sources: pflag (flag.go ``parseArgs``), Go's flag package as urfave/cli uses it, getopt_long(3) and argp(3)
of glibc. All read to the end of the options, once, left to right; nothing here raises.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

import msgspec

from agent.intent.options import Option, Table, Takes

# Where an option that its table lacks leaves a note, and how many a command line may leave.
_NOTES_MAX = 16
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


class Grammar(Enum):
    """Which of the functions below reads a CLI."""

    PFLAG = "pflag"
    KUBECTL = "kubectl"  # pflag with "_" for "-" in names
    GO_FLAG = "go-flag"
    GO_CLUSTERS = "go-clusters"  # urfave/cli with UseShortOptionHandling
    GETOPT = "getopt"


class Parsed(msgspec.Struct, frozen=True):
    """
    What a grammar found.

    `values`: by canonical name, in order; a switch has "true", or what stood behind its ``=``.
    `words`: the positionals, those behind ``--`` included.
    `terminated`: how many of `words` stand before ``--``, or None where there was none.
    `position`: index in argv of the first positional, where options stop at it.
    """

    values: Mapping[str, tuple[str, ...]]
    words: tuple[str, ...]
    position: int
    terminated: int | None = None
    notes: tuple[str, ...] = ()


def every(parsed: Parsed, *names: str) -> tuple[str, ...]:
    """All values of these options, those of the first name first."""
    return tuple(value for name in names for value in parsed.values.get(name, ()))


def last(parsed: Parsed, *names: str) -> str | None:
    """Give the value that wins: the last of the first of these options that was given."""
    for name in names:
        if parsed.values.get(name):
            return parsed.values[name][-1]
    return None


def is_on(parsed: Parsed, *names: str) -> bool:
    """Tell whether one of these switches is on; the last value wins, one that is no boolean counts as off."""
    return any((parsed.values.get(name) or ("false",))[-1] in _TRUE for name in names)


def is_off(parsed: Parsed, name: str) -> bool:
    """Tell whether a switch was turned off by name."""
    return (parsed.values.get(name) or ("true",))[-1] in _FALSE


class _Reading:
    """The state of one walk over argv; the functions below are its steps."""

    def __init__(self, argv: Sequence[str], start: int) -> None:
        self.argv = argv
        self.at = start
        self.values: dict[str, list[str]] = {}
        self.notes: list[str] = []

    def put(self, option: Option, value: str) -> None:
        self.values.setdefault(option.name, []).append(value)
        if option.takes is Takes.NOTHING and value not in _TRUE and value not in _FALSE:
            self.note(f"--{option.name}: {value[:40]!r} is no boolean")

    def note(self, text: str) -> None:
        if len(self.notes) < _NOTES_MAX:
            self.notes.append(text)

    def take_next(self, option: Option) -> None:
        if self.at < len(self.argv):
            self.put(option, self.argv[self.at])
            self.at += 1
        else:
            self.note(f"--{option.name}: its value is missing")


def parse_options(grammar: Grammar, table: Table, argv: Sequence[str], start: int = 0, *, stops: bool = True) -> Parsed:
    """
    Read options from ``argv[start]`` on.

    With `stops` options end at the first positional; otherwise only at ``--``, and positionals are collected.

    Returns:
        What was found; an option that the table lacks is noted and taken for a switch.
    """
    step = _STEPS[grammar]
    reading = _Reading(argv, start)
    words: list[str] = []
    terminated = None
    while reading.at < len(argv):
        word = argv[reading.at]
        if word == "--":
            reading.at += 1
            terminated = len(words)
            break
        if word[:1] != "-" or word == "-":
            if stops:
                break
            words.append(word)
            reading.at += 1
            continue
        reading.at += 1
        step(reading, table, word)
    position = reading.at
    words.extend(argv[position:])
    values = {name: tuple(found) for name, found in reading.values.items()}
    return Parsed(values, tuple(words), position, terminated, tuple(reading.notes))


def _step_pflag(reading: _Reading, table: Table, word: str) -> None:
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        _put_long(reading, table.get(name), name, value if equals else None)
    else:
        _put_shorts(reading, table, word, strip_equals=True)


def _step_kubectl(reading: _Reading, table: Table, word: str) -> None:
    name, equals, value = word.partition("=")
    _step_pflag(reading, table, name.replace("_", "-") + equals + value if word.startswith("--") else word)


def _step_go(reading: _Reading, table: Table, word: str) -> None:
    name, equals, value = word.removeprefix("-").removeprefix("-").partition("=")
    _put_long(reading, _find_go(table, name), name, value if equals else None)


def _step_clusters(reading: _Reading, table: Table, word: str) -> None:
    # urfave/cli splits a word only when the flag package does not know it whole.
    name = word.removeprefix("-").partition("=")[0]
    if word.startswith("--") or _find_go(table, name) is not None:
        _step_go(reading, table, word)
    else:
        _put_shorts(reading, table, word, strip_equals=True)


def _step_getopt(reading: _Reading, table: Table, word: str) -> None:
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        _put_long(reading, _find_prefix(table, name), name, value if equals else None)
    else:
        _put_shorts(reading, table, word, strip_equals=False)


_STEPS: dict[Grammar, Callable[[_Reading, Table, str], None]] = {
    Grammar.PFLAG: _step_pflag,
    Grammar.KUBECTL: _step_kubectl,
    Grammar.GO_FLAG: _step_go,
    Grammar.GO_CLUSTERS: _step_clusters,
    Grammar.GETOPT: _step_getopt,
}


def _put_long(reading: _Reading, option: Option | None, name: str, value: str | None) -> None:
    if option is None:
        reading.note(f"--{name[:40]}: not an option that is known here")
    elif value is not None:
        reading.put(option, value)
    elif option.takes is Takes.VALUE:
        reading.take_next(option)
    else:
        reading.put(option, "true" if option.takes is Takes.NOTHING else "")


def _put_shorts(reading: _Reading, table: Table, word: str, *, strip_equals: bool) -> None:
    # strip_equals: pflag reads -v=X and -itv=X as X; getopt keeps the sign as part of the value.
    for index in range(1, len(word)):
        option = table.get(f"-{word[index]}")
        if option is None:
            reading.note(f"-{word[index]}: not an option that is known here")
            return
        if strip_equals and word[index + 1 : index + 2] == "=" and len(word) > index + 2:
            reading.put(option, word[index + 2 :])
            return
        if option.takes is Takes.NOTHING:
            reading.put(option, "true")
            continue
        if index + 1 < len(word):
            reading.put(option, word[index + 1 :])
        elif option.takes is Takes.VALUE:
            reading.take_next(option)
        else:
            reading.put(option, "")
        return


def _find_go(table: Table, name: str) -> Option | None:
    return table.get(f"-{name}") if len(name) == 1 else table.get(name)


def _find_prefix(table: Table, name: str) -> Option | None:
    exact = table.get(name)
    if exact is not None or not name or len(name) > 64:
        return exact
    found = {option for spelling, option in table.items() if spelling.startswith(name)}
    return found.pop() if len(found) == 1 else None
