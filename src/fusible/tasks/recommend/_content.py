"""Content: what users had, told from what is known of items alone, so that items nobody had can be scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fusible.tasks.recommend._scorers import check_size, inverse, kernel_of

EVERY = 1.0
"""Likeness of any two items: by it an item that nothing is known of is scored as the mean of all."""


@dataclass(frozen=True, slots=True)
class ContentSettings:
    """Ridge `penalty`, and `views` {view: weight} of kernels."""

    penalty: float = 10.0
    views: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True)
class Content:
    """Kernel ridge regression from items to who had them; each item told as if nobody had had it.

    `items` (items, items): weight from had to recommended, zero on the diagonal. An item's own interactions are left
    out of what tells it, in closed form, H_ij / (1 - H_ii) of the hat matrix H, so that items that are known and new
    ones stand on one scale (the map from attributes to preferences of Gantner et al., "Learning Attribute-to-Feature
    Mappings for Cold-Start Recommendations", ICDM 2010, here without factors between).
    """

    settings: ContentSettings
    kernels: Mapping[str, np.ndarray]
    warm: np.ndarray
    solved: np.ndarray
    items: np.ndarray

    @classmethod
    def fit(cls, kernels: Mapping[str, np.ndarray], warm: np.ndarray, settings: ContentSettings) -> Content:
        """Fit on the items that someone had, `warm` bool (items,); `kernels` {view: (items, items)} say likeness."""
        check_size(len(warm))
        known = np.flatnonzero(warm)
        kernel = _summed(kernels, settings, len(warm))
        solved = np.zeros(kernel.shape, np.float32)
        solved[np.ix_(known, known)] = inverse(kernel[np.ix_(known, known)].astype(np.float64), settings.penalty)
        return cls(settings, kernels, warm, solved, _left_out(solved @ kernel, warm))

    @classmethod
    def solved_by(
        cls, kernels: Mapping[str, np.ndarray], warm: np.ndarray, settings: ContentSettings, solved: np.ndarray
    ) -> Content:
        """The same, of what `fit` solved before."""
        found = _left_out(solved @ _summed(kernels, settings, len(warm)), warm)
        return cls(settings, kernels, warm, solved, found)

    def by_view(self, item: int) -> dict[str, np.ndarray]:
        """The weights (items,) towards one item, taken apart by view; they sum to its column of `items`.

        What any two items share goes under the empty name.
        """
        own = float(self.solved[:, item] @ self._column(item)) if self.warm[item] else 0.0
        parts: dict[str, np.ndarray] = {"": np.full(len(self.warm), EVERY, np.float32)}
        parts |= {view: weight * self.kernels[view][:, item] for view, weight in self.settings.views if weight}
        found = {view: self.solved @ column / (1.0 - own) for view, column in parts.items()}
        for values in found.values():
            values[item] = 0.0
        return found

    def _column(self, item: int) -> np.ndarray:
        found: np.ndarray = np.full(len(self.warm), EVERY)
        for view, weight in self.settings.views:
            found = found + weight * self.kernels[view][:, item]
        return found


def _summed(kernels: Mapping[str, np.ndarray], settings: ContentSettings, size: int) -> np.ndarray:
    kernel = np.full((size, size), EVERY, np.float32)
    for view, weight in settings.views:
        kernel += np.float32(weight) * kernel_of(kernels, view)
    return kernel


def _left_out(hat: np.ndarray, warm: np.ndarray) -> np.ndarray:
    """Weights towards every item as they are when it is left out of what they were fitted on."""
    weights = hat / (1.0 - np.where(warm, np.diag(hat), 0.0))
    np.fill_diagonal(weights, 0.0)
    return np.asarray(weights, np.float32)
