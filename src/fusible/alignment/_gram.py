"""The Gram core: moments of any number of views, views missing per row, mergeable; and what solvers read off it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from fusible.alignment._moments import Moments
from fusible.alignment._views import Chunk, finite
from fusible.errors import ArrayError

CONSTANT = 1e-13
"""A column whose deviation is below this share of its mean holds rounding errors only."""

Pattern = tuple[int, ...]
"""Places of the views that are present."""


class Gram:
    """Moments of views, apart for every pattern of present views: sufficient for all that linear aligners do.

    A pair of views is related over the rows in which both are present (pairwise counts). `grains` is the precision of
    the numbers that were given, per view: what double precision makes of single holds rounding errors of single.
    """

    def __init__(self, names: Sequence[str], widths: Sequence[int], *, single: bool = False) -> None:
        self.names, self.widths, self.single = tuple(names), tuple(widths), single
        self.parts: dict[Pattern, Moments] = {}
        self.grains = [0.0] * len(self.names)
        self.seen = 0

    def update(self, chunk: Chunk) -> Self:
        """Add rows; raises `ArrayError` where a present view holds NaN or infinity."""
        for pattern, rows in _patterns(chunk):
            arrays = [chunk.arrays[i] if rows is None else chunk.arrays[i][rows] for i in pattern]
            weight = chunk.weight if rows is None or chunk.weight is None else chunk.weight[rows]
            for place, array in zip(pattern, arrays, strict=True):
                self.grains[place] = max(self.grains[place], _grain(array.dtype))
            mean = self._part(pattern).update(arrays, weight)
            if not np.isfinite(mean).all():
                for place, array in zip(pattern, arrays, strict=True):
                    finite(array, self.names[place], self.seen, rows)
                raise ArrayError("views: values so large that their sum is infinite; rescale them")
        self.seen += chunk.rows
        return self

    def merge(self, other: Gram) -> Self:
        """Add the rows of another Gram over the same views."""
        for pattern, moments in other.parts.items():
            self._part(pattern).merge(moments)
        self.grains = [max(pair) for pair in zip(self.grains, other.grains, strict=True)]
        self.seen += other.seen
        return self

    @property
    def rows(self) -> int:
        """The fewest rows that any view shares with the view that it shares most with."""
        views = range(len(self.names))

        def both(i: int, j: int) -> int:
            return sum(moments.rows for pattern, moments in self.parts.items() if i in pattern and j in pattern)

        return min(max(both(i, j) for j in views if j != i) for i in views)

    @property
    def complete(self) -> bool:
        """Whether every view is present in every row."""
        return set(self.parts) <= {tuple(range(len(self.names)))}

    def pair(self, i: int, j: int) -> Moments | None:
        """Moments of views `i` and `j` side by side over rows where both are present; of one view where they equal."""
        both = [(p, m) for p, m in self.parts.items() if i in p and j in p and m.weight > 0.0]
        if not both:
            return None
        wanted = (i,) if i == j else (i, j)
        found = [_cut(moments, self._columns(pattern, wanted)) for pattern, moments in both]
        if len(found) == 1:
            return found[0]
        total = Moments(sum(self.widths[k] for k in wanted))
        for part in found:
            total.merge(part)
        return total

    def _part(self, pattern: Pattern) -> Moments:
        if pattern not in self.parts:
            self.parts[pattern] = Moments(sum(self.widths[i] for i in pattern), single=self.single)
        return self.parts[pattern]

    def _columns(self, pattern: Pattern, wanted: Sequence[int]) -> np.ndarray:
        edges = np.cumsum([0, *(self.widths[i] for i in pattern)])
        starts = dict(zip(pattern, edges, strict=False))
        return np.concatenate([np.arange(starts[i], starts[i] + self.widths[i]) for i in wanted])


def accumulate(names: Sequence[str], widths: Sequence[int], chunks: Iterable[Chunk], *, single: bool = False) -> Gram:
    """One Gram of all chunks."""
    gram = Gram(names, widths, single=single)
    for chunk in chunks:
        gram.update(chunk)
    return gram


@dataclass(slots=True)
class Covariance:
    """What solvers read off a Gram: means, deviations, and correlations between columns.

    `kept` marks columns that vary; the others have deviation 1 and correlation 0. `blocks[i][j]` is the correlation
    matrix (columns of i, columns of j) over rows with both views, `counts[i, j]` their weight. `gram` is what it was
    read off. `roots`, where the rows were decomposed: `roots[i].T @ roots[j]` is `blocks[i][j]`, with digits that the
    blocks have lost.
    """

    names: tuple[str, ...]
    means: list[np.ndarray]
    deviations: list[np.ndarray]
    kept: list[np.ndarray]
    blocks: list[list[np.ndarray]]
    counts: np.ndarray
    gram: Gram
    roots: list[np.ndarray] | None = None

    @property
    def rows(self) -> int:
        """The fewest rows that any view shares with the view that it shares most with."""
        return self.gram.rows

    @property
    def complete(self) -> bool:
        """Whether every view is present in every row."""
        return self.gram.complete

    @property
    def views(self) -> range:
        """Places of the views."""
        return range(len(self.names))

    def loads(self, i: int, j: int, weights: np.ndarray) -> np.ndarray:
        """Covariance of the columns of view `i` with scores of view `j`: (columns of i, components)."""
        if self.roots is None:
            return np.asarray(self.blocks[i][j] @ weights)
        return np.asarray(self.roots[i].T @ (self.roots[j] @ weights))

    def shared(self, i: int, one: np.ndarray, j: int, other: np.ndarray) -> np.ndarray:
        """Covariance of scores of view `i` with those of view `j`, component by component."""
        if self.roots is None:
            return np.asarray(np.einsum("pk,pk->k", one, self.blocks[i][j] @ other))
        return np.asarray(np.einsum("rk,rk->k", self.roots[i] @ one, self.roots[j] @ other))

    def among(self, i: int, weights: np.ndarray) -> np.ndarray:
        """Covariance (components, components) of scores of view `i`."""
        if self.roots is None:
            return np.asarray(weights.T @ self.blocks[i][i] @ weights)
        scores = self.roots[i] @ weights
        return np.asarray(scores.T @ scores)

    def spread(self, i: int, weights: np.ndarray) -> np.ndarray:
        """Deviation of scores of view `i`."""
        return np.asarray(np.sqrt(np.maximum(self.shared(i, weights, i, weights), 0.0)))


def covariance(gram: Gram, *, varying: bool = True) -> Covariance:
    """Read means, deviations and correlations off a Gram.

    Raises `ArrayError` where a view does not vary at all, if it must be `varying`.
    """
    views = range(len(gram.names))
    counts = np.zeros((len(views), len(views)))
    means, deviations, kept = [], [], []
    blocks: list[list[Any]] = [[None] * len(views) for _ in views]
    for i, full, moments in _own(gram, counts):
        mean, products = moments
        deviation = np.sqrt(np.maximum(np.diag(full), 0.0) / counts[i, i])
        varies = deviation > CONSTANT * np.abs(mean)
        if varying and not varies.any():
            raise ArrayError(f"view {gram.names[i]!r}: every column is constant, nothing can be aligned; leave it out")
        means.append(mean)
        kept.append(varies)
        deviations.append(np.where(varies, deviation, 1.0))
        blocks[i][i] = _correlation(products, counts[i, i], (deviations[i], deviations[i]), (varies, varies))
    for i in views:
        if varying and not any(gram_weight(gram, i, j) for j in views if j != i):
            raise ArrayError(f"view {gram.names[i]!r}: present in no row with another view; leave the view out")
        for j in range(i + 1, len(views)):
            counts[i, j] = counts[j, i] = gram_weight(gram, i, j)
            cross = _cross(gram, i, j)
            scales = (deviations[i], deviations[j])
            blocks[i][j] = _correlation(cross, counts[i, j] or 1.0, scales, (kept[i], kept[j]))
            blocks[j][i] = blocks[i][j].T
    return Covariance(gram.names, means, deviations, kept, blocks, counts, gram)


def gram_weight(gram: Gram, i: int, j: int) -> float:
    """Weight of the rows in which both views are present."""
    return sum(m.weight for p, m in gram.parts.items() if i in p and j in p)


def _own(gram: Gram, counts: np.ndarray) -> Iterator[tuple[int, np.ndarray, tuple[np.ndarray, np.ndarray]]]:
    for i, name in enumerate(gram.names):
        moments = gram.pair(i, i)
        if moments is None:
            raise ArrayError(f"view {name!r}: present in no row; leave the view out")
        counts[i, i] = moments.weight
        full = moments.full()
        if not np.isfinite(full).all():
            raise ArrayError(f"view {name!r}: values so large that their squares are infinite; rescale it")
        yield i, full, (moments.mean, full)


def _cross(gram: Gram, i: int, j: int) -> np.ndarray:
    """Centred products (columns of i, columns of j) over rows with both views; zero where there are none."""
    moments = gram.pair(i, j)
    if moments is None:
        return np.zeros((gram.widths[i], gram.widths[j]))
    # Only the lower triangle is kept up.
    return moments.products[gram.widths[i] :, : gram.widths[i]].T


def _correlation(
    products: np.ndarray,
    weight: float,
    deviations: tuple[np.ndarray, np.ndarray],
    kept: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    block: np.ndarray = products / weight / deviations[0][:, None] / deviations[1]
    block[~kept[0]] = 0.0
    block[:, ~kept[1]] = 0.0
    return block


def _grain(kind: np.dtype) -> float:
    return float(np.finfo(kind if kind.kind == "f" else np.float64).eps)


def _patterns(chunk: Chunk) -> Iterator[tuple[Pattern, np.ndarray | None]]:
    """Patterns of present views with their rows (None: all rows); rows without any view are passed over."""
    everything = tuple(range(len(chunk.arrays)))
    if chunk.presence is None:
        yield everything, None
        return
    found, which = np.unique(chunk.presence, axis=0, return_inverse=True)
    for k, pattern in enumerate(found):
        if pattern.any():
            yield tuple(np.flatnonzero(pattern).tolist()), np.flatnonzero(which.ravel() == k)


def _cut(moments: Moments, columns: np.ndarray) -> Moments:
    """The moments of some columns, in their order."""
    if len(columns) == len(moments.mean) and (np.diff(columns) == 1).all():
        return moments
    part = Moments(len(columns))
    part.rows, part.weight, part.mean = moments.rows, moments.weight, moments.mean[columns]
    # The lower triangle of some columns, in their order, is a part of that of all.
    part.products = np.asfortranarray(moments.products[np.ix_(columns, columns)])
    return part
