"""The contract of every encoder (design, section 4)."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fusible.types import Encoded, Modality, Task

Plain = str | int | float | bool | None
Tensors = dict[str, torch.Tensor]


class Encoder(nn.Module, ABC):
    """Turns the items of one view into an `Encoded`.

    A leaf sets the class attributes, stores its plain settings with `super().__init__(**settings)`, sets
    `output_width`, and writes `decode`, `batch` and `forward`. What it learns from training items without labels
    (vocabulary, statistics) it learns in `fit`, keeps as buffers (arrays) or in `learned` (JSON), and takes back in
    `restore`. Nothing else survives saving.

    The flow: `fit(values)` once on training items; `decode(value)` per distinct item, in worker threads;
    `batch(decoded)` in the main thread; `forward(tensors)`.
    """

    modality: ClassVar[Modality]
    frozen: ClassVar[bool] = False
    """Weights are never trained; outputs go through the feature cache."""
    version: ClassVar[str] = "1"
    """Part of the cache key: raise it when outputs change."""
    predicts: ClassVar[bool] = False
    """Whether the encoder is also a predictor of its own (`fit_target`, `predict_scores`)."""
    encodes: ClassVar[bool] = True
    """Whether it can serve as input of a fusion operator (a tree ensemble cannot)."""

    output_width: int
    steps: int = 1
    """Equal stretches of an item that its vector holds one after the other: (steps x columns); 1 where there are none.

    Encoders of the same number of steps, of what ran at the same time, are on one clock (see `sequence_cca`).
    """

    def __init__(self, **settings: Plain) -> None:
        super().__init__()
        self.settings: dict[str, Plain] = settings

    def fit(self, values: Sequence[Any]) -> None:
        """Learn vocabulary or statistics from training items; never sees labels."""

    @abstractmethod
    def decode(self, value: Any) -> Any:
        """Decode and preprocess one item; thread-safe; raises `DataError` naming row, column and cause.

        Media encoders return one `numpy.ndarray` (any shape, any plain dtype), so that it can be stored on disk.
        """

    @abstractmethod
    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Stack decoded items into tensors, padding where lengths differ; padding never changes an output."""

    def collate(self, values: Sequence[Any]) -> Tensors:
        """Decode and stack a batch of items."""
        return self.batch([self.decode(value) for value in values])

    @abstractmethod
    def forward(self, tensors: Tensors) -> Encoded:
        """Encode a batch: tokens (rows, steps, output_width) with their mask."""

    def learned(self) -> Mapping[str, Any]:
        """What `fit` learned and buffers do not hold, as JSON values."""
        return {}

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back what `learned` gave, and shape the buffers for `load_state_dict`."""

    def fingerprint(self) -> str:
        """Hash of all that outputs depend on beside the item: class, version, settings, learned state, arrays.

        The feature cache keys on it, so that statistics learned on other rows never meet this encoder's outputs.
        """
        digest = hashlib.blake2b(digest_size=16)
        plain = [type(self).__name__, self.version, self.settings, dict(self.learned())]
        digest.update(json.dumps(plain, sort_keys=True).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    # -- predictors of their own (`predicts = True`) ------------------------------------------------------------

    def fit_target(self, values: Any, target: np.ndarray, task: Task, valid: tuple[Any, np.ndarray], seed: int) -> None:
        """Fit on labelled items; `valid` only for early stopping and choosing settings.

        `target`: class ids (rows,), 0/1 (rows, labels), or values (rows,).
        """
        raise TypeError(f"{type(self).__name__} is no predictor of its own: check `predicts` before calling")

    def predict_scores(self, values: Any) -> np.ndarray:
        """Shape (rows, outputs): class probabilities, label probabilities, or values."""
        raise TypeError(f"{type(self).__name__} is no predictor of its own: check `predicts` before calling")

    def texts(self) -> Mapping[str, str]:
        """Further text files of the model folder (LightGBM models), by name."""
        return {}

    def restore_texts(self, texts: Mapping[str, str]) -> None:
        """Take back what `texts` gave."""
