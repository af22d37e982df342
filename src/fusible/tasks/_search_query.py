"""What is asked: texts, files, cells and rows of the index as one vector of the model's space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fusible.data.cells import as_numbers, normalise
from fusible.errors import ConfigError, DataError
from fusible.index.items import FUSED
from fusible.index.store import Index
from fusible.tasks.retriever import Retriever
from fusible.types import MEDIA, Media, Modality, View

BY_MODALITY = ("text", "image", "audio", "video")
"""Arguments that find their view by its modality."""


@dataclass(slots=True)
class Query:
    """One query. `vector` (width,) asks as view `asked`, or as `fused` where it is made of several.

    `parts` say what was given for which view, `words` is the text for full-text search, `row` the id of a row that is
    part of the query and not to be found.
    """

    vector: np.ndarray
    asked: str
    parts: list[dict[str, Any]] = field(default_factory=list)
    words: str = ""
    row: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether texts are all that is asked: words would outvote the other parts of a query."""
        return all(part["modality"] == Modality.TEXT for part in self.parts)


def make_query(
    retriever: Retriever,
    index: Index,
    given: Mapping[str, Any],
    *,
    query: Mapping[str, Any] | None = None,
    value: Mapping[str, Any] | None = None,
    row: str | int | None = None,
) -> Query:
    """Make a query of what is given by modality (`text`, `image` …), by view (`query`), as cells (`value`), as a row.

    A row lends the views that are not given otherwise. Raises `ConfigError` for an empty query and for what the model
    does not know, `DataError` for what cannot be read.
    """
    asked = _by_view(retriever, given, query or {})
    parts = [_part(view, item, name) for view, item, name in asked]
    vectors = {view.name: _vector(retriever, view, _cells(view, item), name, item) for view, item, name in asked}
    if value:
        view, cells = _table_cells(retriever, value)
        vectors[view.name] = _vector(retriever, view, cells, "--value", None)
        parts.append(
            {"view": view.name, "modality": "table", "said": ", ".join(f"{c} = {v}" for c, v in value.items())}
        )
    name = None if row is None else str(row)
    if name is not None:
        lent = _of_row(index, retriever, name)
        parts += [{"view": view, "modality": "row", "said": name} for view in lent if view not in vectors]
        vectors = {**lent, **vectors}
    if not vectors:
        raise ConfigError("empty query: give --text, --image, --audio, --video, --row, --query or --value")
    words = " ".join(item for view, item, _ in asked if view.modality is Modality.TEXT)
    if len(vectors) == 1:
        return Query(*next((vector, view) for view, vector in vectors.items()), parts, words, name)
    both = retriever.fuse({view: vector[None] for view, vector in vectors.items()})[0]
    if not np.isfinite(both).all():
        raise ConfigError("the parts of the query cancel out; ask with fewer of them")
    return Query(both, FUSED, parts, words, name)


def _by_view(retriever: Retriever, given: Mapping[str, Any], named: Mapping[str, Any]) -> list[tuple[View, Any, str]]:
    """View, item and the option that gave it."""
    found: list[tuple[View, Any, str]] = [
        (_only_view(retriever, modality), item, f"--{modality}")
        for modality in BY_MODALITY
        if (item := given.get(modality)) is not None
    ]
    for name, item in named.items():
        view = next((view for view in retriever.views if view.name == name), None)
        if view is None or view.modality is Modality.TABLE:
            raise ConfigError(f"--query {name}: the model has {_views(retriever.views)}; cells are given by --value")
        found.append((view, item, f"--query {name}"))
    names = [view.name for view, _, _ in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"view {twice!r} is asked for twice; give it once")
    for view, item, option in found:
        _check_item(view, item, option)
    return found


def _only_view(retriever: Retriever, modality: str) -> View:
    fitting = [view for view in retriever.views if view.modality == modality]
    if not fitting:
        raise ConfigError(f"--{modality}: the model knows no {modality}; it has {_views(retriever.views)}")
    if len(fitting) > 1:
        raise ConfigError(
            f"--{modality}: the model has several views of {modality} ({', '.join(repr(v.name) for v in fitting)}); "
            f"say which with --query {fitting[0].name}=…"
        )
    return fitting[0]


def _views(views: Sequence[View]) -> str:
    return ", ".join(f"{view.name!r} ({view.modality})" for view in views)


