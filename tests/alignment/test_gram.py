import numpy as np
import pytest
from _planted import shared
from hypothesis import given
from hypothesis import strategies as st

from fusible.alignment._gram import Gram, accumulate, covariance
from fusible.alignment._views import Chunk, as_views
from fusible.errors import ArrayError


def of(views, **more):
    checked = as_views(views, **more)
    return accumulate(checked.names, checked.widths, checked)


def by_hand(views, presence, weight):
    """Means, deviations and correlation blocks by pairwise counts."""
    arrays = list(views.values())
    means = [weight[p] @ x[p] / weight[p].sum() for x, p in zip(arrays, presence.T, strict=True)]
    spread = [
        np.sqrt(weight[p] @ (x[p] - m) ** 2 / weight[p].sum())
        for x, p, m in zip(arrays, presence.T, means, strict=True)
    ]
    blocks = {}
    for i, one in enumerate(arrays):
        for j, other in enumerate(arrays):
            both = presence[:, i] & presence[:, j]
            w = weight[both] / weight[both].sum()
            x, y = one[both] - w @ one[both], other[both] - w @ other[both]
            blocks[i, j] = (x * w[:, None]).T @ y / spread[i][:, None] / spread[j]
    return means, spread, blocks


@given(st.integers(0, 10_000), st.booleans())
def test_views_missing_per_row_are_counted_pair_by_pair(seed, weighted):
    rng = np.random.default_rng(seed)
    views = shared(rng, rows=60, widths=(3, 2, 2))
    presence = rng.random((60, 3)) < 0.6
    presence[:2] = True
    weight = rng.random(60) * 1e-3 + 1e-4 if weighted else np.ones(60)
    cov = covariance(of(views, presence=presence, weight=weight if weighted else None))
    means, spread, blocks = by_hand(views, presence, weight)
    for i in range(3):
        np.testing.assert_allclose(cov.means[i], means[i], atol=1e-9)
        np.testing.assert_allclose(cov.deviations[i], spread[i], atol=1e-9)
        for j in range(3):
            np.testing.assert_allclose(cov.blocks[i][j], blocks[i, j], atol=1e-9)
            both = presence[:, i] & presence[:, j]
            assert cov.counts[i, j] == pytest.approx(weight[both].sum())
    together = presence.astype(int).T @ presence
    assert cov.rows == (together * ~np.eye(3, dtype=bool)).max(axis=1).min()
    assert not cov.complete


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_grams_merge_in_any_order(seed, parts):
    rng = np.random.default_rng(seed)
    views = shared(rng, rows=40, widths=(3, 2))
    presence = rng.random((40, 2)) < 0.7
    presence[:2] = True
    whole = of(views, presence=presence)
    place = rng.integers(0, parts, 40)
    total = Gram(whole.names, whole.widths)
    for k in rng.permutation(parts):
        if (place == k).any():
            total.merge(of({n: x[place == k] for n, x in views.items()}, presence=presence[place == k]))
    assert total.seen == whole.seen == 40
    assert set(total.parts) == set(whole.parts)
    for pattern, moments in whole.parts.items():
        assert total.parts[pattern].rows == moments.rows
        np.testing.assert_allclose(total.parts[pattern].mean, moments.mean, atol=1e-10)
        np.testing.assert_allclose(total.parts[pattern].full(), moments.full(), atol=1e-9)


def test_rows_without_any_view_are_passed_over(rng):
    views = shared(rng, rows=30, widths=(3, 2))
    presence = np.ones((30, 2), bool)
    presence[10:] = False
    some = {name: np.where(presence[:, :1], x, np.nan) for name, x in views.items()}
    gram = of(some, presence=presence)
    assert (gram.rows, gram.seen, gram.complete) == (10, 30, True)
    first = covariance(of({name: x[:10] for name, x in views.items()}))
    np.testing.assert_allclose(covariance(gram).blocks[0][1], first.blocks[0][1], atol=1e-12)


def test_columns_that_hold_rounding_errors_only_are_constant(rng):
    views = shared(rng, rows=3000, widths=(3, 2))
    views["a"][:, 0] = 0.1
    views["a"][:, 1] = 1e8 / 3
    views["b"][:, 0] = rng.normal(size=3000) * 1e-3 + 1e6
    weight = rng.random(3000)
    for given_weight in (None, weight):
        cov = covariance(of(views, weight=given_weight))
        assert cov.kept[0].tolist() == [False, False, True]
        assert cov.kept[1].tolist() == [True, True]
        assert not cov.blocks[0][1][:2].any()
        assert cov.deviations[0][:2].tolist() == [1.0, 1.0]


def test_a_view_that_nothing_can_be_learned_of_is_named(rng):
    views = shared(rng, rows=30, widths=(3, 2))
    with pytest.raises(ArrayError, match="view 'b': every column is constant, nothing can be aligned"):
        covariance(of({**views, "b": np.ones((30, 2))}))
    presence = np.arange(30)[:, None] % 2 == np.arange(2)
    with pytest.raises(ArrayError, match="view 'a': present in no row with another view"):
        covariance(of(views, presence=presence))
    assert not covariance(of(views, presence=presence), varying=False).blocks[0][1].any()
    presence[:, 1] = False
    with pytest.raises(ArrayError, match="view 'b': present in no row; leave the view out"):
        covariance(of(views, presence=presence))


def test_values_too_large_are_named(rng):
    views = shared(rng, rows=30, widths=(3, 2))
    with pytest.raises(ArrayError, match="view 'b': values so large that their squares are infinite"):
        covariance(of({**views, "b": views["b"] * 1e200}))
    with pytest.raises(ArrayError, match="so large that their sum is infinite"), np.errstate(over="ignore"):
        of({**views, "b": np.full((30, 2), 1e308)})


def test_products_of_scores_are_the_same_with_and_without_roots(rng):
    views = shared(rng, rows=50, widths=(3, 2))
    cov = covariance(of(views))
    rows = [(x - x.mean(axis=0)) / x.std(axis=0) / np.sqrt(50) for x in views.values()]
    one, other = rng.normal(size=(3, 2)), rng.normal(size=(2, 2))
    expected = (
        rows[0].T @ rows[1] @ other,
        np.diag(one.T @ rows[0].T @ rows[1] @ other),
        (rows[0] @ one).T @ rows[0] @ one,
        np.linalg.norm(rows[1] @ other, axis=0),
    )
    for roots in (None, rows):
        cov.roots = roots
        found = cov.loads(0, 1, other), cov.shared(0, one, 1, other), cov.among(0, one), cov.spread(1, other)
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-12)


def test_a_chunk_that_is_refused_is_named_by_its_rows(rng):
    gram = Gram(("a", "b"), (2, 2))
    gram.update(Chunk((rng.normal(size=(20, 2)), rng.normal(size=(20, 2)))))
    bad = rng.normal(size=(10, 2))
    bad[4, 0] = np.nan
    with pytest.raises(ArrayError, match=r"view 'b'.*\(row 24, column 0\)"):
        gram.update(Chunk((rng.normal(size=(10, 2)), bad)))
