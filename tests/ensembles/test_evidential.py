import numpy as np
import pytest
from _members import TASKS, loss, only, part, planted
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad

from fusible.ensembles import _dempster, evidential
from fusible.ensembles.average import Average
from fusible.ensembles.evidential import Evidential
from fusible.types import Predictions


def published(beliefs):
    """Reduced Dempster rule of Han et al. (2021), equation 6, over members' (beliefs, uncertainty) of one row."""
    belief, doubt = beliefs[0]
    for other, second in beliefs[1:]:
        conflict = np.outer(belief, other).sum() - (belief * other).sum()
        belief, doubt = (
            (belief * other + belief * second + other * doubt) / (1 - conflict),
            doubt * second / (1 - conflict),
        )
    return belief, doubt


def opinion(chance, concentration):
    classes = len(chance)
    proof = classes * concentration * chance
    return proof / (proof.sum() + classes), classes / (proof.sum() + classes)


def learned(concentrations):
    members = len(concentrations)
    return np.concatenate([np.log(concentrations)[None, :, None], np.zeros((members, members, 1))])


@given(st.integers(1, 4), st.integers(2, 6), st.integers(0, 10_000))
def test_it_is_the_published_rule(members, classes, seed):
    rng = np.random.default_rng(seed)
    chance, concentration = rng.dirichlet(np.ones(classes), members), rng.gamma(1.0, 3.0, members) + 0.01
    base = rng.dirichlet(np.ones(classes))
    belief, doubt = published([opinion(p, c) for p, c in zip(chance, concentration, strict=True)])
    out = _dempster.combine(chance[:, None, None], np.ones((1, members), bool), base[None], learned(concentration))
    np.testing.assert_allclose(out[0, 0], belief + base * doubt, rtol=1e-9)
    assert belief.sum() + doubt == pytest.approx(1.0)


def test_no_evidence_is_neutral_whether_absent_or_vacuous():
    chance = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])[:, None, None]
    base = np.full((1, 3), 1 / 3)
    alone = _dempster.combine(chance[:1], np.ones((1, 1), bool), base, learned(np.array([5.0])))
    absent = _dempster.combine(chance, np.array([[True, False]]), base, learned(np.array([5.0, 9.0])))
    vacuous = _dempster.combine(chance, np.ones((1, 2), bool), base, learned(np.array([5.0, 1e-6])))
    np.testing.assert_allclose(absent, alone)
    np.testing.assert_allclose(vacuous, alone, atol=1e-5)


def test_the_slope_of_the_loss_is_right(monkeypatch):
    random = np.random.default_rng(0)
    chance = random.dirichlet(np.ones(3), (2, 30, 2))
    presence, target = random.random((30, 2)) < 0.7, random.integers(0, 3, (30, 2))
    checked = []

    def check(loss, start, **_):
        at = start + random.normal(0, 0.5, len(start))
        checked.append(check_grad(lambda x: loss(x)[0], lambda x: loss(x)[1], at))
        return type("Found", (), {"x": start})

    monkeypatch.setattr(_dempster, "minimize", check)
    _dempster.fit(chance, presence, np.full((2, 3), 1 / 3), target, random.random(30))
    monkeypatch.setattr(evidential, "minimize", check)
    evidential._log_variance(random.normal(size=(40, 3)), random.normal(size=40))
    assert max(checked) < 1e-5


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_a_member_that_is_sure_of_noise_counts_as_uncertain(kind):
    task = TASKS[kind]
    target, members = planted(kind, (1.5, 0.0), 3000, sure=3.0)
    rule = Evidential().fit(part(members, slice(0, 1500)), target[:1500], task)
    test, truth = part(members, slice(1500, None)), target[1500:]
    own = np.exp(rule.concentration_[0].mean(axis=1))
    assert own[0] > 30 * own[1]
    assert loss(rule.predict(test), truth, task) < loss(test.scores[0], truth, task) + 0.02
    assert loss(Average().fit(test, truth, task).predict(test), truth, task) > loss(test.scores[0], truth, task) + 0.1


def test_values_are_weighted_by_a_precision_that_follows_the_prediction():
    """The first member is exact for small values only, the second for large ones only."""
    random = np.random.default_rng(0)
    target = random.normal(0, 1, 6000)
    noise = random.normal(size=(2, 6000)) * np.exp(np.stack([0.6 * target, -0.6 * target]) - 1.5)
    members = Predictions(("a", "b"), (target + noise)[..., None], np.ones((6000, 2), bool))
    fit, test = part(members, slice(0, 3000)), part(members, slice(3000, None))
    task, truth = TASKS["regression"], target[3000:]
    out = Evidential().fit(fit, target[:3000], task).predict(test)
    precision = np.exp(-2 * np.stack([0.6 * truth, -0.6 * truth]))
    fixed = np.average(test.scores[..., 0], axis=0, weights=[0.5, 0.5])
    known = (test.scores[..., 0] * precision).sum(axis=0) / precision.sum(axis=0)
    assert ((known - truth) ** 2).mean() < loss(out, truth, task) < 0.75 * ((fixed - truth) ** 2).mean()


def test_values_of_one_member_pass():
    target, members = planted("regression", (1.0, 0.5), 300)
    rule = Evidential().fit(members, target, TASKS["regression"])
    np.testing.assert_allclose(rule.predict(only(members, [1])), members.scores[1])


def test_it_needs_a_fit():
    predictions = Predictions(("a",), np.full((1, 1, 2), 0.5), np.ones((1, 1), bool))
    with pytest.raises(RuntimeError, match="fit or restore"):
        Evidential().restore(TASKS["binary"], np.full(2, 0.5), {}).predict(predictions)
