"""The LanceDB table that holds every row of an index: number, id, content key, text, vectors, media, own columns.

Numbers are given once and never again: a changed row is a new one under a new number. Names of Fusible's own columns
begin with `fusible_`; those of a view end with the view's place in `widths`, since view names may hold any letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fusible.errors import ConfigError, DataError, MissingExtraError
from fusible.index import _filter
from fusible.index.items import Allowed, Items, held_as

NUMBER, ID, KEY, TEXT = "fusible_number", "fusible_id", "fusible_key", "fusible_text"
PRESENT = "fusible_present"
"""Which views a row has: one bit per view, in the order of `widths`."""
MOST_VIEWS = 62
ROWS = "rows"
VISIBLE = "visible"
"""Tag of the version that the pointer names."""
BATCH = 8192
_PART = 4096
"""Row numbers per condition: LanceDB parses a list of these in milliseconds."""
_NEVER = timedelta(days=36500)


def connect(folder: Path) -> Any:
    """Open the folder as a LanceDB database; raises `MissingExtraError`."""
    try:
        import lancedb
    except ImportError as error:
        raise MissingExtraError.of("lancedb", "index", "an index") from error
    return lancedb.connect(folder)


def stored_names(columns: pa.Schema) -> dict[str, str]:
    """Name in the table of every own column: dots and quotes, which SQL gives a meaning, become underscores.

    Names that LanceDB has for itself begin with `column_` instead; of two that are the same then, one gets a number.

    >>> stored_names(pa.schema([(name, pa.int64()) for name in ("a.b", "a_b", "_score")]))
    {'a.b': 'a_b_2', 'a_b': 'a_b', '_score': 'column__score'}
    """
    wanted = {}
    for column in columns.names:
        name = re.sub(r"[.\"'`\\]", "_", column) or "_"
        if name.lower().startswith("fusible_") or column in wanted:
            raise ConfigError(f"index: column {column!r} has a name that is taken; rename it")
        wanted[column] = f"column_{name}" if name.lower().startswith(("_row", "_score", "_dist")) else name
    names = {column: name for column, name in wanted.items() if column == name}
    for column, name in wanted.items():
        if column not in names:
            tries = chain([name], (f"{name}_{turn}" for turn in count(2)))
            names[column] = next(one for one in tries if one not in names.values())
    return {column: names[column] for column in wanted}


def schema(widths: Mapping[str, int], columns: pa.Schema, names: Mapping[str, str]) -> pa.Schema:
    """Schema of the table."""
    fields = [pa.field(NUMBER, pa.int64(), False), pa.field(ID, pa.string(), False)]
    fields += [pa.field(KEY, pa.string()), pa.field(TEXT, pa.string()), pa.field(PRESENT, pa.int64(), False)]
    for place, width in enumerate(widths.values()):
        fields.append(pa.field(f"fusible_vector_{place}", pa.list_(pa.float32(), width)))
        fields.append(pa.field(f"fusible_preview_{place}", pa.binary()))
        fields.append(pa.field(f"fusible_media_{place}", pa.string()))
    return pa.schema(fields + [pa.field(names[field.name], _plain(field)) for field in columns])


def _plain(field: pa.Field) -> pa.DataType:
    """Type under which a column is stored: categories as what they name, no column of nulls."""
    kind = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.string() if pa.types.is_null(kind) else kind


def table_of(
    items: Items, numbers: np.ndarray, target: pa.Schema, widths: Mapping[str, int], names: Mapping[str, str]
) -> pa.Table:
    """Arrange items as rows of the table."""
    size = len(items.ids)
    held: dict[str, Any] = {
        NUMBER: pa.array(numbers, pa.int64()),
        ID: pa.array(items.ids, pa.string()),
        KEY: pa.array(items.keys or [""] * size, pa.string()),
        TEXT: pa.array(items.texts or [""] * size, pa.string()),
    }
    present = np.zeros(size, np.int64)
    for place, (view, width) in enumerate(widths.items()):
        absent = _absent(items.vectors.get(view), size)
        present |= np.where(absent, 0, 1 << place)
        held[f"fusible_vector_{place}"] = _vectors(items.vectors.get(view), absent, width)
        held[f"fusible_preview_{place}"] = pa.array(items.previews.get(view, [None] * size), pa.binary())
        held[f"fusible_media_{place}"] = pa.array(items.media.get(view, [None] * size), pa.string())
    held[PRESENT] = pa.array(present)
    for column, name in names.items():
        if column not in items.columns.column_names:
            raise DataError(f"index: no column {column!r} in the items, which the index has")
        held[name] = held_as(column, items.columns.column(column), target.field(name).type)
    return pa.table([held[name] for name in target.names], schema=target)


def _absent(rows: np.ndarray | None, size: int) -> np.ndarray:
    return np.ones(size, bool) if rows is None else np.isnan(np.asarray(rows)[:, 0])


def _vectors(rows: np.ndarray | None, absent: np.ndarray, width: int) -> pa.Array:
    if rows is None:
        return pa.nulls(len(absent), pa.list_(pa.float32(), width))
    flat = pa.array(np.ascontiguousarray(rows, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, width, mask=pa.array(absent))


def matrix(column: pa.Array, width: int) -> np.ndarray:
    """Vectors of one batch without absent ones, shape (rows, width)."""
    flat: np.ndarray = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(-1, width)


def batches(table: Any, columns: Sequence[str], where: str | None = None) -> Iterator[pa.RecordBatch]:
    """Scan columns of the rows that a condition leaves."""
    query = table.search()
    if where is not None:
        query = query.where(where)
    yield from query.select(list(columns)).to_batches(BATCH)


def take(table: Any, places: np.ndarray, columns: Sequence[str]) -> pa.Table:
    """Columns of LanceDB's row ids, in their order; the same one may come twice."""
    wanted, back = np.unique(places, return_inverse=True)
    chosen = list(dict.fromkeys(columns))
    query = table.take_row_ids([int(place) for place in wanted]).select(chosen).with_row_id()
    found: pa.Table = query.to_arrow()
    order = np.argsort(found.column("_rowid").to_numpy(), kind="stable")
    if len(order) != len(wanted):
        raise DataError(f"index: {len(order)} of {len(wanted)} rows are there; the index is damaged, build it again")
    return found.select(chosen).take(pa.array(order[back]))


