import numpy as np
import pytest
from _members import TASKS, loss, only, part, planted
from scipy.optimize import minimize

from fusible.ensembles.weighted import Weighted
from fusible.types import Predictions


def mix(scores, weights):
    return np.einsum("mro,m->ro", scores, weights)


def optimum(scores, target, task):
    """Weights on the simplex by a peer's solver."""
    number = len(scores)
    found = minimize(
        lambda w: loss(mix(scores, w), target, task),
        np.full(number, 1 / number),
        method="SLSQP",
        bounds=[(0, 1)] * number,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    return found.x


@pytest.mark.parametrize("kind", TASKS)
def test_weights_are_the_optimum_of_a_peer(kind):
    task = TASKS[kind]
    target, members = planted(kind, (1.3, 0.9, 0.6), 4000, sure=1.0)
    rule = Weighted().fit(members, target, task)
    peer = optimum(members.scores, target, task)
    np.testing.assert_allclose(rule.weights_[0], peer, atol=0.01)
    np.testing.assert_allclose(rule.common_, peer, atol=0.01)
    out = rule.predict(members)
    np.testing.assert_allclose(out, mix(members.scores, rule.weights_[0]))
    assert loss(out, target, task) <= loss(mix(members.scores, peer), target, task) + 1 / 4000  # the prior of one row


@pytest.mark.parametrize("kind", TASKS)
def test_each_set_of_views_has_its_own_optimum(kind):
    task = TASKS[kind]
    target, members = planted(kind, (1.3, 0.9, 0.6), 4000)
    rule = Weighted().fit(members, target, task)
    for pattern, weights in zip(rule.patterns_, rule.weights_, strict=True):
        kept = np.flatnonzero(pattern)
        np.testing.assert_allclose(weights[kept], optimum(members.scores[kept], target, task), atol=0.02)
        assert not weights[~pattern].any()


def test_a_member_that_is_alone_passes_as_it_is():
    target, members = planted("multiclass", (1.3, 0.9, 0.6), 500)
    rule = Weighted().fit(members, target, TASKS["multiclass"])
    for member in range(3):
        np.testing.assert_array_equal(rule.predict(only(members, [member])), members.scores[member])


def test_natural_gaps_are_renormalised_in_fitting():
    """A member that is right where it is present gets all the weight there, however rarely it is."""
    target, members = planted("multiclass", (0.8, 0.8), 2000)
    members.scores[1] = np.where(np.eye(5)[target] == 1, 0.96, 0.01)
    members.presence[300:, 1] = False
    rule = Weighted().fit(members, target, TASKS["multiclass"])
    assert rule.common_[1] > 0.97
    np.testing.assert_array_equal(rule.predict(members)[300:], members.scores[0, 300:])


def test_equal_members_share_and_few_rows_stay_near_equal():
    target, one = planted("binary", (1.0,), 400)
    same = Predictions(("a", "b"), np.repeat(one.scores, 2, axis=0), np.ones((400, 2), bool))
    np.testing.assert_allclose(Weighted().fit(same, target, TASKS["binary"]).common_, [0.5, 0.5], atol=1e-6)
    target, members = planted("multiclass", (1.0, 0.9, 0.8), 400)
    few = Weighted().fit(part(members, slice(0, 2)), target[:2], TASKS["multiclass"])
    assert np.abs(few.common_ - 1 / 3).max() < 0.4


def test_units_of_values_do_not_matter():
    target, members = planted("regression", (1.3, 0.9), 600)
    plain = Weighted().fit(members, target, TASKS["regression"]).weights_
    larger = Predictions(members.names, members.scores * 1e5 + 7e5, members.presence)
    scaled = Weighted().fit(larger, target * 1e5 + 7e5, TASKS["regression"]).weights_
    np.testing.assert_allclose(plain, scaled, atol=1e-4)


def test_many_views_fall_back_on_common_weights():
    """Of nine views any three may be present: such sets have no weights of their own."""
    target, members = planted("multiclass", (1.0,) * 8 + (0.2,), 1500)
    rule = Weighted().fit(members, target, TASKS["multiclass"])
    kept = [0, 3, 8]
    expected = np.einsum("mro,m->ro", members.scores[kept], rule.common_[kept] / rule.common_[kept].sum())
    np.testing.assert_allclose(rule.predict(only(members, kept)), expected)
