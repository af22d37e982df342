"""Answers of conjunctive queries where edges lack: chances of edges multiplied, the best bindings kept (CQD-beam).

Arakelyan et al., "Complex Query Answering with Neural Link Predictors", ICLR 2021: a conjunction is the product of its
edges' chances, what is not asked for takes its best value. A known edge has the chance one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from fusible.evaluation.links import Known
from fusible.tasks.knowledge.query._join import Edge, distinct, ordered

SCORE = " score"
"""Column of a binding's chance; no variable can be called so."""
PLACE, OWN = " place", " own"
"""Columns of what is joined to bindings."""
LEAST = 0.01
"""Chance below which an edge is not followed."""
BLOCK = 200
"""Queries that are scored at a time."""

Chances = Callable[[np.ndarray], np.ndarray]
"""Chances (rows, entities) of queries (rows, 2): entity, and relation, or relation + relations."""


class Beam:
    """Search of a graph of triples (rows, 3), and of what is predicted beside them, with so many bindings at a time."""

    def __init__(self, triples: np.ndarray, relations: int, chances: Chances, width: int) -> None:
        self.triples, self.relations, self.width = triples, relations, width
        self.known = Known(triples, relations)
        self._chances = chances
        self._back: set[Edge] = set()

    def chances(self, queries: np.ndarray) -> np.ndarray:
        """Chances (rows, entities), one where the graph says so."""
        found = self._chances(queries).astype(np.float64)
        rows, answers = self.known.answers(queries)
        found[rows, answers] = 1.0
        return found

    def chance(self, edge: Edge, head: int, tail: int) -> float:
        """Chance of an edge between two entities, asked from the end that the search asked it from.

        What foresees need not say the same from either end.
        """
        start, kind, end = (
            (tail, edge.relation + self.relations, head) if edge in self._back else (head, edge.relation, tail)
        )
        return float(self.chances(np.array([[start, kind]]))[0, end])

    def search(self, edges: Sequence[Edge], asked: Sequence[str]) -> pd.DataFrame:
        """Bindings of all variables, best first, one per answer, with their chance in the column `SCORE`."""
        found = pd.DataFrame({SCORE: [1.0]})
        order = ordered(self.triples, edges)
        for number, edge in enumerate(order):
            found = self._through(found, edge)
            later = {name for other in order[number + 1 :] for name in other.variables}
            needed = [name for name in found.columns if name in later or name in asked]
            found = found.sort_values(SCORE, ascending=False, kind="stable")
            found = distinct(found, needed).head(self.width).reset_index(drop=True)
        return found

    def _through(self, held: pd.DataFrame, edge: Edge) -> pd.DataFrame:
        """Bindings that an edge leaves or makes."""
        if free := [name for name in edge.variables if name not in held.columns]:
            if len(free) == len(edge.variables):  # no end is bound, unless by its name
                held, free = self._begun(held, edge, free)
            if free:
                return self._grown(held, edge, free[0])
        if not len(held):
            return held
        starts, ends = (held[end].to_numpy() if isinstance(end, str) else end for end in (edge.head, edge.tail))
        queries = np.stack(np.broadcast_arrays(starts, np.full(len(held), edge.relation)), axis=1)
        own, places = np.unique(queries, axis=0, return_inverse=True)
        score = np.zeros(len(held))
        for start in range(0, len(own), BLOCK):
            rows = np.flatnonzero((places.ravel() >= start) & (places.ravel() < start + BLOCK))
            cells = np.broadcast_to(ends, len(held))[rows]
            score[rows] = self.chances(own[start : start + BLOCK])[places.ravel()[rows] - start, cells]
        held = held.assign(**{SCORE: held[SCORE] * score})
        return held[score >= LEAST]

    def _begun(self, held: pd.DataFrame, edge: Edge, free: list[str]) -> tuple[pd.DataFrame, list[str]]:
        """Where both ends are free, one is bound to what has the relation in the graph; who has it most comes first."""
        if isinstance(edge.head, str) and isinstance(edge.tail, str):
            column = 0 if edge.head == edge.tail or len(free) == 1 else self._narrower(edge)
            known = self.triples[self.triples[:, 1] == edge.relation][:, [0, 2]]
            ends = known.ravel() if edge.head == edge.tail else known[:, column]
            values, counts = np.unique(ends, return_counts=True)
            values = values[np.argsort(-counts, kind="stable")][: self.width]
            name = (edge.head, edge.tail)[column]
            return held.merge(pd.DataFrame({name: values}), how="cross"), [one for one in free if one != name]
        return held, free

    def _narrower(self, edge: Edge) -> int:
        """The end of a relation at which fewer entities are."""
        known = self.triples[self.triples[:, 1] == edge.relation]
        return int(len(np.unique(known[:, 2])) < len(np.unique(known[:, 0])))

    def _grown(self, held: pd.DataFrame, edge: Edge, name: str) -> pd.DataFrame:
        """Bindings with the likeliest entities at the free end of an edge."""
        other, kind = (edge.head, edge.relation) if edge.tail == name else (edge.tail, edge.relation + self.relations)
        if kind >= self.relations:
            self._back.add(edge)
        starts = held[other].to_numpy() if isinstance(other, str) else np.full(len(held), other)
        own, places = np.unique(starts, return_inverse=True)
        parts = []
        for start in range(0, len(own), BLOCK):
            some = own[start : start + BLOCK]
            chances = self.chances(np.stack([some, np.full(len(some), kind)], axis=1))
            most = min(self.width, chances.shape[1])
            top = np.argpartition(-chances, most - 1, axis=1)[:, :most]
            values = np.take_along_axis(chances, top, axis=1)
            rows, cells = np.nonzero(values >= LEAST)
            parts.append(pd.DataFrame({PLACE: rows + start, name: top[rows, cells], OWN: values[rows, cells]}))
        found = held.assign(**{PLACE: places}).merge(pd.concat(parts), on=PLACE) if parts else held.assign(**{name: []})
        if parts:
            found[SCORE] *= found.pop(OWN)
            found = found.drop(columns=PLACE)
        return found
