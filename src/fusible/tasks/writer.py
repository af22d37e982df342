"""Writers: fitted captioners with their encoders and vocabulary, which write of the rows of a source."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from fusible import registry
from fusible.decoders._generate import Generated, Generation, generate
from fusible.decoders._product import Product, side_by_side
from fusible.decoders._vocabulary import Vocabulary
from fusible.encoders._base import Encoder
from fusible.networks._captioner import Captioner
from fusible.tasks.source import Source
from fusible.training.feed import Feed
from fusible.training.loop import collate
from fusible.types import Encoded, Modality, View, ViewBatch

STEPS = 128
"""Most tokens of an item that a decoder reads."""
ROWS = 64
"""Rows that are written of at a time."""
Place = tuple[str, int | None]
"""A step of memory: the view, empty where all are fused, and the step in it, None for the view as a whole."""


@dataclass(slots=True)
class Written:
    """Texts of some rows, their confidence (rows,): the geometric mean probability of a token; tokens, attention.

    `attention` holds per row (tokens, memory steps): where the writer looked when it wrote each token.
    """

    texts: list[str]
    confidence: np.ndarray
    tokens: list[list[int]]
    attention: list[np.ndarray]


class Author(ABC):
    """Writes of the rows of a source; a leaf says what it reads of them, and how it decodes that."""

    name: str
    views: tuple[View, ...]
    vocabulary: Vocabulary
    longest: int

    @property
    @abstractmethod
    def fit_seconds(self) -> float:
        """How long all training took, of all that it needs; 0 where it was loaded."""

    @abstractmethod
    def feeds(self, source: Source) -> Any:
        """What is known of each view of the source's rows, decoded or encoded."""

    @abstractmethod
    def generate(self, feeds: Any, rows: np.ndarray, settings: Generation, first: int) -> Generated:
        """Say a sequence of tokens about a batch of rows; `first` is the number of its first row."""

    @abstractmethod
    def places(self, source: Source, row: np.ndarray) -> list[Place]:
        """What each step of the memory of a row stands for, in the order of attention."""

    @abstractmethod
    def parameters(self) -> int:
        """Number of parameters of its networks, with those of encoders that were trained along."""

    @abstractmethod
    def to(self, device: str) -> None:
        """Put its networks where they are to write."""

    def write(self, source: Source, rows: np.ndarray, settings: Generation, first: int = 0) -> Written:
        """Write of rows of a source; a row without any view is written of as well as what is learned allows.

        `first` is the number of the first row where a table is written of in parts: texts drawn do not depend on them.
        """
        feeds = self.feeds(source)
        self.to(source.device)
        parts = [self.generate(feeds, rows[i : i + ROWS], settings, first + i) for i in range(0, len(rows), ROWS)]
        confidence = np.concatenate([part.confidence for part in parts]) if parts else np.zeros(0)
        tokens = [one for part in parts for one in part.tokens]
        attention = [one for part in parts for one in part.attention]
        return Written([self.vocabulary.decode(one) for one in tokens], confidence, tokens, attention)


