"""ComplEx: the real part of the product of complex head, relation and conjugate tail (Trouillon et al. 2016).

"Complex Embeddings for Simple Link Prediction", ICML 2016; with the N3 penalty and reciprocal relations of Lacroix et
al., "Canonical Tensor Decomposition for Knowledge Base Completion", ICML 2018, still among the best.
"""

from __future__ import annotations

from typing import ClassVar

import torch

from fusible.scorers._base import Product, embedding, moduli, paired


class Complex(Product):
    """Vectors hold all real parts, then all imaginary ones: (…, 2 width).

    >>> _ = torch.manual_seed(0)
    >>> scorer = Complex(relations=2, width=4)
    >>> scorer.score(scorer.query(torch.ones(1, 8), torch.tensor([1])), torch.ones(5, 8)).shape
    torch.Size([1, 5])
    """

    numbers: ClassVar[int] = 2

    def __init__(self, relations: int, width: int = 128) -> None:
        super().__init__(relations, width)
        self.relations = embedding(relations, 2 * width)

    def query(self, heads: torch.Tensor, relations: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        (real, imaginary), (kind, turn) = paired(heads), paired(self.relations(relations))
        return torch.cat([real * kind - imaginary * turn, real * turn + imaginary * kind], dim=1)

    def kinds(self, heads: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        (a, b), (c, d) = paired(heads), paired(tails)
        return torch.cat([a * c + b * d, a * d - b * c], dim=1) @ self.relations.weight.T

    def factors(
        self, heads: torch.Tensor, relations: torch.Tensor, tails: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See `Scorer`."""
        return moduli(heads), moduli(self.relations(relations)), moduli(tails)
