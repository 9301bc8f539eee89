"""
A LogScale pipeline followed through without an event: what must come in for something to come out, and how marked.

Every way through the pipeline is a `Path` with its own condition. The ways exclude each other: a
clause of ``case`` is taken only where no earlier clause lets the event through, so an earlier clause
still shadows a later one when a filter after the ``case`` drops what it assigned.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from agent.detect.cql_terms import FREE_TEXT, Term, fault_at
from agent.detect.fields import FALCON_NAMES, FIELDS, Kind, resolve_field
from agent.detect.matcher import compile_predicate
from agent.detect.predicate import (
    Always,
    And,
    Call,
    Cidr,
    Compare,
    Equals,
    Exists,
    Expression,
    FieldOf,
    Holds,
    Like,
    Literal,
    Not,
    Or,
    Predicate,
    Regex,
    all_of,
    any_of,
    fields_of,
    negate,
)
from agent.event import Exec, Process

# Free text is looked for in every text of a ProcessRollup2 event that the agent has as well.
FREE_TEXT_FIELDS = tuple(
    name
    for name in dict.fromkeys(FALCON_NAMES.values())
    if name in FIELDS and FIELDS[name].kind is Kind.TEXT and name != "@timestamp"
)

MOST_PATHS = 100
MOST_TESTS = 20_000  # of all paths together: far beyond any rule, and still read within a second

_CONSTANT = "constant"


class Keep(msgspec.Struct, frozen=True):
    """A step that lets through what a predicate over written field names takes."""

    predicate: Predicate


class Assign(msgspec.Struct, frozen=True):
    """A step that sets a field to a constant."""

    field: str
    value: Term


class Case(msgspec.Struct, frozen=True):
    """A step whose first clause that lets the event through decides."""

    place: Term
    clauses: tuple["Pipeline", ...]


class Show(msgspec.Struct, frozen=True):
    """A step that chooses what is shown, and drops nothing."""

    fields: tuple[str, ...]


Step = Keep | Assign | Case | Show
Pipeline = tuple[Step, ...]


class Path(msgspec.Struct, frozen=True):
    """One way through a pipeline: the condition to take it, and the constants set on it."""

    predicate: Predicate
    constants: Mapping[str, Term]


def follow_pipeline(pipeline: Pipeline, place: Term) -> tuple[Path, ...]:
    """
    Find every way through.

    Args:
        pipeline: its cases are nested at most as deep as the reader allows.
        place: where to report a pipeline that is too large as a whole.

    Returns:
        Paths that exclude each other, over canonical field names; none that no event can take.

    Raises:
        RuleError: there are more than `MOST_PATHS` ways or `MOST_TESTS` tests.
    """
    budget = iter(range(MOST_TESTS))
    paths = _follow(pipeline, Path(Always(True), {}), budget, place)
    if _is_larger((path.predicate for path in paths), MOST_TESTS):
        raise fault_at(place, f"the query is too large: its ways through have more than {MOST_TESTS} tests")
    return tuple(paths)


def steps_of(pipeline: Pipeline) -> Iterator[Step]:
    """Each step in order, those inside of clauses too."""
    for step in pipeline:
        yield step
        if isinstance(step, Case):
            for clause in step.clauses:
                yield from steps_of(clause)


def _follow(pipeline: Pipeline, start: Path, budget: Iterator[int], place: Term) -> list[Path]:
    paths = [start]
    for step in pipeline:
        match step:
            case Keep(predicate):
                paths = [
                    Path(_conjoin(path.predicate, _resolve(predicate, path.constants, budget, place)), path.constants)
                    for path in paths
                ]
            case Assign(field, value):
                paths = [Path(path.predicate, {**path.constants, field: value}) for path in paths]
            case Case(case_place, clauses):
                paths = [way for path in paths for way in _follow_case(clauses, path, budget, case_place)]
        paths = [path for path in paths if path.predicate != Always(False)]
        if len(paths) > MOST_PATHS:
            raise fault_at(place, f"the query is too large: more than {MOST_PATHS} ways through its cases")
    return paths


def _follow_case(clauses: Iterable[Pipeline], start: Path, budget: Iterator[int], place: Term) -> Iterator[Path]:
    not_earlier: list[Predicate] = []
    for clause in clauses:
        ways = _follow(clause, Path(Always(True), start.constants), budget, place)
        for way in ways:
            yield Path(_conjoin(start.predicate, *not_earlier, way.predicate), way.constants)
        if ways:
            not_earlier.append(negate(_disjoin(*(way.predicate for way in ways))))


def _resolve(predicate: Predicate, constants: Mapping[str, Term], budget: Iterator[int], place: Term) -> Predicate:
    if next(budget, None) is None:
        raise fault_at(place, f"the query is too large: its ways through have more than {MOST_TESTS} tests")
    match predicate:
        case Always():
            return predicate
        case And(children):
            return _conjoin(*(_resolve(child, constants, budget, place) for child in children))
        case Or(children):
            return _disjoin(*(_resolve(child, constants, budget, place) for child in children))
        case Not(child):
            return negate(_resolve(child, constants, budget, place))
        case Compare(left, operator, right):
            resolved = Compare(_side(left, right, constants), operator, _side(right, left, constants))
            return resolved if any(fields_of(resolved)) else Always(compile_predicate(resolved)(_event_with("")))
        case Holds():
            return predicate
    return _resolve_test(predicate, constants)


def _resolve_test(test: Exists | Equals | Like | Regex | Cidr, constants: Mapping[str, Term]) -> Predicate:
    if test.field in constants:
        of_constant = msgspec.structs.replace(test, field=_CONSTANT)
        return Always(compile_predicate(of_constant)(_event_with(constants[test.field].text)))
    if test.field == FREE_TEXT:
        return any_of(*(msgspec.structs.replace(test, field=name) for name in FREE_TEXT_FIELDS))
    return msgspec.structs.replace(test, field=canonical_name(test.field))


def canonical_name(written: str) -> str:
    """Find the field behind a written name; ``#`` only marks it as a tag."""
    return resolve_field(written.removeprefix("#")).name


def _event_with(constant: str) -> Exec:
    return Exec(id="", time_ns=0, sensor="", process=Process(), fields={_CONSTANT: constant})


# A comparison with a number makes a number of a text, such as of a user id.
def _side(side: Expression, other: Expression, constants: Mapping[str, Term]) -> Expression:
    if not isinstance(side, FieldOf):
        return side
    to_number = isinstance(other, Literal) and not isinstance(other.value, str)
    expression: Expression
    if side.field in constants:
        expression, is_number = Literal(constants[side.field].text), False
    else:
        expression = FieldOf(canonical_name(side.field))
        is_number = resolve_field(expression.field).kind is Kind.NUMBER
    return Call("number", (expression,)) if to_number and not is_number else expression


def _conjoin(*parts: Predicate) -> Predicate:
    if Always(False) in parts:
        return Always(False)
    return all_of(*(part for part in parts if part != Always(True)))


def _disjoin(*parts: Predicate) -> Predicate:
    if Always(True) in parts:
        return Always(True)
    return any_of(*(part for part in parts if part != Always(False)))


# Clauses share their parts, so the tree can be far larger than the text: count no further than `most`.
def _is_larger(predicates: Iterable[Predicate], most: int) -> bool:
    waiting = list(predicates)
    count = 0
    while waiting:
        count += 1
        if count > most:
            return True
        match waiting.pop():
            case And(children) | Or(children):
                waiting.extend(children)
            case Not(child):
                waiting.append(child)
    return False
