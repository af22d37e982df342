"""Video by a small network over its frames and how they change, trained here; the order of frames counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fusible.data.media import decode_video
from fusible.encoders._base import Encoder, Tensors
from fusible.encoders._cnn import Blocks
from fusible.encoders._pixels import resize
from fusible.encoders._settings import within
from fusible.errors import DataError
from fusible.types import Encoded, Media, Modality

SAMPLE = 16
GRID = 4
"""The last map of a frame is averaged over 4x4 regions, so that where something moves is kept."""


class VideoFrames(Encoder):
    """Tokens (rows, frames, width), one per frame, each aware of its neighbours; the vector is their mean plus maximum.

    `frames` evenly spaced frames are squashed to `size` x `size` pixels. A frame's map holds its colours and their
    change since the frame before; two temporal convolutions over five frames follow (reach: nine frames). For lip
    reading take more frames: 16 of a 3 s clip are one per 190 ms.
    """

    modality: ClassVar[Modality] = Modality.VIDEO

    def __init__(self, frames: int = 16, size: int = 64, width: int = 128) -> None:
        super().__init__(frames=frames, size=size, width=width)
        within("video_frames", 1, 1024, frames=frames, size=size)
        within("video_frames", 1, 8192, width=width)
        self.frames, self.size = frames, size
        self.output_width = width
        last = 96
        self.blocks = Blocks(6, (16, 32, 64, last))
        self.blocks.coarsen(size)
        self.join = nn.Linear(last * (1 + GRID * GRID), width)
        self.temporal = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2) for _ in range(2))
        self.register_buffer("mean", torch.full((3,), 0.5))
        self.register_buffer("std", torch.full((3,), 0.25))

    def fit(self, values: Sequence[Media]) -> None:
        """Learn mean and deviation per colour; unreadable videos are passed over, for the table's check names them."""
        places = np.unique(np.linspace(0, len(values) - 1, min(SAMPLE, len(values))).astype(int))
        clips: list[np.ndarray] = []
        failure: DataError | None = None
        for place in places.tolist():
            try:
                clips.append(self.decode(values[place]).reshape(-1, 3))
            except DataError as error:
                failure = error
        if not clips:
            raise failure or DataError("video_frames: no video to learn from; give at least one training video")
        pixels = np.concatenate(clips).astype(np.float64) / 255
        self.mean = torch.tensor(pixels.mean(axis=0), dtype=torch.float32)
        self.std = torch.tensor(np.maximum(pixels.std(axis=0), 1e-2), dtype=torch.float32)

    def decode(self, value: Media) -> np.ndarray:
        """Frames (frames, size, size, 3), uint8."""
        return np.stack([resize(frame, self.size) for frame in decode_video(value, self.frames, self.size)])

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensor `frames` (rows, frames, size, size, 3), uint8."""
        shape = (0, self.frames, self.size, self.size, 3)
        return {"frames": torch.from_numpy(np.stack(decoded) if len(decoded) else np.zeros(shape, np.uint8))}

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode frames."""
        pixels = (tensors["frames"].float() / 255 - self.mean) / self.std
        rows, frames = pixels.shape[:2]
        change = torch.diff(pixels, dim=1, prepend=pixels[:, :1])
        maps = self.blocks(torch.cat([pixels, change], dim=-1).flatten(0, 1).permute(0, 3, 1, 2))
        regions = nn.functional.adaptive_avg_pool2d(maps, GRID).flatten(1)
        steps = self.join(torch.cat([maps.amax(dim=(2, 3)), regions], dim=1)).relu()
        steps = steps.view(rows, frames, self.output_width).transpose(1, 2)
        for layer in self.temporal:
            steps = steps + layer(steps).relu()
        tokens = steps.transpose(1, 2)
        mask = torch.ones(rows, frames, dtype=torch.bool, device=tokens.device)
        return Encoded(tokens, mask, tokens.mean(dim=1) + tokens.amax(dim=1))
