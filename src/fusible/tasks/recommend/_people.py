"""What is known of users: levels of categories and ranges of numbers, one column each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fusible.data.cells import as_names, as_numbers
from fusible.data.read import read
from fusible.errors import ConfigError, DataError, SchemaError
from fusible.tasks.recommend.ratings import GUESSES
from fusible.types import Modality, Role

RANGES = 5
"""Ranges of a number, with about as many users each."""
LEAST = 2
"""Users that a level needs, so that something is learned of it."""
MOST_LEVELS = 100


@dataclass(frozen=True, slots=True)
class People:
    """Columns that describe users: `levels` {column: names}, `edges` {column: where its ranges begin but the first}."""

    levels: Mapping[str, tuple[str, ...]]
    edges: Mapping[str, tuple[float, ...]]

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """Column, and level or range, of each attribute."""
        found = [(column, level) for column, levels in self.levels.items() for level in levels]
        for column, edges in self.edges.items():
            ends = [f"under {edges[0]:g}", *(f"{a:g} to {b:g}" for a, b in pairwise(edges))]
            found += [(column, end) for end in (*ends, f"from {edges[-1]:g}")]
        return tuple(found)

    def encode(self, cells: Mapping[str, np.ndarray]) -> np.ndarray:
        """Float32 (users, attributes), 1 where it holds, of columns of names or numbers; absent cells hold nothing."""
        parts = [
            np.stack([cells[column] == level for level in levels], axis=1) for column, levels in self.levels.items()
        ]
        for column, edges in self.edges.items():
            values = cells[column].astype(np.float64)
            place = np.where(np.isfinite(values), np.searchsorted(edges, values, side="right"), -1)
            parts.append(place[:, None] == np.arange(len(edges) + 1))
        return np.concatenate(parts, axis=1).astype(np.float32)

    def encode_one(self, said: Mapping[str, Any]) -> np.ndarray:
        """The same (1, attributes) of what is said of one user, {column: value}; `ConfigError` for what is unknown."""
        for column, value in said.items():
            if column in self.levels:
                if str(value) not in self.levels[column]:
                    known = ", ".join(self.levels[column][:10])
                    raise ConfigError(f"about {column}={value}: nobody of the ratings has it; expected one of {known}")
            elif column not in self.edges:
                raise ConfigError(f"about {column}: users are known by {', '.join([*self.levels, *self.edges])}")
        cells: dict[str, np.ndarray] = {c: np.array([str(said.get(c, ""))], dtype=object) for c in self.levels}
        for column in self.edges:
            try:
                cells[column] = np.array([float(said.get(column, "nan"))])
            except ValueError:
                raise ConfigError(f"about {column}={said[column]}: expected a number") from None
        return self.encode(cells)


def read_people(table: Any, users: Sequence[str], user: str | None = None) -> tuple[People, np.ndarray]:
    """Read a table of users, a row each: what describes them, and its columns (users, attributes) in order of `users`.

    Numbers and categories count; texts are left out. Raises `SchemaError` for a column that is not there, `DataError`
    where no user of the ratings is told of, or one in two rows.
    """
    names = read(table).table.column_names
    chosen = user or next((name for name in names if name.lower() in GUESSES["user"]), None)
    if chosen is None or chosen not in names:
        raise SchemaError(f"users: which column names the user? The table has {', '.join(names)}; one of ratings' name")
    dataset = read(table, columns={chosen: "text:ignore"})
    ids = as_names(dataset.table.column(chosen))
    place = {name: row for row, name in enumerate(ids.tolist()) if name is not None}
    if len(place) < sum(name is not None for name in ids):
        twice = Counter(name for name in ids.tolist() if name is not None).most_common(1)[0][0]
        raise DataError(f"users: {twice!r} stands in several rows; expected one row per user")
    rows = np.array([place.get(name, -1) for name in users])
    if (rows < 0).all():
        raise DataError(f"users: none of the ratings' users is in the column {chosen!r}; the first is {users[0]!r}")
    levels: dict[str, tuple[str, ...]] = {}
    edges: dict[str, tuple[float, ...]] = {}
    cells: dict[str, np.ndarray] = {}
    for column in dataset.columns.values():
        if column.role is not Role.INPUT or column.modality not in {Modality.NUMBER, Modality.CATEGORY}:
            continue
        held = dataset.table.column(column.name)
        if column.modality is Modality.NUMBER:
            values = as_numbers(held)
            ends = np.unique(np.nanquantile(values, np.linspace(0, 1, RANGES + 1)[1:-1]).round(6))
            edges[column.name] = tuple(ends.tolist())
            cells[column.name] = np.where(rows >= 0, values[rows], np.nan)
        else:
            cell = as_names(held).tolist()
            found = np.array([cell[row] if row >= 0 else None for row in rows], dtype=object)
            kept, counts = np.unique([one for one in found.tolist() if one is not None], return_counts=True)
            levels[column.name] = tuple(kept[counts >= LEAST][:MOST_LEVELS].tolist())
            cells[column.name] = found
    levels = {column: held for column, held in levels.items() if held}
    if not levels and not edges:
        raise SchemaError(f"users: no number or category describes them; the table has {', '.join(names)}")
    people = People(levels, edges)
    return people, people.encode(cells)
