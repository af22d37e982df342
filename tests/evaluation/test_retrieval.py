"""Metrics of retrieval against brute force, closed forms and peers."""

from itertools import pairwise, permutations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import ArrayError
from fusible.evaluation.retrieval import bm25, chance, difference, mean_recall, per_query, summary


def brute(order, relevant, k):
    """Every metric of one order, written out."""
    hits = [bool(relevant[i]) for i in order]
    places = [i + 1 for i, hit in enumerate(hits) if hit]
    ideal = sum(1 / np.log2(i + 2) for i in range(len(places)))
    return {
        f"recall_any@{k}": float(any(hits[:k])),
        f"recall_share@{k}": sum(hits[:k]) / len(places),
        "rank": places[0],
        "average_precision": np.mean([(n + 1) / place for n, place in enumerate(places)]),
        "ndcg": sum(1 / np.log2(place + 1) for place in places) / ideal,
    }


@given(
    st.lists(st.integers(0, 2), min_size=2, max_size=6).flatmap(
        lambda scores: st.tuples(st.just(scores), st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    ),
    st.integers(1, 4),
)
def test_ties_are_the_mean_over_all_orders(case, k):
    scores, relevant = case
    found = per_query(np.array([scores], float), np.array([relevant]), ks=(k,))
    if not any(relevant):
        assert all(np.isnan(values[0]) for values in found.values())
        return
    fitting = [
        order for order in permutations(range(len(scores))) if all(scores[a] >= scores[b] for a, b in pairwise(order))
    ]
    each = [brute(order, relevant, k) for order in fitting]
    for name in each[0]:
        np.testing.assert_allclose(found[name][0], np.mean([one[name] for one in each]), err_msg=name)


def test_agrees_with_torchmetrics(rng):
    peer = pytest.importorskip("torchmetrics.functional.retrieval")
    import torch

    similarity, relevant = rng.normal(size=(20, 30)), rng.random((20, 30)) < 0.2
    relevant[:, 0] = True
    found = per_query(similarity, relevant)
    for i in range(20):
        pair = torch.tensor(similarity[i]), torch.tensor(relevant[i])
        assert found["average_precision"][i] == pytest.approx(float(peer.retrieval_average_precision(*pair)))
        assert found["ndcg"][i] == pytest.approx(float(peer.retrieval_normalized_dcg(*pair)))
        assert found["ndcg@10"][i] == pytest.approx(float(peer.retrieval_normalized_dcg(*pair, top_k=10)))
        assert found["recall_share@5"][i] == pytest.approx(float(peer.retrieval_recall(*pair, top_k=5)))
        assert found["recall_any@5"][i] == pytest.approx(float(peer.retrieval_hit_rate(*pair, top_k=5)))
        assert 1 / found["rank"][i] == pytest.approx(float(peer.retrieval_reciprocal_rank(*pair)))


def test_chance_has_closed_forms():
    relevant = np.zeros((2, 20), bool)
    relevant[0, :3] = relevant[1, :1] = True
    found = chance(relevant, ks=(5,))
    np.testing.assert_allclose(found["recall_any@5"], [1 - comb(17, 5) / comb(20, 5), 5 / 20])
    np.testing.assert_allclose(found["recall_share@5"], [0.25, 0.25])
    np.testing.assert_allclose(found["rank"], [21 / 4, 21 / 2])
    np.testing.assert_allclose(found["average_precision"][1], np.mean(1 / np.arange(1, 21)))


def test_the_two_recalls_differ_and_are_named():
    similarity = np.array([[0.9, 0.8, 0.1, 0.0]])
    found = per_query(similarity, np.array([[True, False, True, False]]), ks=(1,))
    assert found["recall_any@1"][0] == 1.0
    assert found["recall_share@1"][0] == 0.5


def test_chunks_change_nothing(rng, monkeypatch):
    similarity, relevant = rng.integers(0, 4, size=(23, 9)).astype(float), rng.random((23, 9)) < 0.3
    whole = per_query(similarity, relevant)
    monkeypatch.setattr("fusible.evaluation.retrieval.CHUNK", 5)
    for name, values in per_query(similarity, relevant).items():
        np.testing.assert_array_equal(values, whole[name])


def test_summary_resamples_groups_whole(rng):
    similarity, relevant = rng.normal(size=(40, 40)), np.eye(40, dtype=bool)
    values = per_query(similarity + 2 * relevant, relevant)
    alone = summary(values, np.arange(40))
    assert alone["recall_any@1"].score == values["recall_any@1"].mean()
    assert alone["median_rank"].score == np.median(values["rank"])
    assert alone["map"].score == pytest.approx((1 / values["rank"]).mean())
    assert alone["mean_recall"].score == pytest.approx(mean_recall(values).mean())
    twice = {name: np.repeat(column, 4) for name, column in values.items()}
    grouped = summary(twice, np.repeat(np.arange(40), 4))
    assert grouped["recall_any@5"] == alone["recall_any@5"]  # copies of a query add nothing
    free = summary(twice, np.arange(160))
    assert free["recall_any@5"].high - free["recall_any@5"].low < 0.7 * (
        alone["recall_any@5"].high - alone["recall_any@5"].low
    )


def test_median_rank_of_resamples_is_numpys(rng):
    from fusible.evaluation.bootstrap import draws
    from fusible.evaluation.retrieval import _medians

    ranks = np.sort(rng.integers(1, 9, size=15)).astype(float)
    weights = next(iter(draws(15, 50, 0)))
    expected = [np.median(np.repeat(ranks, line.astype(int))) for line in weights]
    np.testing.assert_array_equal(_medians(ranks, weights), expected)


def test_difference_is_paired_over_shared_groups(rng):
    base = rng.random(50)
    found = difference([base + 0.1, base + 0.3], [base, base], [np.arange(50)] * 2)
    assert found.mean == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2)
    assert found.p_better == 1.0
    same = difference([base], [base], [np.arange(50)])
    assert (same.mean, same.p_better) == (0.0, 0.5)


def test_bm25_by_hand():
    documents = ["red car", "red red house by the sea", "a boat"]
    scores = bm25(["red boat"], documents)[0]
    average = (2 + 6 + 2) / 3
    rare = {word: np.log1p((3 - n + 0.5) / (n + 0.5)) for word, n in (("red", 2), ("boat", 1))}

    def part(word, times, length):
        return rare[word] * times * 2.5 / (times + 1.5 * (0.25 + 0.75 * length / average))

    np.testing.assert_allclose(scores, [part("red", 1, 2), part("red", 2, 6), part("boat", 1, 2)])
    assert bm25(["x"], ["", ""]).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("similarity", "relevant", "words"),
    [
        (np.zeros((2, 3)), np.zeros((2, 2), bool), "one shape"),
        (np.full((1, 2), np.nan), np.ones((1, 2), bool), "finite"),
        (np.zeros((2, 0)), np.zeros((2, 0), bool), "one shape"),
    ],
)
def test_bad_input_is_one_line(similarity, relevant, words):
    with pytest.raises(ArrayError, match=words) as caught:
        per_query(similarity, relevant)
    assert "\n" not in str(caught.value)


def test_nothing_relevant_has_no_summary():
    with pytest.raises(ArrayError, match="expected a query"):
        summary(per_query(np.zeros((2, 3)), np.zeros((2, 3), bool)), np.arange(2))
