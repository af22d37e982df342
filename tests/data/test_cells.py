"""Cells of Arrow columns."""

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.data.cells import ByteCells, absent, as_names, as_numbers, normalise, parse_numbers
from fusible.errors import DataError


def column(cells, kind=None):
    plain = pa.table({"x": pa.array(cells, kind)})
    return normalise(plain).column("x")


@given(st.lists(st.one_of(st.none(), st.integers(-(10**17), 10**17)), min_size=1))
def test_integers_in_text_are_read_exactly(values):
    numbers, bad = parse_numbers(column([None if v is None else f" {v} " for v in values], pa.string()))
    assert numbers.to_pylist() == values
    assert not bad.any()


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_floats_in_text_are_read_exactly(values):
    numbers, bad = parse_numbers(column([repr(v) for v in values]))
    assert numbers.to_pylist() == values
    assert not bad.any()


def test_what_is_no_number_is_named_and_null():
    numbers, bad = parse_numbers(column(["1.5", "two", "", None, "0x10", "1,000", "+3e2", ".5", "-inf"]))
    assert numbers.to_pylist() == [1.5, None, None, None, None, None, 300.0, 0.5, -math.inf]
    assert bad.tolist() == [False, True, False, False, True, True, False, False, False]


def test_dates_are_seconds():
    day = dt.datetime(2020, 5, 17, tzinfo=dt.UTC).timestamp()
    np.testing.assert_array_equal(as_numbers(column(["2020-05-17", None])), [day, np.nan])
    np.testing.assert_array_equal(as_numbers(column(["2020-05-17T00:00:01Z"])), [day + 1])
    np.testing.assert_array_equal(as_numbers(column([dt.date(2020, 5, 17)])), [day])
    np.testing.assert_array_equal(as_numbers(column([dt.datetime(2020, 5, 17, 0, 0, 0, 500000)])), [day + 0.5])
    np.testing.assert_array_equal(as_numbers(column([dt.time(1, 1, 1)])), [3661])
    np.testing.assert_array_equal(as_numbers(column([dt.timedelta(minutes=2)])), [120])


def test_numbers_of_other_types():
    np.testing.assert_array_equal(as_numbers(column([1, None, 3])), [1, np.nan, 3])
    np.testing.assert_array_equal(as_numbers(column([math.inf, math.nan, 0.5])), [np.nan, np.nan, 0.5])
    np.testing.assert_array_equal(as_numbers(column([True, False, None])), [1, 0, np.nan])
    np.testing.assert_array_equal(as_numbers(column([None, None])), [np.nan, np.nan])
    with pytest.raises(DataError, match="cannot be read as numbers"):
        as_numbers(column([b"x"]))


def test_names_are_spelled_alike_whatever_the_type():
    expected = ["1", None, "2"]
    for cells in ([1, None, 2], [1.0, math.nan, 2.0], ["1", "", "2"], [b"1", b"", b"2"]):
        assert as_names(column(cells)).tolist() == expected
    assert as_names(column([True, None, False])).tolist() == ["True", None, "False"]
    assert as_names(column([0.1, -2.5])).tolist() == ["0.1", "-2.5"]
    assert as_names(column([["b", "a"], [], None])).tolist() == ["a, b", None, None]
    assert as_names(column(["a", None, "a"]).slice(3)).tolist() == []


def test_names_over_several_chunks():
    cells = pa.chunked_array([["a", "b"], ["b", None, "c"]])
    assert as_names(cells).tolist() == ["a", "b", "b", None, "c"]


def test_absent_cells():
    assert absent(column(["a", "", "  ", None])).tolist() == [False, True, True, True]
    assert absent(column([b"a", b"", None])).tolist() == [False, True, True]
    assert absent(column([1.0, math.nan, None, math.inf])).tolist() == [False, True, True, False]
    assert absent(column([["a"], [], None])).tolist() == [False, True, True]
    assert absent(column([None, None])).tolist() == [True, True]


def test_one_type_stands_for_all_of_its_sort():
    table = pa.table({
        "dictionary": pa.array(["a", "b"]).dictionary_encode(),
        "view": pa.array(["a", "b"], pa.string_view()),
        "bytes": pa.array([b"a", b"b"], pa.binary(1)),
        "decimal": pa.array([1, 2], pa.decimal128(5, 2)),
        "integer": pa.array([1, 2], pa.int8()),
    })  # fmt: skip
    kinds = [str(field.type) for field in normalise(table).schema]
    assert kinds == ["large_string", "large_string", "large_binary", "double", "int8"]
    assert normalise(table).to_pylist()[1] == {
        "dictionary": "b",
        "view": "b",
        "bytes": b"b",
        "decimal": 2,
        "integer": 2,
    }


@given(st.lists(st.lists(st.one_of(st.none(), st.binary(max_size=5)), max_size=5), max_size=4), st.data())
def test_bytes_are_seen_without_copying(chunks, data):
    cells = pa.chunked_array([pa.array(chunk, pa.large_binary()) for chunk in chunks], pa.large_binary())
    cells = cells.slice(data.draw(st.integers(0, len(cells))))
    seen = ByteCells(cells)
    assert [bytes(seen[row]) for row in range(len(cells))] == [cell or b"" for cell in cells.to_pylist()]


def test_media_structs_give_bytes_or_paths():
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    assert column([{"bytes": b"x", "path": "p"}, None], kind).to_pylist() == [b"x", None]
    assert column([{"bytes": None, "path": "p"}, None], kind).to_pylist() == ["p", None]
    with pytest.raises(DataError, match="column 'x', row 1: a path without bytes"):
        column([{"bytes": b"x", "path": "p"}, {"bytes": None, "path": "q"}], kind)
