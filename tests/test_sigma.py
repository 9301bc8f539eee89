"""agent/detect/sigma.py and the modules it is split into."""

import base64
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.matcher import compile_predicate
from agent.detect.predicate import Equals, Not, Or, Regex, fields_of
from agent.detect.rule import ReadResult, Severity
from agent.detect.sigma import read_sigma
from agent.ecs import parse_document
from agent.errors import RuleError
from agent.intent.model import Intent
from tests.events import make_connect, make_exec, make_process

SEEDS = Path(__file__).parent.parent / "rules" / "seeds"
LINUX = "logsource: {category: process_creation, product: linux}"
RULE = f"""\
title: A rule
{LINUX}
detection:
"""


def rule_text(detection, condition="selection", head=RULE):
    """A rule around the lines of one detection, or around several when `detection` names them itself."""
    lines = detection.strip("\n")
    if not lines.lstrip().startswith("selection"):
        lines = "  selection:\n" + "\n".join(f"    {line}" for line in lines.splitlines())
    return f"{head}{lines}\n  condition: {condition}\n"


def read_one(detection, condition="selection", **options):
    """The predicate of a rule that must load."""
    result = read_sigma(rule_text(detection, condition), "rules/x.yml", **options)
    assert () == result.errors
    (rule,) = result.rules
    return rule.outcomes[0].predicate


def matches(detection, event, condition="selection", **options):
    """Tell whether a rule of this detection holds for an event."""
    return compile_predicate(read_one(detection, condition, **options))(event)


def faults(text, **options):
    """The errors of a text, which must have given nothing else."""
    result = read_sigma(text, "rules/x.yml", **options)
    assert ((), ()) == (result.rules, result.filters)
    return [(error.line, error.column, str(error)) for error in result.errors]


def fault_of(detection, condition="selection", **options):
    """The one error of a rule of this detection."""
    (fault,) = faults(rule_text(detection, condition), **options)
    return fault


DOCKER_RUN = make_exec("/usr/bin/docker", ("docker", "run", "--rm", "alpine"))


class TestText:
    """Plain values and the modifiers that place or change them."""

    @pytest.mark.parametrize(
        ("detection", "expected"),
        [
            ("Image: /USR/bin/Docker", True),
            ("Image: docker", False),
            ("Image: '*/dock?r'", True),
            ("Image: '*/dock??r'", False),
            ("Image|cased: /usr/bin/Docker", False),
            ("Image|cased: /usr/bin/docker", True),
            ("Image|endswith: [/podman, /DOCKER]", True),
            ("Image|startswith: /usr/", True),
            ("Image|contains: bin/d", True),
            ("Image|contains|cased: BIN/d", False),
            ("CommandLine|contains|all: [run, alpine]", True),
            ("CommandLine|contains|all: [run, debian]", False),
            ("CommandLine|contains|neq: debian", True),
            ("CommandLine|contains|neq: [debian, alpine]", False),
            ("Image: [/usr/bin/docker, /bin/podman]\nCommandLine|contains: run", True),
            ("Image: [/usr/bin/docker, /bin/podman]\nCommandLine|contains: exec", False),
            ("- Image: /nowhere\n- CommandLine|contains: run", True),
            ("process.args: '--RM'", True),
            ("process.args|all: [run, alpine]", True),
            ("ImageFileName|endswith: /docker", True),
        ],
    )
    def test_values(self, detection, expected):
        """Case is ignored unless told otherwise, a value is compared whole, wildcards and lists are alternatives."""
        assert expected == matches(detection, DOCKER_RUN)

    @pytest.mark.parametrize(
        ("value", "line", "expected"),
        [
            (r"a\*b", "a*b", True),
            (r"a\*b", "axb", False),
            (r"a\?", "a?", True),
            (r"c:\dir", "c:\\dir", True),
            (r"c:\\dir", "c:\\dir", True),
            (r"c:\\*", "c:\\dir", True),
            (r"c:\\\*", "c:\\*", True),
            (r"c:\\\*", "c:\\x", False),
            ("'*'", "", True),
            ("''", "", True),
            ("''", "x", False),
        ],
    )
    def test_escapes(self, value, line, expected):
        """A backslash takes a wildcard's meaning and is itself elsewhere."""
        event = make_exec(command_line=line)
        assert expected == matches(f"CommandLine: {value}", event)

    @pytest.mark.parametrize(
        ("modifiers", "encoded"),
        [
            ("base64|contains", base64.b64encode(b"/bin/sh").decode()),
            ("base64offset|contains", base64.b64encode(b"x; /bin/sh -i").decode()),
            ("base64offset|contains", base64.b64encode(b"xy; /bin/sh").decode()),
            ("wide|base64offset|contains", base64.b64encode("; /bin/sh;".encode("utf-16-le")).decode()),
            ("utf16le|base64offset|contains", base64.b64encode("; /bin/sh;".encode("utf-16-le")).decode()),
            ("utf16be|base64offset|contains", base64.b64encode("/bin/sh".encode("utf-16-be")).decode()),
            ("utf16|base64|contains", base64.b64encode("\ufeff/bin/sh".encode("utf-16-le")).decode()),
        ],
    )
    def test_encodings(self, modifiers, encoded):
        """An encoded value is found where the encoding of a longer text holds it."""
        event = make_exec("/bin/bash", ("bash", "-c", f"echo {encoded}|base64 -d|sh"))
        assert matches(f"CommandLine|{modifiers}: /bin/sh", event)
        assert not matches(f"CommandLine|{modifiers}: /bin/zz", event)

    @pytest.mark.parametrize(("line", "expected"), [("x /rm", True), ("x \u2013rm", True), ("x rm", False)])
    def test_windash(self, line, expected):
        """A dash of an option stands for every sign that is taken for one."""
        assert expected == matches("CommandLine|windash|contains: ' -rm'", make_exec(command_line=line))

    def test_windash_with_all_needs_one_form_of_each(self):
        """The forms of one value are alternatives, also where all values are needed."""
        assert matches("CommandLine|windash|contains|all: [' -a', ' -b']", make_exec(command_line="x /a -b"))

    def test_values_of_one_field_become_one_test(self):
        """A list of values is one look-up in the tree."""
        assert Equals("process.executable", ("/a", "/b"), ignore_case=True) in read_one("Image: [/a, /b]").children


