"""A table that was read: cells, schema, views and problems."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusible.data.cells import as_names, is_string, parse_numbers
from fusible.data.content import DIGEST
from fusible.data.schema import known
from fusible.data.split import Split, from_names
from fusible.data.views import is_media, media_data, table_data, text_data
from fusible.errors import SchemaError
from fusible.types import Column, Modality, Problem, Role, View, ViewData

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Buffer

_BATCH = 1024
_SHOWN = 100


@dataclass(eq=False)
class Dataset:
    """Rows of a table with a schema; made by `fusible.data.read.read`.

    `root` is the folder that paths in cells are relative to (None: the working folder). Rows are numbered from 0.
    Media are decoded by nobody here: `view_data` gives the distinct items, an encoder decodes them batch by batch.
    """

    table: pa.Table
    root: Path | None
    columns: dict[str, Column]
    views: dict[str, View]
    problems: list[Problem] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    def __len__(self) -> int:
        return self.rows

    @cached_property
    def fingerprint(self) -> str:
        """BLAKE2b of the cells and the schema, in hex; files that cells name are not read."""
        digest = blake2b(digest_size=DIGEST)
        schema = [(c.name, c.modality.value, c.role.value) for c in self.columns.values()]
        digest.update(json.dumps(schema).encode())
        for name, column in zip(self.table.column_names, self.table.columns, strict=True):
            digest.update(f"{name}: {column.type}".encode())
            for cells in _cells(column):
                digest.update(cells)
        return digest.hexdigest()

    def names(self, role: Role) -> tuple[str, ...]:
        """Names of the columns with a role."""
        return tuple(column.name for column in self.columns.values() if column.role is role)

    def view_data(self, view: View | str, rows: np.ndarray | None = None, workers: int = 4) -> ViewData:
        """Give the cells of a view over `rows` (default: all), each distinct item once.

        Files that are missing or empty count as absent cells and are added to `problems`; files are hashed in
        `workers` threads. Raises `SchemaError` for a view that does not exist.
        """
        view = self._view(view)
        chosen = np.arange(self.rows) if rows is None else np.asarray(rows, dtype=np.int64)
        if view.modality is Modality.TABLE:
            return table_data(self.table, view, self.columns, chosen)
        if not is_media(view):
            return text_data(self.table, view, chosen)
        data, problems = media_data(self.table, view, chosen, self.root, workers)
        for problem in problems:
            self.note(problem)
        return data

    def _view(self, view: View | str) -> View:
        if isinstance(view, View):
            for name in view.columns:
                known(name, self.table.column_names)
            return view
        if view not in self.views:
            raise SchemaError(f"view {view!r}: no such view; views are {', '.join(map(repr, self.views)) or 'none'}")
        return self.views[view]

    def note(self, problem: Problem) -> None:
        """Add a problem; one of the same kind and column is replaced where the new one covers more."""
        for index, old in enumerate(self.problems):
            if (old.kind, old.column) == (problem.kind, problem.column):
                if problem.count >= old.count:
                    self.problems[index] = problem
                return
        self.problems.append(problem)

    def take(self, rows: np.ndarray) -> Dataset:
        """Return a data set of these rows, numbered anew, with the same schema and views."""
        table = self.table.take(pa.array(np.asarray(rows, dtype=np.int64)))
        return Dataset(table, self.root, dict(self.columns), dict(self.views))

    def to_pandas(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Return columns (default: all) as a frame, cells as they stand in the table."""
        names = self.table.column_names if columns is None else [known(n, self.table.column_names) for n in columns]
        frame: pd.DataFrame = self.table.select(names).to_pandas()
        return frame

    def split(self) -> Split | None:
        """Return the parts that the `split` column names; None where there is no such column."""
        names = self.names(Role.SPLIT)
        return from_names(as_names(self.table.column(names[0]))) if names else None

    def group_values(self) -> np.ndarray | None:
        """Int (rows,): the group of each row; None without a `group` column. A row without a group is its own."""
        names = self.names(Role.GROUP)
        if not names:
            return None
        cells = as_names(self.table.column(names[0]))
        alone = np.array([cell is None for cell in cells], dtype=bool)
        _, codes = np.unique(np.where(alone, "", cells).astype(str), return_inverse=True)
        groups: np.ndarray = np.where(alone, codes.max(initial=0) + 1 + np.arange(len(cells)), codes)
        return groups


def _cells(column: pa.ChunkedArray) -> Iterator[Buffer]:
    """Give the bytes of a column: which cells are there, and their values, whatever lies under the null ones."""
    for start in range(0, len(column), _BATCH):
        part = column.slice(start, _BATCH)
        yield np.packbits(part.is_valid().to_numpy()).tobytes()
        there = pa.concat_arrays(part.drop_null().chunks or [pa.array([], part.type)])
        yield pa.record_batch([there], names=["cells"]).serialize()


def conform(table: pa.Table, columns: Mapping[str, Column], problems: list[Problem]) -> pa.Table:
    """Turn text cells of number columns into numbers; count the cells that are none, and infinite and NaN ones."""
    for index, name in enumerate(table.column_names):
        column = columns.get(name)
        if column is None or column.modality is not Modality.NUMBER or column.role is Role.IGNORE:
            continue
        cells = table.column(name)
        if is_string(cells.type):
            cells, bad = parse_numbers(cells)
            table = table.set_column(index, name, cells)
            _count(problems, "not a number", name, bad, "are not numbers and count as missing")
        if pa.types.is_floating(cells.type):
            infinite = np.asarray(pc.fill_null(pc.is_inf(cells), False).to_numpy(), dtype=bool)
            nan = np.asarray(pc.fill_null(pc.is_nan(cells), False).to_numpy(), dtype=bool)
            _count(problems, "infinite numbers", name, infinite, "are infinite and count as missing")
            _count(problems, "NaN", name, nan, "are NaN and count as missing")
    return table


def _count(problems: list[Problem], kind: str, name: str, cells: np.ndarray, what: str) -> None:
    rows = np.flatnonzero(cells)
    if len(rows):
        shown = tuple(rows[:_SHOWN].tolist())
        problems.append(Problem(kind, name, f"{len(rows)} cells {what}; the first in row {rows[0]}", shown, len(rows)))
