"""
The default sensor: a CO-RE object through libbpf, for kernels with BTF and ring buffers (5.8 and later).

Source: bpf/exec.bpf.c.
"""

import platform
import time
from collections.abc import Mapping
from pathlib import Path

from agent.errors import DecodeError, SensorError
from agent.event import Event, FieldValue, File
from agent.sensors import wire
from agent.sensors.libbpf import BpfObject, ProgramStats, has_helper, possible_cpus

NAME = "core"
OBJECT = Path(__file__).with_name("exec.bpf.o")
OBJECT_BOUNDED = Path(__file__).with_name("exec.bounded.bpf.o")  # for kernels without bpf_loop(), before 5.17
_HELPER_LOOP = 181
PROGRAM = "on_exec"
TRUNCATABLE = wire.TRUNCATABLE
_BTF = Path("/sys/kernel/btf/vmlinux")
_CAPABILITIES = {"CAP_PERFMON": 38, "CAP_BPF": 39}
_CAP_SYS_ADMIN = 21
# A record within 2 ms of a wake-up is sent without one (bpf/exec.bpf.c); so after records came, look again soon.
_SOON_S = 0.005
# Records that one poll gives: in a storm the loop commits alerts and beats its heart between them.
_AT_ONCE = 512
# Between two looks at how far the wall clock has moved against the boot clock (NTP, a suspend).
_CLOCK_AGE_NS = 10_000_000_000


class CoreSensor:
    """Reads records as `poll` is called; what the kernel could not send is in `lost`."""

    name = NAME

    def __init__(self, bpf: BpfObject, fields: Mapping[str, FieldValue], boot_id: str) -> None:
        self._bpf = bpf
        self._fields = fields
        self._boot_id = boot_id
        self._records: list[bytes] = []
        self._expects_more = False
        self._undecodable = 0
        self._origin = self._make_origin()
        self._origin_until_ns = 0
        bpf.open_ring("records", self._records, at_once=_AT_ONCE)

    def poll(self, timeout_s: float) -> list[Event]:
        """
        Give the events that arrived, or wait for the first.

        Raises:
            SensorError: the ring buffer cannot be read any more.
        """
        self._bpf.poll(int(1000 * (min(timeout_s, _SOON_S) if self._expects_more else timeout_s)))
        self._expects_more = bool(self._records)
        if not self._records:
            return []
        # The callback appends to this very list, but only inside the poll above.
        records = self._records.copy()
        self._records.clear()
        now_ns = time.monotonic_ns()
        if now_ns > self._origin_until_ns:
            self._origin = self._make_origin()
            self._origin_until_ns = now_ns + _CLOCK_AGE_NS
        events: list[Event] = []
        for record in records:
            try:
                events.append(wire.decode_exec(record, self._origin))
            except DecodeError:
                self._undecodable += 1
        return events

    def set_filter(self, automaton: bytes | None) -> None:
        """
        Put the rules' automaton into the kernel, in place of the one before; nothing is missed in between.

        Args:
            automaton: ``struct automaton`` of bpf/filter.h; None lets everything pass.
        """
        if automaton is None:
            self._bpf.delete("automata", bytes(4))
        else:
            self._bpf.put_array("automata", 0, automaton)

    def learn(self, file: File, *, is_tool: bool) -> None:
        """Tell the kernel what a file is, so that a plain one is judged by name and arguments from now on."""
        self._bpf.update("files", wire.encode_file_key(file), wire.encode_verdict(is_tool=is_tool))

    def filtered(self) -> int:
        """Count the execs that no rule could match and that the kernel therefore kept to itself."""
        return self._bpf.sum_per_cpu("filtered", 0)

    def cost(self) -> Mapping[str, ProgramStats]:
        """Give what the kernel counts of each program; nothing while kernel.bpf_stats_enabled is 0."""
        return {PROGRAM: self._bpf.program_stats(PROGRAM)}

    def lost(self) -> dict[str, int]:
        """Count what never became an event, by reason, since the sensor opened."""
        counts = {reason.name.lower(): self._bpf.sum_per_cpu("lost", reason) for reason in wire.Loss}
        counts["recursion"] = self._bpf.program_stats(PROGRAM).recursion_misses
        counts["undecodable"] = self._undecodable
        return counts

    def close(self) -> None:
        """Detach the program and give its memory back."""
        self._bpf.close()

    def _make_origin(self) -> wire.Origin:
        wall_minus_boot_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return wire.Origin(self.name, self._boot_id, wall_minus_boot_ns, self._fields)


def open_core(*, ring_bytes: int) -> CoreSensor:
    """
    Load the program, attach it and start to receive.

    Args:
        ring_bytes: size of the ring buffer, a power of two and a multiple of the page size.

    Raises:
        SensorError: what is missing on this node, in one sentence.
    """
    _check_node()
    path = OBJECT if has_helper(_HELPER_LOOP) else OBJECT_BOUNDED
    bpf = BpfObject(path, map_entries={"records": ring_bytes, "scratch": possible_cpus()})
    try:
        bpf.attach(PROGRAM)
        return CoreSensor(bpf, live_exec_fields(), read_boot_id())
    except SensorError:
        bpf.close()
        raise


def live_exec_fields() -> Mapping[str, FieldValue]:
    """Give what ECS says of every exec on this host."""
    return {
        "event.kind": "event",
        "event.category": ("process",),
        "event.type": ("start",),
        "event.action": "exec",
        "event.module": "hullwatch",
        "host.name": platform.node(),
        "host.os.type": "linux",
        "host.architecture": platform.machine(),
    }


def read_boot_id() -> str:
    """Give the first eight digits of the kernel's id for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]


def _check_node() -> None:
    # Said first and in words: the kernel's own answers are EPERM and EINVAL.
    effective = _effective_capabilities()
    if not effective & 1 << _CAP_SYS_ADMIN:
        missing = [name for name, bit in _CAPABILITIES.items() if not effective & 1 << bit]
        if missing:
            raise SensorError(f"loading BPF programs needs {' and '.join(missing)}: run as root or grant them")
    if not _BTF.exists():
        raise SensorError(f"this kernel has no BTF ({_BTF} is missing): it was built without CONFIG_DEBUG_INFO_BTF")
    if not OBJECT.exists():
        raise SensorError(f"{OBJECT} was not built: reinstall the package (it is compiled by clang at build)")


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    raise SensorError("/proc/self/status shows no capabilities: is /proc mounted?")
