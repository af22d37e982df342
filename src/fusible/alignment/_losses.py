"""What deep aligners minimise. Moments and factors are in double precision, whatever the outputs are in.

Losses and their gradients are finite for dead, constant, duplicate, tiny and huge outputs: each covariance gets a ridge
relative to its mean variance and an absolute floor, and a correlation of zero has the gradient zero (the subgradient of
least norm of the trace norm there).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch.nn import functional

from fusible.alignment._branches import unit_rows

LEAST_RIDGE = 1e-10
"""Relative ridge that every covariance gets: duplicate outputs would have no Cholesky factor without."""
FLOOR = 1e-30
"""Variance far below which an output counts as dead; bounds the gradient by 1 / sqrt(FLOOR)."""
ZERO = 1e-9
"""Correlations up to this are noise of rounding; they get no gradient."""


def cca_loss(
    one: torch.Tensor, other: torch.Tensor, components: int | None = None, ridge: float = 1e-4
) -> torch.Tensor:
    """Minus the sum of the largest canonical correlations of two batches of outputs (rows, any).

    The trace norm of Cxx^-1/2 Cxy Cyy^-1/2 (Andrew, Arora, Bilmes and Livescu, 2013, "Deep canonical correlation
    analysis"); of the first `components` singular values, where outputs are wider. `ridge` is relative to the mean
    variance of a view's outputs.

    >>> rows = torch.eye(4)[:, :2]
    >>> round(float(cca_loss(rows, 3 * rows + 1, ridge=0.0)), 6)
    -2.0
    """
    one, other = _centred(one), _centred(other)
    cross = _whitened(_factor(one, ridge), one.T @ other / len(one), _factor(other, ridge))
    values = torch.linalg.svdvals(cross)[:components]
    return _negated_sum(values)


def gcca_loss(
    outputs: Sequence[torch.Tensor],
    components: int | None = None,
    ridge: float = 1e-4,
    presence: torch.Tensor | None = None,
) -> torch.Tensor:
    """Minus the sum of the largest eigenvalues of the summed projections onto several batches of outputs (rows, any).

    Deep generalised CCA (Benton et al., 2019): the reconstruction error of its shared rows is `components` times the
    number of views, plus this. An eigenvalue lies between 0 and the number of views; with two views it is one plus a
    canonical correlation. `presence` (rows, views) bool: a covariance is over the rows that have its views.

    >>> rows = torch.eye(4)[:, :2]
    >>> round(float(gcca_loss([rows, -rows, 2 * rows], 2, ridge=0.0)), 6)
    -6.0
    """
    blocks, _ = whitened_blocks(outputs, ridge, presence)
    values = torch.linalg.eigvalsh(blocks).flip(0)[:components]
    return _negated_sum(values)


def whitened_blocks(
    outputs: Sequence[torch.Tensor], ridge: float, presence: torch.Tensor | None = None
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Matrix of all whitened (cross-)covariances, whose eigenvalues are those of the summed projections.

    Also the Cholesky factor of each view's covariance.
    """
    here = [None if presence is None else presence[:, i] for i in range(len(outputs))]
    rows = [_centred(output, at) for output, at in zip(outputs, here, strict=True)]
    factors = [_factor(one, ridge, at) for one, at in zip(rows, here, strict=True)]
    grid: dict[tuple[int, int], torch.Tensor] = {}
    for i, one in enumerate(rows):
        grid[i, i] = _whitened(factors[i], one.T @ one / _count(one, here[i]), factors[i])
    for i, j in combinations(range(len(rows)), 2):
        both = None if presence is None else presence[:, i] & presence[:, j]
        grid[i, j] = _whitened(factors[i], rows[i].T @ rows[j] / _count(rows[i], both), factors[j])
        grid[j, i] = grid[i, j].T
    views = range(len(rows))
    return torch.cat([torch.cat([grid[i, j] for j in views], dim=1) for i in views]), factors


def total_correlation(
    fitted: Sequence[torch.Tensor],
    held: Sequence[torch.Tensor],
    components: int,
    fitted_presence: torch.Tensor | None = None,
    held_presence: torch.Tensor | None = None,
) -> float:
    """Total correlation on held-out rows of the linear (generalised) CCA of other rows.

    Mean over pairs of views, each on the rows that have both; 0 for a component without variance, never NaN.
    """
    blocks, factors = whitened_blocks(fitted, LEAST_RIDGE, fitted_presence)
    axes = torch.linalg.eigh(blocks).eigenvectors.flip(1)[:, :components]
    scores, start = [], 0
    for rows, factor in zip(held, factors, strict=True):
        part = axes[start : start + len(factor)]
        scores.append(rows.double() @ torch.linalg.solve_triangular(factor.T, part, upper=True))
        start += len(factor)
    pairs = []
    for i, j in combinations(range(len(scores)), 2):
        both = slice(None) if held_presence is None else held_presence[:, i] & held_presence[:, j]
        pairs.append(_correlations(scores[i][both], scores[j][both]).sum())
    return float(torch.stack(pairs).mean())


def reconstruction_loss(decoded: Sequence[torch.Tensor], inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Sum over views of the mean squared error per (standardised) entry; 1 per view where nothing is explained.

    The second term of deep canonically correlated autoencoders (Wang, Arora, Livescu and Bilmes, 2015).
    """
    errors = [functional.mse_loss(one.double(), other.double()) for one, other in zip(decoded, inputs, strict=True)]
    return torch.stack(errors).sum()


def info_nce(
    one: torch.Tensor,
    other: torch.Tensor,
    scale: torch.Tensor,
    positive: torch.Tensor | None = None,
    hardness: float = 0.0,
) -> torch.Tensor:
    """Symmetrical cross-entropy of picking the partner of each row among the batch, by scaled cosine.

    InfoNCE (van den Oord et al., 2018) as in CLIP (Radford et al., 2021). `positive` (rows, rows) bool marks all
    pairs that belong together; a row with several has an even target over them. Default: the diagonal. With `hardness`
    strangers weigh as exp(hardness x cosine), relative to their mean (Robinson et al., 2021, "Contrastive learning with
    hard negative samples").

    >>> rows = torch.eye(2)
    >>> round(float(info_nce(rows, rows, torch.tensor(0.0))), 4)  # no scale: a guess among two
    0.6931
    """
    near = cosines(one, other)
    logits = scale.double() * near
    target = _targets(positive, logits)
    there, back = (_harder(*both, hardness) for both in ((logits, near, target), (logits.T, near.T, target.T)))
    there = functional.cross_entropy(there, target / target.sum(dim=1, keepdim=True))
    back = functional.cross_entropy(back, target.T / target.T.sum(dim=1, keepdim=True))
    return (there + back) / 2


def _harder(logits: torch.Tensor, near: torch.Tensor, target: torch.Tensor, hardness: float) -> torch.Tensor:
    """Logits whose strangers have the logarithm of their weight added; weights have mean one per row."""
    if not hardness:
        return logits
    strange = target == 0
    raised = (hardness * near.detach()).masked_fill(~strange, -torch.inf)
    mean = raised.logsumexp(dim=1, keepdim=True) - strange.sum(dim=1, keepdim=True).log()
    return torch.where(strange, logits + raised - mean, logits)


def sigmoid_loss(
    one: torch.Tensor,
    other: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor,
    positive: torch.Tensor | None = None,
) -> torch.Tensor:
    """Binary cross-entropy of every pair of the batch, by scaled cosine plus bias; summed per row, mean over rows.

    SigLIP (Zhai et al., 2023). `positive` as in `info_nce`.

    >>> rows = torch.eye(2)
    >>> round(float(sigmoid_loss(rows, rows, torch.tensor(0.0), torch.tensor(0.0))), 4)  # two guesses a row
    1.3863
    """
    logits = scale.double() * cosines(one, other) + bias.double()
    signs = 2 * _targets(positive, logits) - 1
    return -functional.logsigmoid(signs * logits).sum() / len(logits)


def cosines(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Cosine of every row of one with every row of the other; 0 for a row of zeros."""
    return unit_rows(one) @ unit_rows(other).T


def _negated_sum(values: torch.Tensor) -> torch.Tensor:
    loss: torch.Tensor = -(values * (values > ZERO)).sum()
    return loss


def _targets(positive: torch.Tensor | None, logits: torch.Tensor) -> torch.Tensor:
    if positive is None:
        return torch.eye(len(logits), dtype=logits.dtype, device=logits.device)
    return positive.to(logits.dtype)


def _centred(rows: torch.Tensor, here: torch.Tensor | None = None) -> torch.Tensor:
    """Rows less their mean, in double precision; absent rows become zero and count for nothing."""
    rows = rows.double()
    if here is None:
        return rows - rows.mean(dim=0)
    kept = torch.where(here[:, None], rows, 0.0)
    return torch.where(here[:, None], kept - kept.sum(dim=0) / _count(rows, here), 0.0)


def _count(rows: torch.Tensor, here: torch.Tensor | None) -> float:
    return float(len(rows)) if here is None else max(1.0, float(here.sum()))


def _factor(rows: torch.Tensor, ridge: float, here: torch.Tensor | None = None) -> torch.Tensor:
    """Cholesky factor of the covariance of centred rows, with ridge and floor."""
    covariance = rows.T @ rows / _count(rows, here)
    width = len(covariance)
    lift = max(ridge, LEAST_RIDGE) * covariance.trace() / width + FLOOR
    factor: torch.Tensor = torch.linalg.cholesky(covariance + lift * torch.eye(width).to(covariance))
    return factor


def _whitened(one: torch.Tensor, block: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """one^-1 block other^-T for lower factors."""
    left = torch.linalg.solve_triangular(one, block, upper=False)
    whole: torch.Tensor = torch.linalg.solve_triangular(other, left.T, upper=False).T
    return whole


def _correlations(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    if len(one) < 2:
        return one.new_zeros(one.shape[1])
    one, other = one - one.mean(dim=0), other - other.mean(dim=0)
    spread = one.square().sum(dim=0).sqrt() * other.square().sum(dim=0).sqrt()
    return torch.where(spread > 0, (one * other).sum(dim=0) / spread.clamp_min(1e-300), 0.0)
