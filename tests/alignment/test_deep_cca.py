"""Deep CCA: what it finds, what it leaves alone, and what it refuses."""

import warnings

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from torch import nn

from fusible.alignment._projections import build_projection
from fusible.alignment.cca import Cca
from fusible.alignment.deep_cca import DeepCca
from fusible.errors import ArrayError, ConfigError, FusibleWarning

SMALL = {"hidden": (16,), "epochs": 15, "batch": 100, "learning_rate": 1e-2, "dropout": 0.0}


def curved(rows=600, seed=0):
    """Two views of which no linear map correlates, but a square does; each with a column of noise."""
    rng = np.random.default_rng(seed)
    hidden = rng.uniform(-2, 2, size=(rows, 1))
    one = np.hstack([hidden, rng.normal(size=(rows, 1))])
    other = np.hstack([rng.normal(size=(rows, 1)), hidden**2 + 0.1 * rng.normal(size=(rows, 1))])
    return {"one": one, "other": other}


@pytest.fixture(scope="module")
def fitted():
    return DeepCca(1, **SMALL).fit(curved())


def test_finds_what_is_not_linear(fitted):
    assert Cca(1).fit(curved()).score(curved(seed=1)) < 0.2
    assert fitted.score(curved(seed=1)) > 0.9
    assert fitted.correlations_.shape == (1,)


def test_without_hidden_layers_it_is_linear_cca():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(2000, 2))
    views = [shared @ rng.normal(size=(2, 4)) + rng.normal(size=(2000, 4)) for _ in range(2)]
    settings = {**SMALL, "hidden": (), "epochs": 400, "batch": 2000, "validation": 0.0, "weight_decay": 0.0}
    deep = DeepCca(2, **settings).fit(views)
    np.testing.assert_allclose(deep.correlations_, Cca(2).fit(views).correlations_, atol=2e-3)


def test_same_seed_same_scores_and_the_global_generators_stay(fitted):
    views = curved()
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    again = clone(fitted).fit(views)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])
    np.testing.assert_array_equal(again.transform(views)["one"], fitted.transform(views)["one"])
    other = clone(fitted).set_params(seed=1).fit(views)
    assert not np.array_equal(other.transform(views)["one"], fitted.transform(views)["one"])


def test_training_scores_have_unit_variance(fitted):
    views = curved()
    kept = np.setdiff1d(np.arange(600), fitted.validation_rows_)
    for scores in fitted.transform(views).values():
        assert scores[kept].std(ddof=0) == pytest.approx(1.0, abs=5e-3)
        assert scores[kept].mean() == pytest.approx(0.0, abs=1e-3)


def test_validation_rows_are_held_out_and_choose_the_epoch(fitted):
    assert len(fitted.validation_rows_) == 60
    history = fitted.history_
    assert len(history.loss) == len(history.valid)
    assert history.best == int(np.argmax(history.valid))
    held = {name: rows[fitted.validation_rows_] for name, rows in curved().items()}
    assert fitted.correlations(held).sum() == pytest.approx(history.valid[history.best], abs=2e-3)


def test_patience_ends_the_training():
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=(200, 3)) for _ in range(2)]
    deep = DeepCca(1, **{**SMALL, "epochs": 50}, patience=2).fit(noise)
    assert len(deep.history_.valid) == deep.history_.best + 3 < 50
    whole = DeepCca(1, **{**SMALL, "epochs": 4}, validation=0.0).fit(noise)
    assert (len(whole.history_.loss), whole.history_.best, whole.history_.valid) == (4, 3, [])


def test_units_of_columns_do_not_matter(fitted):
    views = curved()
    other = {"one": views["one"] * [1e-6, 1e6] + [1e-3, -1e9], "other": views["other"] * 1e-12}
    again = clone(fitted).fit(other)
    assert again.score(other) == pytest.approx(fitted.score(views), abs=1e-3)


