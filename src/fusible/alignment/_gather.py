"""Rows of views for the training of networks: batches of tensors, deviations of columns, identity of contents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import nn

from fusible.alignment._branches import Standardise
from fusible.alignment._views import CHUNK, Views, finite
from fusible.errors import ArrayError

CONSTANT = 1e-12
"""Deviation over size of the mean up to which a column is constant but for rounding."""

REACH = 2.0
"""Columns are divided by their deviation, or by their greatest distance from the mean over this where that is more: a
column that is rarely anything but zero, such as a pixel at the border of a picture, would drown all others otherwise.
Then all columns of the view are divided by one number, so that their mean variance is one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of every view as tensors (rows, columns); rows of an absent view are zero.

    `rows` are their numbers, `presence` (rows, views) is None where every view is there.
    """

    rows: np.ndarray
    inputs: list[torch.Tensor]
    presence: torch.Tensor | None


def gather(views: Views, rows: np.ndarray, device: str = "cpu") -> Batch:
    """Read rows, of memory maps and sparse arrays too."""
    here = None if views.presence is None else views.presence[rows]
    inputs = []
    for place, array in enumerate(views.arrays):
        present = None if here is None else here[:, place]
        inputs.append(_tensor(array, rows, present).to(device))
    return Batch(rows, inputs, None if here is None else torch.from_numpy(here).to(device))


def outputs_of(branches: nn.ModuleList, batch: Batch) -> list[torch.Tensor]:
    """Outputs (rows, width) of every branch, float32; it sees present rows alone, and absent ones have zeros."""
    found = []
    for place, (branch, rows) in enumerate(zip(branches, batch.inputs, strict=True)):
        if batch.presence is None:
            found.append(branch(rows).float())
            continue
        here = batch.presence[:, place]
        there = branch(rows[here]).float() if bool(here.any()) else rows.new_zeros(0, 1)
        whole = torch.zeros(len(rows), there.shape[1], device=rows.device)
        found.append(whole.index_put((here.nonzero()[:, 0],), there) if len(there) else whole)
    return found


def standards_of(views: Views, rows: np.ndarray, scale: str = "columns") -> list[Standardise]:
    """Mean and size, of every column ("columns") or of the whole view ("view"), over given rows.

    Raises `ArrayError` for NaN, infinity, and a view of constants.
    """
    return [_standard(views, place, rows, scale) for place in range(len(views.names))]


def check_finite(views: Views, rows: np.ndarray) -> None:
    """Raise `ArrayError` where a present row holds NaN or infinity."""
    for place in range(len(views.names)):
        for _ in _parts(views, place, rows):
            pass


def contents(array: Any, rows: int) -> np.ndarray:
    """A number per row that is the same for rows of the same content, and for no others (but for 1 in 2^64)."""
    found = np.zeros(rows, dtype=np.int64)
    for start in range(0, rows, CHUNK):
        part = _dense(array[start : start + CHUNK]) + 0.0  # makes -0.0 and 0.0 one
        for i, row in enumerate(np.ascontiguousarray(part)):
            found[start + i] = int.from_bytes(blake2b(row.tobytes(), digest_size=8).digest(), "big", signed=True)
    return found


def _standard(views: Views, place: int, rows: np.ndarray, scale: str) -> Standardise:
    name, array = views.names[place], views.arrays[place]
    module = Standardise(array.shape[1])
    count, mean, spread = 0, np.zeros(array.shape[1]), np.zeros(array.shape[1])
    low, high = np.full(array.shape[1], np.inf), np.full(array.shape[1], -np.inf)
    for part in _parts(views, place, rows):
        own = part.mean(axis=0)
        apart, total = own - mean, count + len(part)
        spread += ((part - own) ** 2).sum(axis=0) + apart**2 * (count * len(part) / total)
        mean += apart * (len(part) / total)
        count = total
        low, high = np.minimum(low, part.min(axis=0)), np.maximum(high, part.max(axis=0))
    deviation = np.sqrt(spread / max(1, count))
    varies = deviation > CONSTANT * np.abs(mean)
    if not varies.any():
        raise ArrayError(
            f"view {name!r}: expected columns that vary, got {len(mean)} constant ones in {count} training rows; "
            "leave the view out"
        )
    module.mean.copy_(torch.from_numpy(mean))
    far = np.maximum(high - mean, mean - low)
    size = np.ones_like(mean) if scale == "view" else np.maximum(deviation, far / REACH)
    size *= np.sqrt(np.mean((deviation[varies] / size[varies]) ** 2))
    module.factor.copy_(torch.from_numpy(np.divide(1.0, size, out=np.zeros_like(mean), where=varies)))
    return module


def _parts(views: Views, place: int, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Present rows of one view in double precision, chunk by chunk; NaN raises."""
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        if views.presence is not None:
            some = some[views.presence[some, place]]
        if not len(some):
            continue
        part = _dense(views.arrays[place][some])
        if not np.isfinite(part).all():
            worst = int(np.argmax(~np.isfinite(part).all(axis=1)))
            finite(part[worst : worst + 1], views.names[place], int(some[worst]))
        yield part.astype(np.float64)


def _tensor(array: Any, rows: np.ndarray, present: np.ndarray | None) -> torch.Tensor:
    if present is None or present.all():
        return torch.from_numpy(np.ascontiguousarray(_dense(array[rows])))
    whole = np.zeros((len(rows), array.shape[1]), dtype=array.dtype)
    whole[present] = _dense(array[rows[present]])
    return torch.from_numpy(whole)


def _dense(part: Any) -> np.ndarray:
    return part.toarray() if scipy.sparse.issparse(part) else np.asarray(part)
