"""Tables of words or sentences with their times."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusible.data._captions import CLOCK, Row, plain
from fusible.data._encoding import decoded
from fusible.data.cells import absent, as_names, as_numbers, is_string
from fusible.data.files import DELIMITED, kind_of, load_file
from fusible.errors import DataError, SchemaError
from fusible.types import Problem

STARTS = ("start", "start_s", "start_time", "starttime", "start_sec", "start_seconds", "begin", "onset", "from")
ENDS = ("end", "end_s", "end_time", "endtime", "end_sec", "end_seconds", "stop", "offset", "to")
LENGTHS = ("duration", "duration_s", "dur", "length")
TEXTS = ("text", "word", "words", "transcript", "sentence", "utterance", "caption", "label", "token")
CLIPS = ("clip", "file", "filename", "video", "audio", "path", "id", "recording")
MILLI = ("start_ms", "end_ms", "duration_ms")


def timed_rows(path: Path, encoding: str | None, clip: str | None) -> tuple[list[Row], list[Problem]]:
    """Rows of a table with a start, an end (or a duration) and a text, under any usual name.

    Times are seconds, milliseconds in columns called `…_ms`, or clock times such as 00:01:02.5. Raises `SchemaError`
    where such a column is missing, and `DataError` where the table holds several clips of which none was picked.
    """
    table = _table(path, encoding)
    names = {name.strip().lower(): name for name in reversed(table.column_names)}
    text = _column(names, TEXTS)
    start = _column(names, (*STARTS, "start_ms"))
    end, length = _column(names, (*ENDS, "end_ms")), _column(names, (*LENGTHS, "duration_ms"))
    if text is None or start is None or (end is None and length is None):
        raise SchemaError(
            f"{path}: expected columns for start, end and text (such as start, end, word), got "
            f"{', '.join(map(repr, table.column_names))}; rename them"
        )
    keep = _of_clip(path, table, _column(names, CLIPS), clip)
    starts = _seconds(table, start)
    ends = _seconds(table, end) if end is not None else starts + _seconds(table, str(length))
    words = ["" if word is None else plain(str(word)) for word in as_names(table.column(text))]
    rows = [(n + 1, float(starts[n]), float(ends[n]), words[n]) for n in np.flatnonzero(keep).tolist()]
    return rows, []


def _table(path: Path, encoding: str | None) -> pa.Table:
    kind = kind_of(path)
    if kind not in DELIMITED:
        return load_file(path)
    text = decoded(path, encoding)
    header = text.split("\n", 1)[0]
    delimiter = DELIMITED[kind]
    if delimiter not in header:
        delimiter = max(",;\t|", key=header.count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row]
    if len(rows) < 2:
        raise DataError(f"{path}: a table without rows; expected one per word or sentence")
    if len(set(rows[0])) < len(rows[0]):
        raise SchemaError(f"{path}: two columns have one name; rename one")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(rows[0]):
            raise DataError(f"{path}: row {number}: expected {len(rows[0])} cells, got {len(row)}; quote the text")
    columns = zip(*rows[1:], strict=True)
    return pa.table({name: pa.array(cells, pa.large_string()) for name, cells in zip(rows[0], columns, strict=True)})


def _column(names: dict[str, str], usual: Sequence[str]) -> str | None:
    return next((names[name] for name in usual if name in names), None)


def _of_clip(path: Path, table: pa.Table, column: str | None, clip: str | None) -> np.ndarray:
    """Bool (rows,): which rows are of the clip, by its name, or by the name of its file without folder and ending."""
    if column is None:
        return np.ones(table.num_rows, bool)
    clips = as_names(table.column(column))
    known = list(dict.fromkeys(one for one in clips if one is not None))
    if clip is None:
        if len(known) > 1:
            raise DataError(f"{path}: {len(known)} clips in column {column!r} ({known[0]!r}, …); say which one")
        return np.ones(table.num_rows, bool)
    chosen = clip if clip in known else Path(clip).stem
    keep = np.array([one is not None and chosen in {one, Path(one).stem} for one in clips])
    if not keep.any():
        raise DataError(f"{path}: no row of clip {clip!r} in column {column!r}; there are {known[0]!r} and others")
    return keep


def _seconds(table: pa.Table, name: str) -> np.ndarray:
    """Seconds (rows,), NaN where a cell is no time."""
    column = table.column(name)
    if is_string(column.type) and pc.any(pc.match_substring(column, ":")).as_py():
        seconds = pc.extract_regex(column, f"^\\s*{_named(CLOCK)}\\s*$")
        parts = [np.array(pc.struct_field(seconds, part).to_pylist(), dtype=object) for part in "hmsf"]
        values = [np.array([float(cell or 0) for cell in part]) for part in parts[:3]]
        fraction = np.array([float(f"0.{cell or 0}") for cell in parts[3]])
        found = values[0] * 3600 + values[1] * 60 + values[2] + fraction
        found[[cell is None for cell in parts[1]]] = np.nan
        return found
    found = np.where(absent(column), np.nan, as_numbers(column))
    return found / 1000 if name.strip().lower() in MILLI else found


def _named(pattern: str) -> str:
    for part in "hmsf":
        pattern = pattern.replace("(\\d", f"(?P<{part}>\\d", 1)
    return pattern
