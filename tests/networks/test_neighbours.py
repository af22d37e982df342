"""Nearest anchors against brute force, with ties, and whatever the batch."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusible.networks._neighbours import GRID, Nearness, nearest


def test_similarity_is_the_cosine_of_standardised_vectors():
    rng = np.random.default_rng(0)
    anchors, rows = rng.normal(2, 3, (40, 5)), rng.normal(2, 3, (7, 5))
    held = np.arange(40) % 4 > 0
    mean, spread = anchors[held].mean(axis=0), anchors[held].std(axis=0, ddof=1)
    scaled, other = (rows - mean) / spread, (anchors - mean) / spread
    unit = other / np.linalg.norm(other, axis=1, keepdims=True)
    expected = scaled / np.linalg.norm(scaled, axis=1, keepdims=True) @ unit.T
    found = Nearness(torch.from_numpy(anchors), torch.from_numpy(held)).grid(torch.from_numpy(rows))
    np.testing.assert_allclose(found.numpy() / GRID, expected, atol=1e-8)


@given(seed=st.integers(0, 10_000), count=st.integers(1, 12))
def test_nearest_are_those_of_a_stable_sort(seed, count):
    rng = np.random.default_rng(seed)
    grid = rng.integers(-3, 4, (5, 8)) * (GRID // 4)  # many ties
    allowed = rng.random((5, 8)) < 0.7
    rows, anchors, alike = (x.numpy() for x in nearest(torch.from_numpy(grid), torch.from_numpy(allowed), count))
    for row in range(5):
        order = [a for a in np.argsort(-grid[row], kind="stable") if allowed[row, a]][:count]
        assert anchors[rows == row].tolist() == order
        np.testing.assert_allclose(alike[rows == row], grid[row, order] / GRID)


def test_equal_rows_meet_equal_anchors_exactly_alone_or_together():
    rng = np.random.default_rng(1)
    anchors = torch.from_numpy(np.repeat(rng.normal(size=(30, 37)), 3, axis=0)).float()
    near = Nearness(anchors, torch.ones(90, dtype=torch.bool))
    whole = near.grid(anchors)
    assert (whole.diagonal() == GRID).all()
    for row in range(0, 90, 7):
        assert torch.equal(near.grid(anchors[row : row + 1])[0], whole[row])


def test_constant_columns_equal_vectors_and_no_anchor_are_defined():
    alike = torch.full((4, 3), 2.0)
    near = Nearness(alike, torch.ones(4, dtype=torch.bool))
    assert (near.grid(alike) == GRID).all()
    none = Nearness(torch.zeros(0, 3), torch.zeros(0, dtype=torch.bool))
    assert none.grid(torch.ones(2, 3)).shape == (2, 0)
    never = Nearness(torch.zeros(5, 3), torch.zeros(5, dtype=torch.bool))
    assert torch.isfinite(never.grid(torch.ones(2, 3)).double()).all()
