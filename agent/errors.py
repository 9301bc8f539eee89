"""
Every error that Hullwatch raises on purpose.

::

    HullwatchError
    ├── ConfigError          a configuration that cannot be used            exit status 2
    ├── RuleError            one fault of one rule, with its place          exit status 2 in `check`
    ├── SensorError          a sensor that cannot open or has died          exit status 3
    ├── DecodeError          a record that is not what it claims to be      counted, never fatal
    ├── UnreadableFileError  a file that a command names                    told in the intent
    ├── JournalError         the state directory cannot be used             exit status 2
    └── SinkError            one delivery failed; it is tried again         counted, never fatal

Factored out so that no module imports another only for its errors.
"""


class HullwatchError(Exception):
    """The base of all errors below; its text is one clear sentence for an operator."""


class ConfigError(HullwatchError):
    """A configuration file or option that cannot be used; names the dotted key."""


class RuleError(HullwatchError):
    """
    One fault of one rule file.

    Args:
        message: what is wrong and what was expected, one sentence.
        path: the file as it was given, or None for text without a file.
        line, column: 1-based; None where the fault has no single place.
        text: the offending text, at most a line of it.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
        text: str | None = None,
    ) -> None:
        self.message = message
        self.path = path
        self.line = line
        self.column = column
        self.text = text
        place = ":".join(str(part) for part in (path or "<rule>", line, column) if part is not None)
        quoted = f" [{text}]" if text else ""
        super().__init__(f"{place}: {message}{quoted}")


class SensorError(HullwatchError):
    """A sensor that cannot be opened on this node, or that has died; says why."""


class DecodeError(HullwatchError):
    """Bytes or text that are not the record they claim to be."""


class UnreadableFileError(HullwatchError):
    """A file that a command line names and that is not read; its text is the reason in a clause."""


class JournalError(HullwatchError):
    """The journal or its directory cannot be used; names the path."""


class SinkError(HullwatchError):
    """A sink did not take an alert; the journal keeps it and the sink is tried again."""
