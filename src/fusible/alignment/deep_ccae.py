"""Deep canonically correlated autoencoders of two views."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import nn

from fusible.alignment._branches import Mlp, Standardise
from fusible.alignment._deep import DeepAligner, expect
from fusible.alignment._gather import Batch
from fusible.alignment._linear import LinearAligner
from fusible.alignment._losses import cca_loss, reconstruction_loss
from fusible.alignment._optimise import Objective
from fusible.alignment._views import Views
from fusible.alignment.cca import Cca


class CcaeObjective(Objective):
    """Minus the total correlation of a batch, plus the weighted error of each view rebuilt from its outputs."""

    def __init__(
        self,
        standards: Sequence[Standardise],
        components: int,
        hidden: Sequence[int],
        dropout: float,
        ridge: float,
        weight: float,
    ) -> None:
        super().__init__()
        self.ridge, self.weight = ridge, weight
        self.standards = nn.ModuleList(standards)
        widths = [len(standard.mean) for standard in standards]
        self.decoders = nn.ModuleList(Mlp(components, tuple(hidden)[::-1], width, dropout) for width in widths)

    def forward(self, outputs: list[torch.Tensor], batch: Batch) -> torch.Tensor:
        """`cca_loss` plus weighted `reconstruction_loss`."""
        wanted = [standard(rows) for standard, rows in zip(self.standards, batch.inputs, strict=True)]
        rebuilt = [decoder(rows) for decoder, rows in zip(self.decoders, outputs, strict=True)]
        return cca_loss(outputs[0], outputs[1], ridge=self.ridge) + self.weight * reconstruction_loss(rebuilt, wanted)


class DeepCcae(DeepAligner):
    """`DeepCca` whose outputs must also rebuild their view's columns: less free to fit noise of few rows.

    DCCAE of Wang, Arora, Livescu and Bilmes (2015), "On deep multi-view representation learning". `reconstruction`
    weighs the mean squared error per standardised entry against the total correlation; 0 is `DeepCca`. Decoders have
    the widths of `hidden` in reverse. Other parameters as of `DeepAligner`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(-3, 3, size=(2000, 1))
    >>> one, other = np.hstack([angle, rng.normal(size=(2000, 1))]), np.hstack([angle**2, rng.normal(size=(2000, 1))])
    >>> deep = DeepCcae(components=1, hidden=(32,), epochs=20, batch=200, learning_rate=1e-2).fit([one, other])
    >>> bool(deep.correlations_[0] > 0.95)
    True
    """

    most_views: ClassVar[int] = 2

    def __init__(
        self,
        components: int = 10,
        *,
        reconstruction: float = 0.1,
        hidden: Sequence[int] = (800, 800),
        dropout: float = 0.2,
        input_dropout: float = 0.0,
        epochs: int | None = None,
        batch: int = 1500,
        learning_rate: float = 2e-3,
        weight_decay: float = 1.0,
        ridge: float = 1e-4,
        scale: str = "columns",
        validation: float = 0.1,
        patience: int = 10,
        mixed: bool = True,
        device: str = "cpu",
        seed: int = 0,
        branches: Mapping[str, nn.Module] | None = None,
        widths: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            components,
            hidden=hidden,
            dropout=dropout,
            input_dropout=input_dropout,
            epochs=epochs,
            batch=batch,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            ridge=ridge,
            scale=scale,
            validation=validation,
            patience=patience,
            mixed=mixed,
            device=device,
            seed=seed,
            branches=branches,
            widths=widths,
        )
        self.reconstruction = reconstruction

    def _check_settings(self, views: Views) -> None:
        super()._check_settings(views)
        expect(self._name, "reconstruction", self.reconstruction, "at least 0", 0 <= self.reconstruction < math.inf)

    def _objective(self, views: Views, standards: list[Standardise]) -> Objective:
        return CcaeObjective(standards, self.components, self.hidden, self.dropout, self.ridge, self.reconstruction)

    def _linear(self) -> LinearAligner:
        return Cca(components=None)
