"""README's two set-up commands on a Debian 12 that has nothing but its base system."""

import contextlib
import os
import shutil
import signal
import subprocess

import pytest

from tests.node.conftest import ROOT, end, wait_until

INSIDE = "HULLWATCH_TESTS_INSIDE"  # set for the test run inside, which has no bare Debian of its own to try

pytestmark = [
    pytest.mark.node,
    pytest.mark.kernel,
    pytest.mark.skipif(INSIDE in os.environ, reason="is the run inside the bare Debian already"),
]

# A mount namespace of its own, with the directory as its root: what is mounted in there ends with it.
ENTER = """
mount --bind "$0" "$0" && cd "$0" && mount -t proc proc proc && mount --rbind /sys sys && mount --rbind /dev dev &&
mount -t tmpfs tmp tmp && mount --move . / && exec chroot . "$@"
"""
CERTIFICATES = "etc/outside.crt"


@pytest.fixture(scope="module")
def debian(tmp_path_factory):
    """A fresh Debian root with this checkout in /src; gives the command line that enters it."""
    assert shutil.which("mmdebstrap"), "needs mmdebstrap"
    root = tmp_path_factory.mktemp("debian")
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", root, "http://deb.debian.org/debian"]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    (root / "src").mkdir()
    archive = subprocess.run(
        ["tar", "--null", "--files-from=-", "-cf", "-"], cwd=ROOT, input=files, check=True, capture_output=True
    )
    subprocess.run(["tar", "-C", root / "src", "-xf", "-"], input=archive.stdout, check=True)
    # How this machine reaches the registries is no part of Debian: its resolver, and the certificates of its proxy.
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / CERTIFICATES)
    environment = ["HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"PIP_CERT=/{CERTIFICATES}", f"{INSIDE}=1"]
    enter = ["env", "-i", *environment, "unshare", "--mount", "--propagation=private", "sh", "-c", ENTER, root]
    yield enter
    with contextlib.suppress(OSError):
        shutil.rmtree(root)


def test_the_first_command_ends_in_an_alert(debian, tmp_path):
    """From nothing to a running agent, and a privileged container's command line on the terminal."""
    output = tmp_path / "output"
    tool = tmp_path / "docker"
    shutil.copy("/bin/true", tool)
    with output.open("wb") as file:
        quickstart = subprocess.Popen(
            [*debian, "sh", "-c", "cd /src && exec ./deploy/quickstart.sh"],
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
        )
    try:
        wait_until(
            lambda: quickstart.poll() is not None or '"watching"' in output.read_text(), "the agent's start", 600
        )
        assert quickstart.poll() is None, output.read_text()
        subprocess.run([tool, "run", "--privileged", "-v", "/:/host", "alpine"], check=True)
        wait_until(lambda: '"kind":"alert"' in output.read_text(), "an alert")
        assert str(tool) in output.read_text()
    finally:
        end(quickstart, signal.SIGINT)
    assert 0 == quickstart.returncode


def test_the_second_command_is_green(debian):
    """Every test that this machine's kernel allows passes in there, with what the command itself installed."""
    done = subprocess.run(
        [*debian, "sh", "-c", "cd /src && exec ./tests/run.sh -q"],
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert 0 == done.returncode, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
