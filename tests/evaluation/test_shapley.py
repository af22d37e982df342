"""Shapley values and interactions against permutations, axioms, closed forms and Captum."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import ConfigError
from fusible.evaluation.shapley import MOST_PLAYERS, coalitions, interactions, shapley_values


def by_permutations(values, players):
    """Mean contribution over all orders, as the definition says."""
    total = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        inside = 0
        for player in order:
            total[player] += values[inside | (1 << player)] - values[inside]
            inside |= 1 << player
    return total / len(orders)


def games(most=5):
    """Random games of a few players."""
    return st.integers(1, most).flatmap(
        lambda n: st.lists(st.floats(-100, 100), min_size=2**n, max_size=2**n).map(np.array)
    )


@given(games())
def test_values_are_the_mean_over_all_orders(values):
    players = len(values).bit_length() - 1
    np.testing.assert_allclose(shapley_values(values), by_permutations(values, players), atol=1e-9)


@given(games())
def test_efficiency(values):
    assert shapley_values(values).sum() == pytest.approx(values[-1] - values[0], abs=1e-9)


@given(games(), st.floats(-3, 3))
def test_linearity(values, factor):
    other = np.random.default_rng(0).normal(size=values.shape)
    np.testing.assert_allclose(
        shapley_values(factor * values + other), factor * shapley_values(values) + shapley_values(other), atol=1e-9
    )
    np.testing.assert_allclose(
        interactions(factor * values + other), factor * interactions(values) + interactions(other), atol=1e-9
    )


def test_symmetric_players_get_the_same_and_a_dummy_gets_nothing(rng):
    inside = coalitions(4)
    size = inside[:, :3].sum(axis=1)
    found = shapley_values(rng.normal(size=4)[size])  # the value counts the first three; the fourth is a dummy
    np.testing.assert_allclose(found[:3], found[0])
    assert found[3] == pytest.approx(0.0)
    np.testing.assert_allclose(interactions(rng.normal(size=4)[size])[3], 0.0, atol=1e-12)


def test_an_additive_game_gives_each_its_own_and_no_interaction(rng):
    own = rng.normal(size=6)
    values = coalitions(6) @ own + 5.0
    np.testing.assert_allclose(shapley_values(values), own)
    np.testing.assert_allclose(interactions(values), 0.0, atol=1e-12)


def test_exclusive_or_needs_both():
    """Neither view alone tells more than chance, both tell all: halves each, and an interaction of a half."""
    values = np.array([0.5, 0.5, 0.5, 1.0])
    np.testing.assert_allclose(shapley_values(values), [0.25, 0.25])
    np.testing.assert_allclose(interactions(values), [[0, 0.5], [0.5, 0]])


def test_two_views_that_tell_the_same_repeat_each_other():
    values = np.array([0.5, 0.9, 0.9, 0.9])
    np.testing.assert_allclose(shapley_values(values), [0.2, 0.2])
    assert interactions(values)[0, 1] == pytest.approx(-0.4)


def test_interaction_of_a_unanimity_game_is_the_reciprocal():
    """Of the game that is worth 1 to those who hold T: 1 / (|T| - 1) for each pair in T (Grabisch & Roubens)."""
    inside = coalitions(5)
    values = inside[:, [0, 2, 3]].all(axis=1).astype(float)
    found = interactions(values)
    np.testing.assert_allclose([found[0, 2], found[2, 3], found[3, 0]], 0.5)
    np.testing.assert_allclose(found[[1, 4]], 0.0, atol=1e-12)
    np.testing.assert_allclose(shapley_values(values)[[0, 2, 3]], 1 / 3)


def test_interaction_is_the_shapley_value_of_the_joined_pair_less_those_without_the_other(rng):
    """I(ij) = the value of the pair as one player, less that of each in the game without the other."""
    values = rng.normal(size=16)
    inside = coalitions(4)
    joined = coalitions(3)  # players: the pair (0, 1), then 2 and 3
    place = joined[:, 0] * 3 + joined[:, 1] * 4 + joined[:, 2] * 8
    only_0, only_1 = values[~inside[:, 1]], values[~inside[:, 0]]
    expected = shapley_values(values[place])[0] - shapley_values(only_0)[0] - shapley_values(only_1)[0]
    assert interactions(values)[0, 1] == pytest.approx(expected)


def test_rows_are_computed_at_once(rng):
    values = rng.normal(size=(8, 5, 2))
    found, pairs = shapley_values(values), interactions(values)
    assert found.shape == (3, 5, 2)
    for row in range(5):
        np.testing.assert_allclose(found[:, row, 1], shapley_values(values[:, row, 1]))
        np.testing.assert_allclose(pairs[:, :, row, 1], interactions(values[:, row, 1]))


def test_captum_finds_the_same(rng):
    import torch
    from captum.attr import ShapleyValues

    values = rng.normal(size=16)

    def forward(masks):
        return torch.from_numpy(values[(masks.numpy() > 0.5) @ (1 << np.arange(4))])

    found = ShapleyValues(forward).attribute(torch.ones(1, 4, dtype=torch.float64), baselines=0)
    np.testing.assert_allclose(shapley_values(values), found[0].numpy())


def test_ten_players_are_exact_and_more_are_refused(rng):
    own = rng.normal(size=MOST_PLAYERS)
    np.testing.assert_allclose(shapley_values(coalitions(MOST_PLAYERS) @ own), own, atol=1e-12)
    with pytest.raises(ConfigError, match=r"of 11 views: expected 1 to 10.*join columns"):
        coalitions(11)
    with pytest.raises(ConfigError, match="of 11 views"):
        shapley_values(np.zeros(2**11))


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros(1), np.float64(1.0), np.zeros(0)])
def test_a_table_that_is_no_game_is_refused(wrong):
    with pytest.raises(ConfigError, match="all 2\\^players coalitions"):
        shapley_values(wrong)
