"""Strategies that align before they fuse: fitted on training rows only, blind to absent views, saved without pickle."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import nn

from fusible import registry
from fusible.alignment import Cca
from fusible.errors import ConfigError, ModelFormatError
from fusible.tasks import features
from fusible.tasks.aligned import (
    RIDGE,
    Aligned,
    build_aligner,
    check_aligner,
    fit_quietly,
    fitting_rows,
    is_trained,
    room,
    searcher,
)
from fusible.tasks.choose import threshold_of
from fusible.tasks.compare import fit_strategies, prepare
from fusible.tasks.folder import load
from fusible.tasks.model import Model
from fusible.tasks.pack import pack
from fusible.tasks.strategies import plan
from fusible.types import Encoded

ROWS = 90
NAMES = ("feature:cca+concat", "feature:pls+multiply", "feature:kernel_cca+concat", "feature:contrastive+concat")


def table(seed=0, rows=ROWS, kind="class"):
    """A text, numbers and categories that share a label; each absent in some rows, all in row 7."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    words = np.array([["sun", "warm", "sand"], ["moon", "cold", "snow"]])
    frame = pd.DataFrame(
        {
            "note": [f"{rng.choice(words[y])} {rng.choice(words[y])} {rng.choice(['hill', 'lake'])}" for y in label],
            "size": label + 0.5 * rng.normal(size=rows),
            "shop": rng.choice(["a", "b", "c"], rows),
            "y": np.where(label == 1, "yes", "no") if kind == "class" else label + rng.normal(size=rows),
        }
    )
    frame.loc[rng.choice(rows, 12, replace=False), "note"] = None
    frame.loc[rng.choice(rows, 12, replace=False), ["size", "shop"]] = None
    frame.loc[7, ["note", "size", "shop"]] = None
    place = np.arange(rows) / rows
    frame["split"] = np.where(place < 0.7, "train", np.where(place < 0.85, "valid", "test"))
    return frame


@pytest.fixture(scope="module")
def run(quick, tmp_path_factory):
    """Fit strategies on a table."""

    def fit(frame, wanted, **options):
        with quick(), pytest.MonkeyPatch.context() as patch:
            patch.setattr("fusible.alignment._deep.EPOCHS", 2)
            patch.setattr("fusible.alignment._deep.STEPS", 2)
            columns = {"note": "text", **options.pop("columns", {})}
            context, views = prepare(frame, "y", columns, None, None, 0, cache=tmp_path_factory.mktemp("c"))
            return fit_strategies(context, views, {"note": "text_tfidf"}, wanted)

    return fit


@pytest.fixture(scope="module")
def study(run):
    return run(table(), NAMES)


@pytest.fixture(scope="module")
def models(study):
    """A model per aligned strategy."""
    context = study.context
    columns = tuple(context.source.dataset.columns.values())
    return {
        f.name: Model(f.node, context.target, columns, study.views, context.metric, threshold_of(context, f))
        for f in study.fitted
        if f.name in NAMES
    }


@pytest.fixture(scope="module")
def saved(models, tmp_path_factory):
    place = tmp_path_factory.mktemp("aligned")
    for name, model in models.items():
        model.save(place / name)
    return place


def test_the_operator_sees_projected_views():
    torch.manual_seed(0)
    operator = registry.build("fusion", "concat", widths={"a": 2, "b": 2}, width=4)
    turns = {"a": nn.Linear(5, 2), "b": nn.Linear(3, 2)}
    aligned = Aligned(turns, operator).eval()
    present = torch.tensor([[True, True], [True, False], [False, False]])
    vectors = {"a": torch.randn(3, 5), "b": torch.randn(3, 3)}
    one = torch.ones(3, 1, dtype=torch.bool)
    fused = aligned({view: Encoded(rows.unsqueeze(1), one) for view, rows in vectors.items()}, present)
    by_hand = {view: Encoded(turns[view](rows).unsqueeze(1), one) for view, rows in vectors.items()}
    torch.testing.assert_close(fused, operator(by_hand, present))
    assert (aligned.views, aligned.output_width) == (("a", "b"), 4)
    vectors["b"][1:], vectors["a"][2] = float("nan"), float("inf")
    poisoned = aligned({view: Encoded(rows.unsqueeze(1), one) for view, rows in vectors.items()}, present)
    assert torch.equal(poisoned, fused)


