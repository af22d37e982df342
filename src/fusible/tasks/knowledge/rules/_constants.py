"""Rules that name entities: who has one link is likely to have another, `speaks(x, French) → citizen(x, France)`."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from fusible.tasks.knowledge.rules._mine import DOUBT, WALKS, Bounds
from fusible.tasks.knowledge.rules._paths import Paths

PAIRS = 5_000_000
"""Pairs of links that are counted at a time."""


def having(paths: Paths, least: int = 1) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    """Who has which link (entities, links), of links (step, entity) that at least so many have, and these."""
    cells = [edge.tocoo() for edge in paths.edges]
    rows = np.concatenate([cell.row for cell in cells])
    keys = np.concatenate([step * paths.entities + cell.col.astype(np.int64) for step, cell in enumerate(cells)])
    links, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    kept = counts >= least
    new = np.cumsum(kept) - 1
    real = kept[places]
    shape = (paths.entities, int(kept.sum()))
    found = sparse.csr_array((np.ones(real.sum(), np.int64), (rows[real], new[places[real]])), shape=shape)
    steps, ends = np.divmod(links[kept], paths.entities)
    return found, steps, ends


def linked(paths: Paths, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """Rules (rules, 4): a link's step and entity, and those of the link that it foretells; and figures (rules, 3).

    Figures are support, entities that have the first link, and those of them of whom the second step is told.
    """
    least = bounds.support
    found, steps, ends = having(paths, least)
    while (np.diff(found.indptr).astype(np.int64) ** 2).sum() > WALKS:
        least *= 2
        found, steps, ends = having(paths, least)
    if not len(steps):
        return np.zeros((0, 4), np.int64), np.zeros((0, 3))
    turned = found.T.tocsr()
    has = np.stack([np.diff(edge.indptr) > 0 for edge in paths.edges], axis=1).astype(np.int64)
    blocks = np.cumsum(turned @ np.diff(found.indptr)) // PAIRS
    parts = []
    for block in np.unique(blocks):
        rows = np.flatnonzero(blocks == block)
        both = (turned[rows] @ found).tocoo()
        enough = (both.data >= bounds.support) & (ends[rows[both.row]] != ends[both.col])  # else it has no name
        own, then, support = both.row[enough], both.col[enough], both.data[enough]
        first = rows[own]
        itself = np.asarray(found[ends[then], first]).ravel()
        body = np.diff(turned.indptr)[first] - itself
        told = np.asarray((turned[rows] @ has)[own, steps[then]] - itself * has[ends[then], steps[then]])
        sure = support >= bounds.confidence * body
        figures = np.stack([support, body, told], axis=1)[sure].astype(float)
        parts.append((np.stack([steps[first], ends[first], steps[then], ends[then]], axis=1)[sure], figures))
    rules, figures = (np.concatenate([part[i] for part in parts]) for i in range(2))
    return _best(rules, figures, paths.relations, bounds.most)


def _best(rules: np.ndarray, figures: np.ndarray, relations: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The surest of each relation."""
    order = np.lexsort((*rules.T, -figures[:, 0] / (figures[:, 1] + DOUBT)))
    kept, counts = [], np.zeros(relations, np.int64)
    for place, kind in zip(order.tolist(), (rules[order, 2] % relations).tolist(), strict=True):
        if counts[kind] < most:
            counts[kind] += 1
            kept.append(place)
    return rules[kept], figures[kept]
