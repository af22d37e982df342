import inspect

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.metrics.pairwise import additive_chi2_kernel, chi2_kernel, cosine_similarity, polynomial_kernel, rbf_kernel

from fusible.alignment import _kernels
from fusible.alignment._kernels import KERNELS, kernel_matrix, median_gamma
from fusible.alignment._projections import build_projection
from fusible.alignment.cca import Cca
from fusible.alignment.kernel_cca import KernelCca
from fusible.errors import ArrayError, ConfigError, FusibleError, ModelFormatError


def views(rows=120, seed=0, widths=(5, 4), noise=0.7):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(rows, 2))
    return {
        name: shared @ rng.normal(size=(2, width)) + noise * rng.normal(size=(rows, width)) + 3.0
        for name, width in zip(("a", "b"), widths, strict=True)
    }


def histograms(rows=60, columns=6, seed=0):
    counts = np.random.default_rng(seed).poisson(2.0, size=(rows, columns)).astype(float)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)


def centred(kernel):
    centring = np.eye(len(kernel)) - 1.0 / len(kernel)
    return centring @ kernel @ centring


def dual_problem(one, other, ridge):
    """Regularised correlations by the textbook: the dense eigenproblem of feature coordinates."""
    factors = []
    for kernel in (one, other):
        values, vectors = np.linalg.eigh(centred(kernel) / len(kernel))
        kept = values > 1e-13 * values[-1]
        shrunk = values[kept] / (values[kept] + ridge * values.sum())
        factors.append(vectors[:, kept] * np.sqrt(shrunk))
    return np.linalg.svd(factors[0].T @ factors[1], compute_uv=False)


def same_up_to_sign(one, other):
    sign = np.sign((one * other).sum(axis=0))
    return one, other * sign


# Kernels


@pytest.mark.parametrize(
    ("kernel", "oracle"),
    [
        ("linear", lambda x, y: x @ y.T),
        ("rbf", lambda x, y: rbf_kernel(x, y, 0.3)),
        ("poly", lambda x, y: polynomial_kernel(x, y, degree=2, gamma=0.3, coef0=0.5)),
        ("cosine", cosine_similarity),
        ("chi2", lambda x, y: chi2_kernel(x, y, 0.3)),
    ],
)
def test_kernels_equal_those_of_scikit_learn(kernel, oracle):
    x, y = histograms(300, seed=1), histograms(40, seed=2)
    x[0] = 0.0
    found = kernel_matrix(torch.from_numpy(x), torch.from_numpy(y), kernel, 0.3, 2, 0.5).numpy()
    np.testing.assert_allclose(found, oracle(x, y), atol=1e-12)