class TestOtherValues:
    """Numbers, booleans, nothing, networks, other fields."""

    @pytest.mark.parametrize(
        ("detection", "expected"),
        [
            ("ProcessId: 4242", True),
            ("ProcessId: '4242'", True),
            ("ProcessId|gt: 4241", True),
            ("ProcessId|gte: 4242", True),
            ("ProcessId|lt: 4242", False),
            ("ProcessId|lte: 4242", True),
            ("user.id: 1000", True),
            ("user.id|lt: 1001", True),
            ("user.id|gt: 1000", False),
            ("process.args: 0755", True),
            ("CommandLine|contains: 755", True),
            ("host.custom: 7", True),
            ("host.custom|gte: 7", True),
            ("host.custom|lt: 7", False),
            ("intent.privileged: true", True),
            ("intent.privileged: 'TRUE'", True),
            ("intent.privileged: false", False),
            ("container.id: null", True),
            ("Image: null", False),
            ("Image: [null, /bin/chmod]", True),
            ("User: ''", False),
            ("Image|exists: true", True),
            ("Image|exists: false", False),
            ("container.id|exists: false", True),
            ("container.id: '*'", False),
            ("host.ip|cidr: [192.168.0.0/16, 10.0.0.0/8]", True),
            ("host.ip|cidr: fe80::/10", False),
        ],
    )
    def test_kinds(self, detection, expected):
        """A value is read as its field is; what is written counts, not what YAML makes of it."""
        event = make_exec(
            "/bin/chmod",
            ("chmod", "0755", "/x"),
            uid=1000,
            intent=Intent(tool="docker", privileged=True),
            fields={"host.custom": 7, "host.ip": "10.1.2.3"},
        )
        assert expected == matches(detection, event)

    @pytest.mark.parametrize(
        ("modifiers", "directory", "expected"),
        [
            ("fieldref", "/BIN/sh", True),
            ("fieldref", "/bin", False),
            ("cased|fieldref", "/BIN/sh", False),
            ("fieldref|startswith", "/bin", True),
            ("fieldref|endswith", "/sh", True),
            ("fieldref|contains", "in/s", True),
            ("fieldref|contains", "zz", False),
            ("fieldref|neq", "/bin", True),
        ],
    )
    def test_field_reference(self, modifiers, directory, expected):
        """A value can be that of another field."""
        event = make_exec("/bin/sh", ("sh",), working_directory=directory)
        assert expected == matches(f"Image|{modifiers}: CurrentDirectory", event)

    def test_an_absent_field_makes_a_test_false_and_its_negation_true(self):
        """Nothing equals nothing; without a value only the negation holds."""
        assert not matches("container.id: x", DOCKER_RUN)
        assert matches("container.id: x", DOCKER_RUN, condition="not selection")


