import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import torch
from _planted import mixing, orthonormal, planted, same_up_to_sign, shared, standard
from hypothesis import given
from hypothesis import strategies as st
from sklearn import cross_decomposition

from fusible.alignment.cca import Cca
from fusible.errors import ArrayError, FusibleWarning

KNOWN = (0.9, 0.6, 0.3, 0.0, 0.0)


def by_bases(views):
    """Canonical correlations as cosines between the spaces of the columns (Björck & Golub 1973)."""
    one, other = (np.linalg.qr(array - array.mean(axis=0))[0] for array in views.values())
    return np.linalg.svd(one.T @ other, compute_uv=False)


def test_it_equals_the_angles_between_the_views(rng):
    views = shared(rng, widths=(7, 4))
    fitted = Cca().fit(views)
    np.testing.assert_allclose(fitted.correlations_, by_bases(views), atol=1e-12)
    assert fitted.n_components_ == 4


def test_it_equals_scikit_learn(rng):
    views = shared(rng, widths=(5, 4), latent=3)
    peer = cross_decomposition.CCA(2, max_iter=100_000, tol=1e-14).fit(*views.values())
    scores = Cca(2).fit(views).transform(views)
    for found, expected in zip(scores.values(), peer.transform(*views.values()), strict=True):
        same_up_to_sign(found, expected / expected.std(axis=0), atol=1e-5)


def test_scores_have_unit_variance_and_only_partners_correlate(rng):
    views = shared(rng, widths=(5, 4), latent=3)
    fitted = Cca().fit(views)
    a, b = (scores - scores.mean(axis=0) for scores in fitted.transform(views).values())
    np.testing.assert_allclose(a.T @ a / len(a), np.eye(4), atol=1e-11)
    np.testing.assert_allclose(b.T @ b / len(b), np.eye(4), atol=1e-11)
    np.testing.assert_allclose(a.T @ b / len(b), np.diag(fitted.correlations_), atol=1e-11)


@pytest.mark.parametrize("ridge", [0.05, (0.01, 2.0)])
def test_ridge_solves_the_generalised_eigenproblem(rng, ridge):
    views = shared(rng, widths=(5, 4), latent=3)
    views["a"] = views["a"] * [1.0, 10.0, 0.1, 3.0, 1.0]
    a, b = (array - array.mean(axis=0) for array in views.values())
    one, other = (ridge, ridge) if isinstance(ridge, float) else ridge
    own = [x.T @ x / len(x) for x in (a, b)]
    penalised = [c + r * np.trace(c) / len(c) * np.eye(len(c)) for c, r in zip(own, (one, other), strict=True)]
    cross = a.T @ b / len(a)
    values, vectors = scipy.linalg.eigh(cross @ np.linalg.solve(penalised[1], cross.T), penalised[0])
    weights = vectors[:, ::-1][:, :3]
    partners = np.linalg.solve(penalised[1], cross.T @ weights)
    fitted = Cca(3, ridge=ridge).fit(views)
    scores = fitted.transform(views)
    same_up_to_sign(scores["a"], a @ weights / (a @ weights).std(axis=0), atol=1e-9)
    same_up_to_sign(scores["b"], b @ partners / (b @ partners).std(axis=0), atol=1e-9)
    assert values[-1] < 1.0
    found = [np.corrcoef(scores["a"][:, k], scores["b"][:, k])[0, 1] for k in range(3)]
    np.testing.assert_allclose(fitted.correlations_, found, atol=1e-11)


def test_no_ridge_is_the_limit_of_a_small_one(rng):
    views = shared(rng, widths=(5, 4))
    small = Cca(ridge=1e-12).fit(views)
    np.testing.assert_allclose(small.correlations_, Cca(ridge=0.0).fit(views).correlations_, atol=1e-10)


