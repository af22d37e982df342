"""Fused encodings: the mean of the views' cosines, absent views without a say."""

import numpy as np
import pytest

from fusible.errors import ArrayError
from fusible.tasks.video.fused import fused


def centred(view):
    rows = view - view.mean(axis=0)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_inner_product_is_the_mean_of_the_views_cosines():
    rng = np.random.default_rng(0)
    views = {"a": rng.normal(size=(12, 5)), "b": 100 * rng.normal(size=(12, 3))}
    found = fused(views)
    wanted = np.mean([centred(view) @ centred(view).T for view in views.values()], axis=0)
    np.testing.assert_allclose(found @ found.T, wanted, atol=1e-9)


def test_weights_say_how_much_a_view_counts():
    rng = np.random.default_rng(1)
    views = {"a": rng.normal(size=(9, 4)), "b": rng.normal(size=(9, 4))}
    found = fused(views, {"a": 3.0})
    wanted = (3 * centred(views["a"]) @ centred(views["a"]).T + centred(views["b"]) @ centred(views["b"]).T) / 4
    np.testing.assert_allclose(found @ found.T, wanted, atol=1e-9)


@pytest.mark.parametrize("held", [np.nan, np.inf, -np.inf])
def test_an_absent_view_has_no_say_whatever_its_row_holds(held):
    rng = np.random.default_rng(2)
    views = {"a": rng.normal(size=(8, 4)), "b": rng.normal(size=(8, 6))}
    views["b"][3] = np.nan
    before = fused(views)
    views["b"][3, 1:] = 1e30
    views["b"][3, 0] = held
    np.testing.assert_array_equal(fused(views), before)
    np.testing.assert_allclose(np.linalg.norm(before, axis=1), 1.0)


def test_steps_without_any_view_and_views_that_never_vary_are_zeros():
    view = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, 1.0]])
    found = fused({"a": view, "still": np.ones((3, 2))})
    assert not found[1].any()
    np.testing.assert_allclose(np.linalg.norm(found[[0, 2]], axis=1), 1.0)
    assert not fused({"still": np.ones((3, 2))}).any()


def test_wide_views_are_cut_to_their_main_directions():
    rng = np.random.default_rng(3)
    view = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 300))
    found = fused({"a": view})
    assert found.shape == (400, 3)
    np.testing.assert_allclose(found @ found.T, centred(view) @ centred(view).T, atol=1e-6)


@pytest.mark.parametrize("views", [{}, {"a": np.zeros((2, 1)), "b": np.zeros((3, 1))}])
def test_views_of_other_steps_are_refused(views):
    with pytest.raises(ArrayError, match="expected views of the same steps"):
        fused(views)