class TestRegex:
    """The modifier ``re``."""

    @pytest.mark.parametrize(
        ("detection", "expected"),
        [
            ("CommandLine|re: 'r.n'", True),
            ("CommandLine|re: '^run'", False),
            ("CommandLine|re: 'RUN'", False),
            ("CommandLine|re|i: 'RUN'", True),
            ("CommandLine|re: 'docker.*alpine'", False),
            ("CommandLine|re|s: 'docker.*alpine'", True),
            ("CommandLine|re|m: '^alpine$'", True),
            ("CommandLine|re|i|s: 'DOCKER.*ALPINE'", True),
            ("CommandLine|re|startswith: 'run|docker'", True),
            ("CommandLine|re|startswith: 'run'", False),
            ("CommandLine|re|endswith: 'run|alpine'", True),
            ("CommandLine|re|endswith: 'run'", False),
            ("CommandLine|re|contains: 'r[u]n'", True),
            ("CommandLine|re|all: ['run', 'alpine']", True),
            ("CommandLine|re: ['exec', 'r?un']", True),
        ],
    )
    def test_search(self, detection, expected):
        """An expression is searched anywhere, minds case, and takes flags and places."""
        assert expected == matches(detection, make_exec(command_line="docker run\nalpine"))

    def test_what_re2_cannot_do_is_refused_with_its_place(self):
        """A look-ahead is named, at the line of the value in its list."""
        line, column, message = fault_of("CommandLine|re:\n  - fine\n  - 'a(?=b)'")
        assert (7, 9) == (line, column)
        assert "invalid perl operator: (?=" in message
        assert "a(?=b)" in message

    def test_patterns_that_are_too_large_together_are_refused(self):
        """Each pattern alone would do; the list is refused when the rule is read, not when it is used."""
        patterns = "\n".join(f"  - '{number}{'?' * 15_000}'" for number in range(6))
        line, column, message = fault_of(f"CommandLine:\n{patterns}")
        assert (5, 5) == (line, column)
        assert "too large" in message


class TestKeywords:
    """Values without a field."""

    @pytest.mark.parametrize(
        ("detection", "expected"),
        [
            ("- nothing\n- ALPINE", True),
            ("- nothing", False),
            ("alpine", True),
            ("- 'run*alpine'", True),
            ("- 'alpine*run'", False),
            ("'|all': [run, alpine]", True),
            ("'|all': [run, debian]", False),
            ("'|re': 'a[l]pine'", True),
            ("'|cased': ALPINE", False),
            ("'|startswith': /usr/bin/d", True),
            ("- /root", True),
            ("- 42", False),
        ],
    )
    def test_search(self, detection, expected):
        """A keyword is found anywhere in command line, executable, parent's command line or directory."""
        assert expected == matches(detection, DOCKER_RUN)

    def test_fields(self):
        """What a keyword is looked for in does not include ids and names of the node."""
        expected = {"command_line", "executable", "parent.command_line", "working_directory"}
        read = set(fields_of(read_one("- foo"))) - {"event_simpleName"}
        assert {f"process.{name}" for name in expected} | {"destination.address"} == read


NAMES = """
  selection_a:
    Image|endswith: /docker
  selection_b:
    CommandLine|contains: exec
  _hidden:
    CommandLine|contains: nothing
  filter:
    User: root
"""


class TestCondition:
    """How detections are joined."""

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            ("selection_a", True),
            ("selection_a and selection_b", False),
            ("selection_a or selection_b and _hidden", True),
            ("(selection_a or selection_b) and _hidden", False),
            ("not selection_b", True),
            ("selection_a and not (selection_b or _hidden)", True),
            ("1 of selection_*", True),
            ("any of selection_*", True),
            ("all of selection_*", False),
            ("all of them", False),
            ("1 of them", True),
            ("1 of _*", False),
            ("1 of *_a and not 1 of filt*", False),
            ("[selection_b, selection_a]", True),
            ("[selection_b, _hidden]", False),
            ("[selection_b and selection_a]", False),
        ],
    )
    def test_joins(self, condition, expected):
        """Names, quantifiers, negation and parentheses; of several conditions any one is enough."""
        assert expected == matches(NAMES, DOCKER_RUN, condition=condition)

    def test_of_them_leaves_out_names_with_an_underscore(self):
        """A detection that begins with an underscore counts only where it is named."""
        assert "nothing" not in str(read_one(NAMES, condition="1 of them"))

    @pytest.mark.parametrize(
        ("condition", "column", "part"),
        [
            ("selection_a and nothere", 14, "no detection 'nothere'; defined: selection_a, selection_b"),
            ("1 of other_*", 14, "no detection fits 'other_*'"),
            ("selection_a andd selection_b", 26, "bad condition; expected"),
            ("selection_a and (selection_b", 42, "the condition's end"),
            ("''", 15, "the condition's end"),
            ("selection_a | count() > 5", 26, "several events"),
            ("[[selection_a]]", 15, "a condition is a text"),
            ("12", 14, "a condition is a text"),
            ("[]", 3, "no condition"),
            ("not " * 2000 + "selection_a", 14, "nested too deeply"),
            ("(" * 6000, 6014, "the condition's end"),
        ],
    )
    def test_faults(self, condition, column, part):
        """A condition that cannot be read gives one error at its place."""
        found = fault_of(NAMES, condition=condition)
        assert column == found[1]
        assert part in found[2]


