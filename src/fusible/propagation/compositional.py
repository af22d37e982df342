"""CompGCN: what a neighbour says is multiplied by the relation's vector; either direction has a matrix (2020).

Vashishth et al., "Composition-based Multi-Relational Graph Convolutional Networks", ICLR 2020.
"""

from __future__ import annotations

import torch
from torch import nn

from fusible.propagation._base import Propagation, gathered
from fusible.propagation._edges import Edges


class Compositional(Propagation):
    """A vector for each relation from either end, and two matrices, for what comes from heads and from tails.

    >>> _ = torch.manual_seed(0)
    >>> edges = Edges(torch.tensor([[0, 0, 1], [1, 1, 2]]), entities=4, relations=2)
    >>> Compositional(relations=2, width=6, hidden=3)(torch.ones(4, 6), edges).shape
    torch.Size([4, 6])
    """

    def __init__(self, relations: int, width: int, hidden: int = 128, layers: int = 2, dropout: float = 0.2) -> None:
        super().__init__(relations, width, hidden, layers, dropout)
        self.kinds = nn.Parameter(torch.randn(layers, 2 * relations, hidden))
        self.turned = nn.Parameter(torch.randn(layers, 2, hidden, hidden) * hidden**-0.5)

    def heard(self, layer: int, means: torch.Tensor, edges: Edges) -> torch.Tensor:
        """See `Propagation`."""
        said = means * self.kinds[layer][edges.kinds]
        back = (edges.kinds >= self.relations).unsqueeze(1)
        sides = gathered(torch.where(back, 0.0, said), edges), gathered(torch.where(back, said, 0.0), edges)
        return sides[0] @ self.turned[layer, 0] + sides[1] @ self.turned[layer, 1]
