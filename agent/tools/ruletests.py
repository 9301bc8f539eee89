"""`hullwatch test`: every rule against the tests that stand beside its file."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from agent.detect.rule import Rule, Severity
from agent.detect.rule_file import RULE_ENDINGS, RuleFile
from agent.detect.ruletest import (
    TESTS_ENDING,
    RuleTest,
    TestResult,
    assign_tests,
    missing_tests,
    parse_tests,
    path_of_tests,
    run_tests,
)
from agent.ecs import parse_document
from agent.errors import RuleError
from agent.event import Event
from agent.intents import IntentReader
from agent.text import make_printable

# Nothing is below it: a test means the same on every machine.
_NOWHERE = Path("/dev/null")
_INTENTS = IntentReader(proc=_NOWHERE, root=_NOWHERE)


class Trial(msgspec.Struct, frozen=True):
    """What the tests say of one rule; `missing` are sentences on what they leave untried."""

    rule: Rule
    results: tuple[TestResult, ...]
    missing: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the rule has said what was expected, and was asked enough."""
        return not self.missing and all(result.passed for result in self.results)


def try_rules(rules: Sequence[Rule], files: Sequence[RuleFile]) -> tuple[list[Trial], list[RuleError]]:
    """
    Run all tests.

    Args:
        rules: as `read_rules` gave them for `files`.
        files: rules and tests alike, as `load_rule_files` gives them.

    Returns:
        A trial for each rule, and what cannot be used: a file of tests that cannot be read or stands
        beside no rule file, a test that names another rule than those.
    """
    texts = {file.path: file.data for file in files if file.path.endswith(TESTS_ENDING)}
    beside = {path_of_tests(file.path) for file in files if file.path not in texts}
    faults = [
        RuleError(f"tests stand beside no rule file; expected one of this name, with {_endings()}", path=path)
        for path in texts
        if path not in beside
    ]
    trials = []
    by_tests = sorted(rules, key=lambda rule: path_of_tests(rule.path))
    for path, group in groupby(by_tests, key=lambda rule: path_of_tests(rule.path)):
        own = list(group)
        given, unread = _assign(own, texts, path)
        faults += unread
        for rule in own:
            tests = given[rule.id]
            trials.append(Trial(rule, run_tests(rule, tests, _read_event), missing_tests(rule, tests)))
    return trials, faults


def format_trial(trial: Trial) -> str:
    """Show a trial: a line for the rule, and one for each failure."""
    failed = sum(not result.passed for result in trial.results)
    counts = f"{len(trial.results) - failed} passed" + f", {failed} failed" * bool(failed)
    lines = [f"{'ok  ' if trial.passed else 'FAIL'}  {trial.rule.name}  [{trial.rule.id}]  {counts}"]
    lines += [f"      {_format_failure(result)}" for result in trial.results if not result.passed]
    lines += [f"      {sentence}" for sentence in trial.missing]
    return "\n".join(map(make_printable, lines))


def format_summary(trials: Sequence[Trial]) -> str:
    """Count what was tried, in one line."""
    results = [result for trial in trials for result in trial.results]
    failed = sum(not result.passed for result in results)
    untried = sum(bool(trial.missing) for trial in trials)
    lacking = f", {untried} rules without the tests they need" if untried else ""
    return f"{len(trials)} rules, {len(results)} tests, {failed} failed{lacking}"


def _assign(
    rules: Sequence[Rule], texts: Mapping[str, bytes], path: str
) -> tuple[dict[str, tuple[RuleTest, ...]], Sequence[RuleError]]:
    try:
        tests = parse_tests(texts.get(path, b"").decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return {rule.id: () for rule in rules}, [RuleError("the file is not UTF-8 text", path=path, line=line)]
    except RuleError as error:
        return {rule.id: () for rule in rules}, [error]
    return assign_tests(rules, tests)


def _read_event(document: Mapping[str, object]) -> Event:
    return _INTENTS.add_intent(parse_document(document))


def _format_failure(result: TestResult) -> str:
    test = result.test
    got = f"an event that cannot be read: {result.fault}" if result.fault else _label(result.got)
    return f"{test.path}:{test.line}: '{test.name}': expected {_label(test.expect)}, got {got}"


def _label(severity: Severity | None) -> str:
    return severity.label if severity else "none"


def _endings() -> str:
    return ", ".join(RULE_ENDINGS[:-1]) + f" or {RULE_ENDINGS[-1]}"
