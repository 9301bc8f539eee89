"""
Measure Hullwatch on this machine and print one table, each figure beside its budget.

Run as ``python -m tests.bench [BENCH]...`` as root. Needs clang, gcc and libc6-dev. Exits with 1 where a budget is
missed. Nothing else should run meanwhile; the first line says how busy the machine was.
"""

import functools
import os
import sys
import tempfile
from pathlib import Path

import click

from tests.bench import cost, kernel, latency, peers, storm, table, throughput
from tests.bench.native import Native

BENCHES = {
    "kernel": kernel.measure,
    "throughput": throughput.measure,
    "latency": latency.measure,
    "cost": cost.measure,
    "storm": storm.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHES)), metavar="[BENCH]...")
@click.option("--seconds", default=10, show_default=True, help="How long the load of the bench `cost` lasts.")
@click.option("--storm", "execs", default=100_000, show_default=True, help="Execs of the bench `storm`.")
@click.option("--ring-mib", default=storm.DEFAULT_RING_BYTES >> 20, show_default=True, help="Ring buffer of `storm`.")
@click.option("--peers", "with_peers", is_flag=True, help="Compare with what Debian ships instead (takes minutes).")
@click.option("--pairs", default=5, show_default=True, help="How often each peer runs.")
def main(*, names, seconds, execs, ring_mib, with_peers, pairs):
    """Measure, print, and tell whether the budgets hold."""
    if os.geteuid():
        raise click.ClickException("needs root: it loads BPF programs")
    benches = {
        **BENCHES,
        "cost": functools.partial(cost.measure, seconds=seconds),
        "storm": functools.partial(storm.measure, execs=execs, ring_bytes=ring_mib << 20),
    }
    click.echo(table.describe_machine())
    # Not below /tmp: rules look twice at programs that lie there.
    with tempfile.TemporaryDirectory(prefix="hw-bench.", dir="/opt") as name:
        directory = Path(name)
        directory.chmod(0o755)
        native = Native(directory)
        if with_peers:
            click.echo(peers.compare(native, directory / "peers", pairs))
            return
        rows, hints = [], []
        for bench in names or BENCHES:
            click.echo(f"{bench} ...", err=True)
            try:
                measured = benches[bench](native, directory / bench)
            except (click.ClickException, OSError) as error:  # costs this bench only
                measured = [table.Row(bench, "failed", None, note=str(error))]
            more, said = measured if isinstance(measured, tuple) else (measured, [])
            rows += more
            hints += said
    click.echo(table.format_rows(rows))
    for hint in hints:
        click.echo(hint)
    sys.exit(any(row.is_kept() is False or row.value is None for row in rows))


if __name__ == "__main__":
    main()
