"""Exact paired tests for few pairs, and Holm's correction."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest, rankdata


def signed_rank(difference: np.ndarray) -> float:
    """Give the two-sided p of Wilcoxon's signed-rank test, exact for any ties; pairs without a difference are dropped.

    The null distribution of the rank sum is built by convolution over the signs. Nothing left to compare gives 1.

    >>> round(signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])), 5)
    0.03125
    """
    given = difference[difference != 0]
    if not len(given):
        return 1.0
    twice = np.rint(2 * rankdata(np.abs(given))).astype(np.int64)  # mean ranks of ties are halves
    chance = np.ones(1)
    for rank in twice.tolist():
        wider = np.zeros(len(chance) + rank)
        wider[: len(chance)] += chance / 2
        wider[rank:] += chance / 2
        chance = wider
    up = int(twice[given > 0].sum())
    least = min(up, int(twice.sum()) - up)
    return min(1.0, 2.0 * float(chance[: least + 1].sum()))


def sign(difference: np.ndarray) -> float:
    """Give the two-sided p of the sign test, which asks only who is better; pairs without a difference are dropped."""
    wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values adjusted by Holm's step-down method (1979).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3)
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
