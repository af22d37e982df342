"""Video by frames through the packaged EfficientNet-Lite0, trained on ImageNet: what is to be seen in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from fusible.data.media import decode_video
from fusible.encoders._base import Tensors
from fusible.encoders._frozen import FrozenEncoder
from fusible.encoders._pixels import resize
from fusible.encoders._settings import within
from fusible.encoders.image_efficientnet import ImageEfficientnet
from fusible.errors import MissingExtraError
from fusible.types import Encoded, Media, Modality


class VideoEfficientnet(FrozenEncoder):
    """Tokens (rows, frames, 1280), one per frame, as `image_efficientnet` encodes it; the vector is their mean.

    `frames` evenly spaced frames are squashed to `size` x `size` pixels. What moves, and in which order, is lost in the
    vector: see `video_sequence`. Needs no network: the weights are in a package (extra `vision`).
    """

    modality: ClassVar[Modality] = Modality.VIDEO
    output_width = ImageEfficientnet.output_width

    def __init__(self, frames: int = 8, size: int = 160) -> None:
        super().__init__(frames=frames, size=size)
        within("video_efficientnet", 1, 1024, frames=frames)
        within("video_efficientnet", 32, 1024, size=size)
        try:
            self.image = ImageEfficientnet(size)
        except MissingExtraError as error:
            raise MissingExtraError.of("efficientnet-lite-pytorch", "vision", "video_efficientnet") from error
        self.frames, self.size = frames, size
        self.freeze()

    def decode(self, value: Media) -> np.ndarray:
        """Frames (frames, size, size, 3), uint8."""
        return np.stack([resize(frame, self.size) for frame in decode_video(value, self.frames, self.size)])

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensor `frames` (rows, frames, size, size, 3), uint8."""
        shape = (0, self.frames, self.size, self.size, 3)
        return {"frames": torch.from_numpy(np.stack(decoded) if len(decoded) else np.zeros(shape, np.uint8))}

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode frames."""
        frames = tensors["frames"]
        rows, count = frames.shape[:2]
        tokens = frames.new_zeros(rows, count, self.output_width, dtype=torch.float32)
        for place in range(count):
            tokens[:, place] = self.image({"pixels": frames[:, place]}).pooled
        mask = torch.ones(rows, count, dtype=torch.bool, device=frames.device)
        return Encoded(tokens, mask)
