"""Deep canonical correlation analysis of two views."""

from __future__ import annotations

from typing import ClassVar

import torch

from fusible.alignment._branches import Standardise
from fusible.alignment._deep import DeepAligner
from fusible.alignment._gather import Batch
from fusible.alignment._linear import LinearAligner
from fusible.alignment._losses import cca_loss
from fusible.alignment._optimise import Objective
from fusible.alignment._views import Views
from fusible.alignment.cca import Cca


class CcaObjective(Objective):
    """Minus the total correlation of a batch."""

    def __init__(self, ridge: float) -> None:
        super().__init__()
        self.ridge = ridge

    def forward(self, outputs: list[torch.Tensor], batch: Batch) -> torch.Tensor:
        """`cca_loss` of two views."""
        return cca_loss(outputs[0], outputs[1], ridge=self.ridge)


class DeepCca(DeepAligner):
    """A network per view, trained so that the outputs correlate most; a linear CCA on top.

    Andrew, Arora, Bilmes and Livescu (2013), "Deep canonical correlation analysis", trained by large minibatches (Wang
    et al., 2015). Rows without one of the views are left out of the training. Parameters as of `DeepAligner`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(-3, 3, size=(2000, 1))
    >>> one, other = np.hstack([angle, rng.normal(size=(2000, 1))]), np.hstack([angle**2, rng.normal(size=(2000, 1))])
    >>> deep = DeepCca(components=1, hidden=(32,), epochs=20, batch=200, learning_rate=1e-2).fit([one, other])
    >>> bool(deep.correlations_[0] > 0.95)  # of a linear CCA: 0.0
    True
    """

    most_views: ClassVar[int] = 2

    def _objective(self, views: Views, standards: list[Standardise]) -> Objective:
        return CcaObjective(self.ridge)

    def _linear(self) -> LinearAligner:
        return Cca(components=None)
