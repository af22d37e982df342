"""Text by a small recurrent network trained here, with a tokenizer of its own (Cho et al. 2014)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fusible.encoders._base import Encoder, Tensors
from fusible.encoders._language import words
from fusible.encoders._sequences import mask_of, pad_ids
from fusible.encoders._settings import within
from fusible.types import Encoded, Modality

PAD, UNKNOWN, SPECIAL = 0, 1, 2


class TextGru(Encoder):
    """Tokens: every state of a GRU (rows, words, width); the vector is the last state of the text.

    The vocabulary is learned in `fit`: the `vocabulary` most frequent words and punctuation marks; others are one
    unknown word. With `bidirectional`, half of the width reads backwards, and the vector joins both last states.
    """

    modality: ClassVar[Modality] = Modality.TEXT

    def __init__(
        self,
        width: int = 128,
        embedding: int = 64,
        max_length: int = 128,
        bidirectional: bool = False,
        vocabulary: int = 20_000,
    ) -> None:
        super().__init__(
            width=width,
            embedding=embedding,
            max_length=max_length,
            bidirectional=bidirectional,
            vocabulary=vocabulary,
        )
        within("text_gru", 1, 1_000_000, embedding=embedding, max_length=max_length, vocabulary=vocabulary)
        within("text_gru", 2, 65_536, width=width)
        self.max_length, self.vocabulary, self.bidirectional = max_length, vocabulary, bidirectional
        half = width // 2 if bidirectional else width
        self.output_width = 2 * half if bidirectional else half
        self.gru = nn.GRU(embedding, half, batch_first=True, bidirectional=bidirectional)
        self._take([], embedding)

    def _take(self, known: Sequence[str], embedding: int) -> None:
        self.known = list(known)
        self.ids = {word: number + SPECIAL for number, word in enumerate(self.known)}
        self.embedding = nn.Embedding(len(self.known) + SPECIAL, embedding, padding_idx=PAD)
        # Training never meets the unknown word: left at random it would be noise, at zero it says nothing.
        with torch.no_grad():
            self.embedding.weight[UNKNOWN].zero_()

    def fit(self, values: Sequence[str]) -> None:
        """Learn the vocabulary: most frequent words first, ties in alphabetical order."""
        counts = Counter(word for value in values for word in words(value))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        self._take(ranked[: self.vocabulary], self.embedding.embedding_dim)

    def decode(self, value: str) -> np.ndarray:
        """Word ids, int32, shape (words,); a text without words is one unknown word."""
        found = words(value[: 64 * self.max_length])[: self.max_length]
        return np.array([self.ids.get(word, UNKNOWN) for word in found] or [UNKNOWN], dtype=np.int32)

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensors `ids` (rows, longest) and `lengths` (rows,)."""
        ids, lengths = pad_ids(decoded)
        return {"ids": ids, "lengths": lengths}

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode word ids."""
        ids, lengths = tensors["ids"], tensors["lengths"]
        mask = mask_of(lengths, ids.shape[1])
        if not len(ids):
            empty = self.embedding.weight.new_zeros(0, ids.shape[1], self.output_width)
            return Encoded(empty, mask, empty[:, 0])
        states = self._states(self.embedding(ids), lengths)
        last = states[torch.arange(len(ids), device=ids.device), lengths - 1]
        if self.bidirectional:
            half = self.output_width // 2
            last = torch.cat([last[:, :half], states[:, 0, half:]], dim=1)
        return Encoded(states.masked_fill(~mask.unsqueeze(-1), 0.0), mask, last)

    def _states(self, embedded: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        if not self.bidirectional:  # pads come after the words and cannot reach them: no packing needed
            states: torch.Tensor = self.gru(embedded)[0]
            return states
        packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        padded, _ = nn.utils.rnn.pad_packed_sequence(
            self.gru(packed)[0], batch_first=True, total_length=embedded.shape[1]
        )
        return padded

    def learned(self) -> Mapping[str, Any]:
        """The vocabulary, in the order of its ids."""
        return {"words": self.known}

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back the vocabulary and shape the embedding for it."""
        self._take(learned["words"], self.embedding.embedding_dim)
