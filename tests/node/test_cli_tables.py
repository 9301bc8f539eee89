"""
The option tables against the command lines' own help, where the node has them.

A table may know more than an older CLI shows, never less: an option whose value it does not know of would
shift the image. Whole sequences are compared with what docker and podman really take for the image.
"""

import re
import shutil
import subprocess

import pytest

from agent.intent.options import Takes
from agent.intent.tables.buildah import BUILDAH
from agent.intent.tables.containerd import CTR
from agent.intent.tables.docker import DOCKER
from agent.intent.tables.kubernetes import KUBECTL
from agent.intent.tables.namespaces import NSENTER, UNSHARE
from agent.intent.tables.podman import PODMAN
from agent.intent.tables.runtimes import CRUN, RUNC

pytestmark = pytest.mark.node

# Of a help text: the short name, the long name, and what stands for the value.
_PFLAG = re.compile(
    r"^ {2,6}(?:-(?P<short>\w), )? *--(?P<name>[\w.-]+)(?: (?P<value>[^\s]+))?(?: {2,}|$)", re.MULTILINE
)
_GO = re.compile(r"^   --(?P<name>[\w-]+)(?P<value> [\w:-]+)?(?:, -(?P<short>\w))?(?: [\w:-]+)?(?:  |$)", re.MULTILINE)
_GNU = re.compile(
    r"^ +(?:-(?P<short>\w)[,.] +)?--(?P<name>[\w-]+)(?P<value>\[?[= ](?:[<\[A-Z]|[a-z]+\|)[^\s]*|\[=<[^\s]*)?",
    re.MULTILINE,
)
_KUBECTL = re.compile(r"^ {4}(?:-(?P<short>\w), )?--(?P<name>[\w-]+)=(?P<value>.*):$", re.MULTILINE)


def help_of(*command):
    """What the CLI itself says; some say it on standard error."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout or done.stderr


def shown(pattern, text):
    """Options of a help text: by spelling, whether a value must follow."""
    found = {}
    for match in pattern.finditer(text):
        value = (match["value"] or "").strip()
        takes = bool(value) and "[=" not in value and value not in {"true", "false"}
        found[match["name"]] = takes
        if match["short"]:
            found[f"-{match['short']}"] = takes
    return {spelling: takes for spelling, takes in found.items() if spelling not in {"help", "-h", "usage", "-?"}}


def held(table):
    """The same of one of our tables."""
    return {spelling: option.takes is Takes.VALUE for spelling, option in table.items()}


def find(root, path):
    """The command of a path of words."""
    for word in path.split():
        root = root.children[word]
    return root


def paths(root, prefix=""):
    """Every path of a tree of commands that ends in a command of its own."""
    for word, command in root.children.items():
        path = f"{prefix} {word}".strip()
        if not command.group and not command.children:
            yield path
        yield from paths(command, path)


def differences(ours, theirs):
    """What the CLI shows and the table lacks or takes otherwise."""
    return {name: (ours.get(name), takes) for name, takes in theirs.items() if ours.get(name) != takes}


@pytest.mark.parametrize(
    "path", [path for path in paths(DOCKER) if not path.startswith(("compose", "buildx", "builder"))]
)
def test_docker(path):
    """Each command of docker's table."""
    assert {} == differences(held(find(DOCKER, path).options), shown(_PFLAG, help_of("docker", *path.split())))


@pytest.mark.parametrize("path", [path for path in paths(PODMAN) if not path.startswith("compose")])
def test_podman(path):
    """Each command of podman's table."""
    text = help_of("podman", *path.split()).partition("Global Options")[0]
    assert {} == differences(held(find(PODMAN, path).options), shown(_PFLAG, text))


@pytest.mark.parametrize("path", [path for path in paths(BUILDAH) if path not in {"prune", "mkcw"}])
def test_buildah(path):
    """Each command of buildah's table."""
    text = help_of("buildah", *path.split()).partition("Global Flags")[0]
    assert {} == differences(held(find(BUILDAH, path).options), shown(_PFLAG, text))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "run",
        "containers create",
        "tasks exec",
        "tasks start",
        "images pull",
        "images import",
        "images export",
        "images mount",
        "snapshots",
        "shim",
        "shim exec",
        "tasks kill",
    ],
)
def test_ctr(path):
    """The commands of ctr that matter."""
    assert {} == differences(held(find(CTR, path).options), shown(_GO, help_of("ctr", *path.split())))


@pytest.mark.parametrize("path", ["", *(path for path in paths(RUNC) if path not in {"init", "features"})])
def test_runc(path):
    """Each command of runc."""
    assert {} == differences(held(find(RUNC, path).options), shown(_GO, help_of("runc", *path.split())))


@pytest.mark.parametrize(
    "path", ["", "run", "create", "exec", "list", "kill", "delete", "spec", "update", "checkpoint", "restore"]
)
def test_crun(path):
    """The commands of crun."""
    assert {} == differences(held(find(CRUN, path).options), shown(_GNU, help_of("crun", *path.split())))


@pytest.mark.parametrize(
    "path", [path for path in paths(KUBECTL) if not path.startswith(("create service", "plugin", "config"))]
)
def test_kubectl(path):
    """Each command of kubectl's table; a flag whose default is a boolean is a switch."""
    table = find(KUBECTL, path).options
    theirs = shown(_KUBECTL, help_of("kubectl", *path.split()))
    # Its help does not say which values may be left out, and shows some defaults as nothing at all.
    optional = {spelling for spelling, option in table.items() if option.takes is Takes.ATTACHED}
    assert {} == {
        name: pair
        for name, pair in differences(held(table), theirs).items()
        if name not in {*optional, "aggregation-rule"}
    }


@pytest.mark.parametrize(("name", "table"), [("nsenter", NSENTER), ("unshare", UNSHARE)])
def test_util_linux(name, table):
    """nsenter and unshare; optional values are not the next word."""
    assert {} == differences(held(table), shown(_GNU, help_of(name)))


@pytest.mark.parametrize("cli", [("docker", DOCKER), ("podman", PODMAN)], ids=lambda cli: cli[0])
@pytest.mark.parametrize("verb", ["run", "create", "exec"])
def test_every_value_is_taken(cli, verb):
    """An option that takes a value takes the word behind it, one that does not leaves it: the CLI's own errors tell."""
    name, root = cli
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here")
    for spelling, option in find(root, verb).options.items():
        dashed = spelling if spelling.startswith("-") else f"--{spelling}"
        done = subprocess.run(
            [name, verb, dashed], capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )
        if "unknown" in done.stderr:
            continue  # of a later version
        needs = "flag needs an argument" in done.stderr
        assert (option.takes is Takes.VALUE) == needs, dashed
