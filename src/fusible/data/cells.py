"""Cells of Arrow columns: one spelling for each type, and conversion to numbers and category names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusible.errors import DataError

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity|nan)$"
"""What counts as a number in a string cell; surrounding blanks are dropped."""
INTEGER = r"^[+-]?\d{1,18}$"
CODE = r"^[+-]?0\d+$"
"""Digits with a leading zero are a code (post code, article number), not a number."""


def is_string(kind: pa.DataType) -> bool:
    """Whether cells are text."""
    return bool(pa.types.is_large_string(kind) or pa.types.is_string(kind))


def is_binary(kind: pa.DataType) -> bool:
    """Whether cells are bytes."""
    return bool(pa.types.is_large_binary(kind) or pa.types.is_binary(kind))


def is_list(kind: pa.DataType) -> bool:
    """Whether cells are lists of text (sets of labels)."""
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(lists and (is_string(kind.value_type) or pa.types.is_null(kind.value_type)))


def is_temporal(kind: pa.DataType) -> bool:
    """Whether cells are dates, times or durations."""
    return bool(pa.types.is_temporal(kind))


def is_numeric(kind: pa.DataType) -> bool:
    """Whether cells are integers or floating-point numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def normalise(table: pa.Table) -> pa.Table:
    """Give each kind of cell one Arrow type: large_string, large_binary, float64 for decimals, no dictionaries."""
    columns = [_normalise(name, table.column(index)) for index, name in enumerate(table.column_names)]
    return pa.table(columns, names=table.column_names)


def _normalise(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _normalise(name, pa.chunked_array([c.storage for c in column.chunks], type=kind.storage_type))
    if pa.types.is_dictionary(kind):
        return _normalise(name, column.cast(kind.value_type))
    if pa.types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}:
        return _normalise(name, _media_struct(name, column))
    return column.cast(_plain(kind))


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the one type that stands for all of its sort."""
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.large_binary()
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return pa.float64()
    return kind


def _media_struct(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Take bytes, or paths, out of {bytes, path} structs (as Hugging Face datasets writes media)."""
    data, path = pc.struct_field(column, "bytes"), pc.struct_field(column, "path")
    if data.null_count == len(data):
        return path
    lost = pc.and_(pc.is_null(data), pc.is_valid(path))
    if pc.any(lost).as_py():
        row = pc.index(lost, True).as_py()
        raise DataError(f"column {name!r}, row {row}: a path without bytes, other cells have bytes; write one kind")
    return data


class ByteCells:
    """Cells of a bytes column without copying them: Arrow's own scalars copy, these are views into the table.

    >>> bytes(ByteCells(pa.chunked_array([[b"a"], [b"bc", b"d"]], pa.large_binary()))[1])
    b'bc'
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._starts = np.cumsum([0, *(len(chunk) for chunk in column.chunks)])
        self._ends: list[np.ndarray] = []
        self._data: list[memoryview] = []
        for chunk in column.chunks:
            _, ends, data = chunk.buffers()
            count = chunk.offset + len(chunk) + 1
            self._ends.append(
                np.frombuffer(ends, np.int64, count)[chunk.offset :] if len(chunk) else np.zeros(1, np.int64)
            )
            self._data.append(memoryview(b"" if data is None else data))

    def __getitem__(self, row: int) -> memoryview:
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        place = row - int(self._starts[number])
        ends = self._ends[number]
        return self._data[number][int(ends[place]) : int(ends[place + 1])]


def absent(column: pa.ChunkedArray) -> np.ndarray:
    """Bool (rows,): whether the cell is null, NaN, or empty (blank text, no bytes, no labels)."""
    kind = column.type
    if is_string(kind):
        empty = pc.or_kleene(pc.is_null(column), pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0))
    elif is_binary(kind):
        empty = pc.or_kleene(pc.is_null(column), pc.equal(pc.binary_length(column), 0))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        empty = pc.or_kleene(pc.is_null(column), pc.equal(pc.list_value_length(column), 0))
    else:
        empty = pc.is_null(column, nan_is_null=pa.types.is_floating(kind))
    return np.asarray(empty.to_numpy(), dtype=bool)


def parse_numbers(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, np.ndarray]:
    """Numbers of text cells, int64 where all are integers, and bool (rows,): which present cells are no numbers.

    Dates and times in ISO form are seconds since 1970.

    >>> numbers, bad = parse_numbers(pa.chunked_array([["1", " 2 ", "x", None]]))
    >>> numbers.to_pylist(), bad.tolist()
    ([1, 2, None, None], [False, False, True, False])
    """
    trimmed = pc.utf8_trim_whitespace(column)
    trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, trimmed.type), trimmed)
    good = pc.match_substring_regex(trimmed, NUMBER)
    if not pc.any(good).as_py() and trimmed.null_count < len(trimmed):
        dates = _parse_dates(trimmed)
        if dates is not None:
            return dates, np.zeros(len(dates), dtype=bool)
    kept = pc.if_else(good, trimmed, pa.scalar(None, trimmed.type))
    bad = np.asarray(pc.fill_null(pc.invert(good), False).to_numpy(), dtype=bool)
    whole = pc.all(pc.match_substring_regex(kept, INTEGER)).as_py()
    if whole and kept.null_count < len(kept):
        return pc.replace_substring_regex(kept, r"^\+", "").cast(pa.int64()), bad
    return kept.cast(pa.float64()), bad


def _parse_dates(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return _seconds(column.cast(kind))
        except pa.ArrowInvalid:
            continue
    return None


def _seconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Seconds of dates, times of day and durations, as float64."""
    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("ms"))
        kind = column.type
    per_second = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
    whole = column.cast(pa.int32() if pa.types.is_time32(kind) else pa.int64())
    return pc.divide(whole.cast(pa.float64(), safe=False), per_second)


def as_numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Give cells as float64 (rows,): NaN where absent, infinite, or no number; seconds for dates and times."""
    kind = column.type
    if is_string(kind):
        column, _ = parse_numbers(column)
    elif is_temporal(kind):
        column = _seconds(column)
    elif not (is_numeric(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
        raise DataError(f"cells of type {kind} cannot be read as numbers; choose another modality")
    values = np.array(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    values[np.isinf(values)] = np.nan
    return values


def as_names(column: pa.ChunkedArray) -> np.ndarray:
    """Give cells as category names, object (rows,): `str`, None where absent. Whole numbers have no decimal point.

    >>> as_names(pa.chunked_array([[1.0, None, 2.5]])).tolist()
    ['1', None, '2.5']
    """
    kind = column.type
    if is_list(kind):
        cells = [None if not cell else ", ".join(sorted(map(str, cell))) for cell in column.to_pylist()]
        return np.array([*cells, None], dtype=object)[:-1]
    levels = pc.unique(column)
    names = np.array([*(_name(value) for value in levels.to_pylist()), None], dtype=object)
    codes = pc.index_in(column, value_set=levels).fill_null(len(levels)).to_numpy()
    named: np.ndarray = names[codes]
    return named


def _name(value: Any) -> str | None:
    """Spelling of one level; None for what is absent."""
    if value is None or value != value:  # noqa: PLR0124  (NaN)
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") or None
    text = str(value)
    return text if text.strip() else None
