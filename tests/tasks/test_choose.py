"""The choice of `auto`, against predictions whose right choice is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from fusible.data.split import Split
from fusible.errors import ConfigError
from fusible.tasks.choose import choose, difference, kept, threshold_of
from fusible.tasks.context import Context, Fitted
from fusible.tasks.target import Target
from fusible.types import Task

ROWS = 90
TASK = Task("binary", ("no", "yes"))


@pytest.fixture
def context(rng):
    split = Split(np.arange(60), np.arange(60, 75), np.arange(75, ROWS))
    return Context(SimpleNamespace(), split, Target("y", TASK), rng.integers(0, 2, ROWS), "accuracy")


def fitted(context, name, right, rows=75, seed=0):
    """A strategy whose held-out predictions are right in this share of rows; none are known beyond `rows`."""
    draw = np.random.default_rng(seed)
    hit = draw.random(ROWS) < right
    held = np.where((hit == (context.learned == 1))[:, None], [0.2, 0.8], [0.8, 0.2])
    held[rows:] = np.nan
    return Fitted(name, name.partition(":")[0], SimpleNamespace(name=name), held, 1.0)


def test_a_clear_gain_is_taken(context):
    single, fused = fitted(context, "single:a", 0.7), fitted(context, "feature:b", 0.95, seed=1)
    auto, best, why = choose(context, [single, fused])
    assert (auto, best) == (fused, single)
    assert "best of 2 on held-out rows" in why
    assert "beats single:a in " in why


def test_of_equals_the_single_view_is_taken(context):
    single, fused = fitted(context, "single:a", 0.8), fitted(context, "model:b", 0.8)
    assert difference(context, fused, single).p_better == 0.5
    auto, best, why = choose(context, [fused, single])
    assert auto is best is single
    assert "model:b" in why
    assert "50% of resamples of 75 held-out rows" in why


def test_the_best_of_singles_and_of_fusions_are_compared(context):
    strategies = [
        fitted(context, "single:a", 0.6, seed=1),
        fitted(context, "single:b", 0.75, seed=2),
        fitted(context, "feature:c", 0.5, seed=3),
        fitted(context, "model:d", 0.98, seed=4),
    ]
    auto, best, _ = choose(context, strategies)
    assert (auto.name, best.name) == ("model:d", "single:b")


def test_of_those_that_held_out_rows_cannot_tell_apart_the_one_of_least_log_loss_is_taken(context):
    single, lucky = fitted(context, "single:a", 0.6), fitted(context, "feature:b", 0.95, seed=1)
    sound, poor = fitted(context, "model:c", 0.88, seed=2), fitted(context, "model:d", 0.5, seed=3)
    wrong = sound.held_out.argmax(axis=1) != context.learned
    sound.held_out[:75] = np.where(wrong[:75, None], 0.5 + 0.1 * (sound.held_out[:75] - 0.5), sound.held_out[:75])
    assert context.score(context.learned[:75], sound.held_out[:75]) < context.score(
        context.learned[:75], lucky.held_out[:75]
    )
    auto, _, why = choose(context, [single, lucky, sound, poor])
    assert auto is sound
    assert "of least log-loss among the 2 best of 4" in why


def test_what_is_surely_better_is_taken_whatever_its_log_loss(context):
    single, better = fitted(context, "single:a", 0.5), fitted(context, "feature:b", 1.0)
    better.held_out[:75] = 0.5 + 0.02 * (better.held_out[:75] - 0.5)  # a temperature mends that
    surer = fitted(context, "model:c", 0.75, seed=2)
    assert choose(context, [single, better, surer])[0] is better


def test_only_rows_that_both_hold_out_count(context):
    single, fused = fitted(context, "single:a", 0.9), fitted(context, "end_to_end:b", 1.0, rows=20)
    single.held_out[:20] = [0.5, 0.5]
    single.held_out[:20, 0] = 0.9 - 0.8 * context.learned[:20]
    single.held_out[:20, 1] = 1 - single.held_out[:20, 0]
    auto, _, why = choose(context, [single, fused])
    assert auto is single  # both are right on all of the twenty shared rows
    assert "of 20 held-out rows" in why


def test_a_small_gain_on_many_held_out_rows_counts_before_a_lucky_one_on_few(rng):
    rows = 2_000
    split = Split(np.arange(1_600), np.arange(1_600, 1_700), np.arange(1_700, rows))
    context = Context(SimpleNamespace(), split, Target("y", TASK), rng.integers(0, 2, rows), "accuracy")
    right = rng.random(rows) < 0.8

    def said(name, hit, first):
        held = np.where((hit == (context.learned == 1))[:, None], [0.2, 0.8], [0.8, 0.2])
        held[:first] = held[1_700:] = np.nan
        return Fitted(name, name.partition(":")[0], SimpleNamespace(name=name), held, 1.0)

    better, lucky = right.copy(), right.copy()
    better[np.flatnonzero(~right[:1_600])[:60]] = True
    for some, gained, lost in ((better, 1, 0), (lucky, 5, 3)):
        valid = np.arange(1_600, 1_700)
        some[valid[~right[valid]][:gained]] = True
        some[valid[right[valid]][:lost]] = False
    strategies = [said("single:a", right, 0), said("model:b", better, 0), said("feature:c", lucky, 1_600)]
    auto, _, why = choose(context, strategies)
    assert auto.name == "model:b"
    assert "beats single:a in 100% of resamples" in why


def test_without_fusion_there_is_no_choice(context):
    single = fitted(context, "single:a", 0.6)
    assert choose(context, [single])[2] == "no strategy fuses views here"


def test_a_named_strategy_is_kept(context):
    single, fused = fitted(context, "single:a", 0.9), fitted(context, "feature:b", 0.3)
    auto, best, why = kept(context, [single, fused], "feature:b")
    assert (auto, best, why) == (fused, single, "named by the user")
    with pytest.raises(ConfigError, match=r"'feature:x' was not fitted: expected one of \['single:a', 'feature:b'\]"):
        kept(context, [single, fused], "feature:x")


@pytest.mark.parametrize(("metric", "threshold"), [("accuracy", None), ("auroc", None), ("log_loss", None)])
def test_metrics_without_a_threshold_have_none(context, metric, threshold):
    context.metric = metric
    assert threshold_of(context, fitted(context, "single:a", 0.8)) is threshold


@pytest.mark.parametrize("metric", ["f1", "macro_f1", "balanced_accuracy"])
def test_the_threshold_is_the_best_of_held_out_rows_and_sees_no_test_row(context, metric):
    from sklearn.metrics import balanced_accuracy_score, f1_score

    context.metric = metric
    one = fitted(context, "single:a", 0.8, rows=ROWS)
    draw = np.random.default_rng(3)
    one.held_out[:, 1] = 0.05 + 0.2 * context.learned + 0.15 * draw.random(ROWS)
    one.held_out[:, 0] = 1 - one.held_out[:, 1]
    chosen = threshold_of(context, one)
    score = {
        "f1": f1_score,
        "macro_f1": lambda t, p: f1_score(t, p, average="macro"),
        "balanced_accuracy": balanced_accuracy_score,
    }[metric]
    truth, chance = context.learned[:75], one.held_out[:75, 1]
    best = max(score(truth, chance >= cut) for cut in chance)
    assert score(truth, chance >= chosen) == pytest.approx(best)
    one.held_out[75:] = 0.5
    context.learned[75:] = 0
    assert threshold_of(context, one) == chosen


def test_several_labels_are_told_apart_by_the_log_loss_of_each(rng):
    truth = rng.integers(0, 2, (ROWS, 3))
    split = Split(np.arange(60), np.arange(60, 75), np.arange(75, ROWS))
    task = Task("multilabel", ("a", "b", "c"))
    context = Context(SimpleNamespace(), split, Target("y", task), truth, "macro_f1")

    def said(name, right, sure):
        hit = np.random.default_rng(len(name)).random(truth.shape) < right
        held = np.where(hit == (truth == 1), 0.5 + sure, 0.5 - sure)
        held[75:] = np.nan
        return Fitted(name, name.partition(":")[0], SimpleNamespace(name=name), held, 1.0)

    single, sound = said("single:a", 0.6, 0.3), said("feature:b", 0.9, 0.4)
    odd = Fitted("model:c", "model", SimpleNamespace(name="model:c"), sound.held_out.copy(), 1.0)
    wrong = (odd.held_out > 0.5) != (truth == 1)
    odd.held_out[wrong] = np.where(odd.held_out > 0.5, 0.99, 0.01)[wrong]  # as often wrong, and sure of it
    assert choose(context, [single, odd, sound])[0] is sound


def test_values_are_chosen_by_the_metric_alone(rng):
    values = rng.normal(size=ROWS)
    split = Split(np.arange(60), np.arange(60, 75), np.arange(75, ROWS))
    context = Context(SimpleNamespace(), split, Target("y", Task("regression")), values, "r2")

    def said(name, noise):
        held = (values + np.random.default_rng(len(name)).normal(scale=noise, size=ROWS))[:, None]
        held[75:] = np.nan
        return Fitted(name, name.partition(":")[0], SimpleNamespace(name=name), held, 1.0)

    strategies = [said("single:a", 2.0), said("feature:bb", 0.21), said("model:ccc", 0.2)]
    auto, _, why = choose(context, strategies)
    assert auto.name in {"feature:bb", "model:ccc"}
    assert "best of 3" in why
