"""Multiset canonical correlation analysis of any number of views."""

from __future__ import annotations

import numpy as np

from fusible.alignment._blocks import divided, side_by_side
from fusible.alignment._gram import Covariance
from fusible.alignment._linear import LinearAligner
from fusible.alignment._search import LinearSearch
from fusible.alignment._solvers import leading_eigh, leading_svd
from fusible.alignment._whiten import Whitened


class Mcca(LinearAligner):
    """Directions of all views whose sum of pairwise covariances is greatest (Kettenring 1971; Nielsen 2002).

    The constraint is on the summed variance of the views' scores (with ridge: penalised variance). With two views it
    equals CCA. Parameters as of `Cca`. Scores of training rows have unit variance on average over views, so that a view
    that shares little in a component has small scores there.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(500, 1))
    >>> views = {name: shared + rng.normal(size=(500, 3)) for name in ("text", "image", "audio")}
    >>> Mcca(components=1).fit(views).correlations_.round(1)
    array([0.8])
    """

    def _solve(self, cov: Covariance, white: Whitened | None) -> list[np.ndarray]:
        assert white is not None
        if len(white.whiteners) == 2:
            assert white.blocks[0][1] is not None
            left, _, right = leading_svd(white.blocks[0][1], self.n_components_)
            return mean_unit_variance(white, [left, right])
        _, vectors = leading_eigh(side_by_side(white, identity=True), self.n_components_)
        return mean_unit_variance(white, divided(vectors, white))


def mean_unit_variance(white: Whitened, parts: list[np.ndarray]) -> list[np.ndarray]:
    """Weights of standardised columns whose scores have unit variance on average over views."""
    variance = np.zeros(parts[0].shape[1])
    for i, part in enumerate(parts):
        block = white.blocks[i][i]
        variance += np.einsum("rk,rk->k", part, part if block is None else block @ part) / len(parts)
    scale = np.sqrt(np.where(variance > 0, variance, 1.0))
    return [whitener.back(part / scale) for whitener, part in zip(white.whiteners, parts, strict=True)]


class MccaCV(LinearSearch):
    """MCCA whose ridge and number of components are chosen by cross-validation from the folds' Grams."""

    part = Mcca
