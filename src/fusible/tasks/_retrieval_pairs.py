"""What is asked and found: distinct items of views over some rows, which belong together, and how well it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from fusible.evaluation.retrieval import CHUNK, Values, mean_recall, per_query

MOST_QUERIES = 5_000
"""Queries per direction; of more, so many at random are asked (seeded). All items can be found."""


@dataclass(slots=True)
class Rows:
    """Some rows of the table: ids of each view's items, vectors of their encoders, blocks, and classes if there are.

    `ids` {view: (rows,)} number distinct items over the whole table, -1 where absent; `blocks` (rows,) say which rows
    are not independent; `classes` (rows,) are class numbers, -1 unknown, or None without a target. `table` (rows,) are
    the rows' numbers in the table.
    """

    table: np.ndarray
    ids: dict[str, np.ndarray]
    vectors: dict[str, np.ndarray]
    blocks: np.ndarray
    classes: np.ndarray | None = None

    @property
    def presence(self) -> np.ndarray:
        """Bool (rows, views)."""
        return np.stack([ids >= 0 for ids in self.ids.values()], axis=1)

    def items(self, view: str) -> np.ndarray:
        """One row for each distinct item of a view: the first that holds it; with a target, whose class is known."""
        here = self.ids[view] >= 0
        if self.classes is not None:
            here &= self.classes >= 0
        rows = np.flatnonzero(here)
        return np.asarray(rows[np.unique(self.ids[view][rows], return_index=True)[1]])


@dataclass(slots=True)
class Direction:
    """Items of one view ask, items of another are found; `relevant` (queries, items) bool.

    `queries` and `items` are rows that hold them; `groups` (queries,) are their blocks.
    """

    asked: str
    found: str
    queries: np.ndarray
    items: np.ndarray
    relevant: np.ndarray
    groups: np.ndarray

    @property
    def name(self) -> str:
        """Both views, as `asked -> found`."""
        return f"{self.asked} -> {self.found}"

    def similarity(self, vectors: Mapping[str, np.ndarray], part: slice = slice(None)) -> np.ndarray:
        """Inner products (queries, items) of unit vectors, of some queries; an item whose vector is NaN comes last."""
        one, other = vectors[self.asked][self.queries[part]], vectors[self.found][self.items]
        found = np.nan_to_num(one, nan=0.0) @ np.nan_to_num(other, nan=0.0).T
        found[:, ~np.isfinite(other).all(axis=1)] = -2.0
        return np.asarray(found)


def directions(rows: Rows, seed: int = 0) -> list[Direction]:
    """Every view asks for every other.

    With a target, items of one class belong together, an item in rows of several classes to all of these; else items
    that share a row do. Queries that nothing belongs to are left out.
    """
    return [one for asked, found in permutations(rows.ids, 2) for one in _direction(rows, asked, found, seed)]


def _direction(rows: Rows, asked: str, found: str, seed: int) -> Iterator[Direction]:
    queries, items = rows.items(asked), rows.items(found)
    if len(queries) > MOST_QUERIES:
        queries = np.sort(np.random.default_rng(seed).choice(queries, MOST_QUERIES, replace=False))
    belong = shared_row if rows.classes is None else shared_class
    relevant = belong(rows, asked, found, queries, items)
    kept = relevant.any(axis=1)
    if kept.any():
        yield Direction(asked, found, queries[kept], items, relevant[kept], rows.blocks[queries[kept]])


def shared_row(rows: Rows, asked: str, found: str, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Whether a query's item and a found item share a row: bool (queries, items)."""
    one, other = _places(rows.ids[asked], queries), _places(rows.ids[found], items)
    both = (one >= 0) & (other >= 0)
    relevant = np.zeros((len(queries), len(items)), bool)
    relevant[one[both], other[both]] = True
    return relevant


def shared_class(rows: Rows, asked: str, found: str, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Whether a row that holds a query's item and one that holds a found item are of one class: bool (queries, items).

    Of what is no view (all views together) the row itself is the item.
    """
    one, other = _classes(rows, asked, queries), _classes(rows, found, items)
    starts = range(0, max(1, len(one)), CHUNK)
    return np.concatenate([one[start : start + CHUNK] @ other.T > 0 for start in starts])


def _classes(rows: Rows, view: str, items: np.ndarray) -> np.ndarray:
    """Float32 (items, classes): 1 for the classes of rows that hold an item."""
    assert rows.classes is not None
    place = _places(rows.ids.get(view, np.arange(len(rows.classes))), items)
    here = (place >= 0) & (rows.classes >= 0)
    found = np.zeros((len(items), int(rows.classes.max(initial=0)) + 1), np.float32)
    found[place[here], rows.classes[here]] = 1.0
    return found


def _places(ids: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Which of some items, given by a row that holds each, every row holds: int (rows,), -1 for none."""
    place = np.full(int(ids.max(initial=-1)) + 2, -1)
    place[ids[items]] = np.arange(len(items))
    place[-1] = -1
    return np.asarray(place[ids])


def measured(ways: Sequence[Direction], vectors: Mapping[str, np.ndarray]) -> list[Values]:
    """Values per query of every direction, by similarity of vectors; a chunk of queries is in memory at a time."""
    return [_measured(way, vectors) for way in ways]


def _measured(way: Direction, vectors: Mapping[str, np.ndarray]) -> Values:
    parts = [slice(start, start + CHUNK) for start in range(0, max(1, len(way.queries)), CHUNK)]
    pieces = [per_query(way.similarity(vectors, part), way.relevant[part]) for part in parts]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def gain(values: Values, *, classes: bool) -> np.ndarray:
    """What is to be great, per query: average precision over the whole ranking with classes, else mean recall."""
    return values["average_precision"] if classes else mean_recall(values)


def goodness(ways: Sequence[Direction], vectors: Mapping[str, np.ndarray], *, classes: bool) -> float:
    """Mean over directions of the mean gain over queries: what candidates are compared by, on validation rows."""
    return float(np.mean([gain(values, classes=classes).mean() for values in measured(ways, vectors)]))