def test_projections_are_never_trained():
    operator = registry.build("fusion", "concat", widths={"a": 2}, width=4)
    aligned = Aligned({"a": nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 2))}, operator)
    aligned.train()
    assert aligned.operator.training
    assert not aligned.projections[0].training
    assert not any(parameter.requires_grad for parameter in aligned.projections.parameters())
    assert all(parameter.requires_grad for parameter in operator.parameters())


def projections(fitted):
    return {k: v for k, v in fitted.node.network.state_dict().items() if k.startswith("operator.projections")}


def test_aligners_see_training_rows_only(run):
    # Texts alone: their encoder learns from training rows only, that of a table stops early by validation rows.
    plain = table().assign(size=None, shop=None)
    plain["title"] = plain["note"].str[::-1]
    changed, other = plain.copy(), table(seed=5)
    held = changed["split"] != "train"
    changed.loc[held, "note"] = other.loc[held, "note"]
    changed.loc[held, "title"] = "something else"
    one, two = (
        next(f for f in run(frame, ["feature:cca+concat"], columns={"title": "text"}).fitted if "+" in f.name)
        for frame in (plain, changed)
    )
    assert len(projections(one)) == 4
    for key, value in projections(one).items():
        assert torch.equal(value, projections(two)[key]), key


def test_in_each_fold_the_aligner_sees_the_rest(study, quick, monkeypatch):
    seen = []

    def spy(feed, rows):
        seen.append(rows)
        return pooled(feed, rows)

    pooled = features.pooled
    monkeypatch.setattr(features, "pooled", spy)
    with quick():
        fitted = features.fit_feature(study.context, "cca+concat", study.chosen)
    train = study.context.present(list(study.views), study.context.split.train)
    folds = study.context.training_folds(train)
    for k, (rest, fold) in enumerate(folds):
        np.testing.assert_array_equal(seen[2 * k], rest)
        assert np.isfinite(fitted.held_out[fold]).all()
    np.testing.assert_array_equal(seen[2 * len(folds)], train)
    assert np.isnan(fitted.held_out[study.context.split.test]).all()


def test_trained_aligners_are_not_refitted_on_folds(study):
    known = {f.name: len(f.known) for f in study.fitted}
    assert is_trained("contrastive")
    assert not is_trained("cca")
    assert known["feature:contrastive+concat"] == len(study.context.split.valid)
    assert known["feature:cca+concat"] > len(study.context.split.train)


@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_model_predicts_bit_for_bit_the_same(saved, models, name, tmp_path):
    loaded, new = load(saved / name), table(seed=8, rows=30)
    scores = models[name].predict_scores(new)
    assert np.array_equal(loaded.predict_scores(new), scores)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0)
    np.testing.assert_array_equal(scores[7], models[name].node.prior)
    loaded.save(tmp_path / "again")
    first, again = (load_file(str(p / "weights.safetensors")) for p in (saved / name, tmp_path / "again"))
    assert first.keys() == again.keys()
    assert all(first[key].equal(again[key]) for key in first)
    assert (saved / name / "config.yaml").read_text() == (tmp_path / "again" / "config.yaml").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_what_an_absent_view_holds_never_matters(models, name):
    new = table(seed=8, rows=30)
    alone = new.assign(note=None)
    other = new.assign(note=" ")
    np.testing.assert_array_equal(models[name].predict_scores(alone), models[name].predict_scores(other))


def specs(change):
    return lambda node: node["specs"]["note"].update(change)


