"""The linear aligner on top of a deep one: fitted on outputs of networks, and folded into their projections."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch

from fusible.alignment._linear import LinearAligner
from fusible.alignment._projections import Affine
from fusible.errors import ArrayError, FusibleWarning

SMALLEST = 1e-11
"""Share of the largest variance below which a direction of outputs in single precision is rounding."""


def fit_top(
    linear: LinearAligner, names: Sequence[str], outputs: Sequence[np.ndarray], presence: np.ndarray | None
) -> list[Affine]:
    """Fit `linear` on outputs (rows, width) of each view; return what it does to each of them.

    Directions of outputs that are nothing but rounding are left out: there may be fewer components than outputs.
    """
    turns = []
    for place, (name, rows) in enumerate(zip(names, outputs, strict=True)):
        turn = directions(rows if presence is None else rows[presence[:, place]])
        if not turn.shape[1]:
            raise ArrayError(
                f"view {name!r}: expected outputs of its network that vary, got the same for every training row; "
                "take a lower learning_rate, less dropout, or another branch"
            )
        turns.append(turn)
    turned = [rows @ turn for rows, turn in zip(outputs, turns, strict=True)]
    with warnings.catch_warnings():  # they speak of outputs as if they were the user's columns
        warnings.simplefilter("ignore", FusibleWarning)
        linear.fit(dict(zip(names, turned, strict=True)), presence=presence)
    return [_affine(linear, place, turn) for place, turn in enumerate(turns)]


def directions(rows: np.ndarray) -> np.ndarray:
    """Weights (width, rank) of the directions in which outputs vary by more than rounding."""
    covariance = np.atleast_2d(np.cov(rows, rowvar=False, bias=True))
    scale = np.sqrt(np.diag(covariance))
    rounding = scale <= np.sqrt(SMALLEST) * np.maximum(np.abs(rows).max(axis=0), scale.max())
    weight = np.where(rounding, 0.0, 1.0 / np.where(rounding, 1.0, scale))
    values, vectors = np.linalg.eigh(covariance * weight[:, None] * weight)
    kept = values > SMALLEST * max(values[-1], 1.0)
    if kept.all():
        return np.eye(len(weight))
    found: np.ndarray = weight[:, None] * vectors[:, kept]
    return found


def identity(width: int) -> Affine:
    """An affine map that changes nothing."""
    made = Affine(width, width)
    made.weight.copy_(torch.eye(width))
    return made


def _affine(linear: LinearAligner, place: int, turn: np.ndarray) -> Affine:
    weights = turn @ linear.weights_[place]
    made = Affine(*weights.shape)
    made.weight.copy_(torch.from_numpy(weights))
    shift = np.linalg.lstsq(turn.T, linear.means_[place], rcond=None)[0]
    made.mean.copy_(torch.from_numpy(shift))
    return made
