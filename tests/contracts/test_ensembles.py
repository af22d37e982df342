"""The contract of every registered ensemble rule (design, section 4)."""

from itertools import product

import numpy as np
import pytest

from fusible import registry
from fusible.ensembles._base import prior
from fusible.types import Predictions, Task

RULES = registry.names("ensembles")
TASKS = {
    "binary": Task("binary", ("no", "yes")),
    "multiclass": Task("multiclass", ("a", "b", "c", "d")),
    "multilabel": Task("multilabel", ("x", "y", "z")),
    "regression": Task("regression"),
}
ROWS, MEMBERS = 160, 3

both = pytest.mark.parametrize("kind", TASKS)
every = pytest.mark.parametrize("name", RULES)


def target_of(task, random, rows=ROWS):
    if task.kind == "regression":
        return random.normal(10.0, 3.0, rows)
    if task.kind == "multilabel":
        return random.integers(0, 2, (rows, task.outputs))
    return random.integers(0, task.outputs - (task.kind == "multiclass"), rows)  # the last of many classes never occurs


def scores_of(task, target, random):
    if task.kind == "regression":
        return target[:, None] + random.normal(0, 1.0, (len(target), 1))
    if task.kind == "multilabel":
        return 1 / (1 + np.exp(-(2.0 * target - 1) - random.normal(0, 1, target.shape)))
    logits = random.normal(0, 1, (len(target), task.outputs))
    logits[np.arange(len(target)), target] += 1.5
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def case(kind, seed=0, share=0.7):
    task, random = TASKS[kind], np.random.default_rng(seed)
    target = target_of(task, random)
    scores = np.stack([scores_of(task, target, random) for _ in range(MEMBERS)])
    presence = random.random((ROWS, MEMBERS)) < share
    return task, target, Predictions(("a", "b", "c"), scores, presence)


def fitted(name, kind, **settings):
    task, target, predictions = case(kind, **settings)
    return registry.build("ensembles", name).fit(predictions, target, task), target, predictions


@every
@both
def test_outputs_are_predictions_of_the_task(name, kind):
    rule, _, predictions = fitted(name, kind)
    out = rule.predict(predictions)
    assert out.shape == (ROWS, TASKS[kind].outputs)
    assert np.isfinite(out).all()
    if kind != "regression":
        assert out.min() >= 0
        assert out.max() <= 1
    if TASKS[kind].is_classification:
        np.testing.assert_allclose(out.sum(axis=1), 1.0, rtol=1e-12)


@every
@both
def test_any_presence_pattern_has_an_output_also_when_never_seen(name, kind):
    task, target, predictions = case(kind, share=2.0)
    rule = registry.build("ensembles", name).fit(predictions, target, task)
    for pattern in product((False, True), repeat=MEMBERS):
        out = rule.predict(Predictions(predictions.names, predictions.scores, np.tile(pattern, (ROWS, 1))))
        assert np.isfinite(out).all()
        if not any(pattern):
            np.testing.assert_array_equal(out, np.tile(prior(target, task), (ROWS, 1)))
        if task.is_classification:
            np.testing.assert_allclose(out.sum(axis=1), 1.0, rtol=1e-12)


@every
@both
@pytest.mark.parametrize("poison", [np.nan, 1e30, -1e30, np.inf])
def test_what_an_absent_member_holds_changes_nothing(name, kind, poison):
    task, target, predictions = case(kind)
    poisoned = Predictions(
        predictions.names,
        np.where(predictions.presence.T[:, :, None], predictions.scores, poison),
        predictions.presence,
    )
    clean = registry.build("ensembles", name).fit(predictions, target, task)
    dirty = registry.build("ensembles", name).fit(poisoned, target, task)
    np.testing.assert_array_equal(clean.predict(predictions), dirty.predict(poisoned))


@every
@both
def test_rows_do_not_mix(name, kind):
    rule, _, predictions = fitted(name, kind)
    order = np.random.default_rng(1).permutation(ROWS)[: ROWS // 2]
    some = Predictions(predictions.names, predictions.scores[:, order], predictions.presence[order])
    np.testing.assert_allclose(rule.predict(some), rule.predict(predictions)[order], rtol=1e-12, atol=1e-15)


@every
@both
def test_state_round_trip_is_identical(name, kind):
    rule, _, predictions = fitted(name, kind)
    state = {key: np.array(value) for key, value in rule.state().items()}
    assert all(value.size for value in state.values())
    again = registry.build("ensembles", name).restore(TASKS[kind], rule.prior_.copy(), state)
    np.testing.assert_array_equal(again.predict(predictions), rule.predict(predictions))


@every
@both
def test_fitting_twice_gives_the_same(name, kind):
    first, target, predictions = fitted(name, kind)
    before = first.predict(predictions)
    second = first.fit(predictions, target, TASKS[kind])
    np.testing.assert_array_equal(second.predict(predictions), before)


@every
@both
def test_combining_is_better_than_the_mean_member(name, kind):
    rule, target, predictions = fitted(name, kind, share=2.0)

    def loss(out):
        if kind == "regression":
            return ((out[:, 0] - target) ** 2).mean()
        if kind == "multilabel":
            return -np.log(np.where(target == 1, out, 1 - out)).mean()
        return -np.log(out[np.arange(ROWS), target]).mean()

    assert loss(rule.predict(predictions)) < np.mean([loss(member) for member in predictions.scores])


@every
@both
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_rows_are_enough(name, kind, rows):
    task, target, predictions = case(kind)
    few = Predictions(predictions.names, predictions.scores[:, :rows], predictions.presence[:rows])
    rule = registry.build("ensembles", name).fit(few, target[:rows], task)
    assert np.isfinite(rule.predict(predictions)).all()


@every
@both
@pytest.mark.parametrize("rows", [1, 40])
def test_rows_of_the_fit_may_all_show_nothing(name, kind, rows):
    task, target, predictions = case(kind)
    nothing = Predictions(
        predictions.names, np.full_like(predictions.scores[:, :rows], np.nan), np.zeros((rows, MEMBERS), bool)
    )
    rule = registry.build("ensembles", name).fit(nothing, target[:rows], task)
    out = rule.predict(predictions)
    assert np.isfinite(out).all()
    absent = ~predictions.presence.any(axis=1)
    np.testing.assert_array_equal(out[absent], np.tile(rule.prior_, (absent.sum(), 1)))


@every
@both
def test_a_member_that_was_always_absent_in_fitting_may_appear(name, kind):
    task, target, predictions = case(kind, share=2.0)
    hidden = predictions.presence.copy()
    hidden[:, 2] = False
    rule = registry.build("ensembles", name).fit(
        Predictions(predictions.names, predictions.scores, hidden), target, task
    )
    assert np.isfinite(rule.predict(predictions)).all()
