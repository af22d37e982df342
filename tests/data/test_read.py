"""Reading tables."""

import csv
import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.data.read import read
from fusible.errors import DataError, SchemaError, TargetError
from fusible.types import Column, Modality, Role

WORD = st.sampled_from(["red", "green", "dark blue", "grün", "no, really", 'with "quotes"', "two\nlines"])
ROW = st.fixed_dictionaries({
    "size": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=32)),
    "count": st.one_of(st.none(), st.integers(-1000, 1000)),
    "kind": st.one_of(st.none(), WORD),
    "flag": st.booleans(),
    "note": st.lists(WORD, min_size=4, max_size=8).map(" ".join),
})  # fmt: skip
SCHEMA = {"size": "number", "count": "number", "kind": "category", "flag": "category", "note": "text"}


def write(folder, rows):
    """One table in every format; CSV as pandas writes it."""
    frame = pd.DataFrame(rows, columns=list(rows[0]))
    frame["count"] = frame["count"].astype("Int64")
    frame.to_csv(folder / "t.csv", index=False, quoting=csv.QUOTE_MINIMAL)
    frame.to_csv(folder / "t.tsv.gz", index=False, sep="\t")
    (folder / "t.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), folder / "t.parquet")
    return {
        **{name: folder / name for name in ("t.csv", "t.tsv.gz", "t.jsonl", "t.parquet")},
        "frame": frame,
        "arrow": pa.Table.from_pylist(rows),
    }


@given(st.lists(ROW, min_size=1, max_size=12))
def test_every_format_gives_the_same_views(tmp_path_factory, rows):
    sources = write(tmp_path_factory.mktemp("tables"), rows)
    for name, source in sources.items():
        data = read(source, columns=SCHEMA)
        frame = data.view_data("table").values
        for column in ("size", "count"):
            expected = [np.nan if row[column] is None else row[column] for row in rows]
            np.testing.assert_allclose(frame[column], expected, rtol=1e-6, err_msg=name)
        assert frame["kind"].tolist() == [row["kind"] for row in rows], name
        assert frame["flag"].tolist() == [str(row["flag"]) for row in rows], name
        notes = data.view_data("note")
        assert [notes.values[number] for number in notes.ids[:, 0]] == [row["note"] for row in rows], name
        assert len(notes.values) == len(set(notes.keys)) == len({row["note"] for row in rows}), name


def test_inferred_schema_is_the_same_in_every_format(tmp_path):
    rows = [
        {"size": i / 3, "count": i % 7, "kind": ["red", "blue"][i % 2], "flag": i % 3 == 0, "note": f"this is note {i}"}
        for i in range(60)
    ]
    for name, source in write(tmp_path, rows).items():
        found = {column.name: column.modality.value for column in read(source).columns.values()}
        assert found == SCHEMA, name


def test_a_folder_is_one_table_and_its_file_names_are_the_split(tmp_path):
    for name, first in (("train", 0), ("valid", 6), ("test-00000-of-00001", 8)):
        (tmp_path / f"{name}.csv").write_text(f"a,b\n{first}.5,x\n{first + 1},y\n")
    (tmp_path / "notes.txt").write_text("no table")
    data = read(tmp_path)
    assert data.rows == 6
    assert data.root == tmp_path
    assert {name: data.to_pandas(["a"])["a"][rows].tolist() for name, rows in data.split().parts.items()} == {
        "train": [0.5, 1.0],
        "valid": [6.5, 7.0],
        "test": [8.5, 9.0],
    }
    (tmp_path / "more.csv").write_text("a,b\n1,x\n")
    assert read(tmp_path).split() is None


def test_folders_that_are_no_table(tmp_path):
    with pytest.raises(DataError, match="no table in the folder"):
        read(tmp_path)
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x,z\n1,2\n")
    with pytest.raises(SchemaError, match=r"a\.csv and b\.csv differ in column 'y'; name one file"):
        read(tmp_path)


def test_a_folder_of_two_formats_with_other_types_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.jsonl").write_text('{"x": 1, "y": 2}\n')
    with pytest.raises(SchemaError, match="the files' columns differ in type"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("nowhere/t.csv", DataError, r"nowhere/t\.csv: no such file or folder"),
        (pd.DataFrame({"a": []}), DataError, "the DataFrame: the table has no rows"),
        (pd.DataFrame(index=[0, 1]), DataError, "the DataFrame: the table has no"),
        (pa.table({"a": pa.array([], pa.int8())}), DataError, "the Table: the table has no rows"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), SchemaError, "two columns are called 'a'"),
        (pd.DataFrame({"a": [1, "x", [2]]}), DataError, "column 'a' of the DataFrame: cells of one type"),
        (pa.table([[1], [2]], names=["a", "a"]), SchemaError, "two columns are called 'a'"),
    ],
)
def test_errors(source, error, said):
    with pytest.raises(error, match=said) as caught:
        read(source)
    assert "\n" not in str(caught.value)


