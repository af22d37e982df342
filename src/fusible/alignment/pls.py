"""Canonical partial least squares of two views: directions of greatest covariance, both views deflated."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fusible.alignment._gram import Covariance
from fusible.alignment._linear import LinearAligner
from fusible.alignment._solvers import leading_svd
from fusible.alignment._whiten import Whitened
from fusible.errors import ArrayError

NOTHING = 1e-12
"""Share of a view's variance below which a deflated direction holds rounding errors only."""


class Pls(LinearAligner):
    """PLS in mode A, canonical (Wold 1975; Wegelin 2000): what scikit-learn calls `PLSCanonical`, from moments alone.

    Each component is the leading pair of singular vectors of the cross-covariance of standardised columns, after which
    either view is deflated by its own score. It needs no inverse, so that it is defined for any number of columns.
    `scale=False` keeps the columns' units.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(500, 1))
    >>> views = {name: shared + rng.normal(size=(500, 3)) for name in ("text", "image")}
    >>> Pls(components=1).fit(views).correlations_.round(1)
    array([0.7])
    """

    most_views: ClassVar[int] = 2
    whitens: ClassVar[bool] = False

    def __init__(
        self, components: int | None = None, *, scale: bool = True, widths: tuple[int, ...] | None = None
    ) -> None:
        super().__init__(components, widths=widths)
        del self.ridge
        self.scale = scale

    def _ridges(self, views: int) -> list[float]:
        return [0.0] * views

    def _solve(self, cov: Covariance, white: Whitened | None) -> list[np.ndarray]:
        units = [np.ones(len(d)) if self.scale else d for d in cov.deviations]
        own = [cov.blocks[i][i] * units[i][:, None] * units[i] for i in cov.views]
        cross = cov.blocks[0][1] * units[0][:, None] * units[1]
        turns = [np.eye(len(u)) for u in units]
        enough = NOTHING * np.array([np.trace(matrix) for matrix in own])
        found: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for _ in range(self.n_components_):
            left, _, right = leading_svd(cross, 1)
            directions = (left[:, 0], right[:, 0])
            loads = [matrix @ direction for matrix, direction in zip(own, directions, strict=True)]
            variances = np.array([float(d @ load) for d, load in zip(directions, loads, strict=True)])
            if (variances <= enough).any():
                break
            keeps = []
            for i, (direction, load) in enumerate(zip(directions, loads, strict=True)):
                found[i].append(units[i] * (turns[i] @ direction) / np.sqrt(variances[i]))
                keeps.append(np.eye(len(direction)) - np.outer(direction, load) / variances[i])
                own[i] = keeps[i].T @ own[i] @ keeps[i]
                turns[i] = turns[i] @ keeps[i]
            cross = keeps[0].T @ cross @ keeps[1]
        self._count(len(found[0]))
        return [np.stack(part, axis=1) for part in found]

    def _count(self, shared: int) -> None:
        if shared == 0 or (self.components is not None and shared < self.components):
            raise ArrayError(
                f"Pls: expected views that share covariance in {self.components or 1} components, got {shared}; "
                "ask for fewer components, or None for all"
            )
        self.n_components_ = shared
