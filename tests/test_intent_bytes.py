"""The superset of agent/intent/argv.py: no intent is read of an exec whose bytes it does not accept."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detect.prefilter import compile_intent_test
from agent.intent.argv import READ_TOOLS, read_argv
from agent.intent.naming import ALIASES, MARKS
from agent.sensors.wire import decode_args, decode_text

ACCEPTS = compile_intent_test()

NAMES = sorted(READ_TOOLS | set(ALIASES))
HEADS = ("", "", "", "/usr/bin/", "./", "-", "microk8s.", "snap.", "/x y/", "\u2003", " ")
TAILS = ("", "", "", "-1.2", "2", "v2", "/", "//", " ", "\u00a0", " (deleted)", "-foo", *(f"-{mark}" for mark in MARKS))
PLAIN = ("x", "y", "file", "/etc/x", "-n", "5", "run")
API = (
    "--unix-socket --unix=/l --un --abstract-unix-socket @/containerd-shim/a /l http://h:2375/x 10250/run h:10255 "
    "http://x/v1.41/containers/json http://x/containers/v2/json h/libpod/info https://k/api/v1/pods https://k/api/v1 "
    "/apis/apps/v1 a/v1/info x://h/v1.2.3/libpod/images /info/v9/"
).split()
PROGRAMS = (
    "c=docker.from_env()", "import docker;docker.DockerClient(", "docker.APIClient(x)", 'open("/a/b.sock")',
    "s('/l.sock')", "connect /x/y.sock!", 'f"docker.from_env("',
)  # fmt: skip
TELLING = (
    "-a /l.sock", "-r unix:///x.sock", "-H @/containerd-shim/a", "--host=/kubelet/pod-resources/s",
    "--url y/docker.sock", "-a /docker.sock.ttrpc", "-r ./l.sock", "--runtime-endpoint=/kubelet/device-plugins/s",
)  # fmt: skip
BEFORE = ("", "", "x;", "cd /;\n", "true&&", "FOO=1 ", "x|", "if ", "y\n", "{ ", "(")
AFTER = ("", ";z", "\n", "|w", " 2>&1", ")", "}", " #")
BLANKS = (" ", " ", " ", "${IFS}", "$IFS", "\t")


def make_command(chance):
    """A command line that asks something of a runtime, in one of the ways that are read."""
    kind = chance.randrange(5)
    if kind == 0:
        return [chance.choice(HEADS) + chance.choice(NAMES) + chance.choice(TAILS), *chance.choices(PLAIN, k=1)]
    if kind == 1:
        return [chance.choice(("curl", "wget", "/opt/curl-7", "nc")), *chance.choices(API, k=chance.randint(1, 2))]
    if kind == 2:
        return [chance.choice(("python3", "perl", "python3.11")), "-c", chance.choice(PROGRAMS)]
    if kind == 3:
        return [chance.choice(("/tmp/q", "q2")), *chance.choice(TELLING).split(), chance.choice(("run", "ps", "i"))]
    wrapper = chance.choice(("sudo", "env", "nohup", "timeout 5", "find -exec", "xargs", "exec")).split()
    return [*wrapper, *make_command(chance), *chance.choice(((), (";",)))]


def quote(chance, word):
    """Write a word as a shell may have it."""
    forms = ("\\{}", '"{}"', "'{}'", '""{}', '$""{}', '"\\\n{}"', "$'{}'", "$'\\x{:02x}'")
    return "".join(
        chance.choice(forms[:-1]).format(letter)
        if chance.random() < 0.12
        else forms[-1].format(ord(letter))
        if chance.random() < 0.01 and letter.isascii()
        else letter
        for letter in word
    )


def make_shell(chance, command, depth=0):
    """The same inside a shell's text, or several levels of it."""
    words = [quote(chance, word) if chance.random() < 0.7 else word for word in command]
    text = chance.choice(BEFORE) + chance.choice(BLANKS).join(words) + chance.choice(AFTER)
    command = [chance.choice(("sh", "bash", "/bin/zsh", "su", "eval", "watch")), "-c", text]
    return make_shell(chance, command, depth + 1) if depth < 2 and chance.random() < 0.3 else command


