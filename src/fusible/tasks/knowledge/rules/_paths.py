"""Paths of a graph: chains of one to three edges that pass no entity twice, counted by sparse matrices.

A step is a relation (0 … relations - 1) or, after these, its inverse. No path passes an entity twice (Meilicke et al.,
"Anytime Bottom-Up Rule Learning for Knowledge Graph Completion", IJCAI 2019), so that no fact is its own reason:
`r(x, z) ∧ s(z, w) ∧ s(y, w)` holds for every `r(x, y)` where z may be y.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import sparse

Body = tuple[int, ...]
Cells = tuple[np.ndarray, np.ndarray]
"""Places of starts, and entities."""

LONGEST = 3
"""Steps of a body, at most."""

DENSE = 20_000_000
"""Cells of all matrices together, at most, so that they are held with their zeros: small products then cost less."""
FEW = 32
"""Starts up to which counts are held with their zeros: products of small sparse matrices cost far more."""


class Paths:
    """Edges of triples (rows, 3), loops left out, as a matrix (entities, entities) per step: `edges[step]`."""

    def __init__(self, triples: np.ndarray, entities: int, relations: int) -> None:
        heads, kinds, tails = triples[triples[:, 0] != triples[:, 2]].T
        self.entities, self.relations = entities, relations
        forth = [_matrix(heads[kinds == kind], tails[kinds == kind], entities) for kind in range(relations)]
        self.edges: list[sparse.csr_array] = [*forth, *(edge.T.tocsr() for edge in forth)]
        self.steps = len(self.edges)
        self._turns: dict[tuple[int, int], np.ndarray] = {}
        self._dense: np.ndarray | None = None
        if entities * entities * self.steps <= DENSE:
            self._dense = np.stack([edge.toarray().astype(np.float32) for edge in self.edges])

    def inverse(self, step: int) -> int:
        """The same relation read from its other end."""
        return step - self.relations if step >= self.relations else step + self.relations

    def pairs(self, body: Body, rows: np.ndarray | None = None) -> sparse.csr_array:
        """Numbers of paths (rows, entities) from each of the entities `rows` (all, where not given) to each other."""
        first = self.edges[body[0]] if rows is None else self.edges[body[0]][rows]
        if len(body) == 1:
            return first
        starts = np.arange(self.entities) if rows is None else rows
        found = without(first @ self.edges[body[1]], starts)
        return found if len(body) == 2 else self.third(first, found, body, starts)

    def third(self, first: sparse.csr_array, two: sparse.csr_array, body: Body, starts: np.ndarray) -> sparse.csr_array:
        """Paths of three steps, of the first step's and the first two steps' (rows, entities).

        Walks whose third entity is the start are left out of `two` already; those whose second is the end, and third
        is not the start, are taken away here: from an edge x-y, back and forth from y, but not by x.
        """
        last = self.edges[body[2]]
        turns = self.turns(body[1], body[2])
        back = self.edges[self.inverse(body[1])][starts].multiply(self.edges[body[2]][starts])
        walks = two @ last - first.multiply(turns[None, :]) + first.multiply(back)
        return without(walks.tocsr(), starts)

    def turns(self, forth: int, back: int) -> np.ndarray:
        """How many ways (entities,) lead from each entity by one step and by another back to it."""
        if (forth, back) not in self._turns:
            if (1 + len(self._turns)) * self.entities > DENSE:
                self._turns.clear()
            ways = self.edges[forth].multiply(self.edges[self.inverse(back)])
            self._turns[forth, back] = np.asarray(ways.sum(axis=1)).ravel()
        return self._turns[forth, back]

    def leading(self, starts: np.ndarray) -> Callable[[Body], Cells]:
        """`cells` from the same entities, for one body after the other."""
        return _Few(self, starts).cells if len(starts) <= FEW else lambda body: self.cells(body, starts)

    def cells(self, body: Body, rows: np.ndarray) -> Cells:
        """Where paths lead from each of the entities `rows`: places in `rows`, and entities."""
        if self._dense is None:
            found = self.pairs(body, rows).tocoo()
            return found.row, found.col
        edges = [self._dense[step] for step in body]
        own = np.arange(len(rows)), rows
        counts = first = edges[0][rows]
        if len(body) > 1:
            counts = first @ edges[1]
            counts[own] = 0
        if len(body) == 3:
            turns = self.turns(body[1], body[2]).astype(np.float32)
            counts = counts @ edges[2] - first * (turns - edges[1].T[rows] * edges[2][rows])
            counts[own] = 0
        places, ends = np.nonzero(counts)
        return places, ends

    def fan(self, prefix: Body, starts: np.ndarray, most: int) -> np.ndarray | None:
        """Where paths of a body without its last step lead by every last step: bool (steps, starts, entities).

        None where these are more than `most` cells, which sparse matrices hold better.
        """
        if self._dense is None or self.steps * len(starts) * self.entities > most:
            return None
        edges, own = self._dense, (np.arange(len(starts)), starts)
        if not prefix:
            return np.asarray(edges[:, starts] > 0)
        first = counts = edges[prefix[0]][starts]
        if len(prefix) == 2:
            middle = edges[prefix[1]]
            counts = first @ middle
            counts[own] = 0
            turns = (middle[None] * edges.transpose(0, 2, 1)).sum(axis=2)
            walks = counts @ edges - first * (turns[:, None] - middle.T[starts] * edges[:, starts])
        else:
            walks = counts @ edges
        found: np.ndarray = walks > 0
        found[:, own[0], own[1]] = False
        return found

    def hold(self, step: int, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Whether a step leads from each of the entities to the other one (pairs,)."""
        if self._dense is not None:
            return np.asarray(self._dense[step, starts, ends] > 0)
        return np.asarray(self.edges[step][starts, ends]).ravel() > 0

    def walks(self, body: Body) -> np.ndarray:
        """How many walks (entities,) of a body begin at each entity: what counting its paths costs."""
        found = np.ones(self.entities)
        for step in reversed(body):
            found = self.edges[step] @ found
        return np.asarray(found)

    def between(self, body: Body, start: int, end: int, most: int) -> list[tuple[int, ...]]:
        """Paths of a body from an entity to another, as all entities on the way; the first `most`."""
        found: list[tuple[int, ...]] = []
        for path in self._grown((start,), body, end):
            found.append(path)
            if len(found) == most:
                break
        return found

    def _grown(self, path: tuple[int, ...], rest: Sequence[int], end: int) -> Iterator[tuple[int, ...]]:
        edges = self.edges[rest[0]]
        nexts = edges.indices[edges.indptr[path[-1]] : edges.indptr[path[-1] + 1]]
        if len(rest) == 1:
            if end in nexts and end not in path:
                yield (*path, end)
            return
        for entity in np.sort(nexts).tolist():
            if entity not in path and entity != end:
                yield from self._grown((*path, entity), rest[1:], end)


