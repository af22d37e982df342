"""Which views are hidden in which rows, and how robust a score is to it; NumPy only.

Masks are bool (rows,), true where a view is hidden. Those of one seed are nested: what is hidden at a low rate is
hidden at every higher one, so that curves over rates differ by the rate alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fusible.errors import ConfigError

MOST_VIEWS = 8
"""Views up to which all subsets are scored (255); beyond, each alone, all but one, and all."""
RATES = (0.0, 0.1, 0.25, 0.5, 0.75)
"""Shares of cells hidden along a curve."""


def subsets(views: Sequence[str], most: int = MOST_VIEWS) -> list[tuple[str, ...]]:
    """Every set of views but the empty one, small ones first: 2^V - 1 of them, up to `most` views.

    Of more views: each alone, all but one, and all, which is 2V + 1.

    >>> subsets(["a", "b"])
    [('a',), ('b',), ('a', 'b')]
    """
    number = len(views)
    sizes = range(1, number + 1) if number <= most else (1, number - 1, number)
    return [found for size in sizes for found in combinations(views, size)]


def at_random(rows: int, rate: float, seed: int = 0) -> np.ndarray:
    """Hide exactly `rate` of the rows (rounded), whatever they hold: missing completely at random (Rubin 1976).

    >>> int(at_random(10, 0.5).sum())
    5
    """
    _check_rate(rate)
    hidden = np.zeros(rows, bool)
    hidden[np.random.default_rng(seed).permutation(rows)[: round(rate * rows)]] = True
    return hidden


def chances(value: np.ndarray, rate: float, strength: float = 1.0) -> np.ndarray:
    """Chance of each row to be hidden where it depends on a value: a target, or a class's place in some order.

    The chance rises in a line with the value's quantile (equal values share their mean quantile, so that a class is
    one value): `rate + strength * min(rate, 1 - rate) * (2 * quantile - 1)`. The mean over rows is `rate` exactly, and
    with `strength` 1 it reaches from 0 to twice the rate.

    >>> chances(np.array([0, 0, 1, 1]), 0.5).tolist()
    [0.25, 0.25, 0.75, 0.75]
    """
    _check_rate(rate)
    if not 0.0 <= strength <= 1.0:
        raise ConfigError(f"missing not at random: strength must be from 0 to 1, got {strength}")
    values = np.asarray(value, float)
    if not len(values):
        return np.zeros(0)
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    quantile = ((np.cumsum(count) - count / 2) / len(values))[place.reshape(-1)]
    return np.asarray(rate + strength * min(rate, 1.0 - rate) * (2.0 * quantile - 1.0))


def not_at_random(value: np.ndarray, rate: float, seed: int = 0, *, strength: float = 1.0) -> np.ndarray:
    """Hide rows by `chances`, one number of them in expectation for all rates of a seed."""
    drawn = np.random.default_rng(seed).random(len(value))
    return np.asarray(drawn < chances(value, rate, strength))


def class_order(target: np.ndarray, classes: int, seed: int = 0) -> np.ndarray:
    """Classes as numbers in a seeded random order, for `not_at_random`: the names of classes have none.

    Of several labels per row (rows, labels): how many the row has.
    """
    if target.ndim == 2:
        return np.asarray(target.sum(axis=1), float)
    return np.asarray(np.random.default_rng(seed).permutation(classes)[target.astype(np.int64)], float)


def shifted(parts: Mapping[str, np.ndarray], rows: int, rate: float, seed: int = 0) -> dict[str, np.ndarray]:
    """Masks of a pattern that changes between training and test: {view: mask over all rows of the table}.

    `parts` {view: rows in which it goes missing}: for example view `a` in training rows and view `b` in test rows.
    """
    masks = {}
    for place, (view, chosen) in enumerate(parts.items()):
        masks[view] = np.zeros(rows, bool)
        masks[view][chosen[at_random(len(chosen), rate, seed + place)]] = True
    return masks


@dataclass(frozen=True, slots=True)
class Robustness:
    """How a score falls along a curve; all in the metric's units, greater is better.

    `drop`: mean fall from the clean score. `relative`: mean advantage over the baseline under the imperfection.
    `effective`: what of it remains once the clean scores are made equal.
    """

    drop: float
    relative: float | None = None
    effective: float | None = None


def robustness(levels: Sequence[float], scores: Sequence[float], baseline: Sequence[float] | None = None) -> Robustness:
    """Summarise a curve of `scores` over `levels`, the first of which is clean; greater scores are better.

    Means are areas under the piecewise linear curve, divided by its width. `relative` is the area between the curve and
    the baseline's (relative robustness of Taori et al., NeurIPS 2020; area as in MultiBench, Liang et al., NeurIPS
    2021). `effective` compares the score with what the baseline lets one expect of a model with this clean score, its
    own clean score plus the change of the baseline (effective robustness of Taori et al., with a line of slope one):
    `relative` minus the difference of the clean scores.

    >>> robustness([0.0, 1.0], [0.9, 0.7], [0.8, 0.4])
    Robustness(drop=0.1, relative=0.2, effective=0.1)
    """
    if len(levels) < 2 or len(scores) != len(levels) or (baseline is not None and len(baseline) != len(levels)):
        raise ConfigError(f"robustness: expected one score for each of two levels or more, got {len(levels)} levels")
    if np.any(np.diff(levels) <= 0):
        raise ConfigError(f"robustness: expected levels that rise, got {list(levels)}")
    own = np.asarray(scores, float)
    drop = round(_mean(levels, own[0] - own), 12)
    if baseline is None:
        return Robustness(drop)
    gap = own - np.asarray(baseline, float)
    return Robustness(drop, round(_mean(levels, gap), 12), round(_mean(levels, gap - gap[0]), 12))


def _mean(levels: Sequence[float], values: np.ndarray) -> float:
    return float(np.trapezoid(values, levels) / (levels[-1] - levels[0]))


def _check_rate(rate: float) -> None:
    if not 0.0 <= rate <= 1.0:
        raise ConfigError(f"missing rate: expected a share from 0 to 1, got {rate}")
