"""Which strategy is better over several data sets.

After Demšar (JMLR 7, 2006) and Benavoli, Corani & Mangili (JMLR 17, 2016): average ranks, Friedman's test in the F form
of Iman and Davenport, Nemenyi's critical difference, and every pair tested with Holm's correction. The pairs decide:
Nemenyi's verdict on two strategies depends on which others stand in the table, as Benavoli et al. show, so the critical
difference is given for comparison only. The pairs' test is Wilcoxon's signed-rank test, or the sign test where sizes of
differences on different data sets are not comparable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import chi2, f, rankdata, studentized_range

from fusible.errors import ArrayError
from fusible.evaluation._signed import holm, sign, signed_rank
from fusible.evaluation.study import plain

ALPHA = 0.05
FEWEST = 6
"""Data sets from which on a test of pairs can reach `ALPHA` at all: 2 / 2⁶ < 0.05."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two strategies, `a` of the better rank: on how many data sets it wins, ties, loses; p as it is, and by Holm."""

    a: str
    b: str
    wins: int
    ties: int
    losses: int
    p_value: float
    adjusted: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Strategies from the best average rank to the worst, and what may be said of them.

    `chi_square` (corrected for ties) and `p_chi_square` are Friedman's, `f_statistic` (None where infinite) and
    `p_value` those of Iman and Davenport. `test` is "wilcoxon" or "sign". `groups` are runs of strategies, by rank, no
    two of which differ at 5 % (Holm); they are empty where `decides` is false. `least` is the smallest adjusted p that
    so many data sets can give a pair.
    """

    strategies: tuple[str, ...]
    ranks: tuple[float, ...]
    data_sets: int
    chi_square: float
    p_chi_square: float
    f_statistic: float | None
    p_value: float
    critical_difference: float
    test: str
    contrasts: tuple[Contrast, ...]
    groups: tuple[tuple[str, ...], ...]
    decides: bool
    least: float

    @property
    def statement(self) -> str:
        """One or two sentences: who leads, and whether that is more than chance."""
        first = self.strategies[0]
        lead = f"{first} has the best average rank, {self.ranks[0]:.2f} of {len(self.strategies)}"
        over = f"over {self.data_sets} data sets"
        if not self.decides:
            return f"{lead}, {over}: descriptive only, as fewer than {FEWEST} data sets can tell no pair apart at 5 %."
        if self.least > ALPHA:
            few = f"with {self.data_sets} data sets no pair of {len(self.strategies)} strategies can reach 5 %"
            return f"{lead}; {few}: add data sets, or compare fewer strategies."
        beaten = [c.b for c in self.contrasts if c.a == first and c.adjusted <= ALPHA and c.wins > c.losses]
        name = {"wilcoxon": "Wilcoxon", "sign": "sign test"}[self.test]
        said = f"better than {', '.join(beaten)}" if beaten else "not better than any other"
        return f"{lead}, {over}; it is {said} at 5 % ({name}, Holm)."

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {key: plain(value) for key, value in {**asdict(self), "statement": self.statement}.items()}


def rank(strategies: Sequence[str], scores: np.ndarray, *, comparable: bool = True) -> Ranking:
    """Rank strategies by scores (data sets, strategies), greater is better; equal scores share their mean rank.

    `comparable` says whether a difference of scores means the same on every data set: one metric without a unit.
    Raises `ArrayError` for fewer than two data sets or strategies, or scores that are not finite.

    >>> ranking = rank(["a", "b", "c"], np.array([[0.9, 0.8, 0.7], [0.6, 0.5, 0.5]]))
    >>> ranking.ranks, ranking.decides
    ((1.0, 2.25, 2.75), False)
    """
    scores = _checked(strategies, scores)
    number, k = scores.shape
    each = rankdata(-scores, axis=1)
    means = each.mean(axis=0)
    order = np.argsort(means, kind="stable")
    names, scores, means = [strategies[i] for i in order], scores[:, order], means[order]
    statistic, p_chi, ratio, p_value = _friedman(each)
    contrasts = _contrasts(names, scores, signed_rank if comparable else sign)
    decides = number >= FEWEST
    return Ranking(
        strategies=tuple(names),
        ranks=tuple(means.tolist()),
        data_sets=number,
        chi_square=statistic,
        p_chi_square=p_chi,
        f_statistic=ratio,
        p_value=p_value,
        critical_difference=critical_difference(k, number),
        test="wilcoxon" if comparable else "sign",
        contrasts=contrasts,
        groups=_groups(names, contrasts) if decides else (),
        decides=decides,
        least=min(1.0, k * (k - 1) / 2 * 2.0 ** (1 - number)),
    )


def critical_difference(strategies: int, data_sets: int, alpha: float = ALPHA) -> float:
    """Nemenyi's: the difference of average ranks that two of so many strategies need, over so many data sets.

    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    q = float(studentized_range.isf(alpha, strategies, np.inf)) / np.sqrt(2.0)
    return float(q * np.sqrt(strategies * (strategies + 1) / (6.0 * data_sets)))


