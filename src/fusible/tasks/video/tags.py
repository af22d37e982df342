"""Tags of pictures without training: ImageNet's classes, the user's own words, or words in a retriever's space.

The user's words need no picture of what they name. Semantic output (Norouzi et al., ICLR 2014, "Zero-shot learning by
convex combination of semantic embeddings") lets the probabilities of known classes vote by how alike sentence encodings
of class names and words are. There a vote is a cosine; here it is the chance that something of the class is called by
the word, a logistic function of the cosine: many classes that are hardly alike do not add up to one that is the same
thing. What a word gets from all classes evenly is taken off: a word that is a little like everything (a hub), or that
names a tenth of the classes (`dog`), is no likelier for a picture that says nothing. The sum is linear in the
probabilities, so that its mean over pictures is that of a span.

What a classifier of 1,000 things was never shown it cannot see: `Tagger.blind` names the words that it can never tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from fusible.encoders import _imagenet
from fusible.encoders._base import Encoder
from fusible.errors import ArrayError, ConfigError
from fusible.tasks._retrieval_head import units
from fusible.tasks.retriever import Retriever
from fusible.tasks.video._tags_words import WORDING, callings
from fusible.types import Modality

Judge = Callable[[np.ndarray], np.ndarray]

LEVEL = 0.5
"""Chance from which a tag is named."""
MOST_LABELS = 10_000
CLASS_TEMPERATURE = 1.4
"""Of class probabilities: least log-loss on validation photos of products that are called as a class is."""
WORD_TEMPERATURE = 2.0
"""Of probabilities that vote: flatter, for what is no class of its own is spread over several that are like it."""
SLOPE, OFFSET = 1.1, 1.8
"""Log-odds that a photo's captions hold a word = SLOPE x log(evidence) + OFFSET: 700 photos, 63 nouns, each noun
weighing the root of its count, evidence of .03 and more."""
FAINT = 0.005
"""Evidence around which the logarithm passes over to where it may be negative, softly."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A label, and the chance in [0, 1] that it is true."""

    label: str
    chance: float


