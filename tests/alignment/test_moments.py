from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from fusible.alignment._moments import Moments


def of(array, weight=None, **settings):
    moments = Moments(array.shape[1], **settings)
    moments.update([array], weight)
    return moments


def by_hand(array, weight=None):
    weight = np.ones(len(array)) if weight is None else weight
    mean = weight @ array / weight.sum()
    return mean, ((array - mean) * weight[:, None]).T @ (array - mean)


def check(moments, array, weight=None, **tolerance):
    mean, products = by_hand(array, weight)
    np.testing.assert_allclose(moments.mean, mean, **tolerance)
    np.testing.assert_allclose(moments.full(), products, **tolerance)
    assert moments.weight == pytest.approx(len(array) if weight is None else weight.sum())


@given(st.integers(0, 10_000), st.lists(st.integers(1, 9), min_size=1, max_size=6), st.booleans())
def test_any_order_of_updates_and_merges_is_the_same(seed, sizes, weighted):
    rng = np.random.default_rng(seed)
    array = rng.normal(size=(sum(sizes), 4)) * [1.0, 10.0, 0.1, 1.0] + [0.0, 5.0, 100.0, -3.0]
    weight = rng.random(len(array)) + 0.1 if weighted else None
    edges = np.cumsum([0, *sizes])
    cuts = [slice(a, b) for a, b in pairwise(edges)]
    total, updated = Moments(4), Moments(4)
    for place in rng.permutation(len(cuts)):
        part = cuts[place]
        here = None if weight is None else weight[part]
        total.merge(of(array[part], here))
        updated.update([array[part, :1], array[part, 1:]], here)
    for moments in (total, updated):
        assert moments.rows == len(array)
        check(moments, array, weight, rtol=1e-9, atol=1e-9)


def test_a_merge_leaves_the_other_as_it_was(rng):
    one, other = of(rng.normal(size=(5, 2))), of(rng.normal(size=(6, 2)))
    before = other.mean.copy(), other.full()
    one.merge(other)
    one.update([rng.normal(size=(7, 2))])
    np.testing.assert_array_equal(other.mean, before[0])
    np.testing.assert_array_equal(other.full(), before[1])


def test_a_large_mean_costs_no_digits(rng):
    small = np.round(rng.normal(size=(3000, 3)) * 2**20) / 2**20  # exact beside a large mean
    moments = Moments(3)
    for start in range(0, 3000, 700):
        moments.update([small[start : start + 700] + 1e6])
    np.testing.assert_allclose(moments.full(), by_hand(small)[1], rtol=1e-10, atol=1e-7)


@pytest.mark.parametrize("density", [0.01, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_rows_are_dense_rows(rng, density, weighted):
    array = rng.normal(size=(200, 30)) * (rng.random((200, 30)) < density)
    weight = rng.random(200) if weighted else None
    check(of(scipy.sparse.csr_matrix(array), weight), array, weight, atol=1e-12)


@pytest.mark.parametrize("mean", [0.1, 1.0, 1e6])
def test_sparse_columns_of_large_mean_cost_no_digits(rng, mean):
    array = rng.normal(size=(200, 60)) * (rng.random((200, 60)) < 0.01)
    array[:, 0] = mean
    array[:, 1] = mean + rng.normal(size=200)
    moments = of(scipy.sparse.csr_matrix(array))
    assert moments.full()[0, 0] < 1e-20 * mean**2
    np.testing.assert_allclose(moments.full(), by_hand(array)[1], atol=1e-7)


def test_sparse_beside_dense_rows(rng):
    array = rng.normal(size=(50, 6)) * (rng.random((50, 6)) < 0.5)
    moments = Moments(6)
    moments.update([scipy.sparse.csr_matrix(array[:, :2]), array[:, 2:]])
    check(moments, array, atol=1e-12)


def test_single_precision_errs_by_its_rounding_alone(rng):
    array = rng.normal(size=(5000, 5)).astype(np.float32) + np.float32(100.0)
    moments = Moments(5, single=True)
    for start in range(0, 5000, 1000):
        moments.update([array[start : start + 1000]])
    mean, products = by_hand(array.astype(np.float64))
    np.testing.assert_allclose(moments.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(moments.full(), products, atol=5e-6 * 5000)


def test_rows_of_weight_zero_do_not_count(rng):
    array = rng.normal(size=(20, 3))
    weight = np.r_[np.ones(8), np.zeros(12)]
    moments = of(array, weight)
    assert (moments.rows, moments.weight) == (8, 8.0)
    check(moments, array[:8], atol=1e-12)
    moments.update([array], np.zeros(20))
    check(moments, array[:8], atol=1e-12)


def test_what_is_not_finite_shows_in_the_mean_and_is_not_added(rng):
    array = rng.normal(size=(20, 3))
    moments = of(array)
    bad = array.copy()
    bad[3, 1] = np.nan
    assert np.isnan(moments.update([bad])[1])
    check(moments, array, atol=1e-12)
