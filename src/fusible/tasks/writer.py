"""Writers: a fitted captioner with its encoders and vocabulary, which writes of the rows of a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from fusible import registry
from fusible.decoders._generate import Generated, Generation, generate
from fusible.decoders._vocabulary import Vocabulary
from fusible.encoders._base import Encoder
from fusible.networks._captioner import Captioner
from fusible.tasks.source import Source
from fusible.training.feed import Feed
from fusible.training.loop import collate
from fusible.types import View

STEPS = 128
"""Most tokens of an item that a decoder reads."""
ROWS = 64
"""Rows that are written of at a time."""


@dataclass(slots=True)
class Written:
    """Texts of some rows, their confidence (rows,): the geometric mean probability of a token; tokens, attention.

    `attention` holds per row (tokens, memory steps): where the writer looked when it wrote each token.
    """

    texts: list[str]
    confidence: np.ndarray
    tokens: list[list[int]]
    attention: list[np.ndarray]


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


@dataclass(slots=True)
class Writer:
    """A captioner and all that it needs to read rows and write texts; `live` views are encoded within the network."""

    name: str
    views: tuple[View, ...]
    encoders: dict[str, Encoder]
    network: Captioner
    vocabulary: Vocabulary
    recipe: dict[str, Any]
    live: tuple[str, ...] = ()
    longest: int = 30
    info: dict[str, Any] = field(default_factory=dict)

    def feeds(self, source: Source) -> dict[str, Feed]:
        """One feed per view: decoded where the network encodes, sequences of encodings elsewhere."""
        return {view.name: sequence_feed(source, view, self.encoders[view.name]) for view in self.views}

    def write(self, source: Source, rows: np.ndarray, settings: Generation, first: int = 0) -> Written:
        """Write of rows of a source; a row without any view is written of as well as what is learned allows.

        `first` is the number of the first row where a table is written of in parts: texts drawn do not depend on them.
        """
        feeds = self.feeds(source)
        parts = [self._part(feeds, rows[i : i + ROWS], settings, first + i) for i in range(0, len(rows), ROWS)]
        confidence = np.concatenate([part.confidence for part in parts]) if parts else np.zeros(0)
        tokens = [one for part in parts for one in part.tokens]
        attention = [one for part in parts for one in part.attention]
        return Written([self.vocabulary.decode(one) for one in tokens], confidence, tokens, attention)

    def parameters(self) -> int:
        """Number of parameters that were trained."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @torch.inference_mode()
    def _part(self, feeds: Mapping[str, Feed], rows: np.ndarray, settings: Generation, first: int) -> Generated:
        self.network.eval()
        return generate(self.network.decoder, self.network.memory(collate(feeds, rows)), settings, first)


def looked(writer: Writer, source: Source, settings: Generation, place: int = 0, first: int = 0) -> Looked:
    """Write of one row of a source, and bring attention together by words and views; `first` as in `Writer.write`."""
    row = np.array([place])
    written = writer.write(source, row, settings, first)
    words, joined = words_of(writer.vocabulary, written.tokens[0], written.attention[0])
    places = list(_places(writer, source, row))
    views = [view.name for view in writer.views]
    weights = {name: joined[:, [i for i, p in enumerate(places) if p == (name, True)]] for name in views}
    whole = {name: joined[:, [i for i, p in enumerate(places) if p == (name, False)]].sum(axis=1) for name in views}
    fused = joined[:, [i for i, p in enumerate(places) if not p[0]]].sum(axis=1)
    return Looked(written.texts[0], float(written.confidence[0]), words, weights, whole, fused)


def words_of(vocabulary: Vocabulary, tokens: list[int], attention: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Tokens joined to words, each with the mean attention of its tokens: words, and (words, memory steps)."""
    words: list[str] = []
    held: list[list[int]] = []
    for place, piece in enumerate(vocabulary.pieces(tokens)):
        if not words or piece[:1].isspace():
            words.append("")
            held.append([])
        words[-1] += piece
        held[-1].append(place)
    steps = attention.shape[1] if attention.ndim == 2 else 0
    mean = np.stack([attention[places].mean(axis=0) for places in held]) if held else np.zeros((0, steps))
    return [word.strip() for word in words], mean


def _places(writer: Writer, source: Source, row: np.ndarray) -> Iterator[tuple[str, bool]]:
    """What each step of a row's memory stands for: a view, and whether it is a token of it or the whole."""
    batches = collate(writer.feeds(source), row)
    if writer.network.operator is not None:
        yield "", False
    for view in writer.views:
        yield view.name, False
        with torch.inference_mode():
            steps = writer.network.steps(batches[view.name], view.name)
        yield from [(view.name, True)] * (steps * batches[view.name].index.shape[1])


def sequence_feed(source: Source, view: View, encoder: Encoder) -> Feed:
    """Encoded sequences where the encoder is frozen, decoded items where it is trained along.

    What an encoder gives as equal stretches side by side comes as one token per stretch.
    """
    feed = source.feed(view, encoder, encoded=encoder.frozen, tokens=encoder.steps == 1)
    if encoder.steps == 1 or feed.features is None:
        return feed
    tokens = feed.features.reshape(len(feed.features), encoder.steps, -1)
    return replace(feed, features=tokens.mean(axis=1), tokens=tokens, mask=np.ones(tokens.shape[:2], bool))


def width_of(encoder: Encoder) -> int:
    """Columns of a token of `sequence_feed`."""
    return encoder.output_width // encoder.steps


def build_captioner(
    recipe: Mapping[str, Any], encoders: Mapping[str, torch.nn.Module], widths: Mapping[str, int], vocabulary: int
) -> Captioner:
    """Build a network from its recipe: names of decoder and operator, width, layers, heads, sequences, dropouts.

    Raises `RegistryError` for an unknown name, `ConfigError` for a setting out of its range.
    """
    width = int(recipe["width"])
    decoder = registry.build(
        "decoders",
        str(recipe["decoder"]),
        vocabulary=vocabulary,
        memory=width,
        width=width,
        layers=int(recipe["decoder_layers"]),
        dropout=float(recipe["dropout"]),
    )
    operator = recipe["operator"]
    return Captioner(
        encoders,
        widths,
        decoder,
        None if operator is None else registry.build("fusion", str(operator), widths=dict(widths), width=width),
        sequences=tuple(recipe["sequences"]),
        width=width,
        layers=int(recipe["layers"]),
        heads=int(recipe["heads"]),
        dropout=float(recipe["dropout"]),
        modality_dropout=float(recipe["modality_dropout"]),
    )
