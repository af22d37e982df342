"""Examples for the report: a few test rows with their cells, truth and prediction, pictures included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fusible.errors import DataError
from fusible.evaluation import metrics
from fusible.tasks.context import Context
from fusible.types import MEDIA, Modality, View

SHOWN = 5
SHOWN_CONTRASTS = 5
LONGEST = 300
PICTURE_SIDE = 224


def examples(context: Context, scores: np.ndarray, threshold: float | None) -> list[dict[str, Any]]:
    """Draw `SHOWN` seeded test rows; `scores` are those of the test part, in learned units."""
    test = context.split.test
    picked = np.sort(np.random.default_rng(context.seed).permutation(len(test))[:SHOWN])
    values = context.target.backward(scores)
    decided = metrics.decide(context.task, values, threshold)
    truth = context.target.original(context.learned[test])
    return [
        {
            "title": f"row {test[k]}",
            "image": _picture(context, int(test[k])),
            "fields": _fields(context, int(test[k])),
            "truth": _said(context, truth[k]),
            "prediction": _said(context, decided[k]),
            "confidence": float(values[k].max()) if context.task.is_classification else None,
        }
        for k in picked
    ]


def contrasts(
    context: Context, scores: Mapping[str, np.ndarray], thresholds: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """Draw seeded test rows that exactly one of several strategies gets right, each strategy in turn.

    `scores` are those of the test part, by strategy, in learned units. Values have no right or wrong: there are none.
    """
    if context.task.kind == "regression" or len(scores) < 2:
        return []
    truth = context.target.original(context.learned[context.split.test])
    decided = {
        name: metrics.decide(context.task, context.target.backward(given), thresholds.get(name))
        for name, given in scores.items()
    }
    right = np.stack([(said == truth).reshape(len(truth), -1).all(axis=1) for said in decided.values()])
    order = np.random.default_rng(context.seed).permutation(len(truth))
    alone = [order[right[k, order] & (right[:, order].sum(axis=0) == 1)].tolist() for k in range(len(right))]
    picked = [rows[turn] for turn in range(SHOWN_CONTRASTS) for rows in alone if turn < len(rows)]
    return [_contrast(context, k, truth, decided, right) for k in picked[:SHOWN_CONTRASTS]]


def _contrast(
    context: Context, k: int, truth: np.ndarray, decided: Mapping[str, np.ndarray], right: np.ndarray
) -> dict[str, Any]:
    row = int(context.split.test[k])
    return {
        "title": f"row {row}",
        "image": _picture(context, row),
        "fields": _fields(context, row),
        "truth": _said(context, truth[k]),
        "says": [(name, _said(context, said[k]), bool(right[i, k])) for i, (name, said) in enumerate(decided.items())],
    }


def _said(context: Context, value: Any) -> str:
    task = context.task
    if task.is_classification:
        return task.classes[int(value)]
    if task.kind == "multilabel":
        return ", ".join(name for name, on in zip(task.classes, value, strict=True) if on)
    number = float(value)
    return f"{number:,.0f}" if 1000 <= abs(number) < 1e15 else f"{number:.4g}"  # 1,042,000 reads better than 1.042e+06


def _fields(context: Context, row: int) -> dict[str, str]:
    dataset = context.source.dataset
    names = [n for view in dataset.views.values() if view.modality not in MEDIA for n in view.columns]
    cells = dataset.table.select(names).slice(row, 1).to_pylist()[0] if names else {}
    return {name: str(cell)[:LONGEST] for name, cell in cells.items() if cell is not None}


def _picture(context: Context, row: int) -> bytes | None:
    """The row's first readable picture as a small PNG."""
    for view in context.source.dataset.views.values():
        if view.modality is Modality.IMAGE:
            return _small(context, view, row)
    return None


def _small(context: Context, view: View, row: int) -> bytes | None:
    import io

    from PIL import Image

    from fusible.data.media import decode_image

    data = context.source.data(view)
    ids = data.ids[row][data.ids[row] >= 0]
    if not len(ids):
        return None
    try:
        pixels = decode_image(data.values[int(ids[0])], PICTURE_SIDE)
    except DataError:
        return None
    if pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = ((pixels - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
    picture = Image.fromarray(pixels)
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
