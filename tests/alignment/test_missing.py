import numpy as np
import pytest
from _planted import mixing, shared
from scipy.stats import multivariate_normal

from fusible.alignment._gram import accumulate, covariance
from fusible.alignment._missing import most_likely
from fusible.alignment._views import as_views
from fusible.alignment.cca import Cca
from fusible.alignment.mcca import Mcca
from fusible.alignment.pls import Pls
from fusible.errors import FusibleWarning


def estimate(views, presence, weight=None):
    """Mean and covariance of all columns side by side, in the columns' units."""
    checked = as_views(views, presence=presence, weight=weight)
    found = most_likely(covariance(accumulate(checked.names, checked.widths, checked)))
    scale = np.concatenate(found.deviations)
    return np.concatenate(found.means), np.block(found.blocks) * scale[:, None] * scale


def monotone(x, y, there):
    """Closed form where only `y` is missing (Anderson 1957): regress on the rows with both, and carry over."""
    moments = np.cov(np.hstack([x, y])[there].T, ddof=0)
    p = x.shape[1]
    slope = np.linalg.solve(moments[:p, :p], moments[:p, p:])
    own = np.cov(x.T, ddof=0)
    cross = own @ slope
    other = moments[p:, p:] + slope.T @ (own - moments[:p, :p]) @ slope
    mean = np.r_[x.mean(axis=0), y[there].mean(axis=0) + (x.mean(axis=0) - x[there].mean(axis=0)) @ slope]
    return mean, np.block([[own, cross], [cross.T, other]])