def _checked(strategies: Sequence[str], scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or min(scores.shape) < 2 or scores.shape[1] != len(strategies):
        wanted = f"(data sets, {len(strategies)} strategies), at least two of each"
        raise ArrayError(f"ranking: expected scores of shape {wanted}, got {scores.shape}; give complete rows")
    if not np.isfinite(scores).all():
        row, column = np.argwhere(~np.isfinite(scores))[0]
        raise ArrayError(f"ranking: the score of {strategies[column]!r} on data set {row} is not finite; leave it out")
    return scores


def _friedman(ranks: np.ndarray) -> tuple[float, float, float | None, float]:
    """Friedman's chi-square and its p, the F of Iman and Davenport and its p; ties corrected (Conover, 1999)."""
    number, k = ranks.shape
    spread = float((ranks**2).sum()) - number * k * (k + 1) ** 2 / 4
    if spread <= 0:  # every data set ties all strategies
        return 0.0, 1.0, 0.0, 1.0
    between = float(((ranks.sum(axis=0) - number * (k + 1) / 2) ** 2).sum())
    statistic = (k - 1) * between / spread
    rest = number * (k - 1) - statistic
    p_chi = float(chi2.sf(statistic, k - 1))
    if rest <= 1e-9 * statistic:
        return statistic, p_chi, None, 0.0
    ratio = (number - 1) * statistic / rest
    return statistic, p_chi, ratio, float(f.sf(ratio, k - 1, (k - 1) * (number - 1)))


def _contrasts(names: Sequence[str], scores: np.ndarray, test: Any) -> tuple[Contrast, ...]:
    pairs = list(combinations(range(len(names)), 2))
    differences = [scores[:, i] - scores[:, j] for i, j in pairs]
    p_values = np.array([test(d) for d in differences])
    return tuple(
        Contrast(names[i], names[j], int((d > 0).sum()), int((d == 0).sum()), int((d < 0).sum()), float(p), float(q))
        for (i, j), d, p, q in zip(pairs, differences, p_values, holm(p_values), strict=True)
    )


def _groups(names: Sequence[str], contrasts: Sequence[Contrast]) -> tuple[tuple[str, ...], ...]:
    """Give the longest runs, in order of rank, of which no two differ; a run within another is left out."""
    differ = {(c.a, c.b) for c in contrasts if c.adjusted <= ALPHA}
    groups: list[tuple[str, ...]] = []
    end = 0
    for start in range(len(names)):
        stop = start + 1
        while stop < len(names) and not any((name, names[stop]) in differ for name in names[start:stop]):
            stop += 1
        if stop > end and stop - start > 1:
            groups.append(tuple(names[start:stop]))
        end = max(end, stop)
    return tuple(groups)
