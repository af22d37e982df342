"""Robustness: lookups equal scores, nothing is encoded twice, curves mean what they say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fusible.errors import ConfigError, TargetError
from fusible.evaluation.bootstrap import interval
from fusible.evaluation.corruption import CORRUPTIONS, SEVERITIES
from fusible.evaluation.missing import RATES, subsets
from fusible.evaluation.robustness import ALL, BY_TARGET, CORRUPTION, RANDOM
from fusible.tasks import source as source_module
from fusible.tasks._corrupted import corrupted
from fusible.tasks._ground import Ledger, Remembered, Subject, remembering, settled
from fusible.tasks.combine import fit_ensemble
from fusible.tasks.compare import fit_strategies, prepare
from fusible.tasks.robustness import RobustnessSettings, measure, model_robustness, study_ground, study_robustness

ROWS = 150
NAMES = ("feature:concat", "feature:impute+concat", "end_to_end:joint")
VIEWS = ("note", "photo", "table")
ENCODERS = {"note": "text_tfidf", "photo": "image_cnn", "table": "table_standard"}


def frame(png, seed=0, rows=ROWS):
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, rows)
    words = np.array([["red", "warm"], ["blue", "cold"], ["green", "calm"]])
    photos = []
    for k in kind:
        pixels = rng.integers(0, 60, (16, 16, 3))
        pixels[..., k] += 120
        photos.append(png(pixels))
    found = pd.DataFrame(
        {
            "note": [f"{rng.choice(words[k])} thing {rng.choice(words[k])} {i}" for i, k in enumerate(kind)],
            "photo": pd.Series(photos, dtype=object),
            "size": kind + rng.normal(size=rows),
            "shop": rng.choice(["a", "b", "c"], rows),
            "kind": np.array(["x", "y", "z"])[kind],
        }
    )
    found.loc[rng.choice(rows, 20, replace=False), "photo"] = None
    found.loc[rng.choice(rows, 20, replace=False), "note"] = None
    return found


@pytest.fixture(scope="module")
def study(png, quick, tmp_path_factory):
    with quick():
        context, views = prepare(
            frame(png), "kind", {"note": "text"}, None, None, 0, cache=tmp_path_factory.mktemp("cache")
        )
        found = fit_strategies(context, views, ENCODERS, NAMES)
        singles = [f for f in found.fitted if f.family == "single"]
        joint = next(f for f in found.fitted if f.family == "end_to_end")
        found.fitted += [
            fit_ensemble(context, "gate", [joint, *singles]),
            fit_ensemble(context, "average", singles),
            fit_ensemble(context, "product", found.fitted[:4]),
        ]
        return found


@pytest.fixture(scope="module")
def ground(study):
    return study_ground(study.context, study.fitted)


@pytest.fixture(scope="module")
def result(study):
    return study_robustness(study.context, study.fitted, "single:photo", RobustnessSettings(draws=3, corrupted_rows=12))


def test_looked_up_scores_equal_scores_with_views_hidden(study, ground, rng):
    place, subjects = ground
    hidden = rng.random((len(place.rows), len(place.views))) < 0.5
    masks = {view.name: np.zeros(ROWS, bool) for view in place.views}
    for column, view in enumerate(place.views):
        masks[view.name][place.rows] = hidden[:, column]
    for subject in subjects:
        expected = subject.node.scores(study.context.source.hiding(masks), place.rows)
        np.testing.assert_allclose(Ledger(place, subject).scores(hidden), expected, atol=1e-4)


def test_with_everything_hidden_the_prior_is_left(ground):
    place, subjects = ground
    hidden = np.ones((len(place.rows), len(place.views)), bool)
    for subject in subjects:
        np.testing.assert_allclose(
            Ledger(place, subject).scores(hidden), np.tile(subject.node.prior, (len(hidden), 1)), atol=1e-12
        )


def test_ensembles_that_remember_score_the_same_and_share(ground, monkeypatch):
    place, subjects = ground
    shared, memory = remembering(subjects)
    calls = []
    plain = Remembered._present_scores
    monkeypatch.setattr(Remembered, "_present_scores", lambda self, *a: calls.append(self.name) or plain(self, *a))
    for one, other in zip(subjects, shared, strict=True):
        expected = one.node.scores(place.source, place.rows)
        np.testing.assert_allclose(other.node.scores(place.source, place.rows), expected, atol=1e-4)
        assert other.node.inputs() == one.node.inputs()
    average, product = shared[-2].node, shared[-1].node
    assert average.members[0] is product.members[0]
    assert all(len(node.kept) >= 1 for node in memory.nodes.values())
    memory.clear()
    assert not any(node.kept for node in memory.nodes.values())


def test_a_network_that_encodes_by_itself_is_settled(study, ground):
    place, _ = ground
    joint = next(f.node for f in study.fitted if f.name == "end_to_end:joint")
    assert joint.live
    assert settled(joint).live == ()
    np.testing.assert_allclose(
        settled(joint).scores(place.source, place.rows),
        joint.scores(study.context.source, place.rows),
        atol=1e-5,
    )


def test_every_subset_of_the_views_that_a_strategy_sees(study, result):
    place, _ = study_ground(study.context, study.fitted)
    for name in ("feature:concat", "model:average"):
        assert {s.views for s in result.subsets if s.strategy == name} == set(subsets(VIEWS))
    assert {s.views for s in result.subsets if s.strategy == "single:note"} == {
        views for views in subsets(VIEWS) if "note" in views
    }
    concat = next(f for f in study.fitted if f.name == "feature:concat")
    whole = next(s.score for s in result.subsets if (s.strategy, s.views) == ("feature:concat", VIEWS))
    scores = concat.node.scores(study.context.source, place.rows)
    assert whole == interval("accuracy", study.context.task, place.truth, scores, seed=0)


def test_curves_start_clean_and_are_complete(study, result):
    clean = {s.strategy: s.score.score for s in result.subsets if s.views == VIEWS}
    for name in ("feature:concat", "end_to_end:joint", "model:average"):
        kinds = {(c.kind, c.view, c.what) for c in result.of(name)}
        assert kinds == {
            *((kind, view, "") for kind in (RANDOM, BY_TARGET) for view in (*VIEWS, ALL)),
            *(
                (CORRUPTION, view.name, what)
                for view in study.context.source.dataset.views.values()
                for what in CORRUPTIONS[view.modality]
            ),
        }
    for curve in result.curves:
        if curve.kind != CORRUPTION:
            assert curve.levels == RATES
            assert curve.scores[0].score == clean[curve.strategy]
        else:
            assert curve.levels == (0.0, *SEVERITIES)
        assert all(one.low <= one.score <= one.high for one in curve.scores)
    assert (result.rows, result.sampled) == (len(study.context.split.test), 12)


def test_the_expected_score_at_half_missing_lies_between(result):
    # Accuracy at random masks is, in expectation, the mixture of accuracies with and without the view.
    subset = {s.views: s.score.score for s in result.subsets if s.strategy == "feature:concat"}
    curve = result.curve("feature:concat", RANDOM, "photo")
    mixture = 0.5 * subset[VIEWS] + 0.5 * subset["note", "table"]
    assert curve.scores[3].score == pytest.approx(mixture, abs=0.12)
    with pytest.raises(KeyError, match="expected one of"):
        result.curve("feature:concat", RANDOM, "nobody")


def test_robustness_is_against_the_baseline(result):
    base = result.curve("single:photo", RANDOM, "photo")
    assert (base.robustness.relative, base.robustness.effective) == (0.0, 0.0)
    other = result.curve("feature:concat", RANDOM, "photo").robustness
    clean = {s.strategy: s.score.score for s in result.subsets if s.views == VIEWS}
    gap = clean["feature:concat"] - clean["single:photo"]
    assert other.effective == pytest.approx(other.relative - gap, abs=1e-9)


def test_missing_views_encode_nothing_again(study, monkeypatch):
    encoded = [f for f in study.fitted if not any(getattr(leaf, "live", ()) for leaf in f.node.leaves())]
    assert len(encoded) == len(study.fitted) - 2, "all but the joint network and the gate that holds it"
    calls = []
    real = source_module.encode_batch
    monkeypatch.setattr(source_module, "encode_batch", lambda *a: calls.append(a) or real(*a))
    study_robustness(study.context, encoded, settings=RobustnessSettings(corrupt=False, draws=2))
    assert not calls


def test_the_same_seed_gives_the_same_result(study):
    few = [f for f in study.fitted if f.name in {"single:note", "feature:concat"}]
    settings = RobustnessSettings(draws=2, corrupted_rows=12)
    first, second = (study_robustness(study.context, few, "single:note", settings).to_json() for _ in range(2))
    first.pop("seconds"), second.pop("seconds")
    assert first == second


def test_the_study_is_left_as_it_was(study):
    few = [f for f in study.fitted if f.name in {"single:photo", "feature:concat", "end_to_end:joint"}]
    train, source = study.context.split.train[:30], study.context.source
    before = {f.name: f.node.scores(source, train) for f in few}
    problems, counts = list(source.problems), dict(source.counts)
    study_robustness(study.context, few, settings=RobustnessSettings(rates=(0.0, 0.5), draws=1, corrupted_rows=5))
    assert (source.problems, source.counts) == (problems, counts)
    for fitted in few:
        np.testing.assert_array_equal(fitted.node.scores(source, train), before[fitted.name])


@pytest.mark.parametrize("name", VIEWS)
def test_a_corrupted_source_changes_one_view_only(study, name):
    source, rows = study.context.source, study.context.split.test
    view = source.dataset.views[name]
    what = CORRUPTIONS[view.modality][0]
    other = corrupted(source, view, rows, what, 5)
    for one in source.dataset.views.values():
        changed = other.data(one) is not source.data(one)
        assert changed == (one.name == name)
    lost = source.data(view).presence[rows] & ~other.data(view).presence[rows]
    assert lost.sum() == 0 or name == "table"
    assert not other.data(view).presence[np.setdiff1d(np.arange(ROWS), rows)].any()
    held = rows[other.data(view).presence[rows]]
    before, after = (s.values(view, held) for s in (source, other))
    if name == "table":
        assert after.isna().to_numpy().mean() > before.isna().to_numpy().mean() + 0.3
    else:
        assert sum(a != b for a, b in zip(before, after, strict=True)) > 0.6 * len(held)


def test_a_loaded_model_is_measured_on_a_table(study, png, models_of):
    model = models_of(study, "model:product")
    new = frame(png, seed=4, rows=60)
    found = model_robustness(model, new, RobustnessSettings(draws=2, corrupted_rows=10))
    assert (found.rows, found.sampled, found.baseline) == (60, 10, None)
    assert all(curve.robustness.relative is None for curve in found.curves)
    truth, _ = model.labelled(model.read(new))
    whole = next(s.score.score for s in found.subsets if s.views == VIEWS)
    assert whole == np.mean(model.predict_scores(new).argmax(axis=1) == truth)
    few = model_robustness(model, new, RobustnessSettings(rows=25, corrupt=False))
    assert few.rows == 25
    with pytest.raises(TargetError, match="not in the table"):
        model_robustness(model, new.drop(columns="kind"))


def test_a_network_that_encodes_by_itself_sees_its_views_whichever_subset_comes_first(study, png, models_of):
    model = replace(models_of(study, "end_to_end:joint"), metric="log_loss")
    assert "photo" in model.node.live
    new = frame(png, seed=5, rows=40)
    found = model_robustness(model, new, RobustnessSettings(rates=(0.0, 0.5), draws=1, corrupt=False))
    truth, _ = model.labelled(model.read(new))
    for seen in subsets(VIEWS):
        hidden = {"note": ["note"], "photo": ["photo"], "table": ["size", "shop"]}
        gone = [column for view in VIEWS if view not in seen for column in hidden[view]]
        expected = interval(
            "log_loss", model.target.task, truth, model.predict_scores(new.assign(**dict.fromkeys(gone)))
        )
        score = next(s.score.score for s in found.subsets if s.views == seen)
        assert score == pytest.approx(expected.score, rel=1e-4), seen


@pytest.fixture
def models_of():
    from fusible.tasks.choose import threshold_of
    from fusible.tasks.model import Model

    def make(study, name):
        fitted = next(f for f in study.fitted if f.name == name)
        columns = tuple(study.context.source.dataset.columns.values())
        context = study.context
        return Model(fitted.node, context.target, columns, study.views, context.metric, threshold_of(context, fitted))

    return make


def test_the_frame_has_a_line_per_score(result):
    table = result.frame
    assert len(table) == len(result.subsets) + sum(len(curve.levels) for curve in result.curves)
    assert list(table.columns) == ["strategy", "test", "view", "what", "level", "score", "low", "high"]
    assert set(table["strategy"]) == set(result.strategies)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rates": (0.5,)}, "rise from 0"),
        ({"rates": (0.1, 0.5)}, "rise from 0"),
        ({"rates": (0.0, 0.5, 0.5)}, "rise from 0"),
        ({"rates": (0.0, 1.5)}, "at most 1"),
        ({"draws": 0}, "at least 1, got 0, 2000 and 500"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(ConfigError, match=words):
        RobustnessSettings(**settings)


def test_an_unknown_baseline_is_refused(ground):
    place, subjects = ground
    with pytest.raises(ConfigError, match="baseline 'nobody': expected one of"):
        measure(place, subjects, RobustnessSettings(), "nobody")
    with pytest.raises(ConfigError, match="baseline 'auto'"):
        measure(place, [Subject("x", subjects[0].node)], RobustnessSettings(), "auto")
