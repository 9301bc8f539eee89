"""From a match to an alert: the document, safe JSON, and the folding of repeats."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.alert import Suppressor, encode_document, make_alert
from agent.detect.rule import Severity
from agent.event import Container
from agent.intent.model import Intent
from agent.text import make_printable
from tests.alerts import alert_of, make_exec_alert, make_match
from tests.events import make_connect, make_exec, make_parent

SECOND = 1_000_000_000


class TestOneEventOneAlert:
    def test_most_severe_rule_is_named(self):
        """The most severe of several rules gives the alert its rule, number and severity."""
        worst = make_match("b", Severity.CRITICAL, description="Text", references=("https://first", "https://second"))
        alert = alert_of(make_exec(), make_match("a", Severity.LOW), worst)
        rule = {"id": "b", "name": "Name of b", "description": "Text", "reference": "https://first"}
        assert rule == alert.document["rule"]
        assert ("b", Severity.CRITICAL) == (alert.rule_id, alert.severity)
        assert "critical" == alert.document["hullwatch"]["severity"]
        assert ("alert", 99) == (alert.document["event"]["kind"], alert.document["event"]["severity"])

    def test_all_rules_are_listed(self):
        """Every matched rule is listed, the most severe first, each with its own severity."""
        alert = alert_of(make_exec(), *(make_match(name, level) for name, level in zip("cab", Severity, strict=False)))
        expected = [("b", "medium"), ("a", "low"), ("c", "informational")]
        assert expected == [(rule["id"], rule["severity"]) for rule in alert.document["hullwatch"]["matched"]]
        assert ["b", "a", "c"] == [rule.id for rule in alert.matched]

    def test_equal_severity_does_not_depend_on_order(self):
        """Of equally severe rules the same one is named, whatever order they matched in."""
        matches = [make_match("b"), make_match("a")]
        assert "a" == alert_of(make_exec(), *matches).rule_id == alert_of(make_exec(), *reversed(matches)).rule_id

    def test_threat_is_the_union(self):
        """Techniques and tactics of all rules are there once, in order, under ATT&CK's names."""
        first = make_match("a", techniques=("T1611", "T1610"), tactics=("privilege-escalation", "execution"))
        second = make_match("b", techniques=("T1610",), tactics=("command-and-control", "execution"))
        threat = {
            "framework": "MITRE ATT&CK",
            "technique": {"id": ["T1610", "T1611"]},
            "tactic": {"name": ["Command and Control", "Execution", "Privilege Escalation"]},
        }
        assert threat == alert_of(make_exec(), first, second).document["threat"]

    def test_no_threat_without_technique(self):
        """A rule that names neither technique nor tactic gives no threat."""
        assert "threat" not in alert_of(make_exec(), make_match(techniques=(), tactics=())).document

    def test_id_is_the_events(self):
        """An alert carries its input's event id."""
        alert = alert_of(make_exec(id="9f2c"))
        assert ("9f2c", "9f2c") == (alert.id, alert.document["event"]["id"])

    def test_document_given_is_not_changed(self):
        """The event's own document stays what it was."""
        document = {"event": {"action": "exec"}, "hullwatch": {"sensor": "core"}, "host": {"name": "given"}}
        before = json.dumps(document)
        alert = make_alert(make_exec(), [make_match()], document, related=["earlier"])
        assert before == json.dumps(document)
        assert "exec" == alert.document["event"]["action"]
        assert "core" == alert.document["hullwatch"]["sensor"]
        assert {"name": "given"} == alert.document["host"]
        assert ["earlier"] == alert.document["hullwatch"]["related"]


class TestSummary:
    def test_fields_of_table(self):
        """The fields that a LogScale query tabulates appear under its names, with the query's own severity."""
        match = make_match(
            "q",
            Severity.MEDIUM,
            summary_fields=("@timestamp", "UserName", "ComputerName", "CommandHistory", "RiskLevel"),
        )
        summary = alert_of(make_exec(), match).document["hullwatch"]["summary"]
        expected = {
            "@timestamp": "2026-01-01T00:00:00.000Z",
            "UserName": "root",
            "ComputerName": "node-1",
            "CommandHistory": "docker ps",
            "RiskLevel": "medium",
        }
        assert expected == summary

    def test_node_fields_come_from_the_document(self):
        """A name that only this node knows is found where the host's own fields were added."""
        match = make_match(summary_fields=("ComputerName",))
        alert = make_alert(make_exec(fields={}), [match], {"host": {"name": "node-7"}})
        assert {"ComputerName": "node-7"} == alert.document["hullwatch"]["summary"]

    def test_absent_fields_stay_absent(self):
        """A field without a value is left out, and no summary is there when all are."""
        assert (
            "summary" not in alert_of(make_exec(), make_match(summary_fields=("container.id",))).document["hullwatch"]
        )


