"""Rule directories into texts: the only place that reads rule files."""

from collections.abc import Iterable
from pathlib import Path

from agent.config import shipped_rules_dir
from agent.detect.rule_file import RULE_ENDINGS, RuleFile
from agent.errors import ConfigError

MAX_FILE_BYTES = 1 << 20
OPTIONAL = Path("/etc/hullwatch/rules.d")  # of the default configuration: an operator may have no rules of his own


def load_rule_files(directories: Iterable[Path]) -> list[RuleFile]:
    """
    Read the rule files that lie in each directory, in the order of their names; deeper ones are not read.

    Files whose names begin with a dot are no rules: editors and ConfigMap mounts leave such beside them.

    Raises:
        ConfigError: a directory does not exist or cannot be read, or a file is larger than 1 MiB.
    """
    files: dict[Path, RuleFile] = {}
    for directory in directories:
        if directory == OPTIONAL and not directory.exists():
            continue
        shipped = directory.resolve().is_relative_to(shipped_rules_dir())
        try:
            for path in sorted(directory.iterdir()):
                if path.suffix in RULE_ENDINGS and not path.name.startswith(".") and path.is_file():
                    files[path.resolve()] = _load(path, shipped=shipped)
        except OSError as error:
            raise ConfigError(f"rules: cannot read {error.filename}: {error.strerror}") from None
    return list(files.values())


def _load(path: Path, *, shipped: bool) -> RuleFile:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ConfigError(f"rules: {path} has {size} bytes, more than the {MAX_FILE_BYTES} of a rule file")
    return RuleFile(str(path), path.read_bytes(), shipped)
