"""What a table says of entities: encoded once, view by view, in the order of the graph's entities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fusible.data.cache import ArrayCache
from fusible.data.cells import as_names
from fusible.data.dataset import Dataset
from fusible.data.graph import Graph
from fusible.data.read import read
from fusible.encoders._base import Encoder
from fusible.errors import DataError, SchemaError
from fusible.tasks.label_free import fit_encoder, label_free_encoders
from fusible.tasks.source import Progress, Source
from fusible.tasks.vectors import pooled
from fusible.types import Column, Role, View

NAME = "entity"
"""Column of a table of entities that names them, where nothing else is said."""


@dataclass(slots=True)
class Told:
    """Encodings `features` {view: float32 (entities, width)}, NaN where nothing is said, and how to make more."""

    features: dict[str, torch.Tensor]
    views: tuple[View, ...]
    columns: tuple[Column, ...]
    encoders: dict[str, Encoder]

    def encode(self, rows: Any) -> dict[str, torch.Tensor]:
        """Encodings {view: (rows, width)} of other entities, of which a table with the same columns tells."""
        dataset = read(rows, like=list(self.columns))
        source = Source(replace(dataset, views={view.name: view for view in self.views}))
        return _features(source, self.views, self.encoders, np.arange(dataset.rows))


def with_entities(graph: Graph, table: Any, name: str = NAME) -> tuple[Graph, Dataset, np.ndarray]:
    """The graph with the entities that only the table names after its own, the table, and the entity of each row.

    Raises `SchemaError` without the column of names, `DataError` for a row without a name or with that of another.
    """
    dataset = read(table, columns={name: "text:ignore"})
    cells = as_names(dataset.table.column(name)).tolist()
    known = {entity: place for place, entity in enumerate(graph.entities)}
    for row, cell in enumerate(cells):
        if cell is None:
            raise DataError(f"entities: row {row} has no {name!r}; expected one in every row")
        known.setdefault(cell, len(known))
    [(twice, times)] = Counter(cells).most_common(1) or [(None, 0)]
    if times > 1:
        raise DataError(f"entities: {twice!r} stands in two rows; expected one row per entity")
    if not set(cells) & set(graph.entities):
        raise DataError(f"entities: none of the column {name!r} is in the graph; the first is {cells[0]!r}")
    return replace(graph, entities=tuple(known)), dataset, np.array([known[cell] for cell in cells])


def told_of(
    graph: Graph,
    dataset: Dataset,
    places: np.ndarray,
    *,
    encoders: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Told:
    """Encode what a table says of entities, by encoders that need no labels, fitted on entities of training triples."""
    store = ArrayCache(None if cache is None else Path(cache))
    source = Source(dataset, cache=store, device=device, progress=progress)
    views = tuple(dataset.views.values())
    if not views:
        raise SchemaError("entities: the table has no column besides the name; give descriptions, pictures or numbers")
    rows = np.flatnonzero(np.isin(places, np.unique(graph.part("train")[:, [0, 2]])))
    chosen = label_free_encoders(source, views, rows, encoders or {})
    built = {view.name: fit_encoder(source, view, chosen[view.name][0], rows, seed) for view in views}
    found = _features(source, views, built, np.arange(dataset.rows))
    features = {}
    for view, values in found.items():
        features[view] = torch.full((len(graph.entities), values.shape[1]), float("nan"))
        features[view][torch.from_numpy(places)] = values
    columns = tuple(column for column in dataset.columns.values() if column.role is Role.INPUT)
    return Told(features, views, columns, built)


def _features(
    source: Source, views: tuple[View, ...], encoders: Mapping[str, Encoder], rows: np.ndarray
) -> dict[str, torch.Tensor]:
    """Pooled encodings of each view, divided by their usual length, so that all views count alike."""
    found = {}
    for view in views:
        values = pooled(source.feed(view, encoders[view.name], encoded=True), rows).astype(np.float32)
        found[view.name] = torch.from_numpy(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9))
    return found
