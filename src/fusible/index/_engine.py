"""Nearest vectors of one view: exact, or a graph with what came after it searched exactly beside it."""

from __future__ import annotations

import numpy as np

from fusible.index._block import Block
from fusible.index._exact import Found, merged
from fusible.index._graph import Graph

FEW = 20_000
"""Rows left by a filter that are searched exactly; or `SHARE` of the graph if that is more."""
SHARE = 0.03
MOST = 500
"""Neighbours asked for beyond which a graph is not worth walking."""
_WIDEST = 4096


class Layered:
    """A graph or a block, the rows of it that are still there, and the rows that came after it."""

    def __init__(self, base: Graph | Block, fresh: Block, alive: np.ndarray) -> None:
        self.base, self.fresh = base, fresh
        self.alive = None if np.array_equal(base.numbers, alive) else np.isin(base.numbers, alive, assume_unique=True)
        self.bits = None if self.alive is None else np.packbits(self.alive, bitorder="little")
        self.count = len(alive) if self.alive is None else int(self.alive.sum())

    def search(self, queries: np.ndarray, k: int, allowed: np.ndarray | None, exact: bool | None) -> Found:
        """Find the `k` nearest rows; `allowed` are sorted numbers of rows, None for all.

        Exactly where there is no graph, where asked, where few rows are left, or where many are wanted.
        """
        found = self._base(queries, k, allowed, exact)
        if not len(self.fresh.numbers):
            return found
        mask = None if allowed is None else np.isin(self.fresh.numbers, allowed, assume_unique=True)
        return merged(found, self.fresh.scan(queries, k, mask), k)

    def _base(self, queries: np.ndarray, k: int, allowed: np.ndarray | None, exact: bool | None) -> Found:
        graph = self.base if isinstance(self.base, Graph) and not exact and k <= MOST else None
        if allowed is None:
            if graph is None:
                return self.base.scan(queries, k, self.alive)
            return self._walk(graph, queries, k, self.alive, self.bits, self.count)
        mask = np.isin(self.base.numbers, allowed, assume_unique=True)
        mask &= True if self.alive is None else self.alive
        count = int(mask.sum())
        if graph is None or (exact is None and count <= max(FEW, SHARE * len(mask))):
            return self.base.scan(queries, k, mask)
        return self._walk(graph, queries, k, mask, np.packbits(mask, bitorder="little"), count)

    def _walk(
        self, graph: Graph, queries: np.ndarray, k: int, mask: np.ndarray | None, bits: np.ndarray | None, count: int
    ) -> Found:
        """Walk the graph, the wider the fewer nodes count; what finds too little is searched exactly."""
        share = max(count, 1) / len(graph.numbers)
        width = int(min(_WIDEST, max(graph.width, 2 * k) / share))
        found = graph.search(queries, k, width, bits)
        for query, (numbers, _) in enumerate(found):
            if len(numbers) < min(k, count):
                found[query] = graph.scan(queries[query : query + 1], k, mask)[0]
        return found
