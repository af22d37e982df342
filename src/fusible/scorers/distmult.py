"""DistMult: the sum of products of head, relation and tail (Yang et al. 2015).

"Embedding Entities and Relations for Learning and Inference in Knowledge Bases", ICLR 2015.
"""

from __future__ import annotations

import torch

from fusible.scorers._base import Product, embedding


class Distmult(Product):
    """Symmetric: a relation and its inverse score alike unless reciprocal relations are learned.

    >>> _ = torch.manual_seed(0)
    >>> scorer = Distmult(relations=2, width=4)
    >>> scorer.score(scorer.query(torch.ones(1, 4), torch.tensor([1])), torch.ones(5, 4)).shape
    torch.Size([1, 5])
    """

    def __init__(self, relations: int, width: int = 128) -> None:
        super().__init__(relations, width)
        self.relations = embedding(relations, width)

    def query(self, heads: torch.Tensor, relations: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        kinds: torch.Tensor = self.relations(relations)
        return heads * kinds

    def kinds(self, heads: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        return (heads * tails) @ self.relations.weight.T

    def factors(
        self, heads: torch.Tensor, relations: torch.Tensor, tails: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See `Scorer`."""
        return heads.abs(), self.relations(relations).abs(), tails.abs()
