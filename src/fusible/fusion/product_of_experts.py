"""Product of experts: every view gives a Gaussian belief, and beliefs multiply."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._project import Projecting

LARGEST = 5.0
"""Largest size of a logarithm of a precision."""


class ProductOfExperts(Projecting):
    """Product of Gaussian experts (Wu & Goodman, multimodal VAE, NeurIPS 2018), read by one hidden layer.

    A present view gives a mean and a precision for each latent column; a standard normal prior is one more expert. The
    product is Gaussian: its precision is the sum of precisions, its mean the mean of means weighed by precisions. An
    absent view is no expert; with all absent the prior remains. So a view counts for less where it is unsure, row by
    row, and any presence pattern is treated alike.

    The mean is used, in training and prediction alike: without the decoder and the divergence term of the variational
    autoencoder, noise drawn from the posterior would only teach the precisions to grow.

    >>> import torch
    >>> operator = ProductOfExperts({"a": 4, "b": 4}, width=1)
    >>> means, precisions = torch.tensor([[[1.0], [4.0]]]), torch.tensor([[[2.0], [1.0]]])
    >>> [part.item() for part in operator.product(means, precisions, torch.tensor([[True, True]]))]
    [1.5, 4.0]
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128) -> None:
        super().__init__(widths, width, 2 * width)
        del self.absent
        self.mix = nn.Sequential(nn.Linear(width, width), nn.GELU())

    def experts(self, vectors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Means and precisions of each view, both (rows, views, width)."""
        means, raw = self.project(vectors).chunk(2, dim=-1)
        return means, torch.exp(LARGEST * torch.tanh(raw / LARGEST))

    def product(
        self, means: torch.Tensor, precisions: torch.Tensor, presence: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and precision (rows, width) of present experts and the prior."""
        counted = torch.where(presence.unsqueeze(-1), precisions, 0.0)
        total = 1.0 + counted.sum(dim=1)
        return (counted * means).sum(dim=1) / total, total

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        mean, _ = self.product(*self.experts(vectors), presence)
        fused: torch.Tensor = self.mix(mean)
        return fused
