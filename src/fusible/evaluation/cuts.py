"""How well the transitions between a film's shots are found: precision, recall and F1 within a tolerance.

After the shot boundary task of TRECVid (Smeaton, Over & Doherty, Computer Vision and Image Understanding 114, 2010): a
transition is a run of frames; one found is right where, with both ends of the true one moved out by the tolerance, the
two share at least one frame, and every transition counts once. Pairs are chosen by optimal one-to-one matching: as many
as possible, then those that overlap best. TRECVid takes five frames; here the tolerance is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from fusible.errors import ArrayError

GRADUAL = frozenset({"fade", "dissolve", "gradual"})
"""Kinds of transitions that take more than one frame."""


@dataclass(frozen=True, slots=True, order=True)
class Transition:
    """Frames `first` to `last`, both included, that belong to neither shot fully; a cut has the new shot's first frame.

    `kind` is "cut", "fade", "dissolve", "gradual" (fade or dissolve), or "any", which a detector gives that does not
    tell kinds apart. `confidence` is the finder's, in 0-1.
    """

    kind: str
    first: int
    last: int
    confidence: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise ArrayError(f"transition: expected 0 <= first <= last, got first {self.first} and last {self.last}")


@dataclass(frozen=True, slots=True)
class CutScore:
    """How many were found rightly (`hits`), wrongly (`extra`), or not at all (`missed`)."""

    hits: int
    extra: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of what was found that is right; 1 where nothing was found."""
        return self.hits / (self.hits + self.extra) if self.hits + self.extra else 1.0

    @property
    def recall(self) -> float:
        """Share of what is there that was found; 1 where nothing is there."""
        return self.hits / (self.hits + self.missed) if self.hits + self.missed else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where nothing is there and nothing was found."""
        total = 2 * self.hits + self.extra + self.missed
        return 2 * self.hits / total if total else 1.0

    def __add__(self, other: CutScore) -> CutScore:
        return CutScore(self.hits + other.hits, self.extra + other.extra, self.missed + other.missed)


def match(truth: Sequence[Transition], found: Sequence[Transition], tolerance: int) -> list[tuple[int, int]]:
    """Pairs (of truth, of found) by optimal one-to-one matching, whatever their kinds.

    >>> match([Transition("cut", 10, 10)], [Transition("cut", 11, 11), Transition("cut", 10, 10)], 2)
    [(0, 1)]
    """
    if tolerance < 0:
        raise ArrayError(f"tolerance must be at least 0 frames, got {tolerance}")
    if not truth or not found:
        return []
    first, last = _ends(truth)
    other_first, other_last = _ends(found)
    shared = np.minimum(last[:, None], other_last) - np.maximum(first[:, None], other_first) + 1
    reach = shared + tolerance >= 1
    span = np.maximum(last[:, None], other_last) - np.minimum(first[:, None], other_first) + 1
    gain = np.where(reach, len(truth) + 1 + np.clip(shared / span, -1, 1) / 2, 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if reach[r, c]]


def _ends(transitions: Sequence[Transition]) -> tuple[np.ndarray, np.ndarray]:
    both = np.array([(t.first, t.last) for t in transitions], dtype=np.int64)
    return both[:, 0], both[:, 1]


def score_cuts(truth: Sequence[Transition], found: Sequence[Transition], tolerance: int = 2) -> dict[str, CutScore]:
    """Score one film: "cut" and "gradual", matched each among its own kind, and "any", matched whatever the kind.

    Where a detector does not tell kinds apart (kind "any"), what it found takes the kind of what it matches, else that
    of a cut: it is never blamed for naming a kind wrongly.

    >>> truth = [Transition("cut", 30, 30), Transition("dissolve", 50, 61)]
    >>> scores = score_cuts(truth, [Transition("cut", 31, 31), Transition("dissolve", 63, 70), Transition("cut", 5, 5)])
    >>> scores["cut"], scores["gradual"].f1
    (CutScore(hits=1, extra=1, missed=0), 1.0)
    """
    named = list(found)
    for index, other in match(truth, found, tolerance):
        if named[other].kind == "any":
            named[other] = replace(found[other], kind=truth[index].kind)
    scores = {"any": _score(truth, found, tolerance)}
    for kind in ("cut", "gradual"):
        mine = [[t for t in many if (t.kind in GRADUAL) == (kind == "gradual")] for many in (truth, named)]
        scores[kind] = _score(mine[0], mine[1], tolerance)
    return scores


def _score(truth: Sequence[Transition], found: Sequence[Transition], tolerance: int) -> CutScore:
    hits = len(match(truth, found, tolerance))
    return CutScore(hits, len(found) - hits, len(truth) - hits)


def total(scores: Iterable[dict[str, CutScore]]) -> dict[str, CutScore]:
    """Sum the counts of several films, so that every transition weighs the same."""
    sums: dict[str, CutScore] = {}
    for score in scores:
        for kind, counts in score.items():
            sums[kind] = sums.get(kind, CutScore(0, 0, 0)) + counts
    return sums
