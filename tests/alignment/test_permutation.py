import numpy as np
import pytest
import scipy.sparse
import scipy.stats
from _planted import mixing, planted, shared

from fusible.alignment import CcaCV, permutation_test
from fusible.alignment._permutation import SLACK, PermutationTest, _log_lambdas
from fusible.alignment.cca import Cca
from fusible.alignment.mcca import Mcca
from fusible.errors import ArrayError, ConfigError, FusibleWarning


def population(rng, rows, known, widths=(5, 4)):
    """Rows of a population with known canonical correlations."""
    a, b = (rng.normal(size=(rows, width)) for width in widths)
    for k, rho in enumerate(known):
        b[:, k] = rho * a[:, k] + np.sqrt(1 - rho**2) * b[:, k]
    return {"a": a @ mixing(widths[0], 10.0, rng), "b": b @ mixing(widths[1], 10.0, rng)}


def test_wilks_lambda_of_every_step_is_a_determinant(rng):
    block = rng.normal(size=(5, 4)) * 0.2
    for k, found in enumerate(_log_lambdas(block, 4)):
        rest = block[k:, k:] / (1.0 + SLACK)
        expected = np.linalg.slogdet(np.eye(5 - k) - rest @ rest.T)[1] + (9 - 2 * k) * np.log1p(SLACK)
        assert found == pytest.approx(expected, abs=1e-6)


def test_wilks_lambda_is_the_product_of_what_correlations_leave(rng):
    known = np.array([0.9, 0.6, 0.3, 0.1])
    block = np.zeros((5, 4))
    block[:4] = np.diag(known)
    for k, found in enumerate(_log_lambdas(block, 4)):
        assert found == pytest.approx(np.log(1 - known[k:] ** 2).sum(), abs=1e-3)


@pytest.mark.parametrize("part", [Cca, Mcca])
@pytest.mark.parametrize("known", [(), (0.6,), (0.7, 0.5, 0.4)])
def test_it_finds_as_many_as_are_planted(rng, part, known):
    right = 0
    for seed in range(8):
        views = population(rng, 300, known)
        right += permutation_test(part().fit(views), views, permutations=99, seed=seed).significant() == len(known)
    assert right >= 7


def test_under_the_null_p_values_are_uniform(rng):
    first = []
    for seed in range(80):
        views = population(rng, 60, ())
        first.append(permutation_test(Cca().fit(views), views, permutations=39, seed=seed).p_values[0])
    assert scipy.stats.kstest(first, "uniform").pvalue > 0.01
    assert np.mean(np.array(first) <= 0.1) < 0.2


def test_the_step_after_the_last_true_one_is_not_too_bold(rng):
    second = []
    for seed in range(80):
        views = population(rng, 80, (0.8,))
        second.append(permutation_test(Cca().fit(views), views, permutations=39, seed=seed).p_values[1])
    assert np.mean(np.array(second) <= 0.1) < 0.2


def test_p_values_never_fall_and_are_multiples_of_the_number(rng):
    views = shared(rng, widths=(5, 4))
    p_values = permutation_test(Cca().fit(views), views, permutations=19).p_values
    assert (np.diff(p_values) >= 0).all()
    np.testing.assert_allclose(p_values * 20, np.round(p_values * 20))
    assert p_values.min() == pytest.approx(1 / 20)  # the data are one of their own permutations


def test_the_same_seed_gives_the_same_and_units_do_not_matter(rng):
    views = population(rng, 100, (0.4, 0.2))
    scaled = {"a": views["a"] * np.geomspace(1e-6, 1e6, 5), "b": views["b"] * 1e-10 + 1e-9}
    one = permutation_test(Cca().fit(views), views, permutations=99, seed=5).p_values
    again = permutation_test(Cca().fit(views), views, permutations=99, seed=5).p_values
    other = permutation_test(Cca().fit(scaled), scaled, permutations=99, seed=5).p_values
    np.testing.assert_array_equal(one, again)
    np.testing.assert_allclose(other, one, atol=0.011)
    assert not np.array_equal(one, permutation_test(Cca().fit(views), views, permutations=99, seed=6).p_values)


def test_ill_conditioned_and_duplicate_columns_do_not_matter(rng):
    views = population(rng, 200, (0.7,))
    plain = permutation_test(Cca(3).fit(views), views, permutations=99).p_values
    bad = {"a": views["a"] @ mixing(5, 1e7, rng), "b": views["b"]}
    np.testing.assert_allclose(permutation_test(Cca(3).fit(bad), bad, permutations=99).p_values, plain, atol=0.03)
    twice = {"a": np.column_stack([views["a"], views["a"][:, 0], np.ones(200)]), "b": views["b"]}
    with pytest.warns(FusibleWarning) as caught:
        fitted = Cca(3).fit(twice)
    assert len(caught) == 3
    np.testing.assert_allclose(permutation_test(fitted, twice, permutations=99).p_values, plain, atol=0.03)


def test_perfect_correlations_are_significant(rng):
    views = planted(rng, known=(1.0, 1.0))
    found = permutation_test(Cca().fit(views), views, permutations=99)
    assert found.significant() == 2
    assert found.p_values[:2].tolist() == [0.01, 0.01]


def test_rows_that_lack_a_view_are_left_out(rng):
    views = population(rng, 200, (0.5, 0.3))
    presence = np.ones((200, 2), bool)
    presence[::5, 1] = False
    absent = {**views, "b": np.where(presence[:, 1:], views["b"], np.nan)}
    whole = {name: array[presence.all(axis=1)] for name, array in views.items()}
    fitted = Cca().fit(whole)
    one = permutation_test(fitted, absent, presence=presence, permutations=49).p_values
    np.testing.assert_array_equal(one, permutation_test(fitted, whole, permutations=49).p_values)


def test_sparse_rows_and_a_search_are_taken_too(rng):
    views = population(rng, 200, (0.6,))
    fitted = CcaCV(2, ridges=(0.1,)).fit(views)
    sparse = {name: scipy.sparse.csr_matrix(array) for name, array in views.items()}
    one = permutation_test(fitted, views, permutations=49).p_values
    np.testing.assert_array_equal(one, permutation_test(fitted, sparse, permutations=49).p_values)
    np.testing.assert_array_equal(one, permutation_test(fitted.best_, views, permutations=49).p_values)


def test_significant_counts_leading_components():
    assert PermutationTest(np.array([0.01, 0.04, 0.2, 0.2]), 99).significant() == 2
    assert PermutationTest(np.array([0.01, 0.04, 0.2, 0.2]), 99).significant(0.02) == 1
    assert PermutationTest(np.array([0.01, 0.04]), 99).significant() == 2
    assert PermutationTest(np.array([0.3]), 99).significant() == 0


def test_what_cannot_be_tested_is_told(rng):
    views = population(rng, 200, (0.6,))
    fitted = Cca().fit(views)
    with pytest.raises(ConfigError, match="permutations must be at least 1, got 0"):
        permutation_test(fitted, views, permutations=0)
    few = {name: array[:9] for name, array in views.items()}
    with pytest.raises(ArrayError, match=r"expected more rows than columns \(9\), got 9"):
        permutation_test(fitted, few)
