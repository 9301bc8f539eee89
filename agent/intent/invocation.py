"""
A CLI's command line taken apart: which command, the options before it and its own, the positionals.

Sources: cobra's command.go (``Find`` with ``stripFlags`` and ``argsMinusFirstX``; ``Traverse``), urfave/cli.
"""

from collections.abc import Mapping, Sequence

import msgspec

from agent.intent.grammar import Grammar, Parsed, parse_options
from agent.intent.options import Command, Table, Takes


class Cli(msgspec.Struct, frozen=True):
    """
    A CLI's commands and how it reads them.

    `scattered`: options of any level may stand anywhere, also those of a command before its name, as in
    ``kubectl -it exec POD``; otherwise each level's options follow its word.
    """

    commands: Command
    grammar: Grammar
    scattered: bool = False


class Invocation(msgspec.Struct, frozen=True):
    """
    One command as it was asked for.

    `above`: the options of all levels above the command; the same as `options` where the CLI is scattered.
    """

    verb: str | None
    known: bool
    above: Parsed
    options: Parsed

    @property
    def words(self) -> tuple[str, ...]:
        """The positionals of the command."""
        return self.options.words

    @property
    def notes(self) -> tuple[str, ...]:
        """What both sets of options leave to be noted."""
        return tuple(dict.fromkeys((*self.above.notes, *self.options.notes)))


_GENERIC: Table = {}


def read_invocation(cli: Cli, argv: Sequence[str]) -> Invocation:
    """
    Take a command line apart; ``argv[0]`` is the CLI itself.

    A command that the CLI's tables lack has `known` false, its options are taken for switches and leave no
    notes.
    """
    return _read_scattered(cli, argv) if cli.scattered else _read_nested(cli, argv)


def _read_nested(cli: Cli, argv: Sequence[str]) -> Invocation:
    command, start, verb, known = cli.commands, 1, None, True
    above = Parsed({}, (), 1)
    while True:
        stops = command.stops or bool(command.children) or command.group
        parsed = parse_options(cli.grammar, command.options, argv, start, stops=stops)
        word = parsed.words[0] if parsed.words else None
        child = None if word is None else command.children.get(word)
        if child is not None:
            above = _join(above, parsed)
            command, start, verb = child, parsed.position + 1, child.verb
            continue
        if word is None or not (command.group or command is cli.commands):
            return Invocation(verb, known, above, parsed)
        name = word[:64]
        verb = name if verb is None else f"{verb} {name}"
        loose = parse_options(cli.grammar, _GENERIC, argv, parsed.position + 1, stops=False)
        return Invocation(verb, command.group, _join(above, parsed), _without_notes(loose))


def _read_scattered(cli: Cli, argv: Sequence[str]) -> Invocation:
    command, rest, verb, known = cli.commands, list(argv[1:]), None, True
    while True:
        at = _find_word(cli.grammar, command.options, rest)
        child = None if at is None else command.children.get(rest[at])
        if at is not None and child is not None:
            del rest[at]
            command, verb = child, child.verb
            continue
        if at is not None and (command.group or command is cli.commands):
            name, known = rest[at][:64], command.group
            del rest[at]
            verb = name if verb is None else f"{verb} {name}"
        break
    parsed = parse_options(cli.grammar, command.options, rest, stops=command.stops and command is not cli.commands)
    parsed = parsed if known else _without_notes(parsed)
    return Invocation(verb, known, parsed, parsed)


def _find_word(grammar: Grammar, table: Table, args: Sequence[str]) -> int | None:
    # What cobra takes for the next command: an option it does not know yet is believed to take a value.
    at = 0
    while at < len(args):
        word = args[at]
        if word == "--":
            return None
        if word and word[0] != "-":
            return at
        at += 2 if _takes_next(grammar, table, word) else 1
    return None


def _takes_next(grammar: Grammar, table: Table, word: str) -> bool:
    if "=" in word or (not word.startswith("--") and len(word) != 2):
        return False
    spelling = word.removeprefix("--")
    option = table.get(spelling.replace("_", "-") if grammar is Grammar.KUBECTL else spelling)
    return option is None or option.takes is Takes.VALUE


def _join(one: Parsed, two: Parsed) -> Parsed:
    values: Mapping[str, tuple[str, ...]] = {
        name: (*one.values.get(name, ()), *two.values.get(name, ())) for name in (*one.values, *two.values)
    }
    return Parsed(values, two.words, two.position, two.terminated, (*one.notes, *two.notes))


def _without_notes(parsed: Parsed) -> Parsed:
    return msgspec.structs.replace(parsed, notes=())
