"""How well labelled spans of time are found: mean average precision at overlaps, and F1 of segments.

Overlap is temporal intersection over union (tIoU). Average precision follows the protocol of ActivityNet (Caba
Heilbron, Escorcia, Ghanem and Niebles, 2015): found spans of a class, over all files, from the most confident down;
each takes the true span of its file and class that it overlaps most among those not yet taken, if by the threshold,
else it is wrong; precision is interpolated. The mean is over classes that have a true span; others are left out, also
where spans of them are found. Equal confidences stand as given, and of true spans overlapped alike the first counts.
Overlaps are rounded to twelve digits, so that times such as 0.1, which are no binary numbers, reach thresholds exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fusible.errors import ArrayError
from fusible.evaluation.bootstrap import LEVELS, draws
from fusible.evaluation.study import Difference, Score

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
"""Overlaps .5, .55, … .95, whose mean is ActivityNet's measure."""
SEGMENTAL = (0.1, 0.25, 0.5)
PAIRS = 1 << 20
"""Pairs of found and true spans that are compared at once."""
CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Spans:
    """Labelled spans (spans,) of several files: file, start and end in seconds, label; of found ones, confidence.

    Raises `ArrayError` for lengths that differ, times and confidences that are not finite, and starts not below ends.
    """

    files: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    labels: np.ndarray
    confidences: np.ndarray | None = None

    def __post_init__(self) -> None:
        given = [self.files, self.starts, self.ends, self.labels]
        given += [] if self.confidences is None else [self.confidences]
        if len({np.shape(column) for column in given}) != 1 or np.ndim(self.files) != 1:
            raise ArrayError(f"localisation: expected columns of one length, got {[np.shape(c) for c in given]}")
        numbers = [np.asarray(column, float) for column in (self.starts, self.ends, *given[4:])]
        if not all(np.isfinite(column).all() for column in numbers):
            raise ArrayError("localisation: expected finite times and confidences, got NaN or infinity")
        if (numbers[0] >= numbers[1]).any():
            raise ArrayError("localisation: expected spans with start < end, got one that is reversed or empty")

    @classmethod
    def of(cls, rows: Iterable[tuple[Any, ...]], *, confident: bool = False) -> Spans:
        """Spans of rows (file, start, end, label), with `confident` (file, start, end, label, confidence).

        >>> len(Spans.of([("a.mp4", 0.5, 1.0, "dog")]).files), len(Spans.of([], confident=True).files)
        (1, 0)
        """
        columns = list(zip(*rows, strict=True)) or [()] * (4 + confident)
        files, labels = np.array(columns[0], str), np.array(columns[3], str)
        starts, ends = np.array(columns[1], float), np.array(columns[2], float)
        return cls(files, starts, ends, labels, np.array(columns[4], float) if confident else None)


@dataclass(frozen=True, slots=True)
class Matches:
    """Found spans against true ones: what average precision needs, so that files can be drawn anew.

    Found spans (found,) stand class by class from the most confident down: `classes` and `files` are codes, `hits`
    (found, thresholds) says which are right. `truths` (classes, files) counts true spans.
    """

    thresholds: tuple[float, ...]
    labels: tuple[str, ...]
    classes: np.ndarray
    files: np.ndarray
    hits: np.ndarray
    truths: np.ndarray

    def average_precision(self) -> np.ndarray:
        """Average precision (classes, thresholds)."""
        return np.asarray(self._precisions(np.ones((1, self.truths.shape[1])))[0])

    def mean(self) -> np.ndarray:
        """Mean over classes (thresholds,); NaN where nothing is true."""
        return np.asarray(self.drawn(np.ones((1, self.truths.shape[1])))[0])

    def drawn(self, weights: np.ndarray) -> np.ndarray:
        """Mean average precision (draws, thresholds), each file counted as often as `weights` (draws, files) say."""
        real = weights @ self.truths.T > 0
        values = np.where(real[:, :, None], self._precisions(weights), 0.0)
        with np.errstate(invalid="ignore"):
            return np.asarray(values.sum(axis=1) / real.sum(axis=1)[:, None])

    def _precisions(self, weights: np.ndarray) -> np.ndarray:
        found = np.zeros((len(weights), len(self.labels), len(self.thresholds)))
        totals = weights @ self.truths.T
        bounds = np.searchsorted(self.classes, np.arange(len(self.labels) + 1))
        for label in range(len(self.labels)):
            rows = slice(bounds[label], bounds[label + 1])
            counted = weights[:, self.files[rows]]
            for column in range(len(self.thresholds)):
                found[:, label, column] = _interpolated(counted, self.hits[rows, column], totals[:, label])
        return found


