"""Reading tables: files, folders of files, pandas and Arrow tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa

from fusible.data.cells import normalise
from fusible.data.dataset import Dataset, conform
from fusible.data.files import DELIMITED, check_names, kind_of, load_file
from fusible.data.guess import PARTS
from fusible.data.schema import infer, known, near_names, parse, target_names
from fusible.data.views import default_views
from fusible.errors import DataError, SchemaError
from fusible.types import Column, Problem, Role

Source: TypeAlias = str | Path | pd.DataFrame | pa.Table | Dataset
_PART = re.compile(rf"({'|'.join(PARTS)})(?![a-z])", re.IGNORECASE)


def read(
    source: Source,
    *,
    columns: Mapping[str, str] | None = None,
    views: Mapping[str, Sequence[str]] | None = None,
    target: str | Sequence[str] | None = None,
    like: Sequence[Column] | None = None,
) -> Dataset:
    """Read a table and say what each column is.

    Parameters
    ----------
    source : path, pandas.DataFrame, pyarrow.Table or Dataset
        CSV, TSV, JSON Lines (each also `.gz`) or Parquet; or a folder of such files with the same columns, whose names
        `train…`, `valid…`, `test…` give a split. Paths in cells are relative to the table's folder, those of a table in
        memory to the working folder.
    columns : mapping, optional
        What a column is, where the guess is wrong: `{"zipcode": "category", "note": "text:ignore", "y": "target"}`.
    views : mapping, optional
        Columns to join in one view: `{"photos": ["frontal", "kitchen"]}`.
    target : str or sequence of str, optional
        Columns to predict.
    like : sequence of Column, optional
        Schema of a trained model: columns are what they were in training. Inputs must be there, the target need not.

    Raises
    ------
    DataError
        What cannot be read, with file and line.
    SchemaError
        Duplicate, unknown or missing columns, contradicting views.
    TargetError
        An unknown target.

    >>> rows = read(pd.DataFrame({"price": [3.5, 4.0, 4.5], "kind": ["a", "b", "a"]}), target="price")
    >>> rows.views["table"].columns
    ('kind',)
    """
    if isinstance(source, Dataset) and not columns and not views and like is None and _has_target(source, target):
        return source
    table, root, textual = _load(source)
    if not table.num_rows or not table.num_columns:
        raise DataError(f"{_where(source)}: the table has no {'rows' if table.num_columns else 'columns'}")
    problems: list[Problem] = []
    if like is None:
        schema = infer(table, root, columns, target, textual=textual, problems=problems)
    else:
        schema = _schema_like(table, like, columns, target, _where(source))
    table = conform(table, schema, problems)
    return Dataset(table, root, schema, default_views(table, root, schema, views), problems)


def _has_target(dataset: Dataset, target: str | Sequence[str] | None) -> bool:
    """Whether a data set needs no other roles than it has."""
    return target is None or target_names(target, tuple(dataset.columns)) == dataset.names(Role.TARGET)


def _where(source: Source) -> str:
    return str(source) if isinstance(source, str | Path) else f"the {type(source).__name__}"


def _load(source: Source) -> tuple[pa.Table, Path | None, bool]:
    """Give the table, the folder of its paths, and whether its format has no types."""
    if isinstance(source, Dataset):
        return source.table, source.root, False
    if isinstance(source, pa.Table):
        check_names(source.column_names, _where(source))
        return normalise(source.replace_schema_metadata(None)), None, False
    if isinstance(source, pd.DataFrame):
        return _from_pandas(source), None, False
    path = Path(source)
    if path.is_dir():
        return _load_folder(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    return load_file(path), path.parent, kind_of(path) in DELIMITED


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    names = [str(name) for name in frame.columns]
    check_names(names, "the DataFrame")
    cells: list[Any] = []
    for index, name in enumerate(names):
        try:
            cells.append(pa.Array.from_pandas(frame.iloc[:, index]))
        except (pa.ArrowException, UnicodeError) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"column {name!r} of the DataFrame: cells of one type expected: {reason}") from None
    return normalise(pa.table(cells, names=names))


def _load_folder(folder: Path) -> tuple[pa.Table, Path, bool]:
    """Put all tables of a folder under one another; file names give the split where no column does."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and kind_of(path))
    if not files:
        raise DataError(f"{folder}: no table in the folder; expected .csv, .tsv, .jsonl (also .gz) or .parquet files")
    tables = [load_file(path) for path in files]
    first = tables[0].column_names
    for path, table in zip(files, tables, strict=True):
        odd = sorted(set(table.column_names) ^ set(first))
        if odd:
            where = f"{folder}: {files[0].name} and {path.name}"
            raise SchemaError(f"{where} differ in column {odd[0]!r}; name one file, or give all the same columns")
    parts = [_PART.match(path.name) for path in files]
    if "split" not in {name.lower() for name in first} and all(parts):
        found = [PARTS[part[1].lower()] for part in parts if part is not None]
        tables = [
            table.append_column("split", pa.array([part] * len(table), pa.large_string()))
            for table, part in zip(tables, found, strict=True)
        ]
    textual = all(kind_of(path) in DELIMITED for path in files)
    try:
        return pa.concat_tables(tables, promote_options="permissive"), folder, textual
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())
        raise SchemaError(f"{folder}: the files' columns differ in type: {reason}; use one format") from None


def _schema_like(
    table: pa.Table,
    like: Sequence[Column],
    columns: Mapping[str, str] | None,
    target: str | Sequence[str] | None,
    where: str,
) -> dict[str, Column]:
    """Take modality and role from a trained model's columns; unknown columns of the table are ignored."""
    trained = {column.name: column for column in like}
    names = table.column_names
    for column in like:
        if column.role is Role.INPUT and column.name not in names:
            raise SchemaError(
                f"{where}: column {column.name!r}, an input of the model, is missing; {near_names(column.name, names)}"
            )
    guessed = infer(table, None, {name: "ignore" for name in names if name not in trained})
    schema = {name: trained.get(name, replace(guessed[name], reason="not known to the model")) for name in names}
    for name, text in (columns or {}).items():
        modality, role = parse(known(name, names), text)
        old = schema[name]
        schema[name] = Column(name, modality or old.modality, role or old.role, f"set to {text}")
    for name in target_names(target, names):
        schema[name] = replace(schema[name], role=Role.TARGET)
    return schema
