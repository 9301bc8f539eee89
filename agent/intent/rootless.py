"""Which requests go to an engine that runs as the user who asks, and so can give no more than he has."""

from agent.intent.model import Intent

# Docker is none of them: its daemon is root whoever asks. Rootless docker is known by its socket.
_ENGINES = frozenset(("podman", "nerdctl", "buildah"))
_BECOME_ROOT = frozenset(("doas", "pkexec", "run0", "runuser", "su", "sudo"))
_OF_USER = "/run/user/"


def is_rootless(intent: Intent, uid: int | None) -> bool:
    """
    Tell whether a user who is not root asks an engine of his own.

    Args:
        intent: of the command line alone.
        uid: the real user of the process; None where it is not known, which is no proof of anything.
    """
    if not uid or _BECOME_ROOT.intersection(intent.wrappers) or "remote" in intent.facts:
        return False
    if intent.endpoint is not None:
        return intent.endpoint.startswith(_OF_USER)
    return intent.tool in _ENGINES
