"""
The few functions of libbpf that the core sensor needs, through ctypes; the only module that knows the library.

Raises `SensorError` with libbpf's own words where something cannot be opened or loaded. Requires
libbpf 1.x (Debian: libbpf1), whose functions return NULL or a negative errno and set errno.

Source: libbpf's libbpf.h and bpf.h, version 1.1.
"""

import ctypes
import errno
import functools
import os
import struct
import sys
from pathlib import Path

import msgspec

from agent.errors import SensorError

_LIBRARY = "libbpf.so.1"
_MAP_TYPE_ARRAY = 2
_PROG_TYPE_RAW_TRACEPOINT = 17
_PROG_INFO_BYTES = 232  # struct bpf_prog_info of 5.16; an older kernel fills less of it
_PROG_INFO_STATS = struct.Struct("=QQQ")  # run_time_ns, run_cnt, recursion_misses
_PROG_INFO_STATS_OFFSET = 192

_SampleCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_PrintCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


class ProgramStats(msgspec.Struct, frozen=True):
    """What the kernel counts of one program; times only while kernel.bpf_stats_enabled is 1."""

    run_time_ns: int
    runs: int
    recursion_misses: int  # runs skipped because the program already ran on that CPU; since 5.12


class _Libbpf:
    """The loaded library with its prototypes, and what it last complained about."""

    def __init__(self) -> None:
        try:
            self.lib = lib = ctypes.CDLL(_LIBRARY, use_errno=True)
        except OSError:
            raise SensorError(f"{_LIBRARY} is not installed; on Debian: apt-get install libbpf1") from None
        pointer, text, integer, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
        prototypes: tuple[tuple[str, type | None, tuple[type, ...]], ...] = (
            ("libbpf_set_print", pointer, (_PrintCallback,)),
            ("libbpf_num_possible_cpus", integer, ()),
            ("bpf_object__open_file", pointer, (text, pointer)),
            ("bpf_object__load", integer, (pointer,)),
            ("bpf_object__close", None, (pointer,)),
            ("bpf_object__find_map_by_name", pointer, (pointer, text)),
            ("bpf_object__find_program_by_name", pointer, (pointer, text)),
            ("bpf_map__set_max_entries", integer, (pointer, ctypes.c_uint32)),
            ("bpf_map__fd", integer, (pointer,)),
            ("bpf_map_lookup_elem", integer, (integer, pointer, pointer)),
            ("bpf_map_update_elem", integer, (integer, pointer, pointer, ctypes.c_uint64)),
            ("bpf_map_delete_elem", integer, (integer, pointer)),
            ("bpf_map_create", integer, (integer, text, *[ctypes.c_uint32] * 3, pointer)),
            ("libbpf_probe_bpf_helper", integer, (integer, integer, pointer)),
            ("bpf_program__attach", pointer, (pointer,)),
            ("bpf_program__fd", integer, (pointer,)),
            ("bpf_obj_get_info_by_fd", integer, (integer, pointer, ctypes.POINTER(ctypes.c_uint32))),
            ("bpf_link__destroy", integer, (pointer,)),
            ("ring_buffer__new", pointer, (integer, _SampleCallback, pointer, pointer)),
            ("ring_buffer__poll", integer, (pointer, integer)),
            ("ring_buffer__consume", integer, (pointer,)),
            ("ring_buffer__free", None, (pointer,)),
        )
        for name, result, arguments in prototypes:
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        self._vsnprintf = ctypes.CDLL(None).vsnprintf
        self._vsnprintf.argtypes = (text, size, text, pointer)
        self.messages: list[str] = []
        self._keep = _PrintCallback(self._on_message)  # ctypes does not keep a callback alive
        lib.libbpf_set_print(self._keep)

    def _on_message(self, level: int, form: bytes, arguments: int) -> int:
        # level 0 is a warning. A va_list parameter is a pointer in the ABIs of x86-64 and arm64.
        if level == 0:
            line = ctypes.create_string_buffer(1024)
            self._vsnprintf(line, len(line), form, arguments)
            self.messages.append(line.value.decode(errors="replace").strip())
        return 0

    def error(self, what: str, code: int) -> SensorError:
        """Build the sentence for a failed call from errno and what libbpf printed of it."""
        said = [line for line in self.messages if not line.startswith(("--", "processed")) and "\n" not in line]
        self.messages.clear()
        detail = f" ({said[0].removeprefix('libbpf: ')})" if said else ""
        return SensorError(f"{what}: {os.strerror(abs(code))}{detail}")


@functools.cache
def _load_libbpf() -> _Libbpf:
    return _Libbpf()


