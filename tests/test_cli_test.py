"""`hullwatch test`: rules against the tests beside them."""

import pytest

from tests.commands import SEEDS, call, hullwatch_as_nobody, write_rule

pytestmark = pytest.mark.process

MATCH = "- name: it\n  event: {process.executable: /usr/bin/docker}\n  expect: high\n"
OTHER = "- name: another\n  event: {process.executable: /usr/bin/ls}\n  expect: none\n"
WRONG = "- name: wrong\n  event: {process.executable: /usr/bin/ls}\n  expect: low\n"


class TestVerdict:
    """What is printed, and the exit status."""

    def test_all_pass(self, tmp_path):
        """A rule that says what is expected is one line, and the end is 0."""
        write_rule(tmp_path, tests=MATCH + OTHER)
        expected = "ok    Rule docker  [docker]  2 passed\n1 rules, 2 tests, 0 failed\n"
        assert (0, expected, "") == call("test", tmp_path)

    def test_a_failure(self, tmp_path):
        """A failure names the test's place, what was expected and what came; the end is 1."""
        write_rule(tmp_path, tests=MATCH + OTHER + WRONG)
        status, output, _ = call("test", tmp_path)
        assert 1 == status
        assert [
            "FAIL  Rule docker  [docker]  2 passed, 1 failed",
            f"      {tmp_path}/docker.tests.yml:7: 'wrong': expected low, got none",
            "1 rules, 3 tests, 1 failed",
        ] == output.splitlines()

    def test_an_event_that_cannot_be_read(self, tmp_path):
        """A test whose event is none fails, and says why."""
        write_rule(tmp_path, tests=MATCH + OTHER + "- name: bad\n  event: {process.pid: x}\n  expect: none\n")
        status, output, _ = call("test", tmp_path)
        assert 1 == status
        assert "expected none, got an event that cannot be read: 'process.pid' is not a whole number" in output

    @pytest.mark.parametrize(
        ("tests", "missing"),
        [
            (MATCH, ["no test with an event that does not match"]),
            (OTHER, ["no test with an event that matches"]),
            (None, ["no test with an event that matches", "no test with an event that does not match"]),
        ],
    )
    def test_a_rule_that_is_not_tried(self, tmp_path, tests, missing):
        """A rule needs an event that matches and one that does not; the end is 1."""
        write_rule(tmp_path, tests=tests)
        status, output, _ = call("test", tmp_path)
        assert 1 == status
        said = [line for line in output.splitlines() if "has no test" in line]
        assert len(missing) == len(said)
        assert all(sentence in line for sentence, line in zip(missing, said, strict=True))
        assert "1 rules without the tests they need" in output

    def test_several_directories(self, tmp_path):
        """Every directory that is named is tried, deeper ones are not."""
        for name in ("a", "b", "b/c"):
            (tmp_path / name).mkdir()
        write_rule(tmp_path / "a", tests=MATCH + OTHER)
        write_rule(tmp_path / "b", "podman", tests=OTHER + MATCH.replace("docker", "podman"))
        write_rule(tmp_path / "b" / "c", "ctr")
        status, output, _ = call("test", tmp_path / "a", tmp_path / "b")
        assert (0, "2 rules, 4 tests, 0 failed") == (status, output.splitlines()[-1])

    def test_hostile_names(self, tmp_path):
        """What a file says cannot act on a terminal."""
        write_rule(tmp_path, tests=MATCH + OTHER + WRONG.replace("wrong", r'"\e]0;x\a"'))
        _, output, _ = call("test", tmp_path)
        assert "'\\x1b]0;x\\x07'" in output


class TestUnusable:
    """What cannot be tried ends it with 2, and the rest is tried."""

    @pytest.mark.parametrize(
        ("name", "text", "fault"),
        [
            ("broken.eql", "process where", "broken.eql:1"),
            ("docker.tests.yml", "- x", "docker.tests.yml:1:3: expected a test with the keys"),
            ("docker.tests.yml", MATCH + "  rule: other\n", "docker.tests.yml:1: there is no rule 'other' beside"),
            ("alone.tests.yml", MATCH, "alone.tests.yml: tests stand beside no rule file"),
            ("docker.eql", "// id: docker\nprocess where true", "the id 'docker' is already taken"),
        ],
    )
    def test_faults(self, tmp_path, name, text, fault):
        """Rules and tests at fault are told with their place."""
        write_rule(tmp_path, tests=MATCH + OTHER)
        write_rule(tmp_path, "sound", tests=OTHER + MATCH.replace("docker", "sound"))
        (tmp_path / name).write_text(text)
        status, output, errors = call("test", tmp_path)
        assert 2 == status
        assert fault in errors
        assert "ok    Rule sound  [sound]  2 passed" in output

    def test_tests_that_are_not_text(self, tmp_path):
        """A file of tests that is not UTF-8 is told with its line."""
        write_rule(tmp_path)
        (tmp_path / "docker.tests.yml").write_bytes(b"- name: a\n  event: \xff")
        status, _, errors = call("test", tmp_path)
        assert 2 == status
        assert "docker.tests.yml:2: the file is not UTF-8 text" in errors

    def test_no_directory(self, tmp_path):
        """A directory that is not there is told."""
        status, _, errors = call("test", tmp_path / "x")
        assert 2 == status
        assert "does not exist" in errors


class TestShipped:
    """What comes with the agent."""

    def test_seeds_without_privilege(self):
        """A user who may do nothing tests the seeds."""
        status, output, _ = hullwatch_as_nobody("test", SEEDS)
        assert 0 == status, output

    def test_no_argument(self):
        """Without a directory the shipped rules are tried, and the seeds."""
        status, output, errors = call("test")
        assert 0 == status, output + errors
        assert "[seed-deploy-container-cql]" in output
