"""Columns of a table view: numbers as float arrays, categories as integer codes of levels learned in training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fusible.errors import SchemaError

LEVELS = 10_000
"""Levels kept per category column, the most frequent first."""
LARGEST = 1e100
"""Larger numbers are taken for this one: their squares would be infinite."""
MISSING, UNKNOWN, KNOWN = 0, 1, 2
"""Codes: a missing cell, a level never seen in training, the first level."""


class Columns:
    """Which columns are numbers and which categories, with their levels; learned from training rows, JSON outside.

    >>> columns = Columns.learn(pd.DataFrame({"age": [1.0, None], "city": ["Rome", "Oslo"]}))
    >>> columns.codes(pd.DataFrame({"age": [3.0], "city": ["Paris"]})).tolist()
    [[1]]
    """

    def __init__(self, numbers: Sequence[str], levels: Mapping[str, Sequence[str]]) -> None:
        self.numbers = list(numbers)
        self.levels = {name: list(known) for name, known in levels.items()}

    @classmethod
    def learn(cls, frame: pd.DataFrame) -> Columns:
        """Columns of numeric dtype are numbers, the others categories."""
        numbers = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
        levels: dict[str, list[str]] = {}
        for name in frame.columns.difference(numbers, sort=False):
            counts = _texts(frame[name]).value_counts()
            ranked = sorted(counts.items(), key=lambda item: (-int(item[1]), str(item[0])))
            levels[name] = [str(level) for level, _ in ranked[:LEVELS]]
        return cls(numbers, levels)

    @property
    def names(self) -> list[str]:
        """Numbers first, then categories."""
        return [*self.numbers, *self.levels]

    def values(self, frame: pd.DataFrame) -> np.ndarray:
        """Numbers, float64, shape (rows, numbers); missing and infinite cells are NaN."""
        self._check(frame)
        if not self.numbers:
            return np.zeros((len(frame), 0))
        columns = [pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64) for name in self.numbers]
        values = np.stack(columns, axis=1)
        return np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan)

    @property
    def ordered(self) -> list[str]:
        """Categories whose levels are all numbers (postal codes, grades): their order may mean something."""
        return [name for name, known in self.levels.items() if known and all(_is_number(level) for level in known)]

    def codes(self, frame: pd.DataFrame) -> np.ndarray:
        """Categories, int64, shape (rows, categories): `MISSING`, `UNKNOWN`, or `KNOWN` + place of the level."""
        self._check(frame)
        codes = np.zeros((len(frame), len(self.levels)), dtype=np.int64)
        for column, (name, known) in enumerate(self.levels.items()):
            texts = _texts(frame[name])
            found = pd.Index(known, dtype=object).get_indexer(pd.Index(texts, dtype=object))
            codes[:, column] = np.where(texts.isna().to_numpy(), MISSING, np.where(found < 0, UNKNOWN, found + KNOWN))
        return codes

    def _check(self, frame: pd.DataFrame) -> None:
        missing = [name for name in self.names if name not in frame.columns]
        if missing:
            raise SchemaError(f"table view: expected columns {self.names}, missing {missing}; add them to the table")

    def plain(self) -> dict[str, Any]:
        """JSON values that `Columns(**plain)` takes back."""
        return {"numbers": self.numbers, "levels": self.levels}


def _texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Cells as text, missing ones kept; 1.0 and 1 are one level."""
    objects = column.astype(object)
    return objects.map(_text, na_action="ignore").where(objects.notna(), None)


def _is_number(level: str) -> bool:
    try:
        return math.isfinite(float(level))
    except ValueError:
        return False


def _text(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