PLACEHOLDERS = {"tools": ["docker", "pod*"], "empty": []}


class TestPlaceholders:
    """The modifier ``expand``."""

    @pytest.mark.parametrize(
        ("detection", "exe", "expected"),
        [
            ("Image|expand: '/usr/bin/%tools%'", "/usr/bin/podman", True),
            ("Image|expand|endswith: '/%tools%'", "/x/docker", True),
            ("Image|endswith|expand: '/%tools%'", "/x/docker", True),
            ("Image|contains|all|expand: ['%tools%', bin]", "/bin/docker", True),
            ("Image|contains|all|expand: ['%tools%', usr]", "/bin/docker", False),
            ("Image|re|expand: '/%tools%$'", "/bin/docker", True),
            ("Image|expand: '%empty%'", "/bin/docker", False),
            ("Image: '%tools%'", "%tools%", True),
        ],
    )
    def test_values(self, detection, exe, expected):
        """A placeholder stands for any of its values, patterns among them; without ``expand`` for itself."""
        assert expected == matches(detection, make_exec(exe), placeholders=PLACEHOLDERS)

    def test_a_long_list(self):
        """A placeholder may stand for thousands of values."""
        names = {"tools": [f"/opt/{number}" for number in range(5000)]}
        assert matches("Image|expand: '%tools%'", make_exec("/opt/4999"), placeholders=names)

    def test_a_missing_placeholder_is_an_error_that_names_it(self):
        """A rule with an undefined placeholder does not load."""
        line, _, message = fault_of("Image|expand: '%nowhere%'", placeholders=PLACEHOLDERS)
        assert 5 == line
        assert "placeholder %nowhere% is not defined" in message


class TestLogsource:
    """Which rules concern this agent."""

    @staticmethod
    def read(logsource, detection="Image: x", **options):
        """Read a rule of this log source."""
        return read_sigma(rule_text(detection, head=RULE.replace(LINUX, f"logsource: {logsource}")), "x.yml", **options)

    @pytest.mark.parametrize(
        "logsource", ["{category: process_creation}", "{category: process_creation, product: Linux}"]
    )
    def test_process_creation_is_about_execs_only(self, logsource):
        """A connection is not matched by a rule for process starts."""
        (rule,) = self.read(logsource, "Image|endswith: /python3").rules
        test = compile_predicate(rule.outcomes[0].predicate)
        assert test(make_exec("/usr/bin/python3"))
        assert not test(make_connect(executable="/usr/bin/python3"))

    def test_network_connection_is_about_connects_only(self):
        """A process start is not matched by a rule for connections."""
        (rule,) = self.read("{category: network_connection, product: linux}", "Image|endswith: /python3").rules
        test = compile_predicate(rule.outcomes[0].predicate)
        assert test(make_connect(executable="/usr/bin/python3"))
        assert not test(make_exec("/usr/bin/python3"))

    @pytest.mark.parametrize(
        "logsource",
        [
            "{category: process_creation, product: windows}",
            "{product: linux, service: auditd}",
            "{product: linux}",
            "{category: file_event, product: linux}",
        ],
    )
    def test_other_sources_are_skipped(self, logsource):
        """A rule that no sensor can feed is no error; the reason is told."""
        result = self.read(logsource, "NoSuchField|nonsense: 1")
        assert (0, 0, 1) == (len(result.rules), len(result.errors), len(result.skipped))
        assert result.skipped[0].startswith("x.yml:2: no sensor here gives events of ")

    def test_connections_with_other_fields_are_skipped(self):
        """A rule for IP connections is not one for runtime sockets."""
        result = self.read("{category: network_connection, product: linux}", "DestinationIp: 10.0.0.1")
        assert ((), ()) == (result.rules, result.errors)
        assert ("x.yml:5: a connection to a runtime socket has no field 'DestinationIp'",) == result.skipped

    def test_a_replayed_document_needs_no_ecs_fields(self):
        """Sigma's and CrowdStrike's names alone are enough."""
        (rule,) = self.read("{category: process_creation}", "Image|endswith: /docker").rules
        test = compile_predicate(rule.outcomes[0].predicate)
        assert test(parse_document({"Image": "/usr/bin/docker", "CommandLine": "docker ps"}))
        assert test(parse_document({"event_simpleName": "ProcessRollup2", "ImageFileName": "/usr/bin/docker"}))


