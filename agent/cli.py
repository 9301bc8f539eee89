"""
The commands; the only place that builds objects and wires them.

Exit status: 0 done, 1 a check or test found faults of content, 2 a configuration that cannot be used,
3 no sensor works on this node.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from agent import __version__, config
from agent.config import Config, load_config
from agent.detect.rule import ReadResult
from agent.detect.ruleset import read_rules
from agent.errors import ConfigError, HullwatchError, SensorError
from agent.log import configure_logging
from agent.rule_files import load_rule_files
from agent.run import open_sensor, watch

EXIT_CONFIG = 2
EXIT_NO_SENSOR = 3

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
    configure_logging()
    settings = load_config(config_path)
    watch(settings, _load_rules(rule_dirs or settings.rules), sensor or settings.sensor)


@cli.command()
@_config_option
@_rules_option
def check(config_path: Path | None, rule_dirs: tuple[Path, ...]) -> None:
    """Check configuration, rules and sensor; exit 0, or 2 with every error."""
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


def main() -> None:
    """Run the command line; an error on purpose is one sentence and an exit status."""
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


def _load_rules(directories: Sequence[Path]) -> ReadResult:
    return read_rules(load_rule_files(directories))


def _count_languages(read: ReadResult) -> dict[str, int]:
    counts: dict[str, int] = {}
    for rule in read.rules:
        counts[rule.language] = counts.get(rule.language, 0) + 1
    return counts


def _report(fault: str) -> int:
    click.echo(fault, err=True)
    return 1
