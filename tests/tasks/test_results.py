"""From a fitted study to its result: what is scored, counted, shown and kept."""

import time

import numpy as np
import pytest

from fusible.evaluation import metrics
from fusible.tasks import source
from fusible.tasks.combine import fit_ensemble
from fusible.tasks.examples import examples
from fusible.tasks.results import _speeds, study_result


@pytest.fixture(scope="module")
def result(study):
    return study_result(study, command="fusible compare x.csv --target kind")


def test_every_strategy_is_scored_on_the_test_rows(study, result):
    test = study.context.split.test
    truth = study.context.learned[test]
    assert np.array_equal(result.truth, truth)
    for fitted in study.fitted:
        row, scores = result.strategy(fitted.name), fitted.node.scores(study.context.source, test)
        np.testing.assert_array_equal(result.predictions[fitted.name], scores)
        assert row.test.score == pytest.approx((scores.argmax(axis=1) == truth).mean())
        held = fitted.held_out[study.context.split.valid].argmax(axis=1)
        assert row.valid.score == pytest.approx((held == study.context.learned[study.context.split.valid]).mean())
        assert row.metrics == metrics.all_scores(study.context.task, truth, scores, None)
        assert row.parameters == fitted.node.parameters()
    assert [row.name for row in result.strategies][-1] == "auto"


def test_columns_views_and_problems_are_told(study, result):
    coverage = {column["name"]: column["coverage"] for column in result.columns}
    table = study.context.source.dataset.to_pandas()
    for name, share in coverage.items():
        assert share == pytest.approx(table[name].notna().mean())
    views = {view["name"]: view for view in result.views}
    assert views["table"]["encoders"] == ["table_mlp", "table_trees"]
    assert views["table"]["fused_through"] == "table_mlp"
    assert views["note"]["coverage"] == pytest.approx(table["note"].notna().mean())
    assert views["photo"]["coverage"] == pytest.approx(table["photo"].notna().mean() - 1 / len(table))
    (problem,) = [p for p in result.problems if p.column == "photo"]
    assert (problem.count, problem.rows) == (1, (3,))


def test_every_strategy_pays_for_its_encoding_whichever_is_timed_first(study, monkeypatch):
    real = source.encode_batch
    monkeypatch.setattr(source, "encode_batch", lambda *given: time.sleep(0.2) or real(*given))
    few = [f for f in study.fitted if f.name in {"feature:concat", "feature:cross_attention", "feature:perceiver"}]
    speeds = [_speeds(study.context, order) for order in (few, few[::-1])]
    calls = len(few[0].node.views)
    for fitted in few:
        for found in speeds:
            assert found[fitted.name] < len(study.context.split.test) / (0.2 * calls)
        assert speeds[0][fitted.name] == pytest.approx(speeds[1][fitted.name], rel=0.5)
    many = fit_ensemble(study.context, "average", [f for f in study.fitted if f.family == "feature"])
    seconds = len(study.context.split.test) / _speeds(study.context, [many])["model:average"]
    assert seconds < 0.1 * sum(len(leaf.inputs()) for leaf in many.node.leaves()), "paid for once"


def test_settings_versions_and_seed_are_told(result):
    assert result.seed == 0
    assert result.command == "fusible compare x.csv --target kind"
    assert set(result.settings["encoder_settings"]) == {"text_tfidf", "image_cnn", "table_mlp", "table_trees"}
    assert result.versions["python"].startswith("3.")
    assert result.versions["torch"] != "unknown"
    assert result.settings["items"]["unreadable"] == 1


def test_the_model_kept_is_that_of_auto(study, result, unseen, models):
    assert result.best.node.name == result.auto
    np.testing.assert_array_equal(result.best.predict_scores(unseen), models[result.auto].predict_scores(unseen))
    kept = study_result(study, command="", keep="feature:multiply")
    assert kept.best.node.name == kept.auto == "feature:multiply"
    assert kept.strategy("auto").test == result.strategy("feature:multiply").test


def test_examples_show_cells_and_pictures_as_they_are(study, result):
    context = study.context
    shown = examples(context, result.predictions["model:stacking"], None)
    table = context.source.dataset.to_pandas()
    rows = [int(example["title"].removeprefix("row ")) for example in shown]
    assert rows == sorted(rows)
    assert set(rows) <= set(context.split.test.tolist())
    place = {row: k for k, row in enumerate(context.split.test.tolist())}
    for row, example in zip(rows, shown, strict=True):
        scores = result.predictions["model:stacking"][place[row]]
        assert example["truth"] == table["kind"][row]
        assert example["prediction"] == ("x", "y", "z")[scores.argmax()]
        assert example["confidence"] == pytest.approx(scores.max())
        assert (example["image"] is None) == (table["photo"][row] is None)
        assert example["image"] is None or example["image"].startswith(b"\x89PNG")
        assert all(str(table[name][row]).startswith(said[:5]) for name, said in example["fields"].items())
