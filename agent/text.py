"""Text of others on its way to people: nothing in it can end a line or reach a terminal as a command."""


def make_printable(text: str) -> str:
    r"""Show what is not printable (controls, bidirectional marks, line separators) as ``\xNN`` or ``\uNNNN``."""
    return text if text.isprintable() else "".join(map(_show, text))


def _show(character: str) -> str:
    code = ord(character)
    if character.isprintable():
        return character
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
