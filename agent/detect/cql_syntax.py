"""
LogScale CQL text into pipeline steps; `cql.lark` is the grammar.

One syntax error ends the reading of a file; what is wrong inside a well-formed query is found all at
once.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from typing import cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from agent.detect.cql_flow import Assign, Case, Keep, Pipeline, Show, Step
from agent.detect.cql_terms import (
    FUNCTIONS,
    Argument,
    Form,
    Invocation,
    Relation,
    Term,
    call_function,
    fault_at,
    match_any_text,
    match_free_text,
    match_relation,
    match_text,
    parse_term,
    refuse_function,
)
from agent.detect.predicate import Always, Operator, Predicate, all_of, any_of, negate
from agent.errors import RuleError

DEEPEST_NESTING = 30
LONGEST_TEXT = 100_000

_Node = Tree[Token]

_SHOWING = {"table": ("fields", "limit", "sortby", "order", "reverse", "type"), "select": ("fields",)}
_SHOWN = frozenset(_SHOWING)
_IN_WORDS = {
    "WORD": "a field or text",
    "TEXT": "a field or text",
    "REGEX": "a field or text",
    "DOLLAR": "",
    "EQUALS": "a comparison",
    "RELATION": "a comparison",
    "LIKE": "a comparison",
    "IN": "a comparison",
    "NOT_IN": "a comparison",
    "_MATCHES": "a comparison",
    "_ASSIGN": "':='",
    "AND": "'and' or 'or'",
    "OR": "'and' or 'or'",
    "NOT": "'not'",
    "FUNCTION": "a function",
    "CASE": "'case {'",
    "WHERE": "'where'",
    "VBAR": "'|'",
    "SEMICOLON": "';'",
    "COMMA": "','",
    "LPAR": "'('",
    "RPAR": "')'",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "LSQB": "'['",
    "RSQB": "']'",
    "$END": "the end of the query",
}


def parse_query(text: str) -> tuple[Pipeline, dict[str, Term], tuple[RuleError, ...]]:
    """
    Read a query.

    Returns:
        Its steps, the first place of each name or text that stands in it, and every fault found. A
        faulty test stands as false.

    Raises:
        RuleError: the text is no query, or too long, or nested too deeply.
    """
    if len(text) > LONGEST_TEXT:
        raise RuleError(f"the query is longer than {LONGEST_TEXT} characters", line=1, column=1)
    try:
        tree = _grammar().parse(text)
    except UnexpectedInput as error:
        raise _explain(error, text) from None
    places: dict[str, Term] = {}
    tokens = (child for subtree in tree.iter_subtrees() for child in subtree.children if isinstance(child, Token))
    for token in sorted(tokens, key=lambda token: token.start_pos or 0):
        places.setdefault(_term(token).text, _term(token))
    faults: list[RuleError] = []
    return _pipeline(cast("_Node", tree.children[-1]), faults, 0), places, tuple(faults)


@cache
def _grammar() -> Lark:
    grammar = (files("agent.detect") / "cql.lark").read_text(encoding="utf-8")
    return Lark(grammar, start="query", parser="lalr", maybe_placeholders=False)


def _explain(error: UnexpectedInput, text: str) -> RuleError:
    if not isinstance(error, UnexpectedToken):
        return RuleError("this is no LogScale query", line=error.line, column=error.column)
    token = error.token
    open_calls = [
        item for item in error.interactive_parser.parser_state.value_stack if getattr(item, "type", "") == "FUNCTION"
    ]
    if open_calls and open_calls[0].lower() not in _SHOWN | FUNCTIONS.keys():
        return refuse_function(_term(open_calls[0]))
    place = _term(token)
    expected = ", ".join(dict.fromkeys(filter(None, (_IN_WORDS.get(name, name) for name in sorted(error.accepts)))))
    if token.type == "$END":
        lines = text.split("\n")
        return RuleError(
            f"the query ends too early, expected {expected}",
            line=len(lines),
            column=len(lines[-1]) + 1,
            text=lines[-1].strip()[-120:],
        )
    if str(token) in _UNFINISHED:
        return fault_at(place, _UNFINISHED[str(token)])
    before = re.search(r"(\w+)\s*(\([^()]*\)\s*)?$", text[: token.start_pos])
    if token.type == "LBRACE" and before:
        return fault_at(place, f"'{before[1]} {{...}}' is not supported, expected 'case {{...}}'")
    return fault_at(place, f"unexpected {str(token)[:60]!r}, expected {expected}")


_UNFINISHED = {
    '"': "a quoted text without its closing quote",
    "/": "a regular expression without its closing '/'",
    "`": "unexpected '`'; a name with special characters is put in double quotes",
}


def _term(token: Token) -> Term:
    return parse_term(str(token), token.line or 1, token.column or 1)


def _pipeline(node: _Node, faults: list[RuleError], depth: int) -> Pipeline:
    return tuple(step for child in node.children for step in _step(cast("_Node", child), faults, depth + 1))


def _step(node: _Node, faults: list[RuleError], depth: int) -> Iterator[Step]:
    match node.data:
        case "case":
            token, *clauses = node.children
            place = _term(cast("Token", token))
            if depth > DEEPEST_NESTING:
                raise fault_at(place, f"nested deeper than {DEEPEST_NESTING} levels")
            yield Case(place, tuple(_pipeline(cast("_Node", clause), faults, depth) for clause in clauses))
        case "assignment":
            yield from _collect(lambda: _assign(node), faults)
        case "where":
            yield Keep(_filter(cast("_Node", node.children[-1]), faults, depth))
        case _:
            yield _show(node, faults) or Keep(_filter(node, faults, depth))


# A fault in one step or test is kept, and the reading goes on after it.
def _collect(read: Callable[[], Step], faults: list[RuleError]) -> Iterator[Step]:
    try:
        yield read()
    except RuleError as fault:
        faults.append(fault)


def _assign(node: _Node) -> Assign:
    name, value = node.children
    field = _name(cast("_Node", name))
    term = _operand(value)
    if not isinstance(term, Term):
        raise fault_at(field, "expected one text or number to assign")
    if term.form is Form.REGEX or (
        term.form is Form.WORD and not re.fullmatch(r"[+-]?\d+(\.\d+)?|true|false", term.text)
    ):
        raise fault_at(term, "only a constant can be assigned, expected a quoted text or a number")
    return Assign(field.text, term)


# `table` and `select` are steps of their own: the whole filter is that one call.
def _show(node: _Node, faults: list[RuleError]) -> Step | None:
    inner: object = node
    while isinstance(inner, Tree) and inner.data in ("filter", "disjunction") and len(inner.children) == 1:
        inner = inner.children[0]
    if not isinstance(inner, Tree) or inner.data != "call" or str(inner.children[0]).lower() not in _SHOWN:
        return None
    try:
        invocation = _invocation(inner)
        allowed = _SHOWING[invocation.function.text.lower()]
        if wrong := [name for name in invocation.named if name not in allowed]:
            raise fault_at(invocation.function, f"no argument '{wrong[0]}', expected {', '.join(allowed)}")
        fields = invocation.named.get("fields", invocation.arguments)
        terms = fields[0] if isinstance(fields, tuple) and len(fields) == 1 and isinstance(fields[0], tuple) else fields
        names = [term.text for term in (terms if isinstance(terms, tuple) else (terms,)) if isinstance(term, Term)]
        if not names:
            raise fault_at(invocation.function, "expected a list of fields, such as [ImageFileName, CommandLine]")
    except RuleError as fault:
        faults.append(fault)
        return Show(())
    return Show(tuple(names))


def _filter(node: _Node, faults: list[RuleError], depth: int) -> Predicate:
    if depth > DEEPEST_NESTING:
        raise fault_at(_first_term(node), f"nested deeper than {DEEPEST_NESTING} levels")
    parts = [child for child in node.children if isinstance(child, Tree)]
    match node.data:
        case "filter":
            return all_of(*(_filter(part, faults, depth + 1) for part in parts))
        case "disjunction":
            return any_of(*(_filter(part, faults, depth) for part in parts))
        case "negation":
            return negate(_filter(parts[0], faults, depth + 1))
    try:
        return _test(node)
    except RuleError as fault:
        faults.append(fault)
        return Always(False)


# A loop, because a node may be nested deeper than Python can follow; a filter never starts with nothing.
def _first_term(node: _Node) -> Term:
    child: _Node | Token = node
    while isinstance(child, Tree):
        child = child.children[0]
    return _term(child)


def _test(node: _Node) -> Predicate:
    first, *others = node.children
    match node.data:
        case "comparison":
            operator = str(others[0])
            left, right = _name(cast("_Node", first)), _term(cast("Token", others[1]))
            return match_relation(Relation(left, Operator("==" if operator == "=" else operator), right))
        case "like":
            right = _term(cast("Token", others[1]))
            if right.form is Form.REGEX:
                raise fault_at(right, "'like' takes a text, expected '=' before a regular expression")
            return match_text(_name(cast("_Node", first)).text, f"*{right.text}*")
        case "membership":
            return _membership(node)
        case "shorthand":
            return call_function(_invocation(cast("_Node", others[0]), _name(cast("_Node", first))))
        case "call":
            return call_function(_invocation(node))
    return match_free_text(_term(cast("Token", first)))


# `Field in ("a", "b*")`, which is not LogScale's own but often written; with named arguments it was
# free text before a call of in().
def _membership(node: _Node) -> Predicate:
    name, word = _name(cast("_Node", node.children[0])), cast("Token", node.children[1])
    positional, named = _arguments(node)
    positional = positional[0] if len(positional) == 1 and isinstance(positional[0], tuple) else positional
    negated = word.type == "NOT_IN"
    if named:
        function = Term(text="in", line=word.line or 1, column=word.column or 1)
        called = call_function(Invocation(function=function, arguments=positional, named=named))
        return all_of(match_free_text(name), negate(called) if negated else called)
    terms = tuple(argument for argument in positional if isinstance(argument, Term))
    if not terms or len(terms) < len(positional):
        raise fault_at(name, '\'in\' takes a list of texts, such as in ("a", "b*")')
    test = match_any_text(name.text, terms)
    return negate(test) if negated else test


def _name(node: _Node) -> Term:
    return _term(cast("Token", node.children[0]))


def _invocation(node: _Node, field: Term | None = None) -> Invocation:
    function = _term(cast("Token", node.children[0]))
    if function.text.lower() not in _SHOWN | FUNCTIONS.keys():
        raise refuse_function(function)
    positional, named = _arguments(node)
    if field is not None:
        named = {"field": field, **named}
    return Invocation(function=function, arguments=positional, named=named)


def _arguments(node: _Node) -> tuple[tuple[Argument, ...], dict[str, Argument]]:
    positional: list[Argument] = []
    named: dict[str, Argument] = {}
    last = node.children[-1]
    for argument in cast("list[_Node]", last.children) if isinstance(last, Tree) and last.data == "arguments" else ():
        if argument.data == "relation":
            left, sign, right = argument.children
            operator = _term(cast("Token", sign))
            if not (isinstance(left, Token) and isinstance(right, Token)):
                raise fault_at(operator, "expected a comparison of two fields or constants")
            positional.append(Relation(_term(left), Operator(operator.text), _term(right)))
        elif len(argument.children) > 1:
            named[str(argument.children[0]).lower()] = _operand(argument.children[-1])
        else:
            positional.append(_operand(argument.children[0]))
    return tuple(positional), named


def _operand(node: _Node | Token) -> Term | tuple[Term, ...]:
    if isinstance(node, Token):
        return _term(node)
    if node.data == "array":
        return tuple(_item(child) for child in node.children)
    return _item(node)


def _item(node: _Node | Token) -> Term:
    if isinstance(node, Token):
        return _term(node)
    function = _term(cast("Token", node.children[0]))
    if function.text.lower() not in _SHOWN | FUNCTIONS.keys():
        raise refuse_function(function)
    raise fault_at(function, f"'{function.text}' is a filter, expected a field or constant")
