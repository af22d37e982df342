"""EASE against regressions item by item, content against fits without the item, factors against the library's own."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from fusible.errors import ConfigError, TooLargeError
from fusible.tasks.recommend._als import Als, AlsSettings
from fusible.tasks.recommend._content import EVERY, Content, ContentSettings
from fusible.tasks.recommend._scorers import COUNTED, SHRINK, EaseSettings, check_size, ease, neighbours


@pytest.fixture
def had():
    rng = np.random.default_rng(0)
    return csr_matrix((rng.random((40, 12)) < 0.35).astype(np.float32))


def kernel(seed, items=12):
    rows = np.random.default_rng(seed).normal(size=(items, 4))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, (rows @ rows.T).astype(np.float32)


def ridge(rows, penalty, targets=None):
    """Each column told from all others (not itself), one least-squares problem after the other."""
    count = rows.shape[1]
    weights = np.zeros((count, count if targets is None else targets))
    for item in range(weights.shape[1]):
        others = [column for column in range(count) if column != item]
        told = rows[:, others]
        weights[others, item] = np.linalg.solve(told.T @ told + penalty * np.eye(len(others)), told.T @ rows[:, item])
    return weights


def test_ease_is_ridge_regression_without_the_item_itself(had):
    found = ease(had, EaseSettings(penalty=7.0))
    np.testing.assert_allclose(found.items, ridge(had.toarray(), 7.0), atol=1e-5)
    assert found.users.shape == (0, 12)


def test_views_are_further_rows(had):
    rows, likeness = kernel(1)
    found = ease(had, EaseSettings(penalty=7.0, views=(("words", 0.2),)), {"words": likeness})
    stacked = np.concatenate([had.toarray(), np.sqrt(7.0 * 0.2) * rows.T])
    np.testing.assert_allclose(found.items, ridge(stacked, 7.0), atol=1e-5)


def test_what_is_known_of_users_explains_and_is_not_explained(had):
    told = (np.random.default_rng(2).random((40, 3)) < 0.5).astype(np.float32)
    found = ease(had, EaseSettings(penalty=7.0, users=0.5), None, told)
    expected = ridge(np.concatenate([had.toarray(), 0.5 * told], axis=1), 7.0, targets=12)
    np.testing.assert_allclose(found.items, expected[:12], atol=1e-5)
    np.testing.assert_allclose(found.users, 0.5 * expected[12:], atol=1e-5)


def test_damping_divides_columns_by_their_counts(had):
    found = ease(had, EaseSettings(penalty=7.0, damping=0.3))
    scale = (had.toarray().sum(axis=0) + COUNTED) ** -0.3
    expected = ridge(had.toarray() * scale, 7.0 * (scale**2).mean()) * scale[:, None] / scale
    np.testing.assert_allclose(found.items, expected, atol=1e-5)


def test_a_view_that_is_not_there_is_said(had):
    with pytest.raises(ConfigError, match=r"no view 'photo' of items; expected one of words"):
        ease(had, EaseSettings(views=(("photo", 1.0),)), {"words": kernel(1)[1]})


def test_nearest_items_by_damped_cosine():
    found = neighbours(csr_matrix(np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1]], np.float32)))
    counts = np.array([3.0, 2.0, 1.0]) + SHRINK
    expected = np.array([[0, 2, 1], [2, 0, 0], [1, 0, 0]]) / np.sqrt(np.outer(counts, counts))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_too_many_items_are_refused():
    with pytest.raises(TooLargeError, match="20,000 items, expected at most 12,000"):
        check_size(20_000)


def test_content_tells_each_item_as_if_nobody_had_had_it(had):
    likeness = {"a": kernel(1)[1], "b": kernel(2)[1]}
    warm = np.ones(12, bool)
    warm[[3, 7]] = False
    found = Content.fit(likeness, warm, ContentSettings(penalty=2.0, views=(("a", 1.0), ("b", 0.5))))
    whole = EVERY + likeness["a"] + 0.5 * likeness["b"]
    for item in range(12):
        known = [other for other in range(12) if warm[other] and other != item]
        expected = np.zeros(12)
        expected[known] = np.linalg.solve(whole[np.ix_(known, known)] + 2.0 * np.eye(len(known)), whole[known, item])
        np.testing.assert_allclose(found.items[:, item], expected, atol=1e-4)
        np.testing.assert_allclose(sum(found.by_view(item).values()), found.items[:, item], atol=1e-5)
    assert set(found.by_view(0)) == {"", "a", "b"}


def test_factors_score_histories_as_the_library_does(had):
    from implicit.cpu.als import AlternatingLeastSquares

    settings = AlsSettings(factors=4, penalty=1.0, confidence=5.0)
    ours = Als.fit(had, settings, seed=0)
    theirs = AlternatingLeastSquares(
        factors=4, regularization=1.0, alpha=5.0, iterations=15, random_state=0, num_threads=1
    )
    theirs.fit(had, show_progress=False)
    np.testing.assert_allclose(ours.items, theirs.item_factors, atol=1e-6)
    users = theirs.recalculate_user(np.arange(40), had)
    np.testing.assert_allclose(ours.scores(had), users @ theirs.item_factors.T, atol=1e-5)
    one = had[5]
    np.testing.assert_allclose([ours.terms(one, item).sum() for item in range(12)], ours.scores(one)[0], atol=1e-5)
