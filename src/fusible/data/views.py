"""Views of a table: which there are, and their distinct items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from fusible.data.audio import has_sound
from fusible.data.cells import ByteCells, absent, as_names, as_numbers, is_binary
from fusible.data.content import DIGEST, content_key, text_key
from fusible.data.kinds import resolve
from fusible.data.schema import known
from fusible.errors import DataError, SchemaError
from fusible.types import MEDIA, Column, Media, Modality, Problem, Role, View, ViewData

TABLE = "table"
SOUND = "_sound"
"""Ending of the name of the audio view over a video column."""
_TABULAR = frozenset({Modality.NUMBER, Modality.CATEGORY})
_SAMPLE = 8
_SHOWN = 100


def default_views(
    table: pa.Table, root: Path | None, columns: Mapping[str, Column], joined: Mapping[str, Sequence[str]] | None
) -> dict[str, View]:
    """List the views over input columns: each media, text or entity column, and `table` for numbers and categories.

    `joined` takes columns out of this and puts them together under names of the user's. A video column with sound has
    a second view, `<name>_sound`. A text column called `table` leaves the name `table_columns` to the tabular view.
    """
    views = {name: _joined(name, members, columns) for name, members in (joined or {}).items()}
    taken = {name for view in views.values() for name in view.columns}
    free = [column for column in columns.values() if column.role is Role.INPUT and column.name not in taken]
    for column in free:
        if column.modality not in _TABULAR:
            _add(views, View(column.name, column.modality, (column.name,)))
    for view in [view for view in views.values() if view.modality is Modality.VIDEO]:
        if any(_sounds(table.column(name), name, root) for name in view.columns):
            _add(views, View(view.name + SOUND, Modality.AUDIO, view.columns))
    tabular = tuple(column.name for column in free if column.modality in _TABULAR)
    if tabular:
        _add(views, View(TABLE if TABLE not in views else f"{TABLE}_columns", Modality.TABLE, tabular))
    return views


def _add(views: dict[str, View], view: View) -> None:
    if view.name in views:
        raise SchemaError(f"two views are called {view.name!r}; name one of them with views={{'name': [columns]}}")
    views[view.name] = view


def _joined(name: str, members: Sequence[str], columns: Mapping[str, Column]) -> View:
    if not members or isinstance(members, str):
        raise SchemaError(f"view {name!r}: expected a list of columns, got {members!r}")
    for member in members:
        column = columns[known(member, list(columns))]
        if column.role is not Role.INPUT:
            raise SchemaError(f"view {name!r}: column {member!r} has the role {column.role.value}, expected input")
    kinds = {Modality.TABLE if columns[m].modality in _TABULAR else columns[m].modality for m in members}
    if len(kinds) > 1:
        found = ", ".join(f"{m} is {columns[m].modality.value}" for m in members)
        raise SchemaError(f"view {name!r}: columns of one modality can be joined, got {found}")
    return View(name, kinds.pop(), tuple(members))


def _sounds(column: pa.ChunkedArray, name: str, root: Path | None) -> bool:
    """Whether one of a few videos has a sound track."""
    rows = np.flatnonzero(~absent(column))
    for row in rows[np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(np.int64)].tolist():
        try:
            if has_sound(media_cell(column, name, row, root)):
                return True
        except DataError:
            continue  # an unreadable video says nothing about the others; it is reported where it is decoded
    return False


def media_cell(column: pa.ChunkedArray, name: str, row: int, root: Path | None) -> Media:
    """Return the media of one present cell."""
    if is_binary(column.type):
        return Media(name, row, data=ByteCells(column)[row])
    return Media(name, row, path=str(resolve(column[row].as_py(), root)))


@dataclass(slots=True)
class Pool:
    """Distinct items while they are collected: equal key, one id."""

    values: list[Media] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    lost: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def add(self, key: str, media: Media) -> int:
        """Return the id of the item, a new one where its key is new."""
        number = self.keys.setdefault(key, len(self.values))
        if number == len(self.values):
            self.values.append(media)
        return number


def media_data(
    table: pa.Table, view: View, rows: np.ndarray, root: Path | None, workers: int
) -> tuple[ViewData, list[Problem]]:
    """Collect the distinct media of a view over rows; a missing or empty file is absent and becomes a problem."""
    pool = Pool()
    ids = np.full((len(rows), len(view.columns)), -1, dtype=np.int64)
    for slot, name in enumerate(view.columns):
        column = table.column(name)
        there = np.flatnonzero(~absent(column)[rows])
        add = _add_bytes if is_binary(column.type) else _add_paths
        ids[there, slot] = add(pool, column, name, rows[there], root, workers)
    problems = [_lost(name, cells) for name, cells in pool.lost.items()]
    return ViewData(view, ids, pool.values, list(pool.keys)), problems


def _lost(name: str, cells: list[tuple[int, str]]) -> Problem:
    rows = tuple(sorted(row for row, _ in cells))
    message = f"{len(cells)} cells without a readable file, taken as empty; the first: {cells[0][1]}"
    return Problem("missing files", name, message, rows[:_SHOWN], len(rows))


def _add_bytes(
    pool: Pool, column: pa.ChunkedArray, name: str, rows: np.ndarray, root: Path | None, workers: int
) -> list[int]:
    ids = []
    cells = ByteCells(column)
    for row in rows.tolist():
        view = cells[row]
        ids.append(pool.add(blake2b(view, digest_size=DIGEST).hexdigest(), Media(name, row, data=view)))
    return ids


def _add_paths(
    pool: Pool, column: pa.ChunkedArray, name: str, rows: np.ndarray, root: Path | None, workers: int
) -> list[int]:
    codes, paths = pd.factorize(column.take(pa.array(rows)).to_numpy())
    first = np.full(len(paths), -1, dtype=np.int64)
    first[codes[::-1]] = rows[::-1]
    items = [Media(name, row, path=str(resolve(path, root))) for path, row in zip(paths, first.tolist(), strict=True)]
    with ThreadPoolExecutor(max(1, workers)) as threads:
        keys = list(threads.map(_key, items))
    numbers = [pool.add(key, item) if isinstance(key, str) else -1 for key, item in zip(keys, items, strict=True)]
    for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
        key = keys[code]
        if not isinstance(key, str):
            pool.lost.setdefault(name, []).append((row, str(key)))
    return [numbers[code] for code in codes.tolist()]


def _key(media: Media) -> str | DataError:
    try:
        return content_key(media)
    except DataError as error:
        return error


def text_data(table: pa.Table, view: View, rows: np.ndarray) -> ViewData:
    """Collect the distinct texts of a view over rows; several columns are joined by a line break."""
    cells = [_texts(table.column(name), rows) for name in view.columns]
    joined = cells[0]
    if len(cells) > 1:
        joined = ["\n".join(part for part in parts if part is not None) or None for parts in zip(*cells, strict=True)]
    codes, texts = pd.factorize(np.array([*joined, None], dtype=object)[:-1])
    values = [str(text) for text in texts]
    return ViewData(view, codes.astype(np.int64)[:, None], values, [text_key(text) for text in values])


def _texts(column: pa.ChunkedArray, rows: np.ndarray) -> list[str | None]:
    texts: list[str | None] = as_names(column.take(pa.array(rows))).tolist()
    return texts


def table_data(table: pa.Table, view: View, columns: Mapping[str, Column], rows: np.ndarray) -> ViewData:
    """Give the cells of numbers (float64) and categories (str or None) as a frame with one row per table row."""
    taken = table.select(list(view.columns)).take(pa.array(rows))
    cells = {
        name: as_numbers(taken.column(name))
        if columns[name].modality is Modality.NUMBER
        else as_names(taken.column(name))
        for name in view.columns
    }
    frame = pd.DataFrame({name: pd.Series(values, dtype=values.dtype) for name, values in cells.items()})
    there = frame.notna().any(axis=1).to_numpy()
    return ViewData(view, np.where(there, np.arange(len(rows)), -1)[:, None], frame)


def is_media(view: View) -> bool:
    """Whether the items of a view are files."""
    return view.modality in MEDIA
