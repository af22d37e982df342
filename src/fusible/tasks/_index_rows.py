"""Rows of a table as an index takes them: ids, content keys, own columns, full text, previews, media, failures."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusible.data.cells import CODE, absent, as_names, is_binary, is_list, is_string, parse_numbers
from fusible.data.dataset import Dataset
from fusible.data.files import DELIMITED, kind_of
from fusible.data.kinds import full_path
from fusible.data.media import decode_image, decode_video
from fusible.data.schema import known
from fusible.data.views import media_cell
from fusible.errors import DataError
from fusible.index.items import held_as
from fusible.types import Media, Modality, View, ViewData

PREVIEW = 160
"""Longer side of a preview, in pixels."""
QUALITY = 80
SMALL_SOUND = 256 * 1024
"""Bytes of a sound inside the table up to which an index keeps the sound itself, as there is no file to play."""
PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
LONG = r"^[+-]?\d{16,}$"
"""Digits that a number of double precision may not hold are a code."""


def row_ids(dataset: Dataset, column: str | None) -> list[str]:
    """Id of every row: a key column's cells, which must be there and distinct, or the row's number as text."""
    if column is None:
        return [str(row) for row in range(dataset.rows)]
    cells = dataset.table.column(known(column, dataset.table.column_names))
    if is_binary(cells.type):
        raise DataError(f"--id: column {column!r} holds bytes; expected text or numbers that name each row")
    names: list[str] = as_names(cells).tolist()
    empty = next((row for row, name in enumerate(names) if name is None), None)
    if empty is not None:
        raise DataError(f"--id: row {empty} has no {column!r}; expected one in every row, choose another column")
    if len(set(names)) < len(names):
        seen: set[str] = set()
        row, name = next((r, n) for r, n in enumerate(names) if n in seen or seen.add(n))  # type: ignore[func-returns-value]
        raise DataError(f"--id: row {row} has the {column!r} of an earlier row ({name!r}); expected distinct ones")
    return names


def own_columns(dataset: Dataset) -> pa.Table:
    """Columns that an index keeps for filters and for showing: all but bytes; sets of labels as text, NaN as null.

    A filter takes NaN for larger than any number, and `is null` does not find it.
    """
    table, kept = dataset.table, {}
    for name in table.column_names:
        column = table.column(name)
        if is_list(column.type):
            column = pa.chunked_array([pa.array(as_names(column).tolist(), pa.large_string())])
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        if not is_binary(column.type) and not pa.types.is_nested(column.type):
            kept[name] = column
    return pa.table(kept)


def is_untyped(data: Any) -> bool:
    """Whether a table comes from files whose format has no types: CSV and TSV."""
    if not isinstance(data, str | Path):
        return False
    path = Path(data)
    kinds = [kind_of(file) for file in (path.iterdir() if path.is_dir() else [path])]
    return all(kind in DELIMITED for kind in kinds if kind)


def with_numbers(columns: pa.Table, kept: set[str]) -> pa.Table:
    """Text columns whose every cell is a number as numbers, so that a filter compares them as such.

    Codes, such as digits with a leading zero, stay text, and so do columns in `kept`. Whole numbers are of double
    precision too: the index keeps a column's type, and the next table may hold others.

    >>> with_numbers(pa.table({"price": ["3", "4", " "], "zip": ["01", "2", "3"]}), set()).to_pydict()
    {'price': [3.0, 4.0, None], 'zip': ['01', '2', '3']}
    """
    for place, name in enumerate(columns.column_names):
        cells = columns.column(name)
        if name in kept or not is_string(cells.type) or (empty := absent(cells)).all():
            continue
        trimmed = pc.utf8_trim_whitespace(cells.filter(pa.array(~empty)))
        codes = pc.any(pc.match_substring_regex(trimmed, f"{CODE}|{LONG}")).as_py()
        if not codes and pc.all(pc.match_substring_regex(trimmed, PLAIN)).as_py():
            columns = columns.set_column(place, name, parse_numbers(cells)[0].cast(pa.float64()))
    return columns


def full_texts(dataset: Dataset, rows: np.ndarray) -> list[str]:
    """What full-text search reads of each row: its text cells, one line each."""
    names = [c.name for c in dataset.columns.values() if c.modality is Modality.TEXT]
    cells = [as_names(dataset.table.column(name).take(pa.array(rows))) for name in names]
    return ["\n".join(part for part in parts if part is not None) for parts in zip(*cells, strict=True)] or [""] * len(
        rows
    )


def row_keys(
    views: Sequence[ViewData], columns: pa.Table, media: Mapping[str, Sequence[str | None]] | None = None
) -> list[str]:
    """Content key of each row: own cells, the content of the files and bytes that its views hold, and where files are.

    `media` {view: absolute paths} are those that the index keeps: a row whose files moved is another one.
    """
    plain = columns.to_pylist()
    paths = list((media or {}).values())
    found = []
    for row, cells in enumerate(plain):
        digest = blake2b(
            json.dumps(cells, default=str, sort_keys=True).encode("utf-8", "surrogatepass"), digest_size=20
        )
        for data in views:
            if data.keys or len(data.values) == 0:
                digest.update("".join(data.keys[i] if i >= 0 else "-" for i in data.ids[row].tolist()).encode())
            digest.update(b"|")
        for path in [held[row] for held in paths]:
            if path is not None:
                digest.update(f"{path}|".encode("utf-8", "surrogatepass"))
        found.append(digest.hexdigest())
    return found


def media_of(data: ViewData, rows: np.ndarray) -> list[Media | None]:
    """First item of each row of a media view, None where there is none; one that rows share is one object."""
    found: list[Media | None] = []
    for ids in data.ids[rows].tolist():
        first = next((i for i in ids if i >= 0), None)
        found.append(None if first is None else data.values[first])
    return found


def paths_of(dataset: Dataset, data: ViewData, rows: np.ndarray) -> list[str | None]:
    """Absolute path of the first file of each row of a media view, None for bytes and for nothing.

    `rows` are the table's, one per row of `data`.
    """
    columns = [dataset.table.column(name) for name in data.view.columns]
    found: list[str | None] = []
    for place in range(len(rows)):
        slot = next((slot for slot, i in enumerate(data.ids[place].tolist()) if i >= 0), None)
        if slot is None or is_binary(columns[slot].type):
            found.append(None)
            continue
        media = media_cell(columns[slot], data.view.columns[slot], int(rows[place]), dataset.root)
        found.append(full_path(str(media.path)))
    return found


Previews = Callable[[], list[bytes | None]]


def begin_previews(view: View, items: Sequence[Media | None], pool: ThreadPoolExecutor) -> Previews:
    """Small JPEG pictures of images and of the middle frames of videos; short sounds that are no files as they are.

    They are made in threads of `pool`; what is returned waits for them. One item that several rows hold is read once;
    one that cannot be read has none.
    """
    make = PREVIEWS[view.modality]
    distinct = {id(item): item for item in items if item is not None}
    begun = {key: pool.submit(_tried, make, item) for key, item in distinct.items()}
    return lambda: [None if item is None else begun[id(item)].result() for item in items]


def _tried(make: Callable[[Media], bytes | None], item: Media) -> bytes | None:
    try:
        return make(item)
    except DataError:
        return None  # the view's encoder reads it too, and lists it


def _picture(media: Media) -> bytes:
    return to_jpeg(decode_image(media, PREVIEW))


def _frame(media: Media) -> bytes:
    return to_jpeg(decode_video(media, 1, PREVIEW)[0])


def _sound(media: Media) -> bytes | None:
    return bytes(media.data) if media.data is not None and len(media.data) <= SMALL_SOUND else None


PREVIEWS: dict[Modality, Callable[[Media], bytes | None]] = {
    Modality.IMAGE: _picture,
    Modality.VIDEO: _frame,
    Modality.AUDIO: _sound,
}


def to_jpeg(pixels: np.ndarray) -> bytes:
    """Encode pixels (height, width, 3), uint8 or 0-1, as a small JPEG, at most `PREVIEW` a side."""
    from PIL import Image

    if pixels.dtype != np.uint8:
        top = max(1.0, float(np.nanmax(pixels, initial=0.0)))
        pixels = (np.nan_to_num(pixels).clip(0, top) / top * 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    image.thumbnail((PREVIEW, PREVIEW))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def plain_schema(
    columns: pa.Table, texts: pa.Table, wanted: Mapping[str, pa.DataType], lacking: Collection[str] = ()
) -> tuple[pa.Table, list[str]]:
    """Columns that an index has, in its types, and names of those that it lacks.

    `texts` are the columns as they were before `with_numbers`: what an index holds as text is taken from there. Columns
    of `lacking` may be missing, and are empty then. Raises `DataError` where another is, or where a cell is not of the
    type that the index has: before anything is encoded, and so that a row's key is that of what is written.
    """
    held = {}
    for name, kind in wanted.items():
        if name in columns.column_names:
            held[name] = held_as(name, (texts if is_string(kind) else columns).column(name), kind)
        elif name in lacking:
            held[name] = pa.nulls(columns.num_rows, kind)
        else:
            raise DataError(f"the table has no column {name!r}, which the index has; add it or build another index")
    return pa.table(held), [name for name in columns.column_names if name not in wanted]
