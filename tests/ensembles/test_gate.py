import numpy as np
import pytest
from _members import TASKS, loss, merit, only, part, planted
from scipy.optimize import check_grad

from fusible.ensembles import _gating
from fusible.ensembles._reduced import learn
from fusible.ensembles.gate import Gate
from fusible.ensembles.weighted import Weighted
from fusible.types import Predictions


def switched(kind, rows, seed=0, width=6):
    """Member a is right where the encoding of view a is over zero, b elsewhere; the other is sure of noise."""
    task, random = TASKS[kind], np.random.default_rng(seed)
    target, members = planted(kind, (1.8, 1.8, 0.0, 0.0), rows, seed, sure=1.5)
    x = random.normal(size=rows)
    right, wrong = members.scores[:2], members.scores[2:]
    if kind == "regression":
        wrong = random.normal(0, 1, wrong.shape)
    where = (x > 0)[:, None]
    scores = np.stack([np.where(where, right[0], wrong[0]), np.where(where, wrong[1], right[1])])
    a = random.normal(size=(rows, width)) * 0.3
    a[:, 2] = 3 * x + 5
    extra = {"encodings": {"a": a.astype(np.float32), "b": random.normal(size=(rows, 4)).astype(np.float32)}}
    return task, target, Predictions(("a", "b"), scores, np.ones((rows, 2), bool), extra), x


def rows_of(predictions, rows):
    cut = part(predictions, rows)
    cut.extra = {"encodings": {view: values[rows] for view, values in predictions.extra["encodings"].items()}}
    return cut


@pytest.mark.parametrize("kind", TASKS)
def test_it_learns_whom_to_trust_where(kind):
    task, target, members, x = switched(kind, 3000)
    fit, test, truth = rows_of(members, slice(0, 1500)), rows_of(members, slice(1500, None)), target[1500:]
    rule = Gate().fit(fit, target[:1500], task)
    fixed = Weighted().fit(fit, target[:1500], task)
    oracle = np.where((x[1500:] > 0)[:, None], test.scores[0], test.scores[1])
    best, plain, gated = (loss(s, truth, task) for s in (oracle, fixed.predict(test), rule.predict(test)))
    assert gated < plain - 0.6 * (plain - best)
    assert merit(rule.predict(test), truth, task) > merit(oracle, truth, task) - 0.06


@pytest.mark.parametrize("kind", TASKS)
def test_encodings_that_tell_nothing_leave_the_fixed_weights(kind):
    task, random = TASKS[kind], np.random.default_rng(0)
    target, members = planted(kind, (1.2, 1.0), 600)
    members.extra["encodings"] = {v: random.normal(size=(600, 20)).astype(np.float32) for v in "ab"}
    rule = Gate().fit(members, target, task)
    fixed = Weighted().fit(members, target, task)
    assert rule.slopes_ is None
    np.testing.assert_array_equal(rule.predict(members), fixed.predict(members))


def test_without_encodings_or_with_few_rows_it_is_weighted():
    task, target, members, _ = switched("multiclass", 400)
    few = rows_of(members, slice(0, 40))
    bare = Predictions(members.names, members.scores, members.presence)
    for given, truth in ((few, target[:40]), (bare, target)):
        rule = Gate().fit(given, truth, task)
        assert set(rule.state()) == set(Weighted().fit(given, truth, task).state())
        np.testing.assert_array_equal(rule.predict(given), Weighted().fit(given, truth, task).predict(given))


def test_encodings_that_are_unknown_or_odd_at_prediction_are_survived():
    task, target, members, _ = switched("multiclass", 1500)
    rule = Gate().fit(members, target, task)
    assert rule.slopes_ is not None
    out = rule.predict(Predictions(members.names, members.scores, members.presence))
    np.testing.assert_allclose(out.sum(axis=1), 1.0)
    for odd in (np.nan, np.inf, 1e30):
        strange = rows_of(members, slice(None))
        strange.extra["encodings"]["b"] = np.full((1500, 4), odd, np.float32)
        np.testing.assert_allclose(rule.predict(strange).sum(axis=1), 1.0)


@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e30, -1e30])
def test_what_an_absent_view_holds_changes_nothing(poison):
    task, target, members, _ = switched("multiclass", 1200)
    members.presence[::3, 0] = False
    poisoned = rows_of(members, slice(None))
    poisoned.extra["encodings"]["a"] = members.extra["encodings"]["a"].copy()
    poisoned.extra["encodings"]["a"][::3] = poison
    poisoned.scores = members.scores.copy()
    poisoned.scores[0, ::3] = poison
    clean, dirty = (Gate().fit(given, target, task) for given in (members, poisoned))
    assert clean.slopes_ is not None
    np.testing.assert_array_equal(clean.predict(members), dirty.predict(poisoned))


def test_a_member_that_is_alone_passes_as_it_is():
    task, target, members, _ = switched("multiclass", 1200)
    rule = Gate().fit(members, target, task)
    for member in range(2):
        alone = only(members, [member])
        alone.extra = members.extra
        np.testing.assert_allclose(rule.predict(alone), members.scores[member])


def test_state_round_trip_with_encodings():
    task, target, members, _ = switched("binary", 1200)
    rule = Gate().fit(members, target, task)
    state = {key: np.array(value) for key, value in rule.state().items()}
    assert {"slopes", "mean", "basis", "widths"} <= set(state)
    again = Gate().restore(task, rule.prior_.copy(), state)
    np.testing.assert_array_equal(again.predict(members), rule.predict(members))
    rows = np.random.default_rng(1).permutation(1200)[:500]
    np.testing.assert_allclose(again.predict(rows_of(members, rows)), rule.predict(members)[rows])


def test_views_of_zero_width_and_constant_views_give_no_features():
    random = np.random.default_rng(0)
    flat = {"a": np.ones((50, 3), np.float32), "b": np.zeros((50, 0), np.float32)}
    assert learn(flat) is None
    known = learn({**flat, "c": random.normal(size=(50, 30)).astype(np.float32)})
    assert known.basis.shape == (33, 16)
    features = known.features({**flat, "c": random.normal(size=(50, 30)).astype(np.float32)}, 50)
    assert not features[:, :32].any()
    assert features[:, 32].std() > 0


def test_features_are_principal_components():
    random = np.random.default_rng(0)
    values = (random.normal(size=(400, 5)) @ random.normal(size=(5, 5)) + 3).astype(np.float32)
    features = learn({"a": values}).features({"a": values}, 400)
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    axes = np.linalg.svd(standard, full_matrices=False)[1]
    np.testing.assert_allclose(np.corrcoef(features.T) - np.eye(5), 0.0, atol=1e-2)
    np.testing.assert_allclose(features.std(axis=0), axes / axes[0], rtol=0.02)


@pytest.mark.parametrize("kind", TASKS)
def test_the_slope_of_the_loss_is_right(kind):
    random = np.random.default_rng(0)
    target, members = planted(kind, (1.0, 0.5, 0.8), 20)
    presence = random.random((20, 3)) < 0.7
    data = _gating.given(members.scores, presence, target, TASKS[kind])

    def total(flat):
        return _gating.losses(data, flat.reshape(20, 3))[0].sum()

    def slope(flat):
        return _gating.losses(data, flat.reshape(20, 3))[1].ravel()

    assert check_grad(total, slope, random.normal(size=60)) < 1e-5
