"""
The commands that let an author trust a rule: replay, test, explain, rules.

They work without privilege, and where there is no kernel to watch and no libbpf.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import click

from agent.config import load_config, shipped_rules_dir
from agent.detect.index import build_index
from agent.detect.rule import ReadResult
from agent.detect.ruleset import read_rules
from agent.errors import ConfigError
from agent.intents import IntentReader
from agent.options import EXIT_CONFIG, EXIT_FAULTS, config_option, output_option, root_option, rules_option
from agent.rule_files import load_rule_files
from agent.text import make_printable
from agent.tools import explain, listing, ruletests
from agent.tools import replay as replaying
from agent.tools.terminal import open_input

Output = Literal["json", "text"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--format", "form", type=click.Choice(["auto", "ecs", "audit"]), default="auto", show_default=True,
    help="ECS documents, one a line, or audit records; auto goes by the first line.",
)  # fmt: skip
@rules_option
@config_option
@root_option
@click.option("--output", type=click.Choice(["json", "text"]), help="[text on a terminal, else json]")
def replay(
    *, file: Path, form: Literal["auto", "ecs", "audit"], rule_dirs: tuple[Path, ...], config_path: Path | None,
    root: Path, output: Output | None,
) -> None:  # fmt: skip
    """
    Apply the rules to recorded events; one alert a line.

    FILE holds ECS documents or audit records, - is standard input. Every match is an alert: nothing is
    folded, and nothing is added that the events do not say. A line that cannot be read is told on
    standard error and counted there, and does not change the exit status.
    """
    rules = build_index(_usable_rules(rule_dirs, config_path).rules)
    terminal_out = sys.stdout.isatty()
    as_text = output == "text" or (output is None and terminal_out)
    with open_input(file) as (stream, terminal):
        counts = replaying.replay(
            stream, form, rules, add_intent=_intent_reader(root), say=terminal.say,
            report=lambda sentence: terminal.report(f"{file}: {sentence}"),
            render=replaying.render_text(colors=terminal_out) if as_text else replaying.render_json,
        )  # fmt: skip
    terminal.report(replaying.format_counts(counts))


@click.command("test")
@click.argument("dirs", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="[DIR]...")
def test_rules(dirs: tuple[Path, ...]) -> None:
    """
    Run the tests that stand beside rules.

    Tries every rule of each DIR (deeper ones are not read) on its NAME.tests.yml; without DIR the shipped
    rules and the shipped seeds. A rule needs an event that matches and one that does not. Exits with 1
    where a rule fails or lacks one of these, with 2 where a rule or a file of tests cannot be used.
    """
    shipped = shipped_rules_dir()
    files = load_rule_files(dirs or (shipped, shipped / "seeds"))
    read = read_rules(files)
    trials, unusable = ruletests.try_rules(read.rules, files)
    for trial in trials:
        click.echo(ruletests.format_trial(trial))
    _tell((*read.errors, *unusable, *read.warnings))
    click.echo(ruletests.format_summary(trials))
    if read.errors or unusable:
        sys.exit(EXIT_CONFIG)
    sys.exit(0 if all(trial.passed for trial in trials) else EXIT_FAULTS)


@click.command("explain", context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--cwd", type=click.Path(path_type=Path), default=Path.cwd, help="Directory that it runs in [this one].",
)  # fmt: skip
@root_option
@click.option("--uid", type=click.IntRange(0, 2**32 - 2), default=os.getuid, help="User that it runs as [you].")
@click.option("--parent", metavar="PATH", default="/usr/bin/bash", show_default=True, help="What starts it.")
@rules_option
@click.option("--all", "show_all", is_flag=True, help="Show every rule, not only those that match or nearly do.")
@output_option
def explain_command(
    *, command: tuple[str, ...], cwd: Path, root: Path, uid: int, parent: str, rule_dirs: tuple[Path, ...],
    show_all: bool, output: Output,
) -> None:  # fmt: skip
    """
    Show what each rule says of a command line, and why.

    COMMAND is not run. Without a slash it is looked for in $PATH. Rules that match come first, then those
    that one thing only kept from it; + marks what holds, - what does not.
    """
    rules = _usable_rules(rule_dirs, None).rules
    event = _intent_reader(root)(
        explain.make_exec(
            command, cwd=cwd.resolve(), root=root.resolve(), uid=uid, parent=parent,
            path=os.environ.get("PATH", os.defpath),
        )
    )  # fmt: skip
    verdicts = sorted(
        (verdict for verdict in explain.judge(rules, event) if show_all or verdict.close),
        key=lambda verdict: (-(verdict.severity or 0), not verdict.close),
    )
    if output == "json":
        click.echo(explain.encode_verdicts(event, verdicts))
        return
    click.echo("\n\n".join((explain.format_event(event), *map(explain.format_verdict, verdicts))))
    matching = sum(verdict.severity is not None for verdict in verdicts)
    click.echo(f"\n{matching} of {len(rules)} rules match")


@click.command("rules")
@rules_option
@output_option
def list_rules(rule_dirs: tuple[Path, ...], output: Output) -> None:
    """List the rules in force."""
    rules = _usable_rules(rule_dirs, None).rules
    click.echo(listing.encode_rules(rules) if output == "json" else listing.format_table(rules))


def _load_rules(directories: Sequence[Path]) -> ReadResult:
    return read_rules(load_rule_files(directories))


# For the tools that work with the good rules: what is wrong with the others is told, and no more.
def _usable_rules(rule_dirs: Sequence[Path], config_path: Path | None) -> ReadResult:
    directories = rule_dirs or load_config(config_path).rules
    read = _load_rules(directories)
    _tell((*read.errors, *read.warnings))
    if read.errors and not read.rules:
        raise ConfigError("no rule can be used")
    if not read.rules:
        _tell([f"there are no rules in {', '.join(map(str, directories))}"])
    return read


# What reads a command's intent, and the files that it names below `root`.
def _intent_reader(root: Path) -> replaying.AddIntent:
    return IntentReader(proc=Path("/proc"), root=root).add_intent


def _tell(sentences: Iterable[object]) -> None:
    for sentence in sentences:
        click.echo(make_printable(str(sentence)), err=True)
