"""The second pass over whitened rows."""

import numpy as np
import scipy.linalg

from fusible.alignment._gram import accumulate, covariance
from fusible.alignment._refine import refined
from fusible.alignment._views import as_views
from fusible.alignment._whiten import from_rows


def ill_conditioned(seed, rows=3000, columns=8, condition=1e7):
    """Two views whose columns are mixed by matrices of a large condition number."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(rows, columns))
    views = []
    for _ in range(2):
        left, _, right = np.linalg.svd(rng.normal(size=(columns, columns)))
        mixing = left * np.geomspace(1.0, 1.0 / condition, columns) @ right
        views.append((shared + rng.normal(size=(rows, columns))) @ mixing)
    return views


def whitened(views):
    """The covariance, and the rows whitened once and twice."""
    checked = as_views(views)
    cov = covariance(accumulate(checked.names, checked.widths, checked))
    once = from_rows(cov, [0.0, 0.0], checked)
    return cov, once, refined(cov, once, checked)


def by_qr(views):
    """Canonical correlations from one QR of all rows of each view."""
    bases = [scipy.linalg.qr((v - v.mean(axis=0)) / v.std(axis=0), mode="economic")[0] for v in views]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)


def test_it_has_the_accuracy_of_one_qr_of_all_rows():
    for seed in range(3):
        views = ill_conditioned(seed)
        _, _, twice = whitened(views)
        found = np.linalg.svd(twice.blocks[0][1], compute_uv=False)
        np.testing.assert_allclose(found, by_qr(views), atol=2e-11)


def test_scores_have_unit_covariance():
    views = ill_conditioned(0, condition=1e4)
    cov, _, twice = whitened(views)
    for i, view in enumerate(views):
        weights = twice.whiteners[i].back(np.eye(twice.whiteners[i].rank)) / cov.deviations[i][:, None]
        np.testing.assert_allclose(np.cov(view @ weights, rowvar=False, ddof=0), np.eye(8), atol=1e-9)


def test_forth_undoes_back_and_left_projects_covariances():
    cov, once, twice = whitened(ill_conditioned(1, condition=1e3))
    directions = np.random.default_rng(0).normal(size=(8, 3))
    for whitened_views in (once, twice):
        for i, whitener in enumerate(whitened_views.whiteners):
            np.testing.assert_allclose(whitener.forth(whitener.back(directions)), directions, atol=1e-9)
            weights = whitener.back(np.eye(whitener.rank))
            np.testing.assert_allclose(whitener.left(cov.blocks[i][1 - i]), weights.T @ cov.blocks[i][1 - i], atol=1e-7)
