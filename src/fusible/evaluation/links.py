"""Link prediction: filtered ranks of the right entity among all, ties at their mean, and what is made of them.

Protocol of Bordes et al. ("Translating Embeddings for Modeling Multi-relational Data", NeurIPS 2013), with the
realistic rank of Berrendorf et al. ("On the Ambiguity of Rank-Based Evaluation of Entity Alignment or Link Prediction
Methods", 2020): the mean of the best and the worst place among equal scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fusible.evaluation.bootstrap import LEVELS, draws, interval
from fusible.evaluation.study import Difference, Score
from fusible.types import Task

KS = (1, 3, 10)
TRUTH = Task("binary", ("false", "true"))
JUDGED = ("accuracy", "f1", "auroc", "ece")
"""What triple classification is measured by; `ece` is the expected calibration error."""


class Known:
    """What is true: for every query (entity, relation) the entities that answer it, sorted.

    Built of triples (rows, 3); a head is asked for by the reciprocal relation, `relation + relations`.
    """

    def __init__(self, triples: np.ndarray, relations: int) -> None:
        heads, kinds, tails = triples.T
        asked = np.concatenate([heads * 2 * relations + kinds, tails * 2 * relations + kinds + relations])
        answers = np.concatenate([tails, heads])
        order = np.lexsort((answers, asked))
        self._keys, starts = np.unique(asked[order], return_index=True)
        self._bounds = np.append(starts, len(order))
        self._answers, self._relations = answers[order], relations

    def answers(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of (row, entity) that are true, of queries (rows, 2): entity and relation or reciprocal relation."""
        keys = queries[:, 0] * 2 * self._relations + queries[:, 1]
        at = np.searchsorted(self._keys, keys)
        there = (at < len(self._keys)) & (self._keys[np.minimum(at, len(self._keys) - 1)] == keys)
        counts = np.where(there, np.diff(self._bounds)[np.minimum(at, len(self._keys) - 1)], 0)
        rows = np.repeat(np.arange(len(queries)), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        return rows, self._answers[self._bounds[np.minimum(at, len(self._keys) - 1)][rows] + within]


def both_ways(triples: np.ndarray, relations: int) -> tuple[np.ndarray, np.ndarray]:
    """Queries (2 rows, 2) and answers (2 rows,) of triples: tails first, then heads by reciprocal relations."""
    heads, kinds, tails = triples.T
    queries = np.concatenate([np.stack([heads, kinds], 1), np.stack([tails, kinds + relations], 1)])
    return queries, np.concatenate([tails, heads])


def ranks(scores: np.ndarray, queries: np.ndarray, answers: np.ndarray, known: Known) -> np.ndarray:
    """Realistic filtered rank (rows,) of each answer among all entities, best first.

    `scores` (rows, entities), higher is better; other true answers of a query do not count. NaN ranks last.

    >>> known = Known(np.array([[0, 0, 1], [0, 0, 2]]), relations=1)
    >>> ranks(np.array([[0.1, 0.5, 0.9, 0.5]]), np.array([[0, 0]]), np.array([1]), known)
    array([1.5])
    """
    held = np.nan_to_num(scores, copy=True, nan=-np.inf)
    own = held[np.arange(len(held)), answers]
    rows, others = known.answers(queries)
    better = (held > own[:, None]).sum(axis=1)
    equal = (held == own[:, None]).sum(axis=1) - 1
    apart = others != answers[rows]
    rows, others = rows[apart], others[apart]
    better -= np.bincount(rows, held[rows, others] > own[rows], minlength=len(held)).astype(np.int64)
    equal -= np.bincount(rows, held[rows, others] == own[rows], minlength=len(held)).astype(np.int64)
    return np.asarray(1 + better + equal / 2)


def per_triple(found: np.ndarray, ks: Sequence[int] = KS) -> dict[str, np.ndarray]:
    """Reciprocal rank and hits of each triple, the mean of its tail and its head: ranks of `both_ways` (2 rows,)."""
    sides = found.reshape(2, -1)
    values = {"mrr": (1 / sides).mean(axis=0), "mean_rank": sides.mean(axis=0)}
    return values | {f"hits@{k}": (sides <= k).mean(axis=0) for k in ks}


def summary(values: Mapping[str, np.ndarray], *, resamples: int = 1000, seed: int = 0) -> dict[str, Score]:
    """Means over triples with 95 % intervals by bootstrap of triples."""
    names, table = list(values), np.stack(list(values.values()), axis=1)
    if not len(table):
        return {name: Score(float("nan"), float("nan"), float("nan")) for name in names}
    drawn = np.concatenate([weights @ table / len(table) for weights in draws(len(table), resamples, seed)])
    low, high = np.percentile(drawn, LEVELS, axis=0)
    means = table.mean(axis=0)
    return {name: Score(float(means[i]), float(low[i]), float(high[i])) for i, name in enumerate(names)}


def difference(ours: np.ndarray, theirs: np.ndarray, *, resamples: int = 1000, seed: int = 0) -> Difference:
    """By how much ours is better, per triple (rows,), with its paired 95 % interval by bootstrap of triples."""
    apart = ours - theirs
    drawn = np.concatenate([weights @ apart / len(apart) for weights in draws(len(apart), resamples, seed)])
    low, high = np.percentile(drawn, LEVELS)
    better = float((drawn > 0).mean() + 0.5 * (drawn == 0).mean())
    return Difference(float(apart.mean()), float(low), float(high), better)


def classified(truth: np.ndarray, probability: np.ndarray, *, seed: int = 0) -> dict[str, Score]:
    """Metrics of triple classification with 95 % intervals by bootstrap of triples.

    `truth` (rows,) is 1 where a triple is true, `probability` (rows,) that it is; from .5 on it is taken as true.
    """
    both = np.column_stack([1 - probability, probability])
    return {name: interval(name, TRUTH, truth, both, seed=seed) for name in JUDGED}
