"""Transformer decoder: attention to the words so far and to memory (Vaswani et al., NeurIPS 2017)."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from fusible.decoders._base import MEMORY, Decoder, State
from fusible.decoders._block import Block
from fusible.errors import ConfigError
from fusible.positions import sinusoids
from fusible.types import Encoded


class Transformer(Decoder):
    """A few pre-norm layers of causal attention and attention to memory.

    Places of words are sinusoids, so that no length is baked in. Steps keep keys and values of the words so far and of
    the memory. `heads` must divide `width`. Attention is that of the last layer, averaged over heads.

    >>> from fusible.types import Encoded
    >>> decoder = Transformer(vocabulary=9, memory=6, width=8)
    >>> memory = Encoded(torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool))
    >>> decoder(torch.tensor([[1, 5, 4], [1, 3, 0]]), memory).shape
    torch.Size([2, 3, 9])
    """

    def __init__(
        self,
        vocabulary: int,
        memory: int,
        width: int = 128,
        layers: int = 2,
        dropout: float = 0.1,
        heads: int = 4,
    ) -> None:
        super().__init__(vocabulary, memory, width, layers, dropout)
        if heads < 1 or width % heads:
            raise ConfigError(f"transformer: expected heads that divide width, got width {width}, heads {heads}")
        self.heads = heads
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        # Between the states and the table of words: else every word would at first be taken for the next one.
        self.last = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))

    def forward(self, tokens: torch.Tensor, memory: Encoded) -> torch.Tensor:
        """Logits of every next token at once."""
        seen, mask = self.reader(memory)
        places = torch.arange(tokens.shape[1], device=tokens.device)
        states = self.drop(self._place(tokens, places))
        for block in self._stack():
            states = block(states, block.recall(seen), mask)
        return self.score(self.last(states))

    def start(self, memory: Encoded) -> State:
        """Keys and values of the memory, per layer; none of words yet."""
        seen, mask = self.reader(memory)
        rows = len(seen)
        hidden = torch.zeros_like(mask, dtype=seen.dtype).masked_fill(~mask, float("-inf"))
        state = {f"{MEMORY}_hidden": hidden, "place": mask.new_zeros(rows, dtype=torch.int64)}
        for i, block in enumerate(self._stack()):
            state[f"{MEMORY}_{i}"] = block.recall(seen)
            state[f"own_{i}"] = seen.new_empty(rows, self.heads, 2, 0, self.width // self.heads)
        return state

    def step(self, tokens: torch.Tensor, state: State) -> tuple[torch.Tensor, torch.Tensor, State]:
        """One token through all layers."""
        states, new = self._place(tokens, state["place"]), {**state, "place": state["place"] + 1}
        hidden = attention = state[f"{MEMORY}_hidden"]
        for i, block in enumerate(self._stack()):
            own, held = state[f"own_{i}"], state[f"{MEMORY}_{i}"]
            states, new[f"own_{i}"], attention = block.step(states, own, held, hidden)
        return self.score(self.last(states)), attention, new

    def _stack(self) -> list[Block]:
        return [cast("Block", block) for block in self.blocks]

    def _place(self, tokens: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Vectors of tokens at places: (…, width)."""
        vectors = self.embed(tokens)
        return vectors + sinusoids(places, self.width).to(vectors.dtype)
