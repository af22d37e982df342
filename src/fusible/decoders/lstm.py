"""LSTM with additive attention to memory (Xu et al., "Show, Attend and Tell", ICML 2015)."""

from __future__ import annotations

import torch
from torch import nn

from fusible.decoders._base import MEMORY, Decoder, State
from fusible.types import Encoded


class Lstm(Decoder):
    """Before each word the LSTM's state looks at the memory (Bahdanau et al., ICLR 2015), and reads what it saw.

    As in the paper, state and cell start from the mean of the memory, a gate says how much of what was seen is read,
    and the next word is told from the last word, the state and what was seen. Several `layers` are stacked; the first
    one reads word and memory, the last one looks.

    >>> from fusible.types import Encoded
    >>> decoder = Lstm(vocabulary=9, memory=6, width=8)
    >>> memory = Encoded(torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool))
    >>> logits, attention, state = decoder.step(torch.tensor([1, 1]), decoder.start(memory))
    >>> logits.shape, attention.shape
    (torch.Size([2, 9]), torch.Size([2, 3]))
    """

    def __init__(self, vocabulary: int, memory: int, width: int = 128, layers: int = 1, dropout: float = 0.1) -> None:
        super().__init__(vocabulary, memory, width, layers, dropout)
        self.first = nn.Linear(width, 2 * layers * width)
        self.keys = nn.Linear(width, width)
        self.query = nn.Linear(width, width, bias=False)
        self.energy = nn.Linear(width, 1, bias=False)
        self.gate = nn.Linear(width, 1)
        self.cells = nn.ModuleList(nn.LSTMCell(2 * width if i == 0 else width, width) for i in range(layers))
        self.join = nn.Linear(3 * width, width)
        self.last = nn.LayerNorm(width)

    def forward(self, tokens: torch.Tensor, memory: Encoded) -> torch.Tensor:
        """Logits of every next token; the states follow one another."""
        state, words, found = self.start(memory), self.drop(self.embed(tokens)), []
        for word in words.unbind(dim=1):
            joined, _, state = self._read(word, state)
            found.append(joined)
        return self.score(self.last(torch.stack(found, dim=1)))

    def start(self, memory: Encoded) -> State:
        """Memory tokens and their keys; state and cell from their mean."""
        seen, mask = self.reader(memory)
        real = mask.unsqueeze(-1)
        mean = seen.masked_fill(~real, 0.0).sum(dim=1) / real.sum(dim=1)
        hidden, cell = torch.tanh(self.first(mean)).view(-1, 2, self.layers, self.width).unbind(dim=1)
        held = {f"{MEMORY}_mask": mask, f"{MEMORY}_tokens": seen, f"{MEMORY}_keys": self.keys(seen)}
        return {**held, "hidden": hidden, "cell": cell}

    def step(self, tokens: torch.Tensor, state: State) -> tuple[torch.Tensor, torch.Tensor, State]:
        """Look, read, and tell the next token."""
        joined, attention, new = self._read(self.embed(tokens), state)
        return self.score(self.last(joined)), attention, new

    def _read(self, words: torch.Tensor, state: State) -> tuple[torch.Tensor, torch.Tensor, State]:
        """One step of all layers: words (rows, width) -> what the next word is told from, attention, state."""
        hidden, cell = list(state["hidden"].unbind(dim=1)), list(state["cell"].unbind(dim=1))
        attention, context = self._look(hidden[-1], state)
        below = torch.cat([words, context], dim=1)
        for i, layer in enumerate(self.cells):
            hidden[i], cell[i] = layer(below, (hidden[i], cell[i]))
            below = self.drop(hidden[i])
        joined = self.drop(self.join(torch.cat([words, below, context], dim=1)))
        return joined, attention, {**state, "hidden": torch.stack(hidden, dim=1), "cell": torch.stack(cell, dim=1)}

    def _look(self, hidden: torch.Tensor, state: State) -> tuple[torch.Tensor, torch.Tensor]:
        """Attention (rows, memory steps) of states (rows, width), and the gated mean of memory under it."""
        tokens, mask = state[f"{MEMORY}_tokens"], state[f"{MEMORY}_mask"]
        query = self.query(hidden).unflatten(0, (len(mask), len(hidden) // max(1, len(mask))))
        energy = self.energy(torch.tanh(state[f"{MEMORY}_keys"].unsqueeze(1) + query.unsqueeze(2))).squeeze(-1)
        weight = energy.masked_fill(~mask.unsqueeze(1), float("-inf")).softmax(dim=-1)
        context = (weight @ tokens).flatten(0, 1) * torch.sigmoid(self.gate(hidden))
        return weight.flatten(0, 1), context
