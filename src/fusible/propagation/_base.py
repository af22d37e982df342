"""The contract of every such network: vectors of entities and the edges between them in, vectors out."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from fusible.errors import ConfigError
from fusible.propagation._edges import Edges

WIDEST = 8_192
SPREAD = 1e-3
"""Deviation of what makes messages as wide as vectors, before training: these begin near zero, and would be drowned."""


class Propagation(nn.Module, ABC):
    """Adds to each entity's vector what comes to it along edges; a leaf writes `heard`, and its parameters.

    An entity without edges is what its own vector makes of it, so that one outside of the graph can be asked about by
    what is told of it. What comes in is made narrow (`hidden`) and even in size, and what goes out is added to it.

    Parameters: `relations`, number of relations, read from either end; `width` of entities' vectors; `hidden`, width of
    messages; `layers`, how many edges messages go along; `dropout`, share of messages that is left out in training.
    """

    def __init__(self, relations: int, width: int, hidden: int = 128, layers: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        if relations < 1 or not 1 <= width <= WIDEST or not 1 <= hidden <= WIDEST or layers < 1:
            raise ConfigError(
                f"{type(self).__name__}: {relations} relations, {layers} layers of width {width} and {hidden}; "
                f"expected one at least, and widths of 1 to {WIDEST}"
            )
        self.relations, self.width, self.hidden, self.layers = relations, width, hidden, layers
        self.inner = nn.Linear(width, hidden, bias=False)
        self.own = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(layers))
        self.outer = nn.Linear(hidden, width, bias=False)
        nn.init.normal_(self.outer.weight, std=SPREAD)
        self.drop = nn.Dropout(dropout)

    def forward(self, vectors: torch.Tensor, edges: Edges, hidden: torch.Tensor | None = None) -> torch.Tensor:
        """Vectors (entities, width) with what edges bring; triples that are `hidden` (rows,) bring nothing."""
        held = self.inner(vectors)
        for layer, (own, norm) in enumerate(zip(self.own, self.norms, strict=True)):
            even = norm(held)
            held = held + self.drop(torch.relu(own(even) + self.heard(layer, edges.means(even, hidden), edges)))
        found: torch.Tensor = vectors + self.outer(self.drop(held))
        return found

    @abstractmethod
    def heard(self, layer: int, means: torch.Tensor, edges: Edges) -> torch.Tensor:
        """What entities (entities, hidden) make of means (pairs, hidden) that they hear by each relation of `edges`."""


def gathered(values: torch.Tensor, edges: Edges) -> torch.Tensor:
    """Sums (entities, hidden) of values (pairs, hidden) of the same entity."""
    return values.new_zeros(edges.entities, values.shape[1]).index_add(0, edges.targets, values)
