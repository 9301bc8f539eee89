"""
The shipped rules on command lines that were made up against them: data/red_commands.jsonl.

Every tool, evasion and reported false alarm once more, in other words than the cases that the rules grew up with.
"""

import json

from tests.commands import REPOSITORY
from tests.test_rule_pack import LEVELS, matches_of, root_of

__all__ = ["root_of"]

CASES = [json.loads(line) for line in (REPOSITORY / "tests/data/red_commands.jsonl").read_text().splitlines()]


def is_found(case, root):
    """Tell whether one of the case's events gets an alert of its severity with one of its techniques."""
    expect = case["expect"]
    floor = LEVELS.index(expect["min_severity"])
    return any(
        max(LEVELS.index(level) for _, level, _ in matches) >= floor
        and set().union(*(techniques for *_, techniques in matches)) & set(expect["technique"])
        for matches in matches_of(case, root)
        if matches
    )


def is_quiet(case, root):
    """Tell whether no event of the case gets an alert above its ceiling."""
    ceiling = LEVELS.index(case["expect"]["max_severity"])
    return all(LEVELS.index(level) <= ceiling for matches in matches_of(case, root) for _, level, _ in matches)


class TestUnseen:
    """All cases at once: figures, and the names of those that fall short."""

    def test_attacks(self, root_of):
        """Every attack is found at its severity."""
        attacks = [case for case in CASES if case["expect"]["alert"]]
        assert len(attacks) > 900
        assert [] == [case["id"] for case in attacks if not is_found(case, root_of(case))]

    def test_ordinary_work(self, root_of):
        """No ordinary command gets more than its ceiling."""
        ordinary = [case for case in CASES if not case["expect"]["alert"]]
        assert len(ordinary) > 800
        assert [] == [case["id"] for case in ordinary if not is_quiet(case, root_of(case))]
