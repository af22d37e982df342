"""The region of a scene that moves, such as a talker's mouth, as a course of few components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from fusible.encoders._motion import busiest, components_of, cut, motion_energy, shifts, template_of

SHARE = 0.33
"""Height of the region as a share of the short side of the picture; its width is a third more."""
COMPONENTS = 32
PICKED = 25
"""Frames of a clip that components are learned from."""


class Region:
    """Where training clips of one scene move, a template to shift clips onto, and main directions of their changes.

    Eigenlips (Bregler and Konig 1994), as the encoder `video_sequence` has them, over frames of any number. Pictures
    smaller than the region are padded with their edges.
    """

    def __init__(
        self, template: torch.Tensor, directions: torch.Tensor, scale: torch.Tensor, place: torch.Tensor
    ) -> None:
        self.template, self.directions, self.scale, self.place = template, directions, scale, place
        self.top, self.left, self.margin = (int(number) for number in place)

    @classmethod
    def learn(cls, clips: Sequence[np.ndarray]) -> Region:
        """Learn from clips of grey frames (frames, height, width), uint8."""
        side = min(min(clip.shape[1:]) for clip in clips)
        inner = (max(6, round(side * SHARE)), max(8, round(side * SHARE * 4 / 3)))
        margin = max(1, inner[0] // 6)
        tall, broad = (min(clip.shape[axis] for clip in clips) for axis in (1, 2))
        high, wide = min(tall, inner[0] + 2 * margin), min(broad, inner[1] + 2 * margin)
        energy = np.sum([motion_energy(clip)[:tall, :broad] for clip in clips], axis=0)
        margin = min(margin, (min(high, wide) - 1) // 2)
        place = torch.tensor([*busiest(energy, high, wide), margin])
        region = cls(torch.zeros(high, wide), torch.zeros(0), torch.zeros(0), place)
        windows = [region.window(clip) for clip in clips]
        means = torch.from_numpy(np.stack([window.mean(axis=0, dtype=np.float32) for window in windows]) / 255)
        region.template = template_of(means, region.margin)
        few = [window[np.linspace(0, len(window) - 1, PICKED).astype(int)] for window in windows]
        pixels = np.concatenate([region.steadied(*pair).numpy() for pair in zip(few, means, strict=True)])
        directions, spread = components_of(pixels, min(COMPONENTS, *pixels.shape))
        region.directions = torch.from_numpy(directions)
        # Halfway to whitening: weak directions carry more noise than strong ones, and more of what is said than mood.
        region.scale = torch.from_numpy(np.sqrt(spread * spread.max()).astype(np.float32))
        return region

    def window(self, frames: np.ndarray) -> np.ndarray:
        """The region of every frame (frames, height, width)."""
        high, wide = self.template.shape
        short = [max(0, side - have) for side, have in zip((high, wide), frames.shape[1:], strict=True)]
        if any(short):
            frames = np.pad(frames, ((0, 0), (0, short[0]), (0, short[1])), mode="edge")
        top, left = min(self.top, frames.shape[1] - high), min(self.left, frames.shape[2] - wide)
        return frames[:, top : top + high, left : left + wide]

    def steadied(self, window: np.ndarray, mean: torch.Tensor) -> torch.Tensor:
        """The region shifted onto the template, less its mean picture: (frames, pixels)."""
        moved = shifts(mean[None], self.template, self.margin)
        clip = torch.from_numpy(np.ascontiguousarray(window))[None]
        return (cut(clip, moved, self.margin).float() / 255 - cut(mean[None, None], moved, self.margin)).flatten(2)[0]

    @torch.no_grad()
    def course(self, frames: np.ndarray) -> np.ndarray:
        """Components (frames, components) of a clip, float64."""
        window = self.window(frames)
        mean = torch.from_numpy(window.mean(axis=0, dtype=np.float32) / 255)
        return (self.steadied(window, mean) @ self.directions.T / self.scale).double().numpy()
