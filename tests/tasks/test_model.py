"""Models: predictions for any presence pattern, scores, and problems that are named."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from fusible.errors import SchemaError, TargetError
from fusible.tasks import model as models_of_tasks

STRATEGIES = (
    "single:note",
    "single:photo",
    "single:table",
    "feature:concat",
    "feature:multiply",
    "model:average",
    "model:product",
    "model:stacking",
    "end_to_end:joint",
)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_presence_pattern_has_a_prediction(models, unseen, name):
    scores = models[name].predict_scores(unseen)
    assert scores.shape == (len(unseen), 3)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0)
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_row_with_every_view_absent_gets_the_prior(models, study, unseen, name):
    scores = models[name].predict_scores(unseen)
    prior = models[name].node.prior
    np.testing.assert_array_equal(scores[7], prior)
    np.testing.assert_array_equal(scores[60], prior)
    assert prior.sum() == pytest.approx(1.0)
    train = study.context.learned[study.context.split.train]
    counts = np.bincount(train, minlength=3) + 1
    if not name.startswith("model:"):
        np.testing.assert_allclose(prior, counts / counts.sum())


@pytest.mark.parametrize("name", STRATEGIES)
def test_rows_do_not_depend_on_their_neighbours(models, unseen, name):
    model = models[name]
    whole = model.predict_scores(unseen)
    some = [12, 0, 7, 33, 2]
    np.testing.assert_allclose(model.predict_scores(unseen.iloc[some]), whole[some], atol=1e-6)
    np.testing.assert_allclose(model.predict_scores(unseen.iloc[[4]]), whole[[4]], atol=1e-6)


def test_chunks_change_nothing(models, unseen, monkeypatch):
    whole = models["model:stacking"].predict_scores(unseen)
    monkeypatch.setattr(models_of_tasks, "CHUNK", 9)
    np.testing.assert_allclose(models["model:stacking"].predict_scores(unseen), whole, atol=1e-6)


@pytest.mark.parametrize("name", ["single:note", "single:photo"])
def test_only_the_views_of_a_strategy_matter(models, unseen, name):
    other = unseen.copy()
    keep = name.removeprefix("single:")
    for column in {"note", "photo", "size", "shop"} - {keep}:
        other[column] = None
    np.testing.assert_array_equal(models[name].predict_scores(other), models[name].predict_scores(unseen))


def test_a_category_never_seen_is_defined_and_like_any_other_new_one(models, unseen):
    other = unseen.copy()
    other.loc[0, "shop"] = "another that nobody saw"
    for name in ("single:table", "model:stacking", "end_to_end:joint"):
        np.testing.assert_array_equal(models[name].predict_scores(other), models[name].predict_scores(unseen))


def test_predictions_are_labels_with_their_probabilities(model, unseen):
    frame = model.predict(unseen)
    assert list(frame.columns) == ["prediction", "probability_x", "probability_y", "probability_z"]
    best = frame.iloc[:, 1:].to_numpy().argmax(axis=1)
    assert frame["prediction"].tolist() == [("x", "y", "z")[i] for i in best]


def test_unreadable_cells_are_counted_and_named(model, unseen):
    problems = model.predict(unseen).attrs["problems"]
    assert len(problems) == 1
    assert problems[0].startswith("photo: 1 unreadable image item(s) are treated as absent: row 3, column 'photo'")


def test_problems_are_named_by_the_row_of_the_table_not_of_the_chunk(model, unseen, monkeypatch):
    monkeypatch.setattr(models_of_tasks, "CHUNK", 9)
    table = pd.concat([unseen.drop(index=3), unseen.loc[[3]]], ignore_index=True)
    (problem,) = model.predict(table).attrs["problems"]
    assert f"row {len(table) - 1}, column 'photo'" in problem


def test_further_columns_and_their_order_do_not_matter(model, unseen):
    other = unseen[unseen.columns[::-1]].assign(extra=1.0, kind="x")
    np.testing.assert_array_equal(model.predict_scores(other), model.predict_scores(unseen))


def test_a_missing_input_column_is_named(model, unseen):
    with pytest.raises(SchemaError, match="column 'size', an input of the model, is missing"):
        model.predict(unseen.drop(columns="size"))


def test_a_model_asks_for_the_columns_it_uses_only(mixed, unseen, quick, tmp_path):
    from fusible.tasks.compare import compare

    with quick():
        result = compare(
            mixed, "kind", columns={"note": "text"}, encoders={"note": "text_tfidf"}, strategies=["single:note"],
            keep="single:note", cache=tmp_path,
        )  # fmt: skip
    scores = result.best.predict_scores(unseen[["note"]])
    np.testing.assert_array_equal(scores, result.best.predict_scores(unseen))


def test_evaluate_scores_rows_with_a_known_target(model, mixed):
    table = mixed.copy()
    table.loc[10, "kind"] = None
    table.loc[11, "kind"] = "never seen"
    found = model.evaluate(table)
    rows = [r for r in range(len(table)) if r not in {10, 11}]
    given = model.predict(table.iloc[rows])["prediction"]
    expected = accuracy_score(table["kind"].iloc[rows], given)
    assert found["score"]["score"] == pytest.approx(expected)
    assert found["metrics"]["accuracy"] == pytest.approx(expected)
    assert found["score"]["low"] <= expected <= found["score"]["high"]
    assert (found["rows"], found["rows_without_target"], found["strategy"]) == (len(rows), 2, "model:stacking")
    assert found["task"] == "multiclass"
    assert any("row 3" in problem for problem in found["problems"])


def test_evaluate_needs_a_target(model, mixed):
    with pytest.raises(TargetError, match="column 'kind' is not in the table"):
        model.evaluate(mixed.drop(columns="kind"))
    with pytest.raises(TargetError, match="no row has a value that training knew"):
        model.evaluate(mixed.assign(kind="never seen"))


def test_members_of_an_ensemble_are_calibrated(study):
    node = next(f.node for f in study.fitted if f.name == "model:product")
    assert all(0.05 <= t <= 20 for t in node.temperatures)
    assert any(abs(t - 1) > 1e-3 for t in node.temperatures)
    assert [leaf.name for leaf in node.leaves()] == ["single:note", "single:photo", "single:table"]


def test_stacking_sees_every_candidate_and_other_rules_one_per_view(study):
    nodes = {f.name: f.node for f in study.fitted}
    assert [m.name for m in nodes["model:stacking"].members] == [
        *("single:note", "single:photo"),
        *("single:table", "single:table"),
    ]
    assert len(nodes["model:average"].members) == 3


def test_parameters_count_what_was_trained(study):
    nodes = {f.name: f.node for f in study.fitted}
    photo, joint, concat = nodes["single:photo"], nodes["end_to_end:joint"], nodes["feature:concat"]
    cnn = sum(p.numel() for p in photo.encoders["photo"].parameters())
    assert photo.parameters() == cnn + sum(p.numel() for p in photo.network.parameters())
    assert joint.parameters() == sum(p.numel() for p in joint.network.parameters())
    assert concat.parameters() > cnn
    assert set(joint.live) == {"photo", "table"}
