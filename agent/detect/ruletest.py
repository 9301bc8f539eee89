"""
A rule's own tests, which stand beside it: ``NAME.tests.yml`` for the rules of ``NAME.yml``, ``NAME.cql``, ...

::

    - name: a privileged container
      event:                        # ECS, nested or dotted
        process.executable: /usr/bin/docker
        process.args: [docker, run, --privileged, alpine]
      expect: critical              # a severity, or none
      rule: host-namespaces         # id or name, only where the file has several rules; else the first is meant
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from agent.detect import sigma_yaml
from agent.detect.matcher import compile_predicate
from agent.detect.rule import Rule, Severity, parse_severity
from agent.errors import DecodeError, RuleError
from agent.event import Event

TESTS_ENDING = ".tests.yml"

_KEYS = ("name", "event", "expect")
_OPTIONAL_KEYS = ("rule",)


class RuleTest(msgspec.Struct, frozen=True, kw_only=True):
    """One event and what the rule has to say of it."""

    name: str
    event: Mapping[str, object]
    expect: Severity | None  # None: no match
    rule: str | None = None  # id or name
    path: str
    line: int


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the rule said; `fault` is set where the event could not be read."""

    __test__ = False  # pytest would take the name for a test's

    rule_id: str
    test: RuleTest
    got: Severity | None = None
    fault: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the rule said what was expected."""
        return self.fault is None and self.got == self.test.expect


def path_of_tests(rule_path: str) -> str:
    """Name the file that holds the tests of the rules in a file."""
    folder, slash, name = rule_path.rpartition("/")
    return f"{folder}{slash}{name.rpartition('.')[0] or name}{TESTS_ENDING}"


def parse_tests(text: str, path: str) -> tuple[RuleTest, ...]:
    """
    Read a file of tests.

    Raises:
        RuleError: the first thing that is not as it should be, with its line.
    """
    documents, errors = sigma_yaml.parse_documents(text, path)
    if errors:
        raise errors[0]
    if not documents:
        return ()
    tests = documents[0]
    if len(documents) > 1 or not isinstance(tests, sigma_yaml.Sequence):
        raise sigma_yaml.fault("expected one list of tests", path, documents[-1])
    return tuple(_parse_test(item, path) for item in tests.items)


def assign_tests(
    rules: Sequence[Rule], tests: Sequence[RuleTest]
) -> tuple[dict[str, tuple[RuleTest, ...]], tuple[RuleError, ...]]:
    """
    Give each rule its tests: those that name it, and to the first rule of a file those that name none.

    Args:
        rules: of all files that the tests stand beside.
        tests: of one file.

    Returns:
        Tests by the rule's id, for every rule; and a fault for each test whose rule is not there.
    """
    first: dict[str, str] = {}
    names: dict[str, str] = {}
    for rule in rules:
        first.setdefault(rule.path, rule.id)
        names.setdefault(rule.name.lower(), rule.id)
    names |= {rule.id.lower(): rule.id for rule in rules}
    own: dict[str, list[RuleTest]] = {rule.id: [] for rule in rules}
    faults = []
    for test in tests:
        ids = first.values() if test.rule is None else [names[test.rule.lower()]] if test.rule.lower() in names else ()
        if test.rule is not None and not ids:
            message = f"there is no rule '{test.rule}' beside this file"
            faults.append(RuleError(message, path=test.path, line=test.line))
        for rule_id in ids:
            own[rule_id].append(test)
    return {rule_id: tuple(given) for rule_id, given in own.items()}, tuple(faults)


def run_tests(
    rule: Rule, tests: Sequence[RuleTest], parse_document: Callable[[Mapping[str, object]], Event]
) -> tuple[TestResult, ...]:
    """
    Try a rule on its tests; filters are left aside, because they belong to an installation.

    Args:
        rule: as a reader gave it.
        tests: of its file.
        parse_document: `agent.ecs.parse_document`.
    """
    outcomes = [(outcome.severity, compile_predicate(outcome.predicate)) for outcome in rule.outcomes]
    results = []
    for test in tests:
        try:
            event = parse_document(test.event)
        except DecodeError as error:
            results.append(TestResult(rule_id=rule.id, test=test, fault=str(error)))
            continue
        got = next((severity for severity, holds in outcomes if holds(event)), None)
        results.append(TestResult(rule_id=rule.id, test=test, got=got))
    return tuple(results)


def missing_tests(rule: Rule, tests: Sequence[RuleTest]) -> tuple[str, ...]:
    """
    Tell what a rule's tests leave untried.

    Returns:
        A sentence for each: no event that matches, no event that does not.
    """
    missing = []
    if all(test.expect is None for test in tests):
        missing.append(f"{rule.path}: rule {rule.id} has no test with an event that matches.")
    if all(test.expect is not None for test in tests):
        missing.append(f"{rule.path}: rule {rule.id} has no test with an event that does not match.")
    return tuple(missing)


def _parse_test(node: sigma_yaml.Node, path: str) -> RuleTest:
    if not isinstance(node, sigma_yaml.Mapping):
        raise sigma_yaml.fault("expected a test with the keys name, event and expect", path, node)
    for key, (key_node, _) in node.entries.items():
        if key not in (*_KEYS, *_OPTIONAL_KEYS):
            raise sigma_yaml.fault("unknown key, expected name, event, expect and perhaps rule", path, key_node)
    found = [node.get(key) for key in _KEYS]
    for key, value in zip(_KEYS, found, strict=True):
        if value is None:
            raise sigma_yaml.fault(f"a test needs the key '{key}'", path, node)
    name, event, expect = found
    if not isinstance(name, sigma_yaml.Scalar):
        raise sigma_yaml.fault("a test's name is a text", path, name or node)
    if not isinstance(event, sigma_yaml.Mapping):
        raise sigma_yaml.fault("a test's event is a mapping of ECS fields", path, event or node)
    if not isinstance(expect, sigma_yaml.Scalar):
        raise sigma_yaml.fault("what a test expects is a severity or none", path, expect or node)
    rule = node.get("rule")
    if rule is not None and not isinstance(rule, sigma_yaml.Scalar):
        raise sigma_yaml.fault("a test names one rule, by its id or name", path, rule)
    return RuleTest(
        name=name.text,
        event={key: _plain(value) for key, (_, value) in event.entries.items()},
        expect=_parse_expectation(expect, path),
        rule=rule.text if rule else None,
        path=path,
        line=node.line,
    )


def _parse_expectation(expect: sigma_yaml.Scalar, path: str) -> Severity | None:
    if expect.text.lower() == "none":
        return None
    try:
        return parse_severity(expect.text)
    except ValueError as error:
        raise RuleError(f"{error}, or none", path=path, line=expect.line, column=expect.column) from None


def _plain(node: sigma_yaml.Node) -> object:
    if isinstance(node, sigma_yaml.Mapping):
        return {key: _plain(value) for key, (_, value) in node.entries.items()}
    if isinstance(node, sigma_yaml.Sequence):
        return [_plain(item) for item in node.items]
    return node.value if isinstance(node, sigma_yaml.Scalar) else None
