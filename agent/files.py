"""
Files that somebody else chose: opened below a given root, regular ones only, bounded in size and in time.

A path is walked one name at a time, each opened relative to the one before without following it. A
symbolic link is read and its text walked inside the same root, the magic ones of /proc included, so that no
link, no ``..`` and no rename in between leads out. What is opened on the way is O_PATH: no device is
touched, no pipe waits for its other end. What can still hang is the file system itself (FUSE, NFS); reads
therefore run on threads that are left behind when they are late.
"""

import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from agent.errors import UnreadableFileError

MAX_BYTES = 1 << 20
# Beyond so many threads that a file system never answered, nothing is read until one comes back.
MAX_STUCK = 4
_MAX_LINKS = 40  # as the kernel's
_NAMESPACE = re.compile(r"[a-z_]+:\[[0-9]+\]")  # the text of a namespace's file, which is no path
_MAX_NAMES = 256  # of a path, and of a directory
_MAX_ENVIRONMENT_BYTES = 256 << 10
_DEADLINE_S = 0.25

_T = TypeVar("_T")
_stuck = threading.BoundedSemaphore(MAX_STUCK)


def read_bounded(
    path: str, *, process_root: Path, cwd: str | None, limit: int = MAX_BYTES, deadline_s: float = _DEADLINE_S
) -> bytes:
    """
    Read a regular file as a process sees it.

    Args:
        path: absolute or relative to `cwd`, in the process's own tree.
        process_root: what that process has for ``/``, as ``/proc/PID/root``.
        cwd: its working directory as it sees it.
        limit: the most bytes that are read.
        deadline_s: after which the file counts as unreadable.

    Raises:
        UnreadableFileError: it is not there, not regular, empty, too large, or late.
    """

    def read() -> bytes:
        with _walk(path, process_root, cwd) as (descriptor, _):
            return _read_regular(descriptor, limit)

    return _within(deadline_s, read)


def read_descriptor(number: int, *, process: Path, limit: int = MAX_BYTES, deadline_s: float = _DEADLINE_S) -> bytes:
    """
    Read from its start the regular file that a process has open, such as its standard input.

    Args:
        number: of the descriptor.
        process: its directory in /proc.
        limit: the most bytes that are read.
        deadline_s: after which the file counts as unreadable.

    Raises:
        UnreadableFileError: as `read_bounded`; a pipe's content belongs to the process and is never taken.
    """

    def read() -> bytes:
        descriptor = _open(str(process / "fd" / str(number)), os.O_PATH | os.O_CLOEXEC)
        try:
            return _read_regular(descriptor, limit)
        finally:
            os.close(descriptor)

    return _within(deadline_s, read)


def list_directory(
    path: str, *, process_root: Path, cwd: str | None, deadline_s: float = _DEADLINE_S
) -> tuple[str, ...] | None:
    """
    List the names in a directory, sorted, at most 256 of them; None for anything but a directory.

    Raises:
        UnreadableFileError: it is not there, or late.
    """

    def read() -> tuple[str, ...] | None:
        with _walk(path, process_root, cwd) as (descriptor, _):
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                return None
            with _reopened(descriptor) as opened, os.scandir(opened) as entries:
                return tuple(sorted(entry.name for entry, _ in zip(entries, range(_MAX_NAMES), strict=False)))

    return _within(deadline_s, read)


def resolve_symlinks(path: str, *, process_root: Path, cwd: str | None, deadline_s: float = _DEADLINE_S) -> str:
    """
    Give a path without symbolic links, ``//``, ``.`` and ``..``, as far as it exists; the rest stays as it is.

    Never raises: a path that cannot be walked is given back as it came.
    """

    def read() -> str:
        with _walk(path, process_root, cwd, partly=True) as (_, resolved):
            return os.path.normpath(resolved)

    try:
        return _within(deadline_s, read)
    except UnreadableFileError:
        return path


def read_inode(path: str, *, process_root: Path, deadline_s: float = _DEADLINE_S) -> tuple[int, int] | None:
    """Give device and inode number of what a path names, None where it names nothing that can be found."""

    def read() -> tuple[int, int]:
        with _walk(path, process_root, None) as (descriptor, _):
            found = os.fstat(descriptor)
            return found.st_dev, found.st_ino

    try:
        return _within(deadline_s, read)
    except UnreadableFileError:
        return None


def read_environment(process: Path, names: frozenset[str], *, deadline_s: float = _DEADLINE_S) -> dict[str, str]:
    """
    Read a few variables of a process's environment, as it was at its exec, and keep nothing else of it.

    Args:
        process: its directory in /proc.
        names: those that are read; an environment over 256 KiB is read up to there.
        deadline_s: after which there is none; memory can be as late as the file that it maps.
    """

    def read() -> dict[str, str]:
        with (process / "environ").open("rb") as file:
            found = [entry.partition(b"=") for entry in file.read(_MAX_ENVIRONMENT_BYTES).split(b"\0")]
        texts = {key.decode(errors="replace"): value.decode(errors="backslashreplace") for key, _, value in found}
        return {name: texts[name][:4096] for name in names & texts.keys()}

    try:
        return _within(deadline_s, read)
    except UnreadableFileError:
        return {}


