"""Encoding a batch of items, arranging what was encoded as the arrays of a feed, and keys of decoded items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import chain

import numpy as np
import torch

from fusible.encoders._base import Encoder

Arrays = list[np.ndarray]
LARGEST = 6e4
"""Largest size of a token's values, which are kept in half precision."""


@torch.inference_mode()
def encode_batch(encoder: Encoder, tensors: dict[str, torch.Tensor], device: str, steps: int) -> Arrays:
    """One array per item: its vector (width,), or of at most `steps` tokens vector and tokens (1 + steps, width)."""
    _prepare(encoder, device)
    encoded = encoder({k: t.to(device) for k, t in tensors.items()})
    vectors = encoded.pooled.float().cpu().numpy()
    if not steps:
        return list(vectors)
    short = encoded.shortened(steps)
    tokens, mask = short.tokens.float().cpu().numpy(), short.mask.cpu().numpy()
    return [np.concatenate([v[None], t[m]]) for v, t, m in zip(vectors, tokens, mask, strict=True)]


def _prepare(encoder: Encoder, device: str) -> None:
    """Put an encoder where it is to run, for encoding; nothing where it is so, as walking its modules takes time."""
    first = next(chain(encoder.parameters(), encoder.buffers()), None)
    if first is not None and first.device != torch.device(device):
        encoder.to(device)
    if encoder.training:
        encoder.eval()


def arrange(
    found: Mapping[int, np.ndarray] | Arrays, items: int, encoder: Encoder, tokens: bool
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Features (items, width), and with `tokens` half-precision sequences (items, steps, width) and their mask.

    Zero where nothing was found for an item.
    """
    pairs = list(found.items() if isinstance(found, Mapping) else enumerate(found))
    features = np.zeros((items, encoder.output_width), np.float32)
    if not tokens:
        for i, vector in pairs:
            features[i] = vector
        return features, None, None
    most = max((len(array) - 1 for _, array in pairs), default=1)
    steps = np.zeros((items, most, encoder.output_width), np.float16)
    mask = np.zeros((items, most), bool)
    for i, array in pairs:
        features[i], number = array[0], len(array) - 1
        steps[i, :number], mask[i, :number] = array[1:].clip(-LARGEST, LARGEST), True
    return features, steps, mask


def decode_key(encoder: Encoder) -> str:
    """What a decoded item depends on: the encoder's class, version, settings and learned values, not its weights."""
    plain = [type(encoder).__name__, encoder.version, encoder.settings, dict(encoder.learned())]
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=16).hexdigest()
