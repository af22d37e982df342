"""Localiser: views on one clock, fused step by step, to class scores and span boundaries at every step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from fusible.errors import ConfigError
from fusible.networks._base import drop_views
from fusible.types import Encoded

STEM = (1, 2)
TRUNK = (4, 8, 1, 2)
"""Dilations of the convolutions before and after fusion: together a step sees 22 steps on either side."""
REACH = 5
CHANNELS = 8
"""Channels of the first convolution over spectra."""
RARE = 0.01
"""What a class scores before training (Lin et al., "Focal loss for dense object detection", ICCV 2017)."""


@dataclass(slots=True)
class Dense:
    """What a localiser says at every point: one per step of the clock, then one per two steps, and so on by level.

    `logits` (films, points, classes); `sides` (films, points, 2), how far before and behind the point a span begins and
    ends, in steps of the clock; `quality` (films, points), logit of how well these sides fit.
    """

    logits: torch.Tensor
    sides: torch.Tensor
    quality: torch.Tensor


class Localiser(nn.Module):
    """Dense localisation of events on fused sequences, after ActionFormer and FCOS.

    Every view goes through convolutions of its own; the fusion operator joins the views at each step, with a learned
    vector where one is absent; dilated convolutions follow, and a pyramid in which every level halves the steps, for
    longer spans (Zhang et al., "ActionFormer", ECCV 2022). Heads shared by all levels give class scores, distances to
    both ends of the span, and how well these fit (Tian et al., "FCOS", ICCV 2019; Jiang et al., "Acquisition of
    localization confidence", ECCV 2018). What a view holds where it is absent is never seen.

    Parameters: `widths` {view: columns}; `operator`, a fusion operator over `{view: width}`; `classes`; `levels` of
    the pyramid; `size`, the length in steps of a usual span; `dropout`; `modality_dropout`, the share of training
    windows in which views are hidden at random; `bands` {view: bands} of those views whose columns are so many
    neighbouring bands of one or several spectra a step, which go through two-dimensional convolutions first.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        operator: nn.Module,
        classes: int,
        *,
        width: int = 128,
        bands: Mapping[str, int] | None = None,
        levels: int = 1,
        size: float = 4.0,
        dropout: float = 0.3,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if classes < 1 or levels < 1 or not size > 0:
            raise ConfigError(
                f"localiser: classes, levels and size must be above 0, got {classes}, {levels} and {size}"
            )
        self.views, self.levels, self.size = tuple(widths), levels, size
        self.modality_dropout = modality_dropout
        spectra = dict(bands or {})
        self.stems = nn.ModuleDict(
            {view: _Stem(columns, width, dropout, spectra.get(view, 0)) for view, columns in widths.items()}
        )
        self.operator = operator
        self.trunk = nn.ModuleList(_Block(width, dilation, dropout) for dilation in TRUNK)
        self.pyramid = nn.ModuleList(_Block(width, 1, dropout) for _ in range(levels - 1))
        self.classify = nn.Conv1d(width, classes, 1)
        self.bound = nn.Conv1d(width, 3, 3, padding=1)
        if self.classify.bias is not None:
            nn.init.constant_(self.classify.bias, math.log(RARE / (1 - RARE)))

    def forward(self, tracks: Mapping[str, torch.Tensor], presence: torch.Tensor) -> Dense:
        """Scores of tracks {view: (films, steps, columns)}, present where `presence` (films, steps, views) is true."""
        films, steps, views = presence.shape
        hidden = {
            view: self.stems[view](tracks[view], presence[:, :, i]).transpose(1, 2).reshape(films * steps, 1, -1)
            for i, view in enumerate(self.views)
        }
        seen = presence
        if self.training and self.modality_dropout and views > 1:
            kept = drop_views(presence.any(dim=1), self.modality_dropout)
            shown = presence & kept.unsqueeze(1)
            # A step whose only view would be hidden keeps it: otherwise an event could be learned from nothing.
            seen = torch.where(shown.any(dim=2, keepdim=True), shown, presence)
        flat = seen.reshape(films * steps, views)
        encoded = {view: Encoded(hidden[view], flat[:, i : i + 1]) for i, view in enumerate(self.views)}
        fused = self.operator(encoded, flat).reshape(films, steps, -1).transpose(1, 2)
        return self._read(fused, presence.any(dim=2))

    def _read(self, fused: torch.Tensor, real: torch.Tensor) -> Dense:
        """Trunk, pyramid and heads over fused steps (films, width, steps)."""
        fused = fused * real.unsqueeze(1)
        for block in self.trunk:
            fused = block(fused, real)
        parts = [self._heads(fused, 1)]
        for level, block in enumerate(self.pyramid, start=1):
            fused, real = _halved(fused, real)
            fused = block(fused, real)
            parts.append(self._heads(fused, 2**level))
        return Dense(*(torch.cat([part[i] for part in parts], dim=1) for i in range(3)))

    def _heads(self, fused: torch.Tensor, stride: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        bound = self.bound(fused).transpose(1, 2)
        sides = nn.functional.softplus(bound[:, :, :2]) * (self.size / 2 * stride)
        return self.classify(fused).transpose(1, 2), sides, bound[:, :, 2]


def margin(levels: int) -> int:
    """How many steps on either side a step of a localiser with so many levels can see, at most."""
    return 32 << levels


def points(steps: int, levels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Places of all points in steps of the clock, and the steps that each stands for: both (points,).

    >>> places, strides = points(4, 2)
    >>> places.tolist(), strides.tolist()
    ([0.5, 1.5, 2.5, 3.5, 1.0, 3.0], [1.0, 1.0, 1.0, 1.0, 2.0, 2.0])
    """
    places, strides = [], []
    for level in range(levels):
        places.append((torch.arange(steps, dtype=torch.float32) + 0.5) * 2**level)
        strides.append(torch.full((steps,), float(2**level)))
        steps = (steps + 1) // 2
    return torch.cat(places), torch.cat(strides)


class _Norm(nn.Module):
    """Batch normalisation of (films, width, steps) over real steps only; zero at others."""

    def __init__(self, width: int, *, affine: bool = True) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width, affine=affine)

    def forward(self, steps: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Normalise where `real` (films, steps) is true."""
        whole = bool(real.all())
        if not self.training or (whole and real.numel() > 1):
            normed: torch.Tensor = self.norm(steps)
            return normed if whole else normed * real.unsqueeze(1)
        rows = steps.transpose(1, 2)
        if int(real.sum()) < 2:  # of a single step there is no deviation
            return rows.new_zeros(steps.shape)
        spread = torch.zeros_like(rows).masked_scatter(real.unsqueeze(-1), self.norm(rows[real]))
        return spread.transpose(1, 2)


class _Block(nn.Module):
    """A dilated convolution, added to what was there."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.norm, self.dropout = _Norm(width), nn.Dropout(dropout)

    def forward(self, steps: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = steps + self.dropout(self.norm(self.convolution(steps), real).relu())
        return added


class _Stem(nn.Module):
    """One view: scaled, then convolutions; (films, steps, columns) -> (films, width, steps), zero where absent."""

    def __init__(self, columns: int, width: int, dropout: float, bands: int) -> None:
        super().__init__()
        self.scale = _Norm(columns, affine=False)
        self.spectrum = _Spectrum(bands) if bands else None
        self.enter = nn.Conv1d(columns, width, REACH, padding=REACH // 2)
        self.norm, self.dropout = _Norm(width), nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(width, dilation, dropout) for dilation in STEM)

    def forward(self, track: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        steps = torch.where(real.unsqueeze(-1), track, 0.0).transpose(1, 2)
        steps = self.scale(steps, real)
        if self.spectrum is not None:
            steps = self.spectrum(steps, real)
        steps = self.dropout(self.norm(self.enter(steps), real).relu())
        for block in self.blocks:
            steps = block(steps, real)
        seen: torch.Tensor = steps * real.unsqueeze(1)
        return seen


class _Spectrum(nn.Module):
    """Adds to spectra what two convolutions over time and neighbouring bands find in them; zero where absent."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.bands = bands
        self.first = nn.Conv2d(1, CHANNELS, 5, stride=(1, 2), padding=2)
        self.second = nn.Conv2d(CHANNELS, 2 * CHANNELS, 3, stride=(1, 2), padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in (CHANNELS, 2 * CHANNELS))
        self.join = nn.Linear(2 * CHANNELS * -(-bands // 4), bands)

    def forward(self, steps: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Steps (films, columns, steps) -> the same shape."""
        films, columns, number = steps.shape
        fine = steps.transpose(1, 2).reshape(films, 1, number * columns // self.bands, self.bands)
        found = self.norms[1](self.second(self.norms[0](self.first(fine)).relu())).relu()
        added = self.join(found.transpose(1, 2).flatten(2)).reshape(films, number, columns).transpose(1, 2)
        result: torch.Tensor = steps + added * real.unsqueeze(1)
        return result


def _halved(steps: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Means of every two real steps, and which of the halves are real."""
    odd = steps.shape[-1] % 2
    weight = nn.functional.pad(real.to(steps.dtype), (0, odd)).unsqueeze(1)
    total = nn.functional.pad(steps, (0, odd)) * weight
    count = weight[..., ::2] + weight[..., 1::2]
    return (total[..., ::2] + total[..., 1::2]) / count.clamp(min=1.0), count.squeeze(1) > 0
