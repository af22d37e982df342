"""From candidates for transitions, many for each, to those that are there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from fusible.evaluation.cuts import Transition

HOLD = 75
"""Most frames of one colour that a fade may hold; a longer rest is a shot of its own."""
DIM = 10
"""Most frames between the halves of a fade that are nearly, but not quite, of one colour."""
_GAPS = {0: 3, 1: 1, 2: 4}
"""Least frames between two transitions of which none, one, or both are gradual."""


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A possible transition: the log odds that it is one, its kind ("cut" or "dissolve"), first and last frame."""

    odds: float
    kind: str
    first: int
    last: int

    @property
    def gradual(self) -> bool:
        """Whether it takes more than one frame."""
        return self.kind != "cut"


def resolve(candidates: Iterable[Candidate], flat: np.ndarray, offset: int, closed: bool) -> list[Transition]:
    """Keep the best of candidates that overlap, join what goes through one colour to fades; in order of time.

    `flat` (frames,) says which frames from `offset` on are of one colour. A fade that begins with the film or, where
    `closed`, ends with it is no transition between shots.
    """
    kept: list[Candidate] = []
    for candidate in sorted(candidates, reverse=True):
        if not any(_clash(candidate, other, flat, offset) for other in kept):
            kept.append(candidate)
    joined: list[Candidate] = []
    for candidate in sorted(kept, key=lambda c: (c.first, c.last)):
        if joined and _one_fade(joined[-1], candidate, flat, offset):
            both = (joined.pop(), candidate)
            last = max(c.last for c in both)
            joined.append(Candidate(max(c.odds for c in both), "fade", both[0].first, last))
        else:
            joined.append(candidate)
    named = [_named(candidate, flat, offset) for candidate in joined]
    return [
        Transition(c.kind, c.first, c.last, 1 / (1 + math.exp(-c.odds)))
        for c in named
        if c.kind != "fade" or not _open_ended(c, flat, offset, closed)
    ]


def _clash(one: Candidate, other: Candidate, flat: np.ndarray, offset: int) -> bool:
    gap = _GAPS[one.gradual + other.gradual]
    near = one.first - gap <= other.last and one.last + gap >= other.first
    if not near or not (one.gradual and other.gradual):
        return near
    early, late = sorted((one, other), key=lambda c: c.first)
    overlap = late.first <= early.last
    return overlap or not flat[max(0, early.last - 1 - offset) : late.first + 2 - offset].any()


def _one_fade(early: Candidate, late: Candidate, flat: np.ndarray, offset: int) -> bool:
    """Whether the two are the way down and the way up of one fade: only one colour between them."""
    if not (early.gradual or late.gradual) or late.first - early.last > HOLD:
        return False
    between = flat[max(0, early.last - offset) : late.first + 1 - offset]
    return bool(between.any() and np.count_nonzero(~between) <= DIM)


def _named(candidate: Candidate, flat: np.ndarray, offset: int) -> Candidate:
    if candidate.kind != "dissolve":
        return candidate
    around = flat[max(0, candidate.first - 2 - offset) : candidate.last + 3 - offset]
    return replace(candidate, kind="fade") if around.any() else candidate


def _open_ended(fade: Candidate, flat: np.ndarray, offset: int, closed: bool) -> bool:
    begins = offset == 0 and bool(flat[: max(1, fade.first)].all())
    ends = closed and bool(flat[min(fade.last + 1 - offset, len(flat) - 1) :].all())
    return begins or ends
