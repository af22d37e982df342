"""Nearest anchors by similarity of encodings: exact, in chunks, and the same for a row alone as in a batch."""

from __future__ import annotations

import torch

CHUNK = 1_024
"""Rows whose similarities are held at once."""
GRID = 2**30
"""Similarities are rounded to one part in so many, so that the order of sums never decides which anchor is nearer."""


class Nearness:
    """Cosine similarity to the anchors that hold a view, of vectors standardised by those anchors.

    `anchors` (anchors, width), `held` (anchors,) bool: which of them hold the view.
    """

    def __init__(self, anchors: torch.Tensor, held: torch.Tensor) -> None:
        kept = _exact(anchors[held])
        self.held = held
        if len(kept) < 2:
            kept = torch.stack([torch.zeros_like(_exact(anchors.new_zeros(anchors.shape[1])))] * 2)
        self.mean, spread = kept.mean(dim=0), kept.std(dim=0)
        self.deviation = spread.where(spread > 1e-6 * self.mean.abs() + 1e-12, 1.0)
        self.unit = self._unit(anchors)

    def _unit(self, vectors: torch.Tensor) -> torch.Tensor:
        scaled = (_exact(vectors) - self.mean) / self.deviation
        # A small constant coordinate gives the mean itself a direction: two such vectors are alike.
        filled = torch.cat([scaled, torch.full_like(scaled[:, :1], 1e-6)], dim=1)
        unit: torch.Tensor = filled / filled.norm(dim=1, keepdim=True)
        return unit

    def grid(self, vectors: torch.Tensor) -> torch.Tensor:
        """Similarity of vectors (rows, width) to all anchors in whole steps of 1 / `GRID`: (rows, anchors) int64."""
        return (self._unit(vectors) @ self.unit.T * GRID).round().long()


def nearest(grid: torch.Tensor, allowed: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, anchors and similarities (edges,) of each row's `count` nearest allowed anchors; of equals, the first.

    `grid` (rows, anchors) as `Nearness.grid` gives, `allowed` (rows, anchors) bool.

    >>> rows, anchors, alike = nearest(torch.tensor([[5, 9, 9]]) * GRID // 10, torch.tensor([[True, True, True]]), 2)
    >>> anchors.tolist(), [round(a, 3) for a in alike.tolist()]
    ([1, 2], [0.9, 0.9])
    """
    number = grid.shape[1]
    place = torch.arange(number, device=grid.device)
    order = (grid * number - place).masked_fill(~allowed, torch.iinfo(torch.int64).min)
    found = order.topk(min(count, number), dim=1).indices
    real = allowed.gather(1, found)
    rows = torch.arange(len(grid), device=grid.device).unsqueeze(1).expand_as(found)
    return rows[real], found[real], grid.gather(1, found)[real].float() / GRID


def _exact(vectors: torch.Tensor) -> torch.Tensor:
    """In double precision, where the device has it."""
    return vectors.float() if vectors.device.type == "mps" else vectors.double()
