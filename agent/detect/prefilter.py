r"""
All rules as one automaton over the bytes of an exec: what it does not accept, no rule can match.

Its input is the executable's path, a NUL, and the arguments as they lie in memory, a NUL behind each. An
exec passes where the automaton accepts at any time. Why nothing is missed:

1. A rule is weakened step by step, never strengthened: its tree in negation normal form; tests decided of
   what is the same of every live exec; then pieces of text, of which an exec that the rule matches has at
   least one (necessary.py); for a rule about intents whatever an intent needs (intent_bytes.py).
2. A piece is part of a text as the event shows it, and its pattern takes all bytes that may read as such a
   text (exec_bytes.py).
3. To determinise and to minimise keeps the language. Where the automaton gets too large, pieces are
   shortened to parts of themselves (filter_budget.py), and where that does not help, the filter is off.

It judges path and arguments only, and of a live sensor's events only: a recorded document may give a name
that is not its path's. Some execs must pass whatever it says (bpf/filter.h): those with arguments that were
cut or could not be read, with a path that was cut, of a file without a name, and of a file that has not
been looked at yet or was found to be a tool.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import msgspec

from agent.detect.automaton import Dfa, compile_dfa, encode
from agent.detect.filter_budget import MAX_STATES, build_dfa, cost, fit
from agent.detect.necessary import find_unbounded, fold_constants, necessary_pieces
from agent.detect.pieces import INTENT, Pieces, shorten
from agent.detect.predicate import Always, Not, Predicate, Regex, any_of, to_nnf
from agent.detect.printer import format_predicate
from agent.detect.rule import Rule
from agent.event import Exec, FieldValue

_LONGEST_PIECE = 16  # steps: more of them let hardly less pass
_LONGEST_PART = 300  # characters of a condition that are shown


class Kind(StrEnum):
    """Which execs a rule lets pass."""

    NONE = "none"  # it is about other events, or contradicts itself
    TEXT = "text"  # those with one of its pieces of text
    INTENT = "intent"  # those that an intent may be read of, and maybe others by their text
    SHORTENED = "shortened"  # by less of its text than the rule asks for
    ALL = "all"  # every one: the filter is off


class RuleReport(msgspec.Struct, frozen=True):
    """What a rule does to the filter; where it lets too much pass, by which part (in EQL), and what helps."""

    rule: str
    path: str
    line: int
    kind: Kind
    part: str = ""
    advice: str = ""


class FilterReport(msgspec.Struct, frozen=True):
    """The filter in numbers, all 0 where it is off, and each rule's share."""

    states: int
    classes: int
    table_bytes: int  # of the rows that the kernel walks in
    rules: tuple[RuleReport, ...]

    @property
    def is_on(self) -> bool:
        """Whether anything is held back."""
        return self.states > 0


class Prefilter(msgspec.Struct, frozen=True):
    """
    The rules' filter.

    `encoded`: ``struct automaton`` of bpf/event.h; None lets everything pass.
    `accepts`: takes the path, and the arguments with a NUL behind each; the same automaton.
    """

    encoded: bytes | None
    accepts: Callable[[bytes, bytes], bool]
    report: FilterReport

    def accepts_event(self, event: Exec) -> bool:
        """
        Tell whether any rule may match an exec, for the sensors that cannot filter in the kernel.

        As there, the caller lets pass what runs a file that has not been looked at, or a tool. A recorded
        event, one that has its intent and one that lacks anything pass.
        """
        process = event.process
        if event.origin == "replay" or event.intent is not None or process.executable is None or process.args is None:
            return True
        if process.deleted or process.memfd or process.truncated or process.unavailable:
            return True
        args = process.raw_args or [argument.encode("utf-8", "replace") for argument in process.args]
        return self.accepts(process.executable.encode("utf-8", "replace"), b"".join([raw + b"\0" for raw in args]))


