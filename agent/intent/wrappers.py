"""
The command lines inside a command line: behind sudo, env, timeout, inside ``sh -c``, behind a multi-call name.

A wrapper that runs its command by exec is seen once more when it does; one level that cannot be read here
costs an alert's early word, not the alert.
"""

import posixpath
import re
from collections.abc import Callable, Sequence

import msgspec

from agent.intent.grammar import Grammar, is_on, last, parse_options
from agent.intent.mounts import Around, normalise_path
from agent.intent.options import Option, Takes
from agent.intent.shell import drop_reserved, split_commands
from agent.intent.tables.wrappers import (
    INTERPRETERS,
    LOADER_OPTIONS,
    SHELL_OPTIONS,
    SHELLS,
    WRAPPERS,
    Wrapper,
)

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=", re.ASCII)
_LOADER = re.compile(
    r"ld-(?:linux|musl)[\w.-]*\.so(?:\.[0-9]+)*\Z|ld\.so\Z|qemu-(?:x86_64|aarch64|arm|i386)(?:-static)?\Z"
)
_INTERPRETER = re.compile(r"(?:python|pypy|ruby|perl|lua|php)[0-9]*(?:\.[0-9]+)*\Z")
_EXEC_ACTIONS = frozenset(("-exec", "-execdir", "-ok", "-okdir"))
# The variables that say where a client goes; nothing else of an environment is ever kept.
VARIABLES = frozenset(
    (
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "CONTAINER_HOST",
        "CONTAINER_CONNECTION",
        "CONTAINERD_ADDRESS",
        "CONTAINERD_NAMESPACE",
        "KUBECONFIG",
        "CONTAINER_RUNTIME_ENDPOINT",
        "CRI_CONFIG_FILE",
        "COMPOSE_FILE",
    )
)


class Inner(msgspec.Struct, frozen=True):
    """A command line found inside another, and what it depends on there."""

    argv: tuple[str, ...]
    around: Around


