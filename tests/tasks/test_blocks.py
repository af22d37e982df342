"""Rows that share items stay together: over views, slots and groups; what cannot be kept apart is counted."""

import numpy as np
import pandas as pd
import pytest

from fusible.data.read import read
from fusible.data.split import make_split
from fusible.tasks._blocks import blocks_of, rare, shown_notes, whole
from fusible.tasks.source import Source

ROWS = 240
THREE, FOUR = np.arange(ROWS) // 3, np.arange(ROWS) // 4


@pytest.fixture(scope="module")
def pictures(png):
    rng = np.random.default_rng(0)
    return np.array([png(rng.integers(0, 255, (4, 4, 3))) for _ in range(ROWS)], dtype=object)


def opened(columns, known=None, join=None):
    dataset = read(pd.DataFrame(columns), columns=known, views=join)
    return Source(dataset), tuple(dataset.views.values())


def leaks(source, views):
    """How many items of test rows, per view, rows of other parts hold, in the split that blocks give; and in words."""
    blocks, words = blocks_of(source, views)
    split = make_split(source.dataset, groups=blocks)
    rest, found = np.concatenate([split.train, split.valid]), {}
    for view in views:
        ids = source.data(view).ids
        found[view.name] = len(set(ids[split.test].ravel()) & set(ids[rest].ravel()) - {-1})
    return found, words, len(np.unique(blocks))


def test_items_of_several_views_hold_rows_together(pictures):
    found = leaks(*opened({"one": pictures[THREE], "two": pictures[FOUR]}))
    assert found == ({"one": 0, "two": 0}, "one or two", ROWS // 12)


def test_texts_hold_rows_together(pictures):
    texts = [f"sentence number {i} of many" for i in THREE]
    assert leaks(*opened({"said": texts, "one": pictures}, {"said": "text"})) == ({"said": 0, "one": 0}, "said", 80)


def test_slots_of_a_joined_view_hold_rows_together(pictures):
    columns = {"one": pictures[THREE], "two": [*pictures[80:], *[None] * 80]}
    assert leaks(*opened(columns, join={"both": ["one", "two"]})) == ({"both": 0}, "both", 80)


def test_groups_of_the_table_are_joined(pictures):
    found = leaks(*opened({"one": pictures[THREE], "who": [f"g{i}" for i in FOUR]}, {"who": "category:group"}))
    assert found == ({"one": 0}, "group or one", ROWS // 12)


def test_without_enough_blocks_the_view_that_repeats_most_is_kept_together(pictures):
    mixed = np.random.default_rng(0).permutation(ROWS)
    found, words, blocks = leaks(*opened({"one": pictures[np.arange(ROWS) % 60], "two": pictures[mixed % 80]}))
    assert (found["one"], words, blocks) == (0, "one", 60)
    assert found["two"] > 0


def test_categories_and_items_of_many_rows_hold_nothing_together(pictures):
    common = np.where(np.arange(ROWS) % 3 == 0, 0, np.arange(ROWS))
    source, views = opened({"few": pictures[np.arange(ROWS) % 19], "most": pictures[common]})
    assert leaks(source, views)[1:] == ("", ROWS)
    assert rare(np.array([[0, 0], [0, 1], [2, -1], *[[i, i] for i in range(3, 9)]])).tolist()[:3] == [
        [-1, -1], [-1, 1], [2, -1]
    ]  # fmt: skip
    assert whole([np.arange(19)[:, None]], None) is None


def test_items_that_the_tables_own_split_cuts_are_counted(pictures):
    part = np.where(np.arange(ROWS) < 160, "train", np.where(np.arange(ROWS) < 200, "valid", "test"))
    columns = {"one": pictures[np.arange(ROWS) % 60], "two": pictures, "part": part}
    source, views = opened(columns, {"part": "category:split"})
    split = make_split(source.dataset)
    assert [note.split(" in test")[0] for note in shown_notes(source, views, split.train, split.test)] == [
        "40 of 40 items of one"
    ]
