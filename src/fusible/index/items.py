"""What goes into an index and what a search gives back."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusible.errors import ArrayError, DataError

FUSED = "fused"
"""Name of the vectors that hold all views of a row together."""


@dataclass(slots=True)
class Items:
    """Rows for an index, `n` of them.

    `ids` are distinct and not empty. `vectors` has float32 (n, width) per view, rows of NaN where the view is absent.
    `columns` are the row's own plain columns, `texts` what full-text search reads ("" for nothing), `previews` small
    JPEG pictures and `media` paths, per view. `keys` are hashes of a row's content: a row whose key an index already
    holds need not be encoded again.
    """

    ids: Sequence[str]
    vectors: Mapping[str, np.ndarray]
    columns: pa.Table
    texts: Sequence[str] = ()
    previews: Mapping[str, Sequence[bytes | None]] = field(default_factory=dict)
    media: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    keys: Sequence[str] = ()

    def check(self, widths: Mapping[str, int]) -> None:
        """Raise `DataError` or `ArrayError` where parts contradict one another or the widths of an index."""
        size = len(self.ids)
        bad = next((name for name in self.ids if not isinstance(name, str) or not name), None)
        if bad is not None or len(set(self.ids)) != size:
            raise DataError(f"index: expected distinct ids that are not empty, got {bad!r} or the same one twice")
        parts: dict[str, int] = {"columns": self.columns.num_rows}
        parts |= {"texts": len(self.texts)} if self.texts else {}
        parts |= {"keys": len(self.keys)} if self.keys else {}
        for kind, held in (("vectors", self.vectors), ("previews", self.previews), ("media", self.media)):
            unknown = sorted(set(held) - set(widths))
            if unknown:
                raise DataError(f"index: {kind} of {unknown[0]!r}, expected views of {sorted(widths)}")
            parts |= {f"{kind} of {view!r}": len(values) for view, values in held.items()}
        for part, length in parts.items():
            if length != size and not (part == "columns" and not self.columns.num_columns):
                raise DataError(f"index: {length} {part} for {size} ids, expected as many")
        for view, rows in self.vectors.items():
            checked(rows, widths[view], f"vectors of {view!r}", absent=True)


@dataclass(frozen=True, slots=True)
class Hits:
    """Per query the ids found, best first, and their scores (float32): inner products, or BM25 for words.

    `places` (int64) are those of the rows in this version, which `Index.take` and `Index.vectors` need not look up.
    """

    ids: list[list[str]]
    scores: list[np.ndarray]
    places: list[np.ndarray]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Rows of an index that a filter leaves: the `condition`, checked, and their sorted `numbers`."""

    condition: str
    numbers: np.ndarray


def whole(value: object) -> int:
    """A whole number as `int`, also one of NumPy; 0 for anything else, and for `True`.

    >>> whole(np.int64(3)), whole(True), whole(2.0)
    (3, 0, 0)
    """
    try:
        return 0 if isinstance(value, bool | np.bool_) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return 0


def held_as(name: str, cells: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Cells of an own column in the type under which an index holds them; raises `DataError` where one is no such.

    Text becomes numbers as a table is read: without the blanks around it, and nothing where it is blank.
    """
    try:
        if _is_text(cells.type) and not _is_text(kind):
            cells = pc.utf8_trim_whitespace(cells)
            cells = pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
        return cells.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        line = " ".join(str(error).split())[:200]
        way = "mend its cells, or build another index"
        raise DataError(f"index: column {name!r}, expected {kind} as the index has it: {line}; {way}") from None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def checked(rows: np.ndarray, width: int, what: str, *, absent: bool) -> np.ndarray:
    """Rows as float32 (n, width) in C order; `absent` allows rows of NaN only. Raises `ArrayError`."""
    found = np.ascontiguousarray(rows, dtype=np.float32)
    if found.ndim != 2 or found.shape[1] != width:
        raise ArrayError(f"index: {what} of shape {np.shape(rows)}, expected (rows, {width})")
    finite = np.isfinite(found)
    if finite.all():
        return found
    fine = finite.all(axis=1)
    if absent:
        fine |= np.isnan(found).all(axis=1)
    if not fine.all():
        row = int(np.flatnonzero(~fine)[0])
        raise ArrayError(f"index: {what}, row {row}: expected finite numbers{' or NaN only' * absent}, got others")
    return found
