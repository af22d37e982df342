"""Deep generalised canonical correlation analysis of any number of views, any of them missing per row."""

from __future__ import annotations

import torch

from fusible.alignment._branches import Standardise
from fusible.alignment._deep import DeepAligner
from fusible.alignment._gather import Batch
from fusible.alignment._linear import LinearAligner
from fusible.alignment._losses import gcca_loss
from fusible.alignment._optimise import Objective
from fusible.alignment._views import Views
from fusible.alignment.gcca import Gcca


class GccaObjective(Objective):
    """Minus the leading eigenvalues of the summed projections of a batch."""

    def __init__(self, components: int, ridge: float) -> None:
        super().__init__()
        self.components, self.ridge = components, ridge

    def forward(self, outputs: list[torch.Tensor], batch: Batch) -> torch.Tensor:
        """`gcca_loss` of the views that are present."""
        return gcca_loss(outputs, self.components, self.ridge, batch.presence)


class DeepGcca(DeepAligner):
    """A network per view, trained so that all views predict shared variables best; a linear GCCA on top.

    Benton, Khayrallah, Gujral, Reisinger, Zhang and Arora (2019), "Deep generalized canonical correlation analysis". A
    row counts with the views that it has; rows with fewer than two are left out of the training. Parameters as of
    `DeepAligner`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(-3, 3, size=(2000, 1))
    >>> views = [np.hstack([f(angle), rng.normal(size=(2000, 1))]) for f in (np.square, np.abs, np.cos)]
    >>> deep = DeepGcca(components=1, hidden=(32,), epochs=20, batch=200, learning_rate=1e-2).fit(views)
    >>> bool(deep.correlations_[0] > 0.95)
    True
    """

    def _objective(self, views: Views, standards: list[Standardise]) -> Objective:
        return GccaObjective(self.components, self.ridge)

    def _linear(self) -> LinearAligner:
        return Gcca(components=None)
