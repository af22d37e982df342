import numpy as np
import pytest
from _planted import mixing
from hypothesis import given
from hypothesis import strategies as st

from fusible.alignment._solvers import leading_eigh, leading_svd

SHAPES = [(30, 30), (60, 20), (20, 60), (40, 1), (1, 40), (3, 2)]


def check_svd(matrix, count):
    left, values, right = leading_svd(matrix, count)
    expected = np.linalg.svd(matrix, compute_uv=False)[:count]
    size = max(expected[0], 1e-300)
    np.testing.assert_allclose(values, expected, atol=1e-12 * size)
    np.testing.assert_allclose(left.T @ left, np.eye(count), atol=1e-12)
    np.testing.assert_allclose(right.T @ right, np.eye(count), atol=1e-12)
    np.testing.assert_allclose(matrix @ right, left * values, atol=1e-12 * size)


@given(st.integers(0, 10_000), st.sampled_from(SHAPES), st.floats(0.0, 1.0))
def test_leading_singular_triplets_are_those_of_an_svd(seed, shape, share):
    count = max(1, round(share * min(shape)))
    check_svd(np.random.default_rng(seed).normal(size=shape), count)


@pytest.mark.parametrize("count", [1, 3, 5, 12, 20])
@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
def test_ranks_below_the_count(rng, shape, count):
    check_svd(rng.normal(size=(shape[0], 3)) @ rng.normal(size=(3, shape[1])), count)


@pytest.mark.parametrize("count", [1, 3, 5, 12])
def test_tied_values(rng, count):
    left, right = (np.linalg.qr(rng.normal(size=(24, 24)))[0] for _ in range(2))
    check_svd(left * np.repeat([1.0, 0.5, 0.5 - 1e-9, 0.0], 6) @ right, count)


def test_values_far_below_the_largest_are_exact_too(rng):
    left, right = (np.linalg.qr(rng.normal(size=(40, 40)))[0] for _ in range(2))
    matrix = left * np.r_[np.geomspace(1.0, 1e-6, 8), np.zeros(32)] @ right
    values = leading_svd(matrix, 8)[1]
    np.testing.assert_allclose(values, np.geomspace(1.0, 1e-6, 8), atol=1e-14)


def test_nothing_but_zeros():
    check_svd(np.zeros((30, 20)), 2)


@pytest.mark.parametrize("count", [1, 4, 5, 9, 16])
def test_leading_eigenvectors_are_those_of_eigh(rng, count):
    vectors = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    values = np.r_[5.0, 5.0, 3.0, np.linspace(1.0, -4.0, 13)]
    matrix = vectors * values @ vectors.T
    found, basis = leading_eigh((matrix + matrix.T) / 2, count)
    np.testing.assert_allclose(found, values[:count], atol=1e-12)
    np.testing.assert_allclose(matrix @ basis, basis * found, atol=1e-12)
    np.testing.assert_allclose(basis.T @ basis, np.eye(count), atol=1e-12)


def test_the_matrix_stays_as_it_was(rng):
    matrix = mixing(20, 100.0, rng)
    before = matrix.copy()
    leading_svd(matrix, 2)
    leading_svd(matrix, 15)
    leading_eigh(matrix @ matrix.T, 3)
    np.testing.assert_array_equal(matrix, before)


def test_equal_eigenvalues_are_all_found():
    for seed in range(100):
        rng = np.random.default_rng(seed)
        turn = np.linalg.qr(rng.normal(size=(40, 40)))[0]
        values, vectors = leading_eigh(turn.T @ turn, 1)
        np.testing.assert_allclose(values, [1.0], atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=0), [1.0], atol=1e-12)
        left, found, right = leading_svd(turn, 2)
        np.testing.assert_allclose(found, [1.0, 1.0], atol=1e-12)
        np.testing.assert_allclose(turn @ right, left * found, atol=1e-10)
