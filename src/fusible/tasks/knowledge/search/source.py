"""What is searched: a graph with names, types and descriptions of its entities, and the sentences that say triples."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fusible.data.cells import as_names
from fusible.data.dataset import Dataset
from fusible.data.graph import Graph, graph_of, read_graph
from fusible.data.graph_files import COLUMNS
from fusible.data.read import read
from fusible.errors import DataError
from fusible.tasks.knowledge.links._views import NAME, with_entities
from fusible.tasks.knowledge.search.words import label_of, type_of
from fusible.types import Modality, Role

TRIPLES, MENTIONS, ENTITIES = "triples.parquet", "mentions.parquet", "entities.parquet"
NAMES = ("name", "label", "title")
ALIASES = ("aliases", "alias")
TYPES = ("type", "types")
COUNTED = ("count", "confidence")
"""Columns of a stored graph's entities that tell nothing to be searched."""
BETWEEN = "|"
"""Stands between several names or types in one cell."""
MENTIONED = ["triple", "document", "sentence", "confidence"]


@dataclass(frozen=True, slots=True)
class Searchable:
    """A graph and what is told of it; lists are in the order of `graph.entities` and `graph.relations`.

    `names` are what an entity is called, the one that is shown first; `labels` of relations likewise, and `told` what
    describes them. `confidence` (triples,) is between 0 and 1. `mentions` are rows of triple, document, sentence and
    confidence. `kind` says what was read.
    """

    graph: Graph
    names: list[tuple[str, ...]]
    types: list[tuple[str, ...]]
    about: list[str]
    labels: list[str]
    told: list[str]
    confidence: np.ndarray
    mentions: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=MENTIONED))

    @property
    def triples(self) -> np.ndarray:
        """Places (rows, 3) of head, relation and tail."""
        return self.graph.triples

    def __len__(self) -> int:
        return len(self.graph.entities)


def searchable(graph: Any, entities: Any = None, relations: Any = None, *, entity: str = NAME) -> Searchable:
    """Read what is to be searched.

    `graph` is a stored graph's folder, or what `read_graph` reads; `entities` a table with a row per entity: the
    column `entity` names it, `name` (or `label`), `aliases` and `type` are taken as such, texts, categories and numbers
    in others describe it. `relations` is a table with the columns `relation` and `label`, and others that describe
    it. Raises `DataError` or `SchemaError` in one line.
    """
    found = _stored(Path(graph)) if _is_stored(graph) else _plain(graph)
    if entities is not None:
        found = _with_table(found, entities, entity)
    if relations is not None:
        found = _with_relations(found, relations)
    if not len(found.graph):
        raise DataError("graph: no triples; there is nothing to search")
    return found


def _is_stored(graph: Any) -> bool:
    return isinstance(graph, str | Path) and (Path(graph) / TRIPLES).is_file()


def _plain(graph: Any) -> Searchable:
    held = graph if isinstance(graph, Graph) else read_graph(graph)
    names: list[tuple[str, ...]] = [(label_of(name),) for name in held.entities]
    labels = [label_of(name) for name in held.relations]
    blank = [""] * len(held.entities)
    return Searchable(held, names, [()] * len(blank), blank, labels, [""] * len(labels), np.ones(len(held)))


def _stored(folder: Path) -> Searchable:
    """A stored graph: its triples with their confidence, its entities, and its mentions where there are such."""
    table = _parquet(folder / TRIPLES, COLUMNS)
    found = _plain(graph_of({"train": table}))
    places = _Places(found.graph)
    confidence = np.ones(len(found.graph))
    if "confidence" in table.column_names:
        given = table.column("confidence").to_pandas().fillna(1.0).to_numpy(np.float64)
        confidence[:] = 0.0
        np.maximum.at(confidence, places.rows(table), given.clip(0.0, 1.0))
    found = replace(found, confidence=confidence)
    if (folder / MENTIONS).is_file():
        told = _parquet(folder / MENTIONS, (*COLUMNS, "document", "sentence"))
        frame = pd.DataFrame({"triple": places.rows(told)})
        for name in ("document", "sentence"):
            frame[name] = told.column(name).cast(pa.string()).to_pandas().fillna("").to_numpy()
        known = "confidence" in told.column_names
        frame["confidence"] = told.column("confidence").to_pandas().fillna(1.0).to_numpy() if known else 1.0
        found = replace(found, mentions=frame[frame["triple"] >= 0].reset_index(drop=True))
    if (folder / ENTITIES).is_file():
        known_ones = set(found.graph.entities)
        table = _parquet(folder / ENTITIES, (NAME,))
        table = table.filter(pa.array([name in known_ones for name in table.column(NAME).to_pylist()]))
        found = _with_table(found, table.drop_columns([n for n in COUNTED if n in table.column_names]), NAME)
    return found


