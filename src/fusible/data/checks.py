"""Problems of a table that its owner should know before believing a score."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fusible.data.cells import absent, as_names, is_list
from fusible.data.dataset import Dataset
from fusible.data.leakage import is_regression, leaks
from fusible.data.media import decode_audio, decode_image, decode_video
from fusible.data.split import Split
from fusible.data.views import is_media
from fusible.errors import DataError
from fusible.types import Media, Modality, Problem, Role, View, ViewData

NEAR_CONSTANT = 0.99
"""A column with one value in at least this share of its cells is reported."""
RARE = 5
"""Classes with fewer training rows are reported."""
_SHOWN = 100


def check(
    dataset: Dataset,
    target: str | None = None,
    split: Split | None = None,
    *,
    media: bool = True,
    workers: int = 4,
) -> list[Problem]:
    """Look for problems; gives those found while reading, too.

    Empty and near-constant columns; files that are missing or cannot be decoded (`media=False` skips decoding);
    with a target, columns that alone predict it almost perfectly, and rare classes; with a split (default: the table's
    split column), rows and media that stand in two parts, and groups that do.
    """
    split = dataset.split() if split is None else split
    data = {name: dataset.view_data(view, workers=workers) for name, view in _views_once(dataset).items()}
    found = list(_dull(dataset))
    if media:
        for name, items in data.items():
            if is_media(dataset.views[name]):
                found.extend(_undecodable(items, workers))
    if target is not None:
        found.extend(leaks(dataset, target))
    if split is not None:
        found.extend(_across(dataset, data, split))
        if target is not None:
            found.extend(_rare(dataset, target, split))
    return [*dataset.problems, *found]


def _views_once(dataset: Dataset) -> dict[str, View]:
    """Leave out second views over the same columns: the sound of a video is not looked at twice."""
    views: dict[tuple[str, ...], str] = {}
    for name, view in dataset.views.items():
        views.setdefault(view.columns, name)
    return {name: dataset.views[name] for name in views.values()}


def _dull(dataset: Dataset) -> Iterator[Problem]:
    """Columns that are empty, constant, or nearly so."""
    for column in dataset.columns.values():
        cells = dataset.table.column(column.name)
        there = ~absent(cells)
        if not there.any():
            yield Problem(
                "empty column", column.name, "every cell is empty; the column is not used", count=dataset.rows
            )
        elif column.role is Role.INPUT and column.modality in _COMPARED and not pa.types.is_nested(cells.type):
            counts = pc.value_counts(cells.filter(pc.invert(pc.is_null(cells)))).field("counts")
            share = max(counts.to_pylist()) / int(there.sum())
            if share >= NEAR_CONSTANT and dataset.rows > 1:
                message = f"{share:.2%} of cells have one value; the column says next to nothing"
                yield Problem("near-constant column", column.name, message, count=int(share * there.sum()))


_COMPARED = frozenset({Modality.NUMBER, Modality.CATEGORY, Modality.TEXT, Modality.ENTITY})


def _undecodable(data: ViewData, workers: int) -> list[Problem]:
    """Media items that no decoder reads, with the rows that use them."""
    with ThreadPoolExecutor(max(1, workers)) as threads:
        reasons = list(threads.map(partial(_why_not, data.view.modality), data.values))
    bad = {number: reason for number, reason in enumerate(reasons) if reason is not None}
    problems = []
    for slot, name in enumerate(data.view.columns):
        rows = np.flatnonzero(np.isin(data.ids[:, slot], list(bad)))
        if len(rows):
            first = bad[int(data.ids[rows[0], slot])]
            message = f"{len(rows)} cells cannot be decoded and count as empty; the first: {first}"
            problems.append(Problem("unreadable media", name, message, tuple(rows[:_SHOWN].tolist()), len(rows)))
    return problems


def _why_not(modality: Modality, media: Media) -> str | None:
    """Decode one item at little cost; say why it cannot be decoded, None where it can."""
    try:
        if modality is Modality.IMAGE:
            decode_image(media, 64)
        elif modality is Modality.AUDIO:
            decode_audio(media, 8000)
        else:
            decode_video(media, 2, 32)
    except DataError as error:
        return str(error)
    return None


def _across(dataset: Dataset, data: dict[str, ViewData], split: Split) -> Iterator[Problem]:
    """Rows, media and groups that stand in two parts of the split."""
    part = np.full(dataset.rows, -1)
    for number, rows in enumerate(split.parts.values()):
        part[rows] = number
    same = _in_two_parts(_signatures(data), part)
    if len(same):
        message = f"{len(same)} rows outside train have a twin in another part: all inputs are equal; scores flatter"
        yield Problem("duplicates across splits", "", message, tuple(same[:_SHOWN].tolist()), len(same))
    for items in data.values():
        if is_media(items.view):
            for slot, name in enumerate(items.view.columns):
                rows = _in_two_parts(items.ids[:, slot], part)
                if len(rows):
                    message = f"{len(rows)} cells outside train hold a file that another part has, too"
                    yield Problem("media across splits", name, message, tuple(rows[:_SHOWN].tolist()), len(rows))
    groups = dataset.group_values()
    if groups is not None:
        rows = _in_two_parts(groups, part)
        if len(rows):
            message = f"{len(np.unique(groups[rows]))} groups have rows in two parts"
            name = dataset.names(Role.GROUP)[0]
            yield Problem("group across splits", name, message, tuple(rows[:_SHOWN].tolist()), len(rows))


def _signatures(data: dict[str, ViewData]) -> np.ndarray:
    """Int (rows,): equal where all inputs are equal; -1 where all are absent."""
    columns = []
    there = np.zeros(len(next(iter(data.values())).ids) if data else 0, dtype=bool)
    for items in data.values():
        there |= items.presence
        if items.view.modality is Modality.TABLE:
            columns.append(pd.util.hash_pandas_object(items.values, index=False).to_numpy()[:, None].view(np.int64))
        else:
            columns.append(items.ids)
    if not columns:
        return there.astype(np.int64)
    frame = pd.DataFrame(np.concatenate(columns, axis=1))
    numbers: np.ndarray = frame.groupby(list(frame.columns), sort=False).ngroup().to_numpy()
    return np.where(there, numbers, -1)


def _in_two_parts(ids: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Rows of valid and test whose id (-1: none) an earlier part has, too."""
    used = (ids >= 0) & (part >= 0)
    first = pd.Series(part[used]).groupby(ids[used]).transform("min").to_numpy()
    rows: np.ndarray = np.flatnonzero(used)[part[used] > first]
    return rows


def _rare(dataset: Dataset, target: str, split: Split) -> Iterator[Problem]:
    """Classes with few rows to learn from."""
    if is_list(dataset.table.column(target).type) or is_regression(dataset, target):
        return
    names = as_names(dataset.table.column(target))
    train = pd.Series(names[split.train]).value_counts()
    for name, count in pd.Series(names).value_counts().items():
        known = int(train.get(name, 0))
        if known < RARE:
            message = f"class {name!r} has {known} training rows of {count}; it can hardly be learned"
            rows = tuple(np.flatnonzero(names == name)[:_SHOWN].tolist())
            yield Problem("rare class", target, message, rows, int(count))
