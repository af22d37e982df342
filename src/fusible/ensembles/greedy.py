"""Greedy ensemble selection over everything that was fitted (Caruana et al., ICML 2004 and ICDM 2006).

Members are taken one at a time, with replacement, each the one that improves the mean most on out-of-fold rows, after
a start from the best few. Against over-fitting this is done in bags, each on half of the rows and half of the members
(the best one always among them); of each bag that ensemble on the way is kept which is best on the other rows, and
weights are averaged over bags. What is improved is accuracy or mean absolute error where the study is judged by it,
ties broken by log-loss or squared error, and log-loss or squared error elsewhere. An average that is worse than the
best member on all rows is dropped for that member. Each set of present views has its own weights, see `_mixture`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fusible.ensembles import _gating
from fusible.ensembles._mixture import Mixture
from fusible.ensembles._selection import Library, judge, path
from fusible.errors import ConfigError

BAGS = 12
STEPS = 25
MOST_ROWS = 3000
MOST_CELLS = 60_000
FEWEST = 40
"""Rows below which bags hold all of them."""


class Greedy(Mixture):
    """Forward selection with replacement, bagged over members and rows.

    Parameters: `bags` (0: once on all rows and members, without bagging) and `steps`, most members taken in one.
    """

    members: ClassVar[str] = "strategies"

    def __init__(self, bags: int = BAGS, steps: int = STEPS) -> None:
        if bags < 0 or steps < 1:
            raise ConfigError(f"greedy: expected bags >= 0 and steps >= 1, got bags={bags} and steps={steps}")
        self.bags = bags
        self.steps = steps

    def weigh(
        self, scores: np.ndarray, presence: np.ndarray, target: np.ndarray, centre: np.ndarray | None
    ) -> np.ndarray:
        """Weights (members,) for rows of scores (members, rows, outputs)."""
        library = self._library(scores, presence, target)
        everyone = np.arange(len(scores))
        single = min(everyone, key=lambda member: judge(library, np.eye(len(scores))[member]))
        best = np.eye(len(scores))[single]
        if self.bags == 0:
            weights = _kept(path(library, everyone, self.steps), library)
        else:
            weights = self._bagged(library, everyone, int(single))
        return weights if judge(library, weights) <= judge(library, best) else best

    def _bagged(self, library: Library, everyone: np.ndarray, single: int) -> np.ndarray:
        rng = np.random.default_rng(0)
        number = len(library.target)
        classes = 1 if library.scores is None else library.scores.shape[2]
        most = min(MOST_ROWS, max(FEWEST, MOST_CELLS // classes))
        weights = np.zeros(len(everyone))
        for _ in range(self.bags):
            order = rng.permutation(number)
            half = number if number < FEWEST else number // 2
            inside = library.take(np.sort(order[:half][:most]))
            outside = library.take(np.sort(order[half:][:most])) if half < number else inside
            kept = rng.random(len(everyone)) < 0.5
            kept[single] = True
            weights += _kept(path(inside, everyone[kept], self.steps), outside)
        return weights / self.bags

    def _library(self, scores: np.ndarray, presence: np.ndarray, target: np.ndarray) -> Library:
        data = _gating.given(scores, presence, target, self.task_)
        blank = np.broadcast_to(self.prior_, (1, len(target), len(self.prior_)))
        fallback = _gating.given(blank, np.ones((len(target), 1)), target, self.task_).told[:, 0]
        values = self.task_.kind == "regression"
        decides = self.task_.is_classification and self.metric_ == "accuracy"
        metric = self.metric_ if decides or (values and self.metric_ == "mae") else ""
        whole = scores if decides else None
        return Library(data.told, presence, fallback, target, values, metric, whole)


def _kept(found: list[np.ndarray], library: Library) -> np.ndarray:
    """Weights of the ensemble that is best on a library; the earlier of equals."""
    merits = [judge(library, counts) for counts in found]
    counts = found[merits.index(min(merits))]
    return np.asarray(counts / counts.sum())
