"""Factorised bilinear pooling: sums of products of projected columns, for every pair of views."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import torch

from fusible.errors import TooLargeError
from fusible.fusion._project import Projecting, at_least_one, mixer

WIDEST = 64
"""Most pooled columns of a pair."""
PAIRS = 45
"""Most pairs of views: those of ten views."""
SMALL = 1e-6


class Bilinear(Projecting):
    """Multi-modal factorised bilinear pooling (MFB; Yu et al., ICCV 2017), over all pairs of views.

    Each view is projected to `factors` columns per pooled one, a pair's projections are multiplied, sums over `factors`
    neighbours are taken, and the result passes a signed square root and is brought to unit mean square. All pairs go
    side by side through one hidden layer. A view has one projection for all its pairs; an absent view is the neutral
    factor, one plus a vector learned for its absence, and so is the partner of a single view.

    Raises `TooLargeError` for more than `PAIRS` pairs.

    >>> import torch
    >>> operator = Bilinear({"text": 4, "image": 4}, width=8, factors=2)
    >>> pooled = operator.pooled(torch.tensor([[[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 1.0, 3.0]]]))
    >>> torch.allclose(pooled, torch.tensor([4.0, 15.0]).sqrt() / 9.5**0.5, atol=1e-3)
    True
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128, factors: int = 4) -> None:
        at_least_one("bilinear", factors=factors)
        number = len(widths) * (len(widths) - 1) // 2
        if number > PAIRS:
            raise TooLargeError(
                f"fusion operator bilinear: {len(widths)} views make {number} pairs, more than {PAIRS}; take low_rank, "
                "or join views (--view NAME=COLUMN,COLUMN)"
            )
        self.factors = factors
        super().__init__(widths, width, min(width, WIDEST) * factors)
        self.pairs = list(combinations(range(len(widths)), 2))
        self.mix = mixer(max(1, number) * min(width, WIDEST), width)

    def pooled(self, factors: torch.Tensor) -> torch.Tensor:
        """Pool products of pairs: (rows, views, pooled · factors) -> (rows, pairs, pooled)."""
        first, second = ([pair[k] for pair in self.pairs] for k in (0, 1))
        product = factors[:, first] * factors[:, second] if self.pairs else factors
        total = product.view(*product.shape[:2], product.shape[2] // self.factors, self.factors).sum(dim=-1)
        rooted = torch.sign(total) * ((total.abs() + SMALL).sqrt() - SMALL**0.5)
        normal: torch.Tensor = rooted * (rooted.square().mean(dim=-1, keepdim=True) + SMALL).rsqrt()
        return normal

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        factors = torch.where(presence.unsqueeze(-1), self.project(vectors), 1.0 + self.absent)
        fused: torch.Tensor = self.mix(self.pooled(factors).flatten(1))
        return fused
