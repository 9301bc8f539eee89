"""
What docker really asks its daemon for, against what is read from its command line.

The real CLI runs generated command lines against a daemon that only listens: the body of its request is the
truth, and it is read by the reader of API calls, so both are tested.
"""

import http.server
import json
import shutil
import subprocess
import threading

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agent.intent.argv import read_argv
from agent.intent.bodies import read_body
from agent.intent.documents import parse_documents
from agent.intent.mounts import Around

pytestmark = [pytest.mark.node, pytest.mark.skipif(shutil.which("docker") is None, reason="no docker here")]

COMPARED = (
    "privileged host_namespaces capabilities mounts writable_mounts devices unconfined image command user".split()
)
# Each of these is one option as a user may write it, or words that only look like one.
SWITCHES = """
-i -t -it -ti -d --rm --init --privileged --privileged=1 --privileged=false -P --interactive=T --read-only -q
--oom-kill-disable=F --no-healthcheck
""".split()
VALUES = {
    "-v": ("/:/h", "/etc:/e:ro", "data:/d", "//:/r", "./x:/y", "/a/../:/b"),
    "--volume": ("/var/run/docker.sock:/s", "/proc:/p:rw"),
    "--mount": ("type=bind,src=/,dst=/m", "type=BIND,Source=/usr,Target=/u,readonly", "type=tmpfs,dst=/run",
                "type=volume,dst=/v,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/"),
    "--pid": ("host", "container:x", ""),
    "--ipc": ("host", "private"),
    "--uts": ("host", ""),
    "--userns": ("host",),
    "--cgroupns": ("host", "private"),
    "--network": ("host", "name=host", "bridge", "name=bridge,alias=host"),
    "--net": ("host", "none"),
    "--cap-add": ("SYS_ADMIN", "cap_net_admin", "all"),
    "--security-opt": ("seccomp=unconfined", "apparmor:unconfined", "label=disable", "systempaths=unconfined",
                       "no-new-privileges"),
    "--device": ("/dev/sda", "/dev/null:/dev/x:r"),
    "-e": ("A=b", "--privileged"),
    "--name": ("x", "--pid=host"),
    "-u": ("0", "a:b"),
    "--label": ("--cap-add=ALL",),
    "-w": ("/",),
    "--hostname": ("host",),
    "--entrypoint": ("sh",),
    "-h": ("y",),
    "--ulimit": ("nofile=5",),
    "-m": ("64m",),
    "--memory-swappiness": ("1",),
    "--tmpfs": ("/run",),
    "-l": ("z=1",),
}  # fmt: skip


@st.composite
def options(draw):
    """One option with its value in one of the spellings that pflag has."""
    name = draw(st.sampled_from(("", *VALUES)))
    if not name:
        return (draw(st.sampled_from(SWITCHES)),)
    value = draw(st.sampled_from(VALUES[name]))
    apart, joined = (name, value), (f"{name}={value}",)
    glued = (f"{name}{value}",) if not name.startswith("--") and value else apart
    clustered = (f"-it{name[1]}{value}",) if not name.startswith("--") and value else joined
    return draw(st.sampled_from((apart, joined, glued, clustered)))


class _Daemon(http.server.BaseHTTPRequestHandler):
    bodies: list[bytes]

    def do_GET(self):
        """Answer the ping."""
        self.send_response(200)
        self.send_header("Api-Version", "1.47")
        self.end_headers()

    def do_HEAD(self):
        """Answer the ping without a body."""
        self.do_GET()

    def do_POST(self):
        """Keep the body, refuse the request."""
        self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"message": "only listening"}')

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture(scope="module")
def daemon():
    """A daemon that keeps what it is asked for."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Daemon)
    server.bodies = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def sent(server, argv, cwd):
    """The request that docker sends for a command line, or None where it refuses the line itself."""
    server.bodies.clear()
    host = f"tcp://127.0.0.1:{server.server_address[1]}"
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "DOCKER_HOST": host}
    subprocess.run(
        argv, cwd=cwd, env=environment, capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL
    )
    return server.bodies[-1].decode() if server.bodies else None


class TestDockerRun:
    """docker run and docker container create."""

    @settings(max_examples=120, deadline=None, database=None)
    @given(
        st.sampled_from((("run",), ("create",), ("container", "run"), ("-D", "container", "create"))),
        st.lists(options(), max_size=5),
        st.sampled_from(((), ("--",))),
        st.sampled_from((("alpine",), ("alpine", "sh", "-c", "id"), ("alpine", "--privileged", "-v", "/:/h"))),
    )
    def test_same_request(self, daemon, verb, given_options, dashes, words):
        """What is read is what docker asks for, where docker takes the line at all."""
        argv = ["docker", *verb, *(word for option in given_options for word in option), *dashes, *words]
        # Of several networks with the host's among them the daemon takes none; each is told all the same.
        assume(sum(word.startswith(("--net", "--network")) for word in argv) < 2)
        body = sent(daemon, argv, "/tmp")
        if body is None:
            return
        truth = read_body(parse_documents(body.encode()), Around(cwd="/tmp"))
        intent = read_argv(argv, cwd="/tmp")
        ours = {name: sort(getattr(intent, name)) for name in COMPARED}
        theirs = {name: sort(getattr(truth, name)) for name in COMPARED}
        theirs["user"] = theirs["user"] or None
        assert theirs == ours, json.dumps(msgspec.to_builtins(intent))

    def test_something_is_sent(self, daemon):
        """The listening daemon does get requests."""
        assert "alpine" == json.loads(sent(daemon, ["docker", "run", "--privileged", "alpine"], "/tmp"))["Image"]


def sort(value):
    """Lists of paths in one order; a command keeps its own."""
    return tuple(sorted(value)) if isinstance(value, (tuple, list)) else value