def allowed(table: Any, where: str, columns: Mapping[str, str]) -> Allowed:
    """Rows that a user's filter leaves; raises `ConfigError` for a filter that cannot be used."""
    condition = _filter.checked(where, columns.values())
    try:
        found = [batch.column(0).to_numpy() for batch in batches(table, [NUMBER], condition)]
    except BaseException as error:
        if not isinstance(error, ValueError | RuntimeError | OSError) and not _filter.panicked(error):
            raise
        raise _filter.said(error, columns.values()) from None
    return Allowed(condition, np.sort(np.concatenate([*found, np.empty(0, np.int64)])))


def words(table: Any, text: str, k: int, condition: str | None) -> pa.Table:
    """Numbers and scores of the `k` rows that full text ranks first; raises `ConfigError` for what cannot be searched.

    Every mark of the text is a mark: quotes ask for no phrase, which would need an index of positions.
    """
    from lancedb.query import MatchQuery

    match: Any = MatchQuery  # its types ask for arguments that have defaults
    query = table.search(match(text, TEXT), query_type="fts")
    query = query if condition is None else query.where(condition, prefilter=True)
    try:
        found: pa.Table = query.limit(k).select([NUMBER, "_score"]).to_arrow()
    except BaseException as error:
        if not isinstance(error, ValueError | RuntimeError | OSError) and not _filter.panicked(error):
            raise
        line = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"words: LanceDB cannot search for {text[:60]!r} ({line}); leave words out (--words 0)"
        ) from None
    return found


def delete(table: Any, gone: np.ndarray) -> None:
    """Delete rows by number."""
    for start in range(0, len(gone), _PART):
        part = ",".join(map(str, gone[start : start + _PART].tolist()))
        table.delete(f"{NUMBER} IN ({part})")


def fragments(table: Any) -> int:
    """Number of files of rows."""
    return int(table.stats()["fragment_stats"]["num_fragments"])


def tidy(table: Any) -> None:
    """Join small files and bring LanceDB's own indexes up to date, till none is left; no version is dropped."""
    before = -1
    while table.version != before:
        before = table.version
        table.optimize(cleanup_older_than=_NEVER)


def drop_old(table: Any) -> None:
    """Drop every version but the latest, which must be the visible one, and the files that only those used.

    LanceDB drops versions only together with joining files, which may make a version of its own. A tag keeps it from
    dropping the visible one then: nothing is dropped, and the next time there is nothing left to join.
    """
    tag(table)
    try:
        table.optimize(cleanup_older_than=timedelta(milliseconds=1), delete_unverified=True)
    except RuntimeError as error:
        if "tagged" not in str(error):
            raise


def tag(table: Any) -> None:
    """Mark the table's version as the visible one, so that no clean-up drops it."""
    if VISIBLE in table.tags.list():
        table.tags.update(VISIBLE, table.version)
    else:
        table.tags.create(VISIBLE, table.version)
