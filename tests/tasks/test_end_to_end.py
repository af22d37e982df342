"""End-to-end strategies: how they are named, what they start from, and that folders keep them."""

import numpy as np
import pandas as pd
import pytest
import torch

from fusible.errors import ConfigError, RegistryError
from fusible.tasks import end_to_end
from fusible.tasks.compare import fit_strategies, prepare
from fusible.tasks.end_to_end import fit_end_to_end, recipe_of
from fusible.tasks.folder import load
from fusible.tasks.model import Model
from fusible.training.loop import TrainSettings

ENCODERS = {"note": "text_tfidf", "photo": "image_cnn", "table": "table_mlp"}
NAMES = (
    "joint+multiply+modulated",
    "joint+pretrained",
    "multimodal_transformer",
    "multimodal_transformer+pretrain",
    "multimodal_graph",
    "cnn_lstm",
)


def table(png, rows=90):
    """A note, a photo and a number that tell one of two kinds; cells are absent here and there."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, rows)
    notes = [f"{'sun' if k else 'moon'} over the {rng.choice(['hill', 'lake', 'town'])}" for k in kind]
    shades = rng.integers(0, 60, (rows, 8, 8, 3)) + 90 * kind[:, None, None, None]
    frame = pd.DataFrame(
        {
            "note": pd.Series(notes, dtype=object),
            "photo": pd.Series([png(one) for one in shades], dtype=object),
            "size": kind + rng.normal(size=rows),
            "kind": np.where(kind, "x", "y"),
        }
    )
    for view, seed in (("note", 1), ("photo", 2), ("size", 3)):
        frame.loc[np.random.default_rng(seed).choice(rows, 12, replace=False), view] = None
    return frame


@pytest.fixture(scope="module")
def study(png, quick, tmp_path_factory):
    """Every kind of network on the small table."""
    with quick():
        context, views = prepare(
            table(png), "kind", {"note": "text"}, None, None, 0, cache=tmp_path_factory.mktemp("cache")
        )
        return fit_strategies(context, views, ENCODERS, [f"end_to_end:{name}" for name in NAMES])


@pytest.fixture(scope="module")
def fitted(study):
    return {one.name.removeprefix("end_to_end:"): one for one in study.fitted if one.family == "end_to_end"}


def test_names_become_recipes():
    joint = {"network": "joint", "operator": "concat", "width": 32}
    assert recipe_of("joint", 32) == joint
    assert recipe_of("joint+multiply", 32) == {**joint, "operator": "multiply"}
    assert recipe_of("joint+modulated+multiply", 32) == {**joint, "operator": "multiply", "modulation": 1.0}
    assert recipe_of("joint+pretrained+modulated", 32) == {**joint, "start": "alone", "modulation": 1.0}
    assert recipe_of("multimodal_graph", 8) == {"network": "multimodal_graph", "width": 8}
    plain = {"network": "multimodal_transformer", "width": 8}
    assert recipe_of("multimodal_transformer+pretrain", 8) == {**plain, "pretrain_epochs": 10}


@pytest.mark.parametrize(
    ("part", "error", "words"),
    [
        ("joint+nothing", RegistryError, "no part of fusion is called 'nothing'"),
        ("nothing", RegistryError, "no part of networks"),
        ("joint+multiply+concat", ConfigError, "expected one operator"),
        ("joint+modulated+modulated", ConfigError, "each mark once"),
        ("joint+pretrain", ConfigError, "joint cannot be 'pretrain'"),
        ("multimodal_graph+modulated", ConfigError, "multimodal_graph cannot be 'modulated'"),
        ("cnn_lstm+concat", ConfigError, "only end_to_end:joint takes an operator; leave out 'concat'"),
        ("multimodal_transformer+trained", ConfigError, "take one of pretrained, modulated, pretrain"),
    ],
)
def test_odd_names_are_refused(part, error, words):
    with pytest.raises(error, match=words):
        recipe_of(part, 8)


@pytest.mark.parametrize("name", NAMES)
def test_networks_predict_what_they_did_not_see(name, fitted, study):
    one, split = fitted[name], study.context.split
    assert np.isfinite(one.held_out[split.valid]).all()
    assert np.isnan(one.held_out[split.train]).all()
    assert np.isnan(one.held_out[split.test]).all()
    scores = one.node.scores(study.context.source, split.test)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_keeps_them(name, fitted, study, png, tmp_path):
    context, node = study.context, fitted[name].node
    columns = tuple(context.source.dataset.columns.values())
    model = Model(node, context.target, columns, study.views, context.metric, None, {"strategy": name})
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert not end_to_end.TRAINING & set(again.node.recipe)
    rows = table(png, 70).drop(columns="kind")[40:].reset_index(drop=True)
    np.testing.assert_array_equal(again.predict_scores(rows), model.predict_scores(rows))
    again.save(tmp_path / "twice")
    for file in ("config.yaml", "weights.safetensors"):
        assert (tmp_path / "twice" / file).read_bytes() == (tmp_path / "model" / file).read_bytes()


def test_the_graph_says_its_size_in_the_folder(fitted, study):
    node = fitted["multimodal_graph"].node
    assert node.recipe["anchors"] == len(study.context.present(list(study.views), study.context.split.train))
    assert node.live == ()
    assert all(node.encoders[c.view.name] is c.encoder for c in study.chosen)


def test_the_classic_recipe_brings_its_encoders(fitted, study):
    node = fitted["cnn_lstm"].node
    kinds = {view: type(encoder).__name__ for view, encoder in node.encoders.items()}
    assert kinds == {"note": "TextLstm", "photo": "ImageVgg", "table": "TableMlp"}
    assert node.live == tuple(view.name for view in study.views)
    words = set(node.encoders["note"].known)
    assert {"sun", "moon", "hill"} <= words


def test_where_all_encoders_are_frozen_the_transformer_reads_sequences(study, quick):
    frozen = [c for c in study.chosen if c.encoder.frozen]
    assert frozen
    with quick():
        assert fit_end_to_end(study.context, "n", recipe_of("joint", 8), frozen) is None
        one = fit_end_to_end(study.context, "n", recipe_of("multimodal_transformer", 8), frozen)
    assert one.node.live == ()
    assert one.node.feeds(study.context.source, np.arange(2))[frozen[0].view.name].tokens is not None


@pytest.mark.parametrize(("part", "same"), [("joint", False), ("joint+pretrained", True)])
def test_encoders_start_anew_or_as_fitted_alone(part, same, study, monkeypatch):
    seen = {}

    def untrained(context, network, feeds, rows, settings, **_):
        seen["settings"] = settings

    monkeypatch.setattr(end_to_end, "fit_network", untrained)
    one = fit_end_to_end(study.context, "n", recipe_of(part, 8), study.chosen)
    for candidate in study.chosen:
        encoder = one.node.encoders[candidate.view.name]
        if candidate.encoder.frozen:
            assert encoder is candidate.encoder
            continue
        assert encoder is not candidate.encoder
        assert any(parameter.requires_grad for parameter in encoder.parameters())
        equal = [torch.equal(a, b) for a, b in zip(encoder.parameters(), candidate.encoder.parameters(), strict=True)]
        assert all(equal) == same
    settings = seen["settings"]
    assert (settings.encoder_rate, settings.patience == settings.epochs) == ((0.2, True) if same else (1.0, False))


def pretrained(study, monkeypatch, target=None):
    """The weights of a transformer that was pretrained only, and the losses."""
    found = {}
    context = study.context

    def spy(*arguments, **options):
        found["history"] = train(*arguments, **options)
        return found["history"]

    train = end_to_end.train
    settings = TrainSettings(batch=16, peak_rate=3e-3, patience=20)
    monkeypatch.setattr(end_to_end, "train", spy)
    monkeypatch.setattr(end_to_end, "head_settings", lambda *_: settings)
    monkeypatch.setattr(end_to_end, "fit_network", lambda *_, **__: None)
    learned, context.learned = context.learned, context.learned if target is None else target
    one = fit_end_to_end(context, "n", recipe_of("multimodal_transformer+pretrain", 16), study.chosen)
    context.learned = learned
    return one.node.network.own_state(), found["history"]


def test_pretraining_makes_the_validation_loss_fall_without_labels(study, monkeypatch):
    state, history = pretrained(study, monkeypatch)
    assert history.valid[history.best] < 0.97 * history.valid[0]
    with monkeypatch.context() as inner:
        other, _ = pretrained(study, inner, target=study.context.learned[::-1].copy())
    assert all(torch.equal(tensor, other[name]) for name, tensor in state.items())


def test_where_no_row_holds_two_views_pretraining_is_left_out(png, quick, tmp_path):
    frame = table(png, 60)
    frame.loc[::2, "note"] = None
    frame.loc[1::2, "size"] = None
    with quick():
        context, views = prepare(frame.drop(columns="photo"), "kind", {"note": "text"}, None, None, 0, cache=tmp_path)
        names = ["end_to_end:multimodal_transformer+pretrain"]
        study = fit_strategies(context, views, {"note": "text_tfidf", "table": "table_mlp"}, names)
    assert any("no training row holds two views" in note for note in context.notes)
    assert study.fitted[-1].name == names[0]
