"""A rule file as it comes to the readers: its text, not yet read."""

import msgspec

# What `agent.detect.ruleset` has a reader for.
SIGMA_ENDINGS = (".yml", ".yaml")
RULE_ENDINGS = (*SIGMA_ENDINGS, ".eql", ".toml", ".cql")


class RuleFile(msgspec.Struct, frozen=True):
    """One file of a rules directory."""

    path: str
    data: bytes
    shipped: bool = False  # with the agent: an unknown field is an error