def filter_text(condition="not selection", rules="any"):
    """A filter for what runs as the user agent."""
    return f"""\
title: Our agents
id: 11111111-1111-4111-8111-111111111111
{LINUX}
filter:
  rules: [{rules}]
  selection:
    User: agent
  condition: {condition}
"""


class TestFilter:
    """Sigma Filters."""

    @staticmethod
    def read(condition="not selection", rules="AAAAAAAA-1111-4111-8111-111111111111, My rule"):
        """Read a filter."""
        return read_sigma(filter_text(condition, rules), "f.yml")

    def test_what_it_names(self):
        """Rules are named by id, in any case, or by name; no names are all rules."""
        (silencer,) = self.read().filters
        assert ("aaaaaaaa-1111-4111-8111-111111111111", "My rule") == silencer.rules
        assert () == self.read(rules="any").filters[0].rules

    def test_it_silences_what_its_condition_would_not_let_through(self):
        """`rule and (not selection)`: silenced is what the selection holds for."""
        (silencer,) = self.read().filters
        silences = compile_predicate(silencer.predicate)
        assert silences(make_exec(user_name="agent"))
        assert not silences(make_exec(user_name="root"))

    def test_it_respects_its_log_source(self):
        """A filter for process starts silences no connection, and one for Windows nothing."""
        (silencer,) = self.read().filters
        assert not compile_predicate(silencer.predicate)(make_connect(process=make_process(user_name="agent")))
        text = filter_text().replace("linux", "windows")
        assert 1 == len(read_sigma(text, "f.yml").skipped)

    def test_a_filter_for_all_of_linux(self):
        """Without a category it covers process starts and connections."""
        text = filter_text().replace("category: process_creation, ", "")
        (silencer,) = read_sigma(text, "f.yml").filters
        silences = compile_predicate(silencer.predicate)
        assert silences(make_exec(user_name="agent"))
        assert silences(make_connect(process=make_process(user_name="agent")))

    def test_a_condition_without_not_is_told(self):
        """A filter that would silence everything but its selection is a likely mistake."""
        (warning,) = self.read(condition="selection").warnings
        assert "f.yml:8:14: this filter keeps what it selects" in warning

    @pytest.mark.parametrize(
        ("old", "new", "part"),
        [
            ("  rules: [any]\n", "", "no rules"),
            ("rules: [any]", "rules:", "no rules"),
            ("condition: not selection", "condition: [not selection]", "a filter has one condition"),
            ("condition: not selection", "other: x", "no condition"),
            ("User: agent", "User|re: '('", "missing )"),
        ],
    )
    def test_faults(self, old, new, part):
        """A filter that cannot be read is no filter."""
        (found,) = faults(filter_text().replace(old, new))
        assert part in found[2]


WHOLE = """\
title: Whole
id: 22222222-2222-4222-8222-22222222222A
status: test
description: |
  Two lines
  of text.
references: [https://example.org/a]
author: nobody
date: 2026-01-01
tags: [attack.t1552.007, attack.T1610, attack.privilege_escalation, attack.defense-evasion, attack.g0016, cve.2026-1]
logsource: {category: process_creation}
detection: {s: {Image: x}, condition: s}
fields: [CommandLine]
falsepositives: [Few]
level: Critical
"""


