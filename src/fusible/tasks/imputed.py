"""Imputation before fusion: an absent view's encoding is predicted from those present, and then fused as if present."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any, Self, cast

import numpy as np
import torch
from torch import nn

from fusible.types import Encoded

IMPUTE = "impute"
"""How a strategy names it: `feature:impute+<operator>`."""
IMPUTER = "mcca"
"""The aligner by whose shared directions one view is predicted from another."""


class CrossView(nn.Module):
    """Linear prediction of views from one another through the scores of an aligner, in single precision.

    View j from view i: `mean_j + (x_i - mean_i) @ weight_i @ regression_ij`, least squares on the aligner's scores
    (reduced-rank regression, Izenman 1975). From several present views: the mean of their predictions, weighted by the
    share of the view's variance that each explained where the aligner was fitted, so that a view that tells nothing of
    another has no say; where none tells anything, the view's mean.

    `widths` {view: columns}; `components`: scores per view.
    """

    quality: torch.Tensor

    def __init__(self, widths: Mapping[str, int], components: int) -> None:
        super().__init__()
        self.views = tuple(widths)
        number = len(self.views)
        for i, width in enumerate(widths.values()):
            self.register_buffer(f"mean_{i}", torch.zeros(width))
            self.register_buffer(f"weight_{i}", torch.zeros(width, components))
        for i, j in permutations(range(number), 2):
            self.register_buffer(f"regression_{i}_{j}", torch.zeros(components, widths[self.views[j]]))
        self.register_buffer("quality", torch.zeros(number, number))

    def take(self, aligner: Any, vectors: Mapping[str, np.ndarray]) -> Self:
        """Take over a fitted linear aligner; `vectors` {view: (rows, width)}, NaN where absent, judge its predictions.

        What it predicts is affine in the source, so that its values at the mean and at unit scores are all there is.
        """
        for i, source in enumerate(self.views):
            self._at(f"mean_{i}").copy_(_tensor(aligner.means_[i]))
            self._at(f"weight_{i}").copy_(_tensor(aligner.weights_[i]))
            for j, target in enumerate(self.views):
                if i == j:
                    continue
                self._at(f"regression_{i}_{j}").copy_(_tensor(_coefficients(aligner, i, source, target)))
                self.quality[i, j] = explained(
                    vectors[target], lambda rows, s=source, t=target: aligner.predict_view(rows, s, t), vectors[source]
                )
        return self.requires_grad_(False)

    def forward(self, vectors: Sequence[torch.Tensor], presence: torch.Tensor) -> list[torch.Tensor]:
        """Fill: vectors per view (rows, width), presence (rows, views) -> vectors, predicted where absent.

        A row in which nothing is present gets the means.
        """
        centred = [torch.where(presence[:, i : i + 1], x - self._at(f"mean_{i}"), 0.0) for i, x in enumerate(vectors)]
        scores = [x @ self._at(f"weight_{i}") for i, x in enumerate(centred)]
        filled = []
        for j, vector in enumerate(vectors):
            say = presence.to(vector.dtype) * self.quality[:, j]
            say = say / say.sum(dim=1, keepdim=True).clamp(min=1e-12)
            guess = torch.zeros_like(centred[j]) + self._at(f"mean_{j}")
            for i in range(len(vectors)):
                if i != j:
                    guess = guess + say[:, i : i + 1] * (scores[i] @ self._at(f"regression_{i}_{j}"))
            filled.append(torch.where(presence[:, j : j + 1], vector, guess))
        return filled

    def _at(self, name: str) -> torch.Tensor:
        return cast("torch.Tensor", getattr(self, name))


class Imputed(nn.Module):
    """A fusion operator that sees views which are absent as predicted from those that are present.

    A row in which anything is present is fused as if all were; one with nothing present stays absent. What an absent
    view holds never matters.
    """

    def __init__(self, cross: CrossView, operator: nn.Module) -> None:
        super().__init__()
        parts: Any = operator
        self.views: tuple[str, ...] = tuple(parts.views)
        self.output_width = int(parts.output_width)
        self.cross = cross.requires_grad_(False)
        self.operator = operator

    def forward(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """Fill and fuse: `encoded` per view, `presence` (rows, views) bool -> (rows, output_width)."""
        vectors = [torch.where(presence[:, i : i + 1], encoded[view].pooled, 0.0) for i, view in enumerate(self.views)]
        seen = presence.any(dim=1, keepdim=True)
        filled = self.cross(vectors, presence)
        tokens = {view: Encoded(x.unsqueeze(1), seen) for view, x in zip(self.views, filled, strict=True)}
        fused: torch.Tensor = self.operator(tokens, seen.expand_as(presence))
        return fused


def explained(target: np.ndarray, predict: Any, source: np.ndarray) -> float:
    """Share of the target's variance, summed over columns, that a prediction explains; 0 where it explains nothing."""
    both = np.isfinite(target).all(axis=1) & np.isfinite(source).all(axis=1)
    if both.sum() < 2:
        return 0.0
    known = target[both].astype(np.float64)
    left = float(np.square(known - predict(source[both])).sum())
    total = float(np.square(known - known.mean(axis=0)).sum())
    return max(0.0, 1.0 - left / total) if total > 0 else 0.0


def _coefficients(aligner: Any, place: int, source: str, target: str) -> np.ndarray:
    """Coefficients (components, columns of the target) of a view on the scores of another."""
    mean, weight = aligner.means_[place], aligner.weights_[place]
    probe = mean + np.linalg.pinv(weight)
    return np.asarray(aligner.predict_view(probe, source, target) - aligner.predict_view(mean[None], source, target))


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array, np.float64)).float()
