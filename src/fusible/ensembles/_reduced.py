"""Encodings of views as few features: standardised, turned to principal axes, zero where there is none.

A dimension counts by how much it varies: of each view at most 16 axes are kept, scaled so that the first has unit
variance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

MOST = 16
FIT_ROWS = 5000
LARGEST = 6.0
"""Features are cut here, so that an odd encoding does not rule the gate."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """`mean` (all widths,), `basis` (all widths, axes) of the views one below the other, `widths` (views,)."""

    mean: np.ndarray
    basis: np.ndarray
    widths: np.ndarray

    def features(self, encodings: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        """Features (rows, views * axes); zeros for rows and views without encodings."""
        axes, start = self.basis.shape[1], 0
        result = np.zeros((rows, len(self.widths) * axes))
        given = list(encodings.values()) or [np.full((rows, int(width)), np.nan) for width in self.widths]
        for view, (width, values) in enumerate(zip(self.widths, given, strict=True)):
            stop = start + int(width)
            here = np.isfinite(values).all(axis=1)
            centred = np.asarray(values[here], np.float64) - self.mean[start:stop]
            turned = np.clip(centred @ self.basis[start:stop], -LARGEST, LARGEST)
            result[here, view * axes : (view + 1) * axes] = turned
            start = stop
        return result


def learn(encodings: Mapping[str, np.ndarray]) -> Reduction | None:
    """Learn from the rows that have encodings; nothing where no view has two."""
    found = [_axes(values) for values in encodings.values()]
    if not any(basis.any() for _, basis in found):
        return None
    axes = max(basis.shape[1] for _, basis in found)
    padded = [np.pad(basis, ((0, 0), (0, axes - basis.shape[1]))) for _, basis in found]
    widths = np.array([len(mean) for mean, _ in found], np.int64)
    return Reduction(np.concatenate([mean for mean, _ in found]), np.concatenate(padded), widths)


def _axes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (width,) and scaled axes (width, at most 16) of a view's rows that have encodings."""
    kept = np.flatnonzero(np.isfinite(values).all(axis=1))
    kept = np.sort(np.random.default_rng(0).permutation(kept)[:FIT_ROWS])
    width = values.shape[1]
    rows = np.asarray(values[kept], np.float64)
    if len(rows) < 2 or not width:
        return np.zeros(width), np.zeros((width, 1))
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    flat = spread <= 1e-9 * max(1.0, float(np.abs(rows).max()))
    scale = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, spread))
    standard = (rows - mean) * scale
    values_, vectors = np.linalg.eigh(standard.T @ standard / len(rows))
    most = max(1, min(MOST, width, len(rows) - 1))
    first = np.sqrt(max(float(values_[-1]), 1e-12))
    vectors = vectors[:, ::-1][:, :most]
    vectors = vectors * np.where(np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], 0) < 0, -1.0, 1.0)
    return mean, scale[:, None] * vectors / first