class TestRule:
    """What a rule carries besides its predicate."""

    def test_members(self):
        """Each attribute of Sigma's has its place."""
        (rule,) = read_sigma(WHOLE, "dir/whole.yml").rules
        assert ("22222222-2222-4222-8222-22222222222a", "Whole", "sigma", 1) == (
            rule.id,
            rule.name,
            rule.language,
            rule.line,
        )
        assert "Two lines\nof text." == rule.description
        assert (("T1552.007", "T1610"), ("privilege-escalation", "defense-evasion")) == (rule.techniques, rule.tactics)
        assert (("https://example.org/a",), ("Few",), ("CommandLine",)) == (
            rule.references,
            rule.false_positives,
            rule.summary_fields,
        )
        assert Severity.CRITICAL == rule.severity

    def test_defaults(self):
        """Without an id the file's name is one; without a level severity is medium."""
        (rule,) = read_sigma(rule_text("Image: x"), "dir/some_rule.yml").rules
        assert ("some_rule", Severity.MEDIUM) == (rule.id, rule.severity)

    def test_every_document_of_a_file(self):
        """A file may hold several rules and filters; a broken one costs only itself."""
        good = rule_text("Image: x")
        text = f"{good}---\n---\n---\ntitle: broken\n---\n{good}---\n{filter_text()}"
        result = read_sigma(text, "many.yml")
        assert ["many", "many-3"] == [rule.id for rule in result.rules]
        assert [10, 1, 1] == [result.errors[0].line, len(result.errors), len(result.filters)]

    def test_fields_have_their_canonical_names(self):
        """Whatever name a rule uses, the tree holds ours."""
        names = set(fields_of(read_one("ParentImage: x\nImageFileName: y\nintent.tool: z")))
        assert {"event_simpleName", "process.parent.executable", "process.executable", "intent.tool"} == names


class TestFaults:
    """Errors with file, line and column."""

    @pytest.mark.parametrize(
        ("old", "new", "place", "part"),
        [
            ("title: Whole", "x: 1", (1, 1), "no title"),
            ("title: Whole", "title: [a]", (1, 8), "title is a text"),
            ("level: Critical", "level: hihg", (15, 8), "bad level"),
            ("level: Critical", "level: [high]", (15, 8), "bad level"),
            ("logsource: {category: process_creation}", "x: 1", (1, 1), "no logsource"),
            ("logsource: {category: process_creation}", "logsource: linux", (11, 12), "no logsource"),
            ("logsource: {category: process_creation}", "logsource: {a: b}", (11, 12), "an empty logsource"),
            ("detection: {s: {Image: x}, condition: s}", "x: 1", (1, 1), "no detection"),
            ("detection: {s: {Image: x}, condition: s}", "detection: [a]", (12, 12), "no detection"),
            ("condition: s", "x: {Image: y}", (12, 12), "no condition"),
            ("Image: x", "Image|contain: x", (12, 17), "unknown modifier 'contain'; expected one of all, base64"),
            ("Image: x", "Image|hour: 3", (12, 17), "rules here do not read the clock"),
            ("Image: x", "Image: {a: b}", (12, 24), "expected a value or a list of values"),
            ("Image: x", "Image: [[a]]", (12, 25), "expected a value or a list of values"),
            ("Image: x", "Image: []", (12, 24), "an empty list"),
            ("Image: x", "", (12, 16), "a detection without fields"),
            ("Image: x", "Image|gt: many", (12, 27), "expected a number"),
            ("Image: x", "Image|exists: 3", (12, 31), "expected true or false"),
            ("Image: x", "Image|contains: null", (12, 33), "null takes no modifiers"),
            ("Image: x", "'|exists': true", (12, 28), "must be applied to field"),
            ("Image: x", "'|gt': 4", (12, 24), "needs a field"),
            ("Image: x", "Image|i: x", (12, 26), "need the modifier re"),
            ("Image: x", "Image|re|base64: x", (12, 34), "re does not go with base64"),
            ("Image: x", "Image|base64: 'a*'", (12, 31), "wildcards is not allowed"),
            ("Image: x", "Image|windash: '-a -b -c -d'", (12, 32), "three dash"),
            ("Image: x", "Image|wide: 'ä'", (12, 29), "ascii"),
            ("Image: x", "host.ip|cidr: 10.0.0.1/8", (12, 31), "host bits set"),
            ("Image: x", "ProcessId: seven", (12, 28), "process.pid holds a number"),
            ("Image: x", "intent.privileged: 3", (12, 36), "is true or false"),
            ("Image: x", "intent.privileged|gt: 3", (12, 39), "has no order"),
            ("tags: [", "tags: [[], ", (10, 7), "tags is a list of texts"),
            ("detection: {s", "detection: {timeframe: 5m, s", (12, 24), "only single events"),
            ("title: Whole", "title: Whole\ntitle: Again", (2, 1), "the same key twice"),
            ("title: Whole", "title: Whole\n\tx: 1", (2, 1), "not YAML"),
            (
                "title: Whole",
                "correlation: {type: event_count}",
                (1, 1),
                "several events; only single events are matched",
            ),
            ("title: Whole", "action: global", (1, 1), "collections with 'action'"),
        ],
    )
    def test_place_and_reason(self, old, new, place, part):
        """A fault is told once, where it is, with what was expected."""
        assert old in WHOLE
        (found,) = faults(WHOLE.replace(old, new))
        assert place == found[:2]
        assert part in found[2]

    def test_all_faults_at_once(self):
        """One run shows everything there is to mend."""
        text = WHOLE.replace("Image: x", "Image|foo: x, CommandLine|re: '['").replace("condition: s", "condition: t")
        assert [12, 12, 12, 15] == [line for line, _, _ in faults(text.replace("Critical", "bad"))]

    def test_correlations_are_refused_by_name(self):
        """The kind of correlation is in the error."""
        (found,) = faults("title: Many\ncorrelation:\n  type: value_count\n  rules: [a]\n")
        assert "[correlation: value_count]" in found[2]

    def test_an_unknown_field_is_a_warning_in_a_user_rule_and_an_error_in_a_shipped_one(self):
        """A near name is proposed."""
        text = rule_text("Imagee: x")
        result = read_sigma(text, "x.yml")
        assert (1, ("x.yml:5:5: unknown field 'Imagee'; 'Image' was meant?: only a replayed event can have it",)) == (
            len(result.rules),
            result.warnings,
        )
        (found,) = faults(text, shipped=True)
        assert (5, 5) == found[:2]

    @pytest.mark.parametrize(
        "text",
        [
            "[" * 100_000,
            "a: " + "{b: " * 5000,
            "a: &a [*a]",
            "- &a [x, x]\n" + "".join(f"- &{n}{'' if n == 'a' else 'x'} [{'*a, ' * 9}]\n" for n in "bcdefgh") * 2,
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"{b}: &{b} [{f'*{a}, ' * 10}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
            "&a : {<<: [*a, *a]}",
            "a: !!python/object/apply:os.system [id]",
            "? [a]\n: b",
            "a: \x00",
            "a: \ud800",
            "text",
            "a: " + "1" * 10_000,
        ],
    )
    def test_hostile_yaml(self, text):
        """Nesting, aliases, tags and characters that break loaders give an error with a line, soon."""
        result = read_sigma(text, "x.yml")
        assert result.errors
        assert all(error.line for error in result.errors)


