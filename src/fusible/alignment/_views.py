"""Arrays as users give them: one array, several, or named; checked, and cut into chunks of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse

from fusible.errors import ArrayError, ArrayTypeError

CHUNK = 4096
"""Rows that are held centred at once."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of every view; `presence` (rows, views) and `weight` (rows,) where there are any."""

    arrays: tuple[Any, ...]
    presence: np.ndarray | None = None
    weight: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.arrays[0].shape[0])


@dataclass(frozen=True, slots=True)
class Views:
    """Checked arrays (rows, width), one per view: dense (memory maps too) or sparse.

    `form` says how they came: "mapping", "sequence", or "array" (one array, its columns divided among views).
    """

    names: tuple[str, ...]
    arrays: tuple[Any, ...]
    presence: np.ndarray | None = None
    weight: np.ndarray | None = None
    form: str = "mapping"

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.arrays[0].shape[0])

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of columns per view."""
        return tuple(int(array.shape[1]) for array in self.arrays)

    def __iter__(self) -> Iterator[Chunk]:
        for start in range(0, self.rows, CHUNK):
            yield self.take(slice(start, start + CHUNK))

    def take(self, rows: Any) -> Chunk:
        """Some rows."""
        cut = (None if a is None else a[rows] for a in (self.presence, self.weight))
        return Chunk(tuple(_rows(array, rows) for array in self.arrays), *cut)

    def subset(self, rows: np.ndarray) -> Views:
        """The same views, of some rows."""
        chunk = self.take(rows)
        return Views(self.names, chunk.arrays, chunk.presence, chunk.weight, self.form)


def as_views(
    given: Any,
    *,
    presence: Any = None,
    weight: Any = None,
    names: Sequence[str] | None = None,
    widths: Sequence[int] | None = None,
) -> Views:
    """Check what a user gave: a mapping, a sequence of arrays, or one array whose columns are divided by `widths`.

    `names` and `widths` are those of a fitted aligner, where there is one. Raises `ArrayError` or `ArrayTypeError`.
    """
    if is_mapping(given):
        arrays, found, form = _named(given, names)
    elif is_several(given):
        arrays, form = list(given), "sequence"
        found = tuple(names) if names is not None else tuple(f"view{i + 1}" for i in range(len(arrays)))
    else:
        arrays, form = _divided(given, widths), "array"
        found = tuple(names) if names is not None else tuple(f"view{i + 1}" for i in range(len(arrays)))
    if len(arrays) != len(found):
        raise ArrayError(f"views: expected {len(found)} ({', '.join(found)}), got {len(arrays)}; give one array each")
    if len(arrays) < 2:
        raise ArrayError(f"views: expected at least two, got {len(arrays)}; alignment needs something to align with")
    checked = tuple(check_array(array, name) for array, name in zip(arrays, found, strict=True))
    for array, name, width in zip(checked, found, widths or (), strict=False):
        if array.shape[1] != width:
            raise ArrayError(f"view {name!r}: expected {width} columns as in fit, got {array.shape[1]}")
    rows = checked[0].shape[0]
    for array, name in zip(checked[1:], found[1:], strict=True):
        if array.shape[0] != rows:
            raise ArrayError(
                f"view {name!r}: expected {rows} rows as view {found[0]!r} has, got {array.shape[0]}; "
                "give the same rows in every view, and mark missing ones in `presence`"
            )
    return Views(found, checked, _presence(presence, rows, found), _weight(weight, rows), form)


def is_mapping(given: Any) -> bool:
    """Whether views come by name; a sparse matrix may be a mapping as well, but holds numbers."""
    return isinstance(given, Mapping) and not scipy.sparse.issparse(given)


def is_several(given: Any) -> bool:
    """Whether views come one array each."""
    return isinstance(given, list | tuple) and any(getattr(item, "ndim", 0) == 2 for item in given)


def check_array(array: Any, name: str) -> Any:
    """Check one view's array: two-dimensional, real numbers, not empty. NaN is looked for where rows are read."""
    if scipy.sparse.issparse(array):
        checked = array.tocsr()
        if np.iscomplexobj(checked):
            raise ArrayError(f"view {name!r}: Complex data not supported; give real numbers")
        return checked if checked.dtype.kind == "f" else checked.astype(np.float64)
    checked = array if isinstance(array, np.ndarray) else np.asarray(array)
    if checked.dtype.kind == "c":
        raise ArrayError(f"view {name!r}: Complex data not supported: expected real numbers, got {checked.dtype}")
    if checked.ndim != 2:
        raise ArrayError(
            f"view {name!r}: Expected 2D array (rows, columns), got {checked.ndim}D array of shape {checked.shape}; "
            "Reshape your data"
        )
    if checked.shape[0] == 0 or checked.shape[1] == 0:
        what = "sample" if checked.shape[0] == 0 else "feature"
        raise ArrayError(
            f"view {name!r}: Found array with 0 {what}(s) (shape={checked.shape}) while a minimum of 1 is required; "
            "leave the view out"
        )
    if checked.dtype.kind in "OSU":
        checked = _numbers(checked, name)
    elif checked.dtype.kind != "f" or checked.dtype.itemsize not in {4, 8}:
        checked = checked.astype(np.float64)
    return checked


