"""Where a writer looked: the attention of one text, by words and by views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fusible.decoders._generate import Generation
from fusible.decoders._vocabulary import Vocabulary
from fusible.encoders._language import UNSPACED_LETTER
from fusible.tasks.source import Source
from fusible.tasks.writer import Author


@dataclass(slots=True)
class Looked:
    """One text with its words, and per view where the writer looked for each: `weights` {view: (words, tokens)}.

    `whole` {view: (words,)} is what went to the view as a whole, `fused` (words,) to what fusion made of all.
    """

    text: str
    confidence: float
    words: list[str]
    weights: dict[str, np.ndarray]
    whole: dict[str, np.ndarray]
    fused: np.ndarray


def looked(author: Author, source: Source, settings: Generation, place: int = 0, first: int = 0) -> Looked:
    """Write of one row of a source, and bring attention together by words and views; `first` as in `Author.write`."""
    row = np.array([place])
    written = author.write(source, row, settings, first)
    words, joined = words_of(author.vocabulary, written.tokens[0], written.attention[0])
    places = author.places(source, row)
    steps = {view.name: 1 + max(s for n, s in places if n == view.name and s is not None) for view in author.views}
    weights = {name: np.zeros((len(words), number)) for name, number in steps.items()}
    whole = {name: np.zeros(len(words)) for name in ["", *steps]}
    for column, (name, step) in zip(joined.T, places, strict=True):
        if step is None:
            whole[name] += column
        else:
            weights[name][:, step] += column
    fused = whole.pop("")
    return Looked(written.texts[0], float(written.confidence[0]), words, weights, whole, fused)


def words_of(vocabulary: Vocabulary, tokens: list[int], attention: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Tokens joined to words, each with the mean attention of its tokens: words, and (words, memory steps).

    In scripts that put no spaces between words every character is one.
    """
    words: list[str] = []
    held: list[list[int]] = []
    waiting: list[int] = []
    for place, piece in enumerate(vocabulary.pieces(tokens)):
        waiting.append(place)
        if not piece:  # a part of a letter, which the next token completes
            continue
        if not words or (words[-1].strip() and (piece[:1].isspace() or UNSPACED_LETTER.match(piece))):
            words.append("")
            held.append([])
        words[-1] += piece
        held[-1] += waiting
        waiting = []
    if waiting:
        held[-1:] = [[*held[-1], *waiting]] if held else [waiting]
        words = words or [""]
    steps = attention.shape[1] if attention.ndim == 2 else 0
    mean = np.stack([attention[places].mean(axis=0) for places in held]) if held else np.zeros((0, steps))
    return [word.strip() for word in words], mean
