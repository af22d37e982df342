"""Explanations of a fitted model: of its answer for one row, or of its score on the rows of a table."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from fusible.data.dataset import Dataset
from fusible.errors import ConfigError, DataError, TargetError
from fusible.evaluation import metrics
from fusible.evaluation.explanation import SCALES, ColumnEffect, Explanation
from fusible.evaluation.shapley import coalitions
from fusible.tasks.attribution import MOST_ROWS, attribute, drawn, one_view, pairs, sample, shares
from fusible.tasks.model import Model
from fusible.tasks.one_row import OneRow
from fusible.tasks.saliency import saliency as salient
from fusible.tasks.saliency import shrunk
from fusible.tasks.source import Progress, Source, stage
from fusible.tasks.target import Target
from fusible.types import Modality, View

OTHERS = 32
"""Rows whose cells take the place of the explained row's, one column at a time."""
SMALLEST = 1e-6
"""Probabilities are kept so far from 0 and 1 in log-odds."""
PICTURE_SIDE = 320
LONGEST = 300


def explain(
    model: Model,
    data: Any,
    row: int | None = None,
    *,
    target_class: str | None = None,
    saliency: bool = False,
    scale: str = "probability",
    seed: int = 0,
    workers: int = 4,
    progress: Progress | None = None,
    command: str = "",
) -> Explanation:
    """Say what a model's answer for a row, or its score on all rows, rests on.

    Parameters
    ----------
    model : Model
        A fitted model, from `fusible.load` or a study.
    data : path, pandas.DataFrame, pyarrow.Table or Dataset
        A table with the model's input columns.
    row : int, optional
        The row to explain, counted from 0. Without it the score on the rows with a known target is explained; give
        rows that the model was not fitted on.
    target_class : str, optional
        The class or label whose score is explained (default: the one that the model answers).
    saliency : bool
        Also explain words, patches of pictures and stretches of sound of the row (needs the extra `explain`).
    scale : str
        "probability" or "log_odds", for classes; a regression is explained in its own units.
    seed : int
        Seeds permutations, resamples, and the rows drawn where there are many.
    workers, progress, command
        As in `fusible.compare`.

    Returns
    -------
    Explanation
        Shapley values of views with their interactions, effects of table columns, saliency.

    Raises
    ------
    FusibleError
        One line: a row, class, scale or target that does not exist, more than ten views.
    """
    dataset = model.read(data)
    if scale not in SCALES:
        raise ConfigError(f"scale {scale!r}: expected one of {', '.join(SCALES)}")
    with stage(progress, "explain"):
        if row is None:
            if saliency or target_class is not None:
                raise ConfigError("saliency and a class are those of one row: name it with --row N (row=N)")
            found = _rows(model, dataset, seed, workers)
        else:
            found = _row(model, dataset, row, target_class, saliency, scale, seed, workers)
    found.command = command
    return found


def _rows(model: Model, dataset: Dataset, seed: int, workers: int) -> Explanation:
    column = model.target.column
    if column not in dataset.columns:
        raise TargetError(f"column {column!r} is not in the table; expected the target, or --row N to explain one row")
    truth, rows = model.labelled(dataset)
    kept = rows[sample(len(rows), MOST_ROWS, seed)]
    part = replace(dataset, problems=list(dataset.problems))
    source = Source(part, workers=workers, rows=kept)
    found = attribute(model.node, model.target, model.metric, source, truth[kept], threshold=model.threshold, seed=seed)
    found.notes += drawn(len(kept), len(rows))
    found.problems = [f"{p.column}: {p.message}" for p in (*part.problems, *source.problems)]
    return found


def _row(
    model: Model,
    dataset: Dataset,
    row: int,
    wanted: str | None,
    saliency: bool,
    scale: str,
    seed: int,
    workers: int,
) -> Explanation:
    if not 0 <= row < dataset.rows:
        raise ConfigError(f"row {row}: expected a row from 0 to {dataset.rows - 1}, for the table has {dataset.rows}")
    target, task = model.target, model.target.task
    place = _place(target, wanted)
    one = OneRow(model.node, lambda scores: scores[:, 0], dataset, row, workers)
    members = coalitions(len(one.views))
    scores = target.backward(one.scores())
    if place is None:
        place = int(scores[0].argmax()) if task.kind != "regression" else 0
    one.value = _value(target, place, scale)
    values = one.coalitions(members)
    found = Explanation(
        strategy=model.node.name,
        target=target.column,
        task=task.kind,
        unit="value" if task.kind == "regression" else scale,
        base=float(values[0]),
        value=float(values[-1]),
        views=shares(one.views, values, one.present),
        interactions=pairs(one.views, values),
        columns=_cell_effects(one, dataset, seed),
        row=row,
        answer=_said(model, scores) if task.kind != "regression" else _name(task.kind, (), values[-1]),
        explained="" if task.kind == "regression" else task.classes[place],
        truth=_truth(model, dataset, row),
        fields=_fields(dataset, one.views, row),
        pictures=_pictures(one),
        notes=one_view(one.views),
        problems=[f"{p.column}: {p.message}" for p in one.source.problems],
        seed=seed,
    )
    if saliency:
        found.saliency, notes = salient(one)
        found.notes += notes
    return found


