r"""
What the bytes of an exec must hold for an intent to be read of it: the one superset of agent/intent/argv.py.

An intent comes of a tool, of a general client that is pointed at an API, of a program text that names a
socket or a client library, or of an unknown program with an option that only a runtime's client has. A
tool is found by its name: the path's last component, argv[0], or a word of a command line inside the
arguments (sudo, env, find -exec, sh -c). So what must be there is:

- a tool's name or alias where a word begins, in path or arguments, maybe behind a dash (of a login) or a
  package; and behind it what `naming.find_tool` takes for no other name: the end of the word, a version, a
  mark of a package, a plug-in of kubectl;
- or, in the arguments, one of the marks of `_MARKS` and of `_add_*`: an API's paths and ports, a socket's file.

In a shell's text quotes, backslashes and ``$`` may stand between any two letters, level upon level. None
of them begins or ends a word, so they are read as if they were not there. What else a shell's text can
hide a letter in is a mark by itself: ``$'\x64ocker'`` spells letters in numbers, ``$IFS`` is a blank, and a
backslash before a line's end joins a word that has begun like a name. A renamed tool is known by its file's
content alone: such files pass the filter by another way (bpf/filter.h).

One thing is left out: agent/intent/api.py reads the first 65,536 characters of a program text, and cuts
one that is longer by its broken bytes (four characters each), possibly inside a word.
"""

from collections.abc import Sequence

from agent.detect.automaton import ACCEPTED, ALL_BYTES, HIGH, NUL, Nfa
from agent.detect.exec_bytes import QUOTES, WORD, Layout
from agent.intent.argv import READ_TOOLS
from agent.intent.naming import ALIASES, MARKS, PACKAGES


def _set(text: str) -> int:
    return sum(1 << ord(character) for character in set(text.lower()))


_ESCAPES = _set("\\$")
_BEGUN = 3  # letters
_TELLING_LETTERS = 2  # of a mark: nothing else that is common begins with them
_LONGEST_NAME = 10  # letters: nothing else begins like that
_BACKSLASH, _LINE_END = _set("\\"), _set("\n")
_DIGITS = _set("0123456789")
# What may stand behind a name's last letter in a command line, and what is stripped of one.
_END = NUL | HIGH | _set("\t\n\v\f\r\x1c\x1d\x1e\x1f ;&|()<>`#{}$")
_HEX_DIGITS = {"x": _set("89abcdef"), "8": _set("0123456789abcdef")}

# curl and wget are run for other things far more often: what they are pointed at tells.
_CLIENTS = frozenset(("curl", "wget"))
_PLUGIN_TOOLS = frozenset(("kubectl", "oc"))
_MARKS = (
    "/libpod/",  # podman's API
    "/api/v1",  # Kubernetes'
    "/apis/",
    ".from_env(",  # docker's Python library
    ".DockerClient(",
    ".APIClient(",
    "/containerd-shim/",  # sockets that are known by their directory
    "/kubelet/device-",
    "/kubelet/pod-",
    "$IFS",
)
_PORTS = ("2375", "2376", "4243", "10250", "10255")


def add_intents(nfa: Nfa, layout: Layout) -> None:
    """Let an automaton accept every exec of which an intent may be read, whatever it asks for."""
    for source, quoted in ((layout.path_word, False), (layout.args_word, True)):
        _add_names(nfa, source, quoted=quoted)
    nfa.add_edge(layout.args_word, QUOTES, layout.args_word)
    for mark in _MARKS:
        _add_text(nfa, (layout.args,), mark, ACCEPTED)
    for port in _PORTS:
        _add_text(nfa, (layout.args_word,), port, ACCEPTED)
    _add_socket_file(nfa, layout)
    _add_socket_option(nfa, layout)
    _add_api_version(nfa, layout)
    _add_spelt_letters(nfa, layout)


def _add_names(nfa: Nfa, source: int, *, quoted: bool) -> None:
    name_end, plugin_end = (_add_name_end(nfa, quoted=quoted) for _ in range(2))
    begins = nfa.add_node(hub=True)
    nfa.add_edge(source, _set("-"), begins)
    for package in PACKAGES:
        _add_text(nfa, (source, begins), package, begins, quoted=quoted)
    if quoted:
        nfa.add_edge(begins, QUOTES, begins)
    nfa.add_edge(plugin_end, _set("-"), ACCEPTED)
    names = {name: name for name in READ_TOOLS - _CLIENTS}
    names |= {alias: tool for alias, tool in ALIASES.items() if tool in names}
    for name, tool in sorted(names.items()):
        head = name[:_LONGEST_NAME]
        end = plugin_end if tool in _PLUGIN_TOOLS else name_end
        spelt, end = (name, end) if head in names else (head, ACCEPTED)
        _add_text(nfa, (source, begins), spelt, end, quoted=quoted)


