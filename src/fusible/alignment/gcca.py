"""Generalised canonical correlation analysis (MAXVAR) of any number of views, any of them missing per row."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fusible.alignment._blocks import divided, side_by_side
from fusible.alignment._gram import Covariance, Pattern
from fusible.alignment._linear import LinearAligner
from fusible.alignment._moments import Moments
from fusible.alignment._search import LinearSearch
from fusible.alignment._solvers import leading_eigh
from fusible.alignment._whiten import Whitened


class Gcca(LinearAligner):
    """One shared variable per component that all views predict best (MAXVAR; Carroll 1968; Kettenring 1971).

    The shared variable has unit variance, and a view's scores are its least-squares prediction from that view, which
    makes the scores of a view that shares little small. Rows count with the views that they have (van de Velden &
    Takane 2012). With two views the directions are those of CCA. Parameters as of `Cca`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(500, 1))
    >>> views = {name: shared + rng.normal(size=(500, 3)) for name in ("text", "image", "audio")}
    >>> Gcca(components=1).fit(views).correlations_.round(1)
    array([0.8])
    """

    likelihood: ClassVar[bool] = False

    def _solve(self, cov: Covariance, white: Whitened | None) -> list[np.ndarray]:
        assert white is not None
        matrix = side_by_side(white, identity=False) / len(cov.names) if cov.complete else _missing(cov, white)
        values, vectors = leading_eigh(matrix, self.n_components_)
        sizes = np.diag(cov.counts)
        length = np.sqrt(np.maximum(values, 0.0))
        return [
            whitener.back(part * length * np.sqrt(sizes.sum() / sizes[i]))
            for i, (whitener, part) in enumerate(zip(white.whiteners, divided(vectors, white), strict=True))
        ]


def _missing(cov: Covariance, white: Whitened) -> np.ndarray:
    """Mean over rows of the projections of the views that each has, in whitened coordinates."""
    edges = np.cumsum([0, *(w.rank for w in white.whiteners)])
    matrix = np.zeros((edges[-1], edges[-1]))
    sizes = np.diag(cov.counts)
    for pattern, moments in cov.gram.parts.items():
        if moments.weight == 0.0:
            continue
        blocks = _standard_products(cov, pattern, moments)
        for (i, j), block in blocks.items():
            turned = white.whiteners[j].left(white.whiteners[i].left(block).T).T
            share = len(pattern) * np.sqrt(sizes[i] * sizes[j])
            matrix[edges[i] : edges[i + 1], edges[j] : edges[j + 1]] += turned / share
    return (matrix + matrix.T) / 2.0


def _standard_products(cov: Covariance, pattern: Pattern, moments: Moments) -> dict[tuple[int, int], np.ndarray]:
    """Products of standardised columns over the rows of one pattern, about the means over all rows."""
    apart = moments.mean - np.concatenate([cov.means[i] for i in pattern])
    full = moments.full() + moments.weight * np.outer(apart, apart)
    scale = np.concatenate([np.where(cov.kept[i], 1.0 / cov.deviations[i], 0.0) for i in pattern])
    full *= scale[:, None] * scale
    starts = np.cumsum([0, *(len(cov.means[i]) for i in pattern)])
    places = {i: slice(a, b) for i, a, b in zip(pattern, starts[:-1], starts[1:], strict=True)}
    return {(i, j): full[places[i], places[j]] for i in pattern for j in pattern}


class GccaCV(LinearSearch):
    """GCCA whose ridge and number of components are chosen by cross-validation from the folds' Grams."""

    part = Gcca
