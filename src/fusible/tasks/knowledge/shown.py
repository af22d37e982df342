"""What a stored graph says of one entity: its triples, and the sentences that say them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fusible.data.schema import near_names
from fusible.errors import DataError
from fusible.tasks.knowledge.graph_store import GraphStore


@dataclass(frozen=True, slots=True)
class Shown:
    """An entity: `type`, other names, why these are its names, and its triples, the surest first.

    A triple has `head`, `relation`, `tail`, `confidence`, `count`, and `said`: up to some places, each with `document`,
    `sentence`, `start`, `end` and `confidence`.
    """

    entity: str
    type: str
    aliases: list[str]
    merges: list[dict[str, Any]]
    triples: list[dict[str, Any]]


def show_entity(store: GraphStore, name: str, sentences: int = 3) -> Shown:
    """What a graph says of an entity, called by any of its names; up to `sentences` places of each triple.

    Raises `DataError` where nothing is called so.
    """
    row = _row(store.entities, name)
    entity = row["entity"]
    triples = _of(store.triples, entity).to_pylist()
    said: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    columns = ["document", "sentence", "start", "end", "confidence"]
    for mention in _of(store.mentions, entity).to_pylist():
        said[mention["head"], mention["relation"], mention["tail"]].append({key: mention[key] for key in columns})
    for triple in triples:
        places = said[triple["head"], triple["relation"], triple["tail"]]
        triple["said"] = sorted(places, key=lambda place: -place["confidence"])[:sentences]
    merges = store.merges.filter(pc.equal(store.merges["entity"], entity)).drop_columns(["entity"]).to_pylist()
    ordered = sorted(triples, key=lambda triple: -triple["confidence"])
    return Shown(entity, row["type"], row["aliases"], merges, ordered)


def _row(entities: pa.Table, name: str) -> dict[str, Any]:
    rows = entities.to_pylist()
    for row in rows:
        if row["entity"] == name:
            return dict(row)
    for row in rows:
        if name in row["aliases"]:
            return dict(row)
    known = list(_names(rows))
    lower = {one.casefold(): one for one in known}
    if name.casefold() in lower:
        return _row(entities, lower[name.casefold()])
    raise DataError(
        f"no entity {name!r} in this graph: {near_names(name, known, 'entities') if known else 'it has none'}"
    )


def _names(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield row["entity"]
        yield from row["aliases"]


def _of(table: pa.Table, entity: str) -> pa.Table:
    return table.filter(pc.or_(pc.equal(table["head"], entity), pc.equal(table["tail"], entity)))
