"""
The build step of the package: clang turns bpf/*.bpf.c into agent/sensors/*.bpf.o.

Nothing but clang and libbpf's headers is used: no BTF, no kernel headers, no bpftool. An object is for
one byte order, little-endian wherever containers run.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FLAGS = ("-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter")


class BpfBuildHook(BuildHookInterface):
    """Runs before a wheel, regular or editable, is put together."""

    def initialize(self, _version: str, _build_data: dict[str, Any]) -> None:
        """Compile every program, or end with the one sentence that says what to install."""
        if self.target_name != "wheel":
            return
        if shutil.which("clang") is None:
            raise SystemExit("building Hullwatch needs clang; on Debian: apt-get install clang")
        if not Path("/usr/include/bpf/bpf_helpers.h").exists():
            raise SystemExit("building Hullwatch needs libbpf's headers; on Debian: apt-get install libbpf-dev")
        root = Path(self.root)
        for source in sorted((root / "bpf").glob("*.bpf.c")):
            target = root / "agent" / "sensors" / source.with_suffix(".o").name
            done = subprocess.run(
                ["clang", *FLAGS, "-c", source, "-o", target], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"clang could not build {source.name}:\n{done.stderr}")
