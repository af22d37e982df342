"""Reading one version of an index: nearest vectors, words, filters, and the rows themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fusible.errors import ConfigError, DataError
from fusible.index import _publish, _table
from fusible.index._block import Block
from fusible.index._engine import Layered
from fusible.index._exact import Found, best
from fusible.index._graph import Graph
from fusible.index._graphs import Vectors
from fusible.index._pointer import Pointer
from fusible.index._roster import Roster
from fusible.index.items import Allowed, Hits, checked, whole


class Reader:
    """One whole version of an index, never changed by who reads it."""

    def __init__(self, folder: Path, pointer: Pointer, roster: Roster) -> None:
        self.folder = folder
        self._show(pointer, roster)

    def _show(self, pointer: Pointer, roster: Roster) -> None:
        self._pointer, self._roster = pointer, roster
        self._engines: dict[str, Layered] = {}
        self._lance: Any = None

    @property
    def info(self) -> dict[str, Any]:
        """What was stored beside: model, data …."""
        return self._pointer.info

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self._pointer.rows

    @property
    def version(self) -> int:
        """Number of commits; 0 before the first."""
        return self._pointer.version

    @property
    def widths(self) -> dict[str, int]:
        """Width of the vectors of every view."""
        return self._pointer.widths

    @property
    def columns(self) -> dict[str, str]:
        """The user's column names, and how a filter calls them."""
        return self._pointer.columns

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Arrow types under which the user's columns are held."""
        return {name: self._table.schema.field(stored).type for name, stored in self.columns.items()}

    @property
    def job(self) -> str:
        """What wrote this version."""
        return self._pointer.job

    @property
    def failures(self) -> list[dict[str, str]]:
        """What could not be read when rows were added: mappings of `id`, `view` and `message`."""
        return list(self.each_failure())

    def each_failure(self) -> Iterator[dict[str, str]]:
        """The `failures` one by one, of which there may be very many."""
        return _publish.read_failures(self.folder, self._pointer)

    @property
    def sizes(self) -> dict[str, int]:
        """In how many rows every view is present."""
        return {view: len(self._roster.having(place)) for place, view in enumerate(self.widths)}

    @property
    def _table(self) -> Any:
        """LanceDB's table at the visible version."""
        if self._lance is None:
            try:
                if (self.folder / f"{_table.ROWS}.lance").is_symlink():
                    raise ValueError("its rows are a link")
                table = _table.connect(self.folder).open_table(_table.ROWS)
                table.checkout(self._pointer.table)
            except (ValueError, RuntimeError, OSError) as error:
                line = " ".join(str(error).split())[:200]
                raise DataError(
                    f"{self.folder}: version {self.version} is gone or damaged ({line}); open it again"
                ) from None
            self._lance = table
        return self._lance

    def allowed(self, where: str) -> Allowed:
        """Rows that an SQL condition on own columns leaves, for several searches that share it.

        Raises `ConfigError` for a filter that cannot be used.
        """
        return _table.allowed(self._table, where, self.columns)

    def search(
        self,
        view: str,
        vectors: np.ndarray,
        k: int = 10,
        *,
        where: str | Allowed | None = None,
        exact: bool | None = None,
    ) -> Hits:
        """Find the `k` rows of largest inner product of their `view` with each of `vectors` (q, width).

        `where` is an SQL condition on own columns, or what `allowed` made of one. `exact` compares with every row, of a
        view with a graph by the half-precision vectors that the graph keeps, or says False to walk a graph also where
        few rows are left; by default a graph is walked where the view has one and many rows are left. Raises
        `ConfigError` for an unknown view or a filter that cannot be used, `ArrayError` for vectors that fit no view.
        """
        width = self._view(view)
        queries = checked(vectors, width, "query", absent=False)
        k = _at_least_one(k)
        allowed = self.allowed(where) if isinstance(where, str) else where
        found = self._engine(view, width).search(queries, k, None if allowed is None else allowed.numbers, exact)
        return self._hits(found)

    def words(self, text: str, k: int = 10, *, where: str | Allowed | None = None) -> Hits:
        """Find the `k` rows whose text fits the words best, by BM25 (Robertson & Zaragoza 2009); no row twice."""
        k = _at_least_one(k)
        allowed = self.allowed(where) if isinstance(where, str) else where
        if not self._pointer.words or not text.strip():
            return Hits([[]], [np.empty(0, np.float32)], [np.empty(0, np.int64)])
        rows = _table.words(self._table, text, k, None if allowed is None else allowed.condition)
        return self._hits([best(rows["_score"].to_numpy().astype(np.float32), rows[_table.NUMBER].to_numpy(), k)])

    def _hits(self, found: Found) -> Hits:
        places = [self._roster.at(numbers) for numbers, _ in found]
        return Hits([self._roster.names(one) for one in places], [scores for _, scores in found], places)

    def ids(self) -> list[str]:
        """Ids of all rows in the order in which they were written."""
        names: list[str] = self._roster.ids.to_pylist()
        return names

    def keys(self) -> dict[str, str]:
        """Content key of every id."""
        return dict(zip(self.ids(), self._roster.keys.to_pylist(), strict=True))

    def take(self, ids: Sequence[str] | np.ndarray, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows in the order of `ids`: own columns under their own names, and what Fusible keeps of a row.

        That is `fusible_id`, `fusible_text`, `fusible_preview:<view>` and `fusible_media:<view>`. `columns` chooses
        among these names. `ids` may be `places`, as `Hits` or `find` give them. Raises `DataError` for an unknown id,
        `ConfigError` for an unknown column.
        """
        names = {**self.columns, _table.ID: _table.ID, _table.TEXT: _table.TEXT}
        for place, view in enumerate(self.widths):
            names |= {
                f"fusible_preview:{view}": f"fusible_preview_{place}",
                f"fusible_media:{view}": f"fusible_media_{place}",
            }
        chosen = list(names) if columns is None else list(columns)
        unknown = next((name for name in chosen if name not in names), None)
        if unknown is not None:
            raise ConfigError(f"index: no column {unknown!r}, expected some of {list(names)}")
        rows = _table.take(self._table, self._roster.places[self.find(ids)], [names[name] for name in chosen])
        return rows.select([names[name] for name in chosen]).rename_columns(chosen)

    def vectors(self, ids: Sequence[str] | np.ndarray, view: str) -> np.ndarray:
        """Vectors (ids, width) of a view, NaN where it is absent; `ids` may be `places`, as `Hits` or `find` give them.

        Raises `DataError` for an unknown id.
        """
        self._view(view)
        at = self.find(ids)
        return Vectors(self._table, self._pointer, self._roster).of(view, self._roster.numbers[at])

    def find(self, ids: Sequence[str] | np.ndarray) -> np.ndarray:
        """Places of rows in this version, by their ids, which are looked for in all; places as they are.

        Raises `DataError` for an unknown id.
        """
        if isinstance(ids, np.ndarray) and ids.dtype.kind == "i":
            return ids
        at = self._roster.find(list(ids))
        if (at < 0).any():
            missing = ids[int(np.argmin(at))]
            raise DataError(f"{self.folder}: no row {missing!r} in this index; `ids()` lists those that are there")
        return at

    def _view(self, view: str) -> int:
        """Width of a view; raises `ConfigError` for an unknown one."""
        if view not in self.widths:
            known = list(self.widths)
            raise ConfigError(f"{self.folder}: no vectors of {view!r} in this index, expected one of {known}")
        return self.widths[view]

    def _engine(self, view: str, width: int) -> Layered:
        if view not in self._engines:
            self._engines[view] = self._build(view, width)
        return self._engines[view]

    def _build(self, view: str, width: int) -> Layered:
        name = self._pointer.graphs.get(view, "")
        base: Graph | Block = Block.none(width)
        if name:
            base = (Graph if name.startswith("graph-") else Block).open(self.folder / name, width)
        alive = Vectors(None, self._pointer, self._roster).having(view)
        fresh = alive[alive > base.last]
        table = self._table if len(fresh) else None  # without rows beside it LanceDB need not be opened
        beside = Vectors(table, self._pointer, self._roster).block(view, base.last)
        return Layered(base, beside, alive[: len(alive) - len(fresh)])


def _at_least_one(k: int) -> int:
    if whole(k) < 1:
        raise ConfigError(f"index: k = {k!r}, expected a whole number of at least 1")
    return whole(k)
