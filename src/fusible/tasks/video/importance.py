"""What matters in a film, from its encodings alone: novelty, diversity, representativeness, and nearness to a query.

Encodings are (steps, width) on a grid; each measure is one number per step. Steps are compared by the cosine of their
encodings, so that their length does not count; an encoding of zeros is like nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import rankdata

from fusible.errors import ArrayError, ConfigError

PAST = 20
"""Steps that a step is new against."""
SHARE = 0.15
"""Share of a film's steps that the diverse set holds, as long as the usual summary."""
WEIGHTS = {"novelty": 1.0, "diversity": 1.0, "representativeness": 1.0}
BLOCK = 256


def importance(
    encodings: np.ndarray, *, weights: Mapping[str, float] | None = None, past: int = PAST, share: float = SHARE
) -> np.ndarray:
    """Importance (steps,) in [0, 1] of encodings (steps, width): the weighted mean of the ranks of three measures.

    `weights` say how much `novelty`, `diversity` and `representativeness` count, equally where not given: what is
    new or rare, and yet stands for much of the film (as Zhou, Qiao and Xiang, 2018, reward summaries). Raises
    `ArrayError` for encodings that are empty or not finite, `ConfigError` for settings out of range.
    """
    weights = WEIGHTS if weights is None else weights
    if set(weights) - set(WEIGHTS) or not sum(weights.values()) > 0 or min(weights.values()) < 0:
        raise ConfigError(
            f"importance: expected weights of at least 0, and one above, for {list(WEIGHTS)}, got {dict(weights)}"
        )
    measures = {
        "novelty": lambda: novelty(encodings, past),
        "diversity": lambda: diversity(encodings, share),
        "representativeness": lambda: representativeness(encodings),
    }
    ranked = [weight * ranks(measures[name]()) for name, weight in weights.items() if weight > 0]
    return np.asarray(np.sum(ranked, axis=0) / sum(weights.values()))


def novelty(encodings: np.ndarray, past: int = PAST) -> np.ndarray:
    """Change against the past (steps,) in [0, 2]: 1 − the cosine to the mean of up to `past` steps before.

    These are directions: each step counts alike. The first step, and one after nothing but zeros, has novelty 0.

    >>> novelty(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])).tolist()
    [0.0, 0.0, 1.0]
    """
    if past < 1:
        raise ConfigError(f"importance: past must be at least 1 step, got {past}")
    steps = directions(encodings)
    sums = np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(steps, axis=0)])
    here = np.arange(len(steps))
    before = sums[here] - sums[np.maximum(here - past, 0)]
    length = np.linalg.norm(before, axis=1)
    known = length > 1e-9
    cosine = (steps * before).sum(axis=1) / np.where(known, length, 1.0)
    return np.where(known, np.clip(1.0 - cosine, 0.0, 2.0), 0.0)


def diversity(encodings: np.ndarray, share: float = SHARE) -> np.ndarray:
    """Probability (steps,) that a step is in a diverse set that holds about `share` of the steps.

    The set is drawn by a determinantal point process whose kernel is the scaled product of directions: the more alike
    two steps are, the less likely both are in it (Kulesza and Taskar, 2012, "Determinantal point processes for
    machine learning"; for summaries: Gong, Chao, Grauman and Sha, 2014). The probabilities are the diagonal of
    L (L + I)⁻¹; the scale of L makes their sum `share` × steps, or nine tenths of the rank where this is less.

    >>> diversity(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), 0.5).round(2).tolist()
    [0.41, 0.41, 0.69]
    """
    if not 0 < share <= 1:
        raise ConfigError(f"importance: share must be above 0 and at most 1, got {share}")
    steps = directions(encodings)
    wide = steps.shape[0] <= steps.shape[1]
    values, vectors = np.linalg.eigh(steps @ steps.T if wide else steps.T @ steps)
    real = values > values[-1] * max(steps.shape) * np.finfo(float).eps
    if not real.any():
        return np.zeros(len(steps))
    values, vectors = values[real], vectors[:, real]
    scale = _scale(values, min(share * len(steps), 0.9 * len(values)))
    if wide:
        return np.asarray(vectors**2 @ (values / (values + scale)))
    return np.asarray((steps @ vectors) ** 2 @ (1.0 / (values + scale)))


