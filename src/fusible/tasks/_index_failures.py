"""Cells that an index could not read: of this run, and of earlier ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fusible.data.cells import absent
from fusible.data.content import content_key
from fusible.data.dataset import Dataset
from fusible.data.views import media_cell
from fusible.encoders._base import Encoder
from fusible.errors import DataError
from fusible.types import MEDIA, View, ViewData


@dataclass(frozen=True, slots=True)
class Failed:
    """A cell that holds something which could not be read: within the rows looked at, its view, and why.

    `passing` where it could be read a moment later.
    """

    row: int
    view: str
    message: str
    passing: bool = False


def failed_cells(
    dataset: Dataset,
    view: View,
    encoder: Encoder,
    rows: np.ndarray,
    data: ViewData,
    before: np.ndarray,
    vectors: np.ndarray,
) -> list[Failed]:
    """Cells of a view that are filled but gave nothing; `before` are the view's ids before it was encoded.

    Each failed item is read once more, for its message. `rows` are the table's, one per row of `data`.
    """
    found: dict[int, Failed] = {}
    said: dict[int, tuple[str, bool]] = {}
    for row, slot in zip(*np.nonzero((before >= 0) & (data.ids < 0)), strict=True):
        item = int(before[row, slot])
        if item not in said:
            said[item] = _why(encoder, data.values[item])
        one = Failed(int(row), view.name, *said[item])
        if one.passing or one.row not in found:
            found[one.row] = one
    if view.modality in MEDIA:
        for slot, name in enumerate(view.columns):
            column = dataset.table.column(name)
            lost = ~absent(column.take(pa.array(rows))) & (before[:, slot] < 0)
            for row in np.flatnonzero(lost).tolist():
                found.setdefault(row, Failed(row, view.name, *_lost(column, name, int(rows[row]), dataset.root)))
    for row in np.flatnonzero((data.ids >= 0).any(axis=1) & ~np.isfinite(vectors).all(axis=1)).tolist():
        found.setdefault(row, Failed(row, view.name, f"row {rows[row]}, view {view.name!r}: says nothing to the model"))
    return [found[row] for row in sorted(found)]


def standing(failures: Iterable[Mapping[str, str]], told: Sequence[Mapping[str, str]]) -> list[str]:
    """A note where cells of rows that were left as they are could not be read in an earlier run."""
    known = {(one["id"], one["view"]) for one in told}
    rest = (one for one in failures if (one["id"], one["view"]) not in known)
    first = next(rest, None)
    if first is None:
        return []
    said = f"row {first['id']!r}, view {first['view']!r}: {first['message']}"
    return [f"cells that could not be read in earlier runs are still absent, {1 + sum(1 for _ in rest)} in all: {said}"]


def _why(encoder: Encoder, value: Any) -> tuple[str, bool]:
    try:
        encoder.decode(value)
    except DataError as error:
        return str(error), False
    return "could not be read a first time, could a second time; run the same command again", True


def _lost(column: pa.ChunkedArray, name: str, row: int, root: Path | None) -> tuple[str, bool]:
    try:
        content_key(media_cell(column, name, row, root))
    except DataError as error:
        return str(error), False
    return "was not there a first time, was a second time; run the same command again", True
