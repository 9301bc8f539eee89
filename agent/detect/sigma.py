"""
Sigma rules and Sigma Filters -> rules and filters of ours.

Taken is what concerns one process start (``process_creation``) or one connection to a runtime socket
(``network_connection``, where a rule reads only fields that such an event has); other log sources are
skipped with a reason. A rule without ``level`` is of medium severity.

A Sigma Filter adds its condition to the rules it names: ``(rule) and (filter's condition)``, which is
why a filter is written ``condition: not selection``. What it *silences* is therefore the negation of
its condition, and `Filter.predicate` is that.

Source: https://github.com/SigmaHQ/sigma-specification and pySigma's `SigmaFilter.apply_on_rule`.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import PurePath
from typing import NamedTuple
from uuid import UUID

from agent.detect.fields import FIELDS, SIGMA_NAMES, resolve_field
from agent.detect.predicate import Always, Equals, Predicate, all_of, any_of, fields_of, negate
from agent.detect.rule import Filter, Outcome, ReadResult, Rule, Severity, parse_severity
from agent.detect.sigma_condition import Section, read_section
from agent.detect.sigma_yaml import Mapping as YamlMapping
from agent.detect.sigma_yaml import Node, Scalar, fault, parse_documents
from agent.detect.sigma_yaml import Sequence as YamlSequence
from agent.errors import RuleError

# The event of each category, by a name that every kind of event has: live ones have no event.category
# before they are written out, replayed ones in Sigma's or CrowdStrike's naming have none at all.
_EVENTS = {"process_creation": "ProcessRollup2", "network_connection": "UnixSocketConnect"}
_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_TACTIC = re.compile(r"attack\.([a-z][a-z_-]+)", re.IGNORECASE)
_NO_PLACEHOLDERS: Mapping[str, Sequence[str]] = {}


class _File(NamedTuple):
    path: str
    shipped: bool
    placeholders: Mapping[str, Sequence[str]]
    errors: list[RuleError]
    warnings: list[str]
    skipped: list[str]

    def refuse(self, message: str, node: Node, text: str | None = None) -> None:
        self.errors.append(fault(message, self.path, node, text))

    def warn(self, message: str, node: Node) -> None:
        self.warnings.append(f"{self.path}:{node.line}:{node.column}: {message}")

    def skip(self, message: str, node: Node) -> None:
        self.skipped.append(f"{self.path}:{node.line}: {message}")


def read_sigma(
    text: str, path: str, *, shipped: bool = False, placeholders: Mapping[str, Sequence[str]] = _NO_PLACEHOLDERS
) -> ReadResult:
    """
    Read every document of a Sigma file; each is a rule or a filter.

    Args:
        text: the file's content, YAML.
        path: its name, for errors and for rules without an id of their own.
        shipped: a field that no event has is an error, not a warning.
        placeholders: what ``%name%`` stands for in values with the modifier ``expand``.
    """
    file = _File(path, shipped, placeholders, [], [], [])
    documents, errors = parse_documents(text, path)
    file.errors.extend(errors)
    rules: list[Rule] = []
    filters: list[Filter] = []
    for number, document in enumerate(documents, start=1):
        found = _read_document(document, number, file)
        if isinstance(found, Rule):
            rules.append(found)
        elif found:
            filters.append(found)
    return ReadResult(
        rules=tuple(rules),
        filters=tuple(filters),
        errors=tuple(file.errors),
        warnings=tuple(file.warnings),
        skipped=tuple(file.skipped),
    )


def _read_document(document: Node, number: int, file: _File) -> Rule | Filter | None:
    if not isinstance(document, YamlMapping):
        file.refuse("a rule is a mapping with title, logsource and detection", document)
        return None
    for name, message in (
        ("correlation", "a correlation needs several events; only single events are matched"),
        ("action", "collections with 'action' are not taken; write each rule out"),
    ):
        if name in document.entries:
            key, node = document.entries[name]
            kind = node.get("type") if isinstance(node, YamlMapping) else node
            file.refuse(message, key, f"{name}: {kind.text}" if isinstance(kind, Scalar) else name)
            return None
    before = len(file.errors)
    found = _read_filter(document, number, file) if "filter" in document.entries else _read_rule(document, number, file)
    return found if len(file.errors) == before else None


def _read_rule(document: YamlMapping, number: int, file: _File) -> Rule | None:
    title = _required_text(document, "title", file)
    source = _read_logsource(document, file)
    if source is None:
        return None
    detection = document.get("detection")
    if not isinstance(detection, YamlMapping):
        file.refuse("no detection; expected a mapping of names and a condition", detection or document)
        return None
    section = read_section(detection, file.path, file.placeholders)
    if not _check_fields(section, file, skip=source.category == "network_connection"):
        return None
    file.errors.extend(section.errors)
    severity = _read_level(document, file)
    tags = _texts(document, "tags", file)
    predicate = all_of(source.guard, any_of(*section.conditions))
    return Rule(
        id=_read_id(document, number, file),
        name=title,
        language="sigma",
        path=file.path,
        line=document.line,
        description=_text(document, "description", file),
        outcomes=(Outcome(severity, predicate),),
        techniques=tuple(found[1].upper() for tag in tags if (found := _TECHNIQUE.fullmatch(tag))),
        tactics=tuple(found[1].lower().replace("_", "-") for tag in tags if (found := _TACTIC.fullmatch(tag))),
        references=_texts(document, "references", file),
        false_positives=_texts(document, "falsepositives", file),
        summary_fields=_texts(document, "fields", file),
    )


def _read_filter(document: YamlMapping, number: int, file: _File) -> Filter | None:
    title = _required_text(document, "title", file)
    source = _read_logsource(document, file, of_filter=True)
    if source is None:
        return None
    node = document.get("filter")
    if not isinstance(node, YamlMapping):
        file.refuse("expected a mapping with rules, names and a condition", node or document.entries["filter"][0])
        return None
    section = read_section(node, file.path, file.placeholders)
    _check_fields(section, file)
    file.errors.extend(section.errors)
    condition = node.get("condition")
    if isinstance(condition, YamlSequence):
        file.refuse("a filter has one condition", condition)
    elif isinstance(condition, Scalar) and not re.search(r"\bnot\b", condition.text):
        file.warn("this filter keeps what it selects and silences all else; 'not selection' was meant?", condition)
    rules = _texts(node, "rules", file)
    if node.get("rules") is None:
        file.refuse("no rules; expected ids or names of rules, or 'any'", node)
    every = [rule.lower() for rule in rules] == ["any"]
    return Filter(
        id=_read_id(document, number, file),
        name=title,
        path=file.path,
        line=document.line,
        rules=() if every else tuple(map(_normal_id, rules)),
        predicate=all_of(source.guard, negate(all_of(*section.conditions))),
    )


class _Source(NamedTuple):
    category: str | None
    guard: Predicate


# None: the fault is recorded, or the document is skipped.
def _read_logsource(document: YamlMapping, file: _File, *, of_filter: bool = False) -> _Source | None:
    node = document.get("logsource")
    if not isinstance(node, YamlMapping):
        file.refuse("no logsource; expected a mapping with category and product", node or document)
        return None
    values = {name: _text(node, name, file).lower() for name in ("category", "product", "service")}
    category, product, service = values.values()
    if not any(values.values()):
        file.refuse("an empty logsource; expected category, product or service", node)
        return None
    # A filter covers every log source that has what it names (pySigma: containment), a rule is about its own.
    covers_all = of_filter and not category
    if product not in ("", "linux") or service not in ("", "sysmon") or not (category in _EVENTS or covers_all):
        written = ", ".join(f"{name} {value}" for name, value in values.items() if value)
        file.skip(f"no sensor here gives events of {written}", node)
        return None
    guard = Equals("event_simpleName", (_EVENTS[category],)) if category else Always(True)
    return _Source(category or None, guard)


# True where the rule can be taken; `skip`: rules of a category that others fill with fields we never have.
def _check_fields(section: Section, file: _File, *, skip: bool = False) -> bool:
    for key, predicate in section.items:
        for field in dict.fromkeys(fields_of(predicate)):
            if resolve_field(field).known:
                continue
            if skip and not file.shipped:
                file.skip(f"a connection to a runtime socket has no field {field!r}", key)
                return False
            similar = get_close_matches(field, [*SIGMA_NAMES, *FIELDS], n=1)
            hint = f"; {similar[0]!r} was meant?" if similar else ""
            message = f"unknown field {field!r}{hint}"
            if file.shipped:
                file.refuse(message, key)
            else:
                file.warn(f"{message}: only a replayed event can have it", key)
    return True


def _read_level(document: YamlMapping, file: _File) -> Severity:
    node = document.get("level")
    if node is None:
        return Severity.MEDIUM
    try:
        return parse_severity(node.text if isinstance(node, Scalar) else "")
    except ValueError as error:
        file.refuse(f"bad level: {error}", node)
        return Severity.MEDIUM


def _read_id(document: YamlMapping, number: int, file: _File) -> str:
    stem = PurePath(file.path).stem or "rule"
    return _normal_id(_text(document, "id", file)) or (stem if number == 1 else f"{stem}-{number}")


def _normal_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return text


def _required_text(document: YamlMapping, name: str, file: _File) -> str:
    if document.get(name) is None:
        file.refuse(f"no {name}; expected a text", document)
    return _text(document, name, file)


def _text(document: YamlMapping, name: str, file: _File) -> str:
    node = document.get(name)
    if node is None:
        return ""
    if not isinstance(node, Scalar):
        file.refuse(f"{name} is a text", node, name)
        return ""
    return node.text.strip()


def _texts(document: YamlMapping, name: str, file: _File) -> tuple[str, ...]:
    node = document.get(name)
    items = node.items if isinstance(node, YamlSequence) else (node,) if node else ()
    texts = [item.text.strip() for item in items if isinstance(item, Scalar)]
    if len(texts) < len(items):
        file.refuse(f"{name} is a list of texts", node or document, name)
    return tuple(text for text in texts if text)
