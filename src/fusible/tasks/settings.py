"""Settings of optimisation by the size of the problem: one small table, documented, reported."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from fusible.tasks.context import FOLDS, Context
from fusible.training.loop import TrainSettings
from fusible.types import MEDIA, Modality, View

SMALL = 2_000
"""Below so many training rows, networks are narrower and see more epochs."""
REPEATS = 2.0
"""From so many rows per item on, batches are grouped by the item, which is then encoded once per epoch."""
MODALITY_DROPOUT = 0.25
"""Share of training rows of a fused network in which views are hidden at random, so that it knows what absence is."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """The few hyper-parameters of a fused network: width of operator and head, regularisation, optimisation."""

    width: int
    training: TrainSettings
    dropout: float = 0.1
    modality_dropout: float = MODALITY_DROPOUT

    def regularisation(self) -> dict[str, float]:
        """What matters in training only, for the network's constructor."""
        return {"dropout": self.dropout, "modality_dropout": self.modality_dropout}


def default_tuning(context: Context, training: TrainSettings) -> Tuning:
    """What a strategy uses where nothing was searched for."""
    return Tuning(operator_width(context), training)


def operator_width(context: Context) -> int:
    """Width of operators and heads: 64 below `SMALL` training rows, else 128."""
    return 64 if len(context.split.train) < SMALL else 128


def head_settings(rows: int) -> TrainSettings:
    """Operator and head on encoded views: many cheap epochs, larger batches where there are rows."""
    if rows < SMALL:
        return TrainSettings(epochs=40, batch=32, peak_rate=1e-3, weight_decay=5e-2, patience=10)
    return TrainSettings(epochs=15, batch=256, peak_rate=2e-3, weight_decay=5e-2, patience=4)


def whole_settings(context: Context, views: list[View]) -> TrainSettings:
    """Encoders trained from scratch: epochs so that about 120,000 rows are seen, between 6 and 30; tables as heads."""
    rows = max(1, len(context.split.train))
    if all(view.modality is Modality.TABLE for view in views):
        return head_settings(rows)
    epochs = int(np.clip(round(120_000 / rows), 6, 30))
    batch = 32 if rows < SMALL or grouping(context, views) else 64 if rows < 10 * SMALL else 256
    return TrainSettings(epochs=epochs, batch=batch, peak_rate=2e-3, patience=max(3, epochs // 3))


def grouping(context: Context, views: list[View]) -> str | None:
    """The media view of one slot whose items repeat most over training rows, if they do (`REPEATS`)."""
    rows = context.split.train
    best, most = None, REPEATS
    for view in views:
        ids = context.source.data(view).ids
        if view.modality not in MEDIA or ids.shape[1] != 1 or (ids[rows] < 0).any():
            continue
        repeats = len(rows) / max(1, len(np.unique(ids[rows])))
        if repeats >= most:
            best, most = view.name, repeats
    return best


def describe(context: Context, views: list[View]) -> dict[str, object]:
    """Every setting of optimisation that the study used, for the report."""
    return {
        "width": operator_width(context),
        "head": asdict(head_settings(len(context.split.train))),
        "end_to_end": asdict(whole_settings(context, views)),
        "modality_dropout": MODALITY_DROPOUT,
        "batches_grouped_by": grouping(context, views),
        "folds": FOLDS,
    }
