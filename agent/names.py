"""
Foreign vocabularies: documents in Sigma's or CrowdStrike's names, brought to ECS names.

Those vocabularies have fewer fields: no argument list, and often no name beside the path. What
follows from what they say is filled in here, and only for members that came under their names.
"""

import re
import shlex
from typing import Any

from agent.detect.fields import FALCON_NAMES, SIGMA_NAMES
from agent.event import FieldValue

_FOREIGN = {**FALCON_NAMES, **SIGMA_NAMES, "#event_simpleName": "event_simpleName"}
# Where both stand in one document the other is more exact: a sensor-wide process id, a shell's history.
_YIELDING = ("TargetProcessId", "CommandHistory")
_QUOTING = re.compile(r"[\\'\"]")
_SPACES = re.compile(r"[ \t\r\n]+")


def rename_to_ecs(flat: dict[str, FieldValue]) -> frozenset[str]:
    """
    Put ECS names in place of foreign ones; a field that has its ECS name too keeps that value.

    Returns:
        The ECS names that came so.
    """
    given = [name for name in flat if name in _FOREIGN]
    renamed = set()
    for name in sorted(given, key=_YIELDING.__contains__):
        canonical = _FOREIGN[name]
        if canonical not in flat:
            flat[canonical] = flat.pop(name)
            renamed.add(canonical)
    return frozenset(renamed)


def complete_members(members: dict[str, Any], foreign: frozenset[str], prefix: str) -> None:
    """
    Fill in what follows from the members of one process (or parent, by its prefix).

    A command line follows from arguments always; arguments and a name only from foreign members,
    because a rule's test of a field that an ECS document leaves out has to fail.
    """
    if "args" in members and "command_line" not in members:
        members["command_line"] = " ".join(members["args"])
    if prefix + "command_line" in foreign and "args" not in members:
        members["args"] = split_command_line(members["command_line"]) or None
    if prefix + "executable" in foreign and "name" not in members:
        members["name"] = members["executable"].rpartition("/")[2]


def split_command_line(text: str) -> tuple[str, ...]:
    """Split as a POSIX shell would; at spaces only, where a quote is never closed."""
    if _QUOTING.search(text):
        try:
            return tuple(shlex.split(text))
        except ValueError:  # a quote that nothing closes: the line was not written for a shell
            pass
    return tuple(part for part in _SPACES.split(text) if part)
