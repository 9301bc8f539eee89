"""What all tests share: a test whose need the machine does not meet says so in one line."""

import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    reason = _why_no_kernel()
    for item in items:
        if item.get_closest_marker("kernel") and reason:
            item.add_marker(pytest.mark.skip(reason=reason))
        elif item.get_closest_marker("node") and os.geteuid():
            item.add_marker(pytest.mark.skip(reason="runs real daemons: needs root"))


def _why_no_kernel():
    if os.geteuid():
        return "loads BPF programs: needs root"
    if not Path("/sys/kernel/btf/vmlinux").exists():
        return "loads BPF programs: this kernel shows no BTF"
    capabilities = next(
        line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff:")
    )
    if not int(capabilities, 16) & (1 << 39 | 1 << 21):
        return "loads BPF programs: needs CAP_BPF, which this container lacks"
    return None