def _place(target: Target, wanted: str | None) -> int | None:
    if wanted is None:
        return None
    classes = target.task.classes
    if str(wanted) not in classes:
        shown = ", ".join(classes[:20]) + (", …" if len(classes) > 20 else "")
        said = f"expected one of {shown}" if classes else f"{target.column!r} is a quantity and has none; leave it out"
        raise ConfigError(f"class {str(wanted)!r}: {said}")
    return classes.index(str(wanted))


def _value(target: Target, place: int, scale: str) -> Callable[[np.ndarray], np.ndarray]:
    def value(scores: np.ndarray) -> np.ndarray:
        chosen: np.ndarray = target.backward(scores)[:, place]
        if target.task.kind == "regression" or scale == "probability":
            return chosen
        kept = np.clip(chosen, SMALLEST, 1.0 - SMALLEST)
        return np.asarray(np.log(kept) - np.log1p(-kept))

    return value


def _cell_effects(one: OneRow, dataset: Dataset, seed: int) -> list[ColumnEffect]:
    """Effects of table cells: each replaced by those of other rows, or by an absent one where there are none."""
    rng = np.random.default_rng(seed)
    other = np.setdiff1d(np.arange(dataset.rows), [one.row])
    other = np.sort(rng.choice(other, min(OTHERS, len(other)), replace=False))
    whole = one.coalitions(np.ones((1, len(one.views)), bool))[0]
    found = []
    for view, present in zip(one.views, one.present, strict=True):
        if view.modality is not Modality.TABLE or not present:
            continue
        own = one.source.data(view).values.iloc[[0]]
        given = dataset.view_data(view, other).values if len(other) else own.iloc[[0]].reindex([-1])
        for column in view.columns:
            cells = own.iloc[np.zeros(len(given), int)].reset_index(drop=True)
            cells[column] = given[column].to_numpy()
            drops = whole - one.with_cells(view, cells)
            cell = _cell(own[column].iloc[0])
            found.append(ColumnEffect(view.name, column, float(drops.mean()), float(drops.std()), cell))
    return sorted(found, key=lambda effect: -abs(effect.value))


def _cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    return f"{value:,.6g}" if isinstance(value, float | np.floating) else str(value)[:LONGEST]


def _said(model: Model, scores: np.ndarray) -> str:
    """The model's answer as it predicts it."""
    task = model.target.task
    decided = metrics.decide(task, scores, model.threshold)[0]
    return _name(task.kind, task.classes, decided)


def _truth(model: Model, dataset: Dataset, row: int) -> str | None:
    column, task = model.target.column, model.target.task
    if column not in dataset.columns:
        return None
    cells = dataset.take(np.array([row])).to_pandas([column])[column]
    truth = model.target.encode(cells)[0]
    known = np.isfinite(truth) if task.kind == "regression" else np.min(truth) >= 0
    return _name(task.kind, task.classes, truth) if known else None


def _name(kind: str, classes: tuple[str, ...], value: Any) -> str:
    if kind == "regression":
        return f"{float(value):,.0f}" if abs(value) >= 1000 else f"{float(value):.4g}"
    if kind == "multilabel":
        return ", ".join(name for name, on in zip(classes, value, strict=True) if on)
    return classes[int(value)]


def _fields(dataset: Dataset, views: list[View], row: int) -> dict[str, str]:
    """Cells of texts, entities and tables, as they stand in the table."""
    names = [n for v in views if v.modality in {Modality.TEXT, Modality.ENTITY, Modality.TABLE} for n in v.columns]
    cells = dataset.table.select(names).slice(row, 1).to_pylist()[0] if names else {}
    return {name: str(cell)[:LONGEST] for name, cell in cells.items() if cell is not None}


def _pictures(one: OneRow) -> dict[str, bytes]:
    """The row's readable pictures as small PNGs, by column."""
    from PIL import Image

    found = {}
    for view in one.views:
        data = one.source.data(view)
        if view.modality is not Modality.IMAGE:
            continue
        for slot, number in enumerate(data.ids[0].tolist()):
            if number < 0:
                continue
            try:
                pixels = shrunk(data.values[number], PICTURE_SIDE)
            except DataError:
                continue  # an unreadable picture was counted among the problems
            if pixels.dtype != np.uint8:
                low, high = float(pixels.min()), float(pixels.max())
                pixels = ((pixels - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, "PNG")
            found[view.columns[slot]] = stream.getvalue()
    return found