def test_constant_columns_change_nothing(fitted):
    views = curved()
    wider = {**views, "one": np.hstack([views["one"], np.full((600, 1), 1e6)])}
    deep = clone(fitted).fit(wider)
    moved = {**wider, "one": wider["one"] + [0, 0, 123.0]}
    np.testing.assert_array_equal(deep.transform(wider)["one"], deep.transform(moved)["one"])
    assert deep.score(wider) > 0.9


@pytest.mark.parametrize("kind", ["memmap", "float32", "sparse", "list"])
def test_rows_may_come_in_any_form(kind, fitted, tmp_path):
    views = curved()
    plain = fitted.transform(views)
    if kind == "memmap":
        given = {}
        for name, rows in views.items():
            given[name] = np.memmap(tmp_path / name, rows.dtype, "w+", shape=rows.shape)
            given[name][:] = rows
    elif kind == "sparse":
        given = {name: scipy.sparse.csr_array(rows) for name, rows in views.items()}
    elif kind == "float32":
        given = {name: rows.astype(np.float32) for name, rows in views.items()}
    else:
        given = list(views.values())
    found = clone(fitted).fit(given).transform(given)
    scores = found[0] if kind == "list" else found["one"]
    np.testing.assert_allclose(scores, plain["one"], atol=0.05 if kind == "float32" else 1e-6)


def test_the_projection_does_what_transform_view_does(fitted):
    rows = curved()["one"]
    module = fitted.projection("one")
    assert not module.training
    scores = fitted.transform_view(rows, "one")
    np.testing.assert_allclose(module(torch.from_numpy(rows)).detach().numpy(), scores, atol=1e-6)
    rebuilt = build_projection(module.spec)
    rebuilt.load_state_dict(module.state_dict())
    np.testing.assert_array_equal(rebuilt.eval()(torch.from_numpy(rows)).detach().numpy(), scores)
    assert module.spec == {"kind": "deep", "inputs": 2, "outputs": 1, "width": 1, "hidden": [16], "unit": False}


def test_rows_without_a_view_are_left_out_of_the_training():
    views = curved()
    presence = np.random.default_rng(3).random((600, 2)) > 0.2
    presence[:5] = [True, False]
    holes = {name: np.where(presence[:, [i]], rows, np.nan) for i, (name, rows) in enumerate(views.items())}
    deep = DeepCca(1, **SMALL).fit(holes, presence=presence)
    both = presence.all(axis=1)
    complete = DeepCca(1, **SMALL).fit({name: rows[both] for name, rows in views.items()})
    np.testing.assert_allclose(deep.transform_view(views["one"], "one"), complete.transform_view(views["one"], "one"))
    assert np.isnan(deep.transform(holes, presence)["other"][:5]).all()