def build_prefilter(
    rules: Sequence[Rule], *, live_fields: Mapping[str, FieldValue], state_budget: int = MAX_STATES
) -> Prefilter:
    """
    Make the filter of a set of rules.

    Args:
        rules: those in force; their filters silence matches and are no part of this.
        live_fields: all that the sensor's events have in `Exec.fields`, as `core.live_exec_fields` gives it.
        state_budget: of states; past it pieces of text are shortened, those of the costliest rules first.
    """
    conditions = [_weaken(rule, live_fields) for rule in rules]
    several = [pieces for pieces, _ in conditions if pieces is not None]
    used, dfa = fit(several, max_states=state_budget) if len(several) == len(rules) else (several, None)
    if dfa is not None:
        reports = (_report_text(*each) for each in zip(rules, several, used, strict=True))
        report = FilterReport(len(dfa.rows), len(dfa.rows[0]), 2 * dfa.transitions, tuple(reports))
        return Prefilter(encode(dfa), _compile(dfa), report)
    costliest = max(several, key=cost, default=None) if len(several) == len(rules) else None
    reports = (
        _report_all(rule, unbounded)
        if pieces is None
        else _report_too_large(rule, state_budget)
        if pieces is costliest
        else _report_text(rule, pieces, pieces)
        for rule, (pieces, unbounded) in zip(rules, conditions, strict=True)
    )
    return Prefilter(None, lambda _path, _args: True, FilterReport(0, 0, 0, tuple(reports)))


def compile_intent_test() -> Callable[[bytes, bytes], bool]:
    """Make a function of path and arguments that tells whether an intent may be read of them, names being true."""
    dfa = build_dfa(frozenset((INTENT,)))
    if dfa is None:
        raise AssertionError("the tables of agent/intent/ have grown past the filter's budget")
    return _compile(dfa)


def _compile(dfa: Dfa) -> Callable[[bytes, bytes], bool]:
    accepts = compile_dfa(dfa)
    return lambda path, args: accepts(b"%b\0%b" % (path, args))


def _weaken(rule: Rule, live_fields: Mapping[str, FieldValue]) -> tuple[Pieces | None, Predicate]:
    try:
        whole = to_nnf(any_of(*(outcome.predicate for outcome in rule.outcomes)))
        live = fold_constants(whole, live_fields)
        pieces = necessary_pieces(live)
        if pieces is None:
            return None, find_unbounded(live)
        return frozenset(shorten(piece, _LONGEST_PIECE) for piece in pieces), live
    except RecursionError:
        return None, Always(True)


def _report_text(rule: Rule, pieces: Pieces, used: Pieces) -> RuleReport:
    if pieces != used:
        longest = max(len(piece.steps) for piece in used)
        advice = f"its texts were cut to {longest} characters, so that all rules fit; fewer texts let less pass"
        return RuleReport(rule.id, rule.path, rule.line, Kind.SHORTENED, advice=advice)
    kind = Kind.NONE if not pieces else Kind.INTENT if INTENT in pieces else Kind.TEXT
    return RuleReport(rule.id, rule.path, rule.line, kind)


def _report_too_large(rule: Rule, budget: int) -> RuleReport:
    advice = f"with this rule's texts the filter does not fit into {budget} states, however short they are cut"
    return RuleReport(rule.id, rule.path, rule.line, Kind.ALL, advice=advice)


def _report_all(rule: Rule, unbounded: Predicate) -> RuleReport:
    part = format_predicate(unbounded)
    part = part if len(part) <= _LONGEST_PART else f"{part[:_LONGEST_PART]}..."
    return RuleReport(rule.id, rule.path, rule.line, Kind.ALL, part, _advise(unbounded))


def _advise(unbounded: Predicate) -> str:
    match unbounded:
        case Always():
            return "the condition holds of every exec: ask for something"
        case Not():
            return "what must not be there tells nothing: ask for a name, a path or an argument beside it"
        case Regex():
            return "ask beside it for a name, a path or an argument, or for letters that every match has"
    return "ask beside it for a name, a path, an argument or a piece of the command line that must be there"
