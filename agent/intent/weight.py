"""How much an intent asks for, to choose between the several of one shell text."""

from agent.intent.model import Intent

_STRONG_VERBS = frozenset(("run", "create", "exec", "debug", "apply", "enter", "compose up", "compose run"))


def weigh(intent: Intent) -> int:
    """Weigh the power that is asked for; only the order of two weights means anything."""
    weight = 100 * intent.privileged + 20 * len(intent.host_namespaces)
    weight += 60 * ("/" in intent.mounts) + 10 * len(intent.mounts) + 10 * len(intent.devices)
    weight += 10 * len(intent.capabilities) + 5 * len(intent.unconfined) + 5 * bool(intent.files)
    weight += 15 * (intent.root is not None) + 3 * bool(intent.facts) + 2 * bool(intent.command)
    return weight + 8 * (intent.verb in _STRONG_VERBS) + bool(intent.verb)
