"""Sequences of different lengths: padding, masks and chunks of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch


def pad_ids(sequences: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad token ids with 0: ids (rows, longest) int64 and lengths (rows,) int64.

    >>> pad_ids([np.array([5, 6]), np.array([7])])[0].tolist()
    [[5, 6], [7, 0]]
    """
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    ids = np.zeros((len(sequences), int(lengths.max(initial=1))), dtype=np.int64)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
    return torch.from_numpy(ids), torch.from_numpy(lengths)


def mask_of(lengths: torch.Tensor, steps: int) -> torch.Tensor:
    """Bool, shape (rows, steps): true before each row's length."""
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)


def buckets(lengths: torch.Tensor, step: int) -> Iterator[tuple[torch.Tensor, int]]:
    """Rows of like length, with their length rounded up to a multiple of `step`: little work is spent on pads.

    How far a row is padded depends on the row alone, so that low-precision kernels give it the same result in any
    batch.

    >>> [(rows.tolist(), length) for rows, length in buckets(torch.tensor([3, 9, 16]), 8)]
    [([0], 8), ([1, 2], 16)]
    """
    rounded = (lengths.clamp(min=1) + step - 1) // step * step
    for length in torch.unique(rounded).tolist():
        yield torch.nonzero(rounded == length).flatten(), length
