"""VGG16's convolutional part, and reading its weights from a local file (Simonyan & Zisserman, ICLR 2015)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from fusible.errors import ConfigError

LAYERS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
"""Widths of VGG16's convolutions; 0 is a 2x2 max pooling."""
PREFIX = "features."
"""How torchvision calls the convolutional part."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Statistics of ImageNet, by which torchvision's weights expect images to be standardised."""


def vgg16() -> nn.Sequential:
    """The thirteen convolutions with their ReLUs and poolings, numbered as in torchvision's `features`."""
    parts: list[nn.Module] = []
    inputs = 3
    for width in LAYERS:
        if width:
            parts += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = width
        else:
            parts.append(nn.MaxPool2d(2))
    return nn.Sequential(*parts)


def load_vgg16(features: nn.Sequential, path: str) -> None:
    """Load weights of the convolutional part from a local `.pth` or `.safetensors` file with torchvision's names.

    Nothing in the file is run. Raises `ConfigError` where it is none, or an array is missing or has another shape.
    """
    state = _arrays(path)
    for name, own in features.state_dict().items():
        given = state.get(PREFIX + name)
        if not isinstance(given, torch.Tensor) or given.shape != own.shape:
            got = tuple(given.shape) if isinstance(given, torch.Tensor) else "nothing"
            raise ConfigError(
                f"image_vgg: {path!r}: {PREFIX}{name}: expected shape {tuple(own.shape)}, got {got}; "
                "give VGG16 weights with torchvision's names"
            )
    features.load_state_dict({name: state[PREFIX + name].float() for name in features.state_dict()})


def _arrays(path: str) -> dict[str, torch.Tensor]:
    file = Path(path)
    if not file.is_file() or file.suffix not in {".pth", ".pt", ".safetensors"}:
        raise ConfigError(f"image_vgg: {path!r}: expected a local .pth or .safetensors file of VGG16 weights")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes the readers raise
        said = " ".join(str(error).split())[:120]
        raise ConfigError(f"image_vgg: {path!r} cannot be read as plain arrays ({said})") from error
    if not isinstance(loaded, dict):
        raise ConfigError(f"image_vgg: {path!r}: expected a mapping of arrays, got {type(loaded).__name__}")
    return loaded
