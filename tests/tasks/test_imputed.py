"""Imputation: absent views as the aligner predicts them; nothing absent matters; saved without pickle."""

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from fusible import registry
from fusible.alignment import Mcca
from fusible.errors import ConfigError, ModelFormatError
from fusible.tasks.choose import threshold_of
from fusible.tasks.compare import fit_strategies, prepare
from fusible.tasks.fill import FILLS, filled_scores
from fusible.tasks.folder import load
from fusible.tasks.imputed import CrossView, Imputed, explained
from fusible.tasks.model import Model
from fusible.tasks.strategies import Plan, plan
from fusible.types import Encoded

ROWS = 1_000


def vectors(rng, rows=400, widths=(5, 4, 3)):
    common = rng.normal(size=(rows, 2))
    return {
        "abc"[i]: common @ rng.normal(size=(2, width)) + 0.5 * rng.normal(size=(rows, width)) + i
        for i, width in enumerate(widths)
    }


def crossed(rng, components=2, widths=(5, 4, 3)):
    views = vectors(rng, widths=widths)
    aligner = Mcca(components=components, ridge=0.1).fit(views)
    module = CrossView({view: array.shape[1] for view, array in views.items()}, components).take(aligner, views)
    return views, aligner, module


def tensors(views, rows=slice(0, 6)):
    return [torch.from_numpy(array[rows]).float() for array in views.values()]


def test_one_present_view_predicts_as_the_aligner_does(rng):
    views, aligner, module = crossed(rng)
    for source in range(3):
        presence = torch.zeros(6, 3, dtype=torch.bool)
        presence[:, source] = True
        filled = module(tensors(views), presence)
        for target in range(3):
            expected = views["abc"[target]][:6]
            if target != source:
                expected = aligner.predict_view(views["abc"[source]][:6], source, target)
            np.testing.assert_allclose(filled[target].numpy(), expected, atol=1e-4)


def test_several_present_views_speak_by_what_they_explain(rng):
    views, aligner, module = crossed(rng)
    presence = torch.tensor([[True, True, False]]).expand(6, 3)
    from_a, from_b = (aligner.predict_view(views[view][:6], view, "c") for view in "ab")
    a, b = (
        1
        - ((views["c"] - aligner.predict_view(views[v], v, "c")) ** 2).sum()
        / ((views["c"] - views["c"].mean(0)) ** 2).sum()
        for v in "ab"
    )
    np.testing.assert_allclose(
        module(tensors(views), presence)[2].numpy(), (a * from_a + b * from_b) / (a + b), atol=1e-4
    )
    assert module.quality[0, 2].item() == pytest.approx(a, abs=1e-6)


def test_with_nothing_present_views_have_their_means(rng):
    views, _, module = crossed(rng)
    filled = module(tensors(views), torch.zeros(6, 3, dtype=torch.bool))
    for array, found in zip(views.values(), filled, strict=True):
        np.testing.assert_allclose(found.numpy(), np.tile(array.mean(axis=0), (6, 1)), atol=1e-4)


def test_a_view_that_tells_nothing_has_no_say():
    known, nothing = np.arange(8.0)[:, None], np.full((8, 1), 3.5)
    assert explained(known, lambda rows: rows * 2.0, known / 2.0) == 1.0
    assert explained(known, lambda rows: nothing, known) == 0.0
    assert explained(known, lambda rows: -rows, known) == 0.0
    assert explained(known, lambda rows: rows, np.full((8, 1), np.nan)) == 0.0
    assert explained(nothing, lambda rows: nothing, known) == 0.0


def encoded(views, rows=slice(0, 6)):
    one = torch.ones(6, 1, dtype=torch.bool)
    return {v: Encoded(torch.from_numpy(array[rows]).float().unsqueeze(1), one) for v, array in views.items()}


def test_what_an_absent_view_holds_never_matters(rng):
    views, _, module = crossed(rng)
    operator = registry.build("fusion", "concat", widths={v: a.shape[1] for v, a in views.items()}, width=4)
    imputed = Imputed(module, operator).eval()
    presence = torch.tensor(np.array(np.meshgrid([1, 0], [1, 0], [1, 0])).T.reshape(-1, 3)[2:8], dtype=torch.bool)
    presence[5] = False
    clean = encoded(views)
    fused = imputed(clean, presence)
    for poison in (float("nan"), float("inf"), 1e30):
        bad = encoded(views)
        for place, view in enumerate(views):
            bad[view].tokens[~presence[:, place]] = poison
        assert torch.equal(imputed(bad, presence), fused)
    nothing = operator(clean, torch.zeros(6, 3, dtype=torch.bool))
    torch.testing.assert_close(fused[5], nothing[5])  # nothing present stays absent
    imputed.train()
    imputed(clean, presence).sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in imputed.parameters())
    assert not any(p.requires_grad for p in imputed.cross.parameters())


def table(rows=ROWS, seed=0):
    """Two views of the same three latent numbers, with noise; the first number tells the class."""
    rng, mix = np.random.default_rng(seed), np.random.default_rng(7)
    latent = rng.normal(size=(rows, 3))
    seen = {view: latent @ mix.normal(size=(3, 8)) + 0.5 * rng.normal(size=(rows, 8)) for view in VIEWS}
    cells = {f"{view}{i}": column for view, array in seen.items() for i, column in enumerate(array.T)}
    place = np.arange(rows) / rows
    split = np.select([place < 0.4, place < 0.5], ["train", "valid"], "test")
    return pd.DataFrame({**cells, "y": np.where(latent[:, 0] > 0, "yes", "no"), "split": split})


