"""Scorers of items for users, each linear in what the user had: item-to-item weights, closed forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import csr_matrix

from fusible.errors import ConfigError, TooLargeError

MOST_ITEMS = 12_000
"""Items beyond which the closed forms, which hold items × items, are refused."""
SHRINK, NEIGHBOURS = 20.0, 100
"""Of nearest items: what is added to counts, so that chance does not pass for likeness, and how many are kept."""
COUNTED = 5.0
"""What is added to an item's count before it is damped."""


@dataclass(frozen=True, slots=True)
class EaseSettings:
    """How EASE is regularised and what it is told.

    `penalty` is that of Steck, in units of an undamped count; `damping` divides the column of an item by its count to
    this power, so that few popular items do not rule; `views` {view: weight} are shares of the penalty with which
    likeness of items counts as if they had been chosen together; `users` weighs what is known of users.
    """

    penalty: float = 400.0
    damping: float = 0.0
    views: tuple[tuple[str, float], ...] = ()
    users: float = 0.0


@dataclass(frozen=True, slots=True)
class Ease:
    """Fitted: `items` (items, items), from had to recommended, zero on the diagonal; `users` (attributes, items)."""

    items: np.ndarray
    users: np.ndarray


def check_size(items: int) -> None:
    """Refuse more items than the closed forms can hold."""
    if items > MOST_ITEMS:
        raise TooLargeError(
            f"recommend: {items:,} items, expected at most {MOST_ITEMS:,}, as weights hold items × items; "
            "leave rare items out"
        )


def popular(had: csr_matrix) -> np.ndarray:
    """How many users had each item (items,)."""
    return np.asarray(had.sum(axis=0), np.float64).ravel()


def ease(
    had: csr_matrix,
    settings: EaseSettings,
    kernels: Mapping[str, np.ndarray] | None = None,
    attributes: np.ndarray | None = None,
) -> Ease:
    """EASE: each item told from all others by ridge regression, in closed form, with side information.

    Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW 2019); likeness of items by each view enters as
    further rows of what was chosen together, as features do in CEASE (Jeunen, Van Balen and Goethals, "Closed-Form
    Models for Collaborative Filtering with Side-Information", RecSys 2020), through their products alone; attributes of
    users (users, columns) enter as further columns that explain and are not explained.

    >>> had = csr_matrix(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], np.float32))
    >>> print(abs(ease(had, EaseSettings(penalty=1.0)).items).round(2))
    [[0.   0.67 0.  ]
     [0.67 0.   0.  ]
     [0.   0.   0.  ]]
    """
    size = had.shape[1]
    check_size(size)
    scale = (popular(had) + COUNTED) ** -settings.damping
    penalty = settings.penalty * float((scale**2).mean())
    gram = np.asarray((had.T @ had).todense(), np.float64) * scale[:, None] * scale
    for view, weight in settings.views:
        if weight:
            gram += penalty * weight * kernel_of(kernels or {}, view)
    wide = settings.users > 0 and attributes is not None
    if wide and attributes is not None:
        extra = settings.users * attributes.astype(np.float64)
        cross = (had.T @ extra) * scale[:, None]
        gram = np.block([[gram, cross], [cross.T, extra.T @ extra]])
    solved = inverse(gram, penalty)
    weights = -solved[:, :size] / np.diag(solved)[:size]
    weights[np.arange(size), np.arange(size)] = 0.0
    items = weights[:size] * scale[:, None] / scale
    told = settings.users * weights[size:] / scale if wide else np.zeros((0, size))
    return Ease(items.astype(np.float32), told.astype(np.float32))


def neighbours(had: csr_matrix) -> np.ndarray:
    """Weights (items, items) of the nearest items by the cosine of who had them (Sarwar et al., WWW 2001)."""
    check_size(had.shape[1])
    gram = np.asarray((had.T @ had).todense(), np.float64)
    length = np.sqrt(np.diag(gram) + SHRINK)
    near = gram / length[:, None] / length
    np.fill_diagonal(near, 0.0)
    if len(near) > NEIGHBOURS:
        near[near < -np.partition(-near, NEIGHBOURS - 1, axis=0)[NEIGHBOURS - 1]] = 0.0
    return near.astype(np.float32)


def kernel_of(kernels: Mapping[str, np.ndarray], view: str) -> np.ndarray:
    """Likeness (items, items) by a view; `ConfigError` for one that is not there."""
    if view not in kernels:
        raise ConfigError(f"recommend: no view {view!r} of items; expected one of {', '.join(kernels) or 'none'}")
    return kernels[view]


def inverse(gram: np.ndarray, penalty: float) -> np.ndarray:
    """Inverse of gram + penalty · I, by Cholesky."""
    gram = gram.copy()
    gram[np.diag_indices(len(gram))] += penalty
    factor, failed = lapack.dpotrf(gram, lower=1, overwrite_a=1)
    if failed:
        raise ConfigError(f"recommend: penalty {penalty:g} is too small for these data; expected a greater one")
    found, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    lower = np.tril(found)
    return np.asarray(lower + np.tril(found, -1).T)
