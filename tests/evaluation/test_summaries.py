"""Agreement of summaries with people, against scipy and against counting pairs; TVSum's people as published."""

import itertools
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import f1_score

from fusible.errors import ArrayError, ConfigError
from fusible.evaluation import summaries
from fusible.evaluation.summaries import Judges, average, f_scores, kendall, spearman, spread

levels = st.integers(2, 12).flatmap(
    lambda frames: st.tuples(
        st.lists(st.integers(0, 3), min_size=frames, max_size=frames),
        st.lists(st.lists(st.integers(0, 4), min_size=frames, max_size=frames), min_size=1, max_size=4),
    )
)


@given(levels)
def test_kendall_counts_every_pair(case):
    scores, people = np.array(case[0]), np.array(case[1])
    for found, person in zip(kendall(scores, people), people, strict=True):
        signs = [
            (np.sign(scores[i] - scores[j]), np.sign(person[i] - person[j]))
            for i, j in itertools.combinations(range(len(scores)), 2)
        ]
        ours, theirs = sum(a != 0 for a, _ in signs), sum(b != 0 for _, b in signs)
        if not theirs:
            assert np.isnan(found)
        else:
            wanted = sum(a * b for a, b in signs) / np.sqrt(ours * theirs) if ours else 0.0
            assert found == pytest.approx(wanted, abs=1e-12)


@given(levels)
def test_both_are_scipy_s(case):
    scores, people = np.array(case[0]), np.array(case[1])
    varied = [person for person in people if len(set(person)) > 1]
    if len(set(scores)) > 1 and varied:
        tau, rho = kendall(scores, np.array(varied)), spearman(scores, np.array(varied))
        np.testing.assert_allclose(tau, [kendalltau(scores, person).statistic for person in varied], atol=1e-12)
        np.testing.assert_allclose(rho, [spearmanr(scores, person).statistic for person in varied], atol=1e-12)


def test_many_levels_are_sorted_and_not_tabled(rng):
    scores, people = rng.random(300), rng.random((2, 300))
    tabled = kendall(scores, people)
    with mock.patch.object(summaries, "CELLS", 10):
        np.testing.assert_allclose(kendall(scores, people), tabled, atol=1e-12)


def test_f_scores_are_scikit_learn_s(rng):
    chosen, people = rng.random(60) < 0.3, rng.random((5, 60)) < 0.3
    np.testing.assert_allclose(f_scores(chosen, people), [f1_score(person, chosen) for person in people])
    assert f_scores(np.zeros(4, bool), np.zeros((2, 4), bool)).tolist() == [0.0, 0.0]


def test_judging_is_over_people_and_the_rule_s(rng):
    people, picks = rng.integers(1, 6, (6, 40)), rng.random((6, 40)) < 0.3
    scores, chosen = rng.random(40), rng.random(40) < 0.3
    every = f_scores(chosen, picks)
    for rule, wanted in (("mean", every.mean()), ("max", every.max())):
        judged = Judges(people, picks, rule).judge(scores, chosen)
        assert judged.f == pytest.approx(wanted)
        assert judged.kendall == pytest.approx(np.mean([kendalltau(scores, p).statistic for p in people]))
        assert judged.spearman == pytest.approx(np.mean([spearmanr(scores, p).statistic for p in people]))


@pytest.mark.parametrize("rule", ["mean", "max"])
def test_people_are_compared_with_the_others_only(rng, rule):
    people, picks = rng.integers(1, 6, (4, 30)), rng.random((4, 30)) < 0.4
    over = np.mean if rule == "mean" else np.max
    human = Judges(people, picks, rule).human()
    others = [[j for j in range(4) if j != i] for i in range(4)]
    assert human.f == pytest.approx(
        np.mean([over([f1_score(picks[j], picks[i]) for j in o]) for i, o in enumerate(others)])
    )
    assert human.kendall == pytest.approx(
        np.mean([[kendalltau(people[i], people[j]).statistic for j in o] for i, o in enumerate(others)])
    )
    assert human.spearman == pytest.approx(
        np.mean([[spearmanr(people[i], people[j]).statistic for j in o] for i, o in enumerate(others)])
    )
    alone = Judges(people[:1], picks[:1]).human()
    assert np.isnan([alone.f, alone.kendall, alone.spearman]).all()


def test_chance_orders_nothing_and_is_the_same_again(rng):
    people = rng.integers(1, 6, (3, 500))

    def third(scores):
        return scores >= np.quantile(scores, 0.7)

    judges = Judges.of(people, third)
    chance = judges.chance(third, draws=20, seed=3)
    assert chance == judges.chance(third, draws=20, seed=3) != judges.chance(third, draws=20, seed=4)
    assert abs(chance.kendall) < 0.03
    assert abs(chance.spearman) < 0.03
    drawn = np.random.default_rng(3).random((20, 500))
    one_by_one = average([judges.judge(scores, third(scores)) for scores in drawn])
    np.testing.assert_allclose([chance.f, chance.kendall], [one_by_one.f, one_by_one.kendall])


def test_people_without_an_opinion_are_left_out():
    judged = Judges(np.array([[1, 2, 3], [2, 2, 2]]), np.ones((2, 3), bool)).judge(
        np.array([1, 2, 3]), np.ones(3, bool)
    )
    assert (judged.f, judged.kendall, judged.spearman) == pytest.approx((1.0, 1.0, 1.0))
    nobody = Judges(np.full((2, 3), 2), np.ones((2, 3), bool)).judge(np.array([1, 2, 3]), np.ones(3, bool))
    assert np.isnan(nobody.kendall)
    assert np.isnan(nobody.spearman)


def test_bad_shapes_are_refused():
    with pytest.raises(ArrayError, match="one shape"):
        Judges(np.ones((2, 3)), np.ones((2, 4), bool))
    with pytest.raises(ArrayError, match="finite"):
        Judges(np.array([[1.0, np.nan]]), np.ones((1, 2), bool))
    with pytest.raises(ConfigError, match="'mean' or 'max'"):
        Judges(np.ones((1, 2)), np.ones((1, 2), bool), "median")
    with pytest.raises(ArrayError, match="as many frames"):
        kendall(np.ones(3), np.ones((2, 4)))
    with pytest.raises(ArrayError, match="finite scores"):
        spearman(np.array([1.0, np.inf]), np.ones((2, 2)))
    for agree in (kendall, spearman):
        with pytest.raises(ArrayError, match="finite scores"):
            agree(np.arange(3.0), np.array([[1.0, np.nan, 3.0]]))
    with pytest.raises(ArrayError, match="rising frame number"):
        spread(np.ones(2), np.array([3, 3]), 5)