def _add_text(nfa: Nfa, sources: Sequence[int], text: str, end: int, *, quoted: bool = True) -> None:
    """Spell a text from any of some nodes on, up to `end`; `quoted`: a shell may read it."""
    nodes = [sources[0], *(nfa.add_node() for _ in text[1:]), end]
    for source in sources[1:]:
        nfa.add_edge(source, _set(text[0]), nodes[1])
    for index, character in enumerate(text):
        nfa.add_edge(nodes[index], _set(character), nodes[index + 1])
        if quoted and index:
            _skip_quotes(nfa, nodes[index], 1 << ord(character), nodes[index + 1], is_begun=index >= _BEGUN)
        # A broken byte reads as \xNN, of which a shell drops the backslash: the c of lxc may be part of it.
        if character == "x" and all(
            1 << ord(digit) & digits for digit, digits in zip(text[index + 1 :], _HEX_DIGITS.values(), strict=False)
        ):
            nfa.add_edge(nodes[index], HIGH, nodes[index + 3] if index + 3 < len(nodes) else ACCEPTED)


# Each sign that is remembered doubles the states: of a word that has begun like a name it is sign enough.
def _skip_quotes(nfa: Nfa, node: int, letter: int, following: int, *, is_begun: bool) -> None:
    if is_begun:
        nfa.add_edge(node, QUOTES & ~_ESCAPES, node)
        nfa.add_edge(node, _ESCAPES, ACCEPTED)
        return
    escaped = nfa.add_node()
    nfa.add_edge(node, QUOTES & ~_BACKSLASH, node)
    nfa.add_edge(node, _BACKSLASH, escaped)
    nfa.add_edge(escaped, QUOTES, escaped)
    nfa.add_edge(escaped, _LINE_END, ACCEPTED)
    nfa.add_edge(escaped, letter, following)


# Behind the last letter a line's end is an end in any case.
def _add_quoted(nfa: Nfa) -> int:
    node = nfa.add_node()
    nfa.add_edge(node, QUOTES, node)
    return node


# As naming.find_tool: nothing more, a version, or a mark; slashes behind it are stripped.
def _add_name_end(nfa: Nfa, *, quoted: bool) -> int:
    end, slashes, letter_v, dashed = (_add_quoted(nfa) if quoted else nfa.add_node() for _ in range(4))
    nfa.add_edge(end, _END | _DIGITS, ACCEPTED)
    nfa.add_edge(end, _set("/"), slashes)
    nfa.add_edge(end, _set("v"), letter_v)
    nfa.add_edge(end, _set("-_."), dashed)
    nfa.add_edge(slashes, _set("/"), slashes)
    nfa.add_edge(slashes, _END, ACCEPTED)
    nfa.add_edge(letter_v, _DIGITS, ACCEPTED)
    nfa.add_edge(dashed, _DIGITS, ACCEPTED)
    nfa.add_edge(dashed, _set("v"), letter_v)
    if quoted:
        nfa.add_edge(letter_v, _LINE_END, ACCEPTED)
        nfa.add_edge(dashed, _LINE_END, ACCEPTED)
    for mark in {mark[:_TELLING_LETTERS] for mark in MARKS}:
        _add_text(nfa, (dashed,), mark, ACCEPTED, quoted=quoted)
    return end


# A program text's sockets, which may be links to any other, and those that a guess is made by.
def _add_socket_file(nfa: Nfa, layout: Layout) -> None:
    end = _add_quoted(nfa)
    _add_text(nfa, (layout.args,), ".sock", end)
    nfa.add_edge(end, ALL_BYTES & ~WORD, ACCEPTED)


# curl's option takes any path, and any abbreviation that is no other option.
def _add_socket_option(nfa: Nfa, layout: Layout) -> None:
    for length in range(len("--un"), len("--unix-socket") + 1):
        end = _add_quoted(nfa)
        _add_text(nfa, (layout.args,), "--unix-socket"[:length], end)
        nfa.add_edge(end, _END | _set("="), ACCEPTED)


# Docker's API has its version in front of, or anywhere behind, what is asked for.
def _add_api_version(nfa: Nfa, layout: Layout) -> None:
    letter, digits = _add_quoted(nfa), _add_quoted(nfa)
    _add_text(nfa, (layout.args,), "/v", letter)
    nfa.add_edge(letter, _DIGITS, digits)
    nfa.add_edge(letter, _LINE_END, ACCEPTED)
    nfa.add_edge(digits, _DIGITS | _set("."), digits)
    nfa.add_edge(digits, _set("/\n"), ACCEPTED)


def _add_spelt_letters(nfa: Nfa, layout: Layout) -> None:
    sign = nfa.add_node()
    nfa.add_edge(layout.args, _set("$"), sign)
    nfa.add_edge(sign, QUOTES & ~_set("'") | _LINE_END, sign)
    nfa.add_edge(sign, _set("'"), ACCEPTED)