def test_chi2_blocks_equal_the_loop_of_scikit_learn():
    x, y = histograms(300, seed=1), histograms(40, seed=2)
    found = _kernels._chi2_block(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    np.testing.assert_allclose(found, -additive_chi2_kernel(x, y), atol=1e-14)


def test_median_gamma_is_half_the_inverse_median_squared_distance():
    x = np.random.default_rng(0).normal(size=(51, 3))
    apart = ((x[:, None] - x) ** 2).sum(axis=2)
    found = median_gamma(torch.from_numpy(x), np.full(51, 1 / 51), "rbf")
    assert found == pytest.approx(0.5 / np.sort(apart.ravel())[51 * 51 // 2], rel=1e-9)


def test_median_gamma_counts_a_weight_as_repeated_rows():
    x = np.random.default_rng(0).normal(size=(9, 3))
    times = np.array([1, 2, 1, 3, 1, 1, 2, 1, 1])
    weighted = median_gamma(torch.from_numpy(x), times / times.sum(), "rbf")
    repeated = np.repeat(x, times, axis=0)
    assert weighted == pytest.approx(median_gamma(torch.from_numpy(repeated), np.ones(len(repeated)), "rbf"))


def test_median_gamma_of_equal_rows_is_one():
    assert median_gamma(torch.ones(5, 2, dtype=torch.float64), np.ones(5), "rbf") == 1.0


# The exact form


@pytest.mark.parametrize("landmarks", [None, 100])
def test_linear_kernel_equals_linear_ridge_cca(landmarks):
    given = views()
    linear = Cca(components=4, ridge=0.3).fit(given)
    found = KernelCca(components=4, kernel="linear", ridge=(0.3 / 5, 0.3 / 4), landmarks=landmarks).fit(given)
    np.testing.assert_allclose(found.correlations_, linear.correlations_, atol=1e-9)
    new = views(seed=5)
    for name in given:
        one, other = same_up_to_sign(linear.transform_view(new[name], name), found.transform_view(new[name], name))
        np.testing.assert_allclose(one, other, atol=1e-8)


@pytest.mark.parametrize("ridge", [1e-6, 1e-2, 1.0])
@pytest.mark.parametrize(("components", "second"), [(1, "poly"), (6, "poly"), (40, "rbf")])
def test_exact_equals_the_dense_dual_problem(ridge, components, second):
    given = views(rows=200)
    found = KernelCca(components=components, kernel=("rbf", second), gamma=0.05, degree=2, ridge=ridge).fit(given)
    a, b = (x - x.mean(axis=0) for x in given.values())
    kernels = (
        rbf_kernel(a, a, 0.05),
        polynomial_kernel(b, b, 2, 0.05, 1.0) if second == "poly" else rbf_kernel(b, b, 0.05),
    )
    expected = dual_problem(*kernels, ridge)
    np.testing.assert_allclose(regularised_correlations(found, given, kernels), expected[:components], atol=1e-7)


def regularised_correlations(fitted, given, kernels):
    """What the fit maximises, from its definition: covariance over roots of variance + ridge × norm."""
    scores = list(fitted.transform(given).values())
    sizes = []
    for kernel, score, weight in zip(kernels, scores, fitted.weights_, strict=True):
        full = centred(kernel)
        ridge = fitted.ridge * np.trace(full) / len(full)
        sizes.append((score**2).mean(axis=0) + ridge * np.einsum("nk,nk->k", weight, full @ weight))
    return (scores[0] * scores[1]).mean(axis=0) / np.sqrt(sizes[0] * sizes[1])


def test_krylov_search_equals_the_dense_solution():
    from fusible.alignment import _krylov

    rng = np.random.default_rng(0)
    smoothers = []
    for columns in (30, 400):
        factor = rng.normal(size=(400, columns)) * np.linspace(1, 0.01, columns)
        kernel = factor @ factor.T
        smoothers.append(_krylov.Smoother.of(np.ascontiguousarray(kernel / np.trace(kernel)), 1e-3))
    one, other, values = _krylov.leading_directions(*smoothers, 5)
    whole = np.eye(400)
    expected = np.sqrt(scipy.linalg.eigvals(smoothers[0](whole) @ smoothers[1](whole)).real.clip(0))
    np.testing.assert_allclose(values, np.sort(expected)[::-1][:5], atol=1e-9)
    np.testing.assert_allclose(smoothers[1](other), one * values, atol=1e-8)
    np.testing.assert_allclose(smoothers[0](one), other * values, atol=1e-8)


def test_directions_without_any_relation_correlate_by_zero():
    levels = np.array([-1.0, 0.0, 1.0])
    a, b = (x.reshape(-1, 1) for x in np.meshgrid(levels, levels))
    fitted = KernelCca(components=2).fit([a, b])
    np.testing.assert_allclose(fitted.correlations_, 0.0, atol=1e-9)
    for scores in fitted.transform([a, b]):
        np.testing.assert_allclose((scores**2).mean(axis=0), 1.0)


def test_the_largest_score_of_the_first_view_is_positive():
    scores = KernelCca(components=4).fit(views()).transform(views())["a"]
    assert (scores[np.abs(scores).argmax(axis=0), range(4)] > 0).all()


def test_correlations_are_those_of_the_training_scores_which_have_unit_variance():
    given = views()
    found = KernelCca(components=3).fit(given)
    a, b = found.transform(given).values()
    np.testing.assert_allclose((a * b).mean(axis=0), found.correlations_, atol=1e-9)
    np.testing.assert_allclose(a.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose((b**2).mean(axis=0), 1, atol=1e-9)
    np.testing.assert_allclose(found.correlations(given), found.correlations_, atol=1e-9)


def test_finds_a_relation_that_linear_cca_cannot():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, size=(600, 1))
    circle = np.hstack([np.cos(angle), np.sin(angle)]) + 0.05 * rng.normal(size=(600, 2))
    given = {"circle": circle, "double": np.cos(2 * angle) + 0.05 * rng.normal(size=(600, 1))}
    train, test = ({k: v[rows] for k, v in given.items()} for rows in (slice(400), slice(400, 600)))
    assert Cca(components=1).fit(train).score(test) < 0.2
    assert KernelCca(components=1).fit(train).score(test) > 0.98
    assert KernelCca(components=1, landmarks=50).fit(train).score(test) > 0.98


@given(st.integers(0, 10_000), st.floats(-1e4, 1e4), st.floats(1e-6, 1e6))
@settings(max_examples=20, deadline=None)
def test_shift_scale_and_rotation_of_a_view_change_nothing(seed, shift, scale):
    given = views(rows=50, seed=seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))[0]
    moved = {"a": shift * scale + scale * given["a"] @ rotation, "b": given["b"]}
    for kernel in ("linear", "rbf", "poly"):
        before = KernelCca(components=2, kernel=kernel, ridge=0.1).fit(given).correlations_
        after = KernelCca(components=2, kernel=kernel, ridge=0.1).fit(moved).correlations_
        np.testing.assert_allclose(before, after, atol=1e-5)


def test_identical_views_correlate_by_one():
    a = views()["a"]
    np.testing.assert_allclose(KernelCca(components=3).fit([a, a]).correlations_, 1.0, atol=1e-9)


def test_weights_count_as_repeated_rows():
    given = views(rows=40)
    times = np.random.default_rng(0).integers(0, 3, size=40)
    weighted = KernelCca(components=2).fit(given, sample_weight=times.astype(float))
    repeated = KernelCca(components=2).fit({k: np.repeat(v, times, axis=0) for k, v in given.items()})
    np.testing.assert_allclose(weighted.correlations_, repeated.correlations_, atol=1e-9)
    one, other = same_up_to_sign(weighted.transform(given)["a"], repeated.transform(given)["a"])
    np.testing.assert_allclose(one, other, atol=1e-7)


def test_rows_without_a_view_are_left_out_whatever_they_hold():
    given = views()
    presence = np.ones((120, 2), bool)
    presence[::5, 0] = presence[1::7, 1] = False
    spoiled = {k: np.where(presence[:, [i]], v, np.nan) for i, (k, v) in enumerate(given.items())}
    both = presence.all(axis=1)
    found = KernelCca(components=2).fit(spoiled, presence=presence)
    expected = KernelCca(components=2).fit({k: v[both] for k, v in given.items()})
    np.testing.assert_allclose(found.correlations_, expected.correlations_, atol=1e-10)
    scores = found.transform(spoiled, presence=presence)
    assert np.isnan(scores["a"][::5]).all()
    assert np.isfinite(scores["a"][presence[:, 0]]).all()


def test_sparse_equals_dense():
    given = {k: np.where(np.abs(v) > 3.0, v, 0.0) for k, v in views().items()}
    thin = {k: scipy.sparse.csr_matrix(v) for k, v in given.items()}
    one, other = KernelCca().fit(given), KernelCca().fit(thin)
    np.testing.assert_allclose(one.correlations_, other.correlations_, atol=1e-12)
    np.testing.assert_allclose(one.transform(given)["b"], other.transform(thin)["b"], atol=1e-10)


# Landmarks


@pytest.mark.parametrize("kernel", ["rbf", "cosine", "chi2", "poly"])
@pytest.mark.parametrize("sampling", ["kmeans", "random"])
def test_as_many_landmarks_as_rows_are_exact(kernel, sampling):
    given = {"a": histograms(60, 4), "b": histograms(60, 4) ** 2}
    exact = KernelCca(components=2, kernel=kernel, ridge=0.05).fit(given)
    found = KernelCca(components=2, kernel=kernel, ridge=0.05, landmarks=60, sampling=sampling).fit(given)
    np.testing.assert_allclose(found.correlations_, exact.correlations_, atol=1e-6)
    new = histograms(20, 4, seed=3)
    one, other = same_up_to_sign(exact.transform_view(new, "a"), found.transform_view(new, "a"))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_landmarks_come_near_the_exact_form_and_nearer_with_more():
    given, new = views(rows=800), views(rows=400, seed=0)
    exact = KernelCca(components=1).fit(given).correlations(new)
    apart = [np.abs(KernelCca(components=1, landmarks=m).fit(given).correlations(new) - exact).max() for m in (5, 200)]
    assert apart[1] < 0.01
    assert apart[1] <= apart[0]


def test_landmarks_take_views_that_are_absent_from_rows():
    given = views(rows=4000, noise=0.3)
    presence = np.random.default_rng(0).random((4000, 2)) > 0.2
    spoiled = {k: np.where(presence[:, [i]], v, np.nan) for i, (k, v) in enumerate(given.items())}
    whole = KernelCca(components=2, kernel="linear", landmarks=20).fit(given)
    found = KernelCca(components=2, kernel="linear", landmarks=20).fit(spoiled, presence=presence)
    np.testing.assert_allclose(found.correlations(given), whole.correlations(given), atol=0.01)


def test_seed_gives_the_same_landmarks():
    given = views()
    first, again, other = (KernelCca(landmarks=10, seed=seed).fit(given).landmarks_[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# Projections and scikit-learn


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("landmarks", [None, 15])
def test_projection_is_rebuilt_from_its_spec_and_arrays(kernel, landmarks):
    given = {"a": histograms(50), "b": histograms(50, seed=1)}
    fitted = KernelCca(kernel=kernel, landmarks=landmarks, degree=2).fit(given)
    module = fitted.projection("b")
    built = build_projection(module.spec)
    built.load_state_dict(module.state_dict())
    rows = histograms(9, seed=2)
    np.testing.assert_allclose(built(torch.from_numpy(rows)).numpy(), fitted.transform_view(rows, 1), atol=1e-4)
    assert built(torch.from_numpy(rows)).dtype == torch.float32


def test_a_projection_of_an_unknown_kernel_is_refused():
    with pytest.raises(ModelFormatError, match="kernel 'os' is unknown"):
        build_projection({"kind": "kernel", "inputs": 2, "outputs": 1, "landmarks": 3, "kernel": "os"})


def test_parameters_are_cloned_and_one_array_is_divided():
    aligner = KernelCca(components=2, kernel=("rbf", "linear"), ridge=0.1, landmarks=9, widths=(5, 4))
    assert clone(aligner).get_params() == aligner.get_params()
    assert set(inspect.signature(KernelCca).parameters) == set(aligner.get_params())
    whole = np.hstack(list(views().values()))
    scores = aligner.fit_transform(whole)
    assert scores.shape == (120, 4)
    np.testing.assert_allclose(scores[:, :2], aligner.transform_view(whole[:, :5], 0))
    assert list(aligner.get_feature_names_out()) == [f"kernelcca{i}" for i in range(4)]


# Bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": "sigmoid"}, "kernel 'sigmoid' is unknown: expected one of linear, rbf"),
        ({"kernel": ("rbf", "rbf", "rbf")}, "kernel: expected one value or 2, one for each view, got 3"),
        ({"gamma": "mean"}, "gamma: expected 'median', 'width' or a number, got 'mean'"),
        ({"gamma": -1.0}, "gamma: expected a number above 0, got -1.0"),
        ({"ridge": -0.1}, "ridge: expected at least 1e-12, got -0.1"),
        ({"ridge": 0.0}, "ridge: expected at least 1e-12, got 0.0"),
        ({"ridge": float("nan")}, "ridge: expected at least 1e-12, got nan"),
        ({"degree": 0}, "degree: expected a whole number of at least 1, got 0"),
        ({"coef0": -1.0}, "coef0: expected a number of at least 0, got -1.0"),
        ({"landmarks": 1}, "landmarks: expected at least 2, got 1"),
        ({"landmarks": 9, "sampling": "grid"}, "sampling: expected 'kmeans' or 'random', got 'grid'"),
        ({"components": 0}, "components must be at least 1"),
        ({"components": None}, "components: expected a whole number of at least 1, got None"),
    ],
)
def test_settings_out_of_range_are_named(changes, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        KernelCca(**changes).fit(views())


def test_components_beyond_the_rank_are_an_error():
    with pytest.raises(ArrayError, match="rank of at least components=5, got 4"):
        KernelCca(components=5, kernel="linear").fit(views())
    with pytest.raises(FusibleError, match="components=5"):
        KernelCca(components=5, kernel="linear", landmarks=30).fit(views())


def test_chi2_of_negative_numbers_is_an_error():
    given = {"a": histograms(), "b": histograms()}
    aligner = KernelCca(kernel="chi2").fit(given)
    given["b"] = given["b"] - 0.5
    with pytest.raises(ArrayError, match="view 'b': kernel chi2 expected numbers of at least 0"):
        KernelCca(kernel="chi2").fit(given)
    with pytest.raises(ArrayError, match="view 'b': kernel chi2 expected numbers of at least 0"):
        aligner.transform(given)


@pytest.mark.parametrize("landmarks", [None, 20])
def test_nan_and_views_that_do_not_vary_are_named(landmarks):
    given = views()
    given["b"][7, 2] = np.nan
    with pytest.raises(ArrayError, match=r"view 'b'.*NaN \(row 7, column 2\)"):
        KernelCca(landmarks=landmarks).fit(given)
    with pytest.raises(ArrayError, match="view 'b'"):
        KernelCca(landmarks=landmarks).fit({"a": given["a"], "b": np.ones((120, 3))})


def test_too_many_rows_for_the_exact_form(monkeypatch):
    monkeypatch.setattr("fusible.alignment.kernel_cca.MOST_ROWS", 100)
    with pytest.raises(ArrayError, match="up to 100 rows, got 120; set landmarks"):
        KernelCca().fit(views())


def test_three_views_and_too_few_rows_are_errors():
    a = views()["a"]
    with pytest.raises(ArrayError, match="expected 2 views, got 3"):
        KernelCca().fit([a, a, a])
    presence = np.eye(2, dtype=bool).repeat(60, axis=0)
    with pytest.raises(ArrayError, match="at least 2 rows with both views, got 0"):
        KernelCca().fit([a, a], presence=presence)
