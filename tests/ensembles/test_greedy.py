from itertools import pairwise, product

import numpy as np
import pytest
from _members import TASKS, loss, merit, part, planted

from fusible.ensembles._selection import Library, judge, path
from fusible.ensembles.greedy import Greedy
from fusible.errors import ConfigError
from fusible.types import Predictions


def library(kind, strengths, rows, metric="", **settings):
    """A library as the rule makes it, its target, and the members."""
    target, members = planted(kind, strengths, rows, **settings)
    rule = Greedy()
    rule.task_, rule.prior_, rule.metric_ = TASKS[kind], members.scores.mean(axis=(0, 1)), metric
    return rule._library(members.scores, members.presence, target), target, members


def mean(members, counts):
    return np.einsum("mro,m->ro", members.scores, np.asarray(counts) / np.sum(counts))


@pytest.mark.parametrize("kind", TASKS)
def test_every_step_is_the_best_by_brute_force(kind):
    given, target, members = library(kind, (1.0, 0.8, 0.6, 0.4), 150, sure=1.0)
    found = path(given, np.arange(4), 8)
    for before, after in pairwise(found[1:]):
        tried = [loss(mean(members, before + np.eye(4)[m]), target, TASKS[kind]) for m in range(4)]
        assert tried[int((after - before).argmax())] == pytest.approx(min(tried), abs=1e-12)


def test_accuracy_comes_first_and_log_loss_breaks_ties():
    given, target, members = library("multiclass", (0.9, 0.8, 0.7), 200, "accuracy")
    found = path(given, np.arange(3), 6)
    for before, after in pairwise(found[1:]):
        tried = []
        for m in range(3):
            out = mean(members, before + np.eye(3)[m])
            tried.append((round(-merit(out, target, TASKS["multiclass"]), 9), loss(out, target, TASKS["multiclass"])))
        assert tried[int((after - before).argmax())] == min(tried)


def test_it_comes_near_the_best_of_all_ensembles_of_some_size():
    _, target, members = library("multiclass", (1.0, 0.9, 0.5), 300)
    task = TASKS["multiclass"]
    best = min(loss(mean(members, c), target, task) for c in product(range(9), repeat=3) if 0 < sum(c) <= 8)
    weights = Greedy(bags=0).fit(members, target, task).weights_[0]
    assert loss(mean(members, weights), target, task) <= best + 1e-3


def test_presence_is_renormalised():
    given, target, members = library("regression", (1.0, 0.5), 100)
    presence = np.random.default_rng(0).random((100, 2)) < 0.6
    gaps = Library(given.told, presence, given.fallback, target, True)
    weight = presence * [2.0, 1.0]
    value = np.where(
        presence.any(axis=1),
        (members.scores[..., 0].T * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1),
        given.fallback[:, 0],
    )
    assert judge(gaps, np.array([2.0, 1.0]))[0] == pytest.approx(((value - target) ** 2).mean())


@pytest.mark.parametrize("metric", ["", "accuracy", "mae"])
@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("rows", [3, 30, 300])
def test_it_is_never_worse_in_sample_than_the_best_member(kind, metric, rows):
    for seed in range(3):
        target, members = planted(kind, (0.5, 0.4, 0.0, 0.0), rows, seed=seed, sure=2.0)
        members.extra["metric"] = metric
        out = Greedy().fit(members, target, TASKS[kind]).predict(members)

        def cost(scores):
            if metric == "accuracy" and TASKS[kind].is_classification:
                return -merit(scores, target, TASKS[kind])  # noqa: B023
            if metric == "mae" and kind == "regression":
                return np.abs(scores[:, 0] - target).mean()  # noqa: B023
            return loss(scores, target, TASKS[kind])  # noqa: B023

        assert cost(out) <= min(cost(one) for one in members.scores) + 1e-12


@pytest.mark.parametrize("metric", ["", "accuracy"])
def test_noise_is_not_selected_over_a_good_member(metric):
    """One member of thirty knows something; there are few rows, so that noise fits some of them by chance."""
    task = TASKS["multiclass"]
    target, members = planted("multiclass", (1.5,) + (0.0,) * 25, 2200, sure=1.5)
    fit, test = part(members, slice(0, 200)), part(members, slice(200, None))
    one_view = {"sees": np.ones((26, 1), bool), "seen": np.ones((200, 1), bool)}
    fit.extra = {"metric": metric, **one_view}
    rule = Greedy().fit(fit, target[:200], task)
    assert rule.weights_[0][0] > (0.7 if metric else 0.95)  # accuracy of few rows tells less
    out = rule.predict(test)
    assert merit(out, target[200:], task) >= merit(test.scores[0], target[200:], task) - 0.005
    assert loss(out, target[200:], task) <= loss(test.scores[0], target[200:], task) + (0.1 if metric else 0.01)


@pytest.mark.parametrize("kind", TASKS)
def test_what_complements_is_combined(kind):
    task = TASKS[kind]
    target, members = planted(kind, (1.2, 1.1, 1.0), 3000)
    rule = Greedy().fit(part(members, slice(0, 1000)), target[:1000], task)
    test, truth = part(members, slice(1000, None)), target[1000:]
    assert merit(rule.predict(test), truth, task) > max(merit(one, truth, task) for one in test.scores) + 0.01