class BpfObject:
    """An opened and loaded BPF object with its maps, attached programs and one ring buffer."""

    def __init__(self, path: Path, *, map_entries: dict[str, int]) -> None:
        """
        Open and load; nothing runs until `attach`.

        Args:
            path: a CO-RE object file.
            map_entries: sizes to set before loading, by map name.
        """
        self._bpf = _load_libbpf()
        self._lib = self._bpf.lib
        self._links: list[int] = []
        self._ring: int | None = None
        self._callback: object = None
        self._object: int | None = self._lib.bpf_object__open_file(os.fsencode(path), None)
        if not self._object:
            raise self._bpf.error(f"cannot open {path}", ctypes.get_errno())
        try:
            for name, entries in map_entries.items():
                self._lib.bpf_map__set_max_entries(self._find_map(name), entries)
            code = self._lib.bpf_object__load(self._object)
            if code:
                raise self._bpf.error(f"the kernel refuses {path.name}", code)
        except SensorError:
            self.close()
            raise

    def attach(self, program: str) -> None:
        """Attach one program where its section says."""
        link = self._lib.bpf_program__attach(self._find_program(program))
        if not link:
            raise self._bpf.error(f"cannot attach {program}", ctypes.get_errno())
        self._links.append(link)

    def open_ring(self, map_name: str, records: list[bytes], *, at_once: int) -> None:
        """
        Read a ring buffer: `poll` appends each record to `records`, and leaves the rest when it holds `at_once`.

        Nothing more happens in the callback: ctypes would swallow an exception.
        """

        def on_record(_: int, data: int, size: int) -> int:
            records.append(ctypes.string_at(data, size))
            return 0 if len(records) < at_once else -errno.ECANCELED  # libbpf counts the record as read, and stops

        self._callback = _SampleCallback(on_record)
        self._ring = self._lib.ring_buffer__new(self.map_fd(map_name), self._callback, None, None)
        if not self._ring:
            raise self._bpf.error(f"cannot read the ring buffer {map_name}", ctypes.get_errno())

    def poll(self, timeout_ms: int) -> None:
        """Wait for a wake-up, then hand over the records there are; returns early on a signal."""
        code = self._lib.ring_buffer__poll(self._ring, timeout_ms)
        if code == 0:
            # Nobody was woken: what was sent without a wake-up is only found by looking.
            code = self._lib.ring_buffer__consume(self._ring)
        if code < 0 and code not in (-errno.EINTR, -errno.ECANCELED):
            raise self._bpf.error("cannot read the ring buffer", code)

    def map_fd(self, name: str) -> int:
        """Give the descriptor of a map, owned by the object."""
        fd: int = self._lib.bpf_map__fd(self._find_map(name))
        return fd

    def update(self, name: str, key: bytes, value: bytes) -> None:
        """Set one element of a map; key and value as the kernel lays them out."""
        self._update(self.map_fd(name), key, value)

    def put_array(self, name: str, index: int, value: bytes) -> None:
        """Put an array of one element, `value`, into a map of arrays; readers see the old one or this."""
        fd = self._lib.bpf_map_create(_MAP_TYPE_ARRAY, name.encode(), 4, len(value), 1, None)
        if fd < 0:
            raise self._bpf.error(f"cannot make an array for the map {name}", fd)
        try:
            self._update(fd, bytes(4), value)
            self._update(self.map_fd(name), index.to_bytes(4, sys.byteorder), fd.to_bytes(4, sys.byteorder))
        finally:
            os.close(fd)  # the outer map keeps it

    def delete(self, name: str, key: bytes) -> None:
        """Take one element out of a map; one that is not there is no error."""
        code = self._lib.bpf_map_delete_elem(self.map_fd(name), key)
        if code and code != -errno.ENOENT:
            raise self._bpf.error(f"cannot change the map {name}", code)

    def _update(self, fd: int, key: bytes, value: bytes) -> None:
        code = self._lib.bpf_map_update_elem(fd, key, value, 0)
        if code:
            raise self._bpf.error("cannot change a map", code)

    def sum_per_cpu(self, name: str, index: int) -> int:
        """Add up one 64-bit counter of a per-CPU array over all CPUs."""
        values = (ctypes.c_uint64 * possible_cpus())()
        code = self._lib.bpf_map_lookup_elem(self.map_fd(name), ctypes.byref(ctypes.c_uint32(index)), values)
        if code:
            raise self._bpf.error(f"cannot read the map {name}", code)
        return sum(values)

    def program_stats(self, program: str) -> ProgramStats:
        """Ask the kernel what it has counted for a program."""
        info = ctypes.create_string_buffer(_PROG_INFO_BYTES)
        size = ctypes.c_uint32(_PROG_INFO_BYTES)
        fd = self._lib.bpf_program__fd(self._find_program(program))
        code = self._lib.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size))
        if code:
            raise self._bpf.error(f"cannot read the counters of {program}", code)
        return ProgramStats(*_PROG_INFO_STATS.unpack_from(info, _PROG_INFO_STATS_OFFSET))

    def close(self) -> None:
        """Detach and free everything; may be called twice."""
        for link in self._links:
            self._lib.bpf_link__destroy(link)
        self._links.clear()
        if self._ring:
            self._lib.ring_buffer__free(self._ring)
            self._ring = None
        if self._object:
            self._lib.bpf_object__close(self._object)
            self._object = None

    def _find_map(self, name: str) -> int:
        found: int | None = self._lib.bpf_object__find_map_by_name(self._object, name.encode())
        if not found:
            raise SensorError(f"the BPF object has no map {name}; was it built from another version?")
        return found

    def _find_program(self, name: str) -> int:
        found: int | None = self._lib.bpf_object__find_program_by_name(self._object, name.encode())
        if not found:
            raise SensorError(f"the BPF object has no program {name}; was it built from another version?")
        return found


def has_helper(number: int) -> bool:
    """Tell whether this kernel has a helper function, by its number in enum bpf_func_id."""
    code = _load_libbpf().lib.libbpf_probe_bpf_helper(_PROG_TYPE_RAW_TRACEPOINT, number, None)
    return bool(code == 1)


def possible_cpus() -> int:
    """Count the CPUs that the kernel may ever bring up: the width of a per-CPU value."""
    cpus: int = _load_libbpf().lib.libbpf_num_possible_cpus()
    return cpus
