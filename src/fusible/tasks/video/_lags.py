"""From scores over lags to one offset: the best lag, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LAG = 0.01
"""Seconds between two lags."""
STEP = 4
"""Lags in a step of the picture's course: 25 steps a second."""
TOLERANCE = 0.08
"""Seconds: an offset is right where it is off by no more. The ear allows about as much (ITU-R BT.1359)."""


@dataclass(frozen=True, slots=True)
class Offset:
    """By how much the sound is late: positive where the picture comes first.

    `confidence` (0-1) is the probability that `seconds` is off by at most `TOLERANCE`; `probabilities` (lags,) are
    those of `lags` (seconds), which sum to less than 1 where there may be none that is right.
    """

    seconds: float
    confidence: float
    lags: np.ndarray
    probabilities: np.ndarray

    @property
    def known(self) -> bool:
        """Whether it is more likely right than wrong."""
        return self.confidence > 0.5


def lags_within(most: float) -> np.ndarray:
    """Whole numbers of lags from -`most` to `most` seconds.

    >>> lags_within(0.02).tolist()
    [-2, -1, 0, 1, 2]
    """
    number = max(1, round(most / LAG))
    return np.arange(-number, number + 1)


@dataclass(frozen=True, slots=True)
class Belief:
    """How scores become probabilities: scores times `sharpness`, against `doubt` that no lag is right.

    Scores are log likelihood ratios against chance, but steps lean on their neighbours and say less than they seem to.
    """

    sharpness: float
    doubt: float

    def chances(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities (lags,) of lags; what is missing to 1 is that of none: all lags are as likely before."""
        logits = np.append(self.sharpness * scores, self.doubt + np.log(len(scores)))
        chances = np.exp(logits - logits.max())
        return np.asarray(chances[:-1] / chances.sum())


def offset_of(scores: np.ndarray, belief: Belief) -> Offset:
    """The offset from scores (lags,); the best lag is refined by a parabola through it and its neighbours.

    Where scores are all the same it is zero.

    >>> found = offset_of(np.array([0.0, 0.0, 5.0, 9.0, 5.0]), Belief(1.0, 0.0))
    >>> found.seconds, found.lags.tolist()
    (0.01, [-0.02, -0.01, 0.0, 0.01, 0.02])
    """
    number = len(scores) // 2
    lags = np.arange(-number, number + 1) * LAG
    chances = belief.chances(scores)
    tied = np.flatnonzero(scores == scores.max())
    best = int(tied[np.abs(tied - number).argmin()])
    seconds = float(lags[best]) + LAG * _vertex(scores, best)
    near = np.abs(lags - seconds) <= TOLERANCE + 1e-9
    return Offset(seconds, float(chances[near].sum()), lags, chances)


def _vertex(scores: np.ndarray, best: int) -> float:
    """Place of the top of a parabola through the best score and its neighbours, in lags from the best."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    before, top, after = scores[best - 1 : best + 2]
    bend = before - 2 * top + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0


def fit_belief(curves: Sequence[np.ndarray], truths: Sequence[int | None]) -> Belief:
    """The belief under which what is true is most likely: a lag near the true one (its place), or none (None)."""
    from scipy.optimize import minimize

    reach = round(TOLERANCE / LAG)

    def surprise(point: np.ndarray) -> float:
        belief, total = Belief(float(np.exp(point[0])), float(point[1])), 0.0
        for scores, truth in zip(curves, truths, strict=True):
            chances = belief.chances(scores)
            right = 1 - chances.sum() if truth is None else chances[max(0, truth - reach) : truth + reach + 1].sum()
            total -= float(np.log(max(right, 1e-9)))
        # A little against extremes, where all trials are told apart.
        return total / len(curves) + 1e-3 * float(np.square(point).sum())

    found = minimize(surprise, [-2.0, 0.0], method="Nelder-Mead", options={"maxiter": 200})
    return Belief(float(np.exp(found.x[0])), float(found.x[1]))
