"""Targets: every span is learned at a point, at its own level, with its own ends."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fusible.networks._localiser import points
from fusible.tasks.video._events_targets import CAPACITY, level_of, levels_for, targets


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_every_span_has_a_point_that_knows_its_ends(seed, levels):
    rng = np.random.default_rng(seed)
    starts = np.arange(5) * 40 + rng.uniform(0, 5, 5)  # none overlaps another
    spans = np.stack([starts, starts + rng.uniform(0.05, 30, 5)], axis=1)
    labels = rng.integers(0, 3, 5)
    places, strides = (one.numpy() for one in points(256, levels))
    found = targets(spans, labels, 3, places, strides, levels)
    for (begin, end), label, level in zip(spans, labels, level_of(spans[:, 1] - spans[:, 0], levels), strict=True):
        own = found.inside & (strides == 2.0**level) & (found.classes[:, label] == 1)
        fits = np.isclose(places - found.sides[:, 0], begin, atol=1e-3) & np.isclose(
            places + found.sides[:, 1], end, atol=1e-3
        )
        short = own & (np.abs(places - (begin + end) / 2) <= 2.0**level)  # a span that lies between two points
        assert (own & fits).any() or short.any()
    assert not found.classes[~found.inside].any()


def test_where_spans_overlap_a_point_has_all_classes_and_the_ends_of_the_shortest():
    places, strides = (one.numpy() for one in points(20, 1))
    found = targets(np.array([[0.0, 20.0], [5.0, 8.0]]), np.array([0, 1]), 2, places, strides, 1)
    assert found.classes[6].tolist() == [1.0, 1.0]
    np.testing.assert_allclose(found.sides[6], [1.5, 1.5])
    assert found.classes[2].tolist() == [1.0, 0.0]


def test_levels_grow_with_the_longest_spans():
    assert levels_for(np.full(10, CAPACITY)) == 1
    assert levels_for(np.full(10, CAPACITY + 1)) == 2
    assert levels_for(np.zeros(0)) == 1
    assert level_of(np.array([1.0, CAPACITY, 2 * CAPACITY, 1e9]), 3).tolist() == [0, 0, 1, 2]


def test_no_span_gives_nothing_to_learn():
    places, strides = (one.numpy() for one in points(8, 2))
    found = targets(np.zeros((0, 2)), np.zeros(0, int), 2, places, strides, 2)
    assert not found.inside.any()
    assert not found.classes.any()
