"""Contrastive alignment of any number of views, any of them missing per row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from fusible.alignment._branches import Standardise
from fusible.alignment._deep import DeepAligner, expect
from fusible.alignment._gather import Batch, contents
from fusible.alignment._linear import LinearAligner
from fusible.alignment._losses import info_nce, sigmoid_loss
from fusible.alignment._optimise import Objective
from fusible.alignment._views import Views
from fusible.alignment.cca import Cca
from fusible.alignment.mcca import Mcca

LARGEST_SCALE = 100.0
"""Inverse temperature at most, as in CLIP: a sharper one makes training unstable."""
START = {"infonce": (1 / 0.07, 0.0), "sigmoid": (10.0, -10.0)}
"""Inverse temperature and bias at the start, as of CLIP and SigLIP."""


class ContrastiveObjective(Objective):
    """Mean over pairs of views of a contrastive loss, each on the rows of a batch that have both.

    `identities` per view: numbers that equal rows share; pairs of rows that are equal in either view belong together.
    """

    by_loss: ClassVar[bool] = True

    def __init__(self, loss: str, identities: Sequence[np.ndarray], hardness: float = 0.0) -> None:
        super().__init__()
        self.hardness = hardness
        scale, bias = START[loss]
        self.loss = loss
        self.identities = [torch.from_numpy(numbers) for numbers in identities]
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(bias)) if loss == "sigmoid" else None

    @property
    def scale(self) -> torch.Tensor:
        """Inverse temperature, clamped."""
        return self.log_scale.clamp(max=math.log(LARGEST_SCALE)).exp()

    def forward(self, outputs: list[torch.Tensor], batch: Batch) -> torch.Tensor:
        """The loss of a batch; 0 where no pair of views shares two rows."""
        rows = torch.from_numpy(batch.rows)
        losses = []
        for i, j in combinations(range(len(outputs)), 2):
            both = torch.ones(len(rows), dtype=torch.bool)
            if batch.presence is not None:
                both = (batch.presence[:, i] & batch.presence[:, j]).cpu()
            if int(both.sum()) >= 2:
                same = [_same(self.identities[view][rows[both]]) for view in (i, j)]
                positive = (same[0] | same[1]).to(outputs[i].device)
                here = both.to(outputs[i].device)
                losses.append(self._pair(outputs[i][here], outputs[j][here], positive))
        return torch.stack(losses).mean() if losses else 0.0 * outputs[0].sum()

    def _pair(self, one: torch.Tensor, other: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
        if self.bias is None:
            return info_nce(one, other, self.scale, positive, self.hardness)
        return sigmoid_loss(one, other, self.scale, self.bias, positive)


class Contrastive(DeepAligner):
    """A network per view, trained to tell the partner of a row from the other rows of a batch by cosine.

    `loss` is "infonce" (van den Oord et al., 2018; CLIP, Radford et al., 2021) or "sigmoid" (SigLIP, Zhai et al.,
    2023), averaged over pairs of views, with a learned temperature. Rows of a batch that are equal in a view count as
    partners of one another, not as strangers. A row counts with the views that it has.
    `space` is "correlation": a linear CCA (for more than two views: MCCA) of the outputs of length one, whose
    components are uncorrelated and ordered; or "cosine": these outputs as they are, for retrieval by cosine.
    `hardness`: how much more strangers that look alike weigh in InfoNCE (Robinson et al., 2021); 0 is plain.
    `temperature_` is what was learned. The epoch kept has the least loss on validation rows. Other parameters as of
    `DeepAligner`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(600, 3))
    >>> views = {"text": shared, "image": shared @ rng.normal(size=(3, 3))}
    >>> fitted = Contrastive(components=3, hidden=(32,), epochs=30, batch=100, learning_rate=1e-2).fit(views)
    >>> bool(fitted.score(views) > 0.9)
    True
    """

    least_batch: ClassVar[bool] = False

    def __init__(
        self,
        components: int = 10,
        *,
        loss: str = "infonce",
        space: str = "correlation",
        hardness: float = 0.0,
        hidden: Sequence[int] = (800, 800),
        dropout: float = 0.2,
        input_dropout: float = 0.0,
        epochs: int | None = None,
        batch: int = 1024,
        learning_rate: float = 2e-3,
        weight_decay: float = 1.0,
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
            ridge=0.0,
            scale=scale,
            validation=validation,
            patience=patience,
            mixed=mixed,
            device=device,
            seed=seed,
            branches=branches,
            widths=widths,
        )
        self.loss = loss
        self.space = space
        self.hardness = hardness

    @property
    def _unit(self) -> bool:
        return True

    def _check_settings(self, views: Views) -> None:
        super()._check_settings(views)
        expect(self._name, "loss", self.loss, f"one of {', '.join(START)}", self.loss in START)
        hard = self.hardness >= 0 and (self.loss == "infonce" or not self.hardness)
        expect(self._name, "hardness", self.hardness, "0 or more, above 0 with the loss infonce only", hard)
        expect(self._name, "space", self.space, "correlation or cosine", self.space in {"correlation", "cosine"})

    def _objective(self, views: Views, standards: list[Standardise]) -> Objective:
        return ContrastiveObjective(self.loss, [contents(array, views.rows) for array in views.arrays], self.hardness)

    def _learned(self, objective: Objective) -> None:
        assert isinstance(objective, ContrastiveObjective)
        self.temperature_ = 1.0 / float(objective.scale.detach())

    def _linear(self) -> LinearAligner | None:
        if self.space == "cosine":
            return None
        return Cca(components=None) if len(self.view_names_) == 2 else Mcca(components=None)


def _same(numbers: torch.Tensor) -> torch.Tensor:
    return numbers[:, None] == numbers
