"""From scores at every point of a film to events: span proposals, and soft suppression of those that say the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SPREAD = 0.3
"""Variance of the Gaussian by which overlapping spans lose confidence."""
FLOOR = 0.01
"""Proposals of a smaller confidence are dropped."""
MOST = 2_000
"""Proposals of one class in one stretch of a film that are kept for suppression."""


@dataclass(frozen=True, slots=True)
class Points:
    """What is known at every point of a film.

    `times` (points,) and `sides` (points, 2) in seconds: a span at point i runs from times[i] - sides[i, 0] to
    times[i] + sides[i, 1]. `scores` (points, classes) are confidences from 0 to 1.
    """

    times: np.ndarray
    sides: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True, slots=True)
class Found:
    """Events found in a film: `spans` (events, 2) in seconds, `labels` (events,), and `scores` (events,)."""

    spans: np.ndarray
    labels: np.ndarray
    scores: np.ndarray


def propose(points: Points, duration: float, *, floor: float = FLOOR, spread: float = SPREAD) -> Found:
    """Spans of every class whose confidence is `floor` or more, softly suppressed class by class, surest first.

    Spans are cut at the film's start and end; those of no length are dropped.
    """
    begins = np.clip(points.times - points.sides[:, 0], 0.0, duration)
    ends = np.clip(points.times + points.sides[:, 1], 0.0, duration)
    spans, labels, scores = [np.zeros((0, 2))], [np.zeros(0, np.int64)], [np.zeros(0)]
    for label in range(points.scores.shape[1]):
        kept = np.flatnonzero((points.scores[:, label] >= floor) & (ends > begins))
        kept = kept[np.argsort(-points.scores[kept, label], kind="stable")]
        own = np.stack([begins[kept], ends[kept]], axis=1)
        for part in _apart(own):
            chosen, confidence = soft_nms(
                own[part][:MOST], points.scores[kept[part][:MOST], label], spread=spread, floor=floor
            )
            spans.append(own[part][chosen])
            labels.append(np.full(len(chosen), label))
            scores.append(confidence)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return Found(np.concatenate(spans)[order], np.concatenate(labels)[order], np.concatenate(scores)[order])


def soft_nms(
    spans: np.ndarray, scores: np.ndarray, *, spread: float = SPREAD, floor: float = FLOOR
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian soft non-maximum suppression (Bodla et al., ICCV 2017) of spans (spans, 2): places kept, scores.

    The surest span is taken, all others lose by the factor exp(-IoU² / spread), and so on until none reaches `floor`.

    >>> places, scores = soft_nms(np.array([[0.0, 2.0], [0.0, 2.0], [5.0, 6.0]]), np.array([0.9, 0.8, 0.5]))
    >>> places.tolist(), scores.round(3).tolist()
    ([0, 2, 1], [0.9, 0.5, 0.029])
    """
    left, rest = np.arange(len(spans)), np.asarray(scores, float).copy()
    places: list[int] = []
    kept: list[float] = []
    while len(left):
        best = int(rest.argmax())
        if rest[best] < floor:
            break
        place = int(left[best])
        places.append(place)
        kept.append(float(rest[best]))
        left, rest = np.delete(left, best), np.delete(rest, best)
        rest = rest * np.exp(-(overlap(spans[place], spans[left]) ** 2) / spread)
        high = rest >= floor
        left, rest = left[high], rest[high]
    return np.array(places, np.int64), np.array(kept)


def overlap(span: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Temporal intersection over union of one span (2,) with others (spans, 2); 0 where both have no length.

    >>> overlap(np.array([0.0, 2.0]), np.array([[1.0, 3.0], [4.0, 5.0]])).round(3).tolist()
    [0.333, 0.0]
    """
    inter = np.clip(np.minimum(span[1], others[:, 1]) - np.maximum(span[0], others[:, 0]), 0.0, None)
    union = (span[1] - span[0]) + (others[:, 1] - others[:, 0]) - inter
    return np.asarray(np.divide(inter, union, out=np.zeros_like(inter), where=union > 0))


def _apart(spans: np.ndarray) -> list[np.ndarray]:
    """Places of spans in groups that do not touch one another: suppression needs to look at each group only."""
    if not len(spans):
        return []
    order = np.argsort(spans[:, 0], kind="stable")
    reach = np.maximum.accumulate(spans[order, 1])
    breaks = np.flatnonzero(spans[order[1:], 0] >= reach[:-1]) + 1
    return [np.sort(group) for group in np.split(order, breaks)]
