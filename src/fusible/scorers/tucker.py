"""TuckER: a core tensor that all relations share (Balažević et al. 2019).

"TuckER: Tensor Factorization for Knowledge Graph Completion", EMNLP 2019.
"""

from __future__ import annotations

import torch
from torch import nn

from fusible.scorers._base import Product, embedding


class Tucker(Product):
    """A relation of `kind_width` numbers (default 30, or `width` if that is less) mixes `kind_width` square matrices.

    >>> _ = torch.manual_seed(0)
    >>> scorer = Tucker(relations=2, width=4)
    >>> scorer.score(scorer.query(torch.ones(1, 4), torch.tensor([1])), torch.ones(5, 4)).shape
    torch.Size([1, 5])
    """

    def __init__(self, relations: int, width: int = 128, kind_width: int | None = None, dropout: float = 0.3) -> None:
        super().__init__(relations, width)
        self.kind_width = min(width, 30) if kind_width is None else kind_width
        self.relations = embedding(relations, self.kind_width, spread=1.0)
        self.core = nn.Parameter(torch.empty(self.kind_width, width * width).uniform_(-1, 1) * width**-0.5)
        self.drop = nn.Dropout(dropout)

    def query(self, heads: torch.Tensor, relations: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        found: torch.Tensor = self.drop(torch.einsum("bk,bkj->bj", self.relations(relations), self._mixed(heads)))
        return found

    def kinds(self, heads: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        return torch.einsum("bkj,bj->bk", self._mixed(heads), tails) @ self.relations.weight.T

    def _mixed(self, heads: torch.Tensor) -> torch.Tensor:
        """Heads by every matrix (rows, kind width, width): a matrix per row would take width / kind width as much."""
        matrices = self.core.view(self.kind_width, self.width, self.width)
        return torch.einsum("bi,kij->bkj", heads, matrices)

    def factors(
        self, heads: torch.Tensor, relations: torch.Tensor, tails: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See `Scorer`."""
        return heads.abs(), self.relations(relations).abs(), tails.abs()