@dataclass(frozen=True, slots=True)
class SegmentF1:
    """Precision, recall and F1 of segments at one overlap."""

    precision: float
    recall: float
    f1: float


def match(
    truth: Spans, found: Spans, thresholds: Sequence[float] = THRESHOLDS, *, files: Iterable[Any] = ()
) -> Matches:
    """Match found spans, whose confidences must be given, with true ones.

    `files` names files beyond those of the spans: in which nothing is true, and nothing found. Without them two sets
    of found spans may not be over the same files.

    >>> truth = Spans(np.array(["a", "a"]), np.array([0.0, 5.0]), np.array([2.0, 7.0]), np.array(["run", "run"]))
    >>> guess = Spans(truth.files, truth.starts, np.array([2.0, 6.2]), truth.labels, np.array([0.9, 0.8]))
    >>> match(truth, guess, [0.5, 0.75]).mean().tolist()
    [1.0, 0.5]
    """
    if found.confidences is None:
        raise ArrayError("localisation: found spans need confidences, got none")
    labels, classes = np.unique(_text(truth.labels), return_inverse=True)
    names = np.concatenate([_text(truth.files), _text(found.files), _text(list(files))])
    places = np.unique(names, return_inverse=True)[1]
    truths = np.zeros((len(labels), places.max(initial=-1) + 1), np.int64)
    np.add.at(truths, (classes, places[: len(classes)]), 1)
    theirs = np.searchsorted(labels, _text(found.labels))
    order = np.flatnonzero(np.isin(_text(found.labels), labels))
    order = order[np.lexsort((-np.asarray(found.confidences, float)[order], theirs[order]))]
    hits = np.zeros((len(order), len(thresholds)), bool)
    own, true, overlaps = _pairs(truth, found, order, min(thresholds, default=1.0))
    for column, threshold in enumerate(thresholds):
        enough = overlaps >= threshold
        hits[_greedy(own[enough], true[enough]), column] = True
    found_in = places[len(classes) :][order]
    return Matches(tuple(thresholds), tuple(labels.tolist()), theirs[order], found_in, hits, truths)


def mean_average_precision(
    truth: Spans, found: Spans, thresholds: Sequence[float] = THRESHOLDS, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Score]:
    """Mean average precision, `map`, and at each overlap, `map@0.5` …, with 95 % bootstrap intervals over files.

    All are NaN where nothing is true; with nothing found they are 0.
    """
    matches = match(truth, found, thresholds)
    names = ["map", *(f"map@{threshold:g}" for threshold in thresholds)]
    point = matches.mean()
    drawn = _draw(matches, resamples, seed)
    low, high = np.nanpercentile(drawn, LEVELS, axis=0) if np.isfinite(drawn).any() else (point, point)
    table = [np.append(row.mean(), row) for row in (point, low, high)]
    if np.isfinite(drawn).any():
        table[1][0], table[2][0] = np.nanpercentile(drawn.mean(axis=1), LEVELS)
    return {name: Score(*(float(row[i]) for row in table)) for i, name in enumerate(names)}


def difference(ours: Matches, theirs: Matches, *, resamples: int = 1000, seed: int = 0) -> Difference:
    """By how much one set of found spans is better than another, by mean average precision over all thresholds.

    The bootstrap is paired, over files: both must be matched with the same true spans, over the same files. All values
    are NaN where nothing is true.
    """
    if ours.labels != theirs.labels or not np.array_equal(ours.truths, theirs.truths):
        raise ArrayError(
            "localisation: expected both sets against the same true spans and files; give `match` the files"
        )
    gains = _draw(ours, resamples, seed).mean(axis=1) - _draw(theirs, resamples, seed).mean(axis=1)
    gains = gains[np.isfinite(gains)]
    if not len(gains):
        return Difference(*[float("nan")] * 4)
    low, high = np.percentile(gains, LEVELS)
    better = float((gains > 0).mean() + 0.5 * (gains == 0).mean())
    return Difference(float(ours.mean().mean() - theirs.mean().mean()), float(low), float(high), better)


