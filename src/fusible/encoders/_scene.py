"""What encoders of video of one scene share: the window in which it moves, steadied, in few components (`_motion`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from fusible.data.media import decode_video
from fusible.encoders._base import Encoder, Plain, Tensors
from fusible.encoders._motion import busiest, components_of, cut, motion_energy, shifts, template_of
from fusible.encoders._settings import within
from fusible.errors import DataError
from fusible.types import Media, Modality

LOOKS, SAMPLE, PICKED = 32, 256, 25
"""Videos in which motion is looked for, videos that components are learned from, frames taken of each of those."""
GREY = np.array([0.299, 0.587, 0.114], np.float32)


class SceneEncoder(Encoder):
    """Base of encoders of clips of one scene by a fixed camera, such as a talker's face.

    `fit` finds the window of `share` of the short side (its width a third more) in which training videos change most, a
    template onto which each clip is shifted, and the `components` main directions of its changes (eigenlips, see
    `_motion`). `frames` evenly spaced frames are taken, the short side scaled to `size`. A leaf writes `forward`, from
    `levels`; `part` is its name in messages, `settings` are its own.
    """

    modality: ClassVar[Modality] = Modality.VIDEO
    stretches: ClassVar[bool] = False
    """Whether clips of fewer frames are stretched to as many, so that time runs evenly; else their last is repeated."""
    template: torch.Tensor
    directions: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self, part: str, frames: int, size: int, share: float, components: int, settings: Mapping[str, Plain]
    ) -> None:
        super().__init__(**settings)
        within(part, 16, 1024, size=size)
        within(part, 0.05, 0.75, share=share)
        within(part, 1, 1024, components=components)
        self.part, self.frames, self.size = part, frames, size
        self.inner = (max(6, round(size * share)), max(8, round(size * share * 4 / 3)))
        self.margin = max(1, min(self.inner) // 6)
        self.place = (0, 0)
        high, wide = self.inner[0] + 2 * self.margin, self.inner[1] + 2 * self.margin
        self.register_buffer("template", torch.zeros(high, wide))
        self.register_buffer("directions", torch.zeros(components, self.inner[0] * self.inner[1]))
        self.register_buffer("scale", torch.ones(2, components))

    # -- without labels -------------------------------------------------------------------------------------------

    def fit(self, values: Sequence[Media]) -> None:
        """Learn window, template and components; unreadable videos are passed over: the table's check names them."""
        energies = self._each(values, LOOKS, lambda value: motion_energy(self._whole(value)))
        tall, broad = (min(energy.shape[side] for energy in energies) for side in (0, 1))
        energy = np.sum([energy[:tall, :broad] for energy in energies], axis=0)
        self.place = busiest(energy, *self.template.shape)
        picked = np.unique(np.linspace(0, self.frames - 1, PICKED).astype(int))
        found = self._each(values, SAMPLE, self.decode)
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
        frames = decode_video(value, self.frames, self.size, stretch=self.stretches)
        grey = (frames.astype(np.float32) @ GREY).round().astype(np.uint8)
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

    def levels(self, clips: torch.Tensor) -> torch.Tensor:
        """Components (rows, frames, components) of clips as `batch` gives them, less each clip's mean picture."""
        with torch.no_grad(), torch.autocast(clips.device.type, enabled=False):
            return self._steady(clips, clips.float().mean(dim=1) / 255) @ self.directions.T

    def learned(self) -> Mapping[str, Any]:
        """Top and left of the window."""
        return {"place": list(self.place)}

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back the window."""
        top, left = (int(side) for side in learned["place"])
        within(self.part, 0, 100_000, top=top, left=left)
        self.place = (top, left)

    def _each(self, values: Sequence[Media], number: int, look: Callable[[Media], np.ndarray]) -> list[np.ndarray]:
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
            raise failure or DataError(f"{self.part}: no video to learn from; give at least one training video")
        return found
