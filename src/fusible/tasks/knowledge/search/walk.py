"""Walks over the graph: personalised PageRank that follows what the question speaks of, and paths that support."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

RESTART = 0.3
"""Chance that the walk begins anew (Page et al. 1999; personalised, Haveliwala 2002)."""
STEPS = 12
FLOOR = 0.05
"""Weight of an edge whose relation the question does not speak of, beside 1 of the one it speaks of most."""
STEP = 0.5
"""Cost of an edge of a path by itself, so that short paths are preferred."""
FARTHEST = 4
"""Edges of a path at most."""


class Walks:
    """Edges in both directions, whose weights differ from question to question.

    `triples` int64 (rows, 3), `confidence` (rows,) of each.
    """

    def __init__(self, triples: np.ndarray, confidence: np.ndarray, entities: int, relations: int) -> None:
        self.relations = relations
        rows = np.concatenate([triples[:, 0], triples[:, 2]])
        columns = np.concatenate([triples[:, 2], triples[:, 0]])
        order = np.lexsort((columns, rows))
        self._columns = columns[order]
        self._starts = np.searchsorted(rows[order], np.arange(entities + 1))
        self._slots = np.concatenate([triples[:, 1], triples[:, 1] + relations])[order]
        self._sure = np.concatenate([confidence, confidence])[order]
        self._triples = np.tile(np.arange(len(triples)), 2)[order]
        self._from = np.repeat(np.arange(entities), np.diff(self._starts))
        self._by_slot = np.argsort(self._slots, kind="stable")
        self._slot_starts = np.searchsorted(self._slots[self._by_slot], np.arange(2 * relations + 1))
        self._plain: sparse.csr_matrix | None = None

    def _matrix(self, data: np.ndarray) -> sparse.csr_matrix:
        size = len(self._starts) - 1
        return sparse.csr_matrix((data, self._columns, self._starts), shape=(size, size))

    def weights(self, chances: np.ndarray) -> np.ndarray:
        """Weight of each edge, given the chance (relations,) that the question speaks of each relation."""
        asked = FLOOR + (1 - FLOOR) * chances / max(float(chances.max(initial=0.0)), 1e-12)
        found: np.ndarray = np.tile(asked, 2)[self._slots] * self._sure
        return found

    def ranked(self, starts: Mapping[int, float], weights: np.ndarray) -> np.ndarray:
        """PageRank (entities,) of walks that begin at `starts` {entity: weight}."""
        return self._walked(starts, self._moves(weights))

    def _moves(self, weights: np.ndarray) -> sparse.csr_matrix:
        """Chances of the next step, from columns to rows."""
        totals = np.bincount(self._from, weights, minlength=len(self._starts) - 1)
        return self._matrix(weights / np.maximum(totals, 1e-12)[self._from]).T.tocsr()

    def _walked(self, starts: Mapping[int, float], moves: sparse.csr_matrix) -> np.ndarray:
        begin = np.zeros(len(self._starts) - 1)
        for entity, weight in starts.items():
            begin[entity] += weight
        begin /= begin.sum()
        found = begin.copy()
        for _ in range(STEPS):
            found = (1 - RESTART) * (moves @ found)
            found += (1.0 - found.sum()) * begin
        return np.asarray(found)

    def reached(self, entity: int, slot: int) -> np.ndarray:
        """Entities that a slot of an entity leads to, each with the confidence of what says so: (places, values)."""
        span = slice(self._starts[entity], self._starts[entity + 1])
        here = self._slots[span] == slot
        return np.stack([self._columns[span][here], self._sure[span][here]])

    def near(self, entity: int) -> np.ndarray:
        """PageRank (entities,) of walks from an entity that follow all relations alike; its own is zero."""
        if self._plain is None:
            self._plain = self._moves(self._sure)
        found = self._walked({entity: 1.0}, self._plain)
        found[entity] = 0.0
        return found

    def led(self, near: np.ndarray, slot: int) -> np.ndarray:
        """Where a slot leads to from entities (entities,) that weigh `near`: each shares its weight out."""
        size = len(self._starts) - 1
        edges = self._by_slot[self._slot_starts[slot] : self._slot_starts[slot + 1]]
        begins = self._from[edges]
        shares = near / np.maximum(np.bincount(begins, minlength=size), 1)
        return np.bincount(self._columns[edges], shares[begins], minlength=size)

    def beyond(self, entities: Mapping[int, float], chances: np.ndarray, most: int = 3) -> np.ndarray:
        """Score (entities,) of what stands two edges away: any edge, and then one of which the question speaks."""
        size = len(self._starts) - 1
        found = np.zeros(size)
        near = np.zeros(size)
        for entity, weight in entities.items():
            span = slice(self._starts[entity], self._starts[entity + 1])
            np.maximum.at(near, self._columns[span], weight * self._sure[span])
        near[list(entities)] = 0.0
        for kind in np.argsort(-chances)[:most]:
            edges = np.flatnonzero((self._slots % self.relations == kind) & (near[self._from] > 0))
            np.maximum.at(found, self._columns[edges], chances[kind] * near[self._from[edges]] * self._sure[edges])
        return found

    def paths(self, starts: Sequence[int], ends: Sequence[int], weights: np.ndarray) -> list[list[list[int]]]:
        """From each of `starts` the best path to each of `ends`, as rows of triples.

        Empty where there is none of up to `FARTHEST` edges. An edge costs `STEP` and the negative logarithm of its
        weight.
        """
        if not len(starts):
            return []
        costs = STEP - np.log(np.clip(weights, 1e-6, 1.0))
        matrix, edges = self._cheapest(costs)
        reach = float(costs.max()) * FARTHEST
        _, before = dijkstra(matrix, indices=list(starts), return_predecessors=True, limit=reach)
        return [self._followed(start, ends, row, edges) for start, row in zip(starts, before, strict=True)]

    @staticmethod
    def _followed(start: int, ends: Sequence[int], before: np.ndarray, edges: _Edges) -> list[list[int]]:
        """Paths back from each of `ends`, by what stands before each entity."""
        found = []
        for end in ends:
            path: list[int] = []
            at = int(end)
            while at != start and before[at] >= 0 and len(path) <= FARTHEST:
                path.append(edges[int(before[at]), at])
                at = int(before[at])
            found.append(path[::-1] if at == start and len(path) <= FARTHEST else [])
        return found

    def _cheapest(self, costs: np.ndarray) -> tuple[sparse.csr_matrix, _Edges]:
        """Costs with one edge between two entities, the cheapest."""
        order = np.lexsort((costs, self._columns, self._from))
        rows, columns = self._from[order], self._columns[order]
        first = np.ones(len(order), bool)
        first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
        kept = order[first]
        size = len(self._starts) - 1
        held = (self._from[kept], self._columns[kept])
        matrix = sparse.csr_matrix((costs[kept], held), shape=(size, size))
        return matrix, _Edges(held[0] * size + held[1], self._triples[kept], size)

    def between(self, entities: Sequence[int]) -> np.ndarray:
        """Rows of triples whose two ends are among some entities."""
        inside = np.zeros(len(self._starts) - 1, bool)
        inside[list(entities)] = True
        return np.unique(self._triples[inside[self._from] & inside[self._columns]])

    def around(self, entity: int) -> np.ndarray:
        """Rows of triples of an entity."""
        return np.unique(self._triples[self._starts[entity] : self._starts[entity + 1]])


class _Edges:
    """Row of the triple between two entities."""

    def __init__(self, keys: np.ndarray, triples: np.ndarray, size: int) -> None:
        self._keys, self._triples, self._size = keys, triples, size

    def __getitem__(self, ends: tuple[int, int]) -> int:
        return int(self._triples[np.searchsorted(self._keys, ends[0] * self._size + ends[1])])
