"""Places in a sequence as waves, which no room owns: decoders and networks tell places alike."""

from __future__ import annotations

import math

import torch

LONGEST_WAVE = 10_000.0
"""Wave length of the slowest sinusoid, over 2 pi."""


def sinusoids(places: torch.Tensor, width: int) -> torch.Tensor:
    """Sines and cosines of places, (…) -> (…, width) float32 (Vaswani et al., NeurIPS 2017): no length is baked in.

    >>> sinusoids(torch.tensor([0]), 4)
    tensor([[0., 0., 1., 1.]])
    """
    half = (width + 1) // 2
    steps = torch.arange(half, device=places.device, dtype=torch.float32)
    angles = places.unsqueeze(-1).float() * torch.exp(steps * (-math.log(LONGEST_WAVE) / half))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)[..., :width]
