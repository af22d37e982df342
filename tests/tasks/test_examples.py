"""Rows that one view alone gets right: which ones are drawn, and what each view says of them."""

import numpy as np
import pandas as pd
import pytest

from fusible.tasks.compare import prepare
from fusible.tasks.examples import SHOWN_CONTRASTS, contrasts


@pytest.fixture
def context(tmp_path):
    """A table of 60 rows whose last 20 are the test part."""
    label = np.tile(["no", "yes"], 30)
    notes = [f"note {k} of many words" for k in range(60)]
    split = ["train"] * 30 + ["valid"] * 10 + ["test"] * 20
    frame = pd.DataFrame({"note": notes, "size": np.arange(60.0), "y": label, "split": split})
    found, _ = prepare(frame, "y", {"note": "text"}, None, None, 0, cache=tmp_path)
    return found


def says(right, truth):
    return np.eye(2)[np.where(right, truth, 1 - truth)]


def test_rows_are_those_that_exactly_one_gets_right_in_turn(context):
    truth = context.learned[context.split.test]
    a, b = np.zeros(20, bool), np.zeros(20, bool)
    a[:6], b[4:12] = True, True  # rows 4 and 5 both, 0 to 3 only a, 6 to 11 only b
    given = {"single:note": says(a, truth), "single:table": says(b, truth)}
    found = contrasts(context, given, {})
    assert len(found) == SHOWN_CONTRASTS
    turns = [[right for _, _, right in example["says"]] for example in found]
    assert turns == [[True, False], [False, True]] * 2 + [[True, False]]
    for example in found:
        row = int(example["title"].split()[1])
        assert row - 40 in ({*range(4)} if example["says"][0][2] else {*range(6, 12)})
        assert example["truth"] == ("yes" if row % 2 else "no")
        assert example["fields"]["note"] == f"note {row} of many words"
        for _, said, right in example["says"]:
            assert (said == example["truth"]) == right
    assert len({example["title"] for example in found}) == len(found)
    assert contrasts(context, given, {}) == found


def test_thresholds_decide_what_is_right(context):
    truth = context.learned[context.split.test]
    half = np.full((20, 2), 0.5)
    right = says(np.ones(20, bool), truth)
    found = contrasts(context, {"a": half, "b": right}, {"a": 0.6})
    assert all(example["says"][0][1] == "no" for example in found)
    assert all(example["truth"] == "yes" for example in found)


def test_views_that_err_alike_have_none(context):
    truth = context.learned[context.split.test]
    same = says(np.arange(20) < 9, truth)
    assert contrasts(context, {"a": same, "b": same}, {}) == []
    assert contrasts(context, {"a": same}, {}) == []
