"""Ranks over data sets: Demšar's published example, SciPy's tests as peers, and what few data sets cannot say."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fusible.errors import ArrayError
from fusible.evaluation._signed import holm, sign, signed_rank
from fusible.evaluation.ranking import critical_difference, rank

NAMES = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
# Demšar (2006), table 6: AUC on 14 data sets. The row "voting" is ranked there by digits that are not printed
# (.975 before .975), for which the last is lowered by .0001.
AUC = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.975, 0.9749],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_demsars_example():
    ranking = rank(NAMES, AUC)
    ranks = dict(zip(ranking.strategies, ranking.ranks, strict=True))
    assert [round(ranks[name], 3) for name in NAMES] == [3.143, 2.000, 2.893, 1.964]
    assert ranking.critical_difference == pytest.approx(1.25, abs=0.005)
    number, k = AUC.shape
    ties = sum((c**3 - c).sum() for c in (np.unique(row, return_counts=True)[1] for row in AUC))
    correction = 1 - ties / (number * k * (k**2 - 1))  # the paper's 9.28 and 3.69 are without it
    plain = ranking.chi_square * correction
    assert plain == pytest.approx(9.28, abs=0.01)
    assert (number - 1) * plain / (number * (k - 1) - plain) == pytest.approx(3.69, abs=0.01)
    assert ranking.chi_square == pytest.approx(stats.friedmanchisquare(*AUC.T).statistic)


def test_published_values_of_q():
    # Demšar, table 5 (a): q at 5 % for 2 to 10 classifiers; CD = q sqrt(k (k + 1) / 6 N)
    published = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    found = [critical_difference(k, 1) / np.sqrt(k * (k + 1) / 6) for k in range(2, 11)]
    np.testing.assert_allclose(found, published, atol=1e-3)


@given(st.integers(2, 9), st.integers(3, 6), st.integers(0, 10**6))
def test_friedman_is_scipys_with_and_without_ties(number, k, seed):
    scores = np.random.default_rng(seed).integers(0, 6, (number, k)).astype(float)
    if (scores == scores[:, :1]).all():
        scores[0, 0] += 1
    peer = stats.friedmanchisquare(*scores.T)
    ranking = rank([str(i) for i in range(k)], scores)
    assert ranking.chi_square == pytest.approx(peer.statistic, abs=1e-9)
    assert ranking.p_chi_square == pytest.approx(peer.pvalue, abs=1e-9)
    assert sum(ranking.ranks) == pytest.approx(k * (k + 1) / 2)
    assert list(ranking.ranks) == sorted(ranking.ranks)


@given(st.integers(1, 12), st.integers(0, 10**6))
def test_signed_ranks_are_scipys_without_ties(number, seed):
    difference = np.random.default_rng(seed).normal(size=number) + 0.3
    assert signed_rank(difference) == pytest.approx(stats.wilcoxon(difference, method="exact").pvalue)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_signed_ranks_with_ties_are_those_of_all_signs(values):
    difference = np.array(values, dtype=float)
    given_values = difference[difference != 0]
    if not len(given_values):
        assert signed_rank(difference) == 1.0
        return
    ranks = stats.rankdata(np.abs(given_values))
    signs = np.array(np.meshgrid(*[[0, 1]] * len(ranks))).reshape(len(ranks), -1).T
    sums = signs @ ranks
    least = min(ranks[given_values > 0].sum(), ranks[given_values < 0].sum())
    assert signed_rank(difference) == pytest.approx(min(1.0, 2 * (sums <= least + 1e-9).mean()))


def test_sign_test_counts_only_who_is_better():
    assert sign(np.array([9.0, 0.1, 0.1, 0.1, 0.1, 0.1])) == pytest.approx(2 / 2**6)
    assert sign(np.array([1.0, -1.0, 0.0])) == 1.0
    assert sign(np.zeros(3)) == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_is_monotone_and_no_smaller(values):
    p = np.array(values)
    adjusted = holm(p)
    assert (adjusted >= p - 1e-12).all()
    assert (adjusted <= np.minimum(1, p * len(p)) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= -1e-12).all()


def planted(number, seed=0):
    """Two good strategies that are alike, and one that is always worse."""
    random = np.random.default_rng(seed)
    turns = 0.002 * (-1.0) ** np.arange(number)[:, None]
    good = 0.8 + 0.05 * random.normal(size=(number, 1)) + turns * [1.0, -1.0]
    return np.hstack([good, good.min(axis=1, keepdims=True) - 0.05 - 0.01 * random.random((number, 1))])


def test_a_planted_loser_is_told_apart():
    ranking = rank(["a", "b", "worse"], planted(12))
    assert ranking.decides
    assert ranking.strategies[2] == "worse"
    assert [set(group) for group in ranking.groups] == [{"a", "b"}]
    assert ranking.p_value < 0.001
    assert "better than worse at 5 % (Wilcoxon, Holm)" in ranking.statement
    assert json.loads(json.dumps(ranking.to_json()))["contrasts"][-1]["adjusted"] < 0.05


def test_few_data_sets_are_only_described():
    ranking = rank(["a", "b", "worse"], planted(5))
    assert not ranking.decides
    assert ranking.groups == ()
    assert "descriptive only" in ranking.statement


def test_what_cannot_be_reached_is_said():
    ranking = rank(["a", "b", "worse"], planted(6))
    assert ranking.decides
    assert ranking.least == pytest.approx(3 * 2 / 2**6)
    assert min(c.adjusted for c in ranking.contrasts) >= ranking.least - 1e-12
    assert "no pair of 3 strategies can reach 5 %" in ranking.statement


def test_two_strategies_are_decided_from_six_data_sets_on():
    scores = np.stack([np.arange(6) + 1.5, np.arange(6) + 1.0], axis=1)
    ranking = rank(["a", "b"], scores)
    assert ranking.contrasts[0].p_value == pytest.approx(2 / 2**6)
    assert ranking.f_statistic is None
    assert ranking.p_value == 0.0
    assert ranking.groups == ()


def test_groups_may_overlap():
    ranks = np.array([[3.0, 2.0, 1.0]] * 14)
    ranks[:4] = [2.0, 3.0, 1.0]
    ranks[10:] = [3.0, 1.0, 2.0]
    ranking = rank(["a", "b", "c"], ranks + np.linspace(0, 0.1, 14)[:, None] * [1, 2, 3])
    assert ranking.groups == (("a", "b"), ("b", "c"))


def test_all_equal_scores_share_their_rank():
    ranking = rank(["a", "b", "c"], np.ones((7, 3)))
    assert ranking.ranks == (2.0, 2.0, 2.0)
    assert ranking.p_value == 1.0
    assert ranking.groups == (("a", "b", "c"),)


def test_differences_that_do_not_compare_are_only_signs():
    scores = np.stack([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -9.0], np.zeros(7)], axis=1)
    assert rank(["a", "b"], scores).contrasts[0].p_value == pytest.approx(signed_rank(scores[:, 0]))
    signs = rank(["a", "b"], scores, comparable=False)
    assert signs.test == "sign"
    assert signs.contrasts[0].p_value == pytest.approx(stats.binomtest(1, 7).pvalue)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (np.ones((1, 2)), "at least two of each"),
        (np.ones((4, 3)), "got \\(4, 3\\)"),
        (np.ones(4), "got \\(4,\\)"),
        (np.array([[1.0, np.nan], [1.0, 2.0]]), "score of 'b' on data set 0 is not finite"),
    ],
)
def test_scores_that_cannot_be_ranked(scores, words):
    with pytest.raises(ArrayError, match=words):
        rank(["a", "b"], scores)
