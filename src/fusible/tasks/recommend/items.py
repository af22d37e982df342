"""What is known of items: a table and a graph, as views whose products say how alike two items are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from fusible.data.cache import ArrayCache
from fusible.data.cells import as_names
from fusible.data.dataset import Dataset
from fusible.data.graph import Graph, read_graph
from fusible.data.read import read
from fusible.encoders._base import Encoder
from fusible.errors import DataError, SchemaError
from fusible.tasks.label_free import fit_encoder, label_free_encoders
from fusible.tasks.recommend._linked import bag_of, linked
from fusible.tasks.source import Progress, Source
from fusible.tasks.vectors import pooled
from fusible.types import Modality, Problem, Role, View

TEXT, TAGS, GRAPH = "text", "tags", "graph"
"""Views of all words of an item together, of its sets of tags, of what a graph links it to."""
GUESSES = ("item", "item_id", "itemid", "movie_id", "movieid", "product_id", "id", "asin")
NAMES = ("title", "name", "movie_title", "label")
MOST_TAGS, LEAST_TAGS, OFTEN = 200, 1.2, 3.0
"""A column is of tags where its words are no more different ones than this, more than one per cell in the mean, and
each is used so often in the mean; words apart by blanks alone are tags where all begin with a capital."""
SEPARATORS = ("|", ";", ",", " ")
_WORD = re.compile(r"[A-Za-z]")


@dataclass(slots=True)
class Items:
    """Views of items, in the order of `ids`: rows of length 1, or 0 where a view says nothing of an item.

    `views` {view: (items, width)}, dense or sparse; `terms` names the columns of sparse ones. `table` holds the cells,
    a row per item, for filters and shown names (`names`), `tabular` are its columns of the tabular view. `encoder` and
    `centre` are those of the view of words.
    """

    ids: tuple[str, ...]
    views: dict[str, np.ndarray | csr_matrix] = field(default_factory=dict)
    terms: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    tabular: tuple[str, ...] = ()
    table: pd.DataFrame | None = None
    encoder: Encoder | None = None
    centre: np.ndarray | None = None
    problems: list[Problem] = field(default_factory=list)

    def kernels(self, views: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Likeness (items, items) by each view: cosines, 0 where an item has nothing to compare."""
        return {view: _products(self.views[view]) for view in (self.views if views is None else views)}


@dataclass(frozen=True, slots=True)
class ItemTable:
    """A table of items that was read: a row each, named by the column `item`; `tags` are columns of several values."""

    dataset: Dataset
    item: str
    ids: tuple[str, ...]
    tags: Mapping[str, str]
    problems: tuple[Problem, ...] = ()


