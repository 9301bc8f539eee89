"""What the programs on a node are, each file looked at once."""

import os
from collections import OrderedDict
from pathlib import Path

from agent.errors import UnreadableFileError
from agent.event import File, Process
from agent.files import open_program
from agent.intent.identity import Identity, ReadAt, identify

_MAX_KNOWN = 4096


class Programs:
    """Identities by inode; a file that changes gets another change time, and is looked at anew."""

    def __init__(self) -> None:
        self._known: OrderedDict[File, Identity | None] = OrderedDict()

    def is_known(self, file: File | None) -> bool:
        """Tell whether a file was looked at."""
        return file in self._known

    def recall(self, file: File | None) -> Identity | None:
        """Say what a file was found to be, without another look; None also for one that is not known."""
        return self._known.get(file) if file is not None else None

    def identify(self, process: Process, own: Path | None, root: Path) -> Identity | None:
        """
        Say what a process runs.

        Args:
            process: its file is the key; without one nothing is remembered.
            own: its directory in /proc, None for one that is gone or of another node.
            root: what it has for ``/``.

        Returns:
            None for none of the tools, and for a file that is no longer there.
        """
        file = process.file
        if file is not None and file in self._known:
            self._known.move_to_end(file)
            return self._known[file]
        descriptor = _open(process, own, root)
        if descriptor is None:
            return None
        try:
            found = identify(_reader(descriptor))
            is_same = file is not None and os.fstat(descriptor).st_ino == file.inode
        finally:
            os.close(descriptor)
        if file is not None and (own is not None or is_same):
            self._known[file] = found
            if len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)
        return found


def _open(process: Process, own: Path | None, root: Path) -> int | None:
    # /proc/PID/exe is the file itself, also where it has no name; the process may run another by now.
    if own is not None and process.file is not None:
        try:
            descriptor = os.open(own / "exe", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            descriptor = -1
        if descriptor >= 0:
            # On overlayfs the kernel's inode number and stat's may differ.
            if os.fstat(descriptor).st_ino == process.file.inode or _read_link(own / "exe") == process.executable:
                return descriptor
            os.close(descriptor)
    try:
        return open_program(process.executable or "", process_root=root)
    except UnreadableFileError:
        return None


def _read_link(path: Path) -> str | None:
    try:
        return str(path.readlink())
    except OSError:
        return None


def _reader(descriptor: int) -> ReadAt:
    def read_at(offset: int, size: int) -> bytes:
        # A broken header may name any offset.
        try:
            return os.pread(descriptor, size, offset) if 0 <= offset < 1 << 62 else b""
        except OSError:
            return b""

    return read_at
