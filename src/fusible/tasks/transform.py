"""The target transform of a regression: the logarithm where it predicts held-out values better."""

from __future__ import annotations

import numpy as np

from fusible.evaluation import metrics
from fusible.tasks.context import Context
from fusible.types import Modality, View

GAIN = 1.01


def with_best_transform(context: Context, views: tuple[View, ...]) -> None:
    """Choose "log" or "identity" on folds of training rows, and standardise the context's target by it.

    A positive target is probed by LightGBM on the table view under both transforms, scored by squared error in
    original units; the logarithm must be better. Without a table view the skewness of training values decides.
    """
    values, train = context.learned, context.split.train
    chosen = "identity"
    if (values[context.target.known] > 0).all():
        tables = [view for view in views if view.modality is Modality.TABLE]
        better = _probe(context, tables[0]) if tables else _skewed(values[train])
        chosen = "log" if better else "identity"
    context.target = context.target.with_transform(chosen, values[train])
    context.learned = context.target.forward(values)
    context.notes.append(f"target transform: {chosen}, chosen on training rows")


def _probe(context: Context, view: View) -> bool:
    from fusible.encoders._resolve import resolve

    train = context.present([view], context.split.train)
    valid = context.present([view], context.split.valid)
    values = context.source.values
    errors = {}
    for transform in ("identity", "log"):
        target = context.target.with_transform(transform, context.learned[train])
        learned = target.forward(context.learned)
        predicted = np.full(len(learned), context.learned[train].mean())
        for rest, fold in context.folds(train):
            trees = resolve("table_trees", Modality.TABLE, bags=1, learning_rate=0.1)
            trees.fit(context.source.training_items(view, rest))
            stop = (values(view, valid), learned[valid])
            trees.fit_target(values(view, rest), learned[rest], context.task, stop, context.seed)
            predicted[fold] = target.backward(trees.predict_scores(values(view, fold)))[:, 0]
        truth = context.learned[train]
        errors[transform] = metrics.score("rmse", context.task, truth, predicted[train][:, None], None)
    return errors["log"] < errors["identity"]


def _skewed(values: np.ndarray) -> bool:
    from scipy.stats import skew

    return bool(abs(skew(np.log(values))) * GAIN < abs(skew(values)))