def read_items(
    table: Any,
    item: str | None = None,
    *,
    tags: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> ItemTable:
    """Read a table of items; `item` is the column that names them, `tags` are columns of several words per cell.

    Both are guessed where they are not given. Raises `SchemaError` for a column that is not there, `DataError` for a
    row without a name or with that of another.
    """
    names = read(table).table.column_names
    chosen = item or next((name for name in names if name.lower() in GUESSES), None)
    if chosen is None or chosen not in names:
        said = f"no column {item!r}" if item else "which column names the item?"
        raise SchemaError(f"items: {said} The table has {', '.join(names)}; say --item-id NAME")
    if missing := [name for name in tags or () if name not in names]:
        raise SchemaError(f"items: no column {missing[0]!r} of tags; expected one of {', '.join(names)}")
    dataset = read(table, columns={**(columns or {}), chosen: "text:ignore"})
    ids = as_names(dataset.table.column(chosen)).tolist()
    if None in ids:
        raise DataError(f"items: row {ids.index(None)} has no {chosen!r}; expected one in every row")
    if len(set(ids)) < len(ids):
        twice = Counter(ids).most_common(1)[0][0]
        raise DataError(f"items: {twice!r} stands in two rows; expected one row per item")
    inputs = [c.name for c in dataset.columns.values() if c.role is Role.INPUT and c.modality in _WORDY]
    if tags is None:
        kept = {name: mark for name in inputs if (mark := _separator(dataset, name))}
    else:
        kept = {name: _mark(_words(dataset, name)) for name in tags}
    problems = []
    if tags is None and kept:
        text = f"{', '.join(map(repr, kept))} taken as several tags per cell; say --tags COL, or --tags '' for none"
        problems.append(Problem("guess", "items", text, (), 0))
    return ItemTable(dataset, chosen, tuple(ids), kept, tuple(problems))


def items_of(
    ids: Sequence[str],
    known: ItemTable | None = None,
    *,
    label: str | None = None,
    graph: Any = None,
    links: Any = None,
    encoders: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Items:
    """Encode what a table and a graph say of items `ids`; of what is not told, rows are zero.

    All columns of words together are the view `text`; columns of tags are also the view `tags`; media and the other
    cells are views as elsewhere, encoded without labels. `links` is a table of item and entity; without it items have
    their entities' names.
    """
    found = Items(tuple(ids), names=tuple(ids))
    if known is not None:
        found.problems += known.problems
        source = Source(
            known.dataset, cache=ArrayCache(None if cache is None else Path(cache)), device=device, progress=progress
        )
        place = {name: row for row, name in enumerate(known.ids)}
        rows = np.array([place.get(name, -1) for name in ids])
        _from_table(found, known, source, rows, encoders or {}, seed)
        found.problems += [*known.dataset.problems, *source.problems]
        found.table = _cells(known, rows)
        found.names = _names(found.table, ids, label)
        if unknown := int((rows < 0).sum()):
            text = f"{unknown} item(s) of the ratings have no row in the table of items; nothing is known of them"
            found.problems.append(Problem("unknown item", "items", text, (), unknown))
    if graph is not None:
        _from_graph(found, graph if isinstance(graph, Graph) else read_graph(graph), links)
    return found


_WORDY = (Modality.TEXT, Modality.CATEGORY)


def _from_table(
    found: Items, known: ItemTable, source: Source, rows: np.ndarray, encoders: Mapping[str, str], seed: int
) -> None:
    dataset = known.dataset
    inputs = [column for column in dataset.columns.values() if column.role is Role.INPUT]
    wordy = [column.name for column in inputs if column.modality in _WORDY]
    views = [view for view in dataset.views.values() if view.modality is not Modality.TEXT]
    views = [_without(view, known.tags) for view in views]
    views = [view for view in views if view.columns]
    if any(column.modality is Modality.TEXT for column in inputs):
        views.append(View(TEXT, Modality.TEXT, tuple(wordy)))
    told = replace(dataset, views={view.name: view for view in views})
    every = np.arange(dataset.rows)
    source.dataset = told
    chosen = label_free_encoders(source, views, every, encoders)
    for view in views:
        encoder = fit_encoder(source, view, chosen[view.name][0], every, seed)
        values = pooled(source.feed(view, encoder, encoded=True), every).astype(np.float64)
        there = np.isfinite(values).all(axis=1)
        centre = values[there].mean(axis=0) if there.any() else np.zeros(values.shape[1])
        found.views[view.name] = _taken(directions(values - centre), rows)
        if view.modality is Modality.TABLE:
            found.tabular = view.columns
        if view.name == TEXT:
            found.encoder, found.centre = encoder, centre
    if known.tags:
        cells = [_tags_of(known, row) if row >= 0 else set() for row in rows]
        bag = bag_of(cells)
        found.views[TAGS], found.terms[TAGS] = bag.values, bag.terms


def _from_graph(found: Items, graph: Graph, links: Any) -> None:
    place = {name: row for row, name in enumerate(found.ids)}
    if links is None:
        entities = {row: name for name, row in place.items()}
    else:
        pairs = read(links).table
        if len(pairs.column_names) < 2:
            raise SchemaError(f"links: expected two columns, item and entity, got {', '.join(pairs.column_names)}")
        items, names = (as_names(column) for column in pairs.columns[:2])
        told = {(place[i], n) for i, n in zip(items, names, strict=True) if i in place and n is not None}
        entities = dict(sorted(told, reverse=True))
        if more := sum(count > 1 for count in Counter(row for row, _ in told).values()):
            text = f"{more} item(s) are linked to several entities; the first by name counts"
            found.problems.append(Problem("duplicate", "links", text, (), more))
    bag = linked(graph, entities, len(found.ids))
    if not bag.values.nnz:
        raise DataError(
            "graph: no item is linked to anything that another one is, too; give --links with item and entity"
        )
    found.views[GRAPH], found.terms[GRAPH] = bag.values, bag.terms
    if bare := int((np.diff(bag.values.indptr) == 0).sum()):
        text = f"{bare} item(s) have no link in the graph that another has"
        found.problems.append(Problem("no link", "graph", text, (), bare))


def directions(values: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32; zero where they are, or are not finite."""
    clean = np.where(np.isfinite(values).all(axis=1, keepdims=True), values, 0.0)
    length = np.linalg.norm(clean, axis=1, keepdims=True)
    return np.asarray(clean / np.where(length > 1e-9, length, 1.0), np.float32)


def _products(values: np.ndarray | csr_matrix) -> np.ndarray:
    found = values @ values.T
    return np.asarray(found.toarray() if isinstance(found, csr_matrix) else found, np.float32)


def _taken(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of the table in the order of items; zero where there is none."""
    return np.where(rows[:, None] >= 0, values[np.maximum(rows, 0)], np.float32(0))


def _without(view: View, tags: Mapping[str, str]) -> View:
    return replace(view, columns=tuple(name for name in view.columns if name not in tags))


def _tags_of(known: ItemTable, row: int) -> set[tuple[str, str]]:
    cells = ((name, mark, known.dataset.table.column(name)[int(row)].as_py()) for name, mark in known.tags.items())
    return {(name, tag.strip()) for name, mark, cell in cells if cell for tag in str(cell).split(mark) if tag.strip()}


def _separator(dataset: Dataset, name: str) -> str:
    """The mark that parts a column's tags, empty where it does not look like one of tags."""
    cells = _words(dataset, name)
    mark = _mark(cells)
    words = [[word.strip() for word in cell.split(mark) if word.strip()] for cell in cells]
    count, distinct = sum(map(len, words)), {word for one in words for word in one}
    few = 0 < len(distinct) <= MOST_TAGS and count >= OFTEN * len(distinct) and count >= LEAST_TAGS * len(cells)
    once = all(len(set(one)) == len(one) for one in words)
    named = all(word[0].isupper() if mark == " " else _WORD.search(word) for word in distinct)
    return mark if few and once and named else ""


def _mark(cells: Sequence[str]) -> str:
    """The first mark that stands between words of some cell."""
    return next((mark for mark in SEPARATORS if any(mark in cell for cell in cells)), SEPARATORS[-1])


def _words(dataset: Dataset, name: str) -> list[str]:
    return [cell for cell in as_names(dataset.table.column(name)).tolist() if cell is not None]


def _cells(known: ItemTable, rows: np.ndarray) -> pd.DataFrame:
    """Cells of the items, without media, for filters and names."""
    kept = [c.name for c in known.dataset.columns.values() if c.modality in {*_WORDY, Modality.NUMBER, Modality.ENTITY}]
    frame = known.dataset.to_pandas(kept).astype(object)
    frame = frame.reindex(np.where(rows >= 0, rows, len(frame))).reset_index(drop=True)
    return frame.where(frame.notna(), None)


def _names(table: pd.DataFrame, ids: Sequence[str], label: str | None) -> tuple[str, ...]:
    """What items are shown as: a column of titles where there is one, else their ids."""
    chosen = label or next((name for name in table.columns if name.lower() in NAMES), None)
    if chosen is None:
        return tuple(ids)
    if chosen not in table.columns:
        raise SchemaError(f"items: no column {chosen!r} to show; expected one of {', '.join(table.columns)}")
    cells = table[chosen].tolist()
    return tuple(one if pd.isna(cell) else str(cell) for one, cell in zip(ids, cells, strict=True))
