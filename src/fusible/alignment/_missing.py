"""Views missing per row: the covariance most likely given all rows, from the moments of each pattern."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import scipy.linalg

from fusible.alignment._gram import Covariance

ROUNDS = 100
"""Most rounds of expectation and maximisation."""
CLOSE = 1e-6
"""Change of every correlation between rounds from which on they have settled."""
JITTERS = (1e-9, 1e-6, 1e-3, 1e-1)
"""Added to the diagonal before solving, the least that works, so that duplicate and noise columns have a solution."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One pattern of present views: its share of the rows, which columns it has, their standardised moments."""

    share: float
    has: np.ndarray
    mean: np.ndarray
    products: np.ndarray


def most_likely(cov: Covariance) -> Covariance:
    """Means, deviations and correlations by maximum likelihood under normality (EM; Dempster, Laird & Rubin 1977).

    Pairwise counts take each block from other rows, so that the blocks need not belong together: correlations above 1
    and, where what is missing depends on what is seen, large bias. This estimate uses every row and is that of a
    covariance. It starts from the pairwise estimate `cov` without relations between views.
    """
    kept = np.concatenate(cov.kept)
    parts = [part for part in _parts(cov, kept) if part.share > 0.0]
    mean = np.zeros(int(kept.sum()))
    sigma = scipy.linalg.block_diag(*(cov.blocks[i][i][np.ix_(k, k)] for i, k in enumerate(cov.kept)))
    for _ in range(ROUNDS):
        before = sigma
        mean, sigma = _round(parts, mean, sigma)
        if np.abs(sigma - before).max() < CLOSE:
            break
    return _read(cov, kept, mean, sigma)


def _parts(cov: Covariance, kept: np.ndarray) -> Iterator[_Part]:
    edges = np.cumsum([0, *(len(k) for k in cov.kept)])
    means, scales = np.concatenate(cov.means), np.concatenate(cov.deviations)
    total = sum(moments.weight for moments in cov.gram.parts.values())
    for pattern, moments in cov.gram.parts.items():
        columns = np.concatenate([np.arange(edges[i], edges[i + 1]) for i in pattern])
        columns, inside = columns[kept[columns]], kept[columns]
        has = np.zeros(len(kept), bool)
        has[columns] = True
        scale = scales[columns]
        full = moments.full()[np.ix_(inside, inside)] / scale[:, None] / scale
        yield _Part(moments.weight / total, has[kept], (moments.mean[inside] - means[columns]) / scale, full / total)


def _round(parts: list[_Part], mean: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One round: what absent columns hold is expected from present ones, and moments are taken anew."""
    shift = np.zeros_like(mean)
    second = np.zeros_like(sigma)
    for part in parts:
        has, lacks = part.has, ~part.has
        apart = part.mean - mean[has]
        about = part.products + part.share * np.outer(apart, apart)
        known = sigma[np.ix_(has, has)]
        cross = sigma[np.ix_(lacks, has)]
        factor = _factor(known)
        slope = scipy.linalg.cho_solve(factor, cross.T, check_finite=False).T
        expected = slope @ about
        second[np.ix_(has, has)] += about
        second[np.ix_(lacks, has)] += expected
        second[np.ix_(has, lacks)] += expected.T
        second[np.ix_(lacks, lacks)] += expected @ slope.T + part.share * (
            sigma[np.ix_(lacks, lacks)] - slope @ cross.T
        )
        shift[has] += part.share * apart
        shift[lacks] += part.share * (slope @ apart)
    second -= np.outer(shift, shift)
    return mean + shift, (second + second.T) / 2.0


def _factor(matrix: np.ndarray) -> tuple[np.ndarray, bool]:
    """Cholesky factor with the least jitter under which there is one."""
    for jitter in JITTERS[:-1]:
        try:
            return _jittered(matrix, jitter)
        except np.linalg.LinAlgError:
            continue
    return _jittered(matrix, JITTERS[-1])


def _jittered(matrix: np.ndarray, jitter: float) -> tuple[np.ndarray, bool]:
    factor: tuple[np.ndarray, bool] = scipy.linalg.cho_factor(
        matrix + jitter * np.eye(len(matrix)), lower=True, check_finite=False
    )
    return factor


def _read(cov: Covariance, kept: np.ndarray, mean: np.ndarray, sigma: np.ndarray) -> Covariance:
    """The estimate in the form of a covariance, columns that do not vary as they were."""
    spread = np.sqrt(np.diag(sigma))
    whole = np.zeros((len(kept), len(kept)))
    whole[np.ix_(kept, kept)] = sigma / spread[:, None] / spread
    shifts, scales = np.zeros(len(kept)), np.ones(len(kept))
    shifts[kept], scales[kept] = mean, spread
    edges = np.cumsum([0, *(len(k) for k in cov.kept)])
    cuts = [slice(a, b) for a, b in pairwise(edges)]
    return replace(
        cov,
        means=[m + d * shifts[c] for m, d, c in zip(cov.means, cov.deviations, cuts, strict=True)],
        deviations=[d * scales[c] for d, c in zip(cov.deviations, cuts, strict=True)],
        blocks=[[whole[a, b] for b in cuts] for a in cuts],
    )
