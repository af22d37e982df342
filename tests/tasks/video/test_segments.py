"""Kernel temporal segmentation is the best of all segmentations, and finds planted ones."""

import itertools
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import ArrayError, ConfigError
from fusible.tasks.video import segments
from fusible.tasks.video.segments import cut_at, kernel_segments, seconds


def scatter(steps, bounds):
    return sum(((steps[a:b] - steps[a:b].mean(axis=0)) ** 2).sum() for a, b in itertools.pairwise(bounds))


def every(count, steps, shortest=1, longest=10**9):
    for inner in itertools.combinations(range(1, steps), count - 1):
        bounds = (0, *inner, steps)
        if all(shortest <= b - a <= longest for a, b in itertools.pairwise(bounds)):
            yield bounds


cases = st.tuples(st.integers(1, 9), st.integers(0, 10**6), st.integers(1, 3), st.integers(3, 9))


@given(cases, st.data())
def test_bounds_are_the_best_of_all(case, data):
    steps, seed, shortest, longest = case
    encodings = np.random.default_rng(seed).normal(size=(steps, 3)).cumsum(axis=0)
    count = data.draw(st.integers(1, steps))
    allowed = list(every(count, steps, min(shortest, steps) if count == 1 else shortest, longest))
    if allowed:
        found = kernel_segments(encodings, count=count, shortest=shortest, longest=longest)
        assert tuple(found) in allowed
        assert scatter(encodings, found) == pytest.approx(min(scatter(encodings, b) for b in allowed), abs=1e-9)
    else:
        with pytest.raises(ConfigError, match="cannot be cut"):
            kernel_segments(encodings, count=count, shortest=shortest, longest=longest)


@given(cases, st.floats(0.0, 2.0))
def test_the_number_is_the_least_penalised(case, penalty):
    steps, seed, *_ = case
    encodings = np.random.default_rng(seed).normal(size=(steps, 2)).cumsum(axis=0)
    found = kernel_segments(encodings, most=steps, penalty=penalty)
    mean = scatter(encodings, (0, steps)) / steps

    def cost(bounds):
        changes = len(bounds) - 2
        return scatter(encodings, bounds) + penalty * mean * (changes * (np.log(steps / changes) + 1) if changes else 0)

    assert cost(found) == pytest.approx(min(cost(b) for m in range(1, steps + 1) for b in every(m, steps)), abs=1e-9)


def planted(rng, lengths, noise):
    means = rng.normal(size=(len(lengths), 32))
    return np.repeat(means, lengths, axis=0) + noise * rng.normal(size=(sum(lengths), 32))


def test_planted_segments_are_found_whatever_their_scale(rng):
    lengths = rng.integers(8, 50, 20)
    encodings = planted(rng, lengths, 0.5)
    for scale, shift in ((1.0, 0.0), (1e-6, 0.0), (1e4, 1e5)):
        np.testing.assert_array_equal(kernel_segments(encodings * scale + shift), np.append(0, np.cumsum(lengths)))


def test_noise_and_stillness_are_one_segment(rng):
    assert kernel_segments(rng.normal(size=(300, 16))).tolist() == [0, 300]
    assert kernel_segments(np.full((300, 16), 0.1)).tolist() == [0, 300]
    assert kernel_segments(np.zeros((4, 2))).tolist() == [0, 4]
    assert kernel_segments(np.full((10, 2), 0.3), longest=4).tolist()[-1] == 10
    assert np.diff(kernel_segments(np.full((10, 2), 0.3), longest=4)).max() <= 4
    assert kernel_segments(np.eye(3)[:2], shortest=5).tolist() == [0, 2]


def test_the_bound_on_the_number_loses_nothing(rng):
    for noise in (0.3, 1.0, 2.0):
        encodings = planted(rng, rng.integers(4, 20, 40), noise)
        bounded = kernel_segments(encodings)
        with mock.patch.object(segments, "COARSE", 10**9):
            np.testing.assert_array_equal(kernel_segments(encodings), bounded)


def test_long_films_are_cut_between_runs(rng):
    lengths = 4 * rng.integers(10, 30, 30)
    encodings = planted(rng, lengths, 0.5)
    with mock.patch.object(segments, "STEPS", len(encodings) // 4):
        np.testing.assert_array_equal(kernel_segments(encodings), np.append(0, np.cumsum(lengths)))
    with mock.patch.object(segments, "STEPS", 100):
        bounds = kernel_segments(encodings, count=5)
    run = -(-len(encodings) // 100)
    assert (bounds[:-1] % run == 0).all()
    pooled = np.add.reduceat(encodings, np.arange(0, len(encodings), run))
    assert bounds[-1] == len(encodings)
    assert len(pooled) <= 100


@pytest.mark.parametrize(
    ("options", "says"),
    [({"count": 0}, "count"), ({"longest": 2, "shortest": 3}, "longest"), ({"penalty": -1.0}, "penalty")],
)
def test_bad_settings_are_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        kernel_segments(np.ones((5, 2)), **options)


@pytest.mark.parametrize("encodings", [np.ones(4), np.ones((0, 3)), np.array([[np.nan]])])
def test_bad_encodings_are_refused(encodings):
    with pytest.raises(ArrayError, match="expected finite encodings"):
        kernel_segments(encodings)


def test_bounds_become_seconds():
    spans = seconds(np.array([0, 1, 3]), np.array([0.25, 0.75, 1.25]), 1.6)
    assert spans.tolist() == [[0.0, 0.75], [0.75, 1.6]]
    with pytest.raises(ArrayError, match="rising times"):
        seconds(np.array([0, 3]), np.array([0.0, 1.0]), 2.0)


def test_shots_are_cut_further_but_never_too_short():
    shots = np.array([[0.0, 5.0], [5.0, 6.0]])
    assert cut_at(shots, np.array([])).tolist() == shots.tolist()
    assert cut_at(shots, np.array([0.5, 2.0, 2.4, 4.6, 5.0, 5.5]), 1.0).tolist() == [
        [0.0, 2.0], [2.0, 5.0], [5.0, 6.0]
    ]  # fmt: skip
