"""Numbers and categories as one standardised vector: nothing is trained, no label is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch

from fusible.encoders._base import Tensors
from fusible.encoders._columns import KNOWN, LEVELS, Columns
from fusible.encoders._frozen import FrozenEncoder
from fusible.encoders._settings import within
from fusible.errors import ModelFormatError
from fusible.types import Encoded, Modality

LIMIT = 10.0
"""Standardised numbers are clipped to this many deviations."""


class TableStandard(FrozenEncoder):
    """One token per row (rows, 1, width): each number standardised by training rows, missing flags, categories.

    A missing or infinite number is 0, its mean, with a flag set where training rows lack that number, too. A category
    is one of its `levels` most frequent levels, all zeros where it is missing, rare or never seen. For methods that
    need vectors before there are labels, such as alignment.
    """

    modality: ClassVar[Modality] = Modality.TABLE
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, levels: int = 32) -> None:
        super().__init__(levels=levels)
        within("table_standard", 1, LEVELS, levels=levels)
        self.levels = levels
        self._take(Columns([], {}), [])
        self.freeze()

    def _take(self, columns: Columns, flagged: Sequence[int]) -> None:
        """Shape everything for the columns; `flagged` are places of numbers that training rows lack."""
        self.columns, self.flagged = columns, list(flagged)
        numbers = len(columns.numbers)
        self.sizes = [min(len(known), self.levels) for known in columns.levels.values()]
        self.output_width = max(1, numbers + len(self.flagged) + sum(self.sizes))
        self.register_buffer("mean", torch.zeros(numbers, dtype=torch.float64))
        self.register_buffer("std", torch.ones(numbers, dtype=torch.float64))

    def fit(self, values: Sequence[Any] | pd.DataFrame) -> None:
        """Learn columns, levels, mean and deviation."""
        frame = _frame(values)
        columns = Columns.learn(frame)
        numbers = columns.values(frame)
        known = np.isfinite(numbers)
        self._take(columns, np.flatnonzero(~known.all(axis=0)).tolist())
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, numbers, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(known, numbers - mean, 0.0) ** 2).sum(axis=0) / count)
        self.mean = torch.from_numpy(mean)
        self.std = torch.from_numpy(np.where(spread > 0, spread, 1.0))

    def decode(self, value: pd.DataFrame) -> pd.DataFrame:
        """A row is a frame already."""
        return value

    def batch(self, decoded: Sequence[pd.DataFrame]) -> Tensors:
        """Stack rows."""
        return self.collate(decoded)

    def collate(self, values: Sequence[Any] | pd.DataFrame) -> Tensors:
        """Tensors `numbers` (rows, numbers; NaN for missing) and `codes` (rows, categories)."""
        frame = _frame(values)
        return {
            "numbers": torch.from_numpy(self.columns.values(frame)),
            "codes": torch.from_numpy(self.columns.codes(frame)),
        }

    def forward(self, tensors: Tensors) -> Encoded:
        """Standardise numbers, spread categories over their levels."""
        numbers, codes = tensors["numbers"], tensors["codes"]
        missing = numbers.isnan()
        scaled = ((numbers - self.mean) / self.std).clamp(-LIMIT, LIMIT)
        parts = [torch.where(missing, 0.0, scaled), missing[:, self.flagged].to(scaled.dtype)]
        for place, size in enumerate(self.sizes):
            levels = torch.arange(KNOWN, KNOWN + size, device=codes.device)
            parts.append((codes[:, place : place + 1] == levels).to(scaled.dtype))
        vectors = torch.cat(parts, dim=1).float()
        if not vectors.shape[1]:
            vectors = vectors.new_zeros(len(vectors), 1)
        mask = torch.ones(len(vectors), 1, dtype=torch.bool, device=vectors.device)
        return Encoded(vectors.unsqueeze(1), mask)

    def learned(self) -> Mapping[str, Any]:
        """Columns, levels, and which numbers have a flag."""
        return {**self.columns.plain(), "flagged": self.flagged}

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back what `learned` gave, and shape everything for it."""
        flagged = [int(place) for place in learned["flagged"]]
        columns = Columns(learned["numbers"], learned["levels"])
        if not all(0 <= place < len(columns.numbers) for place in flagged):
            raise ModelFormatError(f"table_standard: flagged: expected places of {len(columns.numbers)} numbers")
        self._take(columns, flagged)


def _frame(values: Sequence[Any] | pd.DataFrame) -> pd.DataFrame:
    return values if isinstance(values, pd.DataFrame) else pd.concat(list(values))
