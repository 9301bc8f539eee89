"""
Generated events and predicate trees, from a vocabulary small enough that they often meet.

Texts mix what container command lines hold with what is hard on a matcher: letters whose case
folding is odd, line ends, wildcard characters, nothing at all.
"""

from hypothesis import strategies as st
from msgspec.structs import replace

from agent.detect.predicate import (
    Always,
    And,
    Call,
    Cidr,
    Compare,
    Equals,
    Exists,
    FieldOf,
    Holds,
    Like,
    Literal,
    Not,
    Operator,
    Or,
    Regex,
    escape_pattern,
)
from agent.detect.rule import Filter, Outcome, Rule, Severity
from agent.event import Ancestor, Container
from agent.intent.model import Intent
from tests.events import make_connect, make_exec

WORDS = ("docker", "Docker", "run", "exec", "kubectl", "sh", "ps", "--privileged", "-v", "/:/host", "-it", "nsenter")
ODD_WORDS = (
    "",
    "*",
    "?",
    "\\",
    "a\nb",
    "\u017fh",
    "S",
    "\u212a",
    "k",
    "İ",
    "ΑΣ",
    "ς",
    "ß",
    "é",
    "10",
    "1",
    "true",
    "10.0.0.7",
)
DIRECTORIES = ("/", "/usr/bin/", "/usr/local/bin/", "/tmp/x/", "")
NAMES = ("docker", "Docker", "DOCKER", "kubectl", "nsenter", "runc", "sh", "\u017fh", "ps", "a/b")

TEXT_FIELDS = (
    "process.name",
    "process.executable",
    "process.command_line",
    "process.working_directory",
    "process.parent.name",
    "process.parent.executable",
    "user.id",
    "user.name",
    "container.id",
    "destination.address",
    "event_simpleName",
    "event.action",
    "host.name",
    "Image",
    "CommandLine",
    "custom.field",
)
ARRAY_FIELDS = (
    "process.args",
    "process.ancestors.name",
    "event.category",
    "event.type",
    "intent.mounts",
    "intent.host_namespaces",
    "custom.list",
)
NUMBER_FIELDS = ("process.pid", "process.args_count", "process.parent.pid")
BOOLEAN_FIELDS = ("process.deleted", "process.memfd", "intent.privileged", "destination.aliased")
FIELD_NAMES = (*TEXT_FIELDS, *ARRAY_FIELDS, *NUMBER_FIELDS, *BOOLEAN_FIELDS, "intent.tool")

words = st.sampled_from(WORDS + ODD_WORDS) | st.text(max_size=3)
names = st.sampled_from(NAMES) | words
paths = st.builds(str.__add__, st.sampled_from(DIRECTORIES), names)
texts = words | paths | st.lists(words, max_size=5).map(" ".join)
scalars = texts | st.integers(-2, 12) | st.sampled_from((0.5, 1.0, 10.0)) | st.booleans()
field_values = scalars | st.lists(scalars, max_size=3).map(tuple)


intents = st.builds(
    Intent,
    tool=names,
    privileged=st.booleans(),
    host_namespaces=st.lists(st.sampled_from(("pid", "net", "mnt")), max_size=2).map(tuple),
    mounts=st.lists(paths, max_size=2).map(tuple),
)


@st.composite
def events(draw):
    """An exec or a connection, with whatever may be absent sometimes absent."""
    path, args = draw(paths), draw(st.lists(words, max_size=4))
    if draw(st.booleans()):
        event = make_connect(draw(paths), path, args, requested=draw(st.none() | paths))
    else:
        event = make_exec(path, args, parent=draw(paths), pid=draw(st.integers(1, 12)), memfd=draw(st.booleans()))
    if draw(st.integers(0, 4)) == 4:
        absent = draw(st.sets(st.sampled_from(("args", "command_line", "executable", "name", "user_name"))))
        event = replace(event, process=replace(event.process, **dict.fromkeys(absent)))
    if draw(st.integers(0, 4)) == 4:
        event = replace(event, process=replace(event.process, name=draw(names)))
    custom = st.dictionaries(st.sampled_from(("custom.field", "custom.list", "host.name")), field_values, max_size=2)
    return replace(
        event,
        ancestors=tuple(Ancestor(1, 0, name) for name in draw(st.lists(names, max_size=2))),
        container=draw(st.none() | st.builds(Container, id=st.none() | words)),
        intent=draw(st.none() | intents),
        fields={**event.fields, **draw(custom)},
    )


