"""Scores that are ratios of sums over items, such as means and error rates: intervals and paired differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fusible.evaluation.bootstrap import LEVELS, draws
from fusible.evaluation.study import Difference, Score

RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """A score as a ratio of sums over items: `top` and `bottom` (items,); a mean has a bottom of ones."""

    top: np.ndarray
    bottom: np.ndarray

    def of(self, weights: np.ndarray) -> np.ndarray:
        """Scores (resamples,) of weights (resamples, items)."""
        low = weights @ self.bottom
        scores: np.ndarray = (weights @ self.top) / np.where(low > 0, low, 1.0)
        return scores

    @classmethod
    def mean(cls, values: np.ndarray) -> Ratio:
        """The mean of `values` (items,)."""
        return cls(np.asarray(values, float), np.ones(len(values)))

    @property
    def value(self) -> float:
        """The score of all items."""
        return float(self.of(np.ones((1, len(self.top))))[0])


def interval(ratio: Ratio, resamples: int = RESAMPLES, seed: int = 0) -> Score:
    """Score with its 95 % bootstrap interval over items.

    >>> interval(Ratio(np.array([1.0, 1.0]), np.ones(2)))
    Score(score=1.0, low=1.0, high=1.0)
    """
    drawn = np.concatenate([ratio.of(weights) for weights in draws(len(ratio.top), resamples, seed)])
    low, high = np.percentile(drawn, LEVELS)
    return Score(ratio.value, float(low), float(high))


def paired(a: Ratio, b: Ratio, sign: int = 1, resamples: int = RESAMPLES, seed: int = 0) -> Difference:
    """By how much `a` is better than `b` on the same items; `sign` is -1 where less is better."""
    weighed = draws(len(a.top), resamples, seed)
    drawn = np.concatenate([sign * (a.of(weights) - b.of(weights)) for weights in weighed])
    low, high = np.percentile(drawn, LEVELS)
    better = float((drawn > 0).mean() + 0.5 * (drawn == 0).mean())
    return Difference(sign * (a.value - b.value), float(low), float(high), better)
