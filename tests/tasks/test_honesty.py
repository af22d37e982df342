"""Held-out predictions never come from a model that saw the row, whatever the strategy; nothing sees the test rows.

Covers `singles`, `features`, `combine` and `context`: predictors that remember every labelled row show any leak.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from fusible import registry
from fusible.encoders._base import Encoder
from fusible.ensembles._base import Rule
from fusible.tasks import combine
from fusible.tasks.combine import fit_ensemble
from fusible.tasks.compare import fit_strategies, prepare
from fusible.tasks.context import folds
from fusible.tasks.features import fit_feature
from fusible.tasks.singles import fit_single
from fusible.training.loop import TrainSettings
from fusible.types import Encoded, Modality, Task

ROWS = 80


class Memory(Encoder):
    """Remembers the label of every text it was fitted on; of the others it knows nothing."""

    modality = Modality.TEXT
    frozen = True
    predicts = True

    def __init__(self):
        super().__init__()
        self.output_width = 1
        self.known = {}

    def decode(self, value):
        return value

    def batch(self, decoded):
        return {"x": torch.zeros(len(decoded), 1)}

    def forward(self, tensors):
        return Encoded(tensors["x"].unsqueeze(1), torch.ones(len(tensors["x"]), 1, dtype=torch.bool))

    def fit_target(self, values, target, task, valid, seed):
        self.task = task
        self.known = dict(zip(values, target.tolist(), strict=True))

    def predict_scores(self, values):
        scores = np.full((len(values), self.task.outputs), 1.0 / self.task.outputs)
        for row, value in enumerate(values):
            if value in self.known:
                scores[row] = np.eye(self.task.outputs)[self.known[value]]
        return scores


@pytest.fixture
def table(rng):
    """Random labels; texts all different; numbers enough to tell every row; some cells absent."""
    frame = pd.DataFrame(
        {
            "note": [f"row {i} says nothing about it" for i in range(ROWS)],
            **{f"x{i}": rng.normal(size=ROWS) for i in range(8)},
            "y": rng.choice(["a", "b"], ROWS),
        }
    )
    frame.loc[::9, "note"] = None
    return frame


@pytest.fixture
def context(table, tmp_path):
    return prepare(table, "y", None, None, None, 0, cache=tmp_path)[0]


def memorised(scores):
    """Rows whose prediction is certain."""
    return np.flatnonzero(scores.max(axis=1) == 1.0)


@pytest.fixture
def remembered(context):
    return fit_single(context, context.source.dataset.views["note"], "memory", Memory())


def test_a_predictors_held_out_scores_are_of_rows_it_did_not_see(context, remembered):
    held = remembered.fitted.held_out
    train, valid, test = context.split.parts.values()
    assert np.isfinite(held[train]).all()
    assert np.isfinite(held[valid]).all()
    assert np.isnan(held[test]).all()
    assert memorised(held[np.concatenate([train, valid])]).size == 0
    absent = train[~context.source.presence([remembered.view], train)[:, 0]]
    assert len(absent)
    np.testing.assert_allclose(held[absent], np.tile(context.prior, (len(absent), 1)))
    scores = remembered.fitted.node.scores(context.source, np.arange(ROWS))
    present = context.present([remembered.view], train)
    assert set(memorised(scores).tolist()) == set(present.tolist()), "fitted on all training rows, and on no other"


def test_the_encoder_that_is_fused_saw_no_label(context, remembered):
    assert remembered.encoder.known == {}
    assert remembered.fitted.node.encoder.known


class Rote(Rule):
    """Remembers the members' scores with their targets."""

    def fit_rule(self, predictions, target):
        self.known = {s.tobytes(): t for s, t in zip(predictions.scores.transpose(1, 0, 2), target, strict=True)}

    def combine(self, scores, presence):
        result = np.tile(self.prior_, (scores.shape[1], 1))
        for row, line in enumerate(scores.transpose(1, 0, 2)):
            if line.tobytes() in self.known:
                result[row] = np.eye(self.task_.outputs)[self.known[line.tobytes()]]
        return result


def test_a_rules_held_out_scores_are_cross_fitted(context, remembered, monkeypatch, rng):
    seen = np.concatenate([context.split.train, context.split.valid])
    remembered.fitted.held_out[seen] = rng.dirichlet([1, 1], len(seen))  # all different, so that rote tells rows apart
    monkeypatch.setattr(combine.registry, "build", lambda *_: Rote())
    fitted = fit_ensemble(context, "rote", [remembered.fitted])
    assert memorised(fitted.held_out[seen]).size == 0
    assert np.isfinite(fitted.held_out[seen]).all()
    assert np.isnan(fitted.held_out[context.split.test]).all()
    assert len(fitted.node.rule.known) == len(seen)


@pytest.fixture
def rote_training(monkeypatch):
    """Networks that train long and keep the last epoch: they remember."""
    long = TrainSettings(epochs=25, batch=16, peak_rate=1e-2, patience=99)
    for module in ("singles", "features", "end_to_end"):
        monkeypatch.setattr(f"fusible.tasks.{module}.head_settings", lambda *_: long)
    for module in ("singles", "end_to_end"):
        monkeypatch.setattr(f"fusible.tasks.{module}.whole_settings", lambda *_: long)
    monkeypatch.setattr("fusible.training.loop._better", lambda _: True)
    monkeypatch.setattr("fusible.tasks.offset._gains", lambda *_: True)
    monkeypatch.setattr("fusible.encoders._boosting.LEAVES", (4,))
    monkeypatch.setattr("fusible.encoders._boosting.ROUNDS", 10)