EDITS = {
    "an unknown kind": (specs({"kind": "code"}), "kind 'code' is unknown"),
    "other inputs": (specs({"inputs": 9}), "expected 256 inputs"),
    "huge outputs": (specs({"outputs": 10**6}), "expected shape"),
    "text for outputs": (specs({"outputs": "os"}), "damaged"),
    "negative outputs": (specs({"outputs": -1}), "no plain setting 'outputs'"),
    "another argument": (specs({"hook": 1}), "no plain setting 'hook'"),
    "no spec": (lambda node: node["specs"].pop("note"), "note"),
    "no aligner": (lambda node: node.update(aligner="os.system"), "'os.system' is no name"),
    "an unknown aligner": (lambda node: node.update(aligner="caa"), "no part of alignment is called 'caa'"),
    "no projection": (lambda node: node.pop("aligner"), "weights.safetensors"),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_tampered_recipe_is_refused(saved, tmp_path, what):
    edit, words = EDITS[what]
    place = shutil.copytree(saved / "feature:cca+concat", tmp_path / "model")
    config = yaml.safe_load((place / "config.yaml").read_text())
    edit(config["strategy"])
    (place / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ModelFormatError, match="(?s)" + words.replace("(", r"\(")) as error:
        load(place)
    assert "\n" not in str(error.value)


def test_three_views_and_a_regression(run):
    frame = table(kind="number").assign(title=table(seed=0)["note"].str[::-1])
    study = run(frame, ["feature:mcca+multiply"], columns={"title": "text", "y": "number:target"})
    fitted = next(f for f in study.fitted if f.name == "feature:mcca+multiply")
    assert set(fitted.node.recipe["specs"]) == {"note", "title", "table"}
    assert np.isfinite(fitted.node.scores(study.context.source, study.context.split.test)).all()
    assert pack(fitted.node).tree["aligner"] == "mcca"


def test_methods_for_two_views_are_refused_before_any_work(run):
    frame = table().assign(title="a b")
    with pytest.raises(ConfigError, match=r"aligner .cca.: expected 2 views, got 3.*mcca"):
        run(frame, ["feature:cca+concat"], columns={"title": "text"})
    with pytest.raises(ConfigError, match="got 3"):
        plan(["feature:deep_cca+concat"], 3)
    check_aligner("mcca", 5)


def test_no_aligned_strategy_runs_unasked():
    assert not any("+" in name for name in plan(None, 2).features)
    assert plan(["feature:gcca+multiply"], 3).features == ("gcca+multiply",)


def test_components_fit_rows_and_directions(rng):
    wide = rng.normal(size=(400, 200))
    assert room({"a": wide, "b": wide}) == 64
    assert room({"a": wide, "b": wide[:, :9]}) == 9
    assert room({"a": wide[:80], "b": wide[:80]}) == 20
    flat = wide[:, :5] @ rng.normal(size=(5, 30))
    assert room({"a": wide, "b": np.hstack([flat, np.ones((400, 3))])}) == 5
    gone = np.where(np.arange(400)[:, None] < 360, np.nan, wide)
    assert room({"a": wide, "b": gone}) == 10
    assert room({"a": np.ones((9, 2)), "b": wide[:9]}) == 1


def test_settings_follow_the_method():
    assert build_aligner("cca", 3, 100, 0).ridge == RIDGE
    assert build_aligner("kernel_cca", 3, 100, 5).get_params()["landmarks"] is None
    assert build_aligner("kernel_cca", 3, 10_000, 5).get_params()["landmarks"] == 1_000
    assert build_aligner("deep_cca", 3, 100, 5).get_params()["seed"] == 5
    assert build_aligner("deep_cca", 3, 100, 5).ridge != RIDGE
    assert searcher("cca").__name__ == "CcaCV"
    assert searcher("deep_cca") is None


def test_fitting_takes_absent_rows_and_keeps_warnings(rng):
    vectors = {"a": rng.normal(size=(60, 3)), "b": np.hstack([rng.normal(size=(60, 2)), np.ones((60, 1))])}
    vectors["a"][:5] = np.nan
    said = fit_quietly(fitted := Cca(components=2), vectors)
    assert any("constant" in message for message in said)
    with pytest.warns(UserWarning, match="constant"):
        expected = Cca(components=2).fit({view: array[5:] for view, array in vectors.items()})
    np.testing.assert_array_equal(fitted.correlations_, expected.correlations_)


def test_rows_with_gaps_serve_where_whole_ones_are_few():
    whole = np.ones((10, 3), bool)
    assert fitting_rows(whole).tolist() == list(range(10))
    some = whole.copy()
    some[:5, 0] = False
    assert fitting_rows(some).tolist() == [5, 6, 7, 8, 9]
    some[5, 1] = False
    assert fitting_rows(some).tolist() == list(range(10))
    some[6, :2] = False
    assert fitting_rows(some).tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9]


def test_methods_for_any_number_of_views_take_rows_with_gaps(rng):
    shared = rng.normal(size=(90, 2))
    vectors = {view: shared @ rng.normal(size=(2, 4)) + 0.3 * rng.normal(size=(90, 4)) for view in "abc"}
    for place, view in enumerate("abc"):
        vectors[view][30 * place : 30 * place + 25] = np.nan
    aligner = build_aligner("mcca", room(vectors), 90, 0)
    fit_quietly(aligner, vectors)
    assert aligner.correlations_[:2].min() > 0.6
