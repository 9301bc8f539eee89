"""The mirror of bpf/event.h, and what a record decodes to."""

import contextlib
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import DecodeError
from agent.sensors import wire

BPF = Path(__file__).parent.parent / "bpf"
ORIGIN = wire.Origin("test", "b00710ad", 1_700_000_000_000_000_000, {"host.os.type": "linux"})


def make_record(texts=None, ancestors=(), **members):
    """A record as the program would send it."""
    texts = texts or {}
    values = {"type": wire.EVENT_EXEC, "ancestor_count": len(ancestors), **members}
    parts = [texts.get(part, b"") for part in wire.Part]
    header = b"".join(values.get(name, 0).to_bytes(width, "little") for name, width in wire.HEADER)
    header += struct.pack(f"<{len(parts)}I", *map(len, parts))
    header += b"tool".ljust(16, b"\0") + b"bash".ljust(16, b"\0")
    for pid, start_ns, comm in ancestors:
        header += struct.pack("<QII16s", start_ns, pid, 0, comm)
    return header.ljust(wire.EVENT_BYTES, b"\0") + b"".join(parts)


class TestLayout:
    """The compiler that builds the programs decides."""

    def test_the_mirror_is_the_compilers_layout(self, tmp_path):
        """Each member's offset, each size and each enumerator is asserted in C, for the BPF target."""
        assert shutil.which("clang"), "needs clang"
        asserts = []
        offset = 0
        for name, width in wire.HEADER:
            asserts.append(f"offsetof(struct event, {name}) == {offset}")
            asserts.append(f"sizeof(((struct event *)0)->{name}) == {width}")
            offset += width
        asserts += [
            f"offsetof(struct event, lengths) == {wire.LENGTHS_OFFSET}",
            f"offsetof(struct event, comm) == {wire.COMMS_OFFSET}",
            f"offsetof(struct event, parent_comm) == {wire.COMMS_OFFSET + wire.COMM_BYTES}",
            f"offsetof(struct event, ancestors) == {wire.ANCESTORS_OFFSET}",
            f"sizeof(struct event) == {wire.EVENT_BYTES}",
            "offsetof(struct ancestor, start_ns) == 0",
            "offsetof(struct ancestor, pid) == 8",
            "offsetof(struct ancestor, comm) == 16",
            f"MAX_ANCESTORS == {wire.MAX_ANCESTORS}",
            f"EVENT_EXEC == {wire.EVENT_EXEC}",
            f"PART_COUNT == {len(wire.Part)}",
            f"LOSS_COUNT == {len(wire.Loss)}",
            f"sizeof(struct file_key) == {wire.FILE_KEY.size}",
            "offsetof(struct file_key, ctime_s) == 8",
            "offsetof(struct file_key, ctime_ns) == 16",
            "offsetof(struct file_key, dev) == 20",
            f"VERDICT_PLAIN == {wire.VERDICT_PLAIN}",
            f"VERDICT_TOOL == {wire.VERDICT_TOOL}",
            f"sizeof(struct automaton) == {wire.AUTOMATON.size}",
            "offsetof(struct automaton, class_of) == 4",
            "offsetof(struct automaton, next) == 260",
            *(f"PART_{part.name} == {part.value}" for part in wire.Part),
            *(f"FLAG_{flag.name} == {flag.value}" for flag in wire.Flag),
            *(f"LOST_{loss.name} == {loss.value}" for loss in wire.Loss),
        ]
        source = tmp_path / "layout.c"
        lines = [f'_Static_assert({text}, "{text}");' for text in asserts]
        source.write_text("\n".join(["#include <stddef.h>", f'#include "{BPF}/event.h"', *lines]))
        done = subprocess.run(
            ["clang", "-target", "bpf", "-Wpadded", "-Werror", "-fsyntax-only", source],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (0, "") == (done.returncode, done.stderr)


class TestDecoding:
    """Bytes into an event."""

    def test_a_whole_record(self):
        """Every member ends up where the event names it."""
        event = wire.decode_exec(
            make_record(
                {
                    wire.Part.EXECUTABLE: b"/usr/bin/docker",
                    wire.Part.FILENAME: b"./docker",
                    wire.Part.INTERPRETER: b"./docker",
                    wire.Part.WORKING_DIRECTORY: b"/usr/bin",
                    wire.Part.CGROUP: b"/docker/abc",
                    wire.Part.ARGS: b"docker\0ps\0",
                    wire.Part.PARENT_EXECUTABLE: b"/usr/bin/bash",
                    wire.Part.PARENT_ARGS: b"bash\0-l\0",
                },
                ancestors=[(7, 70, b"bash"), (1, 10, b"systemd")],
                boot_ns=5_000,
                pid=42,
                thread_id=43,
                uid=1000,
                args_count=2,
                login_uid=wire.NO_ID,
                session_id=3,
                tty_major=136,
                tty_minor=2,
                file_dev=8 << 20 | 1,
                file_inode=99,
                file_ctime_s=3,
                file_ctime_ns=4,
            ),
            ORIGIN,
        )
        assert "b00710ad-1388-2a" == event.id
        assert 1_700_000_000_000_005_000 == event.time_ns
        process = event.process
        assert ("/usr/bin/docker", "docker", "tool") == (process.executable, process.name, process.comm)
        assert ("./docker", None) == (process.filename, process.interpreter)
        assert (("docker", "ps"), "docker ps", 2) == (process.args, process.command_line, process.args_count)
        assert (42, 43, 1000) == (process.pid, process.thread_id, process.uid)
        assert (None, 3, (136, 2)) == (process.login_uid, process.session_id, process.tty)
        assert (0x801, 99, 3_000_000_004) == (process.file.dev, process.file.inode, process.file.ctime_ns)
        assert ("/usr/bin/bash", "bash", ("bash", "-l")) == (
            event.parent.executable,
            event.parent.name,
            event.parent.args,
        )
        assert [("bash", 7), ("systemd", 1)] == [(ancestor.comm, ancestor.pid) for ancestor in event.ancestors]

    def test_flags(self):
        """What was cut, what could not be read and what has no name are told apart."""
        flags = wire.Flag.ARGS_CUT | wire.Flag.CGROUP_CUT | wire.Flag.ARGS_UNREADABLE | wire.Flag.EXECUTABLE_UNLINKED
        event = wire.decode_exec(make_record({wire.Part.EXECUTABLE: b"/memfd:x"}, flags=flags), ORIGIN)
        assert ("cgroup", "args") == event.process.truncated
        assert ("args",) == event.process.unavailable
        assert event.process.memfd

    def test_a_parent_that_is_a_kernel_thread_has_no_executable(self):
        """Absent is None, not an empty text."""
        parent = wire.decode_exec(make_record(), ORIGIN).parent
        assert (None, None, None) == (parent.executable, parent.name, parent.args)

    @given(st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\0", b"")), max_size=20))
    @settings(max_examples=200, deadline=None)
    def test_arguments_survive(self, argv):
        """Any argv comes back: as text where it is text, as bytes where it is not."""
        args, raw = wire.decode_args(b"".join(arg + b"\0" for arg in argv), len(argv))
        assert argv == list(raw if raw is not None else (arg.encode() for arg in args))
        assert len(argv) == len(args)

    @given(st.binary(max_size=wire.EVENT_BYTES + 200))
    @settings(max_examples=200, deadline=None)
    def test_arbitrary_bytes(self, noise):
        """Any bytes are an event or a DecodeError."""
        with contextlib.suppress(DecodeError):
            wire.decode_exec(noise, ORIGIN)

    @given(st.data())
    @settings(max_examples=200, deadline=None)
    def test_a_damaged_record(self, data):
        """A record with any byte changed is an event or a DecodeError."""
        record = bytearray(make_record(dict.fromkeys(wire.Part, b"text"), args_count=1))
        for _ in range(data.draw(st.integers(1, 8))):
            record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
        length = data.draw(st.integers(0, len(record)))
        with contextlib.suppress(DecodeError):
            wire.decode_exec(bytes(record[:length]), ORIGIN)

    @pytest.mark.parametrize("length", [0, 1, wire.EVENT_BYTES - 1])
    def test_a_short_record(self, length):
        """A record that cannot hold its header is refused in words."""
        with pytest.raises(DecodeError, match="cannot hold the header"):
            wire.decode_exec(bytes(length), ORIGIN)