def test_a_fused_member_is_used_where_views_are_there_and_singles_where_not():
    """Strategies: a alone, b alone, and both fused (best). Without b the fused one is not known: a speaks."""
    target, members = planted("multiclass", (1.0, 0.9, 2.0), 1500)
    sees = np.array([[True, False], [False, True], [True, True]])
    extra = {"sees": sees, "seen": np.ones((1500, 2), bool)}
    whole = Predictions(members.names, members.scores, members.presence, extra)
    rule = Greedy().fit(whole, target, TASKS["multiclass"])
    assert rule.predict(whole) is not None
    assert rule.weights_[0][2] > 0.7
    seen = np.tile([True, False], (1500, 1))
    gone = Predictions(members.names, members.scores, seen @ sees.T, {"sees": sees, "seen": seen})
    np.testing.assert_allclose(rule.predict(gone), members.scores[0])


def test_where_a_view_is_often_absent_fused_members_are_weighed_on_such_rows():
    """In 400 rows only a is present, and the fused strategy is better there than a alone."""
    target, members = planted("multiclass", (0.6, 0.6, 2.0), 1500)
    sees = np.array([[True, False], [False, True], [True, True]])
    seen = np.ones((1500, 2), bool)
    seen[:400, 1] = False
    whole = Predictions(members.names, members.scores, seen @ sees.T, {"sees": sees, "seen": seen})
    rule = Greedy().fit(whole, target, TASKS["multiclass"])
    out = rule.predict(whole)[:400]
    assert (
        merit(out, target[:400], TASKS["multiclass"])
        > merit(members.scores[0, :400], target[:400], TASKS["multiclass"]) + 0.2
    )


@pytest.mark.parametrize(("bags", "steps"), [(-1, 5), (3, 0)])
def test_bad_settings_are_refused(bags, steps):
    with pytest.raises(ConfigError, match=f"got bags={bags} and steps={steps}"):
        Greedy(bags=bags, steps=steps)


def test_who_answers_for_a_set_of_views_too_rare_for_weights_is_not_forgotten():
    rng = np.random.default_rng(0)
    target, sees = rng.integers(0, 2, 112), np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], bool)
    seen = np.zeros((112, 3), bool)
    seen[:, 0] = seen[:12] = True  # b and c are never there without a, and seldom with it
    right = np.stack([np.clip(chance + rng.normal(0, 0.1, 112), 0.02, 0.98) for chance in (0.9, 0.55, 0.55, 0.8)])
    scores = np.stack([np.where(target == 1, 1 - right, right), np.where(target == 1, right, 1 - right)], axis=2)
    extra = {"sees": sees, "seen": seen}
    rule = Greedy().fit(Predictions(tuple("abcd"), scores, (seen @ sees.T), extra), target, TASKS["binary"])
    sets = np.array([[0, 1, 1], [1, 1, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0]], bool)
    asked, presence = scores[:, :5], sets @ sees.T
    before = rule.predict(Predictions(tuple("abcd"), asked, presence, {"sees": sees, "seen": sets}))
    np.testing.assert_allclose(before[0], asked[3, 0])  # the least loss of those present
    kept = rule.needed()
    rule.keep(kept)
    names = tuple(name for name, wanted in zip("abcd", kept, strict=True) if wanted)
    told = {"sees": sees[kept], "seen": sets}
    np.testing.assert_array_equal(rule.predict(Predictions(names, asked[kept], presence[:, kept], told)), before)


def test_members_without_weight_can_be_forgotten():
    target, singles = planted("multiclass", (1.0, 0.9), 400)
    _, fused = planted("multiclass", (1.4, 0.0, 0.0), 400)
    scores = np.concatenate([singles.scores, fused.scores])
    scores[3:] = scores[:, ::-1][3:]  # says nothing of its own rows
    sees = np.array([[1, 0], [0, 1], [1, 1], [1, 1], [1, 1]], bool)
    rng = np.random.default_rng(0)

    def seen(rows):
        held = rng.random((rows, 2)) < 0.7
        presence = (held[:, None, :] & sees).any(axis=2)
        return {"sees": sees, "seen": held}, presence

    extra = {"sees": sees, "seen": np.ones((400, 2), bool)}
    rule = Greedy().fit(
        Predictions(tuple("abcde"), scores, np.ones((400, 5), bool), extra), target, TASKS["multiclass"]
    )
    needed = rule.needed()
    assert needed[:2].all()
    assert needed.sum() < 5
    extra, presence = seen(400)
    before = rule.predict(Predictions(tuple("abcde"), scores, presence, extra))
    rule.keep(needed)
    names = tuple(name for name, wanted in zip("abcde", needed, strict=True) if wanted)
    after = rule.predict(
        Predictions(names, scores[needed], presence[:, needed], {"sees": sees[needed], "seen": extra["seen"]})
    )
    np.testing.assert_array_equal(after, before)