VIEWS = {view: [f"{view}{i}" for i in range(8)] for view in "ab"}
NAMES = ("feature:concat", "feature:impute+concat")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    context, views = prepare(table(), "y", None, VIEWS, None, 0, cache=tmp_path_factory.mktemp("c"))
    with pytest.MonkeyPatch.context() as patch:
        from fusible.tasks import features, settings, singles
        from fusible.training.loop import TrainSettings

        for module in (singles, features, settings):
            patch.setattr(module, "head_settings", lambda *_: TrainSettings(epochs=20, batch=32, peak_rate=4e-3))
        patch.setattr(features, "is_cheap", lambda *_: False)
        patch.setattr(singles, "is_cheap", lambda *_: False)
        return fit_strategies(context, views, {"a": "table_standard", "b": "table_standard"}, NAMES)


def test_imputing_beats_zeros_where_views_share_what_matters(study):
    context, test = study.context, study.context.split.test
    fitted = {f.name: f.node for f in study.fitted}
    hidden = {"b": np.ones(ROWS, bool)}
    truth = context.learned[test]
    imputed = context.score(truth, fitted["feature:impute+concat"].scores(context.source.hiding(hidden), test))
    made_up = [
        context.score(truth, filled_scores(fitted["feature:concat"], context.source, test, hidden, fill, test))
        for fill in FILLS
    ]
    assert imputed > 0.9
    assert imputed > max(made_up) + 0.02


def test_the_recipe_is_plain_and_the_model_comes_back_bit_for_bit(study, tmp_path):
    fitted = next(f for f in study.fitted if f.name == "feature:impute+concat")
    assert fitted.node.recipe | {"width": 0} == {
        "network": "joint",
        "operator": "concat",
        "width": 0,
        "impute": "mcca",
        "components": fitted.node.network.operator.cross.weight_0.shape[1],
        "offset": True,
    }
    context = study.context
    columns = tuple(context.source.dataset.columns.values())
    model = Model(fitted.node, context.target, columns, study.views, context.metric, threshold_of(context, fitted))
    model.save(tmp_path / "model")
    new = table(rows=40, seed=3)
    new.loc[:9, VIEWS["a"]] = np.nan
    new.loc[10:19, VIEWS["b"]] = np.nan
    new.loc[5:14, VIEWS["a"] + VIEWS["b"]] = np.nan
    loaded = load(tmp_path / "model")
    assert np.array_equal(loaded.predict_scores(new), model.predict_scores(new))
    np.testing.assert_array_equal(model.predict_scores(new)[7], fitted.node.prior)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"impute": "os.system"}, "is no name"),
        ({"impute": "caa"}, "no part of alignment is called 'caa'"),
        ({"components": 10**6}, "expected shape"),
        ({"components": "many"}, "damaged"),
        ({"components": -1}, "damaged"),
    ],
)
def test_a_tampered_recipe_is_refused(study, tmp_path, edit, words):
    fitted = next(f for f in study.fitted if f.name == "feature:impute+concat")
    context = study.context
    columns = tuple(context.source.dataset.columns.values())
    Model(fitted.node, context.target, columns, study.views, context.metric).save(tmp_path / "model")
    path = tmp_path / "model" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["strategy"].update(edit)
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(ModelFormatError, match=words):
        load(tmp_path / "model")


def test_a_plan_knows_imputation():
    assert plan(["feature:impute+concat"], views=3) == Plan(features=("impute+concat",))
    with pytest.raises(ConfigError, match=r"feature:impute\+<operator>"):
        plan(["features:impute+concat"], views=2)


def test_filling_equals_the_network_on_made_up_encodings(study):
    context, test = study.context, study.context.split.test
    node = next(f.node for f in study.fitted if f.name == "feature:concat")
    hidden = {"b": np.arange(ROWS) % 2 == 0}
    assert not node.network.starts.any()  # no view has predictions for rows that it was not fitted on: see `study`
    feeds = node.feeds(context.source, test)
    a, b = (feeds[view].features[feeds[view].ids[:, 0]].copy() for view in "ab")
    for fill, value in (("zeros", 0.0), ("mean", b[context.split.train].mean(axis=0))):
        made = b.copy()
        made[hidden["b"]] = value
        one = torch.ones(len(test), 1, dtype=torch.bool)
        views = {v: Encoded(torch.from_numpy(x[test]).unsqueeze(1), one) for v, x in (("a", a), ("b", made))}
        with torch.inference_mode():
            raw = node.network.head(node.network.operator(views, torch.ones(len(test), 2, dtype=torch.bool)))
            raw = node.network.offset.prior + raw * node.network.adds[0]
        expected = raw.double().softmax(dim=1).numpy()
        found = filled_scores(node, context.source, test, hidden, fill, context.split.train)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(ConfigError, match="expected one of zeros, mean"):
        filled_scores(node, context.source, test, hidden, "median")
    with pytest.raises(ConfigError, match="training rows"):
        filled_scores(node, context.source, test, hidden, "mean")
