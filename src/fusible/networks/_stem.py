"""Stem of sequences: vectors that follow one another, each made to know what stands around it."""

from __future__ import annotations

import torch
from torch import nn

REACH = 5
"""Steps that a convolution sees."""
DRIFT = 20
"""In training, sequences are moved in time by at most one step in so many."""


class Norm(nn.BatchNorm1d):
    """Batch normalisation that takes a single step, of which there is no deviation, by what it knows from others."""

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        """Normalise columns of (items, columns, steps)."""
        if not self.training or len(steps) * steps.shape[2] > 1:
            return super().forward(steps)
        return nn.functional.batch_norm(steps, self.running_mean, self.running_var, self.weight, self.bias)


class Stem(nn.Module):
    """Two temporal convolutions over vectors and their change, then every two steps are averaged to one.

    (items, steps, columns) -> (items, half of the steps, rounded up, width), which halves what a decoder reads.

    In training, sequences are disturbed: moved in time, with noise per step and per sequence of deviation `noise`
    against that of their columns, as few sequences are learned by heart otherwise. Steps that the mask (items, steps)
    hides are zero for the convolutions, as they are behind a sequence's end.
    """

    def __init__(self, columns: int, width: int, dropout: float = 0.4, noise: float = 0.3) -> None:
        super().__init__()
        self.noise = noise
        self.scale = Norm(2 * columns, affine=False)
        self.enter = nn.Conv1d(2 * columns, width, REACH, padding=REACH // 2)
        self.convolution = nn.Conv1d(width, width, REACH, padding=REACH // 2)
        self.norms = nn.ModuleList(Norm(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors of every two steps, each with what stands around it, and their mask."""
        real = mask.unsqueeze(1).to(tokens.dtype)
        change = torch.diff(tokens, dim=1, prepend=tokens[:, :1])
        steps = self.scale(torch.cat([tokens, change], dim=2).transpose(1, 2)) * real
        if self.training:
            steps = self._disturbed(steps, mask) * real
        first = self.norms[0](self.enter(steps)).relu() * real
        second = first + self.norms[1](self.convolution(self.dropout(first))).relu() * real
        total, count = _pairs(second), _pairs(real)
        return (total / count.clamp(min=1.0)).transpose(1, 2), count.squeeze(1) > 0

    def _disturbed(self, steps: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Sequences (items, columns, steps), scaled, moved in time where all are of one length, with noise."""
        most = steps.shape[2] // DRIFT
        if most and bool(mask.all()):
            steps = steps.roll(int(torch.randint(-most, most + 1, ())), dims=2)
        alike = torch.randn(*steps.shape[:2], 1, device=steps.device)
        return steps + self.noise * (torch.randn_like(steps) + 0.7 * alike)


def _pairs(steps: torch.Tensor) -> torch.Tensor:
    """Sums of every two steps: (…, steps) -> (…, half of the steps, rounded up)."""
    even = nn.functional.pad(steps, (0, steps.shape[-1] % 2))
    return even[..., ::2] + even[..., 1::2]
