"""Queries as they are written: `?x: born_in France ∧ works_at ?y`, read into atoms of named relations and terms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fusible.errors import ConfigError
from fusible.tasks.knowledge._names import quoted

ASKED = re.compile(r"\s*(\?\w+(?:\s*,\s*\?\w+)*)\s*:")
TOKEN = re.compile(
    r"""\s*(?:(?P<variable>\?\w*)|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<mark>[(),&∧])"""
    r"""|(?P<word>[^\s(),&∧"'?][^\s(),&∧]*)|(?P<odd>\S))"""
)
JOINS = frozenset({"&", "∧", ",", "and"})
MOST = 20
"""Atoms of a query, at most."""


@dataclass(frozen=True, slots=True)
class Term:
    """A variable or the name of an entity, and the character of the query where it stands, from one."""

    name: str
    variable: bool = False
    at: int = 0

    def __str__(self) -> str:
        return f"?{self.name}" if self.variable else quoted(self.name)


@dataclass(frozen=True, slots=True)
class Atom:
    """A relation that must hold between two terms."""

    relation: str
    head: Term
    tail: Term
    at: int = 0

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of its variables, each once."""
        return tuple(dict.fromkeys(term.name for term in (self.head, self.tail) if term.variable))

    def __str__(self) -> str:
        return f"{quoted(self.relation)}({self.head}, {self.tail})"


@dataclass(frozen=True, slots=True)
class Query:
    """Variables that are asked for, and atoms that must all hold."""

    asked: tuple[str, ...]
    atoms: tuple[Atom, ...]

    def __str__(self) -> str:
        asked = f"{', '.join(f'?{name}' for name in self.asked)}: " if self.asked else ""
        return asked + " ∧ ".join(map(str, self.atoms))


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query: its kind, what it says, and the characters where it begins and ends."""

    kind: str
    text: str
    start: int
    end: int


def parse(text: str) -> Query:
    """Read a query; `ConfigError` in one line names the character where it cannot be read.

    >>> str(parse("?x: born_in France and works_at ?y"))
    '?x: born_in(?x, France) ∧ works_at(?x, ?y)'
    >>> parse("lives in(?a, Ulm) & knows(?a, ?b)").asked
    ('a', 'b')
    """
    prefix = ASKED.match(text)
    asked = tuple(dict.fromkeys(re.findall(r"\?(\w+)", prefix[1]))) if prefix else ()
    atoms = []
    for tokens, at in _parts(list(_tokens(text, prefix.end() if prefix else 0)), len(text)):
        atoms.append(_atom(text, tokens, at, asked))
        if len(atoms) > MOST:
            raise ConfigError(f"query, character {at}: more than {MOST} parts; ask for less at a time")
    there = dict.fromkeys(name for atom in atoms for name in atom.variables)
    for name in asked:
        if name not in there:
            raise ConfigError(f"query: ?{name} is asked for but stands in no part; expected it after the colon, too")
    return Query(asked or tuple(there), tuple(atoms))


def _tokens(text: str, start: int) -> Iterator[Token]:
    at = start
    while (found := TOKEN.match(text, at)) and found.lastgroup:
        kind, said_ = found.lastgroup, found[found.lastgroup]
        at = found.end()
        where = found.start(kind)
        if kind == "odd" or said_ == "?":
            hint = "a quote that does not end" if said_ in "\"'" else "a variable needs a name, as ?x"
            raise ConfigError(f"query, character {where + 1}: {said_!r}: {hint}")
        yield Token(kind, said_, where, at)


def _parts(tokens: list[Token], end: int) -> Iterator[tuple[list[Token], int]]:
    """Tokens of each atom, and where it begins."""
    held: list[Token] = []
    depth, at = 0, tokens[0].start + 1 if tokens else end + 1
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "mark" else 0
        if depth == 0 and token.kind in {"mark", "word"} and token.text.lower() in JOINS:
            yield held, at
            held, at = [], token.end + 1
        else:
            held.append(token)
    yield held, at


def _atom(text: str, tokens: list[Token], at: int, asked: Sequence[str]) -> Atom:
    """`relation(term, term)`, `term relation term`, or `relation term` of the first variable that is asked for."""
    if not tokens:
        raise ConfigError(f"query, character {at}: nothing here; expected relation(term, term) or term relation term")
    marks = [token.text for token in tokens if token.kind == "mark"]
    if marks:
        if marks != ["(", ",", ")"] or tokens[-1].text != ")":
            raise ConfigError(
                f"query, character {tokens[0].start + 1}: expected relation(term, term); names with brackets or commas "
                "stand in quotes"
            )
        opens, comma = (next(i for i, one in enumerate(tokens) if one.text == mark) for mark in "(,")
        pieces = [tokens[:opens], tokens[opens + 1 : comma], tokens[comma + 1 : -1]]
        relation, head, tail = (_term(text, piece, tokens[0].start + 1) for piece in pieces)
    else:
        terms = [_term(text, [token], token.start + 1) for token in tokens]
        if len(terms) == 2 and asked:
            terms = [Term(asked[0], True, terms[0].at), *terms]
            terms = [terms[0], terms[1], terms[2]]
        if len(terms) != 3:
            raise ConfigError(
                f"query, character {tokens[0].start + 1}: {len(terms)} words; expected term relation term, or relation "
                "term after ?x:, with names of several words in quotes"
            )
        head, relation, tail = terms
    if relation.variable:
        raise ConfigError(f"query, character {relation.at}: ?{relation.name}: a relation must be named")
    return Atom(relation.name, head, tail, relation.at)


def _term(text: str, tokens: list[Token], at: int) -> Term:
    """One variable, one quoted name, or words that make a name."""
    if not tokens:
        raise ConfigError(f"query, character {at}: a name is missing; expected relation(term, term)")
    first, start = tokens[0], tokens[0].start + 1
    if len(tokens) == 1 and first.kind == "variable":
        return Term(first.text[1:], True, start)
    if len(tokens) == 1 and first.kind == "quoted":
        return Term(re.sub(r"\\(.)", r"\1", first.text[1:-1]), False, start)
    if any(token.kind != "word" for token in tokens):
        raise ConfigError(f"query, character {start}: {text[start - 1 : tokens[-1].end]!r}: expected one name or ?x")
    return Term(text[first.start : tokens[-1].end], False, start)