class _Few:
    """Paths from a few entities; bodies that begin alike share what they count. Counts are (entities, starts)."""

    def __init__(self, paths: Paths, starts: np.ndarray) -> None:
        self._paths, self._starts = paths, starts
        self._own = starts, np.arange(len(starts))
        self._held: dict[Body, np.ndarray] = {}

    def cells(self, body: Body) -> Cells:
        """See `Paths.cells`."""
        ends, places = np.nonzero(self._counts(body))
        return places, ends

    def _counts(self, body: Body) -> np.ndarray:
        if body not in self._held:
            if len(body) == 1:
                self._held[body] = self._paths.edges[body[0]][self._starts].toarray().T
            else:
                counts = self._paths.edges[self._paths.inverse(body[-1])] @ self._counts(body[:-1])
                if len(body) == 3:
                    counts -= self._turned(body)
                counts[self._own] = 0
                if len(body) == 3:
                    return np.asarray(counts)
                self._held[body] = counts
        return self._held[body]

    def _turned(self, body: Body) -> np.ndarray:
        """Walks of three steps that come back to their second entity; see `Paths.third`."""
        first, middle, last = body
        turns = self._paths.turns(middle, last)[:, None]
        by_start = self._counts((self._paths.inverse(middle),)) * self._counts((last,))
        return np.asarray(self._counts((first,)) * (turns - by_start))


def without(counts: sparse.csr_array, columns: np.ndarray) -> sparse.csr_array:
    """Counts (rows, entities) without the cell of each row's own entity `columns` (rows,), and without zeros."""
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    counts.data[counts.indices == columns[rows]] = 0
    counts.eliminate_zeros()
    return counts


def _matrix(rows: np.ndarray, columns: np.ndarray, size: int) -> sparse.csr_array:
    """One in each cell that is there, however often it is said."""
    found = sparse.csr_array((np.ones(len(rows), np.int64), (rows, columns)), shape=(size, size))
    found.sum_duplicates()
    found.data[:] = 1
    return found