@st.composite
def patterns(draw):
    """A `Like` pattern: literals, escaped or not, between wildcards."""
    literal = texts.map(escape_pattern) | words
    pieces = st.lists(literal | st.sampled_from(("*", "*", "?")), max_size=5).map("".join)
    simple = st.sampled_from(("*{}*", "{}*", "*{}", "*/{}", "{}"))
    return draw(pieces | st.builds(str.format, simple, literal))


regexes = st.sampled_from(
    (
        "docker",
        "(?i)docker",
        "^(?:/usr/bin/)?docker$",
        "(docker|podman) .*run",
        "(?i)SH",
        "(?i)\\bk",
        "-{2}priv(ileged)?",
        "(?s)a.b",
        "run|exec|",
        "[dD]ocker\\s+run",
        "/(sh|ps)$",
        "(?i:d)ocker",
        "\\Qrun\\E",
        "\\x72un",
        "ru+n",
        "rux?n",
        "(?i)x|sh",
    )
)

expressions = st.deferred(
    lambda: st.builds(FieldOf, st.sampled_from(FIELD_NAMES)) | st.builds(Literal, scalars) | calls
)
calls = st.one_of(
    st.builds(lambda *arguments: Call("length", arguments), expressions),
    st.builds(lambda *arguments: Call("concat", arguments), expressions, expressions),
    st.builds(lambda a, b, fold: Call("startsWith", (a, b), fold), expressions, expressions, st.booleans()),
)


def _lists(strategy):
    return st.lists(strategy, max_size=3).map(tuple)


leaves = st.one_of(
    st.builds(Equals, st.sampled_from(FIELD_NAMES), _lists(scalars), st.booleans()),
    st.builds(Equals, st.sampled_from(("process.name", "process.args")), _lists(names), st.booleans()),
    st.builds(Like, st.sampled_from(FIELD_NAMES), _lists(patterns()), st.booleans()),
    st.builds(Like, st.sampled_from(("process.executable", "process.command_line")), _lists(patterns()), st.booleans()),
    st.builds(Regex, st.sampled_from(FIELD_NAMES), regexes, st.booleans()),
    st.builds(Exists, st.sampled_from(FIELD_NAMES)),
    st.builds(Cidr, st.sampled_from(FIELD_NAMES), _lists(st.sampled_from(("10.0.0.0/8", "fe80::/10", "0.0.0.0/0")))),
    st.builds(Compare, expressions, st.sampled_from(Operator), expressions, st.booleans()),
    st.builds(Holds, expressions),
    st.builds(Always, st.booleans()),
)

predicates = st.recursive(
    leaves,
    lambda children: st.one_of(
        st.builds(And, _lists(children)),
        st.builds(Or, _lists(children)),
        st.builds(Not, children),
    ),
    max_leaves=5,
)

_outcomes = st.lists(st.builds(Outcome, st.sampled_from(Severity), predicates), min_size=1, max_size=2).map(tuple)
_filters = st.builds(
    Filter,
    id=st.sampled_from(("f1", "f2")),
    name=st.just("f"),
    path=st.just("f.yml"),
    rules=st.just(()),
    predicate=predicates,
)


@st.composite
def rules(draw, max_size=3):
    """A few rules with distinct ids, some with filters."""
    several = draw(st.lists(st.tuples(_outcomes, st.lists(_filters, max_size=1).map(tuple)), max_size=max_size))
    return tuple(
        Rule(id=f"r{i}", name=f"r{i}", language="sigma", path=f"r{i}.yml", outcomes=outcomes, filters=filters)
        for i, (outcomes, filters) in enumerate(several)
    )
