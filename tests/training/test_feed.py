"""Feeds give rows their items, each distinct one once."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusible.networks._base import gather
from fusible.training.feed import Feed


@given(ids=st.lists(st.tuples(st.integers(-1, 5), st.integers(-1, 5)), min_size=1, max_size=20), seed=st.integers(0, 9))
def test_features_reach_their_rows(ids, seed):
    table = np.random.default_rng(seed).normal(size=(6, 3)).astype(np.float32)
    feed = Feed(np.array(ids), features=table)
    rows = np.random.default_rng(seed).integers(0, len(ids), 7)
    batch = feed.batch(rows)
    held = np.array(ids)[rows]
    assert len(batch.encoded.vector) == len(set(held[held >= 0].tolist()))
    found = gather(batch.encoded, batch.index).pooled
    for place, row in enumerate(rows):
        mine = [i for i in ids[row] if i >= 0]
        expected = table[mine].mean(axis=0) if mine else np.zeros(3, np.float32)
        np.testing.assert_allclose(found[place], expected, atol=1e-6)
    assert batch.presence.tolist() == [max(ids[row]) >= 0 for row in rows]
    assert feed.presence.tolist() == [max(pair) >= 0 for pair in ids]


class Batcher:
    """Stands for an encoder: counts what it stacks."""

    output_width = 4

    def __init__(self):
        self.seen = []

    def batch(self, decoded):
        self.seen.append(list(decoded))
        return {"x": torch.tensor(decoded)}


def test_decoded_items_are_stacked_once_each_in_order_of_id():
    made = Batcher()
    feed = Feed(np.array([[2], [0], [2], [-1]]), items={0: 10.0, 1: 11.0, 2: 12.0}, batcher=made.batch)
    batch = feed.batch(np.array([0, 1, 2, 3]))
    assert made.seen == [[10.0, 12.0]]
    assert batch.index.tolist() == [[1], [0], [1], [-1]]
    assert batch.tensors["x"].tolist() == [10.0, 12.0]


def test_rows_of_a_table_come_as_a_frame():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    feed = Feed(np.array([[0], [-1], [2]]), items=frame, batcher=lambda f: {"a": torch.tensor(f["a"].to_numpy())})
    batch = feed.batch(np.array([2, 1, 0]))
    assert batch.tensors["a"].tolist() == [1.0, 3.0]
    assert batch.index.tolist() == [[1], [-1], [0]]


def test_a_batch_in_which_the_view_is_absent_has_no_items():
    made = Batcher()
    batch = Feed(np.array([[-1], [-1]]), items={}, batcher=made.batch).batch(np.array([0, 1]))
    assert made.seen == []
    assert batch.encoded.vector.shape == (0, 4)
    assert not batch.presence.any()


def test_decoded_items_need_a_batcher():
    with pytest.raises(TypeError, match="needs the encoder's batcher"):
        Feed(np.array([[0]]), items={0: 1.0}).batch(np.array([0]))
