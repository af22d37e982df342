"""A diverse choice against all subsets, and against what the knapsack leaves out."""

import itertools

import numpy as np
import pytest

from fusible.errors import ArrayError, ConfigError
from fusible.tasks.video.diverse import choose_diverse
from fusible.tasks.video.fused import directions_of
from fusible.tasks.video.knapsack import knapsack
from fusible.tasks.video.summary import summarize

BOUND = (1 - 1 / np.e) / 2


def sought(values, encodings, strength, chosen):
    """The logarithm of the determinant that the choice is to make great."""
    rows = directions_of(encodings)
    kernel = strength * rows @ rows.T * np.sqrt(np.outer(values, values)) / values.mean()
    return np.linalg.slogdet(np.eye(len(chosen)) + kernel[np.ix_(chosen, chosen)])[1] if len(chosen) else 0.0


@pytest.mark.parametrize("seed", range(30))
def test_the_choice_fits_and_reaches_the_bound_of_its_method(seed):
    rng = np.random.default_rng(seed)
    values, encodings, lengths = rng.random(8), rng.normal(size=(8, 3)), rng.integers(1, 6, 8)
    room = int(rng.integers(3, 15))
    chosen = choose_diverse(values, encodings, lengths, room, strength=5.0)
    assert lengths[chosen].sum() <= room
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    subsets = (list(s) for n in range(9) for s in itertools.combinations(range(8), n) if lengths[list(s)].sum() <= room)
    best = max(sought(values, encodings, 5.0, subset) for subset in subsets)
    assert sought(values, encodings, 5.0, chosen.tolist()) >= BOUND * best


@pytest.mark.parametrize("seed", range(5))
def test_without_likeness_it_is_the_knapsack_of_equal_lengths(seed):
    rng = np.random.default_rng(seed)
    values, lengths = rng.random(12), np.ones(12, int)
    assert choose_diverse(values, np.eye(12), lengths, 4).tolist() == knapsack(values, lengths, 4).tolist()
    alike = np.ones((12, 3))
    chosen = choose_diverse(values, alike, lengths, 4, strength=1e-6)
    assert chosen.tolist() == knapsack(values, lengths, 4).tolist()


def test_a_short_rare_scene_is_not_left_out():
    common, rare = [1.0, 0.1, 0.0], [0.0, 0.2, 1.0]
    rng = np.random.default_rng(0)
    steps = np.array([common] * 90 + [rare] * 4 + [common] * 106) + rng.normal(0, 0.05, (200, 3))
    times, important = np.arange(200) / 2, np.full(200, 0.6)
    important[90:94] = 0.3
    edges = np.array([0, 10, 20, 30, 45, 47, 60, 75, 90, 100.0])
    segments = np.stack([edges[:-1], edges[1:]], axis=1)
    by_worth = summarize(important, times, segments, ratio=0.2)
    diverse = summarize(important, times, segments, ratio=0.2, choose="diverse", encodings=steps)
    assert not any(start <= 45 and end >= 47 for start, end in by_worth.spans)
    assert any(start <= 45 and end >= 47 for start, end in diverse.spans)
    assert diverse.seconds <= 20.0 + 1e-6


def test_nothing_of_value_and_nothing_that_fits():
    assert choose_diverse(np.zeros(3), np.eye(3), np.ones(3, int), 2).tolist() == []
    assert choose_diverse(np.ones(3), np.eye(3), np.full(3, 5), 2).tolist() == []
    assert choose_diverse(np.zeros(0), np.zeros((0, 2)), np.zeros(0, int), 2).tolist() == []
    assert choose_diverse(np.ones(3), np.zeros((3, 2)), np.ones(3, int), 2).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("values", "encodings", "lengths", "strength", "error", "said"),
    [
        (np.ones(2), np.eye(3), np.ones(2, int), 1.0, ArrayError, "expected values"),
        (np.ones(3), np.eye(3), np.ones(3), 1.0, ArrayError, "whole numbers"),
        (np.ones(3), np.eye(3), np.zeros(3, int), 1.0, ArrayError, "above 0"),
        (-np.ones(3), np.eye(3), np.ones(3, int), 1.0, ArrayError, "at least 0"),
        (np.full(3, np.nan), np.eye(3), np.ones(3, int), 1.0, ArrayError, "finite"),
        (np.ones(3), np.eye(3), np.ones(3, int), 0.0, ConfigError, "above 0, got 0"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused(values, encodings, lengths, strength, error, said):
    with pytest.raises(error, match=said):
        choose_diverse(values, encodings, lengths, 2, strength=strength)


def test_a_diverse_summary_needs_encodings():
    segments = np.array([[0.0, 1.0], [1.0, 2.0]])
    with pytest.raises(ConfigError, match="diverse with encodings"):
        summarize(np.ones(4), np.arange(4) / 2, segments, choose="diverse")
    with pytest.raises(ConfigError, match="got 'else'"):
        summarize(np.ones(4), np.arange(4) / 2, segments, choose="else", encodings=np.eye(4))
    with pytest.raises(ArrayError, match="an encoding per time"):
        summarize(np.ones(4), np.arange(4) / 2, segments, choose="diverse", encodings=np.eye(3))
