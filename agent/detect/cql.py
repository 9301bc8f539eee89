"""
LogScale CQL queries (``*.cql``) as rules: filters, ``case``, assignments, ``in()``, ``table([...])``.

::

    // id: deploy-container
    // techniques: T1610
    #event_simpleName=ProcessRollup2
    | ImageFileName=/docker|kubectl/i
    | case {
        CommandLine=/--privileged/i | RiskLevel := "Critical";
        *                           | RiskLevel := "Low"
      }
    | in(RiskLevel, values=["Critical", "High"])
    | table([@timestamp, UserName, CommandLine, RiskLevel])

- The comments at the top may say what `agent/detect/header.py` reads; the file's name is the id where
  they do not.
- The constant assigned to ``RiskLevel`` (or else ``Severity``, in any case) is the severity of what
  comes out with it; where there is none it is the header's, and without that medium.
- Free text is looked for in the texts of `cql_flow.FREE_TEXT_FIELDS`.
- ``| where X in ("a", "b")`` and ``| where FILTER`` are not LogScale's own, but often written: read
  as the filter that they mean.
- ``or`` binds tighter than ``and``, also where that is only implied. Source: library.humio.com,
  lql-grammar: syntax-grammar-guide-subset.
"""

import re
from collections.abc import Mapping

from agent.detect.cql_flow import Assign, Keep, Path, Pipeline, Show, canonical_name, follow_pipeline, steps_of
from agent.detect.cql_syntax import parse_query
from agent.detect.cql_terms import FREE_TEXT, Term, fault_at
from agent.detect.fields import resolve_field
from agent.detect.header import Header, parse_header
from agent.detect.predicate import fields_of
from agent.detect.rule import Outcome, ReadResult, Rule, Severity, parse_severity
from agent.errors import RuleError

_SEVERITY_FIELDS = ("risklevel", "severity")
_CAPTURE = re.compile(r"\(\?P?<([A-Za-z]\w*)>")


def read_cql(text: str, path: str, *, shipped: bool = False) -> ReadResult:
    """
    Read one query.

    Args:
        text: the whole file.
        path: its name, for the rule's id and for errors.
        shipped: an unknown field is an error, not a warning.

    Returns:
        One rule, or every fault of the text. Its outcomes exclude each other.
    """
    header, faults = parse_header(text, path)
    try:
        pipeline, places, found = parse_query(text)
        unknown = _unknown_fields(pipeline, places)
        found += (*_captured_fields(pipeline, places), *(unknown if shipped else ()))
        paths = () if found else follow_pipeline(pipeline, Term(text="", line=1, column=1))
        outcomes, unfit = _outcomes(paths, header) if not found else ((), ())
    except RuleError as fault:
        found, outcomes, unfit, unknown, pipeline = (fault,), (), (), (), ()
    errors = (*faults, *(_placed(fault, path) for fault in (*found, *unfit)))
    warnings = () if shipped else tuple(str(_placed(fault, path)) for fault in unknown)
    if errors:
        return ReadResult(errors=errors, warnings=warnings)
    return ReadResult(rules=(_rule(path, header, outcomes, pipeline),), warnings=warnings)


def _placed(fault: RuleError, path: str) -> RuleError:
    return RuleError(fault.message, path=path, line=fault.line, column=fault.column, text=fault.text)


def _rule(path: str, header: Header, outcomes: tuple[Outcome, ...], pipeline: Pipeline) -> Rule:
    stem = path.rpartition("/")[2].removesuffix(".cql")
    shown = [step.fields for step in steps_of(pipeline) if isinstance(step, Show)]
    return Rule(
        id=header.id or stem,
        name=header.name or stem,
        language="cql",
        path=path,
        description=header.description or "",
        outcomes=outcomes,
        techniques=header.techniques,
        tactics=header.tactics,
        references=header.references,
        summary_fields=shown[-1] if shown else (),
    )


def _outcomes(paths: tuple[Path, ...], header: Header) -> tuple[tuple[Outcome, ...], tuple[RuleError, ...]]:
    outcomes: list[Outcome] = []
    faults: dict[str, RuleError] = {}
    for path in paths:
        level = _level_of(path.constants)
        try:
            severity = parse_severity(level.text) if level else header.severity or Severity.MEDIUM
        except ValueError as error:
            if level:
                faults.setdefault(level.text, fault_at(level, str(error)))
        else:
            outcomes.append(Outcome(severity, path.predicate))
    if not paths:
        faults[""] = RuleError("no event can pass this query: its filters exclude every clause", line=1, column=1)
    return tuple(outcomes), tuple(faults.values())


def _level_of(constants: Mapping[str, Term]) -> Term | None:
    folded = {name.lower(): term for name, term in constants.items()}
    return next((folded[name] for name in _SEVERITY_FIELDS if name in folded), None)


def _read_fields(pipeline: Pipeline) -> dict[str, None]:
    assigned = {step.field for step in steps_of(pipeline) if isinstance(step, Assign)}
    read = (name for step in steps_of(pipeline) if isinstance(step, Keep) for name in fields_of(step.predicate))
    return {name: None for name in read if name not in assigned and name != FREE_TEXT}


def _unknown_fields(pipeline: Pipeline, places: Mapping[str, Term]) -> tuple[RuleError, ...]:
    return tuple(
        fault_at(_place_of(name, places), f"unknown field '{name}', expected an ECS or Falcon name that the agent has")
        for name in _read_fields(pipeline)
        if not resolve_field(canonical_name(name)).known
    )


# LogScale's named groups make fields of what they find; ours only look.
def _captured_fields(pipeline: Pipeline, places: Mapping[str, Term]) -> tuple[RuleError, ...]:
    captured = {name for term in places for name in _CAPTURE.findall(term)}
    return tuple(
        fault_at(_place_of(name, places), f"field '{name}' is taken from a regular expression, which is not supported")
        for name in _read_fields(pipeline)
        if name in captured
    )


def _place_of(name: str, places: Mapping[str, Term]) -> Term:
    return places.get(name) or Term(text=name)
