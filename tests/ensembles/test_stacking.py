import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from fusible.ensembles import _pool
from fusible.ensembles.average import Average
from fusible.ensembles.product import Product
from fusible.ensembles.stacking import Stacking
from fusible.types import Predictions, Task

BINARY = Task("binary", ("no", "yes"))


def experts(classes, rows, strengths, seed=0):
    """Class ids, and posteriors of independent experts of given strengths (0: noise that is sure of itself)."""
    random = np.random.default_rng(seed)
    target = random.integers(0, classes, rows)
    scores = []
    for strength in strengths:
        logits = random.normal(0, 1, (rows, classes)) * (strength or 1.5)
        logits[np.arange(rows), target] += strength**2
        scores.append(softmax(logits, axis=1))
    return target, Predictions(
        tuple("abcdef"[: len(scores)]), np.stack(scores), np.ones((rows, len(scores)), dtype=bool)
    )


def loss(out, target):
    return -np.log(out[np.arange(len(target)), target]).mean()


def half(predictions, first):
    rows = slice(None, len(predictions.presence) // 2) if first else slice(len(predictions.presence) // 2, None)
    return Predictions(predictions.names, predictions.scores[:, rows], predictions.presence[rows])


@pytest.mark.parametrize("classes", [2, 5])
def test_a_noise_member_is_ignored(classes):
    task = BINARY if classes == 2 else Task("multiclass", tuple("abcde"))
    target, predictions = experts(classes, 4000, (1.5, 0.0))
    fit, test = half(predictions, True), half(predictions, False)
    out = Stacking().fit(fit, target[:2000], task).predict(test)
    alone = loss(test.scores[0], target[2000:])
    assert loss(out, target[2000:]) < alone + 0.02
    assert loss(Average().fit(fit, target[:2000], task).predict(test), target[2000:]) > alone + 0.1


def test_independent_experts_reach_the_product():
    task = Task("multiclass", tuple("abcd"))
    target, predictions = experts(4, 4000, (1.2, 1.5, 1.0))
    fit, test = half(predictions, True), half(predictions, False)
    stacked = loss(Stacking().fit(fit, target[:2000], task).predict(test), target[2000:])
    product = loss(Product().fit(fit, target[:2000], task).predict(test), target[2000:])
    assert stacked == pytest.approx(product, abs=0.03)


def test_binary_pool_agrees_with_logistic_regression_on_log_odds():
    target, predictions = experts(2, 3000, (1.0, 0.7, 1.3))
    rule = Stacking().fit(predictions, target, BINARY)
    features = logit(np.clip(predictions.scores[:, :, 1].T, 1e-9, 1 - 1e-9))
    peer = LogisticRegression(C=1e6).fit(features, target)
    np.testing.assert_allclose(rule.predict(predictions)[:, 1], peer.predict_proba(features)[:, 1], atol=0.005)


def test_with_one_row_it_is_near_the_geometric_mean():
    target, predictions = experts(3, 200, (1.0, 1.0))
    task = Task("multiclass", tuple("abc"))
    few = Predictions(predictions.names, predictions.scores[:, :1], predictions.presence[:1])
    rule = Stacking().fit(few, target[:1], task)
    assert np.abs(rule.weights_).max() < 0.6
    assert loss(rule.predict(predictions), target) < np.log(3)


def test_a_class_that_never_occurs_stays_improbable():
    target, predictions = experts(4, 280, (1.2, 1.2))
    kept = target < 3
    fit = Predictions(predictions.names, predictions.scores[:, kept], predictions.presence[kept])
    out = Stacking().fit(fit, target[kept], Task("multiclass", tuple("abcd"))).predict(fit)
    assert np.isfinite(out).all()
    assert out[:, 3].mean() < 0.03


def test_weights_rise_where_another_member_is_absent():
    """Two copies of one expert count once together, and once alone."""
    target, one = experts(2, 4000, (1.3,))
    presence = np.ones((4000, 2), dtype=bool)
    presence[::3, 1] = False
    predictions = Predictions(("a", "b"), np.repeat(one.scores, 2, axis=0), presence)
    out = Stacking().fit(predictions, target, BINARY).predict(predictions)
    np.testing.assert_allclose(out, one.scores[0], atol=0.06)


def test_each_label_has_weights_of_its_own():
    random = np.random.default_rng(0)
    target = random.integers(0, 2, (3000, 2))
    told = expit((2 * target - 1) * 2.0 + random.normal(0, 2, target.shape))
    noise = expit(random.normal(0, 2, target.shape))
    scores = np.stack([np.stack([told[:, 0], noise[:, 1]], 1), np.stack([noise[:, 0], told[:, 1]], 1)])
    predictions = Predictions(("a", "b"), scores, np.ones((3000, 2), dtype=bool))
    out = Stacking().fit(predictions, target, Task("multilabel", ("x", "y"))).predict(predictions)
    np.testing.assert_allclose(out, told, atol=0.08)


def test_values_take_the_member_that_is_right():
    random = np.random.default_rng(0)
    target = random.normal(200, 50, 1000)
    scores = np.stack([target, random.normal(200, 50, 1000)])[..., None]
    predictions = Predictions(("a", "b"), scores, np.ones((1000, 2), dtype=bool))
    out = Stacking().fit(predictions, target, Task("regression")).predict(predictions)
    np.testing.assert_allclose(out[:, 0], target, atol=0.5)


def test_values_with_absent_members_use_the_present_one():
    random = np.random.default_rng(0)
    target = random.normal(0, 1, 3000)
    noise = random.normal(0, 1, (2, 3000)) * np.array([[0.3], [0.9]])
    presence = random.random((3000, 2)) < 0.7
    scores = (target + noise)[..., None]
    predictions = Predictions(("a", "b"), scores, presence)
    error = (Stacking().fit(predictions, target, Task("regression")).predict(predictions)[:, 0] - target) ** 2
    best = 1 / (1 + 1 / np.array([0.09, 0.81]))  # posterior variance from one member, prior variance 1
    assert error[presence.all(axis=1)].mean() < 1.1 / (1 + 1 / 0.09 + 1 / 0.81)
    assert error[presence[:, 0] & ~presence[:, 1]].mean() < 1.25 * best[0]
    assert error[~presence[:, 0] & presence[:, 1]].mean() < 1.25 * best[1]


def test_the_fit_keeps_to_one_thread_which_is_faster_and_gives_the_others_back(monkeypatch):
    def threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    seen, minimize = [], _pool.minimize
    monkeypatch.setattr(_pool, "minimize", lambda *given, **more: (seen.append(threads()), minimize(*given, **more))[1])
    target, predictions = experts(2, 100, (1.5, 0.5))
    with threadpool_limits(2, user_api="blas"):
        Stacking().fit(predictions, target, BINARY)
        assert threads() == {2}
    assert seen
    assert all(one == {1} for one in seen)