def representativeness(encodings: np.ndarray) -> np.ndarray:
    """How much of the film a step stands for (steps,) in [0, 1]: the mean over all steps of the cosine, if positive.

    Directions are taken from their mean first, since all of a film is somewhat alike: a step far from most is near 0.
    The most representative step is the first choice of facility location (Lin and Bilmes, 2011).

    >>> representativeness(np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).round(9).tolist()
    [0.75, 0.75, 0.75, 0.25]
    """
    steps = directions(encodings)
    steps = directions(steps - steps.mean(axis=0), least=1e-9)
    found = [np.maximum(steps[i : i + BLOCK] @ steps.T, 0.0).mean(axis=1) for i in range(0, len(steps), BLOCK)]
    return np.asarray(np.minimum(np.concatenate(found), 1.0))


def nearness(encodings: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Cosine (steps,) of each step to a query (width,) in the same space.

    >>> nearness(np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([1.0, 0.0])).tolist()
    [1.0, 0.0]
    """
    steps, query = directions(encodings), np.asarray(query, np.float64)
    if query.shape != steps.shape[1:] or not np.isfinite(query).all() or not query.any():
        raise ArrayError(
            f"importance: expected a finite query other than zero, of {steps.shape[1:]}, got {query.shape}"
        )
    return np.asarray(steps @ (query / np.linalg.norm(query)))


def toward(important: np.ndarray, encodings: np.ndarray, query: np.ndarray, weight: float = 0.5) -> np.ndarray:
    """Importance (steps,) in [0, 1] drawn toward a query: `weight` × ranks of nearness + the rest × importance.

    A weight of 0 leaves the importance as it is, 1 counts the query alone.
    """
    if not 0 <= weight <= 1:
        raise ConfigError(f"importance: the weight of a query must be in 0 to 1, got {weight}")
    near = ranks(nearness(encodings, query))
    if np.shape(important) != near.shape:
        raise ArrayError(f"importance: expected one importance per step, {near.shape}, got {np.shape(important)}")
    return np.asarray((1 - weight) * np.asarray(important) + weight * near)


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks in [0, 1], least to greatest; equal values have their mean rank, values that are all equal 0.5.

    Differences below a billionth are no differences: rounding orders nothing.

    >>> ranks(np.array([5.0, 1.0, 9.0])).tolist(), ranks(np.array([2.0, 2.0])).tolist()
    ([0.5, 0.0, 1.0], [0.5, 0.5])
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return np.full(len(values), 0.5)
    return np.asarray((rankdata(np.round(values, 9)) - 1) / (len(values) - 1))


def directions(encodings: np.ndarray, least: float = 0.0) -> np.ndarray:
    """Encodings (steps, width) of unit length, float64; those not longer than `least` are zeros.

    Raises `ArrayError` where they are empty, no matrix or not finite.
    """
    encodings = np.asarray(encodings, np.float64)
    if encodings.ndim != 2 or not encodings.size or not np.isfinite(encodings).all():
        raise ArrayError(f"importance: expected finite encodings (steps, width), got {encodings.shape}, or not finite")
    length = np.linalg.norm(encodings, axis=1, keepdims=True)
    return np.where(length > least, encodings / np.where(length > least, length, 1.0), 0.0)


def _scale(values: np.ndarray, size: float) -> float:
    """Give the c for which the sum of values / (values + c) is `size`: by bisection of its logarithm."""
    low, high = np.log(values[0]) - 50.0, np.log(values[-1]) + 50.0
    for _ in range(100):
        middle = (low + high) / 2
        if (values / (values + np.exp(middle))).sum() > size:
            low = middle
        else:
            high = middle
    return float(np.exp(high))