class TestSeeds:
    """rules/seeds: the literal logic of the two public detections."""

    @staticmethod
    def load(name):
        """Read a shipped rule without faults."""
        result = read_sigma((SEEDS / f"{name}.yml").read_text(), f"{name}.yml", shipped=True)
        assert ((), ()) == (result.errors, result.warnings)
        return result.rules[0]

    @pytest.mark.parametrize(
        "name", ["seed_cli_critical", "seed_cli_high", "seed_cli_medium", "seed_runtime_cli_arguments"]
    )
    def test_own_tests(self, name):
        """Each event beside a rule gets the expected answer."""
        rule = self.load(name)
        test = compile_predicate(rule.outcomes[0].predicate)
        cases = yaml.safe_load((SEEDS / f"{name}.tests.yml").read_text())
        answers = [rule.severity.label if test(parse_document(case["event"])) else "none" for case in cases]
        assert [case["expect"] for case in cases] == answers

    @settings(max_examples=75, deadline=None)
    @given(
        image=st.sampled_from(["docker", "runc", "NSENTER", "truncate", "ctr", "kubectl.real"]),
        words=st.lists(
            st.sampled_from(
                ["--privileged", "nsenter", "pid", "1", "--PID=host", "--net=host", "exec", "run", "-it", "\n", "x"]
            )
        ),
    )
    def test_the_tiers_are_one_case_expression(self, image, words):
        """At most one tier holds, the first whose expression is found."""
        line = " ".join(words)
        patterns = {
            "critical": r"--privileged|nsenter.*pid.*1",
            "high": r"--pid=host|--cap-add=SYS_ADMIN|--net=host",
            "medium": r"exec|run.*-it",
        }
        tiers = [tier for tier, pattern in patterns.items() if re.search(pattern, line, re.IGNORECASE)]
        known = re.search("docker|kubectl|crictl|podman|nsenter|runc", image, re.IGNORECASE)
        event = make_exec(f"/usr/bin/{image}", command_line=line)
        rules = {tier: self.load(f"seed_cli_{tier}").outcomes[0].predicate for tier in patterns}
        held = [tier for tier, predicate in rules.items() if compile_predicate(predicate)(event)]
        assert (tiers[:1] if known else []) == held


