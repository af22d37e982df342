import numpy as np
import pytest
from _planted import orthonormal, same_up_to_sign, shared, standard
from sklearn.cross_decomposition import PLSCanonical

from fusible.alignment.pls import Pls
from fusible.errors import ArrayError, FusibleWarning


@pytest.mark.parametrize("scale", [True, False])
def test_it_is_pls_canonical_of_scikit_learn(rng, scale):
    views = shared(rng, widths=(6, 5), latent=3)
    peer = PLSCanonical(3, scale=scale, max_iter=100_000, tol=1e-15).fit(*views.values())
    expected = peer.transform(*views.values())
    fitted = Pls(3, scale=scale).fit(views)
    for found, theirs in zip(fitted.transform(views).values(), expected, strict=True):
        same_up_to_sign(found, theirs / theirs.std(axis=0), atol=1e-6)
        np.testing.assert_allclose(found.var(axis=0), 1.0, atol=1e-10)
        np.testing.assert_allclose(np.corrcoef(found.T), np.eye(3), atol=1e-9)  # deflation makes them orthogonal


def test_the_first_component_has_the_greatest_covariance(rng):
    views = shared(rng, widths=(6, 5), latent=3)
    a, b = (standard(array) for array in views.values())
    left, values, right = np.linalg.svd(a.T @ b / len(a))
    fitted = Pls(1).fit(views)
    scores = fitted.transform(views)
    first = a @ left[:, 0], b @ right[0]
    same_up_to_sign(scores["a"][:, 0], first[0] / first[0].std(), atol=1e-9)
    assert values[0] == pytest.approx(np.cov(*first, ddof=0)[0, 1])
    assert fitted.correlations_[0] == pytest.approx(np.corrcoef(*first)[0, 1])


def test_more_columns_than_rows_are_fine(rng):
    views = {"a": rng.normal(size=(15, 40)), "b": rng.normal(size=(15, 30))}
    peer = PLSCanonical(3, max_iter=100_000, tol=1e-15).fit(*views.values())
    expected = peer.transform(*views.values())
    for found, theirs in zip(Pls(3).fit(views).transform(views).values(), expected, strict=True):
        same_up_to_sign(found, theirs / theirs.std(axis=0), atol=1e-6)


def test_all_components_of_a_view_with_itself(rng):
    array = shared(rng, widths=(4,))["a"]
    fitted = Pls().fit({"one": array, "other": array})
    assert fitted.n_components_ == 4
    np.testing.assert_allclose(fitted.correlations_, 1.0, atol=1e-9)


def test_views_that_share_less_than_asked_are_refused(rng):
    base = orthonormal(60, 6, rng)
    views = {"a": base[:, :3] @ np.diag([3.0, 2.0, 1.0]), "b": base[:, [0, 3, 4]]}
    assert Pls(1, scale=False).fit(views).correlations_[0] == pytest.approx(1.0)
    with pytest.raises(ArrayError, match="view 'a': expected a rank of at least components=4, got 3"):
        Pls(4).fit(views)
    single = {"a": base[:, :1] * [1.0, 2.0, -1.0], "b": base[:, :3] + base[:, [0]]}
    with pytest.raises(ArrayError, match="share covariance in 2 components, got 1; ask for fewer"):
        Pls(2).fit(single)


def test_constant_columns_get_no_weight(rng):
    views = shared(rng, widths=(6, 5), latent=3)
    with pytest.warns(FusibleWarning, match="view 'b': columns 5 are constant and get weight 0"):
        fitted = Pls(2).fit({**views, "b": np.column_stack([views["b"], np.full(200, 4.0)])})
    np.testing.assert_allclose(fitted.weights_[1][:5], Pls(2).fit(views).weights_[1], atol=1e-9)
    assert not fitted.weights_[1][5].any()


def test_units_matter_only_without_scaling(rng):
    views = shared(rng, widths=(6, 5), latent=3)
    other = {**views, "a": views["a"] * np.geomspace(1e-8, 1e8, 6)}
    np.testing.assert_allclose(Pls(2).fit(other).correlations_, Pls(2).fit(views).correlations_, atol=1e-10)
    turned = {**views, "a": views["a"] @ np.linalg.qr(rng.normal(size=(6, 6)))[0] * 1e-10}
    np.testing.assert_allclose(
        Pls(2, scale=False).fit(turned).correlations_, Pls(2, scale=False).fit(views).correlations_, atol=1e-10
    )


def test_prediction_is_least_squares_on_scores(rng):
    views = shared(rng, widths=(6, 5), latent=3)
    fitted = Pls(2).fit(views)
    scores = np.column_stack([np.ones(200), fitted.transform_view(views["a"], "a")])
    expected = scores @ np.linalg.lstsq(scores, views["b"], rcond=None)[0]
    np.testing.assert_allclose(fitted.predict_view(views["a"], "a", "b"), expected, atol=1e-10)
