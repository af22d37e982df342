"""How well queries find what belongs to them: recalls in both definitions, ranks, average precision, nDCG.

A ranking comes from similarities (queries, items); `relevant` (queries, items) bool says what belongs together. Equal
similarities stand in a random order: every value is the expectation over these orders (McSherry and Najork, 2008,
"Computing information retrieval performance measures efficiently in the presence of tied scores"), so that chance is
what a matrix of zeros gives.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from fusible.errors import ArrayError
from fusible.evaluation.bootstrap import LEVELS, draws
from fusible.evaluation.study import Difference, Score

KS = (1, 5, 10)
CHUNK = 512
"""Queries that are ranked at once."""
MEDIAN, MAP = "median_rank", "map"
Values = dict[str, np.ndarray]


def per_query(similarity: np.ndarray, relevant: np.ndarray, ks: Sequence[int] = KS) -> Values:
    """Values per query (queries,), NaN for a query that nothing belongs to.

    `recall_any@k`: 1 where any relevant item is among the first k. `recall_share@k`: the share of the relevant items
    that is. `rank`: of the first relevant item, from 1. `average_precision` and `ndcg`: over the whole ranking;
    `ndcg@10` of its first ten. Raises `ArrayError` for shapes that differ and similarities that are not finite.

    >>> values = per_query(np.array([[0.9, 0.5, 0.1]]), np.array([[False, True, True]]), ks=(2,))
    >>> float(values["recall_any@2"][0]), float(values["recall_share@2"][0]), float(values["rank"][0])
    (1.0, 0.5, 2.0)
    """
    similarity, relevant = np.asarray(similarity), np.asarray(relevant, bool)
    if similarity.ndim != 2 or similarity.shape != relevant.shape or not similarity.shape[1]:
        raise ArrayError(
            f"retrieval: expected similarity and relevance of one shape (queries, items), got {similarity.shape} "
            f"and {relevant.shape}"
        )
    if not np.isfinite(similarity).all():
        raise ArrayError("retrieval: expected finite similarities, got NaN or infinity; leave absent items out")
    starts = range(0, max(1, len(similarity)), CHUNK)
    pieces = [_ranked(similarity[i : i + CHUNK], relevant[i : i + CHUNK], ks) for i in starts]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def chance(relevant: np.ndarray, ks: Sequence[int] = KS) -> Values:
    """Values per query of a random order: the same expectations, where all similarities are equal."""
    return per_query(np.broadcast_to(np.float32(0), np.shape(relevant)), relevant, ks)


@dataclass(slots=True)
class _Ties:
    """Groups of equal similarity, over all queries: query, items before, items, relevant before, relevant."""

    query: np.ndarray
    before: np.ndarray
    size: np.ndarray
    found: np.ndarray
    own: np.ndarray


def _ranked(similarity: np.ndarray, relevant: np.ndarray, ks: Sequence[int]) -> Values:
    queries, items = similarity.shape
    order = np.argsort(-similarity, axis=1, kind="stable")
    own = np.take_along_axis(relevant, order, axis=1)
    ties = _ties(np.take_along_axis(similarity, order, axis=1), own)
    total = relevant.sum(axis=1)
    some = np.where(total > 0, total, np.nan)
    first = np.flatnonzero((ties.found == 0) & (ties.own > 0))
    values: Values = {}
    for k in ks:
        among = np.clip(k - ties.before, 0, ties.size)
        values[f"recall_any@{k}"] = np.full(queries, np.nan)
        values[f"recall_any@{k}"][ties.query[first]] = 1.0 - _missed(ties.size[first], ties.own[first], among[first])
        shares = np.bincount(ties.query, ties.own * among / ties.size, minlength=queries)
        values[f"recall_share@{k}"] = shares / some
    values["rank"] = np.full(queries, np.nan)
    values["rank"][ties.query[first]] = ties.before[first] + (ties.size[first] + 1) / (ties.own[first] + 1)
    expected = (ties.own / ties.size).repeat(ties.size).reshape(queries, items)
    values["average_precision"] = _precisions(ties, expected) / some
    discount = 1.0 / np.log2(np.arange(2, items + 2))
    best = np.concatenate([[np.nan], np.cumsum(discount)])
    values["ndcg"] = expected @ discount / best[total]
    values["ndcg@10"] = expected[:, :10] @ discount[:10] / best[np.minimum(total, 10)]
    return values


def _ties(ordered: np.ndarray, own: np.ndarray) -> _Ties:
    queries, items = ordered.shape
    new = np.ones((queries, items), bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    starts = np.flatnonzero(new)
    size = np.diff(starts, append=queries * items)
    within = np.add.reduceat(own.reshape(-1).astype(np.int64), starts)
    query, before = starts // items, starts % items
    running = np.cumsum(within) - within
    at_start = running[np.flatnonzero(before == 0)]
    return _Ties(query, before, size, running - at_start[query], within)


def _missed(size: np.ndarray, own: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Probability that none of `own` of `size` items is among so many drawn: a hypergeometric one."""
    rest = size - own
    possible = among <= rest
    safe = np.where(possible, among, 0)
    log = gammaln(rest + 1) - gammaln(rest - safe + 1) - gammaln(size + 1) + gammaln(size - safe + 1)
    return np.where(possible, np.exp(np.minimum(log, 0.0)), 0.0)


def _precisions(ties: _Ties, expected: np.ndarray) -> np.ndarray:
    """Expected sum, per query, of the precision at each relevant item."""
    queries, items = expected.shape
    place = np.arange(queries * items) % items
    spread = {name: getattr(ties, name).repeat(ties.size) for name in ("before", "size", "found", "own")}
    inside = place - spread["before"]
    others = np.where(spread["size"] > 1, (spread["own"] - 1) / np.maximum(spread["size"] - 1, 1), 0.0)
    precision = (spread["found"] + 1 + inside * others) / (place + 1)
    return np.asarray((expected * precision.reshape(queries, items)).sum(axis=1))


