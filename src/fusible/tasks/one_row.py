"""One row of a table and variants of it: what a fitted strategy answers when something is hidden or replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from fusible.data.dataset import Dataset
from fusible.tasks.attribution import hidden, seen_views, still
from fusible.tasks.nodes import Node
from fusible.tasks.source import Source
from fusible.types import View, ViewData

BATCH = 32
"""Variants that are predicted at a time."""


class OneRow:
    """The answers of `node` for variants of one row; what is not replaced is decoded and encoded once.

    `value` turns scores (rows, outputs) into the value that is explained (rows,).
    """

    def __init__(
        self, node: Node, value: Callable[[np.ndarray], np.ndarray], dataset: Dataset, row: int, workers: int = 4
    ) -> None:
        self.node, self.value, self.row = still(node), value, row
        self.views = seen_views(node)
        self.source = Source(replace(dataset, problems=[]), workers=workers, rows=np.full(BATCH, row))
        self.node.prepare(self.source)
        self.present = self.source.presence(self.views, np.arange(1))[0]

    def scores(self) -> np.ndarray:
        """Scores of the row itself, (1, outputs)."""
        return self.node.scores(self.source, np.arange(1))

    def coalitions(self, members: np.ndarray) -> np.ndarray:
        """Values (coalitions,) with some views only; `members` (coalitions, views) bool."""
        found = []
        for start in range(0, len(members), BATCH):
            part = members[start : start + BATCH]
            inside = np.ones((BATCH, len(self.views)), bool)
            inside[: len(part)] = part
            found.append(self._answers(hidden(self.source, self.views, inside), len(part)))
        return np.concatenate(found)

    def with_items(self, view: View, slot: int, items: Sequence[Any]) -> np.ndarray:
        """Values (items,) with the row's item in a slot of a view replaced; None is an absent one."""
        data = self.source.data(view)
        found = []
        for start in range(0, len(items), BATCH):
            part = items[start : start + BATCH]
            ids = data.ids.copy()
            for i, item in enumerate(part):
                ids[i, slot] = -1 if item is None else len(data.values) + i
            values = [*data.values, *part]
            found.append(self._answers(self.source.replacing({view.name: ViewData(view, ids, values)}), len(part)))
        return np.concatenate(found)

    def with_cells(self, view: View, cells: pd.DataFrame) -> np.ndarray:
        """Values (rows of `cells`,) with the row's cells of a table view replaced."""
        found = []
        for start in range(0, len(cells), BATCH):
            part = cells.iloc[start : start + BATCH].reset_index(drop=True)
            there = part.notna().any(axis=1).to_numpy()
            ids = np.full((BATCH, 1), -1)
            ids[: len(part), 0] = np.where(there, np.arange(len(part)), -1)
            found.append(self._answers(self.source.replacing({view.name: ViewData(view, ids, part)}), len(part)))
        return np.concatenate(found)

    def _answers(self, source: Source, count: int) -> np.ndarray:
        return self.value(self.node.scores(source, np.arange(count)))