def segment_f1(truth: Spans, found: Spans, thresholds: Sequence[float] = SEGMENTAL) -> dict[float, SegmentF1]:
    """Segmental F1@tIoU (Lea, Flynn, Vidal, Reiter and Hager, 2017), counted over all files and classes together.

    Each found span looks at the true span of its file and label that it overlaps most, the first of equal ones, and is
    right if the overlap reaches the threshold and no other found span was right about it; every other one is wrong, and
    every true span that none was right about is missed. Confidences do not matter. Precision is 0 with nothing found,
    recall with nothing true; F1 is 1 where both are empty, since nothing is wrong.
    """
    own, true, overlaps = _pairs(truth, found, np.arange(len(found.files)), 0.0)
    _, best = np.unique(own, return_index=True)
    true, overlaps = true[best], overlaps[best]
    scores = {}
    for threshold in thresholds:
        right = len(np.unique(true[overlaps >= threshold]))
        everything = len(found.files) + len(truth.files)
        precision, recall = right / max(len(found.files), 1), right / max(len(truth.files), 1)
        scores[threshold] = SegmentF1(precision, recall, 2 * right / everything if everything else 1.0)
    return scores


def _draw(matches: Matches, resamples: int, seed: int) -> np.ndarray:
    files = matches.truths.shape[1]
    if not files:
        return np.full((1, len(matches.thresholds)), np.nan)
    step = max(1, CELLS // max(len(matches.files), 1))
    drawn = []
    for weights in draws(files, resamples, seed):
        drawn += [matches.drawn(weights[i : i + step]) for i in range(0, len(weights), step)]
    return np.concatenate(drawn)


def _interpolated(weights: np.ndarray, hits: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Average precision (draws,) of spans in order, each counted `weights` (draws, spans) times."""
    right = np.cumsum(weights * hits, axis=1)
    counted = np.cumsum(weights, axis=1)
    precision = right / np.maximum(counted, 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((weights * hits * best).sum(axis=1) / np.maximum(totals, 1))


def _pairs(truth: Spans, found: Spans, order: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of one file and label that overlap by `least` and above 0: place in `order`, true span, overlap.

    They stand in the order of found spans, and for each from the greatest overlap down, then as true spans were given.
    """
    _, keys = np.unique(np.concatenate([_text(truth.labels), _text(found.labels)]), return_inverse=True)
    _, files = np.unique(np.concatenate([_text(truth.files), _text(found.files)]), return_inverse=True)
    keys = keys.astype(np.int64) * (files.max(initial=0) + 1) + files
    theirs, ours = keys[: len(truth.files)], keys[len(truth.files) :][order]
    sort = np.argsort(theirs, kind="stable")
    first = np.searchsorted(theirs[sort], ours, side="left")
    count = np.searchsorted(theirs[sort], ours, side="right") - first
    parts = [
        _overlapping(
            truth, found, order, rows, sort[first[rows].repeat(count[rows]) + _within(count[rows])], count, least
        )
        for rows in _chunks(count)
    ]
    if not parts:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    own, true, overlaps = (np.concatenate(column) for column in zip(*parts, strict=True))
    place = np.lexsort((true, -overlaps, own))
    return own[place], true[place], overlaps[place]


def _overlapping(
    truth: Spans, found: Spans, order: np.ndarray, rows: np.ndarray, true: np.ndarray, count: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    own = rows.repeat(count[rows])
    spans = order[own]
    begin, end = np.asarray(found.starts, float)[spans], np.asarray(found.ends, float)[spans]
    start, stop = np.asarray(truth.starts, float)[true], np.asarray(truth.ends, float)[true]
    shared = np.minimum(end, stop) - np.maximum(begin, start)
    overlap = np.maximum(shared, 0.0) / ((end - begin) + (stop - start) - np.maximum(shared, 0.0))
    overlap = overlap.round(12)
    kept = (overlap >= least) & (overlap > 0)
    return own[kept], true[kept], overlap[kept]


def _chunks(count: np.ndarray) -> Iterator[np.ndarray]:
    """Places of found spans in pieces of about `PAIRS` pairs."""
    piece = np.cumsum(count) // PAIRS
    for rows in np.split(np.arange(len(count)), np.flatnonzero(np.diff(piece)) + 1):
        if len(rows):
            yield rows


def _text(names: Any) -> np.ndarray:
    return np.asarray(names).astype(str)


def _within(count: np.ndarray) -> np.ndarray:
    """0 … n − 1 for each of the counts n, one after the other."""
    return np.asarray(np.arange(count.sum()) - (np.cumsum(count) - count).repeat(count))


def _greedy(own: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Found spans that get a true one, when pairs are accepted in order and each span is used once.

    A pair that is the first of both its spans is accepted at once, whatever the others: so in rounds, not one by one.
    """
    right = []
    while len(own):
        first = np.zeros(len(own), int)
        for column in (own, true):
            first[np.unique(column, return_index=True)[1]] += 1
        accepted = first == 2
        right.append(own[accepted])
        rest = ~(np.isin(own, own[accepted]) | np.isin(true, true[accepted]))
        own, true = own[rest], true[rest]
    return np.concatenate(right) if right else np.zeros(0, int)
