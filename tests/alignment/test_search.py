import numpy as np
import pytest
from _planted import shared

from fusible.alignment import CcaCV, GccaCV, MccaCV
from fusible.alignment._search import fold_grams, merged
from fusible.alignment._stream import Stream
from fusible.alignment._views import CHUNK, as_views
from fusible.alignment.cca import Cca
from fusible.alignment.gcca import Gcca
from fusible.alignment.mcca import Mcca
from fusible.errors import ArrayError, ConfigError


def folds_of(rows, folds, seed):
    """The folds that the search draws."""
    rng = np.random.default_rng(seed)
    sizes = [min(CHUNK, rows - start) for start in range(0, rows, CHUNK)]
    return np.concatenate([rng.permutation(np.arange(size) % folds) for size in sizes])


@pytest.mark.parametrize(("search", "part"), [(CcaCV, Cca), (MccaCV, Mcca), (GccaCV, Gcca)])
def test_held_out_correlations_are_those_of_refits(rng, search, part):
    views = shared(rng, rows=90, widths=(5, 4))
    ridges = (0.0, 0.1, 1.0)
    fitted = search(2, ridges=ridges, folds=4, seed=3).fit(views)
    place = folds_of(90, 4, 3)
    for r, ridge in enumerate(ridges):
        for k in range(4):
            train, held = ({n: x[(place == k) == out] for n, x in views.items()} for out in (False, True))
            expected = part(2, ridge=ridge).fit(train).correlations(held)
            np.testing.assert_allclose(fitted.cv_correlations_[r, k], expected, atol=1e-10)
    assert fitted.ridge_ == ridges[fitted.cv_correlations_.mean(axis=1).sum(axis=1).argmax()]
    whole = part(2, ridge=fitted.ridge_).fit(views)
    np.testing.assert_allclose(fitted.correlations_, whole.correlations_, atol=1e-10)
    np.testing.assert_allclose(fitted.transform(views)["b"], whole.transform(views)["b"], atol=1e-8)


@pytest.mark.parametrize(("search", "part"), [(CcaCV, Cca), (GccaCV, Gcca)])
def test_with_views_missing_too_they_are_those_of_refits(rng, search, part):
    views = shared(rng, rows=120, widths=(5, 4) if part is Cca else (5, 4, 3))
    presence = rng.random((120, len(views))) < 0.8
    fitted = search(2, ridges=(0.1,), folds=3, seed=3).fit(views, presence=presence)
    place = folds_of(120, 3, 3)
    for k in range(3):
        train, held = ({n: x[(place == k) == out] for n, x in views.items()} for out in (False, True))
        refit = part(2, ridge=0.1).fit(train, presence=presence[place != k])
        expected = refit.correlations(held, presence=presence[place == k])
        np.testing.assert_allclose(fitted.cv_correlations_[0, k], expected, atol=1e-6)


def test_a_ridge_is_chosen_where_it_helps(rng):
    shared_variable = rng.normal(size=(60, 1))
    views = {name: 0.6 * shared_variable + rng.normal(size=(60, 20)) for name in "ab"}
    new_variable = rng.normal(size=(2000, 1))
    new = {name: 0.6 * new_variable + rng.normal(size=(2000, 20)) for name in "ab"}
    fitted = CcaCV(1).fit(views)
    assert fitted.ridge_ >= 0.3
    assert fitted.score(new) > Cca(1).fit(views).score(new) + 0.1


def test_components_are_those_that_hold(rng):
    for latent in (1, 3):
        drawn = [shared(rng, rows=400, widths=(7, 6), latent=latent) for _ in range(20)]
        found = [CcaCV().fit(views).n_components_ for views in drawn]
        assert found.count(latent) >= 16
        assert min(found) == latent
    noise = {name: rng.normal(size=(300, 4)) for name in "ab"}
    assert CcaCV().fit(noise).n_components_ == 1


def test_folds_are_even_and_hold_every_row_once(rng):
    views = as_views(shared(rng, rows=CHUNK + 103, widths=(3, 2)))
    grams = fold_grams(views, 5, 0)
    sizes = [gram.rows for gram in grams]
    assert sum(sizes) == CHUNK + 103
    assert max(sizes) - min(sizes) <= 2
    whole = merged(grams).parts[(0, 1)]
    np.testing.assert_allclose(whole.mean, np.hstack(views.arrays).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(whole.full() / views.rows, np.cov(np.hstack(views.arrays).T, ddof=0), atol=1e-10)


def test_a_stream_gives_what_arrays_give(rng):
    views = shared(rng, rows=CHUNK + 50, widths=(4, 3))
    stream = Stream(lambda: ({n: x[i : i + CHUNK] for n, x in views.items()} for i in range(0, CHUNK + 50, CHUNK)))
    one, other = CcaCV(folds=3).fit(views), CcaCV(folds=3).fit(stream)
    np.testing.assert_allclose(one.cv_correlations_, other.cv_correlations_, atol=1e-12)
    np.testing.assert_allclose(one.correlations_, other.correlations_, atol=1e-12)


def test_weights_and_missing_views_reach_the_folds(rng):
    views = shared(rng, rows=200, widths=(4, 3))
    presence = np.ones((200, 2), bool)
    presence[::4, 1] = False
    weight = rng.integers(0, 2, 200).astype(float)
    absent = {**views, "b": np.where(presence[:, 1:], views["b"], np.nan)}
    fitted = CcaCV(2, ridges=(0.1,)).fit(absent, presence=presence, sample_weight=weight)
    expected = Cca(2, ridge=0.1).fit(absent, presence=presence, sample_weight=weight)
    np.testing.assert_allclose(fitted.correlations_, expected.correlations_, atol=1e-10)


def test_prediction_and_projection_are_those_of_the_best(rng):
    views = shared(rng, widths=(4, 3))
    fitted = CcaCV(2).fit(views)
    np.testing.assert_array_equal(
        fitted.predict_view(views["a"], "a", "b"), fitted.best_.predict_view(views["a"], "a", "b")
    )
    np.testing.assert_array_equal(fitted.projection("a").weight.numpy(), fitted.weights_[0])


def test_settings_out_of_range_are_refused(rng):
    views = shared(rng, widths=(4, 3))
    with pytest.raises(ConfigError, match="CcaCV: ridges: expected at least one"):
        CcaCV(ridges=()).fit(views)
    with pytest.raises(ConfigError, match="CcaCV: folds: expected at least 2, got 1"):
        CcaCV(folds=1).fit(views)
    with pytest.raises(ConfigError, match="ridge: expected numbers of at least 0, got -1"):
        CcaCV(ridges=(-1.0,)).fit(views)
    with pytest.raises(ArrayError, match="expected a rank of at least components=4, got 3"):
        CcaCV(4, ridges=(0.1,)).fit(views)
