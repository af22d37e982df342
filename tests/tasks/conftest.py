"""Small fitted studies, shared by the tests of this folder."""

import shutil

import numpy as np
import pandas as pd
import pytest

from fusible.tasks.choose import threshold_of
from fusible.tasks.compare import fit_strategies, prepare
from fusible.tasks.model import Model

ENCODERS = {"note": "text_tfidf", "photo": "image_cnn"}
ROWS = 100


def mixed_table(png, seed=0, rows=ROWS):
    """Text, pictures, numbers and categories with absent cells; a damaged picture in row 3, nothing in row 7."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, rows)
    words = np.array([["red", "warm"], ["blue", "cold"], ["green", "calm"]])
    notes = [f"{rng.choice(words[k])} {rng.choice(['old', 'new', 'odd'])} {rng.choice(words[k])}" for k in kind]
    photos = []
    for k in kind:
        pixels = rng.integers(0, 60, (16, 16, 3))
        pixels[..., k] += 120
        photos.append(png(pixels))
    frame = pd.DataFrame(
        {
            "note": pd.Series(notes, dtype=object),
            "photo": pd.Series(photos, dtype=object),
            "size": kind + rng.normal(size=rows),
            "shop": rng.choice(["a", "b", "c"], rows),
            "kind": np.array(["x", "y", "z"])[kind],
        }
    )
    frame.loc[rng.choice(rows, 15, replace=False), "note"] = None
    frame.loc[rng.choice(rows, 15, replace=False), "photo"] = None
    frame.loc[rng.choice(rows, 15, replace=False), "size"] = np.nan
    frame.loc[3, "photo"] = png(np.zeros((16, 16, 3)))[:40]
    frame.loc[[7, 60], ["note", "photo", "size", "shop"]] = None
    frame["shop"] = frame["shop"].astype(object)
    return frame


def model_of(context, fitted):
    """A model of any fitted strategy."""
    views = tuple({view.name: view for view, _ in fitted.node.inputs()}.values())
    columns = tuple(context.source.dataset.columns.values())
    return Model(
        fitted.node, context.target, columns, views, context.metric, threshold_of(context, fitted), {"strategy": "s"}
    )


@pytest.fixture(scope="session")
def mixed(png):
    """The table of the mixed study."""
    return mixed_table(png)


@pytest.fixture(scope="session")
def unseen(png):
    """New rows of the mixed table, with a category never seen, and rows in which some or all views are absent."""
    frame = mixed_table(png, seed=9, rows=70).drop(columns="kind")
    frame.loc[0, "shop"] = "never seen"
    frame.loc[1, ["photo", "size", "shop"]] = None
    frame.loc[2, ["note", "size", "shop"]] = None
    frame.loc[4, "note"] = "words nobody knows: zyzzyva qat"
    return frame


@pytest.fixture(scope="session")
def study(mixed, quick, tmp_path_factory):
    """Every strategy, fitted on the mixed table: three classes."""
    with quick():
        context, views = prepare(mixed, "kind", {"note": "text"}, None, None, 0, cache=tmp_path_factory.mktemp("cache"))
        return fit_strategies(context, views, ENCODERS, None)


@pytest.fixture(scope="session")
def models(study):
    """A model per strategy, by name."""
    return {fitted.name: model_of(study.context, fitted) for fitted in study.fitted}


@pytest.fixture(scope="session")
def model(models):
    """One cheap model that is an ensemble of all kinds of members: stacking."""
    return models["model:stacking"]


@pytest.fixture(scope="session")
def saved(models, tmp_path_factory):
    """A folder of folders: every strategy's model, saved."""
    place = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        model.save(place / name)
    return place


@pytest.fixture
def copy(saved, tmp_path):
    """A copy of the stacked model, to be tampered with."""
    return shutil.copytree(saved / "model:stacking", tmp_path / "model")
