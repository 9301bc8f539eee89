"""`hullwatch explain`: what each rule says of a command line, and why."""

import json
import os
import pwd
import shlex
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath

import msgspec

from agent.alert import encode_document
from agent.detect.explain import Explanation, explain_rule, format_explanation
from agent.detect.rule import Filter, Rule, Severity
from agent.ecs import to_document
from agent.event import Event, Exec, FieldValue, Parent, Process
from agent.text import make_printable

# As the sensors say of every exec.
_FIELDS: Mapping[str, FieldValue] = {
    "event.kind": "event",
    "event.category": ("process",),
    "event.type": ("start",),
    "event.action": "exec",
    "host.os.type": "linux",
}
_KIND = ("event.", "host.", "event_")  # fields that say what kind of event it is, and hold for every exec
_COMM_CHARACTERS = 15  # TASK_COMM_LEN without its NUL, include/linux/sched.h


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one rule says: its severity where it matches, the filter that silences it, and the whole tree.

    `close`: it matches, or one thing only kept it from that.
    """

    rule: Rule
    severity: Severity | None
    silenced_by: Filter | None
    close: bool
    why: Explanation


def make_exec(command: Sequence[str], *, cwd: Path, root: Path, uid: int, parent: str, path: str) -> Exec:
    """
    Make the event that a command line would give.

    Args:
        command: the arguments, the command's name first; bytes that are no UTF-8 as surrogates, as in `sys.argv`.
        cwd: absolute; relative names count from it.
        root: stands for ``/``: the command is looked for below it.
        uid: of the user; the name is this machine's.
        parent: path of the executable that starts it.
        path: directories that a bare name is looked for in, as in ``$PATH``.

    Returns:
        An event with the file that would run, links followed where `root` is ``/``; nothing is run. A bare
        name that is nowhere counts as ``/usr/bin/NAME``.
    """
    raw = tuple(map(os.fsencode, command))
    args = tuple(argument.decode(errors="backslashreplace") for argument in raw)
    filename = _find(command[0], cwd, root, path)
    executable = os.path.realpath(filename) if root == Path("/") else filename
    executable, filename = _text(executable), _text(filename)
    name = PurePath(executable).name
    return Exec(
        id="explain",
        time_ns=time.time_ns(),
        sensor="explain",
        origin="explain",
        process=Process(
            executable=executable,
            name=name,
            comm=PurePath(filename).name[:_COMM_CHARACTERS],
            filename=filename,
            args=args,
            raw_args=None if all(map(_is_text, raw)) else raw,
            args_count=len(args),
            command_line=" ".join(args),
            working_directory=_text(str(cwd)),
            uid=uid,
            euid=uid,
            user_name=_user_name(uid),
        ),
        parent=Parent(executable=parent, name=PurePath(parent).name),
        fields=_FIELDS,
    )


def judge(rules: Iterable[Rule], event: Event) -> Iterator[Verdict]:
    """
    Ask every rule, in order.

    Raises:
        ValueError: a rule has an expression that cannot be compiled.
    """
    for rule in rules:
        why = explain_rule(rule, event)
        outcomes, filters = why.children[: len(rule.outcomes)], why.children[len(rule.outcomes) :]
        severities = (rule.outcomes[index].severity for index, outcome in enumerate(outcomes) if outcome.held)
        silencing = (rule.filters[index] for index, each in enumerate(filters) if each.held)
        yield Verdict(
            rule=rule,
            severity=next(severities, None),
            silenced_by=next(silencing, None) if why.held else None,
            close=why.held or any(came_close(outcome.children[0]) for outcome in outcomes),
            why=why,
        )


def came_close(why: Explanation) -> bool:
    """
    Tell whether one thing only kept a tree from holding.

    Of all parts that must hold one does not, and one of those that do tests more than the kind of event;
    or this is so further down, in the part that does not hold.
    """
    if why.held or why.text == "not":
        return False
    if why.text == "any of":
        return any(map(came_close, why.children))
    missing = [child for child in why.children if not child.held]
    return len(missing) == 1 and (any(map(_is_evidence, why.children)) or came_close(missing[0]))


def format_event(event: Event) -> str:
    """Show what is judged: the file and its arguments, and the intent where there is one."""
    process = event.process
    args = " ".join(shlex.quote(argument) for argument in process.args or ())
    user = process.user_name or process.uid
    lines = [
        f"{process.executable}: {args}",
        f"by {user} in {process.working_directory}, started by {event.parent.executable}",
    ]
    if event.intent:
        asked = msgspec.to_builtins(event.intent)
        lines.append("intent: " + ", ".join(f"{name}={json.dumps(value)}" for name, value in asked.items() if value))
    return "\n".join(map(make_printable, lines))


def format_verdict(verdict: Verdict) -> str:
    """Show what one rule says and why, ``+`` before each part that holds and ``-`` before the others."""
    said = verdict.severity.label if verdict.severity else "no match"
    if verdict.silenced_by:
        said += f", silenced by the filter {verdict.silenced_by.id}"
    head = f"{said}: {verdict.rule.name}  {verdict.rule.path}:{verdict.rule.line}"
    return make_printable(head) + "\n" + format_explanation(verdict.why)


def encode_verdicts(event: Event, verdicts: Iterable[Verdict]) -> bytes:
    """Write everything as one JSON object: the event as nested ECS, its intent, and a list of rules."""
    rules = [_describe(verdict) for verdict in verdicts]
    return encode_document(
        {"event": to_document(event), "intent": msgspec.to_builtins(event.intent), "rules": rules},
    )


def _describe(verdict: Verdict) -> dict[str, object]:
    return {
        "id": verdict.rule.id,
        "name": verdict.rule.name,
        "path": verdict.rule.path,
        "line": verdict.rule.line,
        "matches": verdict.severity is not None,
        "severity": verdict.severity.label if verdict.severity else None,
        "silenced_by": verdict.silenced_by.id if verdict.silenced_by else None,
        "why": msgspec.to_builtins(verdict.why),
    }


# What is not so says little: nearly every event has a parent that is not the kubelet.
def _is_evidence(why: Explanation) -> bool:
    if not why.held or why.text == "not":
        return False
    if why.children:
        return any(map(_is_evidence, why.children))
    return any(not name.startswith(_KIND) for name, _ in why.seen)


def _find(name: str, cwd: Path, root: Path, path: str) -> str:
    if "/" in name:
        return os.path.normpath(cwd / name)
    folders = [folder for folder in path.split(os.pathsep) if folder.startswith("/")]
    found = shutil.which(name, path=os.pathsep.join(str(root) + folder for folder in folders))
    if found is None:
        return f"/usr/bin/{name}"
    return "/" + os.path.relpath(found, root)


def _text(text: str) -> str:
    return os.fsencode(text).decode(errors="backslashreplace")


def _is_text(argument: bytes) -> bool:
    try:
        argument.decode()
    except UnicodeDecodeError:
        return False
    return True


def _user_name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return None
