import numpy as np
import pytest
import scipy.linalg
from _planted import mixing, planted, same_up_to_sign, shared

from fusible.alignment.cca import Cca
from fusible.alignment.gcca import Gcca


def projections(views, presence=None, ridge=0.0):
    """Per view the matrix (rows, rows) that projects on its centred columns, rows without the view left out."""
    found = []
    for i, array in enumerate(views.values()):
        here = np.ones(len(array), bool) if presence is None else presence[:, i]
        x = np.where(here[:, None], array - array[here].mean(axis=0), 0.0)
        own = x.T @ x
        found.append(x @ np.linalg.solve(own + ridge * np.trace(own) / len(own) * np.eye(len(own)), x.T))
    return found


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_it_is_maxvar(rng, ridge):
    views = shared(rng, rows=60, widths=(5, 4, 3))
    each = projections(views, ridge=ridge)
    shared_variable = scipy.linalg.eigh(sum(each))[1][:, ::-1][:, :3] * np.sqrt(60)
    scores = Gcca(3, ridge=ridge).fit(views).transform(views)
    stacked = np.vstack(list(scores.values()))
    same_up_to_sign(stacked, np.vstack([p @ shared_variable for p in each]), atol=1e-9)


def loss(views, presence, variable):
    """What van de Velden & Takane (2012) minimise: squared distance of each view's prediction, where it is present."""
    total = 0.0
    for i, array in enumerate(views.values()):
        here = presence[:, i]
        x = np.column_stack([np.ones(here.sum()), array[here]])
        fitted = x @ np.linalg.lstsq(x, variable[here], rcond=None)[0]
        total += ((variable[here] - fitted) ** 2).sum()
    return total


def holes(rng, rows, views):
    presence = rng.random((rows, views)) > 0.3
    presence[~presence.any(axis=1), 0] = True
    return presence


def test_missing_rows_count_with_the_views_they_have(rng):
    rows = 60
    views = shared(rng, rows=rows, widths=(4, 3, 3))
    presence = holes(rng, rows, 3)
    counts = presence.sum(axis=1)
    each = projections(views, presence)
    values, vectors = scipy.linalg.eigh(sum(each), np.diag(counts))
    variable = vectors[:, ::-1][:, :2] * np.sqrt(counts.sum())  # unit variance, rows counted with their views
    absent = {name: np.where(presence[:, [i]], array, np.nan) for i, (name, array) in enumerate(views.items())}
    fitted = Gcca(2).fit(absent, presence=presence)
    found = fitted.transform(absent, presence=presence)
    both = np.vstack([np.where(presence[:, [i]], s, 0.0) for i, s in enumerate(found.values())])
    same_up_to_sign(both, np.vstack([p @ variable for p in each]), atol=1e-8)
    assert values[-1] < 1.0


def test_no_other_variable_has_a_smaller_loss(rng):
    rows = 40
    views = shared(rng, rows=rows, widths=(3, 2, 2))
    presence = holes(rng, rows, 3)
    counts = presence.sum(axis=1)
    found = Gcca(1).fit(views, presence=presence).transform(views, presence=presence)
    summed = sum(np.where(presence[:, [i]], s, 0.0) for i, s in enumerate(found.values())) / counts[:, None]

    def normed(variable):
        centred = variable - counts @ variable / counts.sum()
        return centred / np.sqrt(counts @ centred**2)

    best = loss(views, presence, normed(summed[:, 0]))
    near = [loss(views, presence, normed(normed(summed[:, 0]) + 0.02 * rng.normal(size=rows))) for _ in range(200)]
    assert best < min(near)


def test_presence_of_all_is_no_presence_in_the_other_branch_too(rng):
    """Rows apart by one that lacks a view give nearly what no missing row gives."""
    views = shared(rng, rows=3000, widths=(4, 3, 3))
    presence = np.ones((3000, 3), bool)
    presence[0, 2] = False
    one, other = Gcca(2).fit(views), Gcca(2).fit(views, presence=presence)
    np.testing.assert_allclose(one.correlations_, other.correlations_, atol=1e-3)
    np.testing.assert_allclose(one.weights_[0], other.weights_[0], atol=1e-2)


def test_with_two_views_the_directions_are_those_of_cca(rng):
    views = planted(rng, known=(0.9, 0.7, 0.5, 0.3, 0.1))
    one, other = Gcca().fit(views), Cca().fit(views)
    np.testing.assert_allclose(one.correlations_, other.correlations_, atol=1e-10)
    for mine, theirs in zip(one.transform(views).values(), other.transform(views).values(), strict=True):
        same_up_to_sign(mine / mine.std(axis=0), theirs, atol=1e-8)


def test_three_copies_correlate_wholly(rng):
    array = shared(rng, widths=(4,))["a"]
    copies = {"one": array, "two": array @ mixing(4, 10.0, rng), "three": array * 1e-6 + 5.0}
    fitted = Gcca().fit(copies)
    np.testing.assert_allclose(fitted.correlations_, 1.0, atol=1e-9)
    one, two, _ = fitted.transform(copies).values()
    np.testing.assert_allclose(one, two, atol=1e-7)


def test_ill_conditioned_views_lose_nothing(rng):
    views = shared(rng, widths=(5, 4, 3))
    mapped = {**views, "b": views["b"] @ mixing(4, 1e6, rng)}
    one, other = Gcca().fit(views), Gcca().fit(mapped)
    assert other.method_ == "QR of the rows"
    np.testing.assert_allclose(other.correlations_, one.correlations_, atol=1e-7)


def test_weights_are_repeated_rows_with_views_missing(rng):
    views = shared(rng, rows=80, widths=(4, 3, 3))
    presence = holes(rng, 80, 3)
    times = rng.integers(0, 4, 80)
    repeated = {name: np.repeat(array, times, axis=0) for name, array in views.items()}
    one = Gcca(2).fit(views, presence=presence, sample_weight=times)
    other = Gcca(2).fit(repeated, presence=np.repeat(presence, times, axis=0))
    for mine, theirs in zip(one.weights_, other.weights_, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_a_chain_of_views_that_never_all_meet_is_aligned(rng):
    """View a is seen with b, and b with c, but a and c never together."""
    views = shared(rng, rows=2000, widths=(4, 4, 4), latent=1, noise=0.5)
    presence = np.ones((2000, 3), bool)
    presence[::2, 0], presence[1::2, 2] = False, False
    fitted = Gcca(1).fit(views, presence=presence)
    whole = Gcca(1).fit(views)
    scores = fitted.transform(views)
    assert abs(np.corrcoef(scores["a"][:, 0], scores["c"][:, 0])[0, 1]) > whole.correlations_[0] - 0.02
