"""RotatE: a relation turns every complex number of the head by an angle (Sun et al. 2019).

"RotatE: Knowledge Graph Embedding by Relational Rotation in Complex Space", ICLR 2019.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import nn

from fusible.scorers._base import Distance, moduli, paired


class Rotate(Distance):
    """Score: margin less the sum of moduli of turned head less tail; vectors (…, 2 width) as in `complex`.

    >>> _ = torch.manual_seed(0)
    >>> scorer = Rotate(relations=2, width=4)
    >>> scorer.score(scorer.query(torch.ones(1, 8), torch.tensor([1])), torch.ones(5, 8)).shape
    torch.Size([1, 5])
    """

    numbers: ClassVar[int] = 2

    def __init__(self, relations: int, width: int = 128) -> None:
        super().__init__(relations, width)
        self.angles = nn.Embedding(relations, width)
        nn.init.uniform_(self.angles.weight, -math.pi, math.pi)

    def query(self, heads: torch.Tensor, relations: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        (real, imaginary), angles = paired(heads), self.angles(relations)
        cosine, sine = angles.cos(), angles.sin()
        return torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], dim=1)

    def score(self, queries: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """See `Scorer`."""
        rows = [self.margin - moduli(query - tails).sum(dim=1) for query in queries]
        return torch.stack(rows)

    def sizes(self, vectors: torch.Tensor) -> torch.Tensor:
        """See `Distance`."""
        return moduli(vectors)

    def factors(
        self, heads: torch.Tensor, relations: torch.Tensor, tails: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See `Scorer`: every relation's size is one."""
        return moduli(heads), torch.ones_like(self.angles(relations)), moduli(tails)
