"""Where an index belongs: the model that it is bound to, the table that it holds, and what its ids mean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from fusible.data.dataset import Dataset
from fusible.data.kinds import full_path
from fusible.data.read import read
from fusible.errors import ConfigError, DataError, SchemaError
from fusible.index._pointer import NAME
from fusible.index.items import FUSED
from fusible.index.store import Index
from fusible.tasks.retriever import Retriever, load_retriever
from fusible.types import View


def open_model(model: Retriever | str | Path | None, index: Path) -> tuple[Retriever, Path | None]:
    """The retriever, and its folder where it is from one; without `model` the one that the index was built with."""
    if isinstance(model, Retriever):
        return model, None
    if model is not None:
        return load_retriever(model), Path(model)
    if not (index / NAME).exists():
        raise ConfigError(f"{index}: a new index needs a model; give it with --model")
    info = Index.open(index).info
    for found in (info.get("model"), info.get("model_beside")):
        place = index / found if isinstance(found, str) and found else None
        if place is not None and place.is_dir():
            return load_retriever(place), place
    raise ConfigError(
        f"{index}: its model is not where it was ({info.get('model') or 'in memory'}); say where with --model"
    )


def read_some(retriever: Retriever, data: Any) -> tuple[Dataset, list[View]]:
    """Read a table, and the model's views that it lacks: those none of whose columns it has.

    Raises `SchemaError` where it lacks all of them, or some columns of one that it has.
    """
    try:
        return retriever.read(data), []
    except SchemaError as error:
        plain = read(data, like=())
        names = set(plain.table.column_names)
        lacking = [view for view in retriever.views if names.isdisjoint(view.columns)]
        there = [view.name for view in retriever.views if view not in lacking]
        if not lacking or not there:
            raise
        try:
            return retriever.read(plain, there), lacking
        except SchemaError:
            raise error from None


def check_model(index: Index, retriever: Retriever) -> None:
    """Raise `ConfigError` where the index was built with another model."""
    bound = index.info.get("fingerprint")
    if bound != retriever.fingerprint:
        raise ConfigError(
            f"{index.folder}: built with another model (fingerprint {str(bound)[:8]}…, this one has "
            f"{retriever.fingerprint[:8]}…); give that model with --model, or build a new index"
        )


def opened(place: Path, retriever: Retriever, columns: pa.Table, info: dict[str, Any]) -> Index:
    """The index in a folder; a new one, or the killed first build, where there is none."""
    held = (place / NAME).is_file()
    widths = {**{view.name: retriever.width for view in retriever.views}, FUSED: retriever.width}
    try:
        return Index.open(place) if held else Index.create(place, widths, columns.schema, info)
    except DataError as error:
        try:
            return Index.create(place, widths, columns.schema, info)  # goes on with a first build that was killed
        except DataError:
            raise error from None


def info_of(
    retriever: Retriever, where: Path | None, place: Path, data: Any, dataset: Dataset, id_column: str | None
) -> dict[str, Any]:
    """What an index says of where it comes from; the model's place also as seen from the index."""
    return {
        "fingerprint": retriever.fingerprint,
        "method": retriever.method,
        "model": str(where.absolute()) if where is not None else "",
        "model_beside": os.path.relpath(where.absolute(), place.absolute()) if where is not None else "",
        "views": {view.name: str(view.modality) for view in retriever.views},
        "data": origin_of(data),
        "id": id_column or "",
        "table": dataset.fingerprint,
    }


def origin_of(data: Any) -> str:
    """Where a table comes from: its absolute path, nothing for one in memory."""
    return full_path(data) if isinstance(data, str | Path) else ""


def _same(one: str, other: str) -> bool:
    """Whether two paths are spellings of one."""
    try:
        return full_path(one) == full_path(other) or Path(one).samefile(other)
    except OSError:
        return False


def current(index: Index) -> Index:
    """The version that is visible now: another process may have written one since the index was opened."""
    try:
        return Index.open(index.folder)
    except DataError:
        if index.version:
            raise
        return index  # nothing is published yet


def gone_of(
    index: Index, names: Sequence[str], id_column: str | None, origin: str, fingerprint: str, *, prune: bool
) -> list[str]:
    """Ids to delete; raises `ConfigError` where ids of the index and of the table mean different things.

    Row numbers do where the table is another one: of another place, or one in memory, of another `fingerprint`, that
    would delete some.
    """
    if not index.version:
        return []
    named, came = index.info.get("id") or None, index.info.get("data") or ""
    if named != id_column:
        ways = [f"--id {column}" if column else "row numbers" for column in (named, id_column)]
        raise ConfigError(f"{index.folder}: its rows are named by {ways[0]}, got {ways[1]}; name them as before")
    gone = sorted(set(index.ids()) - set(names)) if prune or id_column is None else []
    placed = bool(came and origin)
    other = not _same(came, origin) if placed else bool(gone) and index.info.get("table") != fingerprint
    if id_column is None and not prune and other:
        lost = f", of which {len(gone)} would be deleted" if gone else ""
        raise ConfigError(
            f"{index.folder}: its rows are the row numbers of {came or 'another table'}{lost}; to replace them all "
            "give --prune, to hold several tables build it with --id COLUMN"
        )
    return gone
