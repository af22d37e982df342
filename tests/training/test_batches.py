"""Batches are partitions; what makes them ahead hands on errors and ends."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.training.batches import grouped_batches, plain_batches, prefetch


@given(number=st.integers(0, 200), size=st.integers(1, 50), seed=st.integers(0, 99))
def test_plain_batches_are_a_partition(number, size, seed):
    rows = np.arange(number) * 3 + 1
    batches = plain_batches(rows, size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist() if batches else []) == rows.tolist()
    assert all(len(b) == size for b in batches[:-1])
    if number > 1 and size > 1:
        assert len(batches[-1]) >= 2
    assert all(len(b) < size + max(2, size // 2) for b in batches)


@given(items=st.lists(st.integers(-1, 12), max_size=120), size=st.integers(1, 8), seed=st.integers(0, 99))
def test_grouped_batches_are_a_partition_that_keeps_items_whole(items, size, seed):
    held = np.array(items, dtype=np.int64)
    rows = np.random.default_rng(seed).permutation(1000)[: len(held)]
    batches = grouped_batches(rows, held, size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist() if batches else []) == sorted(rows.tolist())
    item_of = dict(zip(rows.tolist(), held.tolist(), strict=True))
    home = [{item_of[row] for row in batch.tolist()} for batch in batches]
    assert sum(len(found) for found in home) == len(set(items)), "no item may be in two batches"
    assert all(len(found) == size for found in home[:-1])


def test_batches_are_seeded_and_shuffled():
    rows, items = np.arange(60), np.arange(60) // 3
    for make in (lambda r: plain_batches(rows, 8, r), lambda r: grouped_batches(rows, items, 4, r)):
        first, second, other = (np.concatenate(make(np.random.default_rng(s))) for s in (1, 1, 2))
        assert np.array_equal(first, second)
        assert not np.array_equal(first, other)
        assert not np.array_equal(first, rows)


def threads():
    return set(threading.enumerate())


def test_prefetch_keeps_order_and_leaves_no_thread():
    before = threads()
    assert list(prefetch(lambda x: x * x, range(50))) == [x * x for x in range(50)]
    assert list(prefetch(str, [])) == []
    assert threads() == before


def test_prefetch_hands_errors_on():
    before = threads()

    def make(x):
        if x == 3:
            raise ValueError("piece 3 is bad")
        return x

    seen = []
    with pytest.raises(ValueError, match="piece 3 is bad"):
        seen.extend(x for x in prefetch(make, range(10)))
    assert threads() == before

    def work():
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(prefetch(str, work()))
    assert threads() == before


def test_prefetch_that_is_left_early_ends_its_thread():
    before, made = threads(), []

    def make(x):
        made.append(x)
        return x

    feed = prefetch(make, range(10_000), depth=2)
    assert next(feed) == 0
    feed.close()
    assert threads() == before
    assert len(made) < 20

    def consume():
        for _ in prefetch(make, range(10_000)):
            raise RuntimeError("consumer")

    with pytest.raises(RuntimeError, match="consumer"):
        consume()
    assert threads() == before


def test_prefetch_works_ahead_but_not_without_bound():
    made = []

    def make(x):
        made.append(x)
        return x

    feed = prefetch(make, range(100), depth=2)
    next(feed)
    deadline = time.monotonic() + 2
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(made) == 4  # one taken, two waiting, one at the door
    feed.close()
