"""The names of users, cached, also those that do not exist."""

import pwd
from pathlib import Path

_MOST_NAMES = 4096
_MOST_BYTES = 4 << 20


class UserNames:
    """
    Look names up.

    Args:
        root: of the node. Where it is ``/``, every source that the node is set up for is asked
            (nsswitch.conf(5)); elsewhere only its etc/passwd can be.
    """

    def __init__(self, root: Path) -> None:
        self._passwd = root / "etc" / "passwd"
        self._look_up = _ask_services if root == Path("/") else self._look_into_file
        self._changed: tuple[int, int] | None = None
        self._names: dict[int, str | None] = {}
        self._in_file: dict[int, str] | None = None

    def get(self, uid: int) -> str | None:
        """Give the name of a user, None where there is none. What was looked up holds until passwd changes."""
        changed = self._read_changed()
        if changed != self._changed or len(self._names) >= _MOST_NAMES:
            self._changed, self._names, self._in_file = changed, {}, None
        if uid not in self._names:
            self._names[uid] = self._look_up(uid)
        return self._names[uid]

    def _look_into_file(self, uid: int) -> str | None:
        if self._in_file is None:
            self._in_file = _load_names(self._passwd)
        return self._in_file.get(uid)

    # A replaced file may have an older time: its inode tells.
    def _read_changed(self) -> tuple[int, int] | None:
        try:
            status = self._passwd.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino


def parse_passwd(text: str) -> dict[int, str]:
    """Read names by user id; of several names for one id the first counts, as for getpwuid(3)."""
    names: dict[int, str] = {}
    for line in text.split("\n"):
        name, _, rest = line.partition(":")
        uid = rest.split(":", 2)[1:2]
        if name and uid and uid[0].isascii() and uid[0].isdigit() and len(uid[0]) <= 10:
            names.setdefault(int(uid[0]), name)
    return names


def _load_names(path: Path) -> dict[int, str]:
    try:
        with path.open("rb") as file:
            return parse_passwd(file.read(_MOST_BYTES).decode("utf-8", "backslashreplace"))
    except OSError:
        return {}


def _ask_services(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return None