class TestSafeJson:
    @given(st.text(st.characters(exclude_categories=["Cs"])))
    @settings(max_examples=200, deadline=None)
    def test_printable_ascii_that_reads_back(self, text):
        """Whatever text is in it, a document is one line of printable ASCII that decodes to the same text."""
        encoded = encode_document({"process": {"args": [text], text: 1}})
        assert all(0x20 <= byte <= 0x7E for byte in encoded)
        assert {"process": {"args": [text], text: 1}} == json.loads(encoded)

    def test_beyond_the_basic_plane(self):
        """A character above U+FFFF becomes a surrogate pair, DEL and C1 controls are escaped."""
        assert rb'{"a":"\ud83d\udc33\u007f\u0085\u001b"}' == encode_document({"a": "🐳\x7f\x85\x1b"})


class TestPrintable:
    @given(st.text(st.characters()))
    @settings(max_examples=200, deadline=None)
    def test_always_printable(self, text):
        """The result is printable, and printable text is left as it is."""
        shown = make_printable(text)
        assert shown.isprintable()
        assert (shown == text) == text.isprintable()

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("a\nb", r"a\x0ab"),
            ("\x1b[31m", r"\x1b[31m"),
            ("\x9b31m", r"\x9b31m"),
            ("\u202etxt.exe", r"\u202etxt.exe"),
            ("a\u2028b", r"a\u2028b"),
            ("\U000e0041", r"\U000e0041"),
            ("jürgen 🐳", "jürgen 🐳"),
        ],
    )
    def test_escapes(self, text, shown):
        """Controls, bidirectional marks and line separators are shown by number."""
        assert shown == make_printable(text)


class TestFolding:
    def test_first_goes_out_at_once(self):
        """The first alert goes out, its repeats do not."""
        suppressor = Suppressor(60 * SECOND)
        first, second = make_exec_alert(1), make_exec_alert(2)
        assert [first] == suppressor.offer(first, 0)
        assert [] == suppressor.offer(second, SECOND)

    def test_summary_when_the_window_closes(self):
        """The repeats go out as one alert with their number, their time range and the first repeat's id."""
        suppressor = Suppressor(60 * SECOND)
        for number in range(4):
            suppressor.offer(make_exec_alert(number, time_ns=number * SECOND), number * SECOND)
        assert [] == suppressor.close_windows(60 * SECOND - 1)
        (summary,) = suppressor.close_windows(60 * SECOND)
        assert 3 == summary.document["hullwatch"]["repeated"]
        assert ("event-1", "event-1") == (summary.id, summary.document["event"]["id"])
        assert "1970-01-01T00:00:01.000Z" == summary.document["event"]["start"]
        assert "1970-01-01T00:00:03.000Z" == summary.document["event"]["end"]
        assert make_exec_alert(1).document["rule"] == summary.document["rule"]
        assert [] == suppressor.close_windows(1000 * SECOND)

    def test_no_summary_without_repeats(self):
        """A window in which nothing was repeated closes silently."""
        suppressor = Suppressor(SECOND)
        suppressor.offer(make_exec_alert(), 0)
        assert [] == suppressor.close_windows(SECOND)

    def test_next_window_begins_with_an_alert(self):
        """After a window the summary goes out before the next first alert."""
        suppressor = Suppressor(SECOND)
        suppressor.offer(make_exec_alert(1), 0)
        suppressor.offer(make_exec_alert(2), 1)
        again = make_exec_alert(3)
        summary, first = suppressor.offer(again, SECOND)
        assert 1 == summary.document["hullwatch"]["repeated"]
        assert again == first

    def test_window_of_nothing_folds_nothing(self):
        """With a window of 0 every alert goes out."""
        suppressor = Suppressor(0)
        alerts = [make_exec_alert(number) for number in range(3)]
        assert alerts == [out for alert in alerts for out in suppressor.offer(alert, 0)]

    def test_every_open_window_can_be_closed(self):
        """At the end all summaries go out, whatever time it is."""
        suppressor = Suppressor(SECOND)
        for number in range(6):
            suppressor.offer(make_exec_alert(number, args=("docker", "run", str(number % 2))), 0)
        assert [2, 2] == [alert.document["hullwatch"]["repeated"] for alert in suppressor.close_all()]

    def test_folded_alerts_are_reported(self):
        """Each folded alert is reported with the rules it stands for."""
        folded = []
        suppressor = Suppressor(SECOND, on_repeat=folded.append)
        for number in range(3):
            suppressor.offer(make_exec_alert(number), 0)
        assert ["event-1", "event-2"] == [alert.id for alert in folded]
        assert ["privileged"] == [rule.id for rule in folded[0].matched]


