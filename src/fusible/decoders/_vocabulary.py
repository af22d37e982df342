"""Vocabularies: texts to ids of tokens and back, without loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from fusible.decoders._base import END, PAD, SPECIALS, START
from fusible.errors import ConfigError, ModelFormatError

MOST_TOKENS = 8_000
LARGEST = 2_000_000
"""Most ids of a tokenizer: every one has a row in the table of words."""
LONGEST = 512
"""Most tokens of a text."""


class Vocabulary:
    """A tokenizer and the ids of what it gives; `size` counts `PAD`, `START` and `END` too, and ids that nothing has.

    `learn` trains byte-level byte-pair encoding (Sennrich et al., ACL 2016; on bytes as in GPT-2), which gives back any
    text as it was, in whatever script. A tokenizer from a file is used as it is.
    """

    def __init__(self, text: str) -> None:
        from tokenizers import Tokenizer, decoders

        try:
            self.tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # the binding raises bare exceptions for whatever is wrong with the text
            said = " ".join(str(error).split())[:200]
            raise ModelFormatError(f"tokenizer: expected the JSON of a tokenizer, got what is none ({said})") from error
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.spaced = isinstance(self.tokenizer.decoder, decoders.ByteLevel)
        ids = 1 + max(self.tokenizer.get_vocab().values(), default=-1)
        if ids > LARGEST:
            raise ModelFormatError(f"tokenizer: expected ids below {LARGEST}, got {ids - 1}; number its tokens from 0")
        self.size = ids + SPECIALS

    @classmethod
    def learn(cls, texts: Sequence[str], most: int = MOST_TOKENS) -> Vocabulary:
        """Learn tokens from training texts: words and pieces of words that occur twice at least, `most` in all.

        >>> words = Vocabulary.learn(["a red circle", "a blue circle"])
        >>> words.decode(words.encode("a circle ⭐")[1:-1])
        'a circle ⭐'
        """
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=max(most, 256),
            min_frequency=2,
            show_progress=False,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        )
        tokenizer.train_from_iterator((f" {text}" for text in texts), trainer)
        return cls(tokenizer.to_str())

    @classmethod
    def read(cls, path: str | Path) -> Vocabulary:
        """A tokenizer from a `tokenizer.json` (or the folder that holds one), as Hugging Face writes it."""
        place = Path(path)
        place = place / "tokenizer.json" if place.is_dir() else place
        try:
            return cls(place.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ModelFormatError) as error:
            raise ConfigError(f"tokenizer {path}: expected a tokenizer.json that can be read ({error})") from None

    def encode(self, text: str, longest: int = LONGEST) -> np.ndarray:
        """Ids int64 of a text, `START` before them and `END` after; cut after `longest` tokens, then without `END`."""
        given = f" {text}" if self.spaced else text
        ids = self.tokenizer.encode(given, add_special_tokens=False).ids
        last = [] if len(ids) > longest else [END]
        return np.array([START, *(i + SPECIALS for i in ids[:longest]), *last], dtype=np.int64)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; `PAD`, `START` and `END` say nothing."""
        kept = [int(i) - SPECIALS for i in ids if i >= SPECIALS]
        text: str = self.tokenizer.decode(kept, skip_special_tokens=False)
        return text.removeprefix(" ") if self.spaced else text

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """What each id adds to the text: a letter of several tokens comes with its last one."""
        said, before = [], ""
        for end in range(1, len(ids) + 1):
            now = self.decode(ids[:end])
            whole = now.startswith(before) and not now.endswith("\ufffd")
            said.append(now[len(before) :] if whole else "")
            before = now if whole else before
        return said

    def to_json(self) -> str:
        """The tokenizer as JSON, which the constructor reads."""
        text: str = self.tokenizer.to_str()
        return text


def stack_texts(texts: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
    """Tensors `ids` (texts, longest), padded with `PAD`, and `lengths` (texts,), both int64.

    >>> stack_texts([np.array([1, 5, 2]), np.array([1, 2])])["ids"].tolist()
    [[1, 5, 2], [1, 2, 0]]
    """
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    ids = np.full((len(texts), int(lengths.max(initial=2))), PAD, dtype=np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
    return {"ids": torch.from_numpy(ids), "lengths": torch.from_numpy(lengths)}
