import numpy as np
import pandas as pd
import pytest

from fusible.encoders.table_trees import TableTrees
from fusible.errors import ConfigError, ModelFormatError
from fusible.types import Task

NOTHING = np.zeros(0)


@pytest.fixture
def frame(rng):
    return pd.DataFrame({"x": rng.uniform(-2, 2, 400), "c": rng.choice(["a", "b", "c"], 400).astype(object)})


def trees(**settings):
    return TableTrees(**{"bags": 2, "threads": 1, "learning_rate": 0.2, **settings})


def test_finds_steps_and_levels(frame):
    target = np.where(frame["x"] > 0.5, 10.0, 0.0) + frame["c"].map({"a": 0.0, "b": 5.0, "c": 1.0}).to_numpy()
    encoder = trees()
    encoder.fit_target(frame[:300], target[:300], Task("regression"), (frame[300:300], NOTHING), 0)
    error = encoder.predict_scores(frame[300:])[:, 0] - target[300:]
    assert np.sqrt(np.mean(error**2)) < 0.1 * target.std()


def test_bags_are_averaged(frame):
    from lightgbm import Booster

    encoder = trees(bags=3)
    encoder.fit_target(frame, frame["x"].to_numpy() ** 2, Task("regression"), (frame[:0], NOTHING), 0)
    assert sorted(encoder.texts()) == ["output0_bag0", "output0_bag1", "output0_bag2"]
    rows = encoder.collate(frame)["rows"].numpy()
    each = [Booster(model_str=text).predict(rows) for text in encoder.texts().values()]
    assert np.abs(each[0] - each[1]).max() > 0
    np.testing.assert_allclose(encoder.predict_scores(frame)[:, 0], np.mean(each, axis=0), rtol=1e-12)


def test_same_seed_same_trees(frame):
    target = (frame["x"] > 0).to_numpy().astype(int)
    texts = []
    for seed in (0, 0, 1):
        encoder = trees()
        encoder.fit_target(frame, target, Task("binary", ("n", "y")), (frame[:0], NOTHING), seed)
        texts.append(encoder.texts())
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_unseen_levels_and_infinite_numbers_are_as_missing_ones(frame):
    encoder = trees()
    encoder.fit_target(frame, frame["x"].to_numpy(), Task("regression"), (frame[:0], NOTHING), 0)
    odd = pd.DataFrame({"x": [np.inf, np.nan], "c": np.array(["never", None], dtype=object)})
    scores = encoder.predict_scores(odd)
    assert scores[0] == scores[1]


def test_numeric_levels_are_given_as_numbers_too():
    encoder = trees()
    encoder.fit(pd.DataFrame({"x": [1.0, 2.0], "zip": np.array(["90210", "92253"], dtype=object)}))
    rows = encoder.collate(pd.DataFrame({"x": [3.0], "zip": np.array(["91000"], dtype=object)}))["rows"].numpy()
    np.testing.assert_array_equal(rows, [[3.0, 91000.0, np.nan]])


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_few_rows_fit(rows):
    frame = pd.DataFrame({"x": np.arange(float(rows))})
    encoder = trees()
    encoder.fit_target(frame, np.arange(float(rows)), Task("regression"), (frame[:0], NOTHING), 0)
    assert np.isfinite(encoder.predict_scores(frame)).all()


def test_one_class_is_certain(frame):
    encoder = trees()
    encoder.fit_target(frame, np.ones(400), Task("binary", ("n", "y")), (frame[:0], NOTHING), 0)
    np.testing.assert_array_equal(encoder.predict_scores(frame[:2]), [[0, 1], [0, 1]])


def test_many_rows_use_the_validation_part(rng):
    frame = pd.DataFrame({"x": rng.normal(size=6000)})
    target = (frame["x"] + rng.normal(size=6000) > 0).to_numpy().astype(int)
    encoder = trees(bags=1)
    encoder.fit_target(
        frame[:5000], target[:5000], Task("binary", ("n", "y")), (frame[5000:5500], target[5000:5500]), 0
    )
    scores = encoder.predict_scores(frame[5500:])[:, 1]
    assert np.mean((scores > 0.5) == target[5500:]) > 0.7
    wrong = trees(bags=1)
    wrong.fit_target(
        frame[:5000], target[:5000], Task("binary", ("n", "y")), (frame[5000:5500], 1 - target[5000:5500]), 0
    )
    assert wrong.predict_scores(frame[5500:])[:, 1].std() < scores.std() / 2


def test_missing_model_texts_are_named(frame):
    encoder = trees()
    encoder.fit_target(frame, frame["x"].to_numpy(), Task("regression"), (frame[:0], NOTHING), 0)
    again = trees()
    again.restore(encoder.learned())
    with pytest.raises(ModelFormatError, match="output0_bag1"):
        again.restore_texts({"output0_bag0": encoder.texts()["output0_bag0"]})


def test_it_gives_no_encoding(frame):
    encoder = trees()
    with pytest.raises(ConfigError, match="table_mlp"):
        encoder({})
    with pytest.raises(ConfigError, match="fit_target"):
        encoder.predict_scores(frame)


def test_houses_reach_a_random_forest(data_folder):
    table = pd.read_csv(data_folder / "houses" / "houses.csv")
    parts = {name: rows.astype(float, errors="ignore") for name, rows in table.groupby("split")}
    columns = ["bedrooms", "bathrooms", "area_sqft", "zipcode"]
    price = {name: rows["price"].to_numpy() for name, rows in parts.items()}
    encoder = TableTrees(threads=1)
    encoder.fit_target(
        parts["train"][columns],
        np.log(price["train"]),
        Task("regression"),
        (parts["valid"][columns], np.log(price["valid"])),
        0,
    )
    guess = np.exp(encoder.predict_scores(parts["test"][columns])[:, 0])
    explained = 1 - np.sum((guess - price["test"]) ** 2) / np.sum((price["test"] - price["test"].mean()) ** 2)
    assert explained >= 0.62
