"""Full rankings against sorting by hand, expectations over ties, and splits by user."""

import numpy as np
import pytest

from fusible.evaluation.recommendation import METRICS, cold_items, per_user, quick_ndcg, split_by_user


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(30, 40))
    hidden = rng.random((30, 40)) < 0.3
    relevant = (rng.random((30, 40)) < 0.15) & ~hidden
    return scores, hidden, relevant


def by_hand(scores, hidden, relevant):
    """One user: the definitions, with sorted lists."""
    shown = sorted((item for item in range(len(scores)) if not hidden[item]), key=lambda item: -scores[item])
    places = [place for place, item in enumerate(shown, 1) if relevant[item]]
    if not places:
        return dict.fromkeys(METRICS, np.nan)
    top = [place for place in places if place <= 10]
    ideal = sum(1 / np.log2(place + 1) for place in range(1, min(10, len(places)) + 1))
    return {
        "ndcg@10": sum(1 / np.log2(place + 1) for place in top) / ideal,
        "recall@10": len(top) / len(places),
        "mrr@10": 1 / top[0] if top else 0.0,
        "hit@10": float(bool(top)),
    }


def test_metrics_are_those_of_sorted_lists(case):
    found = per_user(*case)
    expected = [by_hand(*row) for row in zip(*case, strict=True)]
    for name in METRICS:
        np.testing.assert_allclose(found[name], [one[name] for one in expected], atol=1e-12)


def test_quick_ndcg_is_the_mean(case):
    scores, hidden, relevant = case
    np.testing.assert_allclose(quick_ndcg(scores, hidden, relevant), np.nanmean(per_user(*case)["ndcg@10"]), atol=1e-12)
    assert quick_ndcg(scores, hidden, np.zeros_like(relevant)) == 0.0


def test_equal_scores_give_what_a_random_order_gives():
    items, wanted = 50, 3
    relevant = np.zeros((1, items), bool)
    relevant[0, :wanted] = True
    found = per_user(np.zeros((1, items)), np.zeros((1, items), bool), relevant)
    discount = 1 / np.log2(np.arange(2, 12))
    np.testing.assert_allclose(found["ndcg@10"], wanted / items * discount.sum() / discount[:wanted].sum())
    np.testing.assert_allclose(found["recall@10"], 10 / items)
    missed = np.prod([(items - 10 - n) / (items - n) for n in range(wanted)])
    np.testing.assert_allclose(found["hit@10"], 1 - missed)


def test_what_is_hidden_is_neither_ranked_nor_wanted():
    hidden = np.array([[True, False, False]])
    found = per_user(np.array([[9.0, 1.0, 2.0]]), hidden, np.array([[True, False, True]]))
    assert found["ndcg@10"][0] == 1.0


def test_a_split_holds_out_a_tenth_of_each_users():
    users = np.repeat([0, 1, 2, 3], [40, 10, 3, 2])
    part = split_by_user(users, 0)
    assert [np.bincount(part[users == user], minlength=3).tolist() for user in range(4)] == [
        [32, 4, 4],
        [8, 1, 1],
        [1, 1, 1],
        [2, 0, 0],
    ]
    np.testing.assert_array_equal(part, split_by_user(users, 0))
    assert (part != split_by_user(users, 1)).any()


def test_cold_items_are_a_share():
    cold = cold_items(200, 3, 0.15)
    assert cold.sum() == 30
    np.testing.assert_array_equal(cold, cold_items(200, 3, 0.15))
