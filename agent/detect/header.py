"""
What a bare query says of itself: ``// key: value`` comment lines above its first line of code.

::

    // id: deploy-container
    // name: Container deployed with dangerous options
    // severity: high
    // techniques: T1610, T1611
    // tactics: execution, privilege-escalation
    // description: one line, or several that each repeat the key
    // references: https://example.org/why

Keys are read in any case, and ``technique``, ``tactic``, ``reference`` are taken for their plurals.
Any other comment is prose, but a key that is one slip away from these is a fault: a misspelt
``severity`` must not quietly become the default.
"""

import difflib
import re

import msgspec

from agent.detect.rule import Severity, parse_severity
from agent.errors import RuleError

_KEYS = ("id", "name", "severity", "description", "techniques", "tactics", "references")
_SINGULARS = {"technique": "techniques", "tactic": "tactics", "reference": "references"}
_LINE = re.compile(r"//+\s*([A-Za-z]+)\s*:(?!//)\s*(.*)")
_SIMILAR = 0.8
_ID = re.compile(r"[\w.-]+")
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a query; None and empty where it says nothing."""

    id: str | None = None
    name: str | None = None
    severity: Severity | None = None
    description: str | None = None
    techniques: tuple[str, ...] = ()  # T1610
    tactics: tuple[str, ...] = ()  # in lower case with hyphens
    references: tuple[str, ...] = ()


def parse_header(text: str, path: str) -> tuple[Header, tuple[RuleError, ...]]:
    """
    Read the comment lines above a query.

    Args:
        text: the whole file; reading ends at its first line that is neither blank nor a ``//`` comment.
        path: the file's name, for errors.

    Returns:
        The header without the parts at fault, and every fault.
    """
    found: dict[str, list[str]] = {}
    severity: Severity | None = None
    errors: list[RuleError] = []
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip().removeprefix("\ufeff")
        if stripped and not stripped.startswith("//"):
            break
        if not (entry := _LINE.fullmatch(stripped)):
            continue
        key = _SINGULARS.get(entry[1].lower(), entry[1].lower())
        try:
            values = _parse_entry(key, entry[2])
            severity = parse_severity(values[0]) if key == "severity" and values else severity
        except ValueError as error:
            column = line.index(entry[1]) + 1
            errors.append(RuleError(str(error), path=path, line=number, column=column, text=stripped[:120]))
        else:
            found.setdefault(key, []).extend(values)
    header = Header(
        id=_last(found, "id"),
        name=_last(found, "name"),
        severity=severity,
        description=" ".join(found.get("description", ())) or None,
        techniques=tuple(dict.fromkeys(found.get("techniques", ()))),
        tactics=tuple(dict.fromkeys(found.get("tactics", ()))),
        references=tuple(found.get("references", ())),
    )
    return header, tuple(errors)


def _last(found: dict[str, list[str]], key: str) -> str | None:
    return found[key][-1] if found.get(key) else None


def _parse_entry(key: str, value: str) -> list[str]:
    if key not in _KEYS:
        if likely := difflib.get_close_matches(key, _KEYS, n=1, cutoff=_SIMILAR):
            raise ValueError(f"unknown key {key!r}, expected {likely[0]!r}")
        return []
    if not value:
        raise ValueError(f"{key!r} has no value")
    if key == "id" and not _ID.fullmatch(value):
        raise ValueError("an id is made of letters, digits, '.', '_' and '-' only")
    if key == "techniques":
        techniques = value.upper().replace(",", " ").split()
        if wrong := [technique for technique in techniques if not _TECHNIQUE.fullmatch(technique)]:
            raise ValueError(f"{wrong[0]!r} is no ATT&CK technique, expected the form T1610 or T1552.007")
        return techniques
    if key == "tactics":
        return ["-".join(tactic.lower().replace("_", " ").split()) for tactic in value.split(",") if tactic.strip()]
    return [value]
