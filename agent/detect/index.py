"""
All rules against one event, trying only those that can match.

Each rule is entered under the literal values that it requires (requirement.py): names, arguments,
and parts of text that one pass of RE2 finds all at once. Most events hit no key, and no tree is
evaluated. Rules that exclude this kind of event (exec, connection) are left out of its table.

An event may be asked about before it is enriched. What the index reads must then be there already:
the process's name, executable, arguments and command line, `event.category` and `event_simpleName`.
Where a process has parts cut short or unreadable, every rule of its kind stays a candidate.
"""

from collections.abc import Callable, Sequence

import msgspec

from agent.detect.fields import resolve_field
from agent.detect.matcher import Matcher, compile_predicate
from agent.detect.predicate import any_of, to_nnf
from agent.detect.requirement import Keys, required_keys, requires_intent, restrict
from agent.detect.rule import Outcome, Rule, Severity
from agent.detect.table import Table, build_table
from agent.event import Event

_KIND_FIELDS = ("event_simpleName", "event.category")
_KIND_GETTERS = tuple(resolve_field(name).get for name in _KIND_FIELDS)
_MANY_KINDS = 16  # documents may name kinds without end; a node's own events are of two


class Match(msgspec.Struct, frozen=True):
    """A rule that an event matches: by its first outcome that holds, unless a filter silences it."""

    rule: Rule
    severity: Severity
    outcome: Outcome
    silenced_by: str | None = None  # the filter's id


class _Entry(msgspec.Struct, frozen=True):
    rule: Rule
    outcomes: tuple[tuple[Matcher, Outcome], ...]
    filters: tuple[tuple[Matcher, str], ...]
    keys: tuple[Keys, ...]
    needs_intent: bool
    of_kind: Matcher


def build_index(
    rules: Sequence[Rule], *, may_have_intent: Callable[[Event], bool] = lambda _event: True
) -> "RuleIndex":
    """
    Compile and enter rules.

    Args:
        rules: in the order in which matches are to be given.
        may_have_intent: whether enrichment could still give an event an intent. Where it says no, rules
            that need one are no candidates of an event without.

    Raises:
        ValueError: a rule has an expression that cannot be compiled; the text begins with its id.
    """
    return RuleIndex([_enter(rule) for rule in rules], may_have_intent)


def _enter(rule: Rule) -> _Entry:
    try:
        whole = to_nnf(any_of(*(outcome.predicate for outcome in rule.outcomes)))
        return _Entry(
            rule,
            tuple((compile_predicate(outcome.predicate), outcome) for outcome in rule.outcomes),
            tuple((compile_predicate(each.predicate), each.id) for each in rule.filters),
            required_keys(whole),
            requires_intent(whole),
            compile_predicate(restrict(whole, _KIND_FIELDS.__contains__)),
        )
    except ValueError as error:
        raise ValueError(f"{rule.id}: {error}") from None
    except RecursionError:
        raise ValueError(f"{rule.id}: the condition is nested too deeply") from None


class RuleIndex:
    """Rules under their keys, one table for each kind of event."""

    def __init__(self, entries: Sequence[_Entry], may_have_intent: Callable[[Event], bool]) -> None:
        self._entries = entries
        self._may_have_intent = may_have_intent
        self._every_kind = _build_table(entries)
        self._tables: dict[object, Table[_Entry]] = {}

    def match(self, event: Event) -> list[Match]:
        """Give every rule that an enriched event matches, silenced ones included, in the rules' order."""
        matches = []
        for entry in self._table(event).find(event.process):
            if entry.needs_intent and event.intent is None:
                continue
            for matcher, outcome in entry.outcomes:
                if matcher(event):
                    silenced_by = next((name for silences, name in entry.filters if silences(event)), None)
                    matches.append(Match(entry.rule, outcome.severity, outcome, silenced_by))
                    break
        return matches

    def candidates(self, event: Event) -> list[Rule]:
        """Give every rule that an event may match once it is enriched, in the rules' order."""
        table, process = self._table(event), event.process
        found = table.items if process.truncated or process.unavailable else table.find(process)
        if found and event.intent is None and not self._may_have_intent(event):
            found = [entry for entry in found if not entry.needs_intent]
        return [entry.rule for entry in found]

    def may_match(self, event: Event) -> bool:
        """Tell whether any rule may match an event once it is enriched."""
        return bool(self.candidates(event))

    def _table(self, event: Event) -> Table[_Entry]:
        kind = tuple([get(event) for get in _KIND_GETTERS])
        table = self._tables.get(kind)
        if table is not None:
            return table
        if len(self._tables) >= _MANY_KINDS or not all(map(_is_plain, kind)):
            return self._every_kind
        table = _build_table([entry for entry in self._entries if entry.of_kind(event)])
        self._tables[kind] = table
        return table


def _build_table(entries: Sequence[_Entry]) -> Table[_Entry]:
    return build_table([(entry, entry.keys) for entry in entries])


# Among texts only, equal means the same; 1 and true are equal keys of a dict. Absent may yet be added.
def _is_plain(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, tuple) and all(isinstance(item, str) for item in value))
