"""The contract of every decoder: from tokens of memory to words, one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from fusible.decoders._memory import Reader
from fusible.errors import ConfigError
from fusible.types import Encoded

PAD, START, END = 0, 1, 2
"""Ids of the special tokens, the same everywhere: padding, before the first word, after the last."""
SPECIALS = 3
"""How many they are: the first word of a vocabulary has this id."""
DEEPEST = 64
"""Most layers, also of a decoder that is loaded."""
MEMORY = "memory"
"""Names of a state's entries that are made of memory alone begin with this."""

State = dict[str, torch.Tensor]
"""What a decoder keeps between steps; the first dimension of every tensor is rows."""


class Decoder(nn.Module, ABC):
    """Says a sequence of tokens about a memory; a leaf writes `forward`, `start` and `step`.

    The memory is what encoders and fusion give of a row: tokens (rows, steps, memory), of which only those that the
    mask says are real are seen. A row without any real token reads one token of zeros. Rows do not mix.

    Words have one table for input and output (Press & Wolf, "Using the Output Embedding to Improve Language Models",
    EACL 2017), drawn with deviation `width ** -0.5`: on the way in they are scaled to deviation one.

    Parameters: `vocabulary`, number of tokens with the special ones; `memory`, width of a memory token; `width` of the
    decoder's states; `layers`; `dropout`, share of activations dropped in training.
    """

    def __init__(self, vocabulary: int, memory: int, width: int = 128, layers: int = 1, dropout: float = 0.1) -> None:
        super().__init__()
        _check(vocabulary, memory, width, layers, dropout)
        self.vocabulary, self.memory, self.width, self.layers, self.dropout = vocabulary, memory, width, layers, dropout
        self.reader = Reader(memory, width, dropout)
        self.words = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.words.weight, std=width**-0.5)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.drop = nn.Dropout(dropout)

    @abstractmethod
    def forward(self, tokens: torch.Tensor, memory: Encoded) -> torch.Tensor:
        """Teacher forcing: tokens (rows, steps) int64 -> logits (rows, steps, vocabulary) of each next token.

        Tokens begin with `START` and are padded with `PAD` at the end. Logits depend on this token and those before
        it, so that padding changes nothing.
        """

    @abstractmethod
    def start(self, memory: Encoded) -> State:
        """State before the first token, with what is computed of the memory once."""

    @abstractmethod
    def step(self, tokens: torch.Tensor, state: State) -> tuple[torch.Tensor, torch.Tensor, State]:
        """Read one token per row, (rows,) int64.

        Gives logits (rows, vocabulary) of the next token, attention (rows, memory steps), which sums to one over real
        memory tokens, and the new state; the old one stays as it was. A search has several rows per row of memory: then
        tokens and state have `k` rows after one another for each row of the entries named `memory…`.
        """

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Vectors of tokens, of deviation about one: (…) int64 -> (…, width)."""
        vectors: torch.Tensor = self.words(tokens) * self.width**0.5
        return vectors

    def score(self, states: torch.Tensor) -> torch.Tensor:
        """Logits of all tokens: (…, width) -> (…, vocabulary)."""
        return nn.functional.linear(states, self.words.weight, self.bias)


def select(state: State, rows: torch.Tensor) -> State:
    """State of some rows, in the order of `rows` (n,) int64; a row may be taken several times.

    >>> select({"a": torch.tensor([1, 2, 3])}, torch.tensor([2, 0]))
    {'a': tensor([3, 1])}
    """
    return {name: value.index_select(0, rows) for name, value in state.items()}


def _check(vocabulary: int, memory: int, width: int, layers: int, dropout: float) -> None:
    if vocabulary <= SPECIALS:
        raise ConfigError(f"decoder: expected a vocabulary of {SPECIALS} special tokens and words, got {vocabulary}")
    if memory < 1 or width < 1 or not 1 <= layers <= DEEPEST:
        raise ConfigError(
            f"decoder: expected memory and width from 1, 1 to {DEEPEST} layers, "
            f"got memory {memory}, width {width}, layers {layers}"
        )
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(f"decoder: expected a dropout from 0 to below 1, got {dropout}")
