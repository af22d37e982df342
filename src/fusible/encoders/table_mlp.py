"""Numbers and categories by a small network with piecewise-linear embeddings of numbers, trained here.

Gorishniy, Rubachev & Babenko 2022, "On Embeddings for Numerical Features in Tabular Deep Learning".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import nn

from fusible.encoders._base import Encoder, Tensors
from fusible.encoders._columns import KNOWN, UNKNOWN, Columns
from fusible.encoders._settings import within
from fusible.types import Encoded, Modality

EXTREME = 5.0
"""Standardised numbers are clipped to this many deviations."""


class TableMlp(Encoder):
    """Tokens are columns (rows, columns, width), numbers first; the vector is the output of a two-layer network.

    A number becomes its standardised value, a missing flag, and its place among `bins` quantile bins of training rows
    (1 for every bin below, the fraction inside its bin, 0 above); missing and infinite numbers are all zeros but for
    the flag. A category is an embedding, with levels of their own for missing and never seen.
    """

    modality: ClassVar[Modality] = Modality.TABLE
    mean: torch.Tensor
    std: torch.Tensor
    edges: torch.Tensor
    offsets: torch.Tensor

    def __init__(self, width: int = 128, embedding: int = 16, bins: int = 16, dropout: float = 0.1) -> None:
        super().__init__(width=width, embedding=embedding, bins=bins, dropout=dropout)
        within("table_mlp", 1, 8192, width=width, embedding=embedding, bins=bins)
        within("table_mlp", 0, 0.95, dropout=dropout)
        self.width, self.embedding, self.bins, self.dropout = width, embedding, bins, dropout
        self.output_width = width
        self._take(Columns([], {}))

    def _take(self, columns: Columns) -> None:
        """Shape parameters and buffers for the columns."""
        self.columns = columns
        numbers, categories = len(columns.numbers), len(columns.levels)
        inputs = self.bins + 2
        self.register_buffer("mean", torch.zeros(numbers, dtype=torch.float64))
        self.register_buffer("std", torch.ones(numbers, dtype=torch.float64))
        self.register_buffer("edges", torch.zeros(numbers, self.bins + 1, dtype=torch.float64))
        sizes = [len(known) + KNOWN for known in columns.levels.values()]
        self.register_buffer("offsets", torch.tensor([0, *np.cumsum(sizes)[:-1]][:categories], dtype=torch.int64))
        self.number_weight = nn.Parameter(torch.randn(numbers, inputs, self.embedding) / inputs**0.5)
        self.number_bias = nn.Parameter(torch.zeros(numbers, self.embedding))
        self.levels = nn.Embedding(sum(sizes), self.embedding)
        # Training never meets an unknown level: left at random it would be noise, at zero it says nothing.
        with torch.no_grad():
            self.levels.weight[self.offsets + UNKNOWN] = 0.0
        total = max(numbers + categories, 1) * self.embedding
        self.to_token = nn.Linear(self.embedding, self.width)
        self.layers = nn.Sequential(
            nn.Linear(total, 2 * self.width),
            nn.ReLU(),
            nn.Dropout(self.dropout),
            nn.Linear(2 * self.width, self.width),
            nn.ReLU(),
        )
        self.train(self.training)  # new layers take the mode that the encoder is in

    def fit(self, values: Sequence[Any] | pd.DataFrame) -> None:
        """Learn columns, levels, mean and deviation, and the quantile bins of every number."""
        frame = _frame(values)
        self._take(Columns.learn(frame))
        for place, column in enumerate(self.columns.values(frame).T):
            seen = column[np.isfinite(column)]
            if len(seen):
                self.mean[place] = float(seen.mean())
                self.std[place] = float(seen.std()) or 1.0
                edges = np.quantile(seen, np.linspace(0.0, 1.0, self.bins + 1))
                self.edges[place] = torch.from_numpy(edges)

    def decode(self, value: Any) -> Any:
        """Rows are taken as they are."""
        return value

    def collate(self, values: Sequence[Any] | pd.DataFrame) -> Tensors:
        """Tensors of a DataFrame, or of a list of DataFrames."""
        return self.batch(values)

    def batch(self, decoded: Sequence[Any] | pd.DataFrame) -> Tensors:
        """Tensors `numbers` (rows, numbers, bins + 2) float32 and `codes` (rows, categories) int64."""
        if not isinstance(decoded, pd.DataFrame) and not len(decoded):
            decoded = pd.DataFrame(columns=pd.Index(self.columns.names))
        frame = _frame(decoded)
        codes = torch.from_numpy(self.columns.codes(frame))
        numbers = self._place(self.columns.values(frame))
        return {"numbers": torch.from_numpy(numbers), "codes": codes}

    def _place(self, values: np.ndarray) -> np.ndarray:
        """Piecewise-linear places of numbers (rows, numbers) -> (rows, numbers, bins + 2), NaN for missing."""
        mean, std, edges = (part.cpu().numpy() for part in (self.mean, self.std, self.edges))
        missing = np.isnan(values)
        clean = np.where(missing, mean, values)
        scaled = np.clip((clean - mean) / std, -EXTREME, EXTREME)
        low, span = edges[:, :-1], np.diff(edges, axis=1)
        with np.errstate(over="ignore"):  # far outside a narrow bin: infinite, and cut to 1
            inside = (clean[:, :, None] - low) / np.where(span > 0, span, 1.0)
        above = clean[:, :, None] > low
        place = np.where(span > 0, np.clip(inside, 0.0, 1.0), above)
        parts = np.concatenate([scaled[:, :, None], place, np.zeros_like(scaled)[:, :, None]], axis=2)
        flag = np.zeros(parts.shape[2])
        flag[-1] = 1.0
        result: np.ndarray = np.where(missing[:, :, None], flag, parts).astype(np.float32)
        return result

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode rows."""
        numbers = torch.einsum("rnb,nbe->rne", tensors["numbers"], self.number_weight) + self.number_bias
        levels = self.levels(tensors["codes"] + self.offsets)
        columns = torch.cat([numbers.relu(), levels], dim=1)
        if not columns.shape[1]:
            columns = columns.new_zeros(len(columns), 1, self.embedding)
        tokens = self.to_token(columns)
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return Encoded(tokens, mask, self.layers(columns.flatten(1)))

    def learned(self) -> Mapping[str, Any]:
        """Columns and levels."""
        return self.columns.plain()

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back columns and levels, and shape everything for them."""
        self._take(Columns(**learned))


def _frame(values: Sequence[Any] | pd.DataFrame) -> pd.DataFrame:
    return values if isinstance(values, pd.DataFrame) else pd.concat(list(values))
