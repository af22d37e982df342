"""Texts as the trained extractor reads them: words with their places and word pieces, in windows of whole sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from fusible.tasks.knowledge.extract._network import Batch

PIECES = 126
"""Word pieces of a window at most, beside its two marks."""
MARKS = 101, 102
"""[CLS] and [SEP] of BERT's vocabulary."""

_END = re.compile(r"""[.!?]["'”’)\]]*\s+(?=["'“‘(\[]?[^\W_a-z])|\n\s*\n""")
_SHORT = re.compile(
    r"(?:\b[A-Za-z]|\b(?:Mr|Mrs|Ms|Dr|Prof|St|Mt|No|vs|Jr|Sr|Inc|Ltd|Co|Gen|Col|Lt|Rev|U\.S|approx|ca))\.\s+$"
)


@dataclass(frozen=True, slots=True)
class Window:
    """Some sentences of a text: `text` its number, `words` int64 (words, 2) places in it, `ids` its word pieces.

    `pieces` int64 (words, 2) are the first and the last piece of each word; `sentences` their places in the text.
    """

    text: int
    words: np.ndarray
    ids: np.ndarray
    pieces: np.ndarray
    sentences: tuple[tuple[int, int], ...]


def sentences(text: str) -> list[tuple[int, int]]:
    """Places [start, end) of sentences: after a full stop before a capital or digit, unless it ends an abbreviation.

    >>> text = "It has 45 floors. J. Smith (b. 1960) leads it."
    >>> [text[start:end] for start, end in sentences(text)]
    ['It has 45 floors.', 'J. Smith (b. 1960) leads it.']
    """
    ends = [end.end() for end in _END.finditer(text) if not _SHORT.search(text[max(0, end.end() - 12) : end.end()])]
    cuts = [0, *ends, len(text)]
    return [
        (start + len(part) - len(part.lstrip()), start + len(part.rstrip()))
        for start, end in pairwise(cuts)
        if (part := text[start:end]).strip()
    ]


def windows(tokenizer: Any, texts: Sequence[str]) -> list[Window]:
    """Cut texts into windows of whole sentences, as many as fit; a sentence that is too long is cut between words."""
    places = [(number, place) for number, text in enumerate(texts) for place in sentences(text)]
    said = [texts[number][start:end] for number, (start, end) in places]
    tokenizer.no_padding()
    tokenizer.no_truncation()
    found: list[Window] = []
    held: list[tuple[tuple[int, int], np.ndarray, list[int], np.ndarray]] = []
    current = -1
    for (number, place), encoding in zip(places, tokenizer.encode_batch(said, add_special_tokens=False), strict=True):
        for piece in _pieces(encoding, place):
            if held and (number != current or sum(len(one[2]) for one in held) + len(piece[1]) > PIECES):
                found.append(_window(current, held))
                held = []
            current = number
            held.append((place, *piece))
    return [*found, _window(current, held)] if held else found


def _pieces(encoding: Any, place: tuple[int, int]) -> list[tuple[np.ndarray, list[int], np.ndarray]]:
    """Words, pieces' ids and pieces of words of a sentence; several of one that is too long."""
    spans: list[list[int]] = []
    for piece, (word, (start, end)) in enumerate(zip(encoding.word_ids, encoding.offsets, strict=True)):
        if not spans or word != spans[-1][4]:
            spans.append([start, end, piece, piece, word])
        else:
            spans[-1][1], spans[-1][3] = end, piece
    found, begin = [], 0
    table = np.array(spans, dtype=np.int64).reshape(-1, 5)
    while begin < len(table):
        offset = table[begin, 2]
        count = max(1, int(np.searchsorted(table[begin:, 3], offset + PIECES)))
        part = table[begin : begin + count]
        ids = encoding.ids[offset : part[-1, 3] + 1][:PIECES]
        within = np.minimum(part[:, 2:4] - offset, PIECES - 1)
        found.append((part[:, :2] + place[0], ids, within))
        begin += count
    return found


def _window(text: int, held: list[tuple[tuple[int, int], np.ndarray, list[int], np.ndarray]]) -> Window:
    ids, pieces = [MARKS[0]], []
    for _, _, own, within in held:
        pieces.append(within + len(ids))
        ids.extend(own)
    words = np.concatenate([one[1] for one in held])
    places = tuple(dict.fromkeys(one[0] for one in held))
    return Window(text, words, np.array([*ids, MARKS[1]], np.int64), np.concatenate(pieces), places)


def batch_of(held: Sequence[Window], device: torch.device) -> Batch:
    """Windows side by side, padded."""
    longest, words = max(len(one.ids) for one in held), max(len(one.words) for one in held)
    ids = np.zeros((len(held), longest), np.int64)
    pieces = np.zeros((len(held), words, 2), np.int64)
    sentence = np.full((len(held), words), -1, np.int64)
    for row, one in enumerate(held):
        ids[row, : len(one.ids)], pieces[row, : len(one.words)] = one.ids, one.pieces
        sentence[row, : len(one.words)] = np.searchsorted([end for _, end in one.sentences], one.words[:, 1])
    lengths = torch.tensor([len(one.ids) for one in held])
    tensors = [torch.from_numpy(part) for part in (ids, pieces[..., 0].copy(), pieces[..., 1].copy(), sentence)]
    return Batch(*(part.to(device) for part in (tensors[0], lengths, *tensors[1:])))
