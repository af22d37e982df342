"""Problems of tables."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import soundfile
from PIL import Image

from fusible.data.checks import check
from fusible.data.read import read
from fusible.data.split import Split


def found(frame, target=None, kind=None, split=None, columns=None, **settings):
    data = read(frame, columns=columns)
    problems = check(data, target, split, **settings)
    return [(p.kind, p.column, p.rows, p.count) for p in problems if kind is None or p.kind == kind]


def png(shade):
    out = io.BytesIO()
    Image.new("L", (30, 30), shade).save(out, "PNG")
    return out.getvalue()


def wav():
    out = io.BytesIO()
    soundfile.write(out, np.zeros(100), 8000, format="WAV")
    return out.getvalue()


def test_a_clean_table_has_no_problems(rng):
    frame = pd.DataFrame({"x": rng.normal(size=200), "c": ["a", "b"] * 100, "split": ["train", "test"] * 100})
    assert found(frame) == []


def test_empty_and_near_constant_columns(rng):
    frame = pd.DataFrame({
        "empty": [None] * 200,
        "dull": ["a"] * 199 + ["b"],
        "fine": ["a"] * 197 + ["b"] * 3,
        "holes": ["a"] * 100 + [None] * 98 + ["b"] * 2,
        "labels": [["a"]] * 200,
        "x": rng.normal(size=200),
    })  # fmt: skip
    assert found(frame) == [("empty column", "empty", (), 200), ("near-constant column", "dull", (), 199)]


@pytest.mark.parametrize("workers", [1, 4])
def test_unreadable_media_are_named_with_all_their_rows(workers, tmp_path, clips):
    bad = png(3)[:-30]
    images = [png(1), bad, png(2), None, bad, png(4)]
    sounds = [wav(), wav()[:20], None, wav(), None, wav()]
    whole = (clips / "bikes.mp4").read_bytes()
    films = [whole, None, whole[:2000], None, None, None]
    table = pa.table({"photo": images, "sound": sounds, "film": films})
    assert found(table, workers=workers) == [
        ("unreadable media", "photo", (1, 4), 2),
        ("unreadable media", "sound", (1,), 1),
        ("unreadable media", "film", (2,), 1),
    ]
    assert found(table, media=False) == []


def test_missing_files_are_problems_too(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1))
    (tmp_path / "t.csv").write_text("photo,x\na.png,1.5\nb.png,2.5\n")
    assert found(tmp_path / "t.csv") == [("missing files", "photo", (1,), 1)]


def test_equal_rows_in_two_parts():
    frame = pd.DataFrame({
        "text": ["this is a text", "and one more text", "this is a text", "this is a text", "a fourth one here"],
        "x": [1.5, 2.5, 1.5, 9.5, 7.5],
        "y": [1, 2, 3, 4, 5],
        "split": ["train", "train", "test", "test", "valid"],
    })  # fmt: skip
    assert found(frame, columns={"y": "number:target"}) == [("duplicates across splits", "", (2,), 1)]
    inside = frame.assign(split=["train", "test", "train", "valid", "test"])
    assert found(inside, columns={"y": "number:target"}) == []


def test_rows_with_nothing_in_them_are_no_duplicates():
    frame = pd.DataFrame({"x": [None, None, 1.5, 2.5], "split": ["train", "test"] * 2})
    assert found(frame, kind="duplicates across splits") == []


def test_equal_files_in_two_parts(rng):
    table = pa.table({
        "photo": [png(1), png(2), png(1), png(3), None, None],
        "x": rng.normal(size=6),
        "split": ["train", "train", "test", "valid", "train", "test"],
    })  # fmt: skip
    assert found(table) == [("media across splits", "photo", (2,), 1)]


def test_groups_in_two_parts(rng):
    frame = pd.DataFrame({"x": rng.normal(size=6), "group": list("aabbcc"), "split": ["train", "test", *["train"] * 4]})
    assert found(frame) == [("group across splits", "group", (1,), 1)]


def test_a_split_may_be_given():
    frame = pd.DataFrame({"x": [1.5, 2.5, 1.5, 3.5]})
    split = Split(np.array([0]), np.array([1]), np.array([2, 3]))
    assert found(frame, split=split) == [("duplicates across splits", "", (2,), 1)]


def test_classes_with_few_training_rows(rng):
    frame = pd.DataFrame({
        "x": rng.normal(size=100),
        "y": ["a"] * 60 + ["b"] * 36 + ["c"] * 4,
        "split": ["train"] * 90 + ["test"] * 10,
    })  # fmt: skip
    assert found(frame, "y", "rare class") == [("rare class", "y", (96, 97, 98, 99), 4)]
    assert found(frame.assign(y=rng.normal(size=100)), "y", "rare class") == []
    assert found(frame.assign(y=[["a"]] * 99 + [["b"]]), "y", "rare class") == []
