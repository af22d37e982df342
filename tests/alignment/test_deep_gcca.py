"""Deep generalised CCA: three views, missing ones, and two views as of deep CCA."""

import numpy as np
import pytest

from fusible.alignment.deep_cca import DeepCca
from fusible.alignment.deep_gcca import DeepGcca
from fusible.alignment.gcca import Gcca
from fusible.errors import ConfigError

SMALL = {"hidden": (16,), "epochs": 15, "batch": 100, "learning_rate": 1e-2, "dropout": 0.0}


def views(rows=600, seed=0):
    """Three views of one hidden variable: as it is, squared, and its size."""
    rng = np.random.default_rng(seed)
    hidden = rng.uniform(-2, 2, size=(rows, 1))
    shapes = {"one": hidden, "two": hidden**2, "three": np.abs(hidden)}
    return {name: np.hstack([rows_, rng.normal(size=(rows, 2))]) for name, rows_ in shapes.items()}


@pytest.fixture(scope="module")
def fitted():
    return DeepGcca(1, **SMALL).fit(views())


def test_finds_what_three_views_share(fitted):
    new = views(seed=1)
    assert Gcca(1).fit(views()).score(new) < 0.6
    assert fitted.score(new) > 0.9
    assert list(fitted.transform(new)) == ["one", "two", "three"]


def test_two_views_are_as_of_deep_cca():
    two = {name: rows for name, rows in views().items() if name != "three"}
    generalised, plain = (aligner(1, **SMALL).fit(two).score(two) for aligner in (DeepGcca, DeepCca))
    assert generalised == pytest.approx(plain, abs=0.02)


def test_views_may_be_absent_and_what_they_hold_does_not_matter():
    given = views()
    presence = np.random.default_rng(1).random((600, 3)) > 0.25
    fits = []
    for filling in (np.nan, 1e6):
        holes = {name: np.where(presence[:, [i]], rows, filling) for i, (name, rows) in enumerate(given.items())}
        fits.append(DeepGcca(1, **SMALL).fit(holes, presence=presence))
    scores = [fit.transform_view(given["one"], "one") for fit in fits]
    np.testing.assert_array_equal(*scores)
    assert fits[0].score(views(seed=1)) > 0.85
    absent = fits[0].transform(holes, presence)["two"][~presence[:, 1]]
    assert np.isnan(absent).all()


def test_a_row_of_one_view_alone_teaches_nothing():
    given = views(300)
    presence = np.ones((300, 3), dtype=bool)
    presence[200:] = [True, False, False]
    fit = DeepGcca(1, **SMALL).fit(given, presence=presence)
    small = DeepGcca(1, **SMALL).fit({name: rows[:200] for name, rows in given.items()})
    np.testing.assert_allclose(fit.transform_view(given["one"], 0), small.transform_view(given["one"], 0), atol=1e-6)


def test_a_batch_without_an_inverse_is_refused():
    with pytest.raises(ConfigError, match="batch: expected more rows than components=20, got 20"):
        DeepGcca(20, batch=20).fit(views())
