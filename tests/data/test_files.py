"""Table files."""

import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.data import files
from fusible.data.files import load_file
from fusible.errors import DataError, SchemaError

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
ROWS = st.lists(st.fixed_dictionaries({"a, b": CELL, 'c"d': CELL, "e": CELL}), min_size=1, max_size=8)


def write_delimited(path, rows, delimiter):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)


@given(ROWS)
def test_any_text_comes_back_equal_from_every_format(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("tables")
    write_delimited(folder / "t.csv", rows, ",")
    write_delimited(folder / "t.tsv", rows, "\t")
    (folder / "t.csv.gz").write_bytes(gzip.compress((folder / "t.csv").read_bytes()))
    (folder / "t.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), folder / "t.parquet")
    for name in ("t.csv", "t.tsv", "t.csv.gz", "t.parquet"):
        assert load_file(folder / name).to_pylist() == rows
    from_json = load_file(folder / "t.jsonl")
    if all(pa.types.is_large_string(field.type) for field in from_json.schema):  # text that looks like a date is one
        assert from_json.to_pylist() == rows


def test_csv_cells_are_text_and_only_unquoted_nulls_are_missing(tmp_path):
    (tmp_path / "t.csv").write_text('a,b\n007,1.5\nNA,"NA"\n,x\n"",null\n')
    assert load_file(tmp_path / "t.csv").to_pydict() == {"a": ["007", None, None, ""], "b": ["1.5", "NA", "x", None]}


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_in_a_csv_is_found(tmp_path, delimiter):
    (tmp_path / "t.csv").write_text(delimiter.join("ab") + "\n" + delimiter.join(["1,5", "x"]) + "\n")
    assert load_file(tmp_path / "t.csv").to_pylist() == [{"a": "1,5", "b": "x"}]


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfa,b\r\n1,x\r\n")
    assert load_file(tmp_path / "t.csv").to_pylist() == [{"a": "1", "b": "x"}]
    (tmp_path / "t.jsonl").write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}\r\n')
    assert load_file(tmp_path / "t.jsonl").to_pydict() == {"a": [1, 2]}


def test_jsonl_keeps_types_and_missing_keys_are_null(tmp_path):
    (tmp_path / "t.ndjson").write_text('{"a": 1, "b": ["x"]}\n\n{"a": 2.5, "c": true}\n')
    assert load_file(tmp_path / "t.ndjson").to_pylist() == [
        {"a": 1.0, "b": ["x"], "c": None},
        {"a": 2.5, "b": None, "c": True},
    ]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_million_characters_in_one_cell(tmp_path, name, monkeypatch):
    monkeypatch.setattr(files, "_BLOCKS", (1 << 16, 1 << 19, 1 << 22))  # the row straddles two block sizes
    rows = [{"a": "x" * 10**6, "b": "1"}, {"a": "short", "b": "2"}]
    if name == "t.csv":
        write_delimited(tmp_path / name, rows, ",")
    else:
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    assert load_file(tmp_path / name).to_pylist() == rows


def test_pandas_index_is_left_out_of_parquet(tmp_path):
    import pandas as pd

    pd.DataFrame({"a": [1, 2]}, index=[5, 3]).to_parquet(tmp_path / "t.parquet")
    assert load_file(tmp_path / "t.parquet").column_names == ["a"]


@pytest.mark.parametrize(
    ("name", "content", "error", "said"),
    [
        ("t.csv", b"a,b\n1,2\n3\n", DataError, r"t\.csv: line 3: expected 2 cells, got 1"),
        ("t.csv", b'a,b\n"x\ny",2\n3,4,5\n', DataError, "line 4: expected 2 cells, got 3; quote cells that hold ','"),
        ("t.csv", b"a,b\n1,2\n3,\xff\n", DataError, r"not UTF-8 at line 3, byte 10 \(0xff\); save the table as UTF-8"),
        ("t.jsonl", b'{"a": "x"}\n{"a": "\xe4"}\n', DataError, r"not UTF-8 at line 2, byte 18 \(0xe4\)"),
        ("t.jsonl", b'{"a": 1}\n{"a": "x"}\n', DataError, "changed from number to string in row 1"),
        ("t.jsonl", b'{"a": 1', DataError, "not readable JSON Lines"),
        ("t.jsonl", b"", DataError, "no rows"),
        ("t.csv", b"", DataError, "the table is empty"),
        ("t.csv", b"\n \n", DataError, "the table is empty"),
        ("t.csv", b"a,b,a\n1,2,3\n", SchemaError, "two columns are called 'a'"),
        ("t.parquet", b"PAR1 not really", DataError, "not a readable Parquet file"),
        ("t.csv.gz", b"not gzip", DataError, "cannot be read"),
        ("t.xlsx", b"x", DataError, r"not a table: expected \.csv"),
    ],
)
def test_errors_are_one_line_and_name_the_place(tmp_path, name, content, error, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=said) as caught:
        load_file(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_missing_file():
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        load_file(files.Path("nowhere.csv"))


def test_scanning_for_ragged_rows_leaves_the_csv_module_as_it_was(tmp_path):
    limit = csv.field_size_limit()
    (tmp_path / "t.csv").write_text(f"a,b\n{'x' * 200_000},1\n2\n")
    with pytest.raises(DataError, match="line 3"):
        load_file(tmp_path / "t.csv")
    assert csv.field_size_limit() == limit
    assert list(csv.reader(io.StringIO("a,b"))) == [["a", "b"]]


def test_a_large_parquet_file_is_mapped_from_disk(tmp_path, monkeypatch):
    table = pa.table({"a": [b"x" * 10_000] * 1000, "b": ["y"] * 1000, "c": range(1000)})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=300)
    small = load_file(tmp_path / "t.parquet")
    monkeypatch.setattr(files, "IN_MEMORY", 0)
    before = pa.total_allocated_bytes()
    mapped = load_file(tmp_path / "t.parquet")
    assert pa.total_allocated_bytes() - before < 2_000_000
    assert mapped.equals(small)
    assert mapped.nbytes > 10_000_000
