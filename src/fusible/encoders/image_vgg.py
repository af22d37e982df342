"""Images by a VGG-style network: doubled 3x3 convolutions trained here, or VGG16 from a local file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch

from fusible.encoders._base import Tensors
from fusible.encoders._cnn import channels_last, shifted
from fusible.encoders._frozen import inference
from fusible.encoders._pixels import to_maps
from fusible.encoders._settings import within
from fusible.encoders._vgg import MEAN, STD, load_vgg16, vgg16
from fusible.encoders.image_cnn import ImageCnn
from fusible.errors import ConfigError
from fusible.types import Encoded, Media

FULL_SIZE, FULL_WIDTH, SMALLEST = 224, 512, 32
"""Of VGG16: side of images, width of its last map, and the smallest side that its five poolings leave a pixel of."""


class ImageVgg(ImageCnn):
    """Tokens are the positions of the last map; the vector is its global maximum (mean for VGG16).

    Without `path`: four blocks of two 3x3 convolutions, pooled in between, trained here; `size`, `width`, `shift` and
    the coarser first step of larger images as in `image_cnn`.

    With `path`, a local `.pth` or `.safetensors` file with torchvision's names: the convolutional part
    of VGG16 at 224 pixels, 512 wide, standardised as on ImageNet; it stays as it is, or is trained along with `tuned`.
    A saved model holds the weights and no path; built as `full` without one it is empty until they are loaded.
    """

    def __init__(
        self,
        size: int = 0,
        width: int = 128,
        shift: float = 0.08,
        full: bool = False,
        tuned: bool = False,
        path: str = "",
    ) -> None:
        full = full or bool(path)
        within("image_vgg", SMALLEST if full and size else 0, 1024, size=size)
        within("image_vgg", 1, 8192, width=width)
        within("image_vgg", 0.0, 0.5, shift=shift)
        if tuned and not full:
            raise ConfigError("image_vgg: tuned is for weights from a file: give their path, or leave it out")
        super().__init__(size or (FULL_SIZE if full else 0), width, 2, shift)
        self.settings = {"size": size, "width": width, "shift": shift, "full": full, "tuned": tuned}
        self.full = full
        if full:
            self.output_width = FULL_WIDTH
            del self.blocks
            self.features = vgg16()
            self.mean, self.std = torch.tensor(MEAN), torch.tensor(STD)
            if path:
                load_vgg16(self.features, path)
            channels_last(self)
            self.frozen = not tuned  # type: ignore[misc]  # of this instance: weights from a file stay as they are
            if self.frozen:
                self.requires_grad_(False).eval()

    def fit(self, values: Sequence[Media]) -> None:
        """Learn the size (where the setting is 0), and mean and deviation per channel; nothing for VGG16."""
        if not self.full:
            super().fit(values)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode where weights are frozen."""
        return super().train(mode and not self.frozen)

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode pixels."""
        if not self.full:
            return super().forward(tensors)
        pixels = to_maps(tensors["pixels"], self.mean, self.std)
        if self.frozen:
            with inference(pixels.device):
                maps = self.features(pixels).float()
        else:
            maps = self.features(shifted(pixels, self.shift) if self.training else pixels)
        tokens = maps.flatten(2).transpose(1, 2)
        return Encoded(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back the size of images."""
        if not self.full:
            return super().restore(learned)
        within("image_vgg", SMALLEST, 1024, size=learned["size"])
        self.size = int(learned["size"])
        return None