def test_fusion_of_encoders_that_were_trained_with_labels_is_held_out_too(context, rote_training):
    views = tuple(context.source.dataset.views.values())
    study = fit_strategies(context, views, {"note": "text_tfidf", "table": "table_mlp"}, ["feature:concat"])
    train = context.split.train
    single, fused = (next(f for f in study.fitted if f.name == n) for n in ("single:table", "feature:concat"))
    for fitted in (single, fused):
        right = fitted.node.scores(context.source, train).argmax(axis=1) == context.learned[train]
        assert right.mean() > 0.9, "the test needs a model that remembers"
        held = fitted.held_out[train].argmax(axis=1) == context.learned[train]
        assert held.mean() < 0.72, f"{fitted.name}: random labels cannot be predicted for rows not seen"


def test_each_fold_has_an_encoder_that_is_blind_to_it(context, quick):
    view = context.source.dataset.views["table"]
    with quick():
        encoder = registry.build("encoders", "table_mlp")
        encoder.fit(context.source.training_items(view, context.split.train))
        candidate = fit_single(context, view, "table_mlp", encoder)
        assert len(candidate.fold_encoders) == 5
        used = []
        feed = context.source.feed

        def watch(view, encoder, **how):
            used.append(encoder)
            return feed(view, encoder, **how)

        context.source.feed = watch
        fit_feature(context, "concat", [candidate])
    assert all(any(one is blind for one in used) for blind in candidate.fold_encoders)


def test_training_folds_are_the_same_for_every_strategy(context, rng):
    train = context.split.train
    whole = context.training_folds(train)
    some = np.sort(rng.choice(train, 30, replace=False))
    for (rest, fold), (fewer_rest, fewer) in zip(whole, context.training_folds(some), strict=True):
        assert np.array_equal(np.sort(np.concatenate([rest, fold])), train)
        assert np.array_equal(fewer, np.intersect1d(fold, some))
        assert np.array_equal(fewer_rest, np.setdiff1d(some, fewer))


def test_a_single_row_has_no_folds():
    assert folds(np.array([3]), np.arange(9), None, Task("regression"), 0) == []
    assert folds(np.array([], int), np.arange(9), np.arange(9), Task("binary", ("a", "b")), 0) == []


@pytest.mark.parametrize("column", ["note", "x0"])
def test_a_view_that_one_training_row_holds_is_no_trouble(table, quick, tmp_path, column):
    frame = table[["note", "x0", "y"]].assign(split=["train"] * 50 + ["valid"] * 15 + ["test"] * 15)
    frame.loc[1:49, column] = None
    frame.loc[0, "note"] = "the only one"
    with quick():
        context, views = prepare(frame, "y", {"note": "text"}, None, None, 0, cache=tmp_path)
        study = fit_strategies(context, views, {"note": "text_tfidf"}, None)
    for fitted in study.fitted:
        known = fitted.held_out[fitted.known]
        assert len(known) >= 15
        np.testing.assert_allclose(known.sum(axis=1), 1)


@pytest.mark.parametrize("kind", ["binary", "regression"])
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("number", [2, 3, 11, 60])
def test_folds_are_a_partition(rng, kind, grouped, number):
    rows = np.sort(rng.choice(100, number, replace=False))
    target = rng.integers(0, 2, 100) if kind == "binary" else rng.normal(size=100)
    groups = rng.integers(0, 20, 100) if grouped else None
    task = Task(kind, ("a", "b") if kind == "binary" else ())
    found = folds(rows, target, groups, task, 0)
    assert np.array_equal(np.sort(np.concatenate([fold for _, fold in found])), rows)
    for rest, fold in found:
        assert np.array_equal(np.sort(np.concatenate([rest, fold])), rows)
        assert len(rest)
        assert len(fold)
        if grouped and len(np.unique(groups[rows])) > 1:
            assert not set(groups[rest]) & set(groups[fold])
        if kind == "binary" and not grouped and number == 60:
            assert abs(target[fold].mean() - target[rows].mean()) < 0.1


def test_test_labels_change_nothing_but_the_score(table, quick, tmp_path):
    table["split"] = ["train"] * 50 + ["valid"] * 15 + ["test"] * 15
    other = table.copy()
    other.loc[65:, "y"] = ["b" if y == "a" else "a" for y in other.loc[65:, "y"]]
    results = []
    for frame in (table, other):
        with quick():
            context, views = prepare(frame, "y", None, None, "f1", 0, cache=tmp_path)
            study = fit_strategies(context, views, {"note": "text_tfidf"}, None)
        results.append((context, study))
    from fusible.tasks.choose import choose, threshold_of

    (first, a), (second, b) = results
    assert choose(first, a.fitted)[0].name == choose(second, b.fitted)[0].name
    for one, same in zip(a.fitted, b.fitted, strict=True):
        np.testing.assert_array_equal(one.held_out, same.held_out)
        assert threshold_of(first, one) == threshold_of(second, same)
        rows = np.arange(ROWS)
        np.testing.assert_array_equal(one.node.scores(first.source, rows), same.node.scores(second.source, rows))
