"""
The commands; with agent/run.py the only place that builds objects and wires them.

Exit status: 0 done, 1 a test found faults of content or nobody reads the output any more, 2 a configuration
or rules that cannot be used, 3 no sensor works on this node.

Each command imports what it needs when it is called: the agent has no use for the parsers of rules, the
tools none for the sensors.
"""

import importlib
import os
import sys
from collections import Counter
from pathlib import Path

import click

from agent import __version__, config
from agent.config import Config, load_config
from agent.detect.prefilter import FilterReport, Kind
from agent.errors import ConfigError, HullwatchError, SensorError
from agent.log import configure_logging
from agent.options import EXIT_CONFIG, EXIT_NO_SENSOR, config_option, rules_option
from agent.rule_files import load_rule_files
from agent.rule_reader import Reading
from agent.text import make_printable

# Commands of agent/tools/commands.py, by the name of their function.
_TOOLS = {"replay": "replay", "test": "test_rules", "explain": "explain_command", "rules": "list_rules"}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted((*super().list_commands(ctx), *_TOOLS))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _TOOLS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(importlib.import_module("agent.tools.commands"), _TOOLS[cmd_name])
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hullwatch")
def cli() -> None:
    """Watch this node for the misuse of its container runtimes."""


@cli.command()
@config_option
@rules_option
@click.option("--sensor", type=click.Choice(config.SENSORS), help="Where events come from, instead of the configured.")
def run(config_path: Path | None, rule_dirs: tuple[Path, ...], sensor: str | None) -> None:
    """Watch until SIGTERM or SIGINT."""
    from agent.run import watch  # noqa: PLC0415 - loads the sensors
    from agent.sensors.core import live_exec_fields  # noqa: PLC0415

    configure_logging()
    settings = load_config(config_path)
    reading = Reading(load_rule_files(rule_dirs or settings.rules), live_exec_fields())
    watch(settings, reading, sensor or settings.sensor)


@cli.command()
@config_option
@rules_option
def check(config_path: Path | None, rule_dirs: tuple[Path, ...]) -> None:
    """Check configuration, rules and sensor; exit 0, or 2 with every error."""
    from agent.run import open_sensor  # noqa: PLC0415 - loads the sensors
    from agent.sensors.core import live_exec_fields  # noqa: PLC0415

    configure_logging()
    faults = 0
    try:
        settings = load_config(config_path)
    except ConfigError as error:
        settings = Config()
        faults += _report(str(error))
    reading = Reading(load_rule_files(rule_dirs or settings.rules), live_exec_fields())
    read = reading.rules()
    for fault in read.errors:
        faults += _report(str(fault))
    for warning in (*read.warnings, *(f"skipped: {reason}" for reason in read.skipped)):
        click.echo(warning, err=True)
    languages = ", ".join(f"{count} {name}" for name, count in Counter(rule.language for rule in read.rules).items())
    click.echo(f"rules: {len(read.rules)} ({languages or 'none'}), {len(read.filters)} filters")
    if made := reading.filter():
        click.echo(_format_filter(made.report))
    reading.close()
    try:
        sensor = open_sensor(settings.sensor, settings)
        click.echo(f"sensor: {sensor.name}")
        sensor.close()
    except SensorError as error:
        faults += _report(f"sensor: {error}")
    click.echo(f"{faults} errors" if faults else "no errors")
    sys.exit(EXIT_CONFIG if faults else 0)


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
        # What could not be written would be tried again at the end, and that failure would be the status.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_CONFIG)


# A standard stream that is closed leaves its number to the next file that is opened: alerts would go into the journal.
def _open_missing_streams() -> None:
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _format_filter(report: FilterReport) -> str:
    if report.is_on:
        size = f"{report.states} states, {report.classes} classes of bytes, {report.table_bytes} bytes"
        lines = [f"kernel filter: on, {size}"]
    else:
        lines = ["kernel filter: off, every exec is sent to the agent"]
    shortened = sum(rule.kind is Kind.SHORTENED for rule in report.rules)
    if shortened:
        lines.append(f"  {shortened} rules let pass what has only a part of their texts, so that all rules fit")
    for rule in report.rules:
        if rule.kind is Kind.ALL:
            part = f": {rule.part}" if rule.part else ""
            lines.append(f"  {rule.path}:{rule.line}: lets every exec pass{part}; {rule.advice}")
    return "\n".join(map(make_printable, lines))


def _report(fault: str) -> int:
    click.echo(fault, err=True)
    return 1