MODIFIERS = st.sampled_from(
    "contains startswith endswith all re i m s cidr base64 base64offset wide utf16 utf16le utf16be windash exists "
    "fieldref lt lte gt gte cased expand neq hour nonsense".split()
)
KEYS = st.builds(
    "|".join,
    st.tuples(st.sampled_from(["Image", "ProcessId", "intent.privileged", "", "odd field"]), MODIFIERS, MODIFIERS),
) | st.sampled_from(["Image", "CommandLine|re", "process.args|all", "intent.privileged", "|all"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["a*", "%x%", "(", "10.0.0.0/8"]),
)
DETECTION = st.recursive(
    VALUES | st.lists(VALUES, max_size=3),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=8,
)
CONDITION = st.lists(
    st.sampled_from(["a", "b", "and", "or", "not", "(", ")", "1 of", "all of", "them", "a*", "|", "?"]), max_size=7
).map(" ".join)


def check_result(result, text):
    """Every document is a rule, a filter, a skip or an error with a place inside the text."""
    assert isinstance(result, ReadResult)
    assert all(isinstance(error, RuleError) and error.path == "x.yml" for error in result.errors)
    assert all(1 <= (error.line or 0) <= text.count("\n") + 2 for error in result.errors)
    for rule in result.rules:
        compile_predicate(rule.outcomes[0].predicate)(DOCKER_RUN)
    for silencer in result.filters:
        compile_predicate(silencer.predicate)(DOCKER_RUN)


class TestAnyText:
    """Whatever a file holds, reading it ends with an answer."""

    @settings(max_examples=150, deadline=None)
    @given(text=st.text(max_size=60) | st.text(alphabet="a:-[]{}&*!|>'\"\n #%?<,", max_size=40))
    def test_text(self, text):
        """Any text gives rules or errors with a place."""
        check_result(read_sigma(text, "x.yml"), text)

    @settings(max_examples=150, deadline=None)
    @given(a=DETECTION, b=DETECTION, condition=CONDITION | VALUES, section=st.sampled_from(["detection", "filter"]))
    def test_detections(self, a, b, condition, section):
        """Any shape of a detection and any condition give a rule or errors with a place."""
        body = {"a": a, "b": b, "condition": condition, "rules": "any"}
        text = yaml.safe_dump({"title": "x", "logsource": {"category": "process_creation"}, section: body})
        check_result(read_sigma(text, "x.yml", placeholders={"x": ["1", "b*"]}), text)

    @settings(max_examples=50, deadline=None)
    @given(st.data())
    def test_mutations_of_a_rule(self, data):
        """A rule with a few characters changed gives a rule or errors with a place."""
        text = WHOLE + "---\n" + filter_text("not 1 of sel*")
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(text)))
            text = (
                text[:at]
                + data.draw(st.sampled_from(":-[]{}&*!|>'\"\n #\t,a"))
                + text[at + data.draw(st.integers(0, 3)) :]
            )
        check_result(read_sigma(text, "x.yml"), text)

    @settings(max_examples=100, deadline=None)
    @given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12))
    def test_escaped_text_matches_itself(self, text):
        """Any text, written with its wildcards and backslashes escaped, is found as it is."""
        written = text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
        detection = yaml.safe_dump({"CommandLine": written}, width=1000).rstrip("\n")
        assert matches(detection, make_exec(command_line=text))
        assert not matches(detection, make_exec(command_line=text + "x"))


def test_reading_a_rule_imports_no_backend():
    """pySigma's web and template machinery stays out of the agent's memory."""
    code = (
        "import sys; from agent.detect.sigma import read_sigma;"
        "print(sorted({'requests', 'jinja2', 'urllib3', 'sigma.backends', 'sigma.conversion'} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == output.stdout.strip()


def test_tree_of_a_regex_and_a_negation():
    """The tree is what is written, no more."""
    tree = read_one("  selection:\n    CommandLine|re|i: a\n  other:\n    User: b", condition="selection and not other")
    assert (
        Regex("process.command_line", "(?i)a"),
        Not(Equals("user.name", ("b",), ignore_case=True)),
    ) == tree.children[1:]
    assert not isinstance(tree, Or)
