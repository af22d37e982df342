"""Masks of missing views have exactly the rates that they promise; robustness equals its closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import ConfigError
from fusible.evaluation.missing import (
    MOST_VIEWS,
    at_random,
    chances,
    class_order,
    not_at_random,
    robustness,
    shifted,
    subsets,
)

rates = st.floats(0.0, 1.0)


@pytest.mark.parametrize("number", range(1, MOST_VIEWS + 1))
def test_every_subset_once(number):
    found = subsets([f"v{i}" for i in range(number)])
    assert len(found) == len({frozenset(one) for one in found}) == 2**number - 1
    assert [len(one) for one in found] == sorted(len(one) for one in found)


def test_of_many_views_each_alone_all_but_one_and_all():
    views = [f"v{i}" for i in range(MOST_VIEWS + 1)]
    found = subsets(views)
    assert len(found) == 2 * len(views) + 1
    assert found[: len(views)] == [(view,) for view in views]
    assert all(len(one) == len(views) - 1 for one in found[len(views) : -1])
    assert found[-1] == tuple(views)


@given(rows=st.integers(0, 300), rate=rates, seed=st.integers(0, 99))
def test_at_random_hides_the_share_exactly(rows, rate, seed):
    hidden = at_random(rows, rate, seed)
    assert hidden.sum() == round(rate * rows)
    assert np.array_equal(hidden, at_random(rows, rate, seed))


@given(low=rates, high=rates, seed=st.integers(0, 99), value=st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_masks_of_a_seed_are_nested(low, high, seed, value):
    low, high = sorted((low, high))
    assert not (at_random(len(value), low, seed) & ~at_random(len(value), high, seed)).any()
    value = np.array(value)
    assert not (not_at_random(value, low, seed) & ~not_at_random(value, high, seed)).any()


@given(value=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80), rate=rates, strength=rates)
def test_chances_keep_the_mean_rate_exactly(value, rate, strength):
    found = chances(np.array(value), rate, strength)
    assert found.mean() == pytest.approx(rate, abs=1e-12)
    assert found.min() >= -1e-12
    assert found.max() <= 1 + 1e-12
    order = np.argsort(value)
    assert (np.diff(found[order]) >= -1e-12).all()


def test_chances_of_uneven_classes_in_closed_form():
    value = np.repeat([0, 1, 2], [50, 30, 20])
    middle = np.array([0.25, 0.65, 0.9])  # mean quantile of each class
    np.testing.assert_allclose(chances(value, 0.4)[[0, 50, 80]], 0.4 + 0.4 * (2 * middle - 1))
    np.testing.assert_allclose(chances(value, 0.8)[[0, 50, 80]], 0.8 + 0.2 * (2 * middle - 1))
    np.testing.assert_allclose(chances(value, 0.4, strength=0.0), 0.4)


def test_rows_go_missing_by_their_class():
    target = np.tile([0, 1], 5_000)
    hidden = not_at_random(target, 0.5, seed=3)
    assert hidden[target == 0].mean() == pytest.approx(0.25, abs=0.02)
    assert hidden[target == 1].mean() == pytest.approx(0.75, abs=0.02)


def test_the_order_of_classes_is_random_but_seeded():
    target = np.arange(6)
    orders = [tuple(class_order(target, 6, seed)) for seed in range(8)]
    assert len(set(orders)) > 1
    assert sorted(orders[0]) == list(range(6))
    assert tuple(class_order(target, 6, 0)) == orders[0]
    np.testing.assert_array_equal(class_order(np.array([[0, 1, 1], [0, 0, 0]]), 3), [2, 0])


def test_a_pattern_that_changes_between_parts():
    train, test = np.arange(60), np.arange(60, 100)
    masks = shifted({"a": train, "b": test}, 100, 0.5)
    assert (masks["a"][train].sum(), masks["a"][test].sum()) == (30, 0)
    assert (masks["b"][train].sum(), masks["b"][test].sum()) == (0, 20)


def test_robustness_in_closed_form():
    # own(x) = 0.9 - 0.4 x, baseline(x) = 0.7 - 0.6 x on [0, 1]: gap 0.2 + 0.2 x has mean 0.3
    levels = [0.0, 0.1, 0.5, 1.0]
    found = robustness(levels, [0.9 - 0.4 * x for x in levels], [0.7 - 0.6 * x for x in levels])
    assert found.drop == pytest.approx(0.2)
    assert found.relative == pytest.approx(0.3)
    assert found.effective == pytest.approx(0.1)


def test_the_baseline_itself_has_none():
    found = robustness([0, 1, 2], [3.0, 2.0, 0.0], [3.0, 2.0, 0.0])
    assert (found.relative, found.effective) == (0.0, 0.0)
    assert robustness([0, 1, 2], [3.0, 2.0, 0.0]).effective is None


@given(
    levels=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5),
    data=st.data(),
)
def test_effective_is_relative_less_the_clean_gap(levels, data):
    levels = [0.0, *np.cumsum(levels)]
    draw = st.lists(st.floats(0, 1), min_size=len(levels), max_size=len(levels))
    own, base = data.draw(draw), data.draw(draw)
    found = robustness(levels, own, base)
    assert found.effective == pytest.approx(found.relative - (own[0] - base[0]), abs=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: at_random(5, 1.2), "from 0 to 1, got 1.2"),
        (lambda: chances(np.ones(3), -0.1), "from 0 to 1"),
        (lambda: chances(np.ones(3), 0.1, 2.0), "strength must be from 0 to 1, got 2.0"),
        (lambda: robustness([0.0], [1.0]), "two levels or more"),
        (lambda: robustness([0.0, 1.0], [1.0, 1.0], [1.0]), "two levels"),
        (lambda: robustness([0.0, 0.0], [1.0, 1.0]), "levels that rise"),
    ],
)
def test_bad_settings(call, words):
    with pytest.raises(ConfigError, match=words):
        call()
