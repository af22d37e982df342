"""Similarity of views on held-out rows, against closed forms and brute force."""

import numpy as np
import pytest

from fusible.evaluation import similarity
from fusible.evaluation.bootstrap import draws
from fusible.evaluation.similarity import correlation_intervals, linear_cka, modality_gap, recalls, significance


def pair(rng, rows=200, strength=(0.9, 0.5, 0.0)):
    one = rng.normal(size=(rows, len(strength)))
    noise = rng.normal(size=one.shape)
    return one, one * strength + noise * np.sqrt(1 - np.square(strength))


def test_intervals_are_those_of_repeated_rows(rng):
    one, other = pair(rng, rows=30)
    other[4] = np.nan
    blocks = np.arange(30) // 2
    found = correlation_intervals([one, other], blocks, resamples=300, seed=3)
    drawn = []
    for weights in draws(15, 300, 3):
        for weight in weights:
            rows = np.repeat(np.arange(30), weight[blocks].astype(int))
            rows = rows[rows != 4]
            drawn.append([np.corrcoef(one[rows, k], other[rows, k])[0, 1] for k in range(3)])
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    there = np.arange(30) != 4
    for k, score in enumerate(found):
        assert score.score == pytest.approx(np.corrcoef(one[there, k], other[there, k])[0, 1])
        assert (score.low, score.high) == (pytest.approx(low[k]), pytest.approx(high[k]))


def test_rows_of_one_block_make_intervals_wider(rng):
    one, other = pair(rng, rows=50)
    one, other = np.repeat(one, 4, axis=0), np.repeat(other, 4, axis=0)
    alone = correlation_intervals([one, other], np.arange(200))
    blocks = correlation_intervals([one, other], np.repeat(np.arange(50), 4))
    for a, b in zip(alone[1:], blocks[1:], strict=True):
        assert b.high - b.low > 1.5 * (a.high - a.low)


def test_several_views_are_the_mean_over_pairs(rng):
    one, other = pair(rng)
    third = one + rng.normal(size=one.shape)
    each = [correlation_intervals(list(two), np.arange(200))[0].score for two in ((one, other), (one, third))]
    each.append(correlation_intervals([other, third], np.arange(200))[0].score)
    assert correlation_intervals([one, other, third], np.arange(200))[0].score == pytest.approx(np.mean(each))
    np.testing.assert_allclose(
        linear_cka([one, other, third]),
        np.mean([linear_cka([one, other]), linear_cka([one, third]), linear_cka([other, third])]),
    )


def test_a_constant_component_correlates_with_nothing(rng):
    one, other = pair(rng)
    other[:, 1] = 2.0
    found = correlation_intervals([one, other], np.arange(200))
    assert found[1].score == pytest.approx(0.0)
    assert (found[1].low, found[1].high) == (0.0, 0.0)


def test_real_components_are_told_from_chance(rng):
    p_values = significance(pair(rng), permutations=199)
    assert (p_values[:2] == 1 / 200).all()
    assert p_values[2] > 0.05
    assert (np.diff(p_values) >= 0).all()
    np.testing.assert_array_equal(p_values, significance(pair(np.random.default_rng(0)), permutations=199))


def test_the_test_keeps_its_level():
    rejected = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        found = significance([rng.normal(size=(40, 5)), rng.normal(size=(40, 5))], permutations=99, seed=seed)
        rejected += bool((found <= 0.05).any())
    assert rejected <= 12  # 5 expected; 12 or fewer with probability .999


def test_after_a_component_of_chance_none_is_real(rng):
    one, other = pair(rng, strength=(0.9, 0.0, 0.9))
    p_values = significance([one, other], permutations=199)
    assert p_values[0] < 0.05
    assert p_values[1] > 0.05
    assert p_values[2] >= p_values[1]


def test_cka_is_its_definition(rng):
    one, other = rng.normal(size=(40, 6)) + 3.0, rng.normal(size=(40, 3)) @ rng.normal(size=(3, 9))
    centre = np.eye(40) - 1 / 40
    first, second = centre @ one @ one.T @ centre, centre @ other @ other.T @ centre
    expected = np.trace(first @ second) / np.sqrt(np.trace(first @ first) * np.trace(second @ second))
    assert linear_cka([one, other]) == pytest.approx(expected)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert linear_cka([one, 5.0 * one @ turn - 1.0]) == pytest.approx(1.0)
    assert linear_cka([one, np.ones((40, 2))]) == 0.0


def test_absent_rows_are_left_out(rng):
    one, other = rng.normal(size=(40, 4)), rng.normal(size=(40, 4))
    whole = [linear_cka([one[5:], other[5:]]), modality_gap([one[5:], other[5:]])]
    one[:3], other[2:5] = np.nan, np.nan
    assert [linear_cka([one, other]), modality_gap([one, other])] == [pytest.approx(value) for value in whole]
    one[:] = np.nan
    assert np.isnan(linear_cka([one, other]))


def test_gap_is_the_distance_of_centroids(rng):
    one, other = np.tile([3.0, 0.0], (5, 1)), np.tile([0.0, -0.1], (5, 1))
    assert modality_gap([one, other]) == pytest.approx(np.sqrt(2))
    assert modality_gap([one, one * 7]) == pytest.approx(0.0)
    assert modality_gap([one, rng.normal(size=(5, 3))]) is None


def test_recall_counts_distinct_items():
    query = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    gallery = np.array([[1.0, 0.1], [0.2, 1.0], [0.0, 1.0]])
    found = recalls(query, gallery, np.array([7, 7, 8]), np.array([0, 1, 2]), (1, 2))
    assert (found["queries"], found["items"]) == (2, 3)
    assert found["recall@1"] == 1.0
    assert found["chance@1"] == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert found["chance@2"] == pytest.approx((1.0 + 2 / 3) / 2)
    worse = recalls(query, gallery[::-1], np.array([7, 7, 8]), np.array([0, 1, 2]), (1, 2, 3))
    assert (worse["recall@1"], worse["recall@2"], worse["recall@3"]) == (0.0, 0.5, 1.0)


def test_equal_similarities_are_no_hit_for_free():
    one = np.ones((10, 2))
    found = recalls(one, one, np.arange(10), np.arange(10), (1, 5))
    assert found["recall@1"] == 0.0
    assert found["recall@5"] == 1.0  # 4.5 of the nine others stand in front


def test_retrieval_among_too_many_items_or_none_is_not_tried(monkeypatch):
    monkeypatch.setattr(similarity, "MOST_ITEMS", 2)
    assert recalls(np.ones((3, 1)), np.ones((3, 1)), np.arange(3), np.arange(3), (1,)) is None
    gone = np.full((3, 1), np.nan)
    assert recalls(gone, np.ones((3, 1)), np.arange(3), np.arange(3), (1,)) is None


def test_resamples_are_fewer_for_many_cells():
    assert similarity._affordable([np.zeros((1000, 10))] * 2, 1000) == 1000
    assert similarity._affordable([np.broadcast_to(0.0, (10**6, 100))] * 2, 1000) == 200