@dataclass(slots=True)
class Writer(Author):
    """A captioner and all that it needs to read rows and write texts.

    `live` views are encoded within the network; `hidden` ones count as absent, in training and when it writes.
    """

    name: str
    views: tuple[View, ...]
    encoders: dict[str, Encoder]
    network: Captioner
    vocabulary: Vocabulary
    recipe: dict[str, Any]
    live: tuple[str, ...] = ()
    longest: int = 30
    info: dict[str, Any] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    @property
    def fit_seconds(self) -> float:
        """How long all training took, also what was not kept of it; 0 where it was loaded."""
        return float(self.info.get("seconds", 0.0))

    def feeds(self, source: Source) -> dict[str, Feed]:
        """One feed per view: decoded where the network encodes, sequences of encodings elsewhere."""
        feeds = {view.name: sequence_feed(source, view, self.encoders[view.name]) for view in self.views}
        return feeds | {name: replace(feeds[name], ids=np.full_like(feeds[name].ids, -1)) for name in self.hidden}

    def read(self, feeds: Mapping[str, Feed], rows: np.ndarray) -> tuple[Encoded, torch.Tensor]:
        """Memory of a batch of rows, and whether each row shows this writer something: (rows,), 0 or 1."""
        self.network.eval()
        batches = self.batches(feeds, rows)
        media = [view.name for view in self.views if view.modality is not Modality.TEXT]
        seen = torch.stack([batches[name].presence for name in media], dim=1).any(dim=1)
        return self.network.memory(batches), seen.float()

    def batches(self, feeds: Mapping[str, Feed], rows: np.ndarray) -> dict[str, ViewBatch]:
        """A batch of rows of every view, where the network is."""
        return collate(feeds, rows, str(self.network.kinds.device))

    @torch.inference_mode()
    def generate(self, feeds: Mapping[str, Feed], rows: np.ndarray, settings: Generation, first: int) -> Generated:
        """Encode, fuse, decode."""
        return generate(self.network.decoder, self.read(feeds, rows)[0], settings, first)

    @torch.inference_mode()
    def places(self, source: Source, row: np.ndarray) -> list[Place]:
        """The fused token first where there is one; then each view's vector and its steps."""
        batches = self.batches(self.feeds(source), row)
        found: list[Place] = [("", None)] if self.network.operator is not None else []
        for view in self.views:
            steps = self.network.steps(batches[view.name], view.name) * batches[view.name].index.shape[1]
            found += [(view.name, None), *((view.name, step) for step in range(steps))]
        return found

    def parameters(self) -> int:
        """Number of parameters of the network, with those of encoders that were trained along."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def to(self, device: str) -> None:
        """Put the network where it is to write."""
        self.network.to(device)


@dataclass(slots=True)
class Writers(Author):
    """Several writers of one vocabulary that write one text together: a product of experts, token by token.

    Fusion at model level: each has the same say in rows that show it something, see `Product`.
    """

    name: str
    members: tuple[Writer, ...]

    @property
    def views(self) -> tuple[View, ...]:  # type: ignore[override]
        """What any of them looks at."""
        return tuple(dict.fromkeys(view for member in self.members for view in member.views))

    @property
    def vocabulary(self) -> Vocabulary:  # type: ignore[override]
        """What all of them spell with."""
        return self.members[0].vocabulary

    @property
    def longest(self) -> int:  # type: ignore[override]
        """Most tokens that one of them writes."""
        return max(member.longest for member in self.members)

    @property
    def fit_seconds(self) -> float:
        """That of all members."""
        return sum(member.fit_seconds for member in self.members)

    def feeds(self, source: Source) -> list[dict[str, Feed]]:
        """Those of each member."""
        return [member.feeds(source) for member in self.members]

    @torch.inference_mode()
    def generate(self, feeds: list[dict[str, Feed]], rows: np.ndarray, settings: Generation, first: int) -> Generated:
        """Read with every member, decode once."""
        read = [member.read(own, rows) for member, own in zip(self.members, feeds, strict=True)]
        memory = side_by_side([memory for memory, _ in read], torch.stack([seen for _, seen in read], dim=1))
        return generate(Product([member.network.decoder for member in self.members]), memory, settings, first)

    def places(self, source: Source, row: np.ndarray) -> list[Place]:
        """Those of one member after the other's."""
        return [place for member in self.members for place in member.places(source, row)]

    def parameters(self) -> int:
        """Those of all members."""
        return sum(member.parameters() for member in self.members)

    def to(self, device: str) -> None:
        """Put all members where they are to write."""
        for member in self.members:
            member.to(device)


def sequence_feed(source: Source, view: View, encoder: Encoder) -> Feed:
    """Encoded sequences where the encoder is frozen, decoded items where it is trained along.

    What an encoder gives as equal stretches side by side comes as one token per stretch.
    """
    feed = source.feed(view, encoder, encoded=encoder.frozen, tokens=encoder.steps == 1)
    if encoder.steps == 1 or feed.features is None:
        return feed
    tokens = feed.features.reshape(len(feed.features), encoder.steps, width_of(encoder))
    return replace(feed, features=tokens.mean(axis=1), tokens=tokens, mask=np.ones(tokens.shape[:2], bool))


def width_of(encoder: Encoder) -> int:
    """Columns of a token of `sequence_feed`."""
    return encoder.output_width // encoder.steps


def build_captioner(
    recipe: Mapping[str, Any], encoders: Mapping[str, torch.nn.Module], widths: Mapping[str, int], vocabulary: int
) -> Captioner:
    """Build a network from its recipe: names of decoder and operator, width, layers, heads, sequences, dropouts.

    A decoder whose constructor takes `heads` has as many as the network.

    Raises `RegistryError` for an unknown name, `ConfigError` for a setting out of its range.
    """
    width, name = int(recipe["width"]), str(recipe["decoder"])
    known = inspect.signature(registry.get("decoders", name)).parameters
    decoder = registry.build(
        "decoders",
        name,
        vocabulary=vocabulary,
        memory=width,
        width=width,
        layers=int(recipe["decoder_layers"]),
        dropout=float(recipe["dropout"]),
        **({"heads": int(recipe["heads"])} if "heads" in known else {}),
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