def break_bytes(chance, raw):
    """The same with a byte that is no UTF-8."""
    place = chance.randint(0, len(raw))
    return raw[:place] + chance.choice((b"\x80", b"\x91", b"\xc1", b"\xff")) + raw[place + chance.randint(0, 1) :]


def read(path, area, count, resolve=None):
    args, _ = decode_args(area, count)
    return read_argv(args, executable=decode_text(path), cwd="/run/containerd-shim", resolve=resolve)


class TestNothingIsMissed:
    @given(st.integers(0, 1 << 32))
    @settings(max_examples=60, deadline=None)
    def test_generated(self, seed):
        """Whatever way a command is written in, and whatever its paths are links to."""
        chance = random.Random(seed)
        for _ in range(20):
            command = make_command(chance)
            command = make_shell(chance, command) if chance.random() < 0.6 else command
            raw = [word.encode() for word in command]
            raw = [break_bytes(chance, word) for word in raw] if chance.random() < 0.2 else raw
            path = chance.choice((b"/usr/bin/foo", b"/bin/dash", b"/opt/" + raw[0].rpartition(b"/")[2]))
            area = b"".join(word + b"\0" for word in raw)
            resolve = chance.choice((None, lambda _path: "/run/docker.sock"))
            assert ACCEPTS(path, area) or read(path, area, len(raw), resolve) is None, (path, area)

    @pytest.mark.parametrize("name", NAMES)
    def test_every_name(self, name):
        """Every tool and alias is known as a file and as a word, with each mark of a package."""
        for mark in ("", *(f"-{mark}" for mark in MARKS)):
            path = f"/opt/{name}{mark}".encode()
            assert name in ("curl", "wget") or ACCEPTS(path, b"x\0")
            assert name in ("curl", "wget") or ACCEPTS(b"/bin/x", b"sudo\0" + path + b"\0")

    @pytest.mark.parametrize(
        "text",
        [
            'cat$IFS"docker"$IFS"run"',
            "x;\\d\\o\\c\\k\\e\\r run",
            "$'\\x64ocker' run",
            '"d\\\nocker" run',
            "l\udcc1 launch x",
            "{ docker ps; }",
            "a=`docker ps`",
            "sudo -u root docker ps",
            "curl --un /l",
        ],
    )
    def test_hidden_in_a_shell(self, text):
        """Words that a shell's text hides are read by both."""
        area = b"sh\0-c\0" + text.encode(errors="surrogateescape") + b"\0"
        assert ACCEPTS(b"/bin/sh", area)
        assert read(b"/bin/sh", area, 3, lambda _path: "/run/docker.sock") is not None or text.startswith("cat")


class TestGuess:
    def test_what_is_called_a_socket(self):
        """An unknown program's -a and -r are looked behind only where their value has a socket's name."""
        found = [
            read(b"/tmp/q", b"q\0-a\0%b\0tasks\0ls\0" % value, 5, lambda _path: "/run/containerd/containerd.sock")
            for value in (b"/tmp/x.sock", b"/tmp/x")
        ]
        assert ["ctr", None] == [intent and intent.tool for intent in found]


class TestWhatIsHeldBack:
    @pytest.mark.parametrize(
        ("path", "args"),
        [
            ("/usr/bin/dockerize", "dockerize -wait"),
            ("/usr/bin/containerd-shim-runc-v2", "containerd-shim-runc-v2 -namespace moby -id 1"),
            ("/usr/bin/cat", "cat /etc/docker/daemon.json"),
            ("/usr/bin/systemctl", "systemctl status docker.service containerd.service"),
            ("/usr/bin/ls", "ls /var/lib/docker/overlay2 /run/containerd/io.containerd.runtime.v2.task"),
            ("/usr/bin/grep", "grep -r function /srv"),
            ("/usr/bin/cp", "cp -a /etc/nginx /tmp"),
            ("/usr/bin/curl", "curl -H Accept:x https://example.com/health:1"),
            ("/usr/bin/vim", "vim dockerfile runc.go my-podman"),
        ],
    )
    def test_what_only_mentions_a_tool(self, path, args):
        """Directories, units and files of a runtime are no tools."""
        assert not ACCEPTS(path.encode(), "".join(f"{word}\0" for word in args.split()).encode())
