"""
What a program is, whatever its file is called: Go's build information, or the text of a few C programs.

Sources: Go's debug/buildinfo and cmd/link/internal/ld/data.go (``buildinfo``), elf(5). Both of its
layouts are read; stripping removes neither. A packed (UPX) or an obfuscated build is not recognised.
"""

import re
import struct
from collections.abc import Callable

import msgspec

# (offset, size) -> at most `size` bytes of the file from `offset` on; fewer at its end, none beyond it.
ReadAt = Callable[[int, int], bytes]


class Identity(msgspec.Struct, frozen=True):
    """
    What a file is.

    `tool`: as in `Intent.tool`; "busybox" for any of its applets. `package`: the path of Go's main package.
    """

    tool: str
    package: str | None = None


# By the end of the main package's path; a major version or a vendor in between is no difference.
_PACKAGES: tuple[tuple[str, str], ...] = (
    ("docker/cli/cmd/docker", "docker"),
    ("containers/podman/cmd/podman", "podman"),
    ("podman-container-tools/podman/cmd/podman", "podman"),
    ("containers/buildah/cmd/buildah", "buildah"),
    ("containerd/nerdctl/cmd/nerdctl", "nerdctl"),
    ("containerd/containerd/cmd/ctr", "ctr"),
    ("containerd/containerd/cmd/containerd", "containerd"),
    ("containerd/containerd/cmd/containerd-shim-runc-v2", "containerd-shim"),
    ("containerd/containerd/cmd/containerd-shim-runc-v1", "containerd-shim"),
    ("containerd/containerd/cmd/containerd-shim", "containerd-shim"),
    ("cri-tools/cmd/crictl", "crictl"),
    ("opencontainers/runc", "runc"),
    ("kubernetes/cmd/kubectl", "kubectl"),
    ("kubernetes/cmd/kubectl-sdk", "kubectl"),
    ("kubernetes/kubectl/cmd/kubectl", "kubectl"),
    ("kubernetes/cmd/kubelet", "kubelet"),
    ("kubernetes/cmd/hyperkube", "hyperkube"),
    ("openshift/oc/cmd/oc", "oc"),
    ("helm/cmd/helm", "helm"),
    ("k3s/cmd/k3s", "k3s"),
    ("k3s/cmd/server", "k3s"),
    ("k0s", "k0s"),
    ("rke2", "rke2"),
    ("minikube/cmd/minikube", "minikube"),
    ("kind", "kind"),
    ("kind/cmd/kind", "kind"),
    ("docker/docker/cmd/dockerd", "dockerd"),
    ("moby/moby/cmd/dockerd", "dockerd"),
    ("docker/compose/cmd", "docker-compose"),
    ("docker/buildx/cmd/buildx", "docker-buildx"),
    ("moby/buildkit/cmd/buildkitd", "buildkitd"),
    ("moby/buildkit/cmd/buildctl", "buildctl"),
    ("cri-o/cmd/crio", "crio"),
    ("kata-containers/src/runtime/cmd/kata-runtime", "kata-runtime"),
    ("gvisor.dev/gvisor/runsc", "runsc"),
    ("canonical/lxd/lxc", "lxc"),
    ("lxc/lxd/lxc", "lxc"),
    ("lxc/incus/cmd/incus", "incus"),
    ("kubeletctl", "kubeletctl"),
)
_VERSION = re.compile(r"/v[0-9]+(?=/|\Z)")
# What only these programs say; translations do not change it, for it is what they are translated from.
_TEXTS: tuple[tuple[bytes, str], ...] = (
    (b"\0BusyBox v", "busybox"),
    (b"\0Run a program with namespaces of other processes.\n\0", "nsenter"),
    (b"\0Run a program with some namespaces unshared from the parent.\n\0", "unshare"),
    (b"\0Run COMMAND with root directory set to NEWROOT.\n", "chroot"),
    (b"\0https://github.com/containers/crun/issues\0", "crun"),
)
_MAX_TEXT_BYTES = 320 << 10  # .rodata of the largest of them, busybox, is 250 KiB
_MAX_DATA_BYTES = 32 << 20  # only of a file without section headers
_CHUNK_BYTES = 256 << 10
_MAX_MODULES_BYTES = 4 << 10  # the path comes first, the many dependencies behind it
_MAX_SECTIONS = 128
_MAGIC = b"\xff Go buildinf:"
_SENTINEL_BYTES = 16


class _Part(msgspec.Struct, frozen=True):
    """A section or a segment: where it lies in the file and in memory."""

    name: str
    address: int
    offset: int
    size: int
    writable: bool


class _Elf(msgspec.Struct, frozen=True):
    order: str  # of struct: < or >
    wide: bool  # 64 bits
    sections: tuple[_Part, ...]
    segments: tuple[_Part, ...]


def identify(read_at: ReadAt) -> Identity | None:
    """
    Say what a program is from its file.

    Args:
        read_at: is asked for at most 400 KiB in all, for 32 MiB where section headers were taken away.

    Returns:
        None for a file that is no ELF file or none of the programs that matter here.
    """
    elf = _read_elf(read_at)
    if elf is None:
        return None
    modules = _read_modules(read_at, elf)
    if modules is not None:
        package = _find_package(modules)
        tool = _name_package(package) if package else None
        return Identity(tool, package) if tool is not None else None
    text = next((part for part in elf.sections if part.name == ".rodata"), None)
    if text is None:
        return None
    found = read_at(text.offset, min(text.size, _MAX_TEXT_BYTES))
    return next((Identity(tool) for mark, tool in _TEXTS if mark in found), None)


