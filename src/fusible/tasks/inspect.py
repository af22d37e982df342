"""What is in a table: columns and why, views, coverage, problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from fusible.data.cells import absent
from fusible.data.checks import check
from fusible.data.dataset import Dataset
from fusible.data.read import Source, read
from fusible.types import Column, Problem


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """One column: what it is, why, the share of cells that are there, and how many different values they have.

    `distinct` is None where cells are not compared (bytes and nested cells).
    """

    name: str
    modality: str
    role: str
    reason: str
    coverage: float
    distinct: int | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """Result of `inspect`: columns, views (name -> modality and columns), problems, and the number of rows."""

    rows: int
    columns: tuple[ColumnReport, ...]
    views: dict[str, dict[str, Any]]
    problems: tuple[Problem, ...]
    split: dict[str, int] | None
    fingerprint: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "rows": self.rows,
            "columns": [asdict(column) for column in self.columns],
            "views": {name: dict(view) for name, view in self.views.items()},
            "split": self.split,
            "problems": [{**asdict(problem), "rows": list(problem.rows)} for problem in self.problems],
            "fingerprint": self.fingerprint,
        }

    @property
    def frame(self) -> pd.DataFrame:
        """Columns as a frame, one row per column of the table."""
        return pd.DataFrame([asdict(column) for column in self.columns]).set_index("name")


def inspect(
    source: Source,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    views: Mapping[str, Sequence[str]] | None = None,
    *,
    media: bool = True,
    workers: int = 4,
) -> Inspection:
    """Read a table and report what is in it.

    Parameters
    ----------
    source, columns, views
        As for `fusible.read`.
    target : str, optional
        Column to predict; then leakage and rare classes are looked for.
    media : bool
        Whether every file is decoded once, to name those that cannot be.
    workers : int
        Threads that read and decode files.

    >>> found = inspect(pd.DataFrame({"area": [50.0, 64.5, 80.0], "kind": ["flat", "flat", "house"]}))
    >>> [(column.name, column.modality) for column in found.columns]
    [('area', 'number'), ('kind', 'category')]
    """
    dataset = read(source, columns=columns, views=views, target=target)
    problems = check(dataset, target, media=media, workers=workers)
    split = dataset.split()
    return Inspection(
        rows=dataset.rows,
        columns=tuple(_report(dataset, column) for column in dataset.columns.values()),
        views={
            name: {"modality": view.modality.value, "columns": list(view.columns)}
            for name, view in dataset.views.items()
        },
        problems=tuple(problems),
        split=None if split is None else split.sizes,
        fingerprint=dataset.fingerprint,
    )


def _report(dataset: Dataset, column: Column) -> ColumnReport:
    cells = dataset.table.column(column.name)
    there = ~absent(cells)
    distinct = None
    if not (pa.types.is_nested(cells.type) or pa.types.is_large_binary(cells.type)):
        distinct = len(cells.filter(pa.array(there)).unique())
    coverage = float(there.mean())
    return ColumnReport(column.name, column.modality.value, column.role.value, column.reason, coverage, distinct)
