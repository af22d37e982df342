"""Text by word embeddings and an LSTM trained here (Hochreiter & Schmidhuber 1997)."""

from __future__ import annotations

import torch
from torch import nn

from fusible.encoders._settings import within
from fusible.encoders.text_gru import TextGru


class TextLstm(TextGru):
    """Tokens: every state of an LSTM (rows, words, width); the vector is the last state of the text.

    Words are learned in `fit` as by `text_gru`: the `vocabulary` most frequent ones.
    """

    def __init__(self, width: int = 128, embedding: int = 64, max_length: int = 128, vocabulary: int = 20_000) -> None:
        within("text_lstm", 1, 1_000_000, embedding=embedding, max_length=max_length, vocabulary=vocabulary)
        within("text_lstm", 1, 65_536, width=width)
        super().__init__(max(2, width), embedding, max_length, False, vocabulary)
        self.settings = {
            "width": width,
            "embedding": embedding,
            "max_length": max_length,
            "vocabulary": vocabulary,
        }
        self.output_width = width
        del self.gru
        self.lstm = nn.LSTM(embedding, width, batch_first=True)

    def _states(self, embedded: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.lstm(embedded)[0]  # pads come after the words and cannot reach them
        return states