def test_where_one_view_is_missing_it_is_the_closed_form(rng):
    views = shared(rng, rows=150, widths=(4, 3))
    presence = np.ones((150, 2), bool)
    presence[:, 1] = rng.random(150) < 0.7
    for found, expected in zip(estimate(views, presence), monotone(*views.values(), presence[:, 1]), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def log_likelihood(views, presence, mean, sigma):
    whole = np.hstack(list(views.values()))
    seen = np.repeat(presence, [x.shape[1] for x in views.values()], axis=1)
    return sum(
        multivariate_normal.logpdf(row[here], mean[here], sigma[np.ix_(here, here)])
        for row, here in zip(whole, seen, strict=True)
        if here.any()
    )


def test_no_estimate_near_is_likelier(rng):
    views = shared(rng, rows=60, widths=(2, 2, 2), latent=1)
    presence = rng.random((60, 3)) < 0.7
    mean, sigma = estimate(views, presence)
    best = log_likelihood(views, presence, mean, sigma)
    for _ in range(40):
        twist = np.eye(6) + 0.02 * rng.normal(size=(6, 6))
        shift = 0.02 * rng.normal(size=6)
        assert log_likelihood(views, presence, mean + shift, twist @ sigma @ twist.T) < best


def test_affine_maps_and_weights_carry_over(rng):
    views = shared(rng, rows=100, widths=(3, 2))
    presence = rng.random((100, 2)) < 0.8
    presence[~presence.any(axis=1)] = True
    turn = mixing(3, 10.0, rng)
    mean, sigma = estimate(views, presence)
    moved_mean, moved = estimate({**views, "a": views["a"] @ turn * 1e-6 + 2e-6}, presence)
    whole = np.block([[turn * 1e-6, np.zeros((3, 2))], [np.zeros((2, 3)), np.eye(2)]])
    scale = np.sqrt(np.diag(moved))
    np.testing.assert_allclose((moved - whole.T @ sigma @ whole) / scale[:, None] / scale, 0.0, atol=1e-5)
    np.testing.assert_allclose((moved_mean - mean @ whole - np.r_[2e-6, 2e-6, 2e-6, 0, 0]) / scale, 0.0, atol=1e-5)
    times = rng.integers(1, 4, 100)
    weighted = estimate(views, presence, times * 1e-3)[1]
    repeated = estimate({n: np.repeat(x, times, axis=0) for n, x in views.items()}, np.repeat(presence, times, axis=0))
    np.testing.assert_allclose(weighted, repeated[1], atol=1e-6)


@pytest.mark.parametrize("part", [Cca, Mcca, Pls])
def test_correlations_are_better_than_those_of_complete_rows(rng, part):
    """View b is absent where view a is high: complete rows alone understate what the two share."""
    errors = {"all": [], "complete": []}
    for _ in range(20):
        a = rng.normal(size=(1000, 3))
        b = np.column_stack([0.9 * a[:, 0] + np.sqrt(0.19) * rng.normal(size=1000), rng.normal(size=(1000, 2))])
        presence = np.ones((1000, 2), bool)
        presence[:, 1] = a[:, 0] + 0.3 * rng.normal(size=1000) < 0.5
        complete = presence[:, 1]
        absent = {"a": a, "b": np.where(presence[:, 1:], b, np.nan)}
        errors["all"].append(part(1).fit(absent, presence=presence).correlations_[0] - 0.9)
        errors["complete"].append(part(1).fit({"a": a[complete], "b": b[complete]}).correlations_[0] - 0.9)
    assert abs(np.mean(errors["all"])) < 0.01
    assert np.mean(errors["complete"]) < -0.05


def test_random_gaps_cost_no_more_than_leaving_rows_out(rng):
    squares = {"all": 0.0, "complete": 0.0}
    for _ in range(60):
        a = rng.normal(size=(300, 5))
        b = 0.95 * a + np.sqrt(1 - 0.95**2) * rng.normal(size=(300, 5))
        presence = np.ones((300, 2), bool)
        presence[:, 1] = rng.random(300) < 0.7
        complete = presence[:, 1]
        squares["all"] += (Cca(5).fit({"a": a, "b": b}, presence=presence).correlations_.mean() - 0.95) ** 2
        squares["complete"] += (Cca(5).fit({"a": a[complete], "b": b[complete]}).correlations_.mean() - 0.95) ** 2
    assert squares["all"] < 1.05 * squares["complete"]


def test_constant_and_duplicate_columns_change_nothing(rng):
    views = shared(rng, rows=300, widths=(4, 3))
    presence = np.ones((300, 2), bool)
    presence[:, 1] = rng.random(300) < 0.7
    plain = Cca().fit(views, presence=presence)
    spoilt = {"a": np.column_stack([views["a"], views["a"][:, 0] * 2.0, np.ones(300)]), "b": views["b"]}
    with pytest.warns(FusibleWarning) as caught:
        fitted = Cca().fit(spoilt, presence=presence)
    assert ["constant" in str(caught[0].message), "0=4" in str(caught[1].message), len(caught)] == [True, True, 3]
    np.testing.assert_allclose(fitted.correlations_, plain.correlations_, atol=1e-6)


def test_correlations_never_exceed_one(rng):
    """Pairwise counts would: half of them did here."""
    a = rng.normal(size=(80, 4))
    b = a + 0.05 * rng.normal(size=(80, 4))
    presence = np.ones((80, 2), bool)
    presence[:, 1] = rng.random(80) < 0.6
    sigma = estimate({"a": a, "b": b}, presence)[1]
    assert np.linalg.eigvalsh(sigma).min() > 0.0
    assert 0.99 < Cca(1).fit({"a": a, "b": b}, presence=presence).correlations_[0] < 1.0


def test_views_never_seen_all_together_are_related_through_a_third(rng):
    views = shared(rng, rows=3000, widths=(3, 3, 3), latent=1, noise=0.5)
    presence = np.ones((3000, 3), bool)
    presence[::2, 0], presence[1::2, 2] = False, False
    whole, fitted = Mcca(1).fit(views), Mcca(1).fit(views, presence=presence)
    np.testing.assert_allclose(fitted.correlations(views), whole.correlations_, atol=0.01)
