"""The balance diagnosis finds an encoder that was spoilt, and no other."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from fusible.evaluation.study import Difference
from fusible.tasks import balance as module
from fusible.tasks import end_to_end, features, settings, singles
from fusible.tasks.balance import balance, diagnose
from fusible.tasks.compare import fit_strategies, prepare
from fusible.training.loop import TrainSettings

VIEWS = {"left": ["a0", "a1"], "right": ["b0", "b1"]}
ENCODERS = {"left": "table_mlp", "right": "table_mlp"}


def few(*_):
    """Few epochs, which are enough here."""
    return TrainSettings(epochs=8, batch=32, peak_rate=5e-3)


@pytest.fixture(scope="module", autouse=True)
def _fast():
    with pytest.MonkeyPatch.context() as patch:
        for place in (singles, features, end_to_end, settings):
            patch.setattr(place, "head_settings", few)
        for place in (singles, end_to_end, settings):
            patch.setattr(place, "whole_settings", few)
        patch.setattr("fusible.tasks.context.FOLDS", 2)
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two views of numbers, each of which tells the label in most rows."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 240)
    frame = pd.DataFrame({name: label * 1.5 + rng.normal(size=240) for name in ("a0", "a1", "b0", "b1")})
    frame["y"] = np.where(label == 1, "yes", "no")
    frame.loc[:20, ["a0", "a1"]] = np.nan
    context, views = prepare(frame, "y", None, VIEWS, None, 0, cache=tmp_path_factory.mktemp("cache"))
    return fit_strategies(context, views, ENCODERS, ["end_to_end:joint"])


def spoilt(study, view):
    """The study's joint network with an encoder that tells nothing any more."""
    fitted = copy.deepcopy(next(f for f in study.fitted if f.name == "end_to_end:joint"))
    with torch.no_grad():
        for parameter in fitted.node.encoders[view].parameters():
            parameter.zero_()
    assert not any(p.any() for p in fitted.node.network.encoders[list(VIEWS).index(view)].parameters())
    return fitted


def test_an_encoder_that_tells_nothing_is_starved(study):
    alone = {c.view.name: c for c in study.chosen}
    found = diagnose(study.context, spoilt(study, "right"), alone)
    assert [one.view for one in found.views] == ["left", "right"]
    left, right = found.views
    assert found.starved == ("right",)
    assert right.alone > 0.7
    assert right.within < 0.65
    assert right.difference.mean == pytest.approx(right.within - right.alone)
    assert right.difference.high < 0
    assert left.verdict == "fine"
    assert left.use > 0.1  # without the view that still tells, the network is worse
    assert abs(right.use) < abs(left.use)
    assert "starves 'right'" in found.statement


def test_the_joint_network_of_an_easy_study_is_fine(study):
    found = balance(study)
    assert found.strategy == "end_to_end:joint"
    assert found.rows == len(study.context.split.valid)
    assert found.starved == ()
    assert balance(study) == found


def test_an_encoder_compared_with_itself_differs_by_nothing(study):
    fitted = copy.deepcopy(next(f for f in study.fitted if f.name == "end_to_end:joint"))
    alone = {c.view.name: c for c in study.chosen}
    fitted.node.encoders["left"].load_state_dict(alone["left"].encoder.state_dict())
    left = diagnose(study.context, fitted, alone).views[0]
    assert left.difference == Difference(0.0, 0.0, 0.0, 0.5)
    assert left.alone == left.within


def test_scores_where_less_is_better_are_in_the_units_of_the_metric(study):
    context = copy.copy(study.context)
    context.metric = "log_loss"
    alone = {c.view.name: c for c in study.chosen}
    right = diagnose(context, spoilt(study, "right"), alone).views[1]
    assert 0 < right.alone < right.within
    assert right.difference.mean == pytest.approx(right.alone - right.within)
    assert right.verdict == "starved"


def test_nothing_where_nothing_was_trained_jointly(study, monkeypatch):
    single = next(f for f in study.fitted if f.name == "single:left")
    assert diagnose(study.context, single, {}) is None
    joint = next(f for f in study.fitted if f.name == "end_to_end:joint")
    assert diagnose(study.context, joint, {}) is None
    monkeypatch.setattr(module, "diagnose", None)
    bare = copy.copy(study)
    bare.fitted = [single]
    assert balance(bare) is None
