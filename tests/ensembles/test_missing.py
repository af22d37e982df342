"""Rules that were fitted where all is present, asked where something is not."""

import numpy as np
import pytest
from _members import TASKS, loss, merit, only, part, planted

from fusible import registry
from fusible.types import Predictions

RULES = registry.names("ensembles")
LEARNED = [name for name in RULES if name not in {"average", "product", "vote"}]
FIT, TEST = slice(0, 800), slice(800, 3000)


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("name", RULES)
def test_a_member_that_is_alone_is_no_worse_than_by_itself(name, kind):
    task = TASKS[kind]
    target, members = planted(kind, (1.6, 0.5, 0.0), 3000, sure=0.7)
    rule = registry.build("ensembles", name).fit(part(members, FIT), target[FIT], task)
    test, truth = part(members, TEST), target[TEST]
    for member in range(3):
        out = rule.predict(only(test, [member]))
        assert merit(out, truth, task) >= merit(test.scores[member], truth, task) - 0.01, member


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("name", LEARNED)
def test_what_repeats_the_best_is_used_where_the_best_is_absent(name, kind):
    """c says what a says, with noise: beside a it is worth nothing, without a it is worth more than b."""
    task, random = TASKS[kind], np.random.default_rng(1)
    target, members = planted(kind, (2.0, 0.4), 3000)
    noise = random.normal(0, 0.5, members.scores[0].shape)
    third = members.scores[0] + noise if kind == "regression" else np.exp(np.log(members.scores[0]) + noise)
    if task.is_classification:
        third /= third.sum(axis=1, keepdims=True)
    third = third if kind == "regression" else np.clip(third, 1e-6, 1 - 1e-6)
    members = Predictions(("a", "b", "c"), np.concatenate([members.scores, third[None]]), np.ones((3000, 3), bool))
    rule = registry.build("ensembles", name).fit(part(members, FIT), target[FIT], task)
    test, truth = part(members, TEST), target[TEST]
    for present in ([0, 1], [0, 2], [1, 2], [0, 1, 2]):
        best = max(merit(test.scores[m], truth, task) for m in present)
        assert merit(rule.predict(only(test, present)), truth, task) >= best - 0.01, present


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("name", LEARNED)
def test_a_member_that_no_row_of_the_fit_shows_spoils_nothing(name, kind):
    task = TASKS[kind]
    target, members = planted(kind, (1.5, 1.0, 0.0), 3000, sure=3.0)
    rule = registry.build("ensembles", name).fit(only(part(members, FIT), [0, 1]), target[FIT], task)
    test, truth = part(members, TEST), target[TEST]
    before = loss(rule.predict(only(test, [0, 1])), truth, task)
    assert loss(rule.predict(test), truth, task) <= before * 1.05
    assert np.isfinite(rule.predict(only(test, [2]))).all()


@pytest.mark.parametrize("name", RULES)
def test_a_class_that_occurs_only_where_a_member_is_absent(name):
    target, members = planted("multiclass", (1.5, 1.2), 3000)
    members.presence[target == 4, 1] = False
    members.scores[1][target == 4] = np.nan
    rule = registry.build("ensembles", name).fit(part(members, FIT), target[FIT], TASKS["multiclass"])
    test, truth = part(members, TEST), target[TEST]
    out = rule.predict(test)
    np.testing.assert_allclose(out.sum(axis=1), 1.0)
    alone = (test.scores[0].argmax(axis=1) == truth)[truth == 4].mean()
    assert (out.argmax(axis=1) == truth)[truth == 4].mean() >= alone - 0.02


@pytest.mark.parametrize("name", RULES)
def test_members_of_one_view_come_and_go_together(name):
    """Two encoders of a view and one of another: without a view its members are gone, the other's remain."""
    target, members = planted("multiclass", (1.2, 1.0, 0.8), 2000)
    extra = {"sees": np.array([[True, False], [True, False], [False, True]]), "seen": np.ones((2000, 2), bool)}
    whole = Predictions(members.names, members.scores, members.presence, extra)
    rule = registry.build("ensembles", name).fit(whole, target, TASKS["multiclass"])
    seen = np.tile([False, True], (2000, 1))
    gone = Predictions(members.names, members.scores, seen @ extra["sees"].T, {**extra, "seen": seen})
    out = rule.predict(gone)
    own = merit(members.scores[2], target, TASKS["multiclass"])
    assert merit(out, target, TASKS["multiclass"]) >= own - 0.01


def test_hidden_copies_keep_what_sees_nothing_hidden():
    from fusible.ensembles import _views

    sees = np.array([[True, False], [False, True], [True, True]])
    seen = np.array([[True, True], [True, False], [False, True]])
    presence = seen @ sees.T
    index, copied, weight = _views.copies(
        Predictions(("a", "b", "ab"), np.zeros((3, 3, 1)), presence, {"sees": sees, "seen": seen})
    )
    assert index.tolist() == [0, 1, 2, 0, 0]
    np.testing.assert_array_equal(copied[3:], [[True, False, False], [False, True, False]])
    np.testing.assert_array_equal(copied[:3], presence)
    np.testing.assert_allclose(weight, [1, 1, 1, 0.375, 0.375])


def test_many_views_have_few_patterns():
    from fusible.ensembles import _views

    found = _views.patterns(9)
    assert len(found) == 1 + 9 + 36 + 9
    assert found.sum(axis=1).tolist() == [9] + [8] * 9 + [7] * 36 + [1] * 9
    assert [len(_views.patterns(views)) for views in (1, 2, 5)] == [1, 3, 31]
    assert len(_views.patterns(12)) == 1 + 12 + 12