@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("unit", [1e-10, 1e10])
def test_units_of_a_view_do_not_matter(rng, ridge, unit):
    views = shared(rng, widths=(5, 4))
    plain = Cca(2, ridge=ridge).fit(views)
    scaled = Cca(2, ridge=ridge).fit({**views, "a": views["a"] * unit})
    np.testing.assert_allclose(scaled.correlations_, plain.correlations_, atol=1e-12)
    np.testing.assert_allclose(
        scaled.transform_view(views["a"] * unit, "a"), plain.transform_view(views["a"], "a"), atol=1e-9
    )


@given(st.integers(0, 1000), st.floats(0.0, 4.0), st.floats(-1e3, 1e3))
def test_affine_maps_of_a_view_do_not_matter(seed, power, shift):
    rng = np.random.default_rng(seed)
    views = planted(rng, known=(0.9, 0.6, 0.3, 0.2, 0.1))
    mapped = {**views, "a": views["a"] @ mixing(6, 10.0**power, rng) + shift * rng.normal(size=6)}
    plain, moved = Cca().fit(views), Cca().fit(mapped)
    np.testing.assert_allclose(moved.correlations_, plain.correlations_, atol=1e-8)
    same_up_to_sign(moved.transform(mapped)["b"], plain.transform(views)["b"], atol=1e-5)


@pytest.mark.parametrize("components", [1, 3, None])
def test_identical_views_correlate_wholly(rng, components):
    array = shared(rng, widths=(5,))["a"]
    fitted = Cca(components).fit({"one": array, "other": array.copy()})
    np.testing.assert_allclose(fitted.correlations_, 1.0, atol=1e-12)
    scores = fitted.transform({"one": array, "other": array})
    np.testing.assert_allclose(scores["one"], scores["other"], atol=1e-9)
    np.testing.assert_allclose(np.cov(scores["one"].T, ddof=0), np.eye(components or 5), atol=1e-9)


def test_known_correlations_come_back(rng):
    np.testing.assert_allclose(Cca().fit(planted(rng)).correlations_, KNOWN, atol=1e-12)


