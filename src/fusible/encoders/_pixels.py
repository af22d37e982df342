"""Pixels: resizing, stacking and scaling of decoded images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from fusible.data.media import decode_image
from fusible.errors import DataError
from fusible.types import Media


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Squash (height, width, 3) to (size, size, 3) with Pillow, antialiased; uint8 stays uint8, float32 float32.

    >>> resize(np.zeros((4, 6, 3), np.uint8), 2).shape
    (2, 2, 3)
    """
    from PIL import Image

    if image.shape[:2] == (size, size):
        return image
    shape, how = (size, size), Image.Resampling.BILINEAR
    if image.dtype == np.uint8:
        return np.asarray(Image.fromarray(image).resize(shape, how))
    planes = [np.asarray(Image.fromarray(np.ascontiguousarray(image[:, :, c])).resize(shape, how)) for c in range(3)]
    return np.stack(planes, axis=2)


def stack(images: Sequence[Any], size: int) -> torch.Tensor:
    """Stack to (rows, size, size, 3): uint8, or float32 where any image is, with uint8 ones scaled to 0-1."""
    if not len(images):
        return torch.zeros(0, size, size, 3, dtype=torch.uint8)
    if all(image.dtype == np.uint8 for image in images):
        return torch.from_numpy(np.stack(images))
    return torch.from_numpy(np.stack([unit(image) for image in images]))


def unit(image: np.ndarray) -> np.ndarray:
    """Float32 values, uint8 scaled to 0-1, float values as they are."""
    if image.dtype == np.uint8:
        return image.astype(np.float32) / np.float32(255)
    return image.astype(np.float32, copy=False)


def to_maps(pixels: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Standardised maps (rows, 3, height, width), channels last in memory, of stacked images."""
    scaled = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
    return ((scaled - mean) / std).permute(0, 3, 1, 2)


def sample(values: Sequence[Media], count: int) -> list[np.ndarray]:
    """Decode at most `count` evenly spaced images; unreadable ones are passed over, for the table's check names them.

    Raises `DataError` where none can be read.
    """
    chosen = [values[i] for i in np.unique(np.linspace(0, len(values) - 1, min(count, len(values))).astype(int))]
    images: list[np.ndarray] = []
    failure: DataError | None = None
    for value in chosen:
        try:
            images.append(decode_image(value))
        except DataError as error:
            failure = error
    if not images:
        raise failure or DataError("image encoder: no image to learn from; give at least one training image")
    return images
