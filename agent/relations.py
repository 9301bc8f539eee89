"""
Which alerts are of one act: a client that asked for a container, and the runtime that was then told to make it.

The client's command line says who asked; the runtime's bundle says what the container gets. Both are
alerts, seconds apart, of processes that have no common parent (a daemon is in between). The later one
names the earlier; the earlier has gone out by then.
"""

from collections import deque

from agent.event import Event
from agent.intent.model import Intent

_WINDOW_NS = 30_000_000_000  # an image may be pulled in between
_MAX_REMEMBERED = 256
_BUNDLE = "bundle"


class Relations:
    """Remembers the intents of recent alerts."""

    def __init__(self) -> None:
        self._recent: deque[tuple[Event, Intent]] = deque(maxlen=_MAX_REMEMBERED)

    def relate(self, event: Event) -> tuple[str, ...]:
        """
        Remember an event that alerts.

        Returns:
            The ids of the earlier events that it completes, latest first.
        """
        intent = event.intent
        if intent is None:
            return ()
        related = tuple(
            earlier.id
            for earlier, asked in reversed(self._recent)
            if event.time_ns - earlier.time_ns <= _WINDOW_NS and _complete_each_other(asked, intent)
        )
        self._recent.append((event, intent))
        return related


def _complete_each_other(asked: Intent, given: Intent) -> bool:
    if (asked.source == _BUNDLE) == (given.source == _BUNDLE):
        return False
    if asked.image and given.image and asked.image.partition("@")[0] not in given.image:
        return False
    return bool(_powers(asked) & _powers(given))


def _powers(intent: Intent) -> set[str]:
    powers = {f"namespace {name}" for name in intent.host_namespaces}
    powers |= {f"capability {name}" for name in intent.capabilities}
    powers |= {f"mount {path}" for path in intent.mounts}
    powers |= {f"device {path}" for path in intent.devices}
    return powers | {"privileged"} if intent.privileged else powers
