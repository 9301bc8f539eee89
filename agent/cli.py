"""
The commands; the only place that builds objects and wires them.

Exit status: 0 done, 1 a test found faults of content or nobody reads the output any more, 2 a configuration
or rules that cannot be used, 3 no sensor works on this node.

What only an agent on its node needs (the sensors, the loop) is imported by `run` and `check` themselves:
the other commands work where there is no kernel to watch and no libbpf.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import click

from agent import __version__, config
from agent.config import Config, load_config, shipped_rules_dir
from agent.detect.index import build_index
from agent.detect.rule import ReadResult
from agent.detect.ruleset import read_rules
from agent.errors import ConfigError, HullwatchError, SensorError
from agent.intents import IntentReader
from agent.log import configure_logging
from agent.rule_files import load_rule_files
from agent.text import make_printable
from agent.tools import explain, listing, ruletests
from agent.tools import replay as replaying
from agent.tools.terminal import open_input

EXIT_FAULTS = 1
EXIT_CONFIG = 2
EXIT_NO_SENSOR = 3

Output = Literal["json", "text"]

_config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Configuration file [/etc/hullwatch/hullwatch.toml].",
)
_rules_option = click.option(
    "--rules", "rule_dirs", multiple=True, type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Directory of rules, instead of the configured ones; may be repeated.",
)  # fmt: skip
_output_option = click.option("--output", type=click.Choice(["json", "text"]), default="text", show_default=True)
_root_option = click.option(
    "--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default="/", show_default=True,
    help="Directory that stands for / when a command line names a file.",
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hullwatch")
def cli() -> None:
    """Watch this node for the misuse of its container runtimes."""


@cli.command()
@_config_option
@_rules_option
@click.option("--sensor", type=click.Choice(config.SENSORS), help="Where events come from, instead of the configured.")
def run(config_path: Path | None, rule_dirs: tuple[Path, ...], sensor: str | None) -> None:
    """Watch until SIGTERM or SIGINT."""
    from agent.run import watch  # noqa: PLC0415 - loads the sensors

    configure_logging()
    settings = load_config(config_path)
    watch(settings, _load_rules(rule_dirs or settings.rules), sensor or settings.sensor)


@cli.command()
@_config_option
@_rules_option
def check(config_path: Path | None, rule_dirs: tuple[Path, ...]) -> None:
    """Check configuration, rules and sensor; exit 0, or 2 with every error."""
    from agent.run import open_sensor  # noqa: PLC0415 - loads the sensors

    configure_logging()
    faults = 0
    try:
        settings = load_config(config_path)
    except ConfigError as error:
        settings = Config()
        faults += _report(str(error))
    read = _load_rules(rule_dirs or settings.rules)
    for fault in read.errors:
        faults += _report(str(fault))
    for warning in (*read.warnings, *(f"skipped: {reason}" for reason in read.skipped)):
        click.echo(warning, err=True)
    languages = ", ".join(f"{count} {name}" for name, count in _count_languages(read).items())
    click.echo(f"rules: {len(read.rules)} ({languages or 'none'}), {len(read.filters)} filters")
    try:
        sensor = open_sensor(settings.sensor, settings)
        click.echo(f"sensor: {sensor.name}")
        sensor.close()
    except SensorError as error:
        faults += _report(f"sensor: {error}")
    click.echo(f"{faults} errors" if faults else "no errors")
    sys.exit(EXIT_CONFIG if faults else 0)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--format", "form", type=click.Choice(["auto", "ecs", "audit"]), default="auto", show_default=True,
    help="ECS documents, one a line, or audit records; auto goes by the first line.",
)  # fmt: skip
@_rules_option
@_config_option
@_root_option
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


@cli.command("test")
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


@cli.command("explain", context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--cwd", type=click.Path(path_type=Path), default=Path.cwd, help="Directory that it runs in [this one].",
)  # fmt: skip
@_root_option
@click.option("--uid", type=click.IntRange(0, 2**32 - 2), default=os.getuid, help="User that it runs as [you].")
@click.option("--parent", metavar="PATH", default="/usr/bin/bash", show_default=True, help="What starts it.")
@_rules_option
@click.option("--all", "show_all", is_flag=True, help="Show every rule, not only those that match or nearly do.")
@_output_option
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


@cli.command("rules")
@_rules_option
@_output_option
def list_rules(rule_dirs: tuple[Path, ...], output: Output) -> None:
    """List the rules in force."""
    rules = _usable_rules(rule_dirs, None).rules
    click.echo(listing.encode_rules(rules) if output == "json" else listing.format_table(rules))


def main() -> None:
    """Run the command line; an error on purpose is one sentence and an exit status."""
    _open_missing_streams()
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_CONFIG)
    except click.Abort:
        sys.exit(130)
    except SensorError as error:
        click.echo(f"hullwatch: no sensor: {error}", err=True)
        sys.exit(EXIT_NO_SENSOR)
    except HullwatchError as error:
        click.echo(f"hullwatch: {error}", err=True)
        sys.exit(EXIT_CONFIG)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        click.echo(f"hullwatch: {place}{error.strerror}", err=True)
        sys.exit(EXIT_CONFIG)


# A standard stream that is closed leaves its number to the next file that is opened: alerts would go into the journal.
def _open_missing_streams() -> None:
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


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


def _count_languages(read: ReadResult) -> dict[str, int]:
    counts: dict[str, int] = {}
    for rule in read.rules:
        counts[rule.language] = counts.get(rule.language, 0) + 1
    return counts


def _report(fault: str) -> int:
    click.echo(fault, err=True)
    return 1