BROKEN = {
    "condition 1e3": lambda x, rng: x @ mixing(x.shape[1], 1e3, rng),
    "condition 1e10": lambda x, rng: x @ mixing(x.shape[1], 1e10, rng),
    "scales over 1e8": lambda x, rng: x * np.geomspace(1e-4, 1e4, x.shape[1]),
    "mean 1e6": lambda x, rng: x + 1e6,
    "one column x 1e4": lambda x, rng: x * np.where(np.arange(x.shape[1]) == 1, 1e4, 1.0),
    "units of 1e-10": lambda x, rng: x * 1e-10,
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("both", [False, True])
def test_known_correlations_come_back_from_broken_views(rng, how, both):
    views = planted(rng, rows=500)
    broken = {name: BROKEN[how](array, rng) if both or name == "a" else array for name, array in views.items()}
    # At condition 1e10 a view in double precision holds its weakest direction to six digits.
    tolerance = 1e-6 if "1e10" in how else 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(Cca().fit(broken).correlations_, KNOWN, atol=tolerance)


@pytest.mark.parametrize("condition", [1e2, 1e5, 1e8, 1e10])
def test_it_is_as_exact_as_qr(rng, condition):
    views = planted(rng, rows=400, known=(0.9, 0.6, 0.3, 0.2, 0.1), condition=condition)
    one, other = (np.linalg.qr(standard(array))[0] for array in views.values())
    expected = np.linalg.svd(one.T @ other, compute_uv=False)
    np.testing.assert_allclose(Cca().fit(views).correlations_, expected, atol=max(1e-9, 1e-16 * condition))


def test_the_way_is_chosen_by_the_condition_and_reported(rng):
    def method(condition, kind):
        views = planted(rng, rows=400, condition=condition)
        fitted = Cca().fit({name: array.astype(kind) for name, array in views.items()})
        assert fitted.condition_["a"]["method"] == fitted.method_
        return fitted.method_

    assert method(2.0, np.float32) == "float32 Gram"
    assert method(300.0, np.float32) == "float64 Gram"
    assert method(300.0, np.float64) == "float64 Gram"
    assert method(1e6, np.float64) == "QR of the rows"


def test_the_condition_report_gives_the_condition(rng):
    views = planted(rng, rows=400, condition=1e6)
    singular = np.linalg.svd(standard(views["a"]), compute_uv=False)
    report = Cca().fit(views).condition_["a"]
    assert report["condition"] == pytest.approx((singular[0] / singular[-1]) ** 2, rel=1e-6)
    assert (report["columns"], report["rank"], report["dropped"]) == (6, 6, 0)


def test_single_precision_is_near_double(rng):
    views = shared(rng, rows=5000, widths=(6, 5), latent=4)
    double, single = Cca().fit(views), Cca().fit({name: array.astype(np.float32) for name, array in views.items()})
    assert single.method_ == "float32 Gram"
    np.testing.assert_allclose(single.correlations_, double.correlations_, atol=1e-5)


def test_constant_and_duplicate_columns_change_nothing_and_are_named(rng):
    views = planted(rng)
    plain = Cca().fit(views)
    spoilt = {**views, "a": np.column_stack([views["a"], np.full(300, 7.7), views["a"][:, 2] * -3.0 + 1.0])}
    with pytest.warns(FusibleWarning) as caught:
        fitted = Cca().fit(spoilt)
    said = [str(warning.message) for warning in caught]
    assert said == [
        "Cca: view 'a': columns 6 are constant and get weight 0",
        "Cca: view 'a': columns 2=7 are duplicates; their weights are shared",
        "Cca: view 'a': 1 directions hold no variance and are dropped (rank 6)",
    ]
    np.testing.assert_allclose(fitted.correlations_, plain.correlations_, atol=1e-12)
    same_up_to_sign(fitted.transform(spoilt)["a"][:, :3], plain.transform(views)["a"][:, :3], atol=1e-9)
    assert fitted.weights_[0][6].tolist() == [0.0] * 5
    report = fitted.condition_["a"]
    assert (report["constant"], report["duplicates"], report["dropped"]) == ([6], [(2, 7)], 1)


ROUNDED = {
    "scaled": lambda x: x[:, [2]] * -3.0 + 1.0,
    "a third": lambda x: x[:, [1]] / 3.0,
    "a sum": lambda x: x @ np.array([[0.3], [-0.7], [1.1], [0.2], [0.9], [0.4]]),
    "far from zero": lambda x: x[:, [2]] + 1e3,
}


@pytest.mark.parametrize("how", ROUNDED)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_only_rounding_tells_apart_is_no_direction(rng, how, kind):
    """A column that repeats others but for rounding in its own precision must not count as one more."""
    views = {name: array.astype(kind) for name, array in planted(rng).items()}
    repeated = {**views, "a": np.column_stack([views["a"], ROUNDED[how](views["a"]).astype(kind)])}
    with pytest.warns(FusibleWarning) as caught:
        fitted = Cca().fit(repeated)
    assert str(caught[-1].message) == "Cca: view 'a': 1 directions hold no variance and are dropped (rank 6)"
    tolerance = 1e-10 if kind is np.float64 else 1e-4 if how == "far from zero" else 1e-6
    np.testing.assert_allclose(fitted.correlations_, KNOWN, atol=tolerance)


def test_weak_directions_that_are_real_stay(rng):
    views = planted(rng, condition=1e5)
    single = Cca().fit({name: array.astype(np.float32) for name, array in views.items()})
    assert [entry["rank"] for entry in single.condition_.values()] == [6, 5]
    far = {**views, "a": np.column_stack([planted(rng)["a"], rng.normal(size=300) + 1e9])}
    assert Cca().fit(far).condition_["a"]["rank"] == 7


def test_a_combination_of_columns_is_dropped(rng):
    views = planted(rng)
    mixed = {**views, "a": np.column_stack([views["a"], views["a"] @ rng.normal(size=(6, 2))])}
    with pytest.warns(
        FusibleWarning, match=r"^Cca: view 'a': 2 directions hold no variance and are dropped \(rank 6\)"
    ):
        np.testing.assert_allclose(Cca().fit(mixed).correlations_, KNOWN, atol=1e-10)


def test_fewer_rows_than_columns_warn_and_a_ridge_does_not(rng):
    noise = {"a": rng.normal(size=(10, 20)), "b": rng.normal(size=(10, 3))}
    with pytest.warns(FusibleWarning) as caught:
        fitted = Cca().fit(noise)
    assert "10 rows for 23 columns" in str(caught[0].message)
    assert "11 directions" in str(caught[1].message)
    np.testing.assert_allclose(fitted.correlations_, 1.0, atol=1e-9)
    assert (fitted.condition_["a"]["rank"], fitted.condition_["a"]["condition"]) == (9, np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Cca(1, ridge=1.0).fit(noise).correlations_[0] < 1.0


def test_components_beyond_the_rank_are_refused(rng):
    views = planted(rng)
    with pytest.raises(
        ArrayError, match=r"^view 'b': expected a rank of at least components=6, got 5 \(5 columns, 300"
    ):
        Cca(6).fit(views)
    flat = {**views, "b": np.column_stack([views["b"][:, :2], views["b"][:, :2] @ rng.normal(size=(2, 3))])}
    with pytest.raises(ArrayError, match="view 'b': expected a rank of at least components=3, got 2"):
        Cca(3).fit(flat)


def test_a_weight_is_a_repeated_row(rng):
    views = shared(rng, rows=80, widths=(4, 3))
    times = rng.integers(0, 4, 80)
    repeated = {name: np.repeat(array, times, axis=0) for name, array in views.items()}
    one, other = Cca().fit(views, sample_weight=times), Cca().fit(repeated)
    np.testing.assert_allclose(one.correlations_, other.correlations_, atol=1e-12)
    for mine, theirs in zip((*one.weights_, *one.means_), (*other.weights_, *other.means_), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_only_ratios_of_weights_count(rng, unit):
    views = shared(rng, rows=80, widths=(4, 3))
    weight = rng.random(80)
    plain = Cca().fit(views, sample_weight=weight)
    np.testing.assert_allclose(
        Cca().fit(views, sample_weight=weight * unit).correlations_, plain.correlations_, atol=1e-12
    )


def test_sparse_rows_are_dense_rows(rng):
    views = {"a": rng.poisson(0.05, (3000, 12)).astype(float), "b": rng.poisson(0.03, (3000, 9)).astype(float)}
    views["b"][:, 0] += views["a"][:, 0]
    dense = Cca().fit(views)
    sparse = Cca().fit({name: scipy.sparse.csr_matrix(array) for name, array in views.items()})
    mixed = Cca().fit({"a": views["a"], "b": scipy.sparse.csc_array(views["b"])})
    for other in (sparse, mixed):
        np.testing.assert_allclose(other.correlations_, dense.correlations_, atol=1e-12)
    scores = sparse.transform({name: scipy.sparse.csr_matrix(array) for name, array in views.items()})
    np.testing.assert_allclose(scores["a"], dense.transform(views)["a"], atol=1e-9)


def reduced_rank_regression(x, y, rank):
    """Predictions by Izenman's (1975) reduced-rank regression, weighted by the inverse covariance of `y`."""
    ols = np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(axis=0), rcond=None)[0]
    fitted = (x - x.mean(axis=0)) @ ols
    root = np.linalg.cholesky(np.cov(y.T))
    right = np.linalg.svd(np.linalg.solve(root, fitted.T).T, full_matrices=False)[2][:rank]
    return y.mean(axis=0) + fitted @ np.linalg.inv(root).T @ right.T @ right @ root.T


@pytest.mark.parametrize("source", ["a", "b"])
def test_prediction_with_all_components_is_least_squares(rng, source):
    views = shared(rng, widths=(6, 4), latent=3)
    target = "b" if source == "a" else "a"
    fitted = Cca().fit(views)
    x, y = views[source], views[target]
    design = np.column_stack([np.ones(len(x)), x])
    expected = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(fitted.predict_view(x, source, target), expected, atol=1e-10)


@pytest.mark.parametrize("source", ["a", "b"])
@pytest.mark.parametrize("rank", [1, 2])
def test_prediction_with_few_components_is_reduced_rank_regression(rng, source, rank):
    views = shared(rng, widths=(6, 4), latent=3)
    target = "b" if source == "a" else "a"
    expected = reduced_rank_regression(views[source], views[target], rank)
    np.testing.assert_allclose(Cca(rank).fit(views).predict_view(views[source], source, target), expected, atol=1e-9)


def test_loadings_are_correlations_of_columns_with_scores(rng):
    views = shared(rng, widths=(5, 4))
    fitted = Cca(2, ridge=0.3).fit(views)
    for place, (name, scores) in enumerate(fitted.transform(views).items()):
        expected = np.corrcoef(views[name].T, scores.T)[: views[name].shape[1], -2:]
        np.testing.assert_allclose(fitted.loadings_[place], expected, atol=1e-10)
    first = fitted.loadings_[0]
    assert (first[np.abs(first).argmax(axis=0), range(2)] > 0).all()


def test_scores_are_centred_rows_times_weights(rng):
    views = shared(rng, widths=(5, 4))
    fitted = Cca(2).fit(views)
    expected = (views["b"] - fitted.means_[1]) @ fitted.weights_[1]
    np.testing.assert_allclose(fitted.transform_view(views["b"], 1), expected, atol=1e-12)
    np.testing.assert_allclose(fitted.means_[1], views["b"].mean(axis=0), atol=1e-12)
    module = fitted.projection("b")
    np.testing.assert_allclose(module(torch.from_numpy(views["b"])).numpy(), expected, atol=1e-5)


def test_rows_without_both_views_together_are_refused(rng):
    views = shared(rng, widths=(5, 4))
    apart = np.arange(200)[:, None] % 2 == np.arange(2)
    with pytest.raises(ArrayError, match="view 'a': present in no row with another view"):
        Cca().fit(views, presence=apart)


def test_one_row_may_be_transformed_though_a_view_is_absent(rng):
    views = shared(rng, widths=(5, 4))
    fitted = Cca(2).fit(views)
    row = {name: array[:1] for name, array in views.items()}
    scores = fitted.transform(row, presence=np.array([[True, False]]))
    np.testing.assert_allclose(scores["a"], fitted.transform(views)["a"][:1], atol=1e-12)
    assert np.isnan(scores["b"]).all()


def test_single_precision_with_missing_rows_and_duplicates_is_solved_in_double(rng):
    views = shared(rng, rows=3000, widths=(5, 4), latent=3)
    views["a"] = np.column_stack([views["a"], views["a"][:, :2]])
    there = np.ones((3000, 2), bool)
    there[::3, 1] = False
    with pytest.warns(FusibleWarning) as caught:
        single = Cca().fit({name: array.astype(np.float32) for name, array in views.items()}, presence=there)
    assert "0=5, 1=6 are duplicates" in str(caught[0].message)
    plain = Cca().fit({**views, "a": views["a"][:, :5]}, presence=there)
    np.testing.assert_allclose(single.correlations_, plain.correlations_, atol=1e-6)
    assert single.method_ == "float64 Gram, principal axes"


def test_noise_alone_gives_what_theory_says(rng):
    """Squared correlations of noise sum to p q / (n - 1) on average."""
    total = [
        (Cca().fit({"a": rng.normal(size=(100, 4)), "b": rng.normal(size=(100, 3))}).correlations_ ** 2).sum()
        for _ in range(200)
    ]
    assert np.mean(total) == pytest.approx(12 / 99, abs=4 * np.std(total) / np.sqrt(200))


def test_orthonormal_views_need_no_work(rng):
    base = orthonormal(100, 8, rng)
    fitted = Cca().fit({"a": base[:, :4], "b": base[:, 4:]})
    np.testing.assert_allclose(fitted.correlations_, 0.0, atol=1e-12)
