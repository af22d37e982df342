"""Splits."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.data.read import read
from fusible.data.split import from_names, make_split
from fusible.errors import SplitError

SHARES = np.array([0.7, 0.15, 0.15])


def table(rows, **columns):
    return read(pd.DataFrame({"x": np.arange(rows) * 0.5, **columns}))


def assert_partition(split, rows):
    together = np.concatenate([split.train, split.valid, split.test])
    assert sorted(together.tolist()) == list(rows)
    for part in split.parts.values():
        assert (np.diff(part) > 0).all()


@given(st.lists(st.integers(0, 4), min_size=30, max_size=200), st.integers(0, 5))
def test_each_class_has_its_share_within_one_row(classes, seed):
    target = np.array([f"c{c}" for c in classes], dtype=object)
    split = make_split(table(len(classes)), target, seed=seed)
    assert_partition(split, range(len(classes)))
    for name in set(target):
        counts = np.array([(target[rows] == name).sum() for rows in split.parts.values()])
        if counts.sum() > 1:
            assert (np.abs(counts - SHARES * counts.sum()) < 1 + 1e-9).all()
        else:
            assert counts.tolist() == [1, 0, 0]


@given(st.lists(st.integers(0, 15), min_size=60, max_size=200), st.integers(0, 3))
def test_groups_stay_whole(groups, seed):
    rows = len(groups)
    data = table(rows, group=[f"g{g}" for g in groups])
    if len(set(groups)) < 8:
        return
    split = make_split(data, np.arange(rows) % 2, seed=seed)
    assert_partition(split, range(rows))
    homes = [{groups[row] for row in part} for part in split.parts.values()]
    assert not homes[0] & homes[1]
    assert not homes[0] & homes[2]
    assert not homes[1] & homes[2]


def test_equal_groups_are_stratified_too():
    groups = np.repeat(np.arange(100), 4)
    target = groups % 2
    split = make_split(table(400, group=groups), target)
    assert split.sizes == {"train": 280, "valid": 60, "test": 60}
    for rows in split.parts.values():
        assert abs(target[rows].mean() - 0.5) < 0.05


def test_rows_without_a_group_are_groups_of_their_own():
    data = table(40, group=["a"] * 10 + [None] * 30)
    split = make_split(data)
    assert_partition(split, range(40))
    assert len({name for name, rows in split.parts.items() if rows[0] < 10 or (rows < 10).any()}) == 1
    assert split.sizes["train"] == 28


def test_same_seed_same_split_and_another_seed_another():
    data = table(200)
    first, again, other = (make_split(data, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.test, again.test)
    assert first.test.tolist() != other.test.tolist()
    assert first.sizes == {"train": 140, "valid": 30, "test": 30}


def test_numbers_are_stratified_by_quantiles(rng):
    target = rng.lognormal(sigma=2, size=1000)
    split = make_split(table(1000), target)
    bins = np.searchsorted(np.quantile(target, np.linspace(0, 1, 11)[1:-1]), target, side="right")
    counts = np.array([np.bincount(bins[rows], minlength=10) for rows in split.parts.values()])
    assert np.abs(counts - SHARES[:, None] * 100).max() <= 1


def test_label_sets_are_strata():
    lists = [["a"], ["b", "a"], []] * 40
    cells = np.empty(120, dtype=object)
    cells[:] = lists
    split = make_split(table(120), cells)
    assert [sum(len(lists[row]) == 2 for row in rows) for rows in split.parts.values()] == [28, 6, 6]
    matrix = np.array([[1, 0], [1, 1], [0, 0]] * 40)
    split = make_split(table(120), matrix)
    assert [int(matrix[rows].all(axis=1).sum()) for rows in split.parts.values()] == [28, 6, 6]


@pytest.mark.parametrize(
    "target",
    [
        np.array([1.0, np.nan] * 30),
        np.array(["a", None] * 30, dtype=object),
        np.array(["a", np.nan] * 30, dtype=object),
    ],
)
def test_rows_without_a_target_are_in_no_part(target):
    assert_partition(make_split(table(60), target), range(0, 60, 2))


def test_without_strata_only_the_sizes_hold():
    target = np.arange(100) < 10
    assert make_split(table(100), target, stratify=False).sizes == {"train": 70, "valid": 15, "test": 15}


def test_the_split_column_is_used_as_it_is():
    names = ["train", "dev", "test", "Validation", " TEST "] * 4
    split = make_split(table(20, split=names), fractions=(0.1, 0.1, 0.8))
    assert split.train.tolist() == list(range(0, 20, 5))
    assert split.valid.tolist() == sorted([*range(1, 20, 5), *range(3, 20, 5)])
    assert split.test.tolist() == sorted([*range(2, 20, 5), *range(4, 20, 5)])


def test_a_missing_valid_part_is_carved_from_train():
    target = np.arange(120) % 2
    split = make_split(table(120, split=["train"] * 100 + ["test"] * 20), target)
    assert split.sizes == {"train": 85, "valid": 15, "test": 20}
    assert split.test.tolist() == list(range(100, 120))
    assert abs(target[split.valid].sum() - 7.5) < 1
    groups = np.repeat(np.arange(12), 10)
    grouped = make_split(table(120, split=["train"] * 100 + ["test"] * 20, group=groups), target)
    assert not set(groups[grouped.train]) & set(groups[grouped.valid])


def test_rows_without_a_part_are_in_none():
    assert from_names(np.array(["train", None, "val", "test"], dtype=object)).sizes == {
        "train": 1,
        "valid": 1,
        "test": 1,
    }
    with pytest.raises(SplitError, match="expected train, valid or test, got 'holdout'"):
        from_names(np.array(["train", "holdout"], dtype=object))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda: table(2), "the test part has no row|the valid part has no row"),
        (lambda: table(10, split=["train"] * 9 + ["valid"]), r"the test part has no row .*split column"),
        (lambda: table(10, split=["valid"] * 5 + ["test"] * 5), "the train part has no row"),
        (lambda: table(30, group=["a"] * 30), "the table needs more rows and groups"),
    ],
)
def test_a_part_without_rows_is_an_error(data, said):
    with pytest.raises(SplitError, match=said):
        make_split(data())


def test_a_target_of_another_length_is_an_error():
    with pytest.raises(SplitError, match="expected 30, one per row, got 29"):
        make_split(table(30), np.zeros(29))
