"""The knapsack's choice is the best of all subsets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusible.errors import ArrayError, TooLargeError
from fusible.tasks.video.knapsack import knapsack

items = st.lists(st.tuples(st.integers(-8, 64), st.integers(0, 12)), max_size=11)


@settings(max_examples=200)
@given(items, st.integers(0, 60), st.integers(1, 5))
def test_the_choice_is_the_best_of_all_subsets(pairs, capacity, unit):
    values = np.array([value / 8 for value, _ in pairs])
    lengths = np.array([length * unit for _, length in pairs], int)
    chosen = knapsack(values, lengths, capacity)
    assert (np.diff(chosen) > 0).all()
    assert lengths[chosen].sum() <= capacity
    assert (values[chosen] > 0).all()
    subsets = (np.arange(1 << len(pairs))[:, None] >> np.arange(len(pairs))) & 1
    best = (subsets @ values)[subsets @ lengths <= capacity].max()
    assert values[chosen].sum() == best  # eighths add up exactly


def test_later_ones_of_equal_choices_are_left_out():
    assert knapsack(np.ones(4), np.full(4, 3), 7).tolist() == [0, 1]


def test_a_large_one_is_as_good_as_its_bound(rng):
    values, lengths = rng.random(1000), rng.integers(20, 400, 1000)
    chosen = knapsack(values, lengths, 30_000)
    density = np.argsort(-values / lengths)
    filled = np.cumsum(lengths[density])
    whole = int((filled <= 30_000).sum())
    part = (30_000 - filled[whole - 1]) / lengths[density[whole]] * values[density[whole]]
    greedy = values[density[:whole]].sum()
    assert greedy <= values[chosen].sum() <= greedy + part


@pytest.mark.parametrize(
    ("values", "lengths", "capacity", "says"),
    [
        ([1.0], [1, 2], 3, "one length per value"),
        ([1.0], [1.5], 3, "whole numbers"),
        ([np.nan], [1], 3, "finite"),
        ([1.0], [-1], 3, "negative"),
        ([1.0], [1], -3, "negative"),
    ],
)
def test_bad_items_are_refused(values, lengths, capacity, says):
    with pytest.raises(ArrayError, match=says):
        knapsack(np.array(values), np.array(lengths), capacity)


def test_a_table_too_large_is_refused():
    with pytest.raises(TooLargeError, match="coarser unit"):
        knapsack(np.ones(10_000), np.full(10_000, 999_983) + np.arange(10_000), 10**9)