def finite(array: Any, name: str, start: int = 0, rows: np.ndarray | None = None) -> None:
    """Raise `ArrayError` where a present row holds NaN or infinity; names view, row and column.

    The rows of `array` are those from `start` on, or the given `rows` counted from there.
    """
    values = array.data if scipy.sparse.issparse(array) else array
    if np.isfinite(values).all():
        return
    dense = array.toarray() if scipy.sparse.issparse(array) else array
    row, column = (int(i[0]) for i in np.nonzero(~np.isfinite(dense)))
    what = "NaN" if np.isnan(dense[row, column]) else "infinity (inf)"
    place = start + (row if rows is None else int(rows[row]))
    raise ArrayError(
        f"view {name!r}: expected finite numbers, Input contains {what} (row {place}, column {column}); "
        "fill it, or mark rows without the view in `presence`"
    )


def _named(given: Mapping[str, Any], names: Sequence[str] | None) -> tuple[list[Any], tuple[str, ...], str]:
    found = tuple(names) if names is not None else tuple(given)
    if missing := [name for name in found if name not in given]:
        raise ArrayError(f"views: expected {', '.join(found)}, missing {', '.join(missing)}")
    if extra := [name for name in given if name not in found]:
        raise ArrayError(f"views: expected {', '.join(found)} as in fit, got {', '.join(extra)} as well")
    return [given[name] for name in found], found, "mapping"


def _divided(array: Any, widths: Sequence[int] | None) -> list[Any]:
    """Columns of one array divided among views: by `widths`, else two halves."""
    whole = check_array(array, "X")
    columns = whole.shape[1]
    if widths is None:
        if columns < 2:
            raise ArrayError(
                f"X: Found array with {columns} feature(s) (shape={whole.shape}) while a minimum of 2 is required "
                "to divide its columns into two views"
            )
        widths = (columns - columns // 2, columns // 2)
    if sum(widths) != columns:
        raise ArrayError(f"X: expected {sum(widths)} features (columns of views: {tuple(widths)}), got {columns}")
    edges = np.cumsum([0, *widths])
    return [whole[:, a:b] for a, b in pairwise(edges)]


def _numbers(array: np.ndarray, name: str) -> np.ndarray:
    try:
        return array.astype(np.float64)
    except TypeError as error:
        raise ArrayTypeError(f"view {name!r}: expected numbers, got objects: {error}") from None
    except ValueError as error:
        raise ArrayError(f"view {name!r}: expected numbers, got text or objects: {error}; encode them first") from None


def present_somewhere(views: Views) -> None:
    """Raise `ArrayError` where a view is present in no row, so that nothing can be learned of it."""
    for i, name in enumerate(views.names):
        if views.presence is not None and not views.presence[:, i].any():
            raise ArrayError(f"view {name!r}: present in no row; leave the view out")


def _presence(given: Any, rows: int, names: tuple[str, ...]) -> np.ndarray | None:
    if given is None:
        return None
    presence = np.asarray(given)
    if presence.shape != (rows, len(names)) or presence.dtype != bool:
        raise ArrayError(
            f"presence: expected bool of shape ({rows}, {len(names)}), got {presence.dtype} of shape {presence.shape}"
        )
    return None if presence.all() else presence


def _weight(given: Any, rows: int) -> np.ndarray | None:
    if given is None:
        return None
    weight = np.asarray(given, dtype=np.float64)
    if weight.shape != (rows,):
        raise ArrayError(f"sample_weight: expected shape ({rows},), got {weight.shape}")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ArrayError("sample_weight: expected finite numbers of at least 0; drop the rows that have others")
    if not weight.any():
        raise ArrayError("sample_weight: every weight is zero, nothing is left to fit; give some rows a weight above 0")
    return weight


def _rows(array: Any, rows: Any) -> Any:
    """Rows of an array; those of a memory map through a map of their own, so that its pages are let go again."""
    mapped = isinstance(array, np.memmap) and array.flags.c_contiguous and array.mode != "c"  # "c": file and map differ
    if mapped and isinstance(rows, slice) and array.base is not None:
        start, stop, _ = rows.indices(array.shape[0])
        offset = array.offset + start * array.strides[0]
        whole = getattr(array, "filename", None)
        if whole is not None and not isinstance(array.base, np.memmap):
            return np.memmap(whole, array.dtype, "r", offset, (stop - start, array.shape[1]))
    return array[rows]
