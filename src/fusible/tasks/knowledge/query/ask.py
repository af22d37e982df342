"""Queries over several hops: exactly, over what a graph says, and by chances, over what it lacks; with paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fusible.data.graph import Graph, read_graph
from fusible.errors import ConfigError
from fusible.tasks.knowledge._names import place, said
from fusible.tasks.knowledge.links.model import LinkModel
from fusible.tasks.knowledge.query._beam import SCORE, Beam
from fusible.tasks.knowledge.query._chances import Foreseen
from fusible.tasks.knowledge.query._join import Edge, joined
from fusible.tasks.knowledge.query._text import Query, Term, parse
from fusible.tasks.knowledge.rules.mined import Rules

BEAM = 200
"""Bindings that are followed at a time, where edges are predicted."""


@dataclass(frozen=True, slots=True)
class Hop:
    """An edge of a path: known, or predicted with a chance, and by what (a rule as it is read, or `model`)."""

    head: str
    relation: str
    tail: str
    known: bool
    chance: float
    by: str

    def __str__(self) -> str:
        fact = said(self.relation, self.head, self.tail)
        return fact if self.known else f"{fact} [{self.chance:.2f} by {self.by}]"


@dataclass(frozen=True, slots=True)
class Answer:
    """What variables stand for, how likely all edges hold together (one: all are known), and one way that they do."""

    values: tuple[str, ...]
    score: float
    path: tuple[Hop, ...]

    @property
    def known(self) -> bool:
        """Whether the graph says all of it."""
        return all(hop.known for hop in self.path)


@dataclass(slots=True)
class Answers:
    """Answers of a query, the likeliest first; of a query without variables, one if it holds."""

    query: Query
    answers: list[Answer]

    def __len__(self) -> int:
        return len(self.answers)

    def to_frame(self) -> pd.DataFrame:
        """A row per answer: a column per variable, `score`, `known`, and the `path` as it is read."""
        rows = [
            [*answer.values, answer.score, answer.known, " ∧ ".join(map(str, answer.path))] for answer in self.answers
        ]
        return pd.DataFrame(rows, columns=[*(f"?{name}" for name in self.query.asked), "score", "known", "path"])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        answers = [
            {
                "values": dict(zip(self.query.asked, answer.values, strict=True)),
                "score": answer.score,
                "known": answer.known,
                "path": [{name: getattr(hop, name) for name in Hop.__dataclass_fields__} for hop in answer.path],
            }
            for answer in self.answers
        ]
        return {"query": str(self.query), "answers": answers}


def query_graph(
    graph: Any, query: str, *, by: LinkModel | Rules | None = None, k: int | None = 10, beam: int = BEAM
) -> Answers:
    """Answer a conjunctive query, such as `?x: born_in France ∧ works_at ?y`.

    Every part is `relation(term, term)`, `term relation term`, or `relation term` of the first variable before the
    colon; parts are joined by `∧`, `&`, `and` or a comma. A term is a variable (`?x`) or an entity; names of several
    words stand in quotes, or between brackets as they are. Variables before the colon are asked for; without them, all.
    A variable may stand for the same entity as another one. Parts may make circles, or lead from a variable to itself.

    What the graph says is answered exactly. With `by`, edges that it lacks are predicted: an answer's score is the
    product of its edges' chances, known ones having the chance one, and of what is not asked for the best is taken
    (Arakelyan et al. 2021); `beam` bindings are followed at a time, so that an answer may be missed.

    Parameters
    ----------
    graph : path, table, Graph or LinkModel
        As `fusible.read_graph` reads it, all parts of a split; or a model, over the graph that it knows.
    by : LinkModel or Rules, optional
        What predicts edges.
    k : int, optional
        Most answers; None gives all.

    Raises
    ------
    ConfigError
        One line with the character: what cannot be read, or a name that the graph lacks, with near ones.
    TooLargeError
        Where more than two million bindings would have to be held.

    >>> rows = [("Ann", "born in", "Ulm"), ("Bob", "born in", "Bonn"), ("Ann", "knows", "Bob")]
    >>> found = query_graph(pd.DataFrame(rows, columns=["head", "relation", "tail"]), "?x: 'born in' Ulm & knows ?y")
    >>> print(*found.answers[0].values, *found.answers[0].path, sep="; ")
    Ann; born in(Ann, Ulm); knows(Ann, Bob)
    """
    if (k is not None and k < 1) or beam < 1:
        raise ConfigError(f"query: k = {k}, beam = {beam}; expected whole numbers of at least 1")
    asked = parse(query)
    space = _Space.of(graph, by)
    edges = [
        Edge(
            place("relation", space.relations, atom.relation, f" (query, character {atom.at})"),
            space.end(atom.head),
            space.end(atom.tail),
            str(atom),
        )
        for atom in asked.atoms
    ]
    found = joined(space.triples, edges, asked.asked).assign(**{SCORE: 1.0})
    if by is not None:
        foreseen = Foreseen(by, space.entities, space.relations)
        search = Beam(space.triples, len(space.relations), foreseen, beam)
        found = pd.concat([found, search.search(edges, asked.asked)], ignore_index=True)
        found = found.drop_duplicates(list(asked.asked)) if asked.asked else found.head(1)
        found = found.sort_values(SCORE, ascending=False, kind="stable")
    else:
        search = Beam(space.triples, len(space.relations), _nothing(len(space.entities)), beam)
    rows = (found if k is None else found.head(k)).to_dict("records")
    return Answers(asked, [_answer(space, asked, edges, row, search, by) for row in rows])


@dataclass(frozen=True, slots=True)
class _Space:
    """Names and triples that a query is about: those of the graph, and of what predicts."""

    entities: tuple[str, ...]
    relations: tuple[str, ...]
    triples: np.ndarray

    @classmethod
    def of(cls, graph: Any, by: LinkModel | Rules | None) -> _Space:
        held = graph if isinstance(graph, Graph | LinkModel) else read_graph(graph)
        if by is None:
            return cls(held.entities, held.relations, held.triples)
        entities = tuple(dict.fromkeys((*held.entities, *by.entities)))
        return cls(entities, tuple(dict.fromkeys((*held.relations, *by.relations))), held.triples)

    def end(self, term: Term) -> str | int:
        if term.variable:
            return term.name
        return place("entity", self.entities, term.name, f" (query, character {term.at})")


def _answer(
    space: _Space,
    query: Query,
    edges: Sequence[Edge],
    row: Mapping[Any, Any],
    search: Beam,
    by: LinkModel | Rules | None,
) -> Answer:
    path = []
    for edge in edges:
        head, tail = (int(row[end]) if isinstance(end, str) else end for end in (edge.head, edge.tail))
        known = bool((search.known.answers(np.array([[head, edge.relation]]))[1] == tail).any())
        names = space.entities[head], space.relations[edge.relation], space.entities[tail]
        chance = 1.0 if known else search.chance(edge, head, tail)
        path.append(Hop(*names, known, chance, "" if known else _why(by, names)))
    values = tuple(space.entities[int(row[name])] for name in query.asked)
    return Answer(values, float(np.prod([hop.chance for hop in path])), tuple(path))


def _why(by: LinkModel | Rules | None, names: tuple[str, str, str]) -> str:
    """The surest rule that foretells an edge, or that the model scores it so."""
    rules = by if isinstance(by, Rules) else getattr(by, "rules", None)
    if isinstance(rules, Rules) and (reasons := rules.explain(*names, most=1)):
        return reasons[0].rule
    return "model"


def _nothing(entities: int) -> Any:
    return lambda queries: np.zeros((len(queries), entities))
