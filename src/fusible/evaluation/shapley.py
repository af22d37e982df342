"""Exact Shapley values and interactions of a game, from the values of all its coalitions.

A game gives every set of players a value: here players are views, and the value is what a model says, or how well it
does, with these views alone. Coalitions are counted in binary: player `i` is in coalition `k` where bit `i` of `k` is
set, so that coalition 0 is empty and the last one holds all players.
"""

from __future__ import annotations

from functools import cache
from math import factorial

import numpy as np

from fusible.errors import ConfigError

MOST_PLAYERS = 10
"""Players of an exact computation: 1,024 coalitions."""


def coalitions(players: int) -> np.ndarray:
    """Bool (2^players, players): who is in each coalition.

    >>> coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    if not 1 <= players <= MOST_PLAYERS:
        raise ConfigError(
            f"Shapley values of {players} views: expected 1 to {MOST_PLAYERS}, for each view doubles the predictions; "
            "fit a model over fewer views, or join columns with --view NAME=A,B"
        )
    bits = (np.arange(2**players)[:, None] >> np.arange(players)) & 1
    return np.asarray(bits == 1)


def shapley_values(values: np.ndarray) -> np.ndarray:
    """Shapley value of each player (Shapley, 1953): its mean contribution over all orders of joining.

    `values` (2^players, …) are those of the coalitions; the result (players, …) sums to the value of all players less
    that of none.

    >>> shapley_values(np.array([0.0, 1.0, 2.0, 6.0]))
    array([2.5, 3.5])
    """
    table = _checked(values)
    return np.tensordot(_value_weights(_players(table)), table, axes=1)


def interactions(values: np.ndarray) -> np.ndarray:
    """Shapley interaction index of each pair (Grabisch & Roubens, 1999): what two players gain by being together.

    `values` (2^players, …); the result (players, players, …) is symmetric with a diagonal of zeros. Positive: they
    complete each other; negative: they tell the same; zero for players that add up.

    >>> interactions(np.array([0.0, 1.0, 2.0, 6.0]))[0, 1]
    np.float64(3.0)
    """
    table = _checked(values)
    return np.tensordot(_pair_weights(_players(table)), table, axes=1)


def _checked(values: np.ndarray) -> np.ndarray:
    table = np.asarray(values, dtype=float)
    if table.ndim < 1 or len(table) < 2 or len(table) & (len(table) - 1):
        raise ConfigError(
            f"Shapley values: expected the values of all 2^players coalitions, got an array of shape {table.shape}"
        )
    return table


def _players(table: np.ndarray) -> int:
    players = len(table).bit_length() - 1
    coalitions(players)
    return players


@cache
def _value_weights(players: int) -> np.ndarray:
    """Weights (players, coalitions) of coalitions in Shapley values: with the player s!(n-s-1)!/n!, else minus it."""
    inside = coalitions(players)
    others = inside.sum(axis=1)[None, :] - inside.T
    known = np.array([factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)])
    return np.asarray(np.where(inside.T, 1.0, -1.0) * known[others])


@cache
def _pair_weights(players: int) -> np.ndarray:
    """Weights (players, players, coalitions): s!(n-s-2)!/(n-1)!, positive where both or neither of the pair is in."""
    weights = np.zeros((players, players, 2**players))
    if players < 2:
        return weights
    inside = coalitions(players).T
    size = inside.sum(axis=0)
    known = np.array([factorial(s) * factorial(players - s - 2) / factorial(players - 1) for s in range(players - 1)])
    for i in range(players):
        for j in range(players):
            if i != j:
                others = size - inside[i] - inside[j]
                weights[i, j] = np.where(inside[i] == inside[j], 1.0, -1.0) * known[others]
    return weights
