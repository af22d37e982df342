"""Inspection of a table."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fusible.errors import SchemaError, TargetError
from fusible.tasks.inspect import inspect


@pytest.fixture
def frame(rng):
    return pd.DataFrame({
        "id": range(100),
        "x": np.where(np.arange(100) < 25, np.nan, rng.normal(size=100)),
        "kind": ["a", "b", "c", None] * 25,
        "tags": [["p"], [], None, ["p", "q"]] * 25,
        "y": ["yes", "no"] * 50,
        "copy": ["yes", "no"] * 50,
        "split": ["train"] * 70 + ["valid"] * 10 + ["test"] * 20,
    })  # fmt: skip


def test_columns_coverage_and_distinct(frame):
    found = inspect(frame, "y")
    figures = {c.name: (c.modality, c.role, c.coverage, c.distinct) for c in found.columns}
    assert figures == {
        "id": ("entity", "ignore", 1.0, 100),
        "x": ("number", "input", 0.75, 75),
        "kind": ("category", "input", 0.75, 3),
        "tags": ("category", "input", 0.5, None),
        "y": ("category", "target", 1.0, 2),
        "copy": ("category", "input", 1.0, 2),
        "split": ("category", "split", 1.0, 3),
    }
    assert found.rows == 100
    assert found.split == {"train": 70, "valid": 10, "test": 20}
    assert found.views == {"table": {"modality": "table", "columns": ["x", "kind", "tags", "copy"]}}
    assert ("leakage suspect", "copy") in {(p.kind, p.column) for p in found.problems}


def test_as_json_and_as_a_frame(frame):
    found = inspect(frame, "y")
    again = json.loads(json.dumps(found.to_dict()))
    assert again == found.to_dict()
    assert set(again) == {"rows", "columns", "views", "split", "problems", "fingerprint"}
    assert again["columns"][1] == {**again["columns"][1], "name": "x", "coverage": 0.75, "distinct": 75}
    assert found.frame.loc["x", "coverage"] == 0.75
    assert list(found.frame.columns) == ["modality", "role", "reason", "coverage", "distinct"]


def test_overrides_and_errors(frame):
    found = inspect(frame, columns={"kind": "ignore"}, views={"both": ["x", "copy"]})
    assert found.views["both"] == {"modality": "table", "columns": ["x", "copy"]}
    assert next(column for column in found.columns if column.name == "kind").role == "ignore"
    with pytest.raises(TargetError, match="target 'z'"):
        inspect(frame, "z")
    with pytest.raises(SchemaError, match="column 'knd': no such column; did you mean 'kind'"):
        inspect(frame, columns={"knd": "text"})


def test_media_are_decoded_only_where_asked(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff no image")
    Image.new("RGB", (3, 3)).save(tmp_path / "b.jpg")
    (tmp_path / "t.csv").write_text("photo,x\na.jpg,1.5\na.jpg,2.5\nb.jpg,3.5\n")
    assert [(p.kind, p.rows) for p in inspect(tmp_path / "t.csv").problems] == [("unreadable media", (0, 1))]
    assert inspect(tmp_path / "t.csv", media=False).problems == ()


def test_a_table_of_null_and_nested_columns_is_inspected():
    frame = pd.DataFrame({"n": [None] * 3, "v": [[1.0], [2.0], [3.0]], "x": [1.5, 2.5, 3.5]})
    assert [(c.name, c.role, c.distinct) for c in inspect(frame).columns] == [
        ("n", "ignore", 0),
        ("v", "ignore", None),
        ("x", "input", 3),
    ]
