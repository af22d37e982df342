import numpy as np
import pytest
from _planted import planted, shared

from fusible.alignment._report import duplicates
from fusible.alignment.cca import Cca
from fusible.alignment.mcca import Mcca
from fusible.errors import FusibleWarning


def said(call):
    with pytest.warns(FusibleWarning) as caught:
        call()
    return [str(warning.message) for warning in caught]


def test_duplicates_are_equal_up_to_shift_scale_and_sign(rng):
    array = rng.normal(size=(100, 3))
    near = array[:, 1] + 1e-3 * rng.normal(size=100)
    whole = np.column_stack([array, -2.0 * array[:, 0] + 7.0, near, array[:, 2] * 1e-9])
    assert duplicates(np.corrcoef(whole.T)) == [(0, 3), (2, 5)]


def test_a_healthy_view_says_nothing_and_reports_its_condition(rng):
    fitted = Cca().fit(planted(rng))
    for entry in fitted.condition_.values():
        assert 1.0 <= entry["condition"] < 10.0
        assert (entry["constant"], entry["duplicates"], entry["dropped"]) == ([], [], 0)
        assert entry["rank"] == entry["columns"]
        assert entry["method"] == "float64 Gram"


def test_long_lists_are_cut_short(rng):
    views = shared(rng, widths=(5, 4))
    spoilt = {**views, "a": np.column_stack([views["a"], np.ones((200, 8))])}
    assert said(lambda: Cca(2).fit(spoilt)) == [
        "Cca: view 'a': columns 5, 6, 7, 8, 9 and 3 more are constant and get weight 0"
    ]


def test_too_few_rows_are_told_of_unless_a_ridge_is_set(rng):
    views = {name: rng.normal(size=(12, 4)) for name in "abc"}
    assert said(lambda: Mcca(1).fit(views)) == [
        "Mcca: 12 rows for 12 columns: correlations of 1 are found in noise; take a ridge, or fewer columns"
    ]
    Mcca(1, ridge=0.1).fit(views)  # a warning would be an error
    Mcca(1).fit({name: rng.normal(size=(13, 4)) for name in "abc"})


def test_rows_of_weight_zero_and_rows_apart_are_no_rows(rng):
    views = {name: rng.normal(size=(100, 3)) for name in "ab"}
    weight = np.r_[np.ones(6), np.zeros(94)]
    assert "Cca: 6 rows for 6 columns" in said(lambda: Cca(1).fit(views, sample_weight=weight))[0]
    presence = np.ones((100, 2), bool)
    presence[:47, 0], presence[53:, 1] = False, False
    assert "Cca: 6 rows for 6 columns" in said(lambda: Cca(1).fit(views, presence=presence))[0]
