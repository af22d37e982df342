import numpy as np
import pytest
import scipy.linalg
from _planted import mixing, shared, standard

from fusible.alignment._blocks import divided, side_by_side
from fusible.alignment._gram import accumulate, covariance
from fusible.alignment._views import as_views
from fusible.alignment._whiten import from_gram, from_rows, penalties


def prepared(views, single=False):
    checked = as_views(views)
    return checked, covariance(accumulate(checked.names, checked.widths, checked, single=single))


def views_of(rng, condition=10.0):
    return {name: x @ mixing(x.shape[1], condition, rng) for name, x in shared(rng, widths=(4, 3)).items()}


@pytest.mark.parametrize("ridge", [(0.0, 0.0), (0.1, 2.0)])
@pytest.mark.parametrize("way", ["Gram", "rows"])
def test_coordinates_are_orthonormal_under_the_penalised_covariance(rng, ridge, way):
    views, cov = prepared(views_of(rng))
    white = from_gram(cov, ridge, last=False) if way == "Gram" else from_rows(cov, ridge, views)
    rows = [standard(x) for x in views.arrays]
    added = penalties(cov, ridge)
    maps = []
    for place, whitener in enumerate(white.whiteners):
        back = whitener.back(np.eye(whitener.rank))
        own = rows[place].T @ rows[place] / 200
        np.testing.assert_allclose(back.T @ (own + np.diag(added[place])) @ back, np.eye(whitener.rank), atol=1e-10)
        block = white.blocks[place][place]
        assert (block is None) == (ridge[place] == 0.0)
        if block is not None:
            np.testing.assert_allclose(block, back.T @ own @ back, atol=1e-10)
        np.testing.assert_allclose(whitener.left(own), back.T @ own, atol=1e-9)
        maps.append(rows[place] @ back)
    np.testing.assert_allclose(white.blocks[0][1], maps[0].T @ maps[1] / 200, atol=1e-10)


def test_the_penalty_is_a_share_of_the_mean_variance(rng):
    views = {"a": rng.normal(size=(50, 3)) * [1.0, 10.0, 0.0], "b": rng.normal(size=(50, 2))}
    _, cov = prepared(views)
    variance = views["a"].var(axis=0)[:2]
    np.testing.assert_allclose(penalties(cov, (0.5, 0.0))[0], [*(0.5 * variance.mean() / variance), 0.0])


@pytest.mark.parametrize("single", [False, True])
def test_a_condition_too_bad_for_a_gram_is_left_to_another_way(rng, single):
    _, cov = prepared(views_of(rng, 100.0 if single else 1e6), single)
    assert from_gram(cov, (0.0, 0.0), last=False) is None
    last = from_gram(cov, (0.0, 0.0), last=True)
    assert last.method == ("float32" if single else "float64") + " Gram, principal axes"


def test_the_rows_give_the_condition_exactly_and_leave_their_triangle(rng):
    given = views_of(rng, 1e5)
    views, cov = prepared(given)
    white = from_rows(cov, (0.0, 0.0), views)
    for place, array in enumerate(given.values()):
        values = np.linalg.svd(standard(array), compute_uv=False)
        assert white.conditions[place] == pytest.approx((values[0] / values[-1]) ** 2, rel=1e-5)
    for i in range(2):
        for j in range(2):
            np.testing.assert_allclose(cov.roots[i].T @ cov.roots[j], cov.blocks[i][j], atol=1e-12)


def test_the_triangle_of_chunks_is_that_of_all_rows(rng):
    given = shared(rng, rows=5000, widths=(4, 3))  # three chunks
    weight = rng.random(5000)
    views = as_views(given, weight=weight)
    cov = covariance(accumulate(views.names, views.widths, views))
    white = from_rows(cov, (0.0, 0.0), views)
    share = weight / weight.sum()
    rows = [x - share @ x for x in given.values()]
    one, other = (scipy.linalg.qr(x * np.sqrt(share)[:, None], mode="economic")[0] for x in rows)
    expected = np.linalg.svd(one.T @ other, compute_uv=False)
    np.testing.assert_allclose(np.linalg.svd(white.blocks[0][1], compute_uv=False), expected, atol=1e-12)


@pytest.mark.parametrize("rows", [5, 30])
def test_the_rank_is_that_of_the_rows(rng, rows):
    array = rng.normal(size=(rows, 3))
    views, cov = prepared({"a": array @ rng.normal(size=(3, 8)), "b": rng.normal(size=(rows, 2))})
    white = from_rows(cov, (0.0, 0.0), views)
    assert [w.rank for w in white.whiteners] == [3, 2]
    assert white.conditions[0] > 1e12
    assert [w.rank for w in from_gram(cov, (0.0, 0.0), last=True).whiteners] == [3, 2]


def test_blocks_are_put_side_by_side_and_divided(rng):
    _, cov = prepared(shared(rng, widths=(4, 3, 2)))
    white = from_gram(cov, (0.0, 0.1, 0.0), last=False)
    whole = side_by_side(white, identity=False)
    np.testing.assert_allclose(whole, whole.T, atol=1e-12)
    np.testing.assert_array_equal(whole[:4, :4], np.eye(4))
    np.testing.assert_allclose(whole[4:7, 4:7], white.blocks[1][1])
    np.testing.assert_array_equal(np.diag(side_by_side(white, identity=True)), np.ones(9))
    parts = divided(whole[:, :2], white)
    np.testing.assert_array_equal(np.vstack(parts), whole[:, :2])
    assert [len(part) for part in parts] == [4, 3, 2]
