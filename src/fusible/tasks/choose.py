"""The choice of `auto`: the best strategy on held-out rows, a single view unless fusing shows a gain.

What held-out rows cannot tell apart by the study's metric is told apart by log-loss.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from fusible.errors import ConfigError
from fusible.evaluation import bootstrap, metrics
from fusible.evaluation.calibration import apply_temperature, temperature
from fusible.evaluation.study import Difference
from fusible.tasks.context import Context, Fitted

CONFIDENCE = 0.95
"""Share of bootstrap resamples from which on one strategy counts as better: a fused one than the best single view to be
preferred, the best one than another to leave that out."""

ONE_ERROR = 0.84
"""Share of resamples above which a gain is more than one standard error: what stacking the encoders of one view needs,
which is less than fusing views needs, for baselines should be strong."""

THRESHOLDED = frozenset({"f1", "macro_f1", "balanced_accuracy"})
"""Metrics of a binary task for which a threshold is chosen; accuracy keeps one half."""


def choose(context: Context, fitted: list[Fitted]) -> tuple[Fitted, Fitted, str]:
    """Return the strategy of `auto`, the best single view, and the reason, all by held-out rows only.

    A fused one is compared with the best single view on all rows that both hold out, for some hold out ten times as
    many as others. Of those that beat it clearly the best is that whose interval of the gain has the highest lower end.
    """
    singles = [f for f in fitted if f.family == "single"]
    single = singles[best_of(context, singles)]
    gains = {f.name: (difference(context, f, single), f) for f in fitted if f.family != "single"}
    if not gains:
        return single, single, "no strategy fuses views here"
    clear = [f for gain, f in gains.values() if gain.p_better >= CONFIDENCE]
    if not clear:
        gain, likely = max(gains.values(), key=lambda pair: pair[0].p_better)
        resamples = f"{gain.p_better:.0%} of resamples of {len(_shared(likely, single))} held-out rows only"
        return single, single, f"{likely.name}, the likeliest of {len(gains)} fused, beats it in {resamples}"
    best = max(clear, key=lambda f: gains[f.name][0].low)
    auto, among = _steadiest(context, best, clear)
    sure = gains[auto.name][0].p_better
    told = f"best of {len(fitted)}" if among == 1 else f"of least log-loss among the {among} best of {len(fitted)}"
    return auto, single, f"{told} on held-out rows; beats {single.name} in {sure:.0%} of resamples"


def _steadiest(context: Context, best: Fitted, clear: list[Fitted]) -> tuple[Fitted, int]:
    """Of the strategies that held-out rows cannot tell from the best, that of least log-loss; and how many they are.

    The best of many by a score that counts right and wrong on few rows is best by luck, too; the log-loss, after a
    temperature of each, sees how sure they are. `clear` are those that beat the best single view clearly.
    """
    if not (context.task.is_classification or context.task.kind == "multilabel"):
        return best, 1
    rivals = [one for one in clear if one is best or difference(context, best, one).p_better < CONFIDENCE]
    rows = reduce(np.intersect1d, [one.known for one in rivals])
    return min(rivals, key=lambda one: _loss(context, one, rows)), len(rivals)


def _loss(context: Context, fitted: Fitted, rows: np.ndarray) -> float:
    """Log-loss on held-out rows, after the temperature that is best there."""
    truth, task = context.learned[rows], context.task
    told = fitted.held_out[rows]
    return metrics.score("log_loss", task, truth, apply_temperature(told, temperature(told, truth, task), task))


def best_of(context: Context, fitted: list[Fitted]) -> int:
    """Position of the best by the study's metric, on the held-out rows that all share."""
    rows = reduce(np.intersect1d, [f.known for f in fitted])
    truth = context.learned[rows]
    return int(np.argmax([context.score(truth, f.held_out[rows], threshold_of(context, f)) for f in fitted]))


def kept(context: Context, fitted: list[Fitted], name: str) -> tuple[Fitted, Fitted, str]:
    """Return the strategy called `name` in place of a choice, and the best single view, as `choose` does."""
    _, single, _ = choose(context, [f for f in fitted if f.family == "single"])
    for item in fitted:
        if item.name == name:
            return item, single, "named by the user"
    raise ConfigError(f"strategy {name!r} was not fitted: expected one of {[f.name for f in fitted]} (see the notes)")


def difference(context: Context, a: Fitted, b: Fitted) -> Difference:
    """By how much `a` scores better than `b` on the rows that both hold out, from paired resamples."""
    rows, backward = _shared(a, b), context.target.backward
    return bootstrap.paired(
        context.metric,
        context.task,
        context.target.original(context.learned[rows]),
        backward(a.held_out[rows]),
        backward(b.held_out[rows]),
        threshold=threshold_of(context, a),
        threshold_b=threshold_of(context, b),
        seed=context.seed,
    )


def _shared(a: Fitted, b: Fitted) -> np.ndarray:
    return np.intersect1d(a.known, b.known)


def threshold_of(context: Context, fitted: Fitted) -> float | None:
    """For metrics that need one (F1 of a binary task): the threshold that is best on held-out rows."""
    if context.task.kind != "binary" or context.metric not in THRESHOLDED:
        return None
    rows = fitted.known
    rows = rows[np.isin(rows, np.concatenate([context.split.train, context.split.valid]))]
    return metrics.best_threshold(context.metric, context.learned[rows], fitted.held_out[rows, 1])
