"""What several commands have in common: options, exit statuses."""

from pathlib import Path

import click

EXIT_FAULTS = 1
EXIT_CONFIG = 2
EXIT_NO_SENSOR = 3

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Configuration file [/etc/hullwatch/hullwatch.toml].",
)
rules_option = click.option(
    "--rules", "rule_dirs", multiple=True, type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Directory of rules, instead of the configured ones; may be repeated.",
)  # fmt: skip
output_option = click.option("--output", type=click.Choice(["json", "text"]), default="text", show_default=True)
root_option = click.option(
    "--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default="/", show_default=True,
    help="Directory that stands for / when a command line names a file.",
)  # fmt: skip
