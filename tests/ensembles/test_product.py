import numpy as np
import pytest
from scipy.stats import norm

from fusible.ensembles.product import Product
from fusible.types import Predictions, Task

CLASSES = np.array([0.6, 0.3, 0.1])
MEANS = np.array([[-1.0, 0.0, 2.0], [0.5, -1.0, 1.0], [0.0, 2.0, -2.0]])


def gaussian_experts(rows=4000):
    """Three independent measurements of a class: each expert's posterior, and the posterior of all together."""
    random = np.random.default_rng(0)
    counts = (CLASSES * rows).astype(int)
    target = np.repeat(np.arange(3), counts)
    seen = MEANS[:, target] + random.normal(0, 1, (3, rows))
    likelihood = np.stack([norm.pdf(x[:, None], mean[None, :]) for x, mean in zip(seen, MEANS, strict=True)])
    prior = (counts + 1) / (counts + 1).sum()
    return target, likelihood, prior


def posterior(likelihood, prior):
    joint = likelihood.prod(axis=0) * prior
    return joint / joint.sum(axis=1, keepdims=True)


def test_independent_experts_give_the_posterior_of_bayes():
    target, likelihood, prior = gaussian_experts()
    scores = np.stack([posterior(one[None], prior) for one in likelihood])
    predictions = Predictions(("a", "b", "c"), scores, np.ones((len(target), 3), dtype=bool))
    out = Product().fit(predictions, target, Task("multiclass", ("x", "y", "z"))).predict(predictions)
    np.testing.assert_allclose(out, posterior(likelihood, prior), atol=1e-7)


@pytest.mark.parametrize("present", [(0,), (0, 2), (1, 2)])
def test_absent_experts_leave_the_posterior_of_the_others(present):
    target, likelihood, prior = gaussian_experts()
    scores = np.stack([posterior(one[None], prior) for one in likelihood])
    presence = np.zeros((len(target), 3), dtype=bool)
    presence[:, list(present)] = True
    predictions = Predictions(("a", "b", "c"), scores, presence)
    out = Product().fit(predictions, target, Task("multiclass", ("x", "y", "z"))).predict(predictions)
    np.testing.assert_allclose(out, posterior(likelihood[list(present)], prior), atol=1e-7)


def test_labels_are_combined_one_by_one_by_their_odds():
    target = np.array([[1, 0], [0, 0], [0, 1], [0, 0]])  # label rates (1 + 1) / (4 + 2) = 1/3 each
    scores = np.array([[[0.5, 0.2]], [[0.6, 0.5]]]).repeat(4, axis=1)
    predictions = Predictions(("a", "b"), scores, np.ones((4, 2), dtype=bool))
    out = Product().fit(predictions, target, Task("multilabel", ("x", "y"))).predict(predictions)
    odds = np.array([1.0 * 1.5 / 0.5, 0.25 * 1.0 / 0.5])
    np.testing.assert_allclose(out[0], odds / (1 + odds))


def test_no_member_has_a_veto():
    task = Task("binary", ("no", "yes"))
    scores = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    predictions = Predictions(("a", "b"), scores, np.ones((1, 2), dtype=bool))
    rule = Product().restore(task, np.array([0.5, 0.5]), {"divisor": np.full((2, 2), 0.5)})
    np.testing.assert_allclose(rule.predict(predictions), [[0.5, 0.5]])


def test_values_are_averaged_by_precision():
    random = np.random.default_rng(0)
    target = random.normal(5, 2, 20000)
    noise = np.array([0.5, 1.0, 2.0])
    scores = (target + noise[:, None] * random.normal(size=(3, 20000)))[..., None]
    predictions = Predictions(("a", "b", "c"), scores, np.ones((20000, 3), dtype=bool))
    rule = Product().fit(predictions, target, Task("regression"))
    np.testing.assert_allclose(rule.state()["variance"], noise**2, rtol=0.05)
    error = ((rule.predict(predictions)[:, 0] - target) ** 2).mean()
    assert error == pytest.approx(1 / (1 / noise**2).sum(), rel=0.03)


def test_a_rare_class_that_all_overstate_does_not_win():
    """Members calibrated on frequent classes give a class of two rows in a thousand 3 % everywhere."""
    target = np.repeat([0, 1, 2], [500, 498, 2])
    rest = np.where(target[:, None] == np.arange(3), 0.60, 0.37) * [1, 1, 0]
    scores = np.stack([rest / rest.sum(axis=1, keepdims=True) * 0.97 + [0, 0, 0.03]] * 4)
    predictions = Predictions(tuple("abcd"), scores, np.ones((1000, 4), dtype=bool))
    out = Product().fit(predictions, target, Task("multiclass", ("x", "y", "z"))).predict(predictions)
    assert (out.argmax(axis=1)[:998] == target[:998]).all()
    assert out[:998, 2].max() < 0.05


def test_values_need_a_fit():
    predictions = Predictions(("a",), np.ones((1, 1, 1)), np.ones((1, 1), dtype=bool))
    with pytest.raises(RuntimeError, match="fit or restore"):
        Product().restore(Task("regression"), np.zeros(1), {}).predict(predictions)