def _name_package(path: str) -> str | None:
    plain = _VERSION.sub("", path)
    return next((tool for end, tool in _PACKAGES if plain == end or plain.endswith(f"/{end}")), None)


def _find_package(modules: str) -> str | None:
    for line in modules.split("\n")[:8]:
        kind, _, value = line.partition("\t")
        if kind == "path":
            return value.partition("\t")[0][:512]
    return None


def _read_elf(read_at: ReadAt) -> _Elf | None:
    head = read_at(0, 64)
    if len(head) < 52 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    if wide and len(head) < 64:
        return None
    layout, at = ("QQ", 32) if wide else ("II", 28)
    segments_at, sections_at = struct.unpack_from(order + layout, head, at)
    sizes = struct.unpack_from(order + "6H", head, 52 if wide else 40)
    _, segment_bytes, segment_count, section_bytes, section_count, names_index = sizes
    segments = _read_segments(read_at(segments_at, segment_bytes * min(segment_count, _MAX_SECTIONS)), order, wide=wide)
    table = read_at(sections_at, section_bytes * min(section_count, _MAX_SECTIONS))
    return _Elf(order, wide, _read_sections(read_at, table, order, names_index, wide=wide), segments)


def _read_segments(table: bytes, order: str, *, wide: bool) -> tuple[_Part, ...]:
    layout = struct.Struct(order + ("IIQQQQQQ" if wide else "8I"))
    parts = []
    for at in range(0, len(table) - layout.size + 1, layout.size):
        fields = layout.unpack_from(table, at)
        if wide:
            kind, flags, offset, address, _, size = fields[:6]
        else:
            kind, offset, address, _, size, _, flags = fields[:7]
        if kind == 1:  # PT_LOAD
            parts.append(_Part("", address, offset, size, bool(flags & 2)))
    return tuple(parts)


def _read_sections(read_at: ReadAt, table: bytes, order: str, names_index: int, *, wide: bool) -> tuple[_Part, ...]:
    layout = struct.Struct(order + ("IIQQQQIIQQ" if wide else "10I"))
    rows = [layout.unpack_from(table, at) for at in range(0, len(table) - layout.size + 1, layout.size)]
    if names_index >= len(rows):
        return ()
    names = read_at(rows[names_index][4], min(rows[names_index][5], 8 << 10))
    parts = []
    for name_at, kind, flags, address, offset, size, *_ in rows:
        name = names[name_at : name_at + 64].partition(b"\0")[0].decode("latin-1")
        if kind != 8:  # SHT_NOBITS
            parts.append(_Part(name, address, offset, size, bool(flags & 1)))
    return tuple(parts)


def _read_modules(read_at: ReadAt, elf: _Elf) -> str | None:
    """Find the text that ``go version -m`` prints; empty for a Go program that carries none."""
    own = [part for part in elf.sections if part.name == ".go.buildinfo"]
    parts = own if elf.sections else [part for part in elf.segments if part.writable]
    left = _MAX_DATA_BYTES
    for part in parts:
        # Broken headers may name the same bytes any number of times.
        found = _find_magic(read_at, part, left)
        left -= min(part.size, left)
        if found is not None:
            head = read_at(found, 32).ljust(32, b"\0")
            raw = _read_inline(read_at, found + 32) if head[15] & 2 else _read_pointed(read_at, elf, head)
            return raw.decode(errors="replace")
    return None


def _find_magic(read_at: ReadAt, part: _Part, most: int) -> int | None:
    # At the start of its section; anywhere in a writable segment where there are no section headers.
    for at in range(0, min(part.size, most), _CHUNK_BYTES):
        data = read_at(part.offset + at, min(_CHUNK_BYTES, part.size - at) + _SENTINEL_BYTES)
        found = data.find(_MAGIC)
        if found >= 0:
            return part.offset + at + found
        if len(data) < _CHUNK_BYTES:
            break
    return None


def _read_inline(read_at: ReadAt, offset: int) -> bytes:
    # Since Go 1.18: the version, then the modules, each behind its length.
    head = read_at(offset, 512)
    length, at = _read_length(head, 0)
    if at + length >= len(head):
        return b""
    size, start = _read_length(head, at + length)
    return read_at(offset + start, min(size, _MAX_MODULES_BYTES))[_SENTINEL_BYTES:]


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return value, at


def _read_pointed(read_at: ReadAt, elf: _Elf, head: bytes) -> bytes:
    # Before Go 1.18: addresses of two strings' headers, each an address and a length.
    width, order = head[14], ">" if head[15] & 1 else "<"
    if width not in (4, 8):
        return b""
    word = struct.Struct(order + ("Q" if width == 8 else "I"))
    header = _read_memory(read_at, elf, word.unpack_from(head, 16 + width)[0], 2 * width)
    if len(header) < 2 * width:
        return b""
    address, size = word.unpack_from(header, 0)[0], word.unpack_from(header, width)[0]
    return _read_memory(read_at, elf, address, min(size, _MAX_MODULES_BYTES))[_SENTINEL_BYTES:]


def _read_memory(read_at: ReadAt, elf: _Elf, address: int, size: int) -> bytes:
    for part in elf.segments:
        if part.address <= address < part.address + part.size:
            return read_at(part.offset + address - part.address, size)
    return b""
