"""How well a summary of a film agrees with people: F-score, Kendall's τ, Spearman's ρ; people and chance beside it.

The F-score compares chosen frames with those in each person's summary (the protocol of Zhang, Chao, Sha and Grauman,
2016, "Video summarization with long short-term memory"); over people it is the mean, as is usual for TVSum, or the
greatest, as for SumMe. Both summaries come from scores by the same segments and knapsack, so that much of the F-score
is owed to these and not to the scores: random ones reach about as much as people (Otani, Nakashima, Rahtu and Heikkilä,
2019, "Rethinking the evaluation of video summaries"). τ and ρ compare the scores themselves, with each person's, and
are averaged over people (ibid.). The human row leaves each person out in turn and compares with the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import kendalltau, rankdata

from fusible.errors import ArrayError, ConfigError

Rule = Literal["mean", "max"]
Choose = Callable[[np.ndarray], np.ndarray]
"""Makes a summary, bool (frames,), of scores (frames,)."""

CELLS = 1 << 24
"""Largest table of pairs of levels that is counted at once; more levels are sorted instead, which is as exact."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement with the people of one film, or its mean over films; NaN where it is not defined."""

    f: float
    kendall: float
    spearman: float


@dataclass(frozen=True, slots=True)
class Judges:
    """People who judged one film: their scores (people, frames) and their summaries, bool (people, frames).

    `rule` says how F-scores over people become one. Where people gave summaries only, as for SumMe, these are the
    scores as well. Raises `ArrayError` for shapes that differ, no people, no frames, and scores that are not finite.
    """

    scores: np.ndarray
    summaries: np.ndarray
    rule: Rule = "mean"

    def __post_init__(self) -> None:
        shapes = np.shape(self.scores), np.shape(self.summaries)
        if shapes[0] != shapes[1] or len(shapes[0]) != 2 or 0 in shapes[0]:
            raise ArrayError(f"summaries: expected scores and summaries of one shape (people, frames), got {shapes}")
        if not np.isfinite(self.scores).all():
            raise ArrayError("summaries: expected finite scores of people, got NaN or infinity; leave such people out")
        if self.rule not in {"mean", "max"}:
            raise ConfigError(f"summaries: expected the rule 'mean' or 'max', got {self.rule!r}")

    @classmethod
    def of(cls, scores: np.ndarray, choose: Choose, rule: Rule = "mean") -> Judges:
        """Judges whose summaries are made of their scores (people, frames), by `choose`, person by person."""
        return cls(scores, np.stack([choose(person) for person in scores]), rule)

    def judge(self, scores: np.ndarray, chosen: np.ndarray) -> Agreement:
        """Agreement of scores (frames,) and of the summary, bool (frames,), that was made of them."""
        f = _over(f_scores(chosen, self.summaries), self.rule)
        return Agreement(f, _mean(kendall(scores, self.scores)), _mean(spearman(scores, self.scores)))

    def human(self) -> Agreement:
        """Agreement of each person with the others, averaged over people; NaN for a person alone."""
        if len(self.scores) < 2:
            return Agreement(np.nan, np.nan, np.nan)
        people = range(len(self.scores))
        f = [_over(np.delete(f_scores(self.summaries[i], self.summaries), i), self.rule) for i in people]
        ranks = [_kendall(self.scores, self.scores), _spearman(self.scores, self.scores)]
        tau, rho = (_mean([_mean(np.delete(table[i], i)) for i in people]) for table in ranks)
        return Agreement(_mean(f), tau, rho)

    def chance(self, choose: Choose, *, draws: int = 10, seed: int = 0) -> Agreement:
        """Agreement of uniform random scores and their summaries by `choose`, averaged over `draws`."""
        scores = np.random.default_rng(seed).random((draws, self.scores.shape[1]))
        f = [_over(f_scores(choose(one), self.summaries), self.rule) for one in scores]
        tau, rho = _kendall(scores, self.scores), _spearman(scores, self.scores)
        return Agreement(_mean(f), _mean(tau), _mean(rho))


def average(agreements: Sequence[Agreement]) -> Agreement:
    """Mean over films, or over draws; where a value is not defined it is left out.

    >>> average([Agreement(0.5, 0.2, np.nan), Agreement(0.7, 0.0, 0.3)])
    Agreement(f=0.6, kendall=0.1, spearman=0.3)
    """
    columns = [[getattr(one, name) for one in agreements] for name in ("f", "kendall", "spearman")]
    return Agreement(*(_mean(column) for column in columns))


def f_scores(chosen: np.ndarray, people: np.ndarray) -> np.ndarray:
    """F-score (people,) of a summary (frames,) against each person's (people, frames); 0 where nothing is shared.

    >>> f_scores(np.array([1, 1, 0, 0]), np.array([[1, 0, 0, 0], [0, 0, 1, 1]])).round(3).tolist()
    [0.667, 0.0]
    """
    chosen, people = np.asarray(chosen, bool), np.asarray(people, bool)
    _check(chosen, people)
    shared = (people & chosen).sum(axis=1)
    return np.asarray(2.0 * shared / np.maximum(chosen.sum() + people.sum(axis=1), 1))