def open_program(path: str, *, process_root: Path) -> int:
    """
    Open a program's file for reading.

    Returns:
        A descriptor, to be closed by the caller.

    Raises:
        UnreadableFileError: it is not there, or not regular.
    """
    try:
        with _walk(path, process_root, None) as (descriptor, _), _reopened(_check_regular(descriptor)) as opened:
            return os.dup(opened)
    except OSError as error:
        raise UnreadableFileError(error.strerror or type(error).__name__) from None


def _within(deadline_s: float, read: Callable[[], _T]) -> _T:
    if not _stuck.acquire(blocking=False):
        raise UnreadableFileError(f"{MAX_STUCK} earlier reads have not come back")
    results: list[_T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(read())
        except OSError as error:
            errors.append(UnreadableFileError(error.strerror or type(error).__name__))
        except (UnreadableFileError, ValueError) as error:
            errors.append(error)
        finally:
            _stuck.release()

    thread = threading.Thread(target=run, name="file-reader", daemon=True)
    thread.start()
    thread.join(max(deadline_s, 0))
    if results:
        return results[0]
    if errors:
        raise UnreadableFileError(str(errors[0]))
    raise UnreadableFileError(f"no answer within {deadline_s:.2f} s")


def _open(path: str, flags: int, *, at: int | None = None) -> int:
    return os.open(path, flags, dir_fd=at)


def _check_regular(descriptor: int) -> int:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableFileError(f"it is a {_KINDS.get(stat.S_IFMT(found.st_mode), 'special file')}")
    return descriptor


_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "pipe",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFSOCK: "socket",
}


def _read_regular(descriptor: int, limit: int) -> bytes:
    size = os.fstat(_check_regular(descriptor)).st_size
    if size == 0:
        # Reading what /proc and tracefs keep behind such a size would take messages away from others.
        raise UnreadableFileError("it is empty, or no file of a disk")
    if size > limit:
        raise UnreadableFileError(f"it holds {size} bytes, more than the {limit} that are read")
    with _reopened(descriptor) as opened:
        data = bytearray()
        while len(data) <= limit:
            piece = os.pread(opened, limit + 1 - len(data), len(data))
            if not piece:
                return bytes(data)
            data += piece
    raise UnreadableFileError(f"it grew beyond the {limit} bytes that are read")


@contextmanager
def _reopened(descriptor: int) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    opened = _open(f"/proc/self/fd/{descriptor}", flags)
    try:
        yield opened
    finally:
        os.close(opened)


@contextmanager
def _walk(path: str, root: Path, cwd: str | None, *, partly: bool = False) -> Iterator[tuple[int, str]]:
    """Give an O_PATH descriptor of what a path names below a root, and the path without links."""
    pending = _split(path if path.startswith("/") else f"{cwd or '/'}/{path}")
    links = 0
    with ExitStack() as opened:
        stack = [_keep(opened, _open(str(root), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))]
        names: list[str] = []
        while pending:
            name = pending.pop()
            if name == "..":
                del names[-1:]
                stack = stack[: len(names) + 1]
                continue
            try:
                found = _keep(opened, _open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, at=stack[-1]))
            except OSError:
                if not partly:
                    raise
                names += [name, *reversed(pending)]
                break
            text = _read_link(found, partly=partly)
            if text is not None:
                links += 1
                if links > _MAX_LINKS or len(pending) > _MAX_NAMES:
                    raise UnreadableFileError("too many symbolic links")
                if text.startswith("/"):
                    del names[:], stack[1:]
                pending += _split(text)
                continue
            names.append(name)
            stack.append(found)
        yield stack[-1], "/" + "/".join(names)


def _read_link(descriptor: int, *, partly: bool) -> str | None:
    if not stat.S_ISLNK(os.fstat(descriptor).st_mode):
        return None
    try:
        text = os.readlink("", dir_fd=descriptor)
    except OSError:  # of another's namespace, which not every root may know
        if partly:
            return None
        raise
    return None if partly and _NAMESPACE.fullmatch(text) else text


def _keep(opened: ExitStack, descriptor: int) -> int:
    opened.callback(os.close, descriptor)
    return descriptor


def _split(path: str) -> list[str]:
    if "\0" in path:
        raise UnreadableFileError("its path holds a NUL")
    names = [name for name in path.split("/") if name not in {"", "."}]
    if len(names) > _MAX_NAMES:
        raise UnreadableFileError(f"its path has more than {_MAX_NAMES} parts")
    return names[::-1]
