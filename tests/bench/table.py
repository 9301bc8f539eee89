"""What the benches measured, as a table; and the machine it was measured on."""

import os
import platform
import subprocess
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]


class Row(msgspec.Struct, frozen=True):
    """One figure; `budget` is the most it may be, or the least where `at_least` says so."""

    bench: str
    what: str
    value: float | None  # None: could not be measured, and `note` says why
    unit: str = ""
    budget: float | None = None
    at_least: bool = False
    note: str = ""

    def is_kept(self):
        """Tell whether the budget is kept; None where there is none, or no figure."""
        if self.budget is None or self.value is None:
            return None
        return self.value >= self.budget if self.at_least else self.value <= self.budget


def format_rows(rows):
    """Align rows under a heading; a bench's name stands at its first row only."""
    table = [("bench", "what", "figure", "budget", "", "")]
    for before, row in zip((None, *rows), rows, strict=False):
        bound = "" if row.budget is None else f"{'>=' if row.at_least else '<='} {_number(row.budget)} {row.unit}"
        kept = {None: "", True: "ok", False: "MISSED"}[row.is_kept()]
        figure = "-" if row.value is None else f"{_number(row.value)} {row.unit}"
        name = "" if before is not None and before.bench == row.bench else row.bench
        table.append((name, row.what, figure.rstrip(), bound.rstrip(), kept, row.note))
    widths = [max(len(line[column]) for line in table) for column in range(5)]
    lines = []
    for line in table:
        cells = [f"{cell:{align}{width}}" for cell, align, width in zip(line, "<<>><", widths, strict=False)]
        lines.append("  ".join((*cells, line[5])).rstrip())
    return "\n".join(lines)


def describe_machine():
    """Say on what, and beside what load, the figures were taken."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine())
    command = ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}; load {load}"
        f"; commit {commit or 'unknown'}"
    )


def _number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
