"""The roster: numbers, ids, keys and places of all visible rows, in one file that is mapped and never read whole.

LanceDB reads a million ids in .3 s; the roster is open in a millisecond, and a search needs nothing else to name what
it found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusible.errors import DataError
from fusible.index import _pointer, _table

_SCHEMA = pa.schema(
    [("number", pa.int64()), ("id", pa.string()), ("key", pa.string()), ("place", pa.uint64()), ("present", pa.int64())]
)
_HELD = [_table.NUMBER, _table.ID, _table.KEY, "_rowid", _table.PRESENT]


class Roster:
    """Rows of a version in order of their numbers; `numbers` int64, `places` are LanceDB's row ids."""

    def __init__(self, rows: pa.Table) -> None:
        self.ids: pa.Array = _one(rows.column("id"))
        self.keys: pa.Array = _one(rows.column("key"))
        self.numbers: np.ndarray = _one(rows.column("number")).to_numpy()
        self.places: np.ndarray = _one(rows.column("place")).to_numpy()
        _, starts, letters = self.ids.buffers()
        self._starts = np.frombuffer(starts or bytes(4), np.int32)[self.ids.offset :]
        self._letters = memoryview(letters or b"")
        self._dense = len(self) > 0 and int(self.numbers[-1] - self.numbers[0]) == len(self) - 1
        self.present: np.ndarray = _one(rows.column("present")).to_numpy()

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def none(cls) -> Roster:
        """Build the roster of no rows."""
        return cls(_SCHEMA.empty_table())

    @classmethod
    def scan(cls, table: Any, first: int = 0) -> Roster:
        """Read the rows of a LanceDB table whose numbers begin at `first`."""
        query = table.search().select([name for name in _HELD if name != "_rowid"]).with_row_id(True)
        rows = (query.where(f"{_table.NUMBER} >= {first}") if first else query).to_arrow()
        rows = rows.select(_HELD).rename_columns(_SCHEMA.names).cast(_SCHEMA)
        numbers = rows.column("number").to_numpy()
        ordered = bool((numbers[1:] > numbers[:-1]).all())
        return cls(rows if ordered else rows.take(pa.array(np.argsort(numbers, kind="stable"))))

    @classmethod
    def open(cls, path: Path, rows: int) -> Roster:
        """Map a file that `write` wrote; raises `DataError` where it is missing or damaged."""
        try:
            if not _pointer.is_plain(path):
                raise OSError("no plain file")
            found = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
            if found.schema != _SCHEMA or found.num_rows != rows:
                raise pa.ArrowInvalid(f"{found.num_rows} rows, expected {rows}")
            _check(found)
        except (OSError, pa.ArrowInvalid) as error:
            line = " ".join(str(error).split())[:200]
            raise DataError(f"{path}: missing or damaged ({line}); open the index again, or build it again") from None
        return cls(found)

    def write(self, path: Path) -> None:
        """Write the whole roster as one file."""
        rows = pa.table([self.numbers, self.ids, self.keys, self.places, self.present], schema=_SCHEMA)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, _SCHEMA) as file:
            file.write_table(rows)
        _pointer.put_file(path, sink.getvalue())

    def having(self, place: int, above: int = -1) -> np.ndarray:
        """Sorted numbers of the rows that have a view, given by its place; only those above a number."""
        start = int(np.searchsorted(self.numbers, above, side="right"))
        found: np.ndarray = self.numbers[start:][(self.present[start:] >> place & 1).astype(bool)]
        return found

    def find(self, ids: list[str]) -> np.ndarray:
        """Position of every id, -1 for one that is not there."""
        wanted = pa.array(ids, pa.string())
        rows = np.flatnonzero(pc.is_in(self.ids, value_set=wanted).to_numpy(zero_copy_only=False))
        found = pc.index_in(wanted, value_set=self.ids.take(pa.array(rows))).fill_null(-1).to_numpy()
        return np.where(found >= 0, rows[found] if len(rows) else -1, -1)

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """Positions of numbers that are there."""
        return np.asarray(numbers - self.numbers[0] if self._dense else np.searchsorted(self.numbers, numbers))

    def names(self, at: np.ndarray) -> list[str]:
        """Ids at positions; read from the mapped bytes, which Arrow takes several times as long for."""
        starts, ends = self._starts[at].tolist(), self._starts[at + 1].tolist()
        return [str(self._letters[start:end], "utf-8", "replace") for start, end in zip(starts, ends, strict=True)]


def _check(rows: pa.Table) -> None:
    """Raise `ArrowInvalid` for offsets and letters that would be read beyond the file, and for rows out of order.

    Arrow checks only lengths when it maps a file. A million rows take some 10 ms.
    """
    rows.validate()
    for name in ("id", "key"):
        for part in rows.column(name).chunks:
            _, starts, letters = part.buffers()
            ends = np.frombuffer(starts or bytes(4), np.int32)[part.offset :][: len(part) + 1]
            if ends[0] < 0 or ends[-1] > (letters.size if letters else 0) or (ends[1:] < ends[:-1]).any():
                raise pa.ArrowInvalid(f"offsets of {name!r} that no text has")
    numbers = rows.column("number").to_numpy()
    if any(column.null_count for column in rows.columns) or (numbers[1:] <= numbers[:-1]).any():
        raise pa.ArrowInvalid("cells that are empty, or numbers that do not rise")


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