def test_a_header_without_rows(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n")
    with pytest.raises(DataError, match=r"t\.csv: the table has no rows"):
        read(tmp_path / "t.csv")


def test_a_data_set_is_returned_as_it_is_unless_something_is_said():
    data = read(pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}))
    assert read(data) is data
    again = read(data, target="b")
    assert again.columns["b"].role is Role.TARGET
    assert data.columns["b"].role is Role.INPUT


def test_odd_numbers_are_counted_and_named(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1.5,a\ninf,b\n-inf,c\nfew,d\n2,e\n")
    data = read(tmp_path / "t.csv", columns={"x": "number"})
    assert [(p.kind, p.column, p.rows, p.count) for p in data.problems] == [
        ("not a number", "x", (3,), 1),
        ("infinite numbers", "x", (1, 2), 2),
    ]
    np.testing.assert_array_equal(data.view_data("table").values["x"], [1.5, np.nan, np.nan, np.nan, 2])
    nan = read(pa.table({"x": [1.0, math.nan]}))
    assert [(p.kind, p.rows) for p in nan.problems] == [("NaN", (1,))]


def test_a_csv_with_codes_keeps_their_zeros(tmp_path):
    (tmp_path / "t.csv").write_text("code,n\n007,1\n010,2\n007,1\n")
    data = read(tmp_path / "t.csv")
    assert data.columns["code"].modality is Modality.CATEGORY
    assert data.view_data("table").values["code"].tolist() == ["007", "010", "007"]


LIKE = [
    Column("code", Modality.CATEGORY, Role.INPUT, "r"),
    Column("size", Modality.NUMBER, Role.INPUT, "r"),
    Column("word", Modality.TEXT, Role.INPUT, "r"),
    Column("y", Modality.CATEGORY, Role.TARGET, "r"),
    Column("part", Modality.CATEGORY, Role.SPLIT, "r"),
]


def test_like_takes_the_schema_of_a_model(tmp_path):
    (tmp_path / "t.csv").write_text("word,size,code,extra\n1,x,5,1.5\n2,3,05,2.5\n")
    data = read(tmp_path / "t.csv", like=LIKE)
    assert {c.name: (c.modality.value, c.role.value) for c in data.columns.values()} == {
        "word": ("text", "input"),
        "size": ("number", "input"),
        "code": ("category", "input"),
        "extra": ("category", "ignore"),
    }
    assert data.columns["extra"].reason == "not known to the model"
    frame = data.view_data("table").values
    assert frame["code"].tolist() == ["5", "05"]
    np.testing.assert_array_equal(frame["size"], [np.nan, 3])
    assert data.view_data("word").values == ["1", "2"]
    assert [(p.kind, p.column) for p in data.problems] == [("not a number", "size")]


def test_like_reads_a_whole_number_column_as_the_same_categories():
    trained = [Column("code", Modality.CATEGORY, Role.INPUT, "r")]
    for cells in (["1", "2"], [1, 2], [1.0, 2.0]):
        assert read(pd.DataFrame({"code": cells}), like=trained).view_data("table").values["code"].tolist() == [
            "1",
            "2",
        ]


def test_like_needs_inputs_but_no_target(tmp_path):
    with pytest.raises(SchemaError, match="column 'size', an input of the model, is missing; did you mean 'siz'"):
        read(pd.DataFrame({"code": ["a"], "siz": [1], "word": ["b"]}), like=LIKE)
    data = read(pd.DataFrame({"code": ["a"], "size": [1], "word": ["b"], "y": ["c"]}), like=LIKE)
    assert data.columns["y"].role is Role.TARGET
    changed = read(data, like=LIKE, columns={"word": "ignore"}, target="y")
    assert changed.columns["word"].role is Role.IGNORE
    with pytest.raises(TargetError, match="target 'z'"):
        read(data, like=LIKE, target="z")


def test_all_columns_null_or_constant():
    data = read(pd.DataFrame({"a": [None] * 5, "b": [1] * 5, "c": [1.5, 2, 2, 2, 2]}))
    assert [column.role for column in data.columns.values()] == [Role.IGNORE, Role.IGNORE, Role.INPUT]
    one = read(pd.DataFrame({"b": [1], "c": ["x"]}))
    assert [column.role for column in one.columns.values()] == [Role.INPUT, Role.INPUT]


def test_column_names_of_a_frame_may_be_numbers():
    assert list(read(pd.DataFrame({0: [1.5, 2], 1: ["a", "b"]})).columns) == ["0", "1"]
