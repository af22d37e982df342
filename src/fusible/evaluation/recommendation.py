"""Recommendation: splits by user and by item, and full rankings over all items that a user has not had.

No item is sampled away: rankings among samples are not those among all (Krichene and Rendle, "On Sampled Metrics for
Item Recommendation", KDD 2020).
"""

from __future__ import annotations

import numpy as np

from fusible.evaluation.retrieval import per_query

K = 10
TRAIN, VALID, TEST = 0, 1, 2
MOST_JUDGED = 4_000
"""Users whose held-out interactions are looked at, at most."""
METRICS = (f"ndcg@{K}", f"recall@{K}", f"mrr@{K}", f"hit@{K}")
_DISCOUNT = 1.0 / np.log2(np.arange(2, K + 2))
_IDEAL = np.cumsum(_DISCOUNT)


def split_by_user(users: np.ndarray, seed: int, share: float = 0.1) -> np.ndarray:
    """Part (rows,) of every interaction: of each user's, drawn by the seed, a share each for validation and test.

    `users` (rows,) are whole numbers. Shares are rounded down, but to no less than one; the interactions of a user with
    fewer than three are all for training.

    >>> part = split_by_user(np.array([0] * 20 + [1, 1]), seed=0)
    >>> np.bincount(part[:20]).tolist(), part[20:].tolist()
    ([16, 2, 2], [0, 0])
    """
    mixed = np.random.default_rng(seed).permutation(len(users))
    order = mixed[np.argsort(users[mixed], kind="stable")]
    counts = np.bincount(users)
    of_user = counts[users[order]]
    place = np.arange(len(users)) - (np.cumsum(counts) - counts)[users[order]]
    held = np.where(of_user < 3, 0, np.maximum((of_user * share).astype(np.int64), 1))
    part = np.empty(len(users), np.int8)
    part[order] = np.where(place < held, TEST, np.where(place < 2 * held, VALID, TRAIN))
    return part


def cold_items(items: int, seed: int, share: float) -> np.ndarray:
    """Bool (items,): a share of all items, drawn by the seed, that training is to know nothing of."""
    cold = np.zeros(items, bool)
    cold[np.random.default_rng(seed).permutation(items)[: round(items * share)]] = True
    return cold


def drawn(users: np.ndarray, seed: int) -> np.ndarray:
    """The users (rows,) that are looked at, rising: all, or `MOST_JUDGED` drawn by the seed."""
    return np.sort(np.random.default_rng(seed).permutation(users)[:MOST_JUDGED])


def per_user(scores: np.ndarray, hidden: np.ndarray, relevant: np.ndarray) -> dict[str, np.ndarray]:
    """NDCG, recall, reciprocal rank and hit at 10 of each user (users,); NaN for one who has nothing held out.

    `scores` (users, items); what is `hidden` (users, items), such as what the user had in training, is not ranked.
    Equal scores stand in random order: values are expectations, but for the reciprocal rank, which is that of the
    expected rank of the first relevant item.

    >>> had, wanted = np.array([[True, False, False]]), np.array([[False, False, True]])
    >>> found = per_user(np.array([[3.0, 2.0, 1.0]]), had, wanted)
    >>> {name: round(float(value[0]), 3) for name, value in found.items()}
    {'ndcg@10': 0.631, 'recall@10': 1.0, 'mrr@10': 0.5, 'hit@10': 1.0}
    """
    shown = np.asarray(scores, np.float64)
    low = np.finfo(np.float64).min
    found = per_query(np.where(hidden, low, shown), np.asarray(relevant, bool) & ~hidden, ks=(K,))
    rank = found["rank"]
    with np.errstate(invalid="ignore"):
        first = np.where(np.isnan(rank), np.nan, np.where(rank <= K, 1.0 / rank, 0.0))
    values = (found[f"ndcg@{K}"], found[f"recall_share@{K}"], first, found[f"recall_any@{K}"])
    return dict(zip(METRICS, values, strict=True))


def quick_ndcg(scores: np.ndarray, hidden: np.ndarray, relevant: np.ndarray) -> float:
    """Mean NDCG at 10 over users with something held out, for choosing: equal scores in any order."""
    users = np.flatnonzero(relevant.any(axis=1))
    if not len(users):
        return 0.0
    shown = np.where(hidden[users], -np.inf, scores[users])
    k = min(K, shown.shape[1])
    top = np.argpartition(-shown, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(shown, top, axis=1), axis=1, kind="stable")
    gained = np.take_along_axis(relevant[users], np.take_along_axis(top, order, axis=1), axis=1) @ _DISCOUNT[:k]
    most = np.minimum(relevant[users].sum(axis=1), K)
    return float((gained / _IDEAL[most - 1]).mean())
