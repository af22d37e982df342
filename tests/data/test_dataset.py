"""Views, items, fingerprints."""

import io
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from fusible.data.content import content_key
from fusible.data.dataset import Dataset
from fusible.data.read import read
from fusible.errors import SchemaError
from fusible.types import Modality, Problem


def png(shade):
    out = io.BytesIO()
    Image.new("L", (3, 3), shade).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def photos(tmp_path):
    """A table with files: a copy of the same picture, a missing one, an empty one, and an empty cell."""
    for name, shade in (("a.png", 1), ("copy.png", 1), ("b.png", 2)):
        (tmp_path / name).write_bytes(png(shade))
    (tmp_path / "empty.png").touch()
    names = ["a.png", "b.png", "a.png", "copy.png", "gone.png", "empty.png", ""]
    backs = ["b.png", "", "a.png", "gone.png", "gone.png", "b.png", ""]
    frame = pd.DataFrame({"front": names, "back": backs, "price": np.arange(7) / 2})
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_equal_files_are_one_item(photos):
    data = read(photos)
    items = data.view_data("front")
    assert items.ids[:, 0].tolist() == [0, 1, 0, 0, -1, -1, -1]
    assert items.presence.tolist() == [True] * 4 + [False] * 3
    assert [media.row for media in items.values] == [0, 1]
    assert items.values[0].path == str(photos.parent / "a.png")
    assert list(items.keys) == [content_key(media) for media in items.values]


def test_missing_and_empty_files_are_counted_once(photos):
    data = read(photos)
    assert data.problems == []
    data.view_data("front", np.array([0, 4]))
    assert [(p.kind, p.column, p.rows, p.count) for p in data.problems] == [("missing files", "front", (4,), 1)]
    data.view_data("front")
    data.view_data("front", np.array([5]))
    assert [(p.rows, p.count) for p in data.problems] == [((4, 5), 2)]
    assert "gone.png): no such file" in data.problems[0].message


def test_columns_joined_in_one_view_have_a_slot_each(photos):
    data = read(photos, views={"photos": ["front", "back"]})
    assert list(data.views) == ["photos", "table"]
    items = data.view_data("photos", np.array([0, 1, 2, 5]))
    assert items.ids.tolist() == [[0, 1], [1, -1], [0, 0], [-1, 1]]
    assert len(items.values) == 2


@pytest.mark.parametrize("workers", [1, 4])
def test_bytes_and_files_have_the_same_items(photos, workers):
    files = read(photos).view_data("front", np.arange(4), workers=workers)
    cells = [png(1), png(2), png(1), png(1)]
    stored = read(pa.table({"front": pa.array(cells, pa.binary())})).view_data("front", workers=workers)
    np.testing.assert_array_equal(stored.ids, files.ids)
    assert list(stored.keys) == list(files.keys)
    assert bytes(stored.values[1].data) == png(2)


def test_empty_bytes_are_absent():
    data = read(pa.table({"x": pa.array([png(1), b"", None, png(2)], pa.binary())}))
    assert data.view_data("x").ids[:, 0].tolist() == [0, -1, -1, 1]


def test_texts_are_distinct_and_joined_by_lines():
    data = read(
        pd.DataFrame({"a": ["x", None, "x", " ", None], "b": ["1 y", "2", "1 y", "", None]}),
        columns={"a": "text", "b": "text"},
        views={"both": ["a", "b"]},
    )
    items = data.view_data("both")
    assert items.ids[:, 0].tolist() == [0, 1, 0, -1, -1]
    assert items.values == ["x\n1 y", "2"]
    assert len(set(items.keys)) == 2
    assert data.view_data("both", np.array([1, 1])).values == ["2"]


def test_tables_are_numbers_and_names_in_the_order_of_rows():
    frame = pd.DataFrame({"n": [1.0, np.nan, np.inf, 4], "c": ["a", None, "", "b"], "flag": [True, None, None, False]})
    data = read(frame)
    items = data.view_data("table", np.array([3, 1, 0, 2]))
    assert items.ids[:, 0].tolist() == [0, -1, 2, -1]
    np.testing.assert_array_equal(items.values["n"], [4, np.nan, 1, np.nan])
    assert items.values["c"].tolist() == ["b", None, "a", None]
    assert items.values["flag"].tolist() == ["False", None, "True", None]
    assert [str(kind) for kind in items.values.dtypes] == ["float64", "object", "object"]
    assert list(items.keys) == []


