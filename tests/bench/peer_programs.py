"""The exec monitors that Debian ships, each started as its package means it, in a directory of its own."""

import contextlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import click

from tests.bench.watched import watching

_RULE = ("always,exit", "-F", "arch=b64", "-S", "execve", "-S", "execveat", "-k", "hullwatch-bench")
_STOP_S = 15
# What Debian's auditd sets by /etc/audit/rules.d/audit.rules before any rule.
_AUDIT_SETTINGS = {
    "backlog_limit": ("-b", 8192),
    "backlog_wait_time": ("--backlog_wait_time", 60_000),
    "enabled": ("-e", 1),
}


def find_peers(native):
    """
    Give those that can run here, by name: functions from a directory to a context manager that gives process ids.

    Says in one line what is missing.
    """
    peers = {"nothing": _run_nothing, "hullwatch": lambda directory: _run_hullwatch(native, directory)}
    for name, package, path, run in (
        ("execsnoop", "libbpf-tools", "/usr/sbin/execsnoop", _run_execsnoop),
        ("execsnoop.bt", "bpftrace", "/usr/sbin/execsnoop.bt", _run_bpftrace),
        ("auditd", "auditd", "/sbin/auditd", _run_auditd),
        ("auditd+laurel", "auditd laurel", "/usr/sbin/laurel", _run_laurel),
    ):
        why = None if Path(path).exists() else f"{path} is missing; on Debian: apt-get install {package}"
        if why is None and "auditd" in package:
            why = _why_not_audit()
        if why is None:
            peers[name] = run
        else:
            click.echo(f"{name} is left out: {why}", err=True)
    return peers


@contextlib.contextmanager
def _run_nothing(_directory):
    yield ()


@contextlib.contextmanager
def _run_hullwatch(native, directory):
    directory.mkdir()
    with watching(directory / "agent") as agent:
        native.spawn(50, native.name_tiny("gcc"), "gcc")  # the file is looked at
        yield (agent.process.pid,)


def _run_execsnoop(directory):
    return _run_program(directory, ("/usr/sbin/execsnoop",), settle_s=1.5)


def _run_bpftrace(directory):
    return _run_program(directory, ("/usr/bin/bpftrace", "/usr/sbin/execsnoop.bt"), settle_s=3)


@contextlib.contextmanager
def _run_auditd(directory, *, plugin=None):
    directory.mkdir(mode=0o755)
    plugins = directory / "plugins.d"
    plugins.mkdir()
    if plugin:
        (plugins / "bench.conf").write_text(plugin)
        (plugins / "bench.conf").chmod(0o640)
    _copy_settings(
        "/etc/audit/auditd.conf", directory / "auditd.conf",
        log_file=directory / "audit.log", plugin_dir=plugins, max_log_file=2000, log_group="root",
        write_logs="no" if plugin else "yes",
    )  # fmt: skip
    before = _audit_status()
    with _run_program(directory, ("/sbin/auditd", "-n", "-c", str(directory)), settle_s=1.0) as pids:
        try:
            for flag, value in _AUDIT_SETTINGS.values():
                _auditctl(flag, str(value))
            _auditctl("-a", *_RULE)
            time.sleep(0.5)
            yield (*pids, *_kauditd())
        finally:
            _auditctl("-d", *_RULE)
            for name, (flag, _) in _AUDIT_SETTINGS.items():
                _auditctl(flag, before[name])


@contextlib.contextmanager
def _run_laurel(directory):
    directory.mkdir(mode=0o755)
    logs = directory / "logs"
    logs.mkdir()
    shutil.chown(logs, "_laurel", "_laurel")
    _copy_settings("/etc/laurel/config.toml", directory / "laurel.toml", directory=f'"{logs}"', size=2_000_000_000)

    plugin = (
        "active = yes\ndirection = out\ntype = always\nformat = string\npath = /usr/sbin/laurel\n"
        f"args = --config {directory}/laurel.toml\n"
    )
    with _run_auditd(directory / "audit", plugin=plugin) as pids:
        yield pids


@contextlib.contextmanager
def _run_program(directory, command, *, settle_s):
    directory.mkdir(exist_ok=True)
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        time.sleep(settle_s)
        if process.poll() is not None:
            raise click.ClickException(f"{command[0]} ended: {(directory / 'output').read_text()[-500:]}")
        yield (process.pid,)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _copy_settings(source, target, **changes):
    # The package's own settings, but for where it writes.
    text = Path(source).read_text()
    for name, value in changes.items():
        text, count = re.subn(rf"^{name} *=.*$", f"{name} = {value}", text, flags=re.MULTILINE)
        if not count:
            text += f"{name} = {value}\n"
    target.write_text(text)
    target.chmod(0o640 if target.suffix == ".conf" else 0o644)


def _why_not_audit():
    status = _audit_status()
    if status["enabled"] == "2":
        return "the audit configuration of this node is immutable (-e 2)"
    if status["pid"] != "0":
        return "an audit daemon runs here already"
    if "No rules" not in _auditctl("-l"):
        return "audit rules are loaded here, and would count as its cost"
    return None


def _audit_status():
    return dict(line.split()[:2] for line in _auditctl("-s").splitlines())


def _auditctl(*arguments):
    done = subprocess.run(("/sbin/auditctl", *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"auditctl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _kauditd():
    # The kernel's thread that hands the records over.
    for directory in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if directory.name.isdigit() and (directory / "comm").read_text() == "kauditd\n":
                return (int(directory.name),)
    return ()


def find_descendants(pids):
    """Give these processes and all that they have started."""
    found = list(pids)
    for pid in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found
