"""Views that are read chunk by chunk, as often as the fit needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from fusible.alignment._views import CHUNK, Chunk, as_views
from fusible.data.cache import CacheSpace
from fusible.errors import ArrayError


class Stream:
    """Rows of several views that do not fit in memory.

    `chunks` is called for each pass and gives mappings {view: array (rows, columns)}, or pairs of such a mapping and a
    presence array (rows, views). Linear aligners take a stream in place of views: memory is that of one chunk and of
    the square of the columns. Further passes are made only where the condition asks for QR.

    >>> import numpy as np
    >>> from fusible.alignment.cca import Cca
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=(1000, 3))
    >>> b = a + rng.normal(size=(1000, 3))
    >>> parts = Stream(lambda: ({"a": a[i : i + 100], "b": b[i : i + 100]} for i in range(0, 1000, 100)))
    >>> whole = Cca().fit({"a": a, "b": b})
    >>> np.allclose(Cca().fit(parts).correlations_, whole.correlations_, atol=1e-12)
    True
    """

    form = "stream"
    presence = None
    weight = None

    def __init__(self, chunks: Callable[[], Iterable[Any]]) -> None:
        self._chunks = chunks
        self._names: tuple[str, ...] | None = None
        self._widths: tuple[int, ...] | None = None
        if next(iter(self), None) is None:
            raise ArrayError("stream: expected at least one chunk, got none")
        self._counted: int | None = None

    @classmethod
    def from_parquet(cls, path: str | Path, views: Mapping[str, Sequence[str]], rows: int = CHUNK) -> Self:
        """Columns of one Parquet file; a row in which all columns of a view are null lacks the view."""
        import pyarrow.parquet as pq

        columns = [name for names in views.values() for name in names]
        _check_columns(Path(path), views)

        def chunks() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
            # Read ahead, row groups would stay in memory until the end.
            with pq.ParquetFile(path, pre_buffer=False) as file:
                for batch in file.iter_batches(rows, columns=columns, use_threads=False):
                    arrays = {
                        view: np.stack([_numbers(batch.column(name)) for name in names], axis=1)
                        for view, names in views.items()
                    }
                    yield arrays, np.stack([~np.isnan(a).all(axis=1) for a in arrays.values()], axis=1)

        return cls(chunks)

    @classmethod
    def from_arrays(cls, paths: Mapping[str, str | Path], rows: int = CHUNK) -> Self:
        """One `.npy` file per view, mapped anew for each chunk, so that read pages are let go."""

        def chunks() -> Iterator[dict[str, np.ndarray]]:
            maps = {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in paths.items()}
            lengths = {name: len(array) for name, array in maps.items()}
            if len(set(lengths.values())) != 1:
                raise ArrayError(f"stream: expected as many rows in every file, got {lengths}")
            for start in range(0, next(iter(lengths.values())), rows):
                fresh = {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in paths.items()}
                yield {name: array[start : start + rows] for name, array in fresh.items()}

        return cls(chunks)

    @classmethod
    def from_cache(cls, views: Mapping[str, tuple[CacheSpace, Sequence[str | None]]], rows: int = CHUNK) -> Self:
        """Vectors of the feature cache: per view its space and one key per row, None where the row lacks the view."""
        lengths = {name: len(keys) for name, (_, keys) in views.items()}
        if len(set(lengths.values())) != 1:
            raise ArrayError(f"stream: expected as many keys for every view, got {lengths}")
        widths = {name: _width(name, space, keys) for name, (space, keys) in views.items()}

        def chunks() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
            for start in range(0, next(iter(lengths.values())), rows):
                parts = {
                    name: _gathered(space, keys[start : start + rows], widths[name])
                    for name, (space, keys) in views.items()
                }
                present = [[key is not None for key in keys[start : start + rows]] for _, keys in views.values()]
                yield parts, np.array(present).T

        return cls(chunks)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the views."""
        return self._names or ()

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of columns per view."""
        return self._widths or ()

    @property
    def rows(self) -> int:
        """Number of rows; counted by a pass of its own."""
        if self._counted is None:
            self._counted = sum(chunk.rows for chunk in self)
        return self._counted

    def __iter__(self) -> Iterator[Chunk]:
        for given in self._chunks():
            arrays, presence = given if isinstance(given, tuple) else (given, None)
            views = as_views(arrays, presence=presence, names=self._names, widths=self._widths)
            self._names, self._widths = views.names, views.widths
            yield Chunk(views.arrays, views.presence)


def _check_columns(path: Path, views: Mapping[str, Sequence[str]]) -> None:
    """Raise `ArrayError` where a Parquet file lacks a column, or has one that holds no numbers."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    for view, names in views.items():
        for name in names:
            if name not in schema.names:
                raise ArrayError(f"stream: column {name!r} is not in {path.name}; it has {', '.join(schema.names)}")
            kind = schema.field(name).type
            if not _is_number(kind):
                raise ArrayError(
                    f"view {view!r}: column {name!r} of {path.name}: expected numbers, got {kind}; encode it"
                )


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    tests = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    return any(test(kind) for test in tests)


def _numbers(column: Any) -> np.ndarray:
    """A column of a batch, null as NaN; floats keep their precision."""
    from pyarrow import types

    if not types.is_floating(column.type):
        column = column.cast("float64")
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _width(name: str, space: CacheSpace, keys: Sequence[str | None]) -> int:
    first = next((key for key in keys if key is not None), None)
    if first is None:
        raise ArrayError(f"view {name!r}: present in no row; leave the view out")
    return len(space.get(first))


def _gathered(space: CacheSpace, keys: Sequence[str | None], width: int) -> np.ndarray:
    """Cached vectors of some rows, zero where there is no key."""
    found = space.gather([key for key in keys if key is not None])
    rows = np.zeros((len(keys), width), found[0].dtype if found else np.float64)
    present = [i for i, key in enumerate(keys) if key is not None]
    if present:
        rows[present] = np.stack(found)
    return rows
