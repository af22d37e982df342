"""Low-rank tensor fusion: the outer product of all views, weighed by factors and never built."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.fusion._project import Projecting, at_least_one, mixer

WIDEST = 64
"""Most columns of a view before its factors."""


class LowRank(Projecting):
    """Low-rank multimodal fusion (LMF; Liu et al., ACL 2018).

    Tensor fusion multiplies the outer product of all [1; z_v] by one weight tensor. Here that tensor has rank `rank`:
    it is the sum over r of mix_r times the outer product of factors (views, rank, 1 + inner, width), so that the result
    is the sum over r of mix_r · Π_v (factor_{v,r} applied to [1; z_v]): linear in the number of views, not exponential.
    An absent view's z is a vector learned for its absence, at first zero. The row of the constant starts at one: a view
    begins as a factor near one, and the product of many views neither vanishes nor explodes.

    >>> import torch
    >>> present = torch.tensor([[True, True], [True, False]])
    >>> operator = LowRank({"text": 4, "image": 4}, width=8, rank=2)
    >>> operator.fuse({"text": torch.ones(2, 4), "image": torch.ones(2, 4)}, present).shape
    torch.Size([2, 8])
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128, rank: int = 4) -> None:
        at_least_one("low_rank", rank=rank)
        super().__init__(widths, width, min(width, WIDEST))
        self.factors = nn.Parameter(torch.randn(len(widths), rank, 1 + self.inner, width) * self.inner**-0.5)
        with torch.no_grad():
            self.factors[:, :, 0] = 1.0
        self.weights = nn.Parameter(torch.full((rank, 1), rank**-0.5))
        self.mix = mixer(width, width)

    def contract(self, tokens: torch.Tensor) -> torch.Tensor:
        """Contract tokens (rows, views, inner), each with a one before it, with the tensor -> (rows, width)."""
        product = self.weights.expand(len(tokens), -1, self.output_width)
        for factor, token in zip(self.factors, tokens.unbind(dim=1), strict=True):
            applied = token @ factor[:, 1:].transpose(0, 1).flatten(1) + factor[:, 0].flatten()
            product = product * applied.unflatten(-1, factor.shape[:1] + factor.shape[2:])
        return product.sum(dim=1)

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        fused: torch.Tensor = self.mix(self.contract(self.tokens(vectors, presence)))
        return fused