class _Places:
    """Rows of triples by their names."""

    def __init__(self, graph: Graph) -> None:
        heads, kinds, tails = graph.triples.T
        said = zip(heads.tolist(), kinds.tolist(), tails.tolist(), strict=True)
        self._rows = {triple: row for row, triple in enumerate(said)}
        self._entities = {name: place for place, name in enumerate(graph.entities)}
        self._relations = {name: place for place, name in enumerate(graph.relations)}

    def rows(self, table: pa.Table) -> np.ndarray:
        """Row of the triple that each row of a table says, -1 where the graph lacks it."""
        cells = (table.column(name).to_pylist() for name in COLUMNS)
        ends, kinds = self._entities, self._relations
        triples = ((ends.get(h), kinds.get(r), ends.get(t)) for h, r, t in zip(*cells, strict=True))
        return np.array([self._rows.get(triple, -1) for triple in triples], np.int64)


def _with_table(found: Searchable, table: Any, name: str) -> Searchable:
    """Take in what a table tells of entities; those that it names alone are taken in, too."""
    graph, dataset, places = with_entities(found.graph, table, name)
    more = len(graph.entities) - len(found.graph.entities)
    names = [*found.names, *((label_of(one),) for one in graph.entities[len(graph.entities) - more :])]
    types, about = [*found.types, *([()] * more)], [*found.about, *([""] * more)]
    cells = {column: _cells(dataset, column) for column in dataset.table.column_names if column != name}
    shown = next((column for column in NAMES if column in cells), None)
    rest = [c for c in cells if c not in {shown, *ALIASES, *TYPES} and _is_said(dataset, c)]
    for row, place in enumerate(places.tolist()):
        own = cells[shown][row][:1] if shown else []
        others = [one for column in ALIASES if column in cells for one in cells[column][row]]
        names[place] = tuple(dict.fromkeys([*own, *names[place], *others]))
        types[place] = tuple(type_of(one) for column in TYPES if column in cells for one in cells[column][row])
        parts = [about[place], *(", ".join(cells[column][row]) for column in rest)]
        about[place] = ". ".join(part for part in parts if part)
    return replace(found, graph=graph, names=names, types=types, about=about)


def _is_said(dataset: Dataset, column: str) -> bool:
    """Whether a column holds what words can say."""
    held = dataset.columns.get(column)
    plain = {Modality.TEXT, Modality.CATEGORY, Modality.NUMBER}
    return held is not None and held.modality in plain and held.role is Role.INPUT


def _cells(dataset: Dataset, column: str) -> list[list[str]]:
    """Texts of each cell of a column: of a list its items, of a text its parts between bars."""
    named = column in {*NAMES, *ALIASES, *TYPES}

    def texts(cell: Any) -> list[str]:
        items = cell if isinstance(cell, list) else str(cell).split(BETWEEN) if named else [cell]
        return [str(one).strip() for one in items if one is not None and str(one).strip()]

    return [[] if cell is None else texts(cell) for cell in dataset.table.column(column).to_pylist()]


def _with_relations(found: Searchable, table: Any) -> Searchable:
    """Take in labels and descriptions of relations; those that the graph lacks do not matter."""
    dataset = read(table, columns={"relation": "text:ignore"})
    places = {name: place for place, name in enumerate(found.graph.relations)}
    labels, told = list(found.labels), list(found.told)
    cells = {column: _cells(dataset, column) for column in dataset.table.column_names if column != "relation"}
    shown = next((column for column in NAMES if column in cells), None)
    names = as_names(dataset.table.column("relation")).tolist()
    if not set(names) & set(places):
        raise DataError(f"relations: none of the column 'relation' is in the graph; the first is {names[0]!r}")
    for row, name in enumerate(names):
        if (place := places.get(name)) is not None:
            labels[place] = next(iter(cells[shown][row]), labels[place]) if shown else labels[place]
            told[place] = ". ".join(one for column in cells if column != shown for one in cells[column][row])
    return replace(found, labels=labels, told=told)


def _parquet(path: Path, columns: tuple[str, ...]) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: not a Parquet file: {' '.join(str(error).split())[:200]}") from None
    if lacking := [name for name in columns if name not in table.column_names]:
        raise DataError(f"{path}: no column {lacking[0]!r}; expected {', '.join(columns)}, got {table.column_names}")
    return table
