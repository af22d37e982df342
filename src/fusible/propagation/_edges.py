"""Edges of a graph in both directions, as what passing messages needs: the mean over neighbours by each relation."""

from __future__ import annotations

import torch
from torch import nn


class Edges:
    """Triples int64 (rows, 3) read from both ends; a tail hears by its relation, a head by `relation + relations`.

    `targets` and `kinds` (pairs,) are entities and the relations that they hear by. Some triples may be `hidden`
    (rows,): they are not heard, from either end.
    """

    def __init__(self, triples: torch.Tensor, entities: int, relations: int) -> None:
        heads, kinds, tails = triples.T
        self.entities, self.relations = entities, relations
        keys = torch.cat([tails * 2 * relations + kinds, heads * 2 * relations + kinds + relations])
        order = keys.argsort(stable=True)
        pairs, self._places = torch.unique_consecutive(keys[order], return_inverse=True)
        self.targets, self.kinds = pairs // (2 * relations), pairs % (2 * relations)
        self._sources = torch.cat([heads, tails])[order]
        self._rows = order % max(len(triples), 1)
        counts = torch.bincount(self._places, minlength=len(pairs))
        self._starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        self._facts, self._order = ((heads * relations + kinds) * entities + tails).sort()

    def rows(self, triples: torch.Tensor) -> torch.Tensor:
        """Which triples of the graph (rows of it,) are among others (any, 3)."""
        heads, kinds, tails = triples.T
        asked = (heads * self.relations + kinds) * self.entities + tails
        found = torch.zeros(len(self._facts), dtype=torch.bool)
        found[self._order[torch.isin(self._facts, asked)]] = True
        return found

    def means(self, vectors: torch.Tensor, hidden: torch.Tensor | None = None) -> torch.Tensor:
        """Means (pairs, width) of the vectors (entities, width) that each pair hears; zero where all are hidden."""
        heard = torch.ones(len(self._sources)) if hidden is None else (~hidden[self._rows]).float()
        counts = torch.zeros(len(self.targets)).index_add(0, self._places, heard)
        values = heard / counts.clamp(min=1)[self._places]
        return nn.functional.embedding_bag(
            self._sources, vectors, self._starts, mode="sum", per_sample_weights=values, include_last_offset=True
        )
