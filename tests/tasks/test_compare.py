"""Whole studies on tables whose right verdict is known, through `compare` as users call it."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from fusible.errors import ConfigError, SchemaError, TargetError
from fusible.tasks.compare import compare, prepare
from fusible.tasks.settings import head_settings, operator_width

WORDS = ["river", "stone", "cloud", "grass", "sheep", "plain"]
TEXTS = {"columns": {"left": "text", "right": "text"}, "encoders": {"left": "text_tfidf", "right": "text_tfidf"}}


def sentences(rng, marks):
    """One sentence per mark, with noise words around it."""
    return [" ".join(rng.permutation([mark, *rng.choice(WORDS, 3)])) for mark in marks]


def both_needed(rng, rows=240):
    """The label is whether the marks of two texts agree: neither text alone says anything."""
    a, b = rng.integers(0, 2, rows), rng.integers(0, 2, rows)
    return pd.DataFrame(
        {
            "left": sentences(rng, np.array(["sun", "moon"])[a]),
            "right": sentences(rng, np.array(["gold", "iron"])[b]),
            "y": np.where(a == b, "same", "other"),
        }
    )


@pytest.fixture(scope="module")
def helped(tmp_path_factory):
    """A study in which only fusion can work, with the settings of everyday use."""
    table = both_needed(np.random.default_rng(0), rows=400)
    return compare(
        table, "y", **TEXTS, strategies=["feature:multiply", "model:average"], cache=tmp_path_factory.mktemp("cache")
    )


def test_fusion_helps_where_the_label_needs_both_views(helped):
    assert helped.auto == "feature:multiply"
    assert helped.verdict == "helps"
    assert helped.difference.low > 0
    assert helped.strategy("feature:multiply").test.score > 0.8
    for name in ("single:left", "single:right"):
        assert helped.strategy(name).test.score < 0.75
    assert helped.statement.startswith("Fusion helps: feature:multiply beats single:")


def test_rows_are_scored_as_the_metric_says(helped):
    for row in helped.strategies:
        name = helped.auto if row.name == "auto" else row.name
        right = helped.predictions[name].argmax(axis=1) == helped.truth
        assert row.test.score == pytest.approx(right.mean())
        assert row.metrics["accuracy"] == pytest.approx(right.mean())
        assert row.test.low <= row.test.score <= row.test.high
        assert row.parameters > 0
        assert row.rows_per_second > 0
    assert helped.difference.mean == pytest.approx(
        helped.strategy(helped.auto).test.score - helped.strategy(helped.best_single).test.score
    )


def test_auto_is_also_a_row(helped):
    auto, chosen = helped.strategy("auto"), helped.strategy(helped.auto)
    assert (auto.family, auto.test, auto.valid) == ("auto", chosen.test, chosen.valid)
    assert auto.note.startswith(f"{helped.auto}: best of 4 on ")


def test_the_json_object_is_plain_and_whole(helped):
    found = json.loads(json.dumps(helped.to_json(), allow_nan=False))
    assert {"task", "metric", "rows", "strategies", "best_single", "auto", "verdict", "difference"} <= set(found)
    assert found["rows"] == {"train": 280, "valid": 60, "test": 60}
    assert found["views"][0]["fused_through"] == "text_tfidf"
    assert found["settings"]["folds"] == 5
    assert found["seconds"]["total"] > 0
    assert {"encode", "single", "feature", "model", "test"} <= set(found["seconds"])


def test_examples_are_test_rows_with_their_truth(helped):
    table = both_needed(np.random.default_rng(0), rows=400)
    for example in helped.examples:
        row = int(example["title"].removeprefix("row "))
        assert example["truth"] == table["y"][row]
        assert example["fields"] == {"left": table["left"][row], "right": table["right"][row]}
        assert 0.5 <= example["confidence"] <= 1
        assert example["image"] is None
    assert len(helped.examples) == 5


def test_a_view_of_noise_does_not_help(tmp_path):
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 200)
    mark = np.where(rng.random(200) < 0.1, 1 - label, label)  # a tenth is wrong: the text is good, not perfect
    table = pd.DataFrame(
        {
            "left": sentences(rng, np.array(["sun", "moon"])[mark]),
            "right": sentences(rng, rng.choice(["gold", "iron"], 200)),
            "y": label,
        }
    )
    found = compare(table, "y", **TEXTS, strategies=["feature:concat", "model:average"], cache=tmp_path)
    assert found.best_single == "single:left"
    assert found.verdict == "no evidence"
    assert found.strategy("auto").test.score >= found.strategy("single:left").test.score - 0.05
    assert found.strategy("single:left").test.score > 0.8


def test_the_same_seed_gives_the_same_study(quick, tmp_path):
    table = both_needed(np.random.default_rng(2), rows=80)
    with quick():
        first, again, other = (
            compare(table, "y", **TEXTS, strategies=["feature:concat"], seed=s, cache=tmp_path) for s in (5, 5, 6)
        )
    for name, scores in first.predictions.items():
        assert np.array_equal(scores, again.predictions[name])
    assert [row.test for row in first.strategies] == [row.test for row in again.strategies]
    assert not np.array_equal(first.truth, other.truth)


def test_a_second_study_encodes_nothing_and_duplicates_are_encoded_once(quick, tmp_path):
    table = both_needed(np.random.default_rng(3), rows=60)
    table = pd.concat([table, table], ignore_index=True)
    distinct = table["left"].nunique() + table["right"].nunique()
    with quick():
        first, second = (compare(table, "y", **TEXTS, strategies=["feature:concat"], cache=tmp_path) for _ in range(2))
    assert first.settings["items"] == {"encoded": distinct, "cached": 0, "unreadable": 0}
    assert second.settings["items"] == {"encoded": 0, "cached": distinct, "unreadable": 0}
    for name, scores in first.predictions.items():
        assert np.array_equal(scores, second.predictions[name])


@pytest.mark.parametrize("wanted", [["feature:concat", "feature:cross_attention"], ["feature:concat"]])
def test_an_item_is_encoded_once_whether_operators_read_vectors_or_sequences(wanted, quick, tmp_path):
    table = both_needed(np.random.default_rng(3), rows=40)
    encoders = {"left": "text_minilm", "right": "text_minilm"}
    with quick():
        found = compare(table, "y", columns=TEXTS["columns"], encoders=encoders, strategies=wanted, cache=tmp_path)
    assert found.settings["items"]["encoded"] == table["left"].nunique() + table["right"].nunique()


@pytest.mark.parametrize("metric", ["f1", "auroc", "log_loss", "balanced_accuracy"])
def test_the_metric_asked_for_is_reported_and_chooses(metric, quick, tmp_path):
    rng = np.random.default_rng(6)
    label = (rng.random(140) < 0.25).astype(int)
    table = pd.DataFrame(
        {
            "left": sentences(rng, np.array(["sun", "moon"])[label ^ (rng.random(140) < 0.15)]),
            "right": sentences(rng, np.array(["gold", "iron"])[label ^ (rng.random(140) < 0.3)]),
            "y": label,
        }
    )
    with quick():
        found = compare(table, "y", **TEXTS, strategies=["model:product"], metric=metric, cache=tmp_path)
    assert found.metric == metric
    for row in found.strategies:
        assert row.test.score == pytest.approx(row.metrics[metric])
        assert (row.threshold is not None) == (metric in {"f1", "balanced_accuracy"})
    if metric == "f1":
        row = found.strategy("model:product")
        positive = found.predictions["model:product"][:, 1] >= row.threshold
        true = (positive & (found.truth == 1)).sum()
        assert row.test.score == pytest.approx(2 * true / (positive.sum() + (found.truth == 1).sum()))
        decided = found.best.predict(table)
        assert ((decided["prediction"] == 1) == (decided["probability_1"] >= found.best.threshold)).all()


# -- splits, views and names ------------------------------------------------------------------------------------------


def test_the_tables_own_split_is_used(tmp_path):
    table = both_needed(np.random.default_rng(7), rows=60)
    table["split"] = ["train"] * 40 + ["dev"] * 10 + ["test"] * 10
    table.loc[45, "y"] = None
    context, _ = prepare(table, "y", TEXTS["columns"], None, None, 0, cache=tmp_path)
    assert context.split.sizes == {"train": 40, "valid": 9, "test": 10}
    assert context.notes == ["1 rows without a target are left out"]


def test_groups_are_kept_together(tmp_path):
    table = both_needed(np.random.default_rng(8), rows=60)
    table["group"] = np.arange(60) // 4
    context, _ = prepare(table, "y", TEXTS["columns"], None, None, 0, cache=tmp_path)
    homes = [set(table["group"][rows]) for rows in context.split.parts.values()]
    assert all(not a & b for a, b in pairwise([*homes, homes[0]]))
    for rest, fold in context.folds(context.split.train):
        assert not set(table["group"][rest]) & set(table["group"][fold])


def test_the_target_named_is_the_target_whatever_else_is_called_one(tmp_path):
    table = both_needed(np.random.default_rng(9), rows=60).assign(a=["p", "q"] * 30)[["a", "left", "right", "y"]]
    context, views = prepare(table, "y", {**TEXTS["columns"], "a": ":target"}, None, None, 0, cache=tmp_path)
    assert context.target.column == "y"
    assert {view.name for view in views} == {"left", "right"}


def test_one_view_has_nothing_to_fuse(quick, tmp_path):
    table = both_needed(np.random.default_rng(10), rows=60)[["left", "y"]]
    with quick():
        found = compare(table, "y", columns={"left": "text"}, encoders={"left": "text_tfidf"}, cache=tmp_path)
    assert [row.name for row in found.strategies] == ["single:left", "auto"]
    assert found.verdict == "no evidence"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": "z"}, TargetError, "target 'z': no such column"),
        ({"metric": "r2"}, ConfigError, "metric 'r2' does not fit a binary target"),
        ({"metric": "money"}, ConfigError, "metric 'money'"),
        ({"strategies": ["magic"]}, ConfigError, "strategy 'magic': expected single:<view>"),
        (
            {"strategies": ["single:top"]},
            ConfigError,
            "strategy 'single:top': no such view; expected one of single:left",
        ),
        ({"encoders": {"middle": "text_gru"}}, SchemaError, "no view is called 'middle'; views are ['left', 'right']"),
        ({"encoders": {"left": "image_cnn"}}, ConfigError, "encodes image, the view is text"),
        ({"views": {"both": ["left", "none"]}}, SchemaError, "column 'none': no such column"),
        ({"columns": {"left": ":ignore", "right": ":ignore"}}, TargetError, "expected at least one other input column"),
    ],
)
def test_what_cannot_be_run_is_refused_before_any_training(options, error, message, monkeypatch, tmp_path):
    monkeypatch.setattr("fusible.tasks.context.train", lambda *_, **__: pytest.fail("something was trained"))
    table = both_needed(np.random.default_rng(11), rows=60)
    given = {"target": "y", "columns": TEXTS["columns"], "cache": tmp_path, **options}
    with pytest.raises(error) as raised:
        compare(table, **given)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_settings_follow_the_number_of_rows(tmp_path):
    context, _ = prepare(both_needed(np.random.default_rng(0)), "y", TEXTS["columns"], None, None, 0, cache=tmp_path)
    assert operator_width(context) == 64
    assert head_settings(100).batch < head_settings(100_000).batch
    assert head_settings(100).epochs > head_settings(100_000).epochs
