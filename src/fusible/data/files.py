"""Table files to Arrow tables: CSV, TSV, JSON Lines and Parquet."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.json as pjson
import pyarrow.parquet as pq

from fusible.data.cells import normalise
from fusible.errors import DataError, SchemaError

DELIMITED = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
LINES = {".jsonl", ".ndjson"}
PARQUET = {".parquet", ".pq"}
NULLS = ("", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "NULL", "null", "<NA>")
"""Unquoted spellings of a missing cell in CSV and TSV."""
IN_MEMORY = 256 * 1024 * 1024
"""Bytes (unpacked) from which on a Parquet table is mapped from disk, not held in memory."""
_SPOOLED = 256
_BLOCKS = (1 << 24, 1 << 27, 1 << 30)
"""Bytes read at a time: larger ones are tried where a row does not fit."""
_STRADDLES = ("straddling", "block size", "block_size")


def kind_of(path: Path) -> str:
    """Return the ending that tells the format, without `.gz`; empty where it is no table file.

    >>> kind_of(Path("a/rows.CSV.gz"))
    '.csv'
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    return last if last in DELIMITED or last in LINES or last in PARQUET else ""


def load_file(path: Path) -> pa.Table:
    """Read one table file; every cell of a delimited file is text, the other formats have types of their own.

    Raises `DataError` naming file, line and cause for what cannot be read, `SchemaError` for duplicate column names.
    """
    kind = kind_of(path)
    if not kind:
        raise DataError(f"{path}: not a table: expected .csv, .tsv, .jsonl (also .gz) or .parquet")
    try:
        if kind in PARQUET:
            table = _load_parquet(path)
        elif kind in LINES:
            table = _load_lines(path)
        else:
            table = _load_delimited(path, DELIMITED[kind])
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read: {_line(error)}") from None
    check_names(table.column_names, str(path))
    return normalise(table)


def check_names(names: list[str], where: str) -> None:
    """Raise `SchemaError` where two columns have one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SchemaError(f"{where}: two columns are called {twice[0]!r}; rename one")


def _load_parquet(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            groups = (file.metadata.row_group(index) for index in range(file.metadata.num_row_groups))
            large = sum(group.total_byte_size for group in groups) > IN_MEMORY
            table = _spool(file) if large else file.read()
    except pa.ArrowException as error:
        raise DataError(f"{path}: not a readable Parquet file: {_line(error)}; write it again") from None
    return table.drop_columns([name for name in table.column_names if name.startswith("__index_level_")])


def _spool(file: pq.ParquetFile) -> pa.Table:
    """Unpack to a temporary Arrow file and map it: its pages come and go with use, memory stays flat.

    The file is deleted as soon as it is mapped; its space is freed with the table.
    """
    with TemporaryDirectory(prefix="fusible-", ignore_cleanup_errors=True) as folder:
        path = str(Path(folder) / "table.arrow")
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, file.schema_arrow) as writer:
            for batch in file.iter_batches(batch_size=_SPOOLED):
                writer.write_batch(batch)
        return pa.ipc.open_file(pa.memory_map(path)).read_all()


def _load_lines(path: Path) -> pa.Table:
    for block in _BLOCKS:
        try:
            with pa.input_stream(str(path), compression="detect") as stream:
                table = pjson.read_json(stream, read_options=pjson.ReadOptions(block_size=block))
            table.validate(full=True)
            return table
        except UnicodeDecodeError:
            raise _not_utf8(path) or DataError(f"{path}: not UTF-8; save the table as UTF-8") from None
        except pa.ArrowInvalid as error:
            if "Empty JSON" in str(error):
                raise DataError(f"{path}: the table has no rows") from None
            if any(word in str(error) for word in _STRADDLES) and block != _BLOCKS[-1]:
                continue
            _raise_if_not_utf8(path)
            hint = "expected one JSON object per line, each column of one type"
            raise DataError(f"{path}: not readable JSON Lines: {_line(error)}; {hint}") from None
    raise AssertionError("unreachable: the last block size returns or raises")


def _load_delimited(path: Path, delimiter: str) -> pa.Table:
    header = _header(path)
    if delimiter not in header:
        delimiter = max(",;\t|", key=header.count) if any(sign in header for sign in ",;\t|") else delimiter
    names = next(csv.reader([header], delimiter=delimiter))
    check_names(names, str(path))
    convert = pcsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.large_string()),
        null_values=list(NULLS),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = pcsv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    for block in _BLOCKS:
        try:
            with pa.input_stream(str(path), compression="detect") as stream:
                read = pcsv.ReadOptions(block_size=block)
                return pcsv.read_csv(stream, read_options=read, parse_options=parse, convert_options=convert)
        except pa.ArrowInvalid as error:
            if any(word in str(error) for word in _STRADDLES) and block != _BLOCKS[-1]:
                continue
            _raise_if_not_utf8(path)
            _raise_if_ragged(path, delimiter)
            raise DataError(f"{path}: not a readable table: {_line(error)}") from None
    raise AssertionError("unreachable: the last block size returns or raises")


def _header(path: Path) -> str:
    """First record of the file, its quoted line breaks included."""
    with pa.input_stream(str(path), compression="detect") as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        header = ""
        for line in text:
            header += line
            if header.count('"') % 2 == 0 and header.strip():
                break
    if not header.strip():
        raise DataError(f"{path}: the table is empty")
    return header.strip("\r\n")


def _raise_if_not_utf8(path: Path) -> None:
    error = _not_utf8(path)
    if error is not None:
        raise error


def _not_utf8(path: Path) -> DataError | None:
    """Build the error for the first line that is not UTF-8; None where there is none."""
    with pa.input_stream(str(path), compression="detect") as stream:
        offset = 0
        for number, line in enumerate(io.BufferedReader(stream), start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                where = f"line {number}, byte {offset + error.start} (0x{line[error.start]:02x})"
                return DataError(f"{path}: not UTF-8 at {where}; save the table as UTF-8")
            offset += len(line)
    return None


def _raise_if_ragged(path: Path, delimiter: str) -> None:
    """Find the first row with a wrong number of cells and raise `DataError` with its line."""
    limit = csv.field_size_limit(1 << 30)
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            reader = csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""), delimiter=delimiter)
            width = len(next(reader))
            for row in reader:
                if row and len(row) != width:
                    where = f"{path}: line {reader.line_num}"
                    raise DataError(
                        f"{where}: expected {width} cells, got {len(row)}; quote cells that hold {delimiter!r}"
                    )
    finally:
        csv.field_size_limit(limit)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
