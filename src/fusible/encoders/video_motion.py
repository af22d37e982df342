"""Video of one scene by what moves in it: a region found, steadied and reduced without labels, then a small network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fusible.data.media import decode_video
from fusible.encoders._base import Encoder, Tensors
from fusible.encoders._motion import busiest, components_of, cut, motion_energy, shifts, template_of
from fusible.encoders._settings import within
from fusible.errors import DataError
from fusible.types import Encoded, Media, Modality

LOOKS, SAMPLE, PICKED = 32, 256, 25
"""Videos in which motion is looked for, videos that components are learned from, frames taken of each of those."""
GREY = np.array([0.299, 0.587, 0.114], np.float32)


class VideoMotion(Encoder):
    """Tokens (rows, frames, width), one per frame; the vector joins `heads` weighted means over time.

    For clips of one scene by a fixed camera, such as a talker's face: `fit` finds the window of `share` of the short
    side (its width a third more) in which training videos change most, a template onto which each clip is shifted, and
    the `components` main directions of its changes (eigenlips, see `_motion`). The trained part is small: temporal
    convolutions over the components and their change, and attention that also knows the place in time. `frames` evenly
    spaced frames are taken, the short side scaled to `size`.
    """

    modality: ClassVar[Modality] = Modality.VIDEO
    template: torch.Tensor
    directions: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self,
        frames: int = 75,
        size: int = 144,
        share: float = 0.33,
        components: int = 32,
        width: int = 128,
        heads: int = 4,
        noise: float = 0.3,
    ) -> None:
        super().__init__(
            frames=frames, size=size, share=share, components=components, width=width, heads=heads, noise=noise
        )
        within("video_motion", 2, 1024, frames=frames)
        within("video_motion", 16, 1024, size=size)
        within("video_motion", 0.05, 0.75, share=share)
        within("video_motion", 1, 1024, components=components)
        within("video_motion", 1, 64, heads=heads)
        within("video_motion", heads, 8192, width=width)
        within("video_motion", 0.0, 10.0, noise=noise)
        self.frames, self.size, self.noise = frames, size, noise
        self.output_width = width
        self.inner = (max(6, round(size * share)), max(8, round(size * share * 4 / 3)))
        self.margin = max(1, min(self.inner) // 6)
        self.place = (0, 0)
        high, wide = self.inner[0] + 2 * self.margin, self.inner[1] + 2 * self.margin
        self.register_buffer("template", torch.zeros(high, wide))
        self.register_buffer("directions", torch.zeros(components, self.inner[0] * self.inner[1]))
        self.register_buffer("scale", torch.ones(2, components))
        self.enter = nn.Conv1d(2 * components, width, 5, padding=2)
        self.convolution = nn.Conv1d(width, width, 5, padding=2)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(2))
        self.dropout = nn.Dropout(0.4)
        self.attention = nn.Linear(width, heads)
        self.when = nn.Parameter(torch.zeros(frames, heads))
        self.read = nn.Linear(width, width)

    # -- without labels -------------------------------------------------------------------------------------------

    def fit(self, values: Sequence[Media]) -> None:
        """Learn window, template and components; unreadable videos are passed over: the table's check names them."""
        energies = _each(values, LOOKS, lambda value: motion_energy(self._whole(value)))
        tall, broad = (min(energy.shape[side] for energy in energies) for side in (0, 1))
        energy = np.sum([energy[:tall, :broad] for energy in energies], axis=0)
        self.place = busiest(energy, *self.template.shape)
        picked = np.unique(np.linspace(0, self.frames - 1, PICKED).astype(int))
        found = _each(values, SAMPLE, self.decode)
        means = torch.from_numpy(np.stack([clip.mean(axis=0, dtype=np.float32) for clip in found])) / 255
        self.template = template_of(means, self.margin)
        few = torch.from_numpy(np.stack([clip[picked] for clip in found]))
        steady = self._steady(few, means).numpy()
        directions, spread = components_of(steady.reshape(-1, steady.shape[2]), len(self.directions))
        self.directions = torch.from_numpy(directions)
        # Halfway to whitening: weak directions carry more noise than strong ones, and more of what is said than mood.
        level = np.sqrt(spread * spread.max())
        change = np.abs(np.diff(steady @ directions.T, axis=1)).mean(axis=(0, 1)) / (picked[1] - picked[0])
        levels = np.stack([level, np.maximum(np.sqrt(change * change.max()), 1e-6)])
        self.scale = torch.from_numpy(levels.astype(np.float32))

    def _whole(self, value: Media) -> np.ndarray:
        """Grey frames (frames, height, width), uint8, large enough for the window."""
        grey = (decode_video(value, self.frames, self.size).astype(np.float32) @ GREY).round().astype(np.uint8)
        short = [max(0, side - have) for side, have in zip(self.template.shape, grey.shape[1:], strict=True)]
        return np.pad(grey, ((0, 0), (0, short[0]), (0, short[1])), mode="edge") if any(short) else grey

    def _steady(self, clips: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
        """Clips (rows, frames, height, width) shifted onto the template, less their means: (rows, frames, pixels)."""
        moved = shifts(means, self.template, self.margin)
        pixels = cut(clips, moved, self.margin).float() / 255
        rest = cut(means.unsqueeze(1), moved, self.margin)
        return (pixels - rest).flatten(2)

    # -- items ----------------------------------------------------------------------------------------------------

    def decode(self, value: Media) -> np.ndarray:
        """The window of every frame, grey (frames, height, width), uint8."""
        grey, (high, wide) = self._whole(value), self.template.shape
        top, left = min(self.place[0], grey.shape[1] - high), min(self.place[1], grey.shape[2] - wide)
        return np.ascontiguousarray(grey[:, top : top + high, left : left + wide])

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensor `clips` (rows, frames, height, width), uint8."""
        shape = (0, self.frames, *self.template.shape)
        return {"clips": torch.from_numpy(np.stack(decoded) if len(decoded) else np.zeros(shape, np.uint8))}

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode clips."""
        clips = tensors["clips"]
        with torch.no_grad(), torch.autocast(clips.device.type, enabled=False):
            steady = self._steady(clips, clips.float().mean(dim=1) / 255)
            levels = steady @ self.directions.T
            change = torch.diff(levels, dim=1, prepend=levels[:, :1])
            steps = torch.cat([levels / self.scale[0], change / self.scale[1]], dim=2)
            steps = self._disturbed(steps) if self.training else steps
        first = self.norms[0](self.enter(steps.transpose(1, 2))).relu()
        second = first + self.norms[1](self.convolution(self.dropout(first))).relu()
        tokens = second.transpose(1, 2)
        weights = (self.attention(tokens) + self.when).softmax(dim=1)
        heads = self.read(tokens).tensor_split(weights.shape[2], dim=2)
        vector = torch.cat([(w.unsqueeze(2) * h).sum(dim=1) for w, h in zip(weights.unbind(2), heads, strict=True)], 1)
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return Encoded(tokens, mask, vector)

    def _disturbed(self, steps: torch.Tensor) -> torch.Tensor:
        """Move in time by at most a twentieth, and add noise per frame and per clip: augmentation for few clips."""
        most = self.frames // 20
        steps = steps.roll(int(torch.randint(-most, most + 1, ())), dims=1)
        per_clip = torch.randn(len(steps), 1, steps.shape[2], device=steps.device)
        return steps + self.noise * (torch.randn_like(steps) + 0.7 * per_clip)

    def learned(self) -> Mapping[str, Any]:
        """Top and left of the window."""
        return {"place": list(self.place)}

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back the window."""
        top, left = (int(side) for side in learned["place"])
        within("video_motion", 0, 100_000, top=top, left=left)
        self.place = (top, left)


def _each(values: Sequence[Media], number: int, look: Callable[[Media], np.ndarray]) -> list[np.ndarray]:
    """Look at evenly spaced readable videos; raises where none is readable."""
    places = np.unique(np.linspace(0, len(values) - 1, min(number, len(values))).astype(int))
    found: list[np.ndarray] = []
    failure: DataError | None = None
    for place in places.tolist():
        try:
            found.append(look(values[place]))
        except DataError as error:
            failure = error
    if not found:
        raise failure or DataError("video_motion: no video to learn from; give at least one training video")
    return found
