"""Scores of the events found in labelled films, and the pieces of films that bootstraps draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fusible.evaluation.localisation import THRESHOLDS, Matches, Spans, match, mean_average_precision
from fusible.evaluation.study import Score
from fusible.tasks.video._events_proposals import Found

PIECES = 20
"""Fewer films than this are cut in equal pieces for the bootstrap, so that there are about as many to draw."""


@dataclass(slots=True)
class Judge:
    """Labelled films against which found events are scored.

    Of film i, `spans[i]` (events, 2) in seconds and `labels[i]` (events,) codes of `classes`. `starts[i]` (ascending,
    seconds) cut it in pieces: what the bootstrap draws. A span is of the piece in which its middle lies.
    """

    classes: tuple[str, ...]
    names: list[str]
    spans: list[np.ndarray]
    labels: list[np.ndarray]
    starts: list[np.ndarray]
    truth: Spans = field(init=False)

    def __post_init__(self) -> None:
        codes = [np.asarray(self.classes, object)[one] for one in self.labels]
        self.truth = self._spans(self.spans, codes, None)

    def matches(self, found: Sequence[Found], thresholds: Sequence[float] = THRESHOLDS) -> Matches:
        """Found events, film by film, against the labelled ones."""
        every = [self._piece(film, at) for film, one in enumerate(self.starts) for at in range(len(one))]
        return match(self.truth, self.given(found), thresholds, files=every)

    def scores(self, found: Sequence[Found], seed: int = 0) -> dict[str, Score]:
        """MAP at overlaps .5 to .95 and their mean, `map`, with intervals."""
        return mean_average_precision(self.truth, self.given(found), seed=seed)

    def given(self, found: Sequence[Found], floor: float = 0.0) -> Spans:
        """Found events, film by film, whose confidence is `floor` or more."""
        classes, kept = np.asarray(self.classes, object), [f.scores >= floor for f in found]
        both = list(zip(found, kept, strict=True))
        return self._spans(
            [f.spans[k] for f, k in both], [classes[f.labels[k]] for f, k in both], [f.scores[k] for f, k in both]
        )

    def score(self, found: Sequence[Found], threshold: float = 0.5) -> float:
        """Mean average precision at one overlap; 0 where nothing is labelled."""
        return float(np.nan_to_num(self.matches(found, [threshold]).mean()[0]))

    def _spans(
        self, spans: Sequence[np.ndarray], labels: Sequence[np.ndarray], scores: Sequence[np.ndarray] | None
    ) -> Spans:
        files = [[self._piece(film, at) for at in piece_of(self.starts[film], one)] for film, one in enumerate(spans)]
        both = np.concatenate([np.zeros((0, 2)), *spans])
        return Spans(
            np.array([name for one in files for name in one], str),
            both[:, 0],
            both[:, 1],
            np.array([name for one in labels for name in one], str),
            None if scores is None else np.concatenate([np.zeros(0), *scores]),
        )

    def _piece(self, film: int, at: int) -> str:
        return f"{film}/{at}"


def piece_of(starts: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """The piece in which the middle of each span lies.

    >>> piece_of(np.array([0.0, 3.0]), np.array([[1.0, 2.0], [2.0, 6.0]])).tolist()
    [0, 1]
    """
    middles = spans.mean(axis=1) if len(spans) else np.zeros(0)
    return np.asarray(np.clip(np.searchsorted(starts, middles, side="right") - 1, 0, len(starts) - 1))


def pieces(durations: Sequence[float], size: float | None = None) -> list[np.ndarray]:
    """Where films of these lengths are cut for the bootstrap: in pieces of about `size` seconds.

    Without a size not at all where films are many, else so that there are about `PIECES`.

    >>> [one.tolist() for one in pieces([6.0, 3.2], 3.0)]
    [[0.0, 3.0], [0.0]]
    """
    if size is None and len(durations) >= PIECES:
        return [np.zeros(1)] * len(durations)
    size = size or max(sum(durations) / PIECES, 1e-9)
    numbers = [max(1, round(length / size)) for length in durations]
    return [np.arange(number) * (length / number) for number, length in zip(numbers, durations, strict=True)]
