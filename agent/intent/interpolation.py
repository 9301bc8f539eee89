"""
Compose's variables: ``$NAME``, ``${NAME}``, ``${NAME:-default}``, ``${NAME:+other}``, ``$$``.

Source: compose-spec's 12-interpolation.md.
"""

import re
from collections.abc import Mapping

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?:(?P<sign>:?[-+?])(?P<word>[^{}]*))?\})",
    re.ASCII,
)
# Defaults may hold variables in their turn; Compose itself has no bound.
_ROUNDS_MAX = 4
_GROWTH_MAX = 1 << 20


def interpolate(value: object, variables: Mapping[str, str]) -> object:
    """
    Put values in place of variables, in every text of a tree; keys stay as they are.

    A variable that is not known counts as unset: its default is taken, or nothing.

    Raises:
        ValueError: the values would make the text longer by more than a MiB.
    """
    longest = max(map(len, variables.values()), default=0)
    done: dict[str, str] = {}

    def visit(item: object) -> object:
        if isinstance(item, str):
            if "$" not in item:
                return item
            # Aliases repeat a text at no cost to whoever wrote them.
            if item not in done:
                done[item] = _interpolate_text(item, variables, longest)
            return done[item]
        if isinstance(item, dict):
            return {key: visit(below) for key, below in item.items()}
        if isinstance(item, list):
            return [visit(below) for below in item]
        return item

    return visit(value)


def _interpolate_text(text: str, variables: Mapping[str, str], longest: int) -> str:
    if text.count("$") * longest > _GROWTH_MAX:
        raise ValueError(f"its variables expand to more than {_GROWTH_MAX} characters")
    for _ in range(_ROUNDS_MAX):
        # Inner defaults hold no braces, so that each round resolves one level from the inside.
        changed = _VARIABLE.sub(lambda match: match[0] if match["escaped"] else _replace(match, variables), text)
        if changed == text:
            break
        text = changed
    return text.replace("$$", "$")


def _replace(match: re.Match[str], variables: Mapping[str, str]) -> str:
    value = variables.get(match["plain"] or match["braced"])
    sign, word = match["sign"] or "", match["word"] or ""
    is_set = bool(value) if sign.startswith(":") else value is not None
    if sign.endswith("+"):
        return word if is_set else ""
    if sign.endswith("-") and not is_set:
        return word
    return value or ""
