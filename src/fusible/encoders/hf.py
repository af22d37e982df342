"""Text, images or sound by any local Hugging Face folder (`hf:PATH`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from fusible.data.media import decode_audio, decode_image
from fusible.encoders._base import Tensors
from fusible.encoders._frozen import FrozenEncoder
from fusible.encoders._hf import empty_model, processor_of, read_folder
from fusible.encoders._pixels import resize
from fusible.encoders._sequences import pad_ids
from fusible.encoders._settings import one_of, within
from fusible.errors import ConfigError
from fusible.types import Encoded, Modality

MODALITIES = ("text", "image", "audio")


class Hf(FrozenEncoder):
    """Tokens are the last hidden states (rows, steps, hidden size); the vector is their mean (first token if so saved).

    `path` is read once, when the encoder is built; a saved model holds configuration, tokenizer and weights, and no
    path. Built without a path it is empty until `restore`. Only safetensors, only architectures of transformers, never
    remote code. Texts are cut at `max_length` tokens; each item is encoded alone, so that pads never change it.
    """

    modality = Modality.TEXT  # of this class; an instance for images or sound has its own

    tunable: ClassVar[bool] = True
    version: ClassVar[str] = "1"

    def __init__(self, modality: str = "text", max_length: int = 256, path: str = "") -> None:
        super().__init__(modality=modality, max_length=max_length)
        one_of("hf", MODALITIES, modality=modality)
        within("hf", 2, 1_000_000, max_length=max_length)
        self.modality = Modality(modality)  # type: ignore[misc]  # the one encoder whose modality is a setting
        self.max_length = max_length
        self.output_width = 1
        self.kept: dict[str, Any] = {}
        self.model: torch.nn.Module | None = None
        if path:
            kept, model = read_folder(path, self.modality)
            self._take(kept, model)

    def _take(self, kept: Mapping[str, Any], model: torch.nn.Module) -> None:
        """Shape everything for what a folder held."""
        self.kept = dict(kept)
        part = {"text": "text_model", "image": "vision_model"}.get(self.modality.value, "")
        self.model = getattr(model, part, None) or model  # one tower of a two-tower model such as CLIP
        config: Any = self.model.config
        self.output_width = int(getattr(config, "hidden_size", 0) or config.hidden_sizes[-1])
        if self.modality is Modality.TEXT:
            from tokenizers import Tokenizer

            self.tokenizer = Tokenizer.from_str(self.kept["tokenizer"])
            self.tokenizer.no_padding()
            longest = int(getattr(config, "max_position_embeddings", 0) or self.max_length)
            self.tokenizer.enable_truncation(min(self.max_length, longest))
        else:
            self.processor = processor_of(self.kept["preprocessor"], self.modality)
        self.freeze()

    def decode(self, value: Any) -> np.ndarray:
        """Token ids (int32) of a text, input array (float32) of an image or a sound."""
        if self.model is None:
            raise ConfigError("hf: no model: build it with hf:PATH, or restore a saved one")
        if self.modality is Modality.TEXT:
            return np.array(self.tokenizer.encode(value[: 100 * self.max_length]).ids, dtype=np.int32)
        if self.modality is Modality.IMAGE:
            image = decode_image(value)
            pixels = image if image.dtype == np.uint8 else (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
            if min(pixels.shape[:2]) < 2:
                pixels = resize(pixels, 2)
            return np.asarray(self.processor(pixels, return_tensors="np")["pixel_values"][0], dtype=np.float32)
        rate = int(self.processor.sampling_rate)
        given = self.processor(decode_audio(value, rate), sampling_rate=rate, return_tensors="np")
        return np.asarray(given[self.processor.model_input_names[0]][0], dtype=np.float32)

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensors `inputs` (rows, …) padded with zeros along each axis, and `shapes` (rows, axes)."""
        if self.modality is Modality.TEXT:
            ids, lengths = pad_ids(decoded)
            return {"inputs": ids, "shapes": lengths.unsqueeze(1)}
        if not len(decoded):
            return {"inputs": torch.zeros(0, 1), "shapes": torch.zeros(0, 1, dtype=torch.int64)}
        shapes = np.array([one.shape for one in decoded], dtype=np.int64)
        inputs = np.zeros((len(decoded), *shapes.max(axis=0)), dtype=np.float32)
        for row, one in enumerate(decoded):
            inputs[row][_corner(one.shape)] = one
        return {"inputs": torch.from_numpy(inputs), "shapes": torch.from_numpy(shapes)}

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode rows of equal shape together."""
        inputs, shapes = tensors["inputs"], tensors["shapes"]
        found: dict[int, torch.Tensor] = {}
        with torch.set_grad_enabled(self.thawed and torch.is_grad_enabled()):
            kinds, which = torch.unique(shapes, dim=0, return_inverse=True)
            for kind in range(len(kinds)):
                rows = torch.nonzero(which == kind).flatten()
                part = inputs[rows][(slice(None), *_corner(kinds[kind].tolist()))]
                found |= dict(zip(rows.tolist(), self._states(part), strict=True))
        steps = max((len(states) for states in found.values()), default=1)
        tokens = torch.zeros(len(inputs), steps, self.output_width, device=inputs.device)
        mask = torch.zeros(len(inputs), steps, dtype=torch.bool, device=inputs.device)
        for row, states in found.items():
            tokens[row, : len(states)], mask[row, : len(states)] = states, True
        return Encoded(tokens, mask, tokens[:, 0] if self.kept.get("pooling") == "cls" else None)

    def _states(self, inputs: torch.Tensor) -> torch.Tensor:
        """Last hidden states (rows, steps, width) of inputs of one shape."""
        if self.model is None:
            raise ConfigError("hf: no model: build it with hf:PATH, or restore a saved one")
        states: torch.Tensor = self.model(inputs).last_hidden_state
        return states.flatten(2).transpose(1, 2) if states.dim() == 4 else states

    def learned(self) -> Mapping[str, Any]:
        """Configuration, tokenizer or preprocessor, and pooling."""
        return self.kept

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Take back configuration and preprocessing, and build the architecture for `load_state_dict`."""
        if learned:
            self._take(learned, empty_model(learned["config"]))


def _corner(shape: Sequence[int]) -> tuple[slice, ...]:
    """Index of the part of a padded array that an item of `shape` fills."""
    return tuple(slice(0, side) for side in shape)
