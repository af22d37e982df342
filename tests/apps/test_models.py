"""`predict` and `evaluate` take a model or its folder, and give the same."""

import numpy as np
import pandas as pd
import pytest

import fusible
from fusible.errors import ModelFormatError


@pytest.fixture(scope="module")
def fitted(quick, tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"size": rng.normal(size=60), "shop": rng.choice(["a", "b"], 60)})
    table["y"] = np.where(table["size"] + (table["shop"] == "a") > 0.5, 1, 0)
    table.to_csv(place / "table.csv", index=False)
    with quick():
        model = fusible.fit(
            place / "table.csv", "y", encoders={"table": "table_trees"}, output=place / "model", cache=place / "cache"
        )
    return model, place


def test_model_folder_and_text_path_agree(fitted):
    model, place = fitted
    frames = [fusible.predict(m, place / "table.csv") for m in (model, place / "model", str(place / "model"))]
    assert frames[0].equals(frames[1])
    assert frames[0].equals(frames[2])
    assert set(frames[0]["prediction"]) <= {0, 1}
    assert fusible.evaluate(model, place / "table.csv") == fusible.evaluate(place / "model", place / "table.csv")


def test_kinds_of_tables_agree(fitted):
    model, place = fitted
    table = pd.read_csv(place / "table.csv")
    table.to_parquet(place / "table.parquet")
    table.to_json(place / "table.jsonl", orient="records", lines=True)
    frames = [
        fusible.predict(model, source)
        for source in (place / "table.csv", place / "table.parquet", place / "table.jsonl", table)
    ]
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0])


def test_labels_of_other_kinds_of_cells_are_the_same(fitted):
    model, place = fitted
    table = pd.read_csv(place / "table.csv")
    expected = fusible.evaluate(model, table)
    for cells in (table["y"].astype(float), table["y"].astype("Int64")):
        assert fusible.evaluate(model, table.assign(y=cells)) == expected


def test_predict_says_what_is_no_model(tmp_path):
    with pytest.raises(ModelFormatError, match=r"expected a model folder with config\.yaml"):
        fusible.predict(tmp_path, "table.csv")
