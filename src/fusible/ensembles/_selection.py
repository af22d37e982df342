"""Greedy forward selection of members with replacement, by incremental sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fusible.ensembles._gating import SMALLEST

PATIENCE = 6
Merit = tuple[float, float]
"""Loss by the metric, then log-loss or squared error: smaller is better, compared in this order."""


@dataclass(frozen=True, slots=True)
class Library:
    """Members' predictions on some rows, for selecting.

    `told` (rows, members, parts) and `presence` (rows, members), as in `_gating.Given`; `target` (rows,) and `scores`
    (members, rows, classes) where decisions count; `fallback` (rows, parts), what a row without a member is told;
    `metric` is "accuracy", "mae" or nothing.
    """

    told: np.ndarray
    presence: np.ndarray
    fallback: np.ndarray
    target: np.ndarray
    values: bool
    metric: str = ""
    scores: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Library:
        """Some rows."""
        scores = None if self.scores is None else self.scores[:, rows]
        told, fallback = self.told[rows], self.fallback[rows]
        return Library(told, self.presence[rows], fallback, self.target[rows], self.values, self.metric, scores)

    def start(self) -> Ensemble:
        """An ensemble of no member."""
        classes = None if self.scores is None else np.zeros(self.scores.shape[1:])
        counts, told = np.zeros(self.presence.shape[1]), np.zeros_like(self.fallback)
        return Ensemble(self, counts, told, np.zeros(len(self.target)), classes)


@dataclass(slots=True)
class Ensemble:
    """A growing ensemble: how often each member was taken, and sums over the taken ones that are present."""

    library: Library
    counts: np.ndarray
    told: np.ndarray
    number: np.ndarray
    classes: np.ndarray | None

    def _with(self, member: int, times: float) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        here = self.library.presence[:, member] * times
        told = self.told + here[:, None] * self.library.told[:, member]
        classes = self.classes
        if classes is not None and self.library.scores is not None:
            classes = classes + here[:, None] * self.library.scores[member]
        return told, self.number + here, classes

    def add(self, member: int, times: float = 1.0) -> None:
        """Take a member."""
        self.told, self.number, self.classes = self._with(member, times)
        self.counts = self.counts + times * (np.arange(len(self.counts)) == member)

    def merit(self, member: int | None = None) -> Merit:
        """Merit as it is, or with a member more."""
        told, number, classes = (self.told, self.number, self.classes) if member is None else self._with(member, 1.0)
        return _merit(self.library, told, number, classes)


def _merit(library: Library, told: np.ndarray, number: np.ndarray, classes: np.ndarray | None) -> Merit:
    seen = number > 0
    mean = np.where(seen[:, None], told / np.where(seen, number, 1.0)[:, None], library.fallback)
    if library.values:
        away = mean[:, 0] - library.target
        squared = float((away**2).mean())
        return (float(np.abs(away).mean()) if library.metric == "mae" else squared, squared)
    loss = float(-np.log(np.maximum(mean, SMALLEST)).mean())
    if classes is None:
        return (loss, loss)
    wrong = (classes.argmax(axis=1) != library.target) | ~seen
    return (float(wrong.mean()), loss)


def path(library: Library, members: np.ndarray, steps: int) -> list[np.ndarray]:
    """Counts (members,) of the ensembles on the way: the best member, the best few, then one more at a time.

    `members` are those that may be taken. The start is the best by itself, then the N best (N by merit); `steps` more
    are taken, each the one that gains most (or loses least), until nothing has improved for a while.
    """
    alone = []
    for member in members:
        single = library.start()
        single.add(int(member))
        alone.append(single.merit())
    order = [int(members[i]) for i in sorted(range(len(members)), key=lambda i: (alone[i], i))]
    ensemble = _sorted_start(library, order)
    first = np.eye(library.presence.shape[1])[order[0]]
    found = [first] if np.array_equal(first, ensemble.counts) else [first, ensemble.counts]
    best, since = ensemble.merit(), 0
    for _ in range(steps):
        each = [(ensemble.merit(member), place) for place, member in enumerate(order)]
        merit, place = min(each)
        ensemble.add(order[place])
        found.append(ensemble.counts)
        best, since = (merit, 0) if merit < best else (best, since + 1)
        if since >= PATIENCE:
            break
    return found


def _sorted_start(library: Library, order: list[int]) -> Ensemble:
    """The N best members, once each, with the N of best merit."""
    growing, merits = library.start(), []
    for member in order:
        growing.add(member)
        merits.append(growing.merit())
    start = library.start()
    for member in order[: merits.index(min(merits)) + 1]:
        start.add(member)
    return start


def judge(library: Library, counts: np.ndarray) -> Merit:
    """Merit of weights (members,) on a library."""
    ensemble: Any = library.start()
    for member in np.flatnonzero(counts):
        ensemble.add(int(member), float(counts[member]))
    result: Merit = ensemble.merit()
    return result
