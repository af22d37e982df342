"""How each view is searched: through a graph, in a block, or from the table; and when these are written anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fusible.errors import DataError
from fusible.index import _block, _pointer, _table
from fusible.index._block import Block
from fusible.index._graph import Advance, Graph, empty
from fusible.index._pointer import Pointer
from fusible.index._roster import Roster

Stored = TypeVar("Stored", Graph, Block)

APPROXIMATE = 50_000
"""Rows of a view from which on it is searched through a graph."""
STORED = 1_000
"""Rows of a view from which on its vectors lie in a block; fewer are read from the table."""
FRESH = 10_000
"""Rows beside a graph that are searched exactly; with more, a commit adds them to the graph."""
FRESH_BLOCK = 1_000
"""The same of a block, which is written anew then."""
DEAD = 0.3
"""Share of a graph's nodes that may be gone before a commit builds it anew."""
DEAD_TIDY = 0.1
"""The same when an index is compacted."""
SAMPLE = 2_000
"""Queries per asking view: on one half a search width is chosen, on the other it is measured."""
LEAST = 100
"""New rows from which on the search width of a graph is chosen again."""


def renew(
    folder: Path, table: Any, pointer: Pointer, roster: Roster, *, advance: Advance, tidy: bool
) -> dict[str, str]:
    """Folder of the graph or block of every view that is worth one; `tidy` also adds few rows and drops few dead."""
    stored: dict[str, str] = {}
    rows = Vectors(table, pointer, roster)
    for view, width in pointer.widths.items():
        alive, held = rows.having(view), pointer.graphs.get(view, "")
        if len(alive) >= APPROXIMATE:
            kept = _kept(Graph, folder, held, width) or empty(width)
            fresh, dead = _changed(kept, alive)
            if not kept.tuned or _worth(fresh, dead, 0 if tidy else FRESH, tidy):
                graph = empty(width) if dead > (DEAD_TIDY if tidy else DEAD) else kept
                graph = Graph.open(folder / held, width, mapped=False) if graph is kept and len(kept.numbers) else graph
                extend(graph, rows, view, alive[alive > graph.last], advance)
                held = graph.write(folder)
            stored[view] = held
        elif len(alive) >= STORED:
            block = _kept(Block, folder, held, width)
            if block is None or _worth(*_changed(block, alive), 0 if tidy else FRESH_BLOCK, tidy):
                held = _block.write(folder, rows.parts(view, alive), len(alive), width)
            stored[view] = held
    return stored


def _kept(kind: type[Stored], folder: Path, held: str, width: int) -> Stored | None:
    """What a view has of a kind; None where it has another, none, or a damaged one, which is then written anew."""
    if not held.startswith(f"{kind.__name__.lower()}-"):
        return None
    try:
        return kind.open(folder / held, width)
    except DataError:
        return None


def _changed(kept: Graph | Block, alive: np.ndarray) -> tuple[int, float]:
    """Rows that came after, and the share of what is kept that is gone."""
    fresh = int((alive > kept.last).sum())
    return fresh, (len(kept.numbers) - (len(alive) - fresh)) / max(1, len(kept.numbers))


def _worth(fresh: int, dead: float, most: int, tidy: bool) -> bool:
    return fresh > most or dead > (DEAD_TIDY if tidy else DEAD)


def extend(graph: Graph, rows: Vectors, view: str, fresh: np.ndarray, advance: Advance) -> None:
    """Add rows, and choose the search width again where they are many enough to matter."""
    graph.add(rows.parts(view, fresh), advance)
    if len(fresh) < LEAST and graph.tuned:
        return
    random = np.random.default_rng(len(fresh))
    samples = {view: graph.between(random, SAMPLE)}
    for other, width in rows.widths.items():
        numbers = rows.having(other)
        if other != view and width == rows.widths[view] and len(numbers):
            chosen = random.choice(numbers, min(SAMPLE, len(numbers)), replace=False)
            samples[other] = rows.of(other, np.sort(chosen))
    graph.tune(samples)


class Vectors:
    """Vectors of a table by view and row number."""

    def __init__(self, table: Any, pointer: Pointer, roster: Roster) -> None:
        self.widths, self._table, self._roster = pointer.widths, table, roster
        self._places = {view: place for place, view in enumerate(pointer.widths)}

    def having(self, view: str, above: int = -1) -> np.ndarray:
        """Sorted numbers of the rows that have a view; only those above a number."""
        return self._roster.having(self._places[view], above)

    def of(self, view: str, numbers: np.ndarray) -> np.ndarray:
        """Vectors (numbers, width) of rows, in order; NaN where the view is absent."""
        name, width = f"fusible_vector_{self._places[view]}", self.widths[view]
        places = self._roster.places[np.searchsorted(self._roster.numbers, numbers)]
        found = _table.take(self._table, places, [name]).column(name).combine_chunks()
        held = found.is_valid().to_numpy(zero_copy_only=False)
        vectors = np.full((len(held), width), np.nan, np.float32)
        vectors[held] = _table.matrix(found.drop_null(), width)
        return vectors

    def parts(self, view: str, numbers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Numbers and vectors, part by part."""
        for start in range(0, len(numbers), _table.BATCH):
            part = numbers[start : start + _table.BATCH]
            yield part, self.of(view, part)

    def block(self, view: str, above: int = -1) -> Block:
        """Read the vectors of a view into memory; only those of rows above a number."""
        wanted = self.having(view, above)
        held = np.empty((len(wanted), self.widths[view]), np.float32)
        if len(wanted):
            name = f"fusible_vector_{self._places[view]}"
            later = f"{_table.NUMBER} > {above} AND {name} IS NOT NULL"
            for batch in _table.batches(self._table, [_table.NUMBER, name], later):
                rows = np.searchsorted(wanted, batch.column(0).to_numpy())
                held[rows] = _table.matrix(batch.column(1), self.widths[view])
        return Block(wanted, held, int(wanted.max(initial=-1)))


def describe(folder: Path, pointer: Pointer, roster: Roster, view: str) -> dict[str, Any]:
    """How a view is searched, why, and what was measured when its graph was built."""
    rows = roster.having(list(pointer.widths).index(view))
    found: dict[str, Any] = {"rows": len(rows), "width": pointer.widths[view]}
    if not pointer.graphs.get(view, "").startswith("graph-"):
        return found | {"search": "exact", "why": f"fewer than {APPROXIMATE} rows"}
    settings = _pointer.read_json(folder / pointer.graphs[view] / "graph.json")
    fresh = int((rows > settings.pop("last")).sum())
    return found | {"search": "approximate", "why": f"{APPROXIMATE} rows or more", "fresh": fresh} | settings