@dataclass(frozen=True, slots=True, eq=False)
class Tagger:
    """Chances of labels from encodings of pictures; by `of`, `classes` or `by`.

    `how` says in words what judges; `evidence` gives (steps, labels) from encodings (steps, width), to be averaged over
    pictures, and `chance` what evidence means. `blind` holds labels that no picture can bring to `LEVEL`.
    """

    labels: tuple[str, ...]
    how: str
    evidence: Judge
    chance: Judge
    blind: tuple[str, ...] = ()

    @classmethod
    def of(cls, labels: Sequence[str], *, cache: str | Path | None = None) -> Tagger:
        """Tags of the user's own words, from vectors of `image_efficientnet`; nothing is trained.

        Words may be phrases (`children playing`), best as a caption would say them. English. `cache` is a folder that
        keeps encodings of texts (default: Fusible's own). Raises `ConfigError` for no labels, empty or doubled ones.
        """
        words = _checked(labels)
        called = callings(words, cache)
        called -= called.mean(axis=0)
        reach = _chance_of_word(called.max(axis=0))
        blind = tuple(word for word, most in zip(words, reach, strict=True) if most < LEVEL)

        def evidence(vectors: np.ndarray) -> np.ndarray:
            return np.asarray(_imagenet.probabilities(vectors, WORD_TEMPERATURE) @ called)

        return cls(words, "words by ImageNet classes of like names", evidence, _chance_of_word, blind)

    @classmethod
    def classes(cls) -> Tagger:
        """Tags of the 1,000 classes of ImageNet, from vectors of `image_efficientnet`; chances add up to 1."""

        def evidence(vectors: np.ndarray) -> np.ndarray:
            return _imagenet.probabilities(vectors, CLASS_TEMPERATURE)

        return cls(_imagenet.class_names(), "ImageNet classes", evidence, np.asarray)

    @classmethod
    def by(
        cls,
        retriever: Retriever,
        labels: Sequence[str],
        *,
        encoder: Encoder | None = None,
        picture: str | None = None,
        text: str | None = None,
        wording: str = WORDING,
    ) -> Tagger:
        """Tags by similarity in the space of a fitted retriever that knows pictures and texts.

        `encoder` is the one that makes the encodings: that of the view `picture`, or the call is refused. `picture` and
        `text` name the views where there are several. A label is asked for in the `wording`, best one that the
        retriever's texts have: after captions, `there is a {} in the picture`. Chances are the retriever's, a label
        being one text of a hundred. Raises `ConfigError` for labels as `of` does, absent or ambiguous views, another
        encoder, and a wording without `{}`.
        """
        words = _checked(labels)
        sight = _view(retriever, Modality.IMAGE, picture)
        told = _view(retriever, Modality.TEXT, text)
        own = retriever.encoders[sight]
        if encoder is not None and encoder.fingerprint() != own.fingerprint():
            raise ConfigError(
                f"retriever: view {sight!r} is encoded by {type(own).__name__} {own.settings}, pictures by "
                f"{type(encoder).__name__} {encoder.settings}; encode pictures as the retriever does"
            )
        if "{}" not in wording:
            raise ConfigError(f"wording: expected a text with {{}} in the label's place, got {wording!r:.80}")
        asked, columns = [wording.replace("{}", word) for word in words], retriever.view(told).columns
        table = pd.DataFrame({name: asked if name == columns[0] else None for name in columns}, dtype=object)
        texts = retriever.transform(table, [told])[told]

        def evidence(vectors: np.ndarray) -> np.ndarray:
            if vectors.ndim != 2 or vectors.shape[1] != own.output_width:
                wanted = f"(steps, {own.output_width})"
                raise ArrayError(f"tags: expected encodings as of view {sight!r} {wanted}, got shape {vectors.shape}")
            return np.asarray(units(retriever.heads[sight], vectors) @ texts.T)

        def chance(similarity: np.ndarray) -> np.ndarray:
            return retriever.calibrate(sight, told, similarity)

        return cls(words, f"words by the retriever's space of {sight!r} and {told!r}", evidence, chance)

    def tags(self, encodings: np.ndarray) -> np.ndarray:
        """Chances (steps, labels) float32 from encodings (steps, width); rows of NaN for pictures that are absent."""
        return np.asarray(self.chance(self.evidence(np.asarray(encodings))), np.float32)

    def over(self, encodings: np.ndarray, times: np.ndarray, spans: Sequence[tuple[float, float]]) -> np.ndarray:
        """Chances (spans, labels) float32 from the mean evidence of the pictures in each span.

        `times` (steps,) ascending and `spans` (start, end) are seconds; a picture at `start` is in, one at `end` is
        not. A span too short to hold one takes the nearest to its middle. NaN where all its pictures are absent.
        """
        evidence, times = self.evidence(np.asarray(encodings)), np.asarray(times, np.float64)
        if times.shape != evidence.shape[:1]:
            raise ArrayError(f"tags: expected a time per picture ({len(evidence)},), got shape {times.shape}")
        means = np.full((len(spans), len(self.labels)), np.nan)
        for row, (start, end) in enumerate(spans if len(times) else ()):
            held = evidence[(times >= start) & (times < end)]
            if not len(held):
                held = evidence[[np.abs(times - (start + end) / 2).argmin()]]
            held = held[np.isfinite(held).all(axis=1)]
            if len(held):
                means[row] = held.mean(axis=0)
        return np.asarray(self.chance(means), np.float32)

    def named(self, chances: np.ndarray, most: int = 5, level: float = LEVEL) -> list[list[Tag]]:
        """Of each row of chances (rows, labels) the tags from `level` on, likeliest first, at most so many.

        A row in which none is so likely has no tags: nothing is said where nothing is known.
        """
        found = []
        for row in np.nan_to_num(np.asarray(chances, np.float64), nan=-1.0):
            order = np.argsort(-row, kind="stable")[:most]
            found.append([Tag(self.labels[place], float(row[place])) for place in order if row[place] >= level])
        return found


def _chance_of_word(evidence: np.ndarray) -> np.ndarray:
    """Strictly rising in the evidence, whose soft positive part is taken."""
    with np.errstate(invalid="ignore"):  # rows of NaN, whose pictures are absent
        positive = FAINT * np.logaddexp(0.0, np.asarray(evidence, np.float64) / FAINT)
    return np.asarray(expit(SLOPE * np.log(np.maximum(positive, np.finfo(np.float64).tiny)) + OFFSET))


def _checked(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels without outer spaces; `ConfigError` unless they are texts, told apart whatever their case."""
    if isinstance(labels, str):
        raise ConfigError(f"labels: expected a list of words, got the text {labels[:40]!r}; write [{labels[:40]!r}]")
    words = tuple(" ".join(label.split()) if isinstance(label, str) else "" for label in labels)
    if not 1 <= len(words) <= MOST_LABELS:
        raise ConfigError(f"labels: expected 1 to {MOST_LABELS} words, got {len(words)}")
    seen: dict[str, int] = {}
    for place, word in enumerate(words):
        if not word:
            raise ConfigError(f"labels: label {place} is empty or no text: {labels[place]!r:.40}; leave it out")
        if (first := seen.setdefault(word.casefold(), place)) != place:
            raise ConfigError(f"labels: labels {first} and {place} are both {word!r}; name it once")
    return words


def _view(retriever: Retriever, modality: Modality, name: str | None) -> str:
    """The view of a modality: the one that is named, or the only one."""
    views = [view.name for view in retriever.views if view.modality is modality]
    if name is not None and name in views:
        return name
    if name is None and len(views) == 1:
        return views[0]
    known = ", ".join(map(repr, views)) or "none"
    asked = "one" if name is None else repr(name)
    raise ConfigError(
        f"retriever: expected {asked} as its view of {modality.value}s, it has {known}; name one of its own"
    )
