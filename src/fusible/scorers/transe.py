"""TransE: a relation is a shift from head to tail (Bordes et al. 2013).

"Translating Embeddings for Modeling Multi-relational Data", NeurIPS 2013.
"""

from __future__ import annotations

import torch

from fusible.scorers._base import Distance, embedding


class Transe(Distance):
    """Score: margin less the sum of absolute differences of head + relation and tail.

    >>> _ = torch.manual_seed(0)
    >>> scorer = Transe(relations=2, width=4)
    >>> scorer.score(scorer.query(torch.ones(1, 4), torch.tensor([1])), torch.ones(5, 4)).shape
    torch.Size([1, 5])
    """

    def __init__(self, relations: int, width: int = 128) -> None:
        super().__init__(relations, width)
        self.relations = embedding(relations, width, spread=width**-0.5)

    def query(self, heads: torch.Tensor, relations: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        kinds: torch.Tensor = self.relations(relations)
        return heads + kinds

    def score(self, queries: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        return self.margin - torch.cdist(queries, tails, p=1)

    def sizes(self, vectors: torch.Tensor) -> torch.Tensor:
        """See `Distance`."""
        return vectors.abs()

    def factors(
        self, heads: torch.Tensor, relations: torch.Tensor, tails: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See `Scorer`."""
        return heads.abs(), self.relations(relations).abs(), tails.abs()