def test_a_video_with_sound_offers_an_audio_view(tmp_path, clips):
    for name in ("bikes.mp4", "bigbuckbunny.mp4"):
        shutil.copy(clips / name, tmp_path / name)
    (tmp_path / "t.csv").write_text("clip,silent,y\nbikes.mp4,bikes.mp4,1.5\nbigbuckbunny.mp4,gone.mp4,2\n")
    views = read(tmp_path / "t.csv").views
    assert {view.name: (view.modality.value, view.columns) for view in views.values()} == {
        "clip": ("video", ("clip",)),
        "silent": ("video", ("silent",)),
        "clip_sound": ("audio", ("clip",)),
        "table": ("table", ("y",)),
    }


def test_views_of_the_user():
    frame = pd.DataFrame(
        {"a": [1.5, 2], "b": ["x", "y"], "c": ["d", "e"], "n": ["four words are here", "and four words more"]}
    )
    data = read(frame, views={"place": ["a", "b"]})
    assert data.views["place"].modality is Modality.TABLE
    assert data.views["table"].columns == ("c",)
    for views, said in (
        ({"v": ["a", "n"]}, "columns of one modality can be joined, got a is number, n is text"),
        ({"v": ["z"]}, "column 'z': no such column"),
        ({"v": []}, "expected a list of columns"),
        ({"v": "a"}, "expected a list of columns"),
        ({"n": ["a", "b"]}, "two views are called 'n'"),
    ):
        with pytest.raises(SchemaError, match=said):
            read(frame, views=views)
    with pytest.raises(SchemaError, match="column 'c' has the role target, expected input"):
        read(frame, target="c", views={"v": ["c"]})


def test_a_text_column_called_table_keeps_its_name():
    data = read(pd.DataFrame({"table": ["four words are here", "and four words more"], "a": [1.5, 2]}))
    assert {name: view.modality.value for name, view in data.views.items()} == {
        "table": "text",
        "table_columns": "table",
    }


def test_unknown_views_are_errors():
    data = read(pd.DataFrame({"a": [1.5, 2]}))
    with pytest.raises(SchemaError, match="view 'b': no such view; views are 'table'"):
        data.view_data("b")


def test_entities_are_a_view_where_asked_for():
    data = read(pd.DataFrame({"user_id": [7, 8, 7], "a": [1.5, 2, 3]}), columns={"user_id": "input"})
    assert data.views["user_id"].modality is Modality.ENTITY
    assert data.view_data("user_id").values == ["7", "8"]


def test_fingerprint_is_of_content_and_schema(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2, None], "b": ["x", "y", "x"]})
    print_ = read(frame).fingerprint
    assert read(frame.copy()).fingerprint == print_
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=1)
    assert read(tmp_path / "t.parquet").fingerprint == print_
    for other in (
        read(frame, target="b"),
        read(frame.iloc[::-1]),
        read(frame.fillna(0)),
        read(frame.rename(columns={"a": "c"})),
    ):
        assert other.fingerprint != print_


def test_taken_rows_are_numbered_anew(photos):
    taken = read(photos).take(np.array([1, 3]))
    assert isinstance(taken, Dataset)
    assert len(taken) == taken.rows == 2
    items = taken.view_data("front")
    assert items.ids[:, 0].tolist() == [0, 1]
    assert [media.row for media in items.values] == [0, 1]
    np.testing.assert_array_equal(taken.to_pandas(["price"])["price"], [0.5, 1.5])


def test_to_pandas_gives_the_cells():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    pd.testing.assert_frame_equal(read(frame).to_pandas(), frame, check_dtype=False)
    assert list(read(frame).to_pandas(["b"])) == ["b"]
    with pytest.raises(SchemaError, match="column 'bb'"):
        read(frame).to_pandas(["bb"])


def test_problems_of_one_kind_and_column_are_merged():
    data = read(pd.DataFrame({"a": [1.5, 2]}))
    for problem in (
        Problem("k", "a", "one", (0,), 1),
        Problem("k", "a", "two", (0, 1), 2),
        Problem("k", "b", "x", (), 1),
    ):
        data.note(problem)
    assert [problem.message for problem in data.problems] == ["two", "x"]