def kendall(scores: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Kendall's τ-b (people,) of scores (frames,) with each person's (people, frames).

    A person who gave everything one score is NaN; scores that are all equal order nothing and have τ = 0. Ties are
    counted exactly, in a table of levels.

    >>> kendall(np.array([1, 2, 3]), np.array([[1, 2, 3], [3, 2, 1], [1, 1, 2], [4, 4, 4]])).round(3).tolist()
    [1.0, -1.0, 0.816, nan]
    """
    scores, people = np.asarray(scores), np.asarray(people)
    _check(scores, people)
    return np.asarray(_kendall(scores[None], people)[0])


def spearman(scores: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Spearman's ρ (people,) of scores (frames,) with each person's (people, frames); ties have their mean rank.

    NaN and 0 as for `kendall`.

    >>> spearman(np.array([1, 2, 3]), np.array([[1, 2, 4], [3, 2, 1], [1, 1, 2]])).round(3).tolist()
    [1.0, -1.0, 0.866]
    """
    scores, people = np.asarray(scores), np.asarray(people)
    _check(scores, people)
    return np.asarray(_spearman(scores[None], people)[0])


def spread(scores: np.ndarray, starts: np.ndarray, frames: int) -> np.ndarray:
    """Scores per frame (frames,): each frame has that of the last step that starts at it or before it.

    `starts` (steps,) are frame numbers in rising order; frames before the first step have the first score.

    >>> spread(np.array([0.1, 0.9]), np.array([0, 3]), 5).tolist()
    [0.1, 0.1, 0.1, 0.9, 0.9]
    """
    starts = np.asarray(starts)
    if len(scores) != len(starts) or not len(starts) or (np.diff(starts) <= 0).any():
        raise ArrayError(
            f"summaries: expected one rising frame number per score, got {len(starts)} for {len(scores)} scores"
        )
    place = np.searchsorted(starts, np.arange(frames), side="right") - 1
    return np.asarray(scores)[np.maximum(place, 0)]


def _check(scores: np.ndarray, people: np.ndarray) -> None:
    if scores.ndim != 1 or people.ndim != 2 or people.shape[1:] != scores.shape:
        raise ArrayError(
            f"summaries: expected (frames,) and (people, frames) of as many frames, got {scores.shape} and "
            f"{people.shape}; `spread` gives scores of steps to frames"
        )
    for values in (scores, people):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ArrayError("summaries: expected finite scores, got NaN or infinity")


def _kendall(rows: np.ndarray, people: np.ndarray) -> np.ndarray:
    """τ-b (rows, people) of each row of scores with each person's."""
    theirs = [_levels(person) for person in people]
    return np.array([[_tau(ours, person) for person in theirs] for ours in map(_levels, rows)])


@dataclass(slots=True)
class _Levels:
    """The level of each frame, from 0 upwards, and how many frames have each."""

    codes: np.ndarray
    counts: np.ndarray


def _levels(scores: np.ndarray) -> _Levels:
    _, codes, counts = np.unique(scores, return_inverse=True, return_counts=True)
    return _Levels(codes, counts)


def _tau(ours: _Levels, theirs: _Levels) -> float:
    rows, columns = len(ours.counts), len(theirs.counts)
    if columns < 2:
        return np.nan
    if rows < 2:
        return 0.0
    if rows * columns > CELLS:
        return float(kendalltau(ours.codes, theirs.codes).statistic)
    table = np.bincount(ours.codes * columns + theirs.codes, minlength=rows * columns).reshape(rows, columns)
    lower = np.cumsum(table, axis=0) - table
    running = np.cumsum(lower, axis=1)
    gained = (table * (2 * running - lower - running[:, -1:])).sum()
    pairs = len(ours.codes) * (len(ours.codes) - 1) // 2
    free = [pairs - int((c * (c - 1) // 2).sum()) for c in (ours.counts, theirs.counts)]
    return float(int(gained) / math.sqrt(free[0] * free[1]))


def _spearman(rows: np.ndarray, people: np.ndarray) -> np.ndarray:
    """ρ (rows, people) of each row of scores with each person's: Pearson's correlation of ranks."""
    middle = (rows.shape[1] + 1) / 2
    ours, theirs = (rankdata(scores, axis=1) - middle for scores in (rows, people))
    own, spread = (np.sqrt((ranks**2).sum(axis=1)) for ranks in (ours, theirs))
    product = ours @ theirs.T / np.maximum(own[:, None] * spread, np.finfo(float).tiny)
    return np.where(spread > 0, np.clip(product, -1.0, 1.0), np.nan)


def _over(values: np.ndarray, rule: Rule) -> float:
    return float(values.max() if rule == "max" else values.mean())


def _mean(values: Sequence[float] | np.ndarray) -> float:
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else float("nan")
