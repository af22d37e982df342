"""Attribution of fitted networks and ensembles: what is hidden is absent, and encoding once changes nothing."""

import numpy as np
import pandas as pd
import pytest
import torch
from _additive import SUMS, VIEWS, numbers_table, regression_model

from fusible import registry
from fusible.data.split import Split
from fusible.networks.joint import Joint
from fusible.tasks.attribution import hidden, sample, seen_views, still, study_attribution
from fusible.tasks.context import Context, Fitted
from fusible.tasks.nodes import EnsembleNode, NetworkNode
from fusible.tasks.source import Source
from fusible.types import Task

TASK = Task("binary", ("no", "yes"))


def live_node(dataset, operator):
    """A network that encodes a picture and a table by itself, with the weights that it starts with."""
    views = (dataset.views["photo"], dataset.views["table"])
    encoders = {
        "photo": registry.build("encoders", "image_cnn", width=16),
        "table": registry.build("encoders", "table_mlp"),
    }
    source = Source(dataset)
    for view in views:
        encoders[view.name].fit(source.training_items(view, np.arange(dataset.rows)))
        encoders[view.name].eval()
    widths = {name: encoder.output_width for name, encoder in encoders.items()}
    network = Joint(encoders, registry.build("fusion", operator, widths=widths, width=8), 2).eval()
    prior = np.array([0.5, 0.5])
    return NetworkNode("end_to_end:joint", TASK, prior, views, encoders, network, live=("photo", "table"))


@pytest.fixture
def dataset(png, rng):
    from fusible.data.read import read

    photos = [png(rng.integers(0, 255, (16, 16, 3))) for _ in range(30)]
    frame = pd.DataFrame({"photo": pd.Series(photos, dtype=object), "a": rng.normal(size=30), "b": rng.normal(size=30)})
    frame.loc[[2, 5], "photo"] = None
    frame.loc[[5, 9], ["a", "b"]] = np.nan
    return read(frame)


def test_encoding_once_changes_no_answer(dataset):
    torch.manual_seed(0)
    node = live_node(dataset, "concat")
    rows = np.arange(dataset.rows)
    quiet = still(node)
    assert (quiet.live, quiet.network) == ((), node.network)
    np.testing.assert_allclose(quiet.scores(Source(dataset), rows), node.scores(Source(dataset), rows), atol=1e-6)
    rule = registry.build("ensembles", "average").restore(TASK, node.prior, {})
    ensemble = EnsembleNode("model:average", TASK, node.prior, rule, "average", (node, node), (1.0, 1.0))
    assert [member.live for member in still(ensemble).members] == [(), ()]
    assert [view.name for view in seen_views(ensemble)] == ["photo", "table"]


def test_hiding_is_absence(dataset, png):
    torch.manual_seed(0)
    node = still(live_node(dataset, "concat"))
    rows = np.arange(dataset.rows)
    source = Source(dataset)
    node.prepare(source)
    views = seen_views(node)
    found = node.scores(hidden(source, views, np.array([False, True])), rows)
    frame = dataset.to_pandas().assign(photo=None)
    from dataclasses import replace

    from fusible.data.read import read

    bare = replace(read(frame, like=tuple(dataset.columns.values())), views=dataset.views)
    np.testing.assert_allclose(found, node.scores(Source(bare), rows), atol=1e-6)
    inside = np.ones((dataset.rows, 2), bool)
    inside[4] = False
    some = node.scores(hidden(source, views, inside), rows)
    np.testing.assert_array_equal(some[4], node.prior)
    np.testing.assert_allclose(np.delete(some, 4, axis=0), np.delete(node.scores(source, rows), 4, axis=0), atol=1e-6)


def study_of(model, table, metric="r2"):
    """A context over a table whose last twenty rows are the test part, and the model as its fitted strategy."""
    dataset = model.read(table)
    rows = np.arange(len(table))
    split = Split(rows[:-30], rows[-30:-20], rows[-20:])
    learned = table.y.to_numpy()
    context = Context(Source(dataset), split, model.target, learned, metric)
    return context, Fitted("model:total", "model", model.node, np.zeros((len(table), 1)), 0.0)


def test_a_study_is_attributed_on_its_test_rows_only(rng):
    table = numbers_table(rng)
    model = regression_model(table, SUMS, views=VIEWS, columns={"note": ":ignore"})
    context, fitted = study_of(model, table)
    found = study_attribution(context, fitted)
    assert found.rows == 20
    other = table.copy()
    other.loc[: len(table) - 21, ["a", "b", "c"]] = 1e9
    again = study_attribution(*study_of(model, other))
    assert again.to_json() == found.to_json()
    assert found.gain == pytest.approx(sum(share.value for share in found.views))


def test_one_view_is_not_attributed_and_too_many_are_noted(rng):
    table = numbers_table(rng)
    one = regression_model(table, {"left": SUMS["left"]}, views=VIEWS, columns={"note": ":ignore"})
    context, fitted = study_of(one, table)
    assert study_attribution(context, fitted) is None
    assert context.notes == []
    names = [f"n{k}" for k in range(11)]
    wide = pd.DataFrame(rng.normal(size=(60, 11)), columns=names).assign(y=rng.normal(size=60))
    views = {f"v{k}": [name] for k, name in enumerate(names)}
    many = regression_model(wide, dict.fromkeys(views, lambda cells: cells.iloc[:, 0]), views=views)
    context, fitted = study_of(many, wide)
    assert study_attribution(context, fitted) is None
    assert context.notes == ["attribution was skipped: 11 views, expected at most 10"]


def test_a_sample_is_seeded_and_in_order():
    np.testing.assert_array_equal(sample(5, 10, 0), np.arange(5))
    drawn = sample(1000, 50, 3)
    assert len(set(drawn.tolist())) == 50
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn, sample(1000, 50, 3))