def mean_recall(values: Values, ks: Sequence[int] = KS) -> np.ndarray:
    """Mean per query of `recall_any` over the cut-offs."""
    return np.asarray(np.mean([values[f"recall_any@{k}"] for k in ks], axis=0))


def summary(values: Values, groups: np.ndarray, *, resamples: int = 1000, seed: int = 0) -> dict[str, Score]:
    """Means over queries with 95 % bootstrap intervals: recalls, nDCG, `map`, `mean_recall`; and `median_rank`.

    Queries of one group (queries,) are resampled together: captions of one picture are not independent. Queries whose
    value is NaN are left out.
    """
    kept = np.isfinite(values["rank"])
    values = {name: column[kept] for name, column in values.items()}
    if not kept.any():
        raise ArrayError("retrieval: expected a query that something belongs to, got none")
    columns = {MAP if name == "average_precision" else name: values[name] for name in values if name != "rank"}
    columns["mean_recall"] = mean_recall(values, sorted({int(n.split("@")[1]) for n in values if "_any@" in n}))
    table = np.stack(list(columns.values()), axis=1)
    _, place = np.unique(groups[kept], return_inverse=True)
    means, medians = [], []
    order = np.argsort(values["rank"], kind="stable")
    for weights in draws(int(place.max()) + 1, resamples, seed):
        spread = weights[:, place]
        means.append(spread @ table / spread.sum(axis=1, keepdims=True))
        medians.append(_medians(values["rank"][order], spread[:, order]))
    low, high = np.percentile(np.concatenate(means), LEVELS, axis=0)
    found = {n: Score(float(table[:, i].mean()), float(low[i]), float(high[i])) for i, n in enumerate(columns)}
    ends = np.percentile(np.concatenate(medians), LEVELS)
    return {**found, MEDIAN: Score(float(np.median(values["rank"])), float(ends[0]), float(ends[1]))}


def difference(
    ours: Sequence[np.ndarray],
    theirs: Sequence[np.ndarray],
    groups: Sequence[np.ndarray],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Difference:
    """By how much one ranking is better than another, by values per query, greater being better.

    Each sequence has an entry (queries,) per direction; the value is the mean over directions of the means over
    queries. The bootstrap is paired, over groups that all directions share.
    """
    kept = [np.isfinite(a) & np.isfinite(b) for a, b in zip(ours, theirs, strict=True)]
    gains = [(a - b)[k] for a, b, k in zip(ours, theirs, kept, strict=True)]
    codes, place = np.unique(np.concatenate([g[k] for g, k in zip(groups, kept, strict=True)]), return_inverse=True)
    places = np.split(place, np.cumsum([len(g) for g in gains])[:-1])
    drawn = []
    for weights in draws(len(codes), resamples, seed):
        sums = [
            weights[:, p] @ g / np.maximum(weights[:, p].sum(axis=1), 1) for g, p in zip(gains, places, strict=True)
        ]
        drawn.append(np.mean(sums, axis=0))
    flat = np.concatenate(drawn)
    low, high = np.percentile(flat, LEVELS)
    better = float((flat > 0).mean() + 0.5 * (flat == 0).mean())
    return Difference(float(np.mean([g.mean() for g in gains])), float(low), float(high), better)


def _medians(ordered: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted medians (resamples,) of values in rising order; the mean of two where two are in the middle."""
    running = np.cumsum(weights, axis=1)
    half = running[:, -1:] / 2
    low = (running < half).sum(axis=1)
    high = (running <= half).sum(axis=1)
    last = len(ordered) - 1
    return np.asarray((ordered[np.minimum(low, last)] + ordered[np.minimum(high, last)]) / 2)


def bm25(queries: Sequence[str], documents: Sequence[str], *, k1: float = 1.5, b: float = 0.75) -> np.ndarray:
    """Similarity (queries, documents) by words: Okapi BM25 (Robertson and Zaragoza, 2009), lower case.

    >>> bm25(["a dog"], ["the dog runs", "a cat", "a house by the sea"]).argmax()
    np.int64(0)
    """
    counts = [Counter(_words(text)) for text in documents]
    lengths = np.array([sum(count.values()) for count in counts], float)
    norm = k1 * (1 - b + b * lengths / max(lengths.mean() if len(lengths) else 1.0, 1e-9))
    holders: dict[str, list[tuple[int, int]]] = {}
    for i, count in enumerate(counts):
        for word, number in count.items():
            holders.setdefault(word, []).append((i, number))
    weights = {word: _weights(found, norm, k1, len(counts)) for word, found in holders.items()}
    scores = np.zeros((len(queries), len(documents)))
    for row, text in enumerate(queries):
        for word, number in Counter(_words(text)).items():
            if word in weights:
                places, values = weights[word]
                scores[row, places] += number * values
    return scores


def _weights(found: list[tuple[int, int]], norm: np.ndarray, k1: float, total: int) -> tuple[np.ndarray, np.ndarray]:
    places, number = (np.array(column) for column in zip(*found, strict=True))
    rarity = np.log1p((total - len(found) + 0.5) / (len(found) + 0.5))
    return places, rarity * number * (k1 + 1) / (number + norm[places])


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def to_json(scores: Mapping[str, Score]) -> dict[str, dict[str, float]]:
    """Scores as plain values."""
    return {name: {"score": s.score, "low": s.low, "high": s.high} for name, s in scores.items()}
