"""The chance that something of an ImageNet class is called by a word, from encodings of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.special import expit

from fusible.data.cache import ArrayCache
from fusible.data.media import text_key
from fusible.encoders._imagenet import class_kinds, class_names
from fusible.encoders.text_minilm import TextMinilm
from fusible.tasks.encode import encode_batch

ALIKE, SHARP = 0.7, 20.0
"""Cosine of texts at which a class is as likely called by a word as not, and how sharply chances rise there."""
WORDING = "a photo of {}"
BATCH = 64


def callings(words: Sequence[str], cache: str | Path | None = None) -> np.ndarray:
    """Chances (1000, words) float32 that a thing of each class is called by each word."""
    classes = class_texts()
    vectors = sentence_vectors([*classes, *map(word_text, words)], cache)
    cosines = vectors[: len(classes)] @ vectors[len(classes) :].T
    return np.asarray(expit(SHARP * (cosines - ALIKE)), np.float32)


def word_text(word: str) -> str:
    """What stands for a word.

    >>> word_text("fire_engine")
    'a photo of fire engine'
    """
    return WORDING.replace("{}", word.replace("_", " "))


def class_texts() -> list[str]:
    """What stands for each class: its name, and what kind of thing it is.

    >>> class_texts()[242]
    'a photo of a boxer (dog)'
    """
    pairs = zip(class_names(), class_kinds(), strict=True)
    return [f"a photo of a {name} ({kind})" if kind else f"a photo of a {name}" for name, kind in pairs]


def sentence_vectors(texts: Sequence[str], cache: str | Path | None = None) -> np.ndarray:
    """Encodings (texts, 384) of unit length by `text_minilm`; each text is encoded once, then kept in `cache`."""
    encoder = TextMinilm()
    space = ArrayCache(None if cache is None else Path(cache)).open(f"encoded-{encoder.fingerprint()}")
    keys = [text_key(text) for text in texts]
    lacking = set(space.missing(keys))
    wanted = sorted({key: text for key, text in zip(keys, texts, strict=True) if key in lacking}.items(), key=_length)
    made: list[np.ndarray] = []
    for start in range(0, len(wanted), BATCH):
        tensors = encoder.batch([encoder.decode(text) for _, text in wanted[start : start + BATCH]])
        made += encode_batch(encoder, tensors, "cpu", 0)
    space.put([key for key, _ in wanted], made)
    found = np.stack(space.gather(keys)).astype(np.float32)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))


def _length(pair: tuple[str, str]) -> int:
    return len(pair[1])
