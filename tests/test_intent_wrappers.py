"""Command lines inside command lines, and shell texts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.intent.argv import read_argv
from agent.intent.shell import split_commands
from tests.intents import powers, read

INNER = "docker run --privileged alpine"


class TestWrappers:
    """Programs that run another."""

    @pytest.mark.parametrize(
        "before",
        [
            "sudo",
            "sudo -E -u root",
            "sudo --user=root --",
            "sudo A=b",
            "doas -u root",
            "pkexec",
            "env",
            "env -i A=b C=d",
            "env -u X",
            "nohup",
            "setsid -f",
            "timeout 5",
            "timeout -k 5 --signal=KILL 1h",
            "nice -n 19",
            "nice -5",
            "ionice -c2 -n7",
            "stdbuf -oL",
            "time -p",
            "strace -f -o /tmp/x",
            "xargs",
            "xargs -0 -n1 -I{}",
            "flock /tmp/l",
            "flock -n -w 5 /tmp/l",
            "chrt -f 10",
            "taskset -c 0-3",
            "taskset 0x1",
            "setpriv --nnp",
            "prlimit --nofile=10",
            "systemd-run",
            "systemd-run --user --pty -p X=y --unit u",
            "systemd-inhibit --what=sleep",
            "busybox timeout 5",
            "runuser -u root --",
            "sudo nohup env A=b timeout 5",
            "gosu root",
            "unbuffer",
            "ip netns exec n",
            "/usr/bin/sudo /usr/bin/env",
            "strace -fe trace=execve",
            "numactl -N 0",
            "tini --",
            "proxychains4 -q",
            "/lib64/ld-linux-x86-64.so.2 --library-path /l",
            "exec",
            "command",
            "flatpak-spawn --host",
            "screen -dmS s",
            "setarch x86_64 -R",
            "chroot /host",
            "unshare -m",
            "script -q -c",
            "bash",
            "sh -x",
        ],
    )
    def test_looked_through(self, before):
        """What stands behind a wrapper and its own options is what is asked for."""
        line = f"{before} '{INNER}'" if before.endswith("-c") else f"{before} {INNER}"
        intent = read(line)
        assert ("docker", "run", True) == (intent.tool, intent.verb, intent.privileged)

    def test_order(self):
        """The wrappers are told, the outermost first."""
        assert ("sudo", "env", "timeout") == read(f"sudo env A=b timeout 5 {INNER}").wrappers

    @pytest.mark.parametrize(
        "line",
        [
            f"ssh host {INNER}",
            f"echo {INNER}",
            f"ls {INNER}",
            f"grep -r {INNER}",
            "sudo -l",
            "timeout 5",
            "env",
            "man docker run --privileged",
            f"apt-get install {INNER}",
            "find / -name docker",
            "xargs",
        ],
    )
    def test_not_looked_through(self, line):
        """Another host, and words that are only words."""
        assert read(line) is None

    def test_variables(self):
        """A variable that chooses the daemon is taken from where it is set; nothing else is."""
        for line in (
            "env DOCKER_HOST=tcp://h:1 docker ps",
            "sudo DOCKER_HOST=tcp://h:1 docker ps",
            "sh -c 'DOCKER_HOST=tcp://h:1 docker ps'",
            "sh -c 'export DOCKER_HOST=tcp://h:1; docker ps'",
        ):
            assert "tcp://h:1" == read(line).endpoint

    def test_directory(self):
        """Relative paths are read against the directory that the wrapper sets."""
        for line in (
            "env -C / docker run -v .:/h x",
            "sudo --chdir=/ docker run -v .:/h x",
            "sh -c 'cd / && docker run -v .:/h x'",
            "sh -c 'cd ..; docker run -v .:/h x'",
        ):
            assert {"mounts": ("/",)} == powers(line)

    def test_others(self):
        """find, parallel, watch, tmux, su and start-stop-daemon name their commands in their own ways."""
        for line in (
            f"find / -name x -exec {INNER} ;",
            f"parallel -j2 {INNER} ::: a",
            f"watch -n1 {INNER}",
            f"tmux new-session -d '{INNER}'",
            f"su - root -c '{INNER}'",
            f"runuser root -c '{INNER}'",
            f"sg docker -c '{INNER}'",
            f"sg docker '{INNER}'",
            "start-stop-daemon --start --exec /usr/bin/docker -- run --privileged alpine",
            f"eval '{INNER}'",
            f"flock /tmp/l -c '{INNER}'",
            f"env -S '{INNER}'",
        ):
            assert {"privileged": True} == powers(line)


class TestMultiCall:
    """One file, many programs."""

    @pytest.mark.parametrize(
        ("line", "executable", "tool"),
        [
            ("busybox nsenter -t1 -m", "/bin/busybox", "nsenter"),
            ("nsenter -t1 -m", "/bin/busybox", "nsenter"),
            ("kubectl get po", "/usr/local/bin/k3s", "kubectl"),
            ("k3s crictl ps", "/usr/local/bin/k3s", "crictl"),
            ("k3s ctr c ls", "/usr/local/bin/k3s", "ctr"),
            ("/var/lib/rancher/rke2/bin/kubectl get po", None, "kubectl"),
            ("minikube kubectl -- get po", "/usr/bin/minikube", "kubectl"),
            ("microk8s helm3 ls", None, "helm"),
            ("tsh --proxy=p kubectl get po", None, "kubectl"),
            ("rancher kubectl get po", None, "kubectl"),
            ("snap run microk8s.kubectl get po", None, "kubectl"),
        ],
    )
    def test_tool(self, line, executable, tool):
        """argv[0], or the word behind it, says which."""
        assert tool == read(line, executable=executable).tool

    def test_other_applets(self):
        """The words of another applet are its own."""
        assert read(f"ls {INNER}", executable="/bin/busybox") is None
        assert read("minikube ssh -- docker ps", executable="/usr/bin/minikube") is None


class TestShellText:
    """`sh -c` and its relatives."""

    @pytest.mark.parametrize(
        "text",
        [
            "{}",
            "cd /tmp && {}",
            "true; {}",
            "false || {}",
            "sleep 1 | {}",
            "{} &",
            "({})",
            "{{ {}; }}",
            "if true; then {}; fi",
            "for i in 1; do {}; done",
            "! {}",
            "X=1 {}",
            "{} > /dev/null 2>&1",
            "2>/dev/null {}",
            "echo a # b\n{}",
            "`{}`",
            "echo $({})",
            "exec {}",
            'sudo sh -c "{}"',
            "while :; do {}; done",
        ],
    )
    def test_anywhere(self, text):
        """A command wherever a command may stand."""
        assert {"privileged": True} == powers_of_text(text.format(INNER))

    @pytest.mark.parametrize(
        "text",
        [
            "docker run \\\n --privileged alpine",
            '\'docker\' "run" --privi"leged" alpine',
            "d\\ocker run --privileged alpine",
            "$'\\x64ocker' run --privileged alpine",
            "docker${IFS}run${IFS}--privileged${IFS}alpine",
        ],
    )
    def test_quotes(self, text):
        """Quotes and backslashes do not hide a word."""
        assert {"privileged": True} == powers_of_text(text)

    @pytest.mark.parametrize(
        "text", [f"echo '{INNER}'", f"# {INNER}", f"echo {INNER}", f"cat > '{INNER}'", "echo a > docker"]
    )
    def test_no_command(self, text):
        """Arguments, comments and files are no commands."""
        assert {} == powers_of_text(text)

    def test_the_strongest(self):
        """Of several commands the one that asks for most is told."""
        assert {"privileged": True, "mounts": ("/",)} == powers_of_text(
            f"docker ps; docker run -v /:/h --privileged x; {INNER}"
        )

    @pytest.mark.parametrize(
        "shell",
        [
            "sh -c",
            "bash -lc",
            "bash -o pipefail -ec",
            "dash -xec",
            "bash --norc --noprofile -c",
            "sh +x -c",
            "/bin/ash -c",
            "busybox sh -c",
            "bash -c --",
        ],
    )
    def test_shells(self, shell):
        """Options before the text."""
        assert {"privileged": True} == powers(f"{shell} '{INNER}'")

    def test_script(self):
        """A script that has a tool's name takes the tool's words."""
        assert {"privileged": True} == powers("bash /usr/bin/docker run --privileged alpine")
        assert "compose up" == read("python3 /usr/local/bin/docker-compose up").verb
        assert read("bash /tmp/x.sh run --privileged") is None

    @settings(max_examples=200, deadline=None)
    @given(st.text(alphabet="ab \\'\"$`;&|<>(){}#\n", max_size=40))
    def test_total(self, text):
        """Any text is split, and no word out of nothing."""
        for words in split_commands(text):
            assert words


def powers_of_text(text):
    """The powers of a shell text."""
    intent = read_argv(["sh", "-c", text], cwd="/work")
    names = "privileged host_namespaces capabilities mounts devices unconfined".split()
    return {name: getattr(intent, name) for name in names if intent and getattr(intent, name)}
