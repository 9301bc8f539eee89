"""Which namespaces are the host's: the words and the files that name them."""

import posixpath
import re

# Namespace files by the name that their option or directory entry has.
KINDS = {
    "mnt": "mnt",
    "mount": "mnt",
    "uts": "uts",
    "ipc": "ipc",
    "net": "net",
    "network": "net",
    "pid": "pid",
    "pid_for_children": "pid",
    "user": "user",
    "userns": "user",
    "cgroup": "cgroup",
    "cgroupns": "cgroup",
    "time": "time",
    "time_for_children": "time",
}
_FILE_OF_INIT = re.compile(r"(?:^|/)proc/1/(?:task/1/)?ns/[a-z_]+\Z")
# Docker keeps the host's network namespace under this name.
_HOST_NETWORK = re.compile(r"/run/docker/netns/default\Z")
_PID_ONE = re.compile(r"[ \t]*\+?0*1(?::[0-9]+)?\Z")


def is_host_file(path: str) -> bool:
    """Tell whether a namespace file is one of pid 1's, under whatever prefix /proc is mounted."""
    normal = posixpath.normpath(path[:4096])
    return bool(_FILE_OF_INIT.search(normal) or _HOST_NETWORK.search(normal))


def is_pid_one(text: str) -> bool:
    """Tell whether a number as strtoul(3) reads it is 1; ``PID:INODE`` is read as well."""
    return len(text) <= 64 and bool(_PID_ONE.match(text))
