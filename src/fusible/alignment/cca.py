"""Canonical correlation analysis of two views, with ridge."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fusible.alignment._gram import Covariance
from fusible.alignment._linear import LinearAligner
from fusible.alignment._search import LinearSearch
from fusible.alignment._solvers import leading_svd
from fusible.alignment._whiten import Whitened


class Cca(LinearAligner):
    """Directions of two views whose scores correlate most (Hotelling 1936; ridge: Vinod 1976).

    Parameters: `components` (None: as many as the ranks allow); `ridge`, added to each covariance as a share of the
    view's mean variance, one number or one per view; `widths` of the views where one array is given. Scores of training
    rows have unit variance.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(500, 1))
    >>> text, image = (shared + rng.normal(size=(500, 4)) for _ in range(2))
    >>> cca = Cca(components=1).fit({"text": text, "image": image})
    >>> bool(cca.correlations_[0] > 0.7), cca.transform_view(text, "text").shape
    (True, (500, 1))
    """

    most_views: ClassVar[int] = 2

    def _solve(self, cov: Covariance, white: Whitened | None) -> list[np.ndarray]:
        assert white is not None
        assert white.blocks[0][1] is not None
        left, _, right = leading_svd(white.blocks[0][1], self.n_components_)
        return [unit_variance(white, place, directions) for place, directions in enumerate((left, right))]


def unit_variance(white: Whitened, place: int, directions: np.ndarray) -> np.ndarray:
    """Weights of standardised columns whose scores have unit variance, from whitened directions."""
    block = white.blocks[place][place]
    own = directions if block is None else block @ directions
    spread = np.sqrt(np.maximum(np.einsum("rk,rk->k", directions, own), 0.0))
    return white.whiteners[place].back(directions / np.where(spread > 0, spread, 1.0))


class CcaCV(LinearSearch):
    """CCA whose ridge and number of components are chosen by cross-validation from the folds' Grams."""

    part = Cca
