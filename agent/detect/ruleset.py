"""
Many rule files into one set of rules: each file by the reader for its ending, and what only shows across files.

``placeholders.yml`` is no rule: a mapping from a name to the values that Sigma's modifier ``expand``
puts for ``%name%``, for the rules of all files. Where several define a name, the last one counts.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from agent.detect import sigma_yaml
from agent.detect.cql import read_cql
from agent.detect.elastic_toml import read_elastic_toml
from agent.detect.eql import read_eql
from agent.detect.matcher import compile_predicate
from agent.detect.rule import Filter, ReadResult, Rule
from agent.detect.rule_file import RULE_ENDINGS, SIGMA_ENDINGS, RuleFile
from agent.detect.ruletest import TESTS_ENDING
from agent.detect.sigma import read_sigma
from agent.errors import RuleError

PLACEHOLDERS = "placeholders.yml"

_READERS = {".eql": read_eql, ".toml": read_elastic_toml, ".cql": read_cql}

_RuleOrFilter = TypeVar("_RuleOrFilter", Rule, Filter)
_Placeholders = dict[str, tuple[str, ...]]


def read_rules(files: Sequence[RuleFile]) -> ReadResult:
    """
    Read all files; a file or rule at fault costs only itself.

    Args:
        files: in any order; of two rules with one id the first stays. Tests and files with other
            endings are left out.

    Returns:
        The rules with the filters that name them, and every fault of every file.
    """
    texts, errors = _decode_files(files)
    placeholders: _Placeholders = {}
    for file, text in texts:
        if _name_of(file) == PLACEHOLDERS:
            found, faults = _parse_placeholders(text, file.path)
            placeholders.update(found)
            errors += faults
    results = [_read_file(file, text, placeholders) for file, text in texts if _name_of(file) != PLACEHOLDERS]
    rules, duplicates = _unique(rule for result in results for rule in result.rules)
    rules, unusable = split_compilable(rules)
    filters, useless = split_compilable(item for result in results for item in result.filters)
    return ReadResult(
        rules=tuple(_with_filters(rule, filters) for rule in rules),
        filters=tuple(filters),
        errors=(*errors, *(error for result in results for error in result.errors), *duplicates, *unusable, *useless),
        warnings=(*(text for result in results for text in result.warnings), *_lost_filters(filters, rules)),
        skipped=tuple(text for result in results for text in result.skipped),
    )


def split_compilable(items: Iterable[_RuleOrFilter]) -> tuple[list[_RuleOrFilter], list[RuleError]]:
    """Set apart what the matcher cannot take (RE2's limits, too deep a tree), so that one rule stops no other."""
    good: list[_RuleOrFilter] = []
    errors: list[RuleError] = []
    for item in items:
        predicates = [item.predicate] if isinstance(item, Filter) else [each.predicate for each in item.outcomes]
        try:
            for predicate in predicates:
                compile_predicate(predicate)
            good.append(item)
        except ValueError as error:
            errors.append(RuleError(f"'{item.name}' cannot be used: {error}", path=item.path, line=item.line))
    return good, errors


def _name_of(file: RuleFile) -> str:
    return file.path.rpartition("/")[2]


def _decode_files(files: Iterable[RuleFile]) -> tuple[list[tuple[RuleFile, str]], list[RuleError]]:
    texts: list[tuple[RuleFile, str]] = []
    errors: list[RuleError] = []
    for file in files:
        if not file.path.endswith(RULE_ENDINGS) or file.path.endswith(TESTS_ENDING):
            continue
        try:
            texts.append((file, file.data.decode("utf-8-sig")))
        except UnicodeDecodeError as error:
            before = file.data[: error.start]
            line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
            errors.append(RuleError("the file is not UTF-8 text", path=file.path, line=line, column=column))
    return texts, errors


def _read_file(file: RuleFile, text: str, placeholders: _Placeholders) -> ReadResult:
    if file.path.endswith(SIGMA_ENDINGS):
        return read_sigma(text, file.path, shipped=file.shipped, placeholders=placeholders)
    read = next(read for ending, read in _READERS.items() if file.path.endswith(ending))
    return read(text, file.path, shipped=file.shipped)


def _unique(rules: Iterable[Rule]) -> tuple[list[Rule], list[RuleError]]:
    first: dict[str, Rule] = {}
    errors: list[RuleError] = []
    for rule in rules:
        taken = first.setdefault(rule.id, rule)
        if taken is not rule:
            message = f"the id '{rule.id}' is already taken by {taken.path}:{taken.line}, expected one of its own"
            errors.append(RuleError(message, path=rule.path, line=rule.line))
    return list(first.values()), errors


def _names(rule: Rule) -> tuple[str, str]:
    return rule.id.lower(), rule.name.lower()


def _with_filters(rule: Rule, filters: Iterable[Filter]) -> Rule:
    own = tuple(item for item in filters if not item.rules or any(name.lower() in _names(rule) for name in item.rules))
    return msgspec.structs.replace(rule, filters=own)


def _lost_filters(filters: Iterable[Filter], rules: Iterable[Rule]) -> Iterable[str]:
    known = {name for rule in rules for name in _names(rule)}
    for item in filters:
        for name in item.rules:
            if name.lower() not in known:
                yield f"{item.path}:{item.line}: filter '{item.name}' names the rule '{name}', which does not exist."


def _parse_placeholders(text: str, path: str) -> tuple[_Placeholders, tuple[RuleError, ...]]:
    documents, faults = sigma_yaml.parse_documents(text, path)
    found: _Placeholders = {}
    for document in documents:
        if not isinstance(document, sigma_yaml.Mapping):
            faults.append(sigma_yaml.fault("expected a mapping from names to lists of values", path, document))
            continue
        for name, (key, node) in document.entries.items():
            items = node.items if isinstance(node, sigma_yaml.Sequence) else (node,)
            values = tuple(
                item.text for item in items if isinstance(item, sigma_yaml.Scalar) and item.value is not None
            )
            if not values or len(values) < len(items):
                faults.append(sigma_yaml.fault(f"placeholder '{name}' needs a list of values", path, key))
                continue
            found[name] = values
    return found, tuple(faults)
