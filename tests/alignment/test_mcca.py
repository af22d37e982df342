from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg
from _planted import mixing, planted, same_up_to_sign, shared

from fusible.alignment.cca import Cca
from fusible.alignment.mcca import Mcca
from fusible.errors import FusibleWarning


def kettenring(views, ridge=0.0):
    """Eigenvalues and stacked weights of: all cross-covariances against the block diagonal (Kettenring 1971)."""
    centred = [array - array.mean(axis=0) for array in views.values()]
    whole = np.hstack(centred)
    own = [x.T @ x / len(x) for x in centred]
    blocks = scipy.linalg.block_diag(*(c + ridge * np.trace(c) / len(c) * np.eye(len(c)) for c in own))
    everything = whole.T @ whole / len(whole) - scipy.linalg.block_diag(*own) + blocks
    values, vectors = scipy.linalg.eigh(everything, blocks)
    edges = np.cumsum([0, *(len(c) for c in own)])
    weights = [vectors[a:b, ::-1] for a, b in pairwise(edges)]
    return values[::-1], [x @ w for x, w in zip(centred, weights, strict=True)]


@pytest.mark.parametrize("ridge", [0.0, 0.2])
def test_it_solves_the_eigenproblem_of_three_views(rng, ridge):
    views = shared(rng, widths=(5, 4, 3))
    _, expected = kettenring(views, ridge)
    variance = np.mean([scores[:, :3].var(axis=0) for scores in expected], axis=0)
    fitted = Mcca(3, ridge=ridge).fit(views)
    stacked = np.vstack(list(fitted.transform(views).values()))
    same_up_to_sign(stacked, np.vstack([s[:, :3] for s in expected]) / np.sqrt(variance), atol=1e-9)
    pairs = [(0, 1), (0, 2), (1, 2)]
    found = [[np.corrcoef(expected[i][:, k], expected[j][:, k])[0, 1] for i, j in pairs] for k in range(3)]
    np.testing.assert_allclose(fitted.correlations_, np.mean(found, axis=1), atol=1e-10)


def test_scores_have_unit_variance_on_average_over_views(rng):
    views = shared(rng, widths=(5, 4, 3))
    scores = Mcca().fit(views).transform(views)
    np.testing.assert_allclose(np.mean([s.var(axis=0) for s in scores.values()], axis=0), 1.0, atol=1e-10)


@pytest.mark.parametrize("ridge", [0.0, 0.2])
def test_with_two_views_it_is_cca(rng, ridge):
    views = planted(rng, known=(0.9, 0.7, 0.5, 0.3, 0.1))
    one, other = Mcca(ridge=ridge).fit(views), Cca(ridge=ridge).fit(views)
    if ridge == 0.0:
        np.testing.assert_allclose(one.transform(views)["a"].var(axis=0), 1.0, atol=1e-9)
    # Under a ridge the two differ in scale: one normalises each view, the other both together.
    for mine, theirs in zip(one.transform(views).values(), other.transform(views).values(), strict=True):
        same_up_to_sign(mine / mine.std(axis=0), theirs, atol=1e-8)
    np.testing.assert_allclose(one.correlations_, other.correlations_, atol=1e-10)


def test_three_copies_correlate_wholly(rng):
    array = shared(rng, widths=(4,))["a"]
    copies = {"one": array, "two": array @ mixing(4, 10.0, rng), "three": array * 1e-6 + 5.0}
    np.testing.assert_allclose(Mcca().fit(copies).correlations_, 1.0, atol=1e-9)


def test_affine_maps_of_a_view_do_not_matter(rng):
    views = shared(rng, widths=(5, 4, 3))
    mapped = {**views, "b": views["b"] @ mixing(4, 1e5, rng) * 1e-8 + 3e-8}
    one, other = Mcca().fit(views), Mcca().fit(mapped)
    assert other.method_ == "QR of the rows"
    np.testing.assert_allclose(other.correlations_, one.correlations_, atol=1e-8)
    same_up_to_sign(other.transform(mapped)["c"], one.transform(views)["c"], atol=1e-6)


def test_a_view_of_noise_gets_small_scores(rng):
    views = shared(rng, rows=2000, widths=(5, 4), latent=1)
    views["noise"] = rng.normal(size=(2000, 3))
    scores = Mcca(1).fit(views).transform(views)
    assert scores["noise"].std() < 0.2
    assert scores["a"].std() > 0.8


def test_duplicate_columns_change_nothing(rng):
    views = shared(rng, widths=(5, 4, 3))
    twice = {**views, "c": views["c"][:, [0, 1, 2, 0]]}
    with pytest.warns(FusibleWarning) as caught:
        fitted = Mcca(2).fit(twice)
    assert [str(w.message) for w in caught] == [
        "Mcca: view 'c': columns 0=3 are duplicates; their weights are shared",
        "Mcca: view 'c': 1 directions hold no variance and are dropped (rank 3)",
    ]
    np.testing.assert_allclose(fitted.correlations_, Mcca(2).fit(views).correlations_, atol=1e-10)
    np.testing.assert_allclose(fitted.weights_[2][0], fitted.weights_[2][3], atol=1e-9)


def test_prediction_is_least_squares_on_scores(rng):
    views = shared(rng, widths=(5, 4, 3))
    fitted = Mcca(2).fit(views)
    scores = np.column_stack([np.ones(200), fitted.transform_view(views["b"], "b")])
    expected = scores @ np.linalg.lstsq(scores, views["c"], rcond=None)[0]
    np.testing.assert_allclose(fitted.predict_view(views["b"], "b", "c"), expected, atol=1e-10)
