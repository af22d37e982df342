"""Triples that are not true: those that somebody checked, or true ones with an end that is drawn anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fusible.data.graph import Graph, read_triples
from fusible.data.graph_files import ENDINGS
from fusible.errors import DataError

TRIES = 20


def places_of(table: Any, entities: tuple[str, ...], relations: tuple[str, ...], what: str) -> np.ndarray:
    """Places (rows, 3) of the names of triples in `entities` and `relations`; `what` names them in errors."""
    cells = read_triples(table)
    found = np.empty((cells.num_rows, 3), np.int64)
    for column, (name, known) in enumerate(zip(cells.column_names, (entities, relations, entities), strict=True)):
        place = {one: number for number, one in enumerate(known)}
        for row, cell in enumerate(cells.column(name).to_pylist()):
            if cell not in place:
                raise DataError(f"{what}, triple {row + 1}: {name} {cell!r} is not in this graph; expected names of it")
            found[row, column] = place[cell]
    return found


def checked_negatives(graph: Any) -> Path | None:
    """The file of false validation triples that lies beside a graph's parts, where there is one."""
    if not isinstance(graph, str | Path) or not Path(graph).is_dir():
        return None
    files = [Path(graph) / f"valid_negatives{ending}" for ending in ENDINGS]
    return next((file for file in files if file.is_file()), None)


def corrupted(triples: np.ndarray, graph: Graph, known: np.ndarray, seed: int) -> np.ndarray:
    """Triples (rows, 3) with the head or the tail drawn anew, none of which is `known` (rows, 3).

    Drawn from the entities that stand in this place of this relation somewhere in training (Socher et al. 2013), or
    from all where these are used up; a triple that stays known after a few draws is left out.
    """
    random = np.random.default_rng(seed)
    train, width = graph.part("train"), len(graph.entities)
    said = set(map(tuple, known.tolist()))
    pools: dict[tuple[int, int], np.ndarray] = {}
    found = []
    for triple in triples.tolist():
        column = int(random.choice([0, 2]))
        key = triple[1], column
        if key not in pools:
            pools[key] = np.unique(train[train[:, 1] == triple[1], column])
        for attempt in range(TRIES):
            pool = pools[key] if attempt < TRIES // 2 and len(pools[key]) else np.arange(width)
            drawn = [*triple]
            drawn[column] = int(random.choice(pool))
            if tuple(drawn) not in said:
                found.append(drawn)
                break
    return np.array(found, np.int64).reshape(-1, 3)