class Turned(nn.Module):
    """A small convolution over rows as pictures."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 7))

    def forward(self, rows):
        return self.layers(rows.reshape(-1, 1, 4, 4))


class Pooled(nn.Module):
    """An encoder: gives vectors as `pooled`, and says how wide they are."""

    output_width = 5

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 5)

    def forward(self, rows):
        class Output:
            pooled = torch.relu(self.linear(rows))

        return Output


def test_any_module_may_be_a_branch():
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(300, 16))
    other = pictures[:, :3] + 0.1 * rng.normal(size=(300, 3))
    torch.manual_seed(0)
    branches = {"picture": Turned(), "other": Pooled()}
    before = {name: value.clone() for name, value in branches["picture"].state_dict().items()}
    deep = DeepCca(2, **SMALL, branches=branches).fit({"picture": pictures, "other": other})
    assert deep.score({"picture": pictures, "other": other}) > 0.8
    assert all(torch.equal(before[name], value) for name, value in branches["picture"].state_dict().items())
    with pytest.raises(ConfigError, match=r"branch of one's own .* cannot be rebuilt"):
        _ = deep.projection("picture").spec


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ({"nowhere": nn.Linear(2, 2)}, "view 'nowhere' is unknown: expected some of one, other"),
        ({"one": nn.Linear(7, 2)}, "view 'one': the module does not take rows of 2 columns"),
        ({"one": nn.Unflatten(1, (1, 2))}, r"expected outputs of shape \(rows, width\), got \(2, 1, 2\)"),
        ({"one": "mlp"}, "expected a torch module, got str"),
    ],
)
def test_branches_that_cannot_be_used_are_named(branches, message):
    with pytest.raises(ConfigError, match=message):
        DeepCca(1, **SMALL, branches=branches).fit(curved())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"components": 64, "batch": 50}, r"batch: expected more rows than components=64, got 50.*take a batch of"),
        ({"components": 0}, "components must be at least 1"),
        ({"components": None}, "components: expected a whole number, got None"),
        ({"ridge": -1e-3}, "ridge: expected at least 0"),
        ({"dropout": 1.0}, "dropout: expected a share"),
        ({"epochs": 0}, "epochs: expected at least 1"),
        ({"learning_rate": 0.0}, "learning_rate: expected above 0"),
        ({"weight_decay": -1.0}, "weight_decay: expected at least 0"),
        ({"validation": 1.0}, "validation: expected a share"),
        ({"scale": "row"}, "scale: expected columns or view, got 'row'"),
        ({"patience": 0}, "patience: expected at least 1"),
        ({"hidden": (0,)}, "hidden: expected widths of at least 1"),
        ({"device": "abacus"}, "device: expected one at hand"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        DeepCca(**{**SMALL, **settings}).fit(curved())
    assert "\n" not in str(caught.value)


def test_arrays_that_cannot_be_used_are_named():
    views = curved()
    hole = {**views, "other": views["other"].copy()}
    hole["other"][77, 1] = np.nan
    with pytest.raises(ArrayError, match=r"view 'other': .*NaN \(row 77, column 1\)"):
        DeepCca(1, **SMALL).fit(hole)
    with pytest.raises(ArrayError, match="view 'one': expected columns that vary, got 2 constant ones"):
        DeepCca(1, **SMALL).fit({**views, "one": np.ones((600, 2))})
    with pytest.raises(ArrayError, match=r"expected at least 11 training rows .* got 9"):
        DeepCca(10, **SMALL).fit({name: rows[:10] for name, rows in views.items()})
    with pytest.raises(ArrayError, match="expected 2 views, got 3"):
        DeepCca(1, **SMALL).fit({**views, "third": views["one"]})
    with pytest.raises(ConfigError, match="expected no sample_weight"):
        DeepCca(1, **SMALL).fit(views, sample_weight=np.ones(600))


def test_a_training_that_diverges_says_so():
    class Explodes(nn.Module):
        output_width = 2

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.full((2,), 1e38))

        def forward(self, rows):
            return rows * self.weight * 1e10

    with pytest.raises(ConfigError, match="view 'one': expected finite outputs"):
        DeepCca(1, **SMALL, branches={"one": Explodes()}).fit(curved())


def test_fewer_directions_than_components_are_said():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(300, 2))
    settings = {**SMALL, "hidden": (), "epochs": 3}
    with pytest.warns(FusibleWarning, match="2 directions that vary, of 5 components"):
        deep = DeepCca(5, **settings).fit([one, rng.normal(size=(300, 6))])
    assert deep.n_components_ == 2
    assert deep.transform_view(one, 0).shape == (300, 2)


def test_a_batch_in_which_noise_correlates_is_said():
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=(100, 8)) for _ in range(2)]
    with pytest.warns(FusibleWarning, match="12 rows in a batch for 12 outputs: correlations of 1 are found in noise"):
        DeepCca(6, **{**SMALL, "batch": 12, "epochs": 1}).fit(noise)


def test_mixed_precision_changes_little():
    views = curved()
    settings = {**SMALL, "hidden": (256,), "epochs": 5}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = [DeepCca(1, **settings, mixed=mixed).fit(views).score(views) for mixed in (False, True)]
    assert scores[0] == pytest.approx(scores[1], abs=0.02)
