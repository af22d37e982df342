"""Kernels between rows, in double precision: one definition for fitting and for saved projections."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics.pairwise import additive_chi2_kernel

from fusible.errors import ArrayError

KERNELS = ("linear", "rbf", "poly", "cosine", "chi2")
CENTRED = frozenset({"linear", "rbf", "poly"})
"""Kernels of rows about the training mean; the others are defined about the origin."""

SAMPLE = 1000
"""Rows that the median distance is taken over."""
BLOCK = 256
"""Rows of a chi-squared distance held at once, so that they stay in the processor's cache."""


def kernel_matrix(
    rows: torch.Tensor, others: torch.Tensor, kernel: str, gamma: float = 1.0, degree: int = 3, coef0: float = 1.0
) -> torch.Tensor:
    """Kernel of every row with every other, (rows, others), float64.

    linear: x·y; rbf: exp(-gamma |x-y|²); poly: (gamma x·y + coef0)^degree; cosine: x·y / |x||y| (0 for a row of zeros);
    chi2: exp(-gamma Σ (x-y)² / (x+y)), for histograms.

    >>> one = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    >>> kernel_matrix(one, one, "cosine").tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if kernel in {"rbf", "chi2"}:
        return distances(rows, others, kernel).mul_(-gamma).exp_()
    if kernel == "cosine":
        return _unit(rows) @ _unit(others).T
    product = rows @ others.T
    return product if kernel == "linear" else product.mul_(gamma).add_(coef0).pow_(degree)


def distances(rows: torch.Tensor, others: torch.Tensor, kernel: str) -> torch.Tensor:
    """What a kernel's width is measured in, (rows, others): chi-squared for chi2, else squared Euclidean distances."""
    if kernel == "chi2":
        return _chi2(rows, others)
    norms = (rows**2).sum(1)[:, None] + (others**2).sum(1)
    return norms.addmm_(rows, others.T, alpha=-2.0).clamp_(min=0.0)


def median_gamma(rows: torch.Tensor, weight: np.ndarray, kernel: str) -> float:
    """1 / 2m, m being the weighted median distance between rows (chi2: 1 / m), over at most `SAMPLE` of them.

    That puts the rows of median distance at exp(-1/2) (chi2: at exp(-1)). 1 where all rows are equal.
    """
    step = -(-len(rows) // SAMPLE)
    some, share = rows[::step], weight[::step]
    apart = distances(some, some, kernel).numpy().ravel()
    share = np.multiply.outer(share, share).ravel()
    order = np.argsort(apart, kind="stable")
    total = np.cumsum(share[order])
    median = float(apart[order][np.searchsorted(total, 0.5 * total[-1])])
    if median <= 0.0:
        median = float(share @ apart / total[-1])
    if median <= 0.0:
        return 1.0
    return 1.0 / median if kernel == "chi2" else 0.5 / median


def check_histograms(array: np.ndarray, name: str) -> None:
    """Raise `ArrayError` where a number is negative: chi-squared is a distance of histograms."""
    if (array < 0.0).any():
        row, column = (int(i[0]) for i in np.nonzero(array < 0.0))
        raise ArrayError(
            f"view {name!r}: kernel chi2 expected numbers of at least 0, got {array[row, column]:g} "
            f"(row {row}, column {column}); take the kernel rbf"
        )


def _chi2(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Σ (x-y)² / (x+y); columns where both are 0 add nothing. On a CPU scikit-learn's loop is the faster."""
    if rows.device.type == "cpu" and len(rows) and bool((rows >= 0.0).all()):
        return torch.from_numpy(additive_chi2_kernel(rows.numpy(), others.numpy())).neg_()
    return torch.cat([_chi2_block(part, others) for part in torch.split(rows, BLOCK)])


def _chi2_block(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    total = torch.zeros(len(rows), len(others), dtype=rows.dtype, device=rows.device)
    for x, y in zip(rows.T, others.T, strict=True):
        both = x[:, None] + y
        apart = (x[:, None] - y).square_()
        total += apart.div_(both.clamp_(min=torch.finfo(rows.dtype).tiny))
    return total


def _unit(rows: torch.Tensor) -> torch.Tensor:
    norms = rows.norm(dim=1, keepdim=True)
    return rows / torch.where(norms > 0.0, norms, 1.0)