def _check_item(view: View, item: Any, option: str) -> None:
    if view.modality in MEDIA:
        if isinstance(item, bytes) and item:
            return
        if not isinstance(item, str | Path) or not str(item).strip():
            raise ConfigError(f"{option}: expected a file or its bytes, got {_short(item)}")
        try:
            there = Path(item).is_file()
        except (OSError, ValueError) as error:  # such as a name that is too long
            raise DataError(f"{option} {str(item)[:60]}…: {getattr(error, 'strerror', None) or error}") from None
        if not there:
            raise DataError(f"{option} {item}: no such file")
    elif not isinstance(item, str) or not item.strip():
        raise ConfigError(f"{option}: empty query, expected some text, got {_short(item)}")


def _short(item: Any) -> str:
    return repr(item)[:60]


def _part(view: View, item: Any, option: str) -> dict[str, Any]:
    said = f"{len(item)} bytes" if isinstance(item, bytes) else str(item)
    found: dict[str, Any] = {"view": view.name, "modality": str(view.modality), "said": said}
    if view.modality in MEDIA:
        found["media"] = item if isinstance(item, bytes) else str(Path(item).absolute())
    return found


def _cells(view: View, item: Any) -> dict[str, Any]:
    """The item in the first column of the view; the others are empty."""
    cell = (
        str(Path(item).absolute())
        if isinstance(item, Path) or (view.modality in MEDIA and isinstance(item, str))
        else item
    )
    return {name: cell if name == view.columns[0] else None for name in view.columns}


def _table_cells(retriever: Retriever, value: Mapping[str, Any]) -> tuple[View, dict[str, Any]]:
    """The table view and its cells; columns that are not given are empty."""
    tables = [view for view in retriever.views if view.modality is Modality.TABLE]
    if not tables:
        raise ConfigError(
            f"--value: the model has no columns of numbers and categories; it has {_views(retriever.views)}"
        )
    known = [name for view in tables for name in view.columns]
    view = next((view for view in tables if set(value) <= set(view.columns)), None)
    if view is None:
        wrong = next((name for name in value if name not in known), next(iter(value)))
        raise ConfigError(f"--value {wrong}: expected columns of one view, of {', '.join(map(repr, known))}")
    kinds = {column.name: column.modality for column in retriever.columns}
    cells = {name: _number(cell) if kinds[name] is Modality.NUMBER else cell for name, cell in value.items()}
    for name, cell in value.items():
        if kinds[name] is Modality.NUMBER and cells[name] is None:
            raise ConfigError(f"--value {name}: expected a number or a date, got {_short(cell)}")
    return view, {name: cells.get(name) for name in view.columns}


def _number(cell: Any) -> Any:
    """A cell that reading a table takes for a number, as it does a date; None for others, booleans among them."""
    if isinstance(cell, bool | np.bool_):
        return None
    cell = pd.Timestamp(cell) if isinstance(cell, np.datetime64) else cell
    try:
        cell = float(cell) if isinstance(cell, Real) else cell
        read = normalise(pa.table({"cell": pa.array([cell], from_pandas=True)}))
        return cell if np.isfinite(as_numbers(read.column("cell"))).all() else None
    except (pa.ArrowException, DataError, OverflowError, TypeError):
        return None


def _vector(retriever: Retriever, view: View, cells: Mapping[str, Any], option: str, item: Any) -> np.ndarray:
    frame = pd.DataFrame({name: pd.Series([cell], dtype=object) for name, cell in cells.items()})
    found: np.ndarray = retriever.transform(frame, [view.name], workers=1)[view.name][0]
    if np.isfinite(found).all():
        return found
    if view.modality in MEDIA:
        media = Media(option, 0, data=item) if isinstance(item, bytes) else Media(option, 0, path=str(item))
        try:
            retriever.encoders[view.name].decode(media)
        except DataError as error:
            named = option if isinstance(item, bytes) else f"{option} {item}"
            raise DataError(str(error).replace(media.where, named)) from None
    raise ConfigError(f"{option}: says nothing to the model's view {view.name!r}; ask for something else")


def _of_row(index: Index, retriever: Retriever, name: str) -> dict[str, np.ndarray]:
    """Vectors of the views that a row of the index has."""
    place = index.find([name])
    found = {view: index.vectors(place, view)[0] for view in retriever.names}
    there = {view: vector for view, vector in found.items() if np.isfinite(vector).all()}
    if not there:
        raise ConfigError(f"--row {name}: the row has nothing that the model could read; ask with another row")
    return there
