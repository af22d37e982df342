"""Summaries of a film: the segments that hold most of what is important and fit in a share of its length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fusible.errors import ArrayError, ConfigError
from fusible.tasks.video.diverse import choose_diverse
from fusible.tasks.video.fused import directions_of
from fusible.tasks.video.knapsack import knapsack

RATIO = 0.15
"""Share of a film's length that a summary has by custom."""
TICKS = 100_000
"""Most units of length in a summary: at least a hundredth of a second each."""

Worth = Literal["sum", "mean"]
Choice = Literal["knapsack", "diverse"]


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary: spans in seconds, touching ones joined; the segments, what each is worth, and those chosen.

    `ratio` is the share of the film that the spans are.
    """

    spans: tuple[tuple[float, float], ...]
    segments: np.ndarray
    worth: np.ndarray
    chosen: np.ndarray
    ratio: float

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return sum(end - start for start, end in self.spans)

    def to_json(self) -> dict[str, Any]:
        """Spans, length and every segment as plain values."""
        taken = set(self.chosen.tolist())
        rows = zip(self.segments.tolist(), self.worth.tolist(), strict=True)
        return {
            "spans": [{"start": start, "end": end} for start, end in self.spans],
            "seconds": self.seconds,
            "ratio": self.ratio,
            "segments": [
                {"start": start, "end": end, "worth": worth, "chosen": place in taken}
                for place, ((start, end), worth) in enumerate(rows)
            ],
        }


def summarize(
    importance: np.ndarray,
    times: np.ndarray,
    segments: np.ndarray,
    *,
    ratio: float = RATIO,
    worth: Worth = "sum",
    choose: Choice = "knapsack",
    encodings: np.ndarray | None = None,
) -> Summary:
    """Choose the segments (segments, 2), in seconds, that are worth most in at most `ratio` of their total length.

    `importance` (steps,) holds at `times` (steps,), each until the next. A segment is worth its importance added up
    over time, `"sum"`, or its mean, `"mean"`, which is custom in comparisons and favours short segments. Segments
    longer than the whole summary are first cut in equal pieces that fit, half its length at most. The choice is exact
    (`knapsack`), with lengths rounded up to hundredths of a second, or to a hundred thousandth of the summary.
    Segments must not overlap.

    With `choose="diverse"` segments also have to differ, by the `encodings` (steps, width) of the steps, so that a rare
    scene is not left out for another stretch of a common one (`choose_diverse`).

    Raises `ArrayError` for shapes that do not fit, `ConfigError` for a ratio out of range, another choice, and a
    diverse one without encodings.

    >>> segments = np.array([[0.0, 2.0], [2.0, 3.0], [3.0, 10.0]])
    >>> summarize(np.array([0.1] * 4 + [0.9] * 2 + [0.2] * 14), np.arange(20) / 2, segments, ratio=0.1).spans
    ((2.0, 3.0),)
    """
    segments, room = _prepared(segments, ratio)
    total = _sums(importance, times, segments)
    value = total if worth == "sum" else total / (segments[:, 1] - segments[:, 0])
    if choose == "knapsack":
        return _chosen(segments, value, knapsack(value, *_ticks(segments, room)))
    if choose != "diverse" or encodings is None:
        raise ConfigError(f"summary: expected choose to be knapsack, or diverse with encodings, got {choose!r}")
    means = segment_means(encodings, np.asarray(times, float), segments)
    return _chosen(segments, value, choose_diverse(np.maximum(value, 0.0), means, *_ticks(segments, room)))


def uniform_summary(segments: np.ndarray, *, ratio: float = RATIO) -> Summary:
    """As many evenly spaced segments as fit: a baseline that looks at nothing.

    >>> uniform_summary(np.stack([np.arange(10.0), np.arange(1.0, 11.0)], axis=1), ratio=0.2).spans
    ((2.0, 3.0), (7.0, 8.0))
    """
    segments, room = _prepared(segments, ratio)
    lengths, capacity = _ticks(segments, room)
    return _chosen(segments, np.ones(len(segments)), evenly(lengths, capacity))


def random_summary(segments: np.ndarray, *, ratio: float = RATIO, seed: int = 0) -> Summary:
    """Segments of random importance, chosen as if it was real: the baseline that a summary must beat."""
    segments, room = _prepared(segments, ratio)
    value = np.random.default_rng(seed).random(len(segments)) * (segments[:, 1] - segments[:, 0])
    return _chosen(segments, value, knapsack(value, *_ticks(segments, room)))


def choose_frames(scores: np.ndarray, bounds: np.ndarray, *, ratio: float = RATIO, worth: Worth = "mean") -> np.ndarray:
    """Summary, bool (frames,), of scores (frames,) by segments with these bounds: how summaries are compared.

    `bounds` (segments + 1,) are frames from 0 to their number; each segment is worth its mean score (Zhang, Chao, Sha
    and Grauman, 2016), or the sum, and the knapsack holds `ratio` of the frames.

    >>> choose_frames(np.array([1, 1, 5, 5, 2, 2]), np.array([0, 2, 4, 6]), ratio=0.4).astype(int).tolist()
    [0, 0, 1, 1, 0, 0]
    """
    scores, bounds = np.asarray(scores, float), np.asarray(bounds)
    lengths = np.diff(bounds)
    if len(bounds) < 2 or bounds[0] != 0 or bounds[-1] != len(scores) or (lengths < 1).any():
        raise ArrayError(f"summary: expected rising bounds from 0 to {len(scores)} frames, got {len(bounds)} others")
    value = np.add.reduceat(scores, bounds[:-1])
    taken = np.zeros(len(lengths), bool)
    taken[knapsack(value / lengths if worth == "mean" else value, lengths, int(len(scores) * _share(ratio)))] = True
    return np.repeat(taken, lengths)


def evenly(lengths: np.ndarray, capacity: int) -> np.ndarray:
    """Places of the most evenly spaced items whose total length is at most `capacity`.

    >>> evenly(np.ones(9, int), 3).tolist()
    [1, 4, 7]
    """
    for number in range(len(lengths), 0, -1):
        places = ((np.arange(number) + 0.5) * len(lengths) / number).astype(np.int64)
        if lengths[places].sum() <= capacity:
            return places
    return np.zeros(0, np.int64)


def join(spans: np.ndarray | Sequence[tuple[float, float]], gap: float = 1e-6) -> tuple[tuple[float, float], ...]:
    """Spans in order, those that overlap or are not further apart than `gap` seconds made one.

    >>> join([(4.0, 5.0), (0.0, 1.0), (1.0, 2.0)])
    ((0.0, 2.0), (4.0, 5.0))
    """
    joined: list[tuple[float, float]] = []
    for start, end in sorted((float(start), float(end)) for start, end in spans):
        if joined and start <= joined[-1][1] + gap:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _share(ratio: float) -> float:
    if not 0 < ratio <= 1:
        raise ConfigError(f"summary: the ratio must be above 0 and at most 1, got {ratio:g}")
    return ratio


def _prepared(segments: np.ndarray, ratio: float) -> tuple[np.ndarray, float]:
    """Segments in order, in pieces that fit, and how many seconds the summary may have."""
    segments = np.asarray(segments, float)
    if segments.ndim != 2 or segments.shape[1] != 2 or not len(segments) or not np.isfinite(segments).all():
        raise ArrayError(f"summary: expected finite segments (segments, 2) in seconds, got {segments.shape}")
    segments = segments[np.argsort(segments[:, 0], kind="stable")]
    if (segments[:, 0] >= segments[:, 1]).any() or (segments[1:, 0] < segments[:-1, 1] - 1e-6).any():
        raise ArrayError("summary: expected segments with start < end that do not overlap; `join` those that do")
    room = float((segments[:, 1] - segments[:, 0]).sum()) * _share(ratio)
    pieces = []
    for start, end in segments.tolist():
        number = math.ceil(2 * (end - start) / room) if end - start > room else 1
        edges = np.linspace(start, end, number + 1)
        pieces.append(np.stack([edges[:-1], edges[1:]], axis=1))
    return np.concatenate(pieces), room


def _ticks(segments: np.ndarray, room: float) -> tuple[np.ndarray, int]:
    tick = min(max(0.01, room / TICKS), room / 1000)
    lengths = np.ceil((segments[:, 1] - segments[:, 0]) / tick - 1e-6).astype(np.int64)
    return lengths, int(room / tick + 1e-6)


def _sums(importance: np.ndarray, times: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Importance added up over each segment; before the first time it is that of the first, after the last the last."""
    importance, times = np.asarray(importance, float), np.asarray(times, float)
    if importance.ndim != 1 or importance.shape != times.shape or not len(times) or not np.isfinite(importance).all():
        raise ArrayError(
            f"summary: expected one finite importance per time, got {importance.shape} for {times.shape}, or not finite"
        )
    if (np.diff(times) <= 0).any():
        raise ArrayError("summary: expected times in rising order")
    edges = np.concatenate([[min(times[0], segments[0, 0])], times[1:], [max(times[-1], segments[-1, 1]) + 1.0]])
    running = np.append(0.0, np.cumsum(importance * np.diff(edges)))
    at = np.interp(segments, edges, running)
    return np.asarray(at[:, 1] - at[:, 0])


def segment_means(encodings: np.ndarray, times: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Mean direction (segments, width) of the steps that begin in each segment; of the last before it where none do."""
    if np.ndim(encodings) != 2 or len(encodings) != len(times):
        raise ArrayError(f"summary: expected an encoding per time, got {np.shape(encodings)} for {len(times)}")
    rows = directions_of(np.asarray(encodings, float))
    running = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    first, last = (np.searchsorted(times, segments[:, side] - 1e-9) for side in (0, 1))
    first = np.where(first < last, first, np.maximum(last - 1, 0))
    last = np.maximum(last, first + 1)
    return np.asarray((running[last] - running[first]) / (last - first)[:, None])


def _chosen(segments: np.ndarray, worth: np.ndarray, chosen: np.ndarray) -> Summary:
    spans = join(segments[chosen])
    length = sum(end - start for start, end in spans)
    return Summary(spans, segments, worth, chosen, length / float((segments[:, 1] - segments[:, 0]).sum()))