class TestNeverFolded:
    @pytest.mark.parametrize(
        "members",
        [
            {"args": ("docker", "ps", "-a")},
            {"executable": "/usr/local/bin/docker", "args": ("docker", "ps")},
            {"parent": "/usr/bin/zsh"},
            {"uid": 1000},
            {"euid": 1000},
            {"login_uid": 1001},
            {"user_name": "jane"},
            {"container": Container(id="c" * 64)},
            {"intent": Intent(tool="docker", mounts=("/",))},
            {"raw_args": (b"docker", b"\xff")},
        ],
        ids="-".join,
    )
    def test_another_actor_or_act(self, members):
        """Another argv, program, parent, user, container or request is no repeat."""
        suppressor = Suppressor(SECOND)
        suppressor.offer(make_exec_alert(1), 0)
        other = make_exec_alert(2, **members)
        assert [other] == suppressor.offer(other, 0)

    @pytest.mark.parametrize("members", [{"truncated": ("args",)}, {"args": (), "command_line": None}])
    def test_argv_not_known_to_the_end(self, members):
        """What is not known to be the same is not folded."""
        suppressor = Suppressor(SECOND)
        alerts = [make_exec_alert(number, **members) for number in range(2)]
        assert alerts == [out for alert in alerts for out in suppressor.offer(alert, 0)]

    def test_a_worse_verdict(self):
        """The same act under another severity or another set of rules is no repeat."""
        verdicts = ([make_match("a")], [make_match("a", Severity.CRITICAL)], [make_match("a"), make_match("b")])
        alerts = [alert_of(make_exec(id=str(number)), *matches) for number, matches in enumerate(verdicts)]
        suppressor = Suppressor(SECOND)
        assert alerts == [out for alert in alerts for out in suppressor.offer(alert, 0)]

    def test_another_socket(self):
        """Connections to two sockets are two acts."""
        alerts = [alert_of(make_connect(f"/run/{name}.sock", parent=make_parent())) for name in ("docker", "podman")]
        suppressor = Suppressor(SECOND)
        assert alerts == [out for alert in alerts for out in suppressor.offer(alert, 0)]


class TestBounds:
    def test_fingerprints(self):
        """When too many windows are open, the oldest closes early and its summary goes out."""
        suppressor = Suppressor(1000 * SECOND, max_windows=2)
        suppressor.offer(make_exec_alert(0), 0)
        suppressor.offer(make_exec_alert(1), 0)
        suppressor.offer(make_exec_alert(2, args=("a",)), 0)
        third = make_exec_alert(3, args=("b",))
        assert [third.id, "event-1"] == [alert.id for alert in suppressor.offer(third, 0)]

    def test_held_documents(self):
        """When the documents held grow too large, the oldest windows close early."""
        suppressor = Suppressor(1000 * SECOND, max_held_bytes=100_000)
        summaries = 0
        for number in range(40):
            out = suppressor.offer(make_exec_alert(number, args=("docker", str(number // 2), "x" * 30_000)), 0)
            summaries += sum("repeated" in alert.document["hullwatch"] for alert in out)
        assert summaries > 15
        assert 20 == summaries + len(suppressor.close_all())

    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=60), st.integers(1, 4))
    @settings(max_examples=60, deadline=None)
    def test_nothing_goes_uncounted(self, acts, max_windows):
        """Each alert offered went out itself or is in the number of exactly one summary."""
        folded = []
        suppressor = Suppressor(5, max_windows=max_windows, on_repeat=folded.append)
        now, out = 0, []
        for number, (act, elapsed) in enumerate(acts):
            now += elapsed
            out += suppressor.offer(make_exec_alert(number, args=("docker", str(act))), now)
        out += suppressor.close_all()
        counts = [alert.document["hullwatch"].get("repeated") for alert in out]
        assert len(acts) == counts.count(None) + sum(count for count in counts if count)
        assert len(folded) == sum(count for count in counts if count)
        assert len(out) == len({alert.id for alert in out})