def unwrap(name: str, argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    """
    Find the command lines that ``argv`` runs, `name` being what the program is.

    Returns:
        Nothing for a program that is no wrapper, or that runs nothing this time.
    """
    if name in SHELLS:
        return _unwrap_shell(argv, around)
    if name in _SPECIAL:
        return _SPECIAL[name](argv, around)
    if _LOADER.match(name):
        return _unwrap_loader(argv, around)
    if name in INTERPRETERS or _INTERPRETER.match(name):
        return _unwrap_script(argv, around)
    wrapper = WRAPPERS.get(name)
    return () if wrapper is None else _unwrap_plain(wrapper, argv, around)


def is_wrapper(name: str) -> bool:
    """Tell whether `unwrap` knows the program."""
    known = name in WRAPPERS or name in SHELLS or name in _SPECIAL or name in INTERPRETERS
    return known or bool(_LOADER.match(name) or _INTERPRETER.match(name))


def read_text(text: str, around: Around) -> tuple[Inner, ...]:
    """Find the simple commands of a shell text; a ``cd`` and an ``export`` hold for those behind it."""
    found = []
    for command in split_commands(text):
        words, around_it = _take_assignments(drop_reserved(command), around)
        if not words:
            around = around_it
        elif words[0] == "cd" and len(words) > 1:
            around = msgspec.structs.replace(around, cwd=normalise_path(words[1], around))
        elif words[0] in {"export", "declare", "set"}:
            around = _take_assignments(words[1:], around)[1]
        else:
            found.append(Inner(tuple(words), around_it))
    return tuple(found)


def _take_assignments(words: Sequence[str], around: Around) -> tuple[list[str], Around]:
    at, env = 0, dict(around.env)
    while at < len(words) and _ASSIGNMENT.match(words[at]):
        name, _, value = words[at].partition("=")
        if name in VARIABLES:
            env[name] = value
        at += 1
    changed = msgspec.structs.replace(around, env=env) if env != around.env else around
    return list(words[at:]), changed


def _unwrap_plain(wrapper: Wrapper, argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    parsed = parse_options(Grammar.GETOPT, wrapper.options, argv, 1, stops=not wrapper.scattered)
    directory = last(parsed, wrapper.directory) if wrapper.directory else None
    if directory:
        around = msgspec.structs.replace(around, cwd=normalise_path(directory, around))
    text = last(parsed, wrapper.text) if wrapper.text else None
    if text is not None:
        return read_text(text, around)
    split = last(parsed, "split-string")
    words = [*(split_commands(split)[:1] or [[]])[0], *parsed.words] if split else list(parsed.words)
    if wrapper.assigns:
        words, around = _take_assignments(words, around)
    words = words[wrapper.skips :]
    if wrapper.text and words[:1] == ["-c"] and len(words) > 1:
        return read_text(words[1], around)
    if wrapper.skips and words[:1] and words[0].startswith("-"):
        # `setarch x86_64 -R COMMAND`: options on both sides of the first word.
        words = list(parse_options(Grammar.GETOPT, wrapper.options, words).words)
    return (Inner(tuple(words), around),) if words else ()


def _unwrap_shell(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    parsed = parse_options(Grammar.GETOPT, _SHELL_TABLE, [_plain_sign(word) for word in argv], 1)
    if is_on(parsed, "c"):
        return read_text(parsed.words[0], around) if parsed.words else ()
    return (Inner(parsed.words, around),) if parsed.words else ()


# "+x" turns an option off; for finding the text it is an option all the same.
def _plain_sign(word: str) -> str:
    return f"-{word[1:]}" if len(word) == 2 and word[0] == "+" else word


_SHELL_TABLE = {**SHELL_OPTIONS, "-o": Option("option", Takes.VALUE), "-O": Option("option", Takes.VALUE)}


def _unwrap_script(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    # A program text (-c, -e) is no command line; a script may be a known tool in another language.
    at = 1
    while at < len(argv) and argv[at].startswith("-"):
        if argv[at][:2] in {"-c", "-e", "-m"} or argv[at] == "-":
            return ()
        at += 2 if argv[at] in {"-W", "-X", "-I", "-r"} else 1
    return (Inner(tuple(argv[at:]), around),) if at < len(argv) else ()


def _unwrap_loader(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    parsed = parse_options(Grammar.GETOPT, LOADER_OPTIONS, argv, 1)
    return (Inner(parsed.words, around),) if parsed.words else ()


def _unwrap_find(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    found: list[Inner] = []
    start = None
    for index, word in enumerate(argv):
        if start is not None and word in {";", "+"}:
            found.append(Inner(tuple(argv[start:index]), around))
            start = None
        elif start is None and word in _EXEC_ACTIONS:
            start = index + 1
        if len(found) >= 16:
            break
    return tuple(inner for inner in found if inner.argv)


def _unwrap_parallel(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    at = 1
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in {"-j", "-N", "-n", "-I", "-a", "--jobs", "--joblog", "--delay", "-S"} else 1
    end = next((index for index in range(at, len(argv)) if argv[index] in {":::", "::::", ":::+"}), len(argv))
    words = argv[at:end]
    if len(words) == 1:
        return read_text(words[0], around)
    return (Inner(tuple(words), around),) if words else ()


def _unwrap_ip(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    for index in range(1, min(len(argv) - 3, 16)):
        if argv[index].startswith("netns") and argv[index + 1] in {"exec", "ex", "e"}:
            return (Inner(tuple(argv[index + 3 :]), around),)
    return ()


def _unwrap_start_stop(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    program = None
    for index, word in enumerate(argv[:64]):
        option, equals, value = word.partition("=")
        if option in {"--exec", "--startas", "-x", "-a"}:
            program = value if equals else (argv[index + 1] if index + 1 < len(argv) else None)
        elif word == "--":
            return (Inner((program, *argv[index + 1 :]), around),) if program else ()
    return ()


def _unwrap_eval(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    return read_text(" ".join(argv[1:]), around)


def _unwrap_watch(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    parsed = parse_options(Grammar.GETOPT, WRAPPERS["watch"].options, argv, 1)
    if is_on(parsed, "exec"):
        return (Inner(parsed.words, around),) if parsed.words else ()
    return read_text(" ".join(parsed.words), around)


def _unwrap_tmux(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    for index, word in enumerate(argv[:16]):
        if word in {"new-session", "new", "new-window", "neww", "split-window", "splitw", "respawn-pane"}:
            parsed = parse_options(Grammar.GETOPT, _TMUX, argv, index + 1)
            words = parsed.words
            return read_text(words[0], around) if len(words) == 1 else ((Inner(words, around),) if words else ())
    return ()


_TMUX = {
    **{f"-{letter}": Option(letter, Takes.VALUE) for letter in "cefFnstxyl"},
    **{f"-{letter}": Option(letter, Takes.NOTHING) for letter in "AadDEPXkSbhvIZ"},
}


def _unwrap_kubectl_of(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    # minikube hands everything behind "--" to kubectl, and what stands before it as well.
    found = _unwrap_plain(WRAPPERS["minikube"], argv, around)
    if not found or found[0].argv[0] != "kubectl":
        return ()
    words = list(found[0].argv)
    if "--" in words[:2]:
        words.remove("--")
    return (Inner(tuple(words), around),)


def _unwrap_snap(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    found = _unwrap_plain(WRAPPERS["snap"], argv, around)
    return (Inner(found[0].argv[1:], around),) if found and found[0].argv[0] == "run" and found[0].argv[1:] else ()


def _unwrap_user(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    # `runuser -u NAME -- CMD` runs words; `runuser NAME -c TEXT` is su.
    wrapper = WRAPPERS["su"]
    parsed = parse_options(Grammar.GETOPT, wrapper.options, argv, 1, stops=False)
    text = last(parsed, "command", "session-command")
    if text is not None:
        return read_text(text, around)
    runs = "user" in parsed.values
    words = parse_options(Grammar.GETOPT, wrapper.options, argv, 1).words if runs else ()
    return (Inner(words, around),) if words else ()


def _unwrap_group(argv: Sequence[str], around: Around) -> tuple[Inner, ...]:
    # `sg [-] GROUP [-c] TEXT`
    words = [word for word in argv[1:4] if word not in {"-", "-c"}]
    return read_text(words[1], around) if len(words) > 1 else ()


_SPECIAL: dict[str, Callable[[Sequence[str], Around], tuple[Inner, ...]]] = {
    "eval": _unwrap_eval,
    "find": _unwrap_find,
    "ip": _unwrap_ip,
    "minikube": _unwrap_kubectl_of,
    "parallel": _unwrap_parallel,
    "runuser": _unwrap_user,
    "sg": _unwrap_group,
    "snap": _unwrap_snap,
    "start-stop-daemon": _unwrap_start_stop,
    "su": _unwrap_user,
    "tmux": _unwrap_tmux,
    "watch": _unwrap_watch,
}

# Wrappers that a container's own command may begin with, without hiding what it runs.
_TRANSPARENT = frozenset(
    ("env", "nohup", "setsid", "timeout", "nice", "exec", "busybox", "toybox", "sudo", "tini", "gosu")
)


def find_program(command: Sequence[str], around: Around) -> str | None:
    """Tell the base name of the program that a command runs, behind env, timeout and their like."""
    for _ in range(4):
        if not command:
            return None
        name = posixpath.basename(command[0])[:256]
        inner = unwrap(name, command, around) if name in _TRANSPARENT else ()
        if not inner:
            return name or None
        command = inner[0].argv
    return None
