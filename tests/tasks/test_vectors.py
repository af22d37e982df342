"""Rows of a view as one matrix, as fusion sees them."""

import numpy as np
import pytest
import torch

from fusible.networks._base import gather
from fusible.tasks import vectors
from fusible.tasks.vectors import pooled
from fusible.training.feed import Feed

FEATURES = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize("ids", [[[0], [3], [-1], [0]], [[0, 1], [2, -1], [-1, -1], [-1, 3]]])
def test_vectors_are_those_that_operators_get(ids):
    feed = Feed(np.array(ids), features=FEATURES)
    rows = np.array([3, 0, 2, 1])
    found = pooled(feed, rows)
    batch = feed.batch(rows)
    seen = gather(batch.encoded, batch.index).pooled.numpy()
    there = feed.presence[rows]
    np.testing.assert_allclose(found[there], seen[there])
    assert np.isnan(found[~there]).all()
    assert found.dtype == np.float32


def test_features_are_copied_and_chunks_change_nothing(monkeypatch):
    feed = Feed(np.array([[0, 1], [2, -1], [3, 3]]), features=FEATURES)
    whole = pooled(feed, np.arange(3))
    monkeypatch.setattr(vectors, "CHUNK", 2)
    np.testing.assert_array_equal(pooled(feed, np.arange(3)), whole)
    pooled(Feed(np.array([[0], [-1]]), features=FEATURES), np.arange(2))[:] = np.nan
    assert np.isfinite(FEATURES).all()


def test_no_item_and_no_row_work():
    nothing = Feed(np.full((2, 1), -1), features=np.zeros((0, 3), np.float32))
    assert np.isnan(pooled(nothing, np.arange(2))).all()
    assert pooled(Feed(np.array([[0, 1]]), features=FEATURES), np.arange(0)).shape == (0, 3)


def test_decoded_items_have_no_vectors():
    with pytest.raises(TypeError, match="encoded"):
        pooled(Feed(np.zeros((1, 1), int), items=[torch.zeros(1)]), np.arange(1))
