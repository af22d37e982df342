"""A filter is a condition on own columns, whoever wrote it."""

import re
from datetime import time, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import ConfigError
from fusible.index import _filter
from fusible.index._filter import checked
from fusible.index.items import Items
from fusible.index.store import Index

COLUMNS = ["price", "kind", "tags"]


@pytest.mark.parametrize(
    "where",
    [
        "price < 20",
        "kind IN ('a', 'b;c', 'it''s -- fine')",
        "lower(kind) LIKE '%x%' OR NOT (price BETWEEN 1 AND 2)",
        "array_has(tags, 'a') AND cast(price AS int) % 2 = 0",
        "price IN (" + ",".join(map(str, range(20_000))) + ")",
        "CASE WHEN price > 3 THEN true ELSE kind = 'a' END",
        "\"kind\" = 'a' AND `price` > -1.5e3",
        "price IN (" + ",".join(f"-{row}" for row in range(300)) + ") AND abs(-1) = +1",
        "price::int != 3 AND kind || 'b' IN ('ab') AND kind <> '?' AND tags[1] = 'a'",
    ],
)
def test_a_condition_passes_as_it_is(where):
    assert checked(where, COLUMNS) == f"({where})"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("", "got an empty one"),
        ("  ", "got an empty one"),
        ("price < 3; DROP TABLE rows", "got ';'"),
        ("price < 3 -- and more", "got '--'"),
        ("price < 3 /* and more */", "got '/\\*'"),
        ("kind = 'open", 'got "\'"'),
        ('kind = "open', "got '\"'"),
        ("1 = 1) OR (1 = 1", "closes that was never opened"),
        ("(price < 3", "is not closed"),
        ("fusible_id = 'r1'", "no column 'fusible_id'"),
        ("_rowid < 3", "no column '_rowid'"),
        ("\"FUSIBLE_KEY\" = ''", "no column 'FUSIBLE_KEY'"),
        ("length(repeat('x', 1000000000)) > 1", "no function '?repeat'?, expected"),
        ("read_csv('/etc/passwd') = 1", "no function read_csv, expected"),
        ("`repeat`(kind, 2000000000) = 'a'", "no function .repeat., expected"),
        ("\"repeat\" (kind, 2000000000) = 'a'", "no function .repeat., expected"),
        ("`lower`(kind) = 'a'", "no function `lower`, expected"),
        ("'repeat'(kind, 9) = 'a'", "no function '?repeat'?, expected"),
        ("price < ?", r"got '\?'"),
        ("price < $1", r"got '\$'"),
        (":a < 3", "got ':'"),
        ("price < @x", "got '@'"),
        ("(" * 30 + "true" + ")" * 30, "20 nested parentheses"),
        ("price > 1" + "+1" * 2000, "200 operators"),
        ("price > 1" + "-1" * 2000, "200 operators"),
        ("price IN (" + ",".join(["1 - 1"] * 300) + ")", "200 operators"),
        ("price IN (" + "- " * 300 + "1)", "200 operators"),
        ("NOT " * 300 + "true", "200 operators"),
        ("price = " + "9" * 300_000, "300008 characters"),
    ],
)
def test_anything_else_is_refused_in_one_line(where, message):
    with pytest.raises(ConfigError, match=message) as caught:
        checked(where, COLUMNS)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="ab '\"`();-/*<1%", max_size=30))
def test_what_passes_holds_no_statement_outside_of_quotes(where):
    try:
        passed = checked(where, ["a", "b"])
    except ConfigError:
        return
    assert passed == f"({where})"
    bare = re.sub("'[^']*'|\"[^\"]*\"|`[^`]*`", "", where)
    assert not set(bare) & set(";'\"`")
    assert "--" not in bare.replace("''", "")
    assert bare.count("(") == bare.count(")")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("price <", "Expected: an expression"),
        ("price < 3 LIMIT 2", "Expected: "),
        ("size < 3", r"no column 'size' in this index, expected one of \['kind', 'price'\]"),
        ("(SELECT 1) = 1", "not supported"),
        ("EXISTS (SELECT 1)", "no function exists, expected"),
        ("price", "got a column or value that is not true or false; compare it"),
        ("price < 'abc'", "could not convert"),
        ("1 / 0 = 1 AND price > 0", "Divide by zero"),
    ],
)
def test_what_the_database_refuses_is_said_in_one_line(index, where, message):
    for ask in (lambda: index.search("image", np.ones((1, 6)), 3, where=where), lambda: index.words("a", where=where)):
        with pytest.raises(ConfigError, match=message) as caught:
            ask()
        assert "\n" not in str(caught.value)
        assert "/" not in str(caught.value).replace("1 / 0", "")


def test_what_the_engine_breaks_off_at_is_said_in_one_line(index, monkeypatch):
    monkeypatch.setattr(_filter, "_MARKS", {"<", "?", "(", ")"})
    with pytest.raises(ConfigError, match="LanceDB cannot read this condition"):
        index.search("image", np.ones((1, 6)), 3, where="price < ?")


def test_a_text_beside_a_date_says_how_a_date_is_written(tmp_path):
    columns = pa.table({"day": pa.array([0, 9], pa.date32()), "at": pa.array([0, 9], pa.timestamp("us"))})
    index = Index.create(tmp_path / "i", {"v": 2}, columns.schema, {})
    with index.writing("j") as writer:
        writer.put(Items(["one", "two"], {"v": np.eye(2)}, columns))
    for where, way in (
        ("day < '1970-01-05'", "date '1970-01-05'"),
        ("at < '1970-01-01 00:00:00.000004'", "timestamp '1970-01-01 00:00:00.000004'"),
    ):
        with pytest.raises(ConfigError, match=f"write {way}$"):
            index.search("v", np.ones((1, 2)), where=where)
        assert index.search("v", np.ones((1, 2)), where=f"{where.split()[0]} < {way}").ids == [["one"]]
    with pytest.raises(ConfigError, match=r"Int64\(5\) to Date32, the kind of the column; write date '2020-01-31'$"):
        index.search("v", np.ones((1, 2)), where="day < 5")


@pytest.mark.parametrize(
    ("where", "way"),
    [
        ("tod > '03:00'", "compare a part of it: date_part('hour', COLUMN) >= 8"),
        ("tod32 > '03:00:00'", "compare a part of it: date_part('hour', COLUMN) >= 8"),
        ("took > 3", "compare its nanoseconds: cast(COLUMN as bigint) > 60"),
        ("flag = true", "it holds text: write 'True' in quotes"),
        ("flag = 1", "it holds text: write '1' in quotes"),
        ("flag", "true and false of a CSV are text: write COLUMN = 'True'"),
        ("not flag", "true and false of a CSV are text: write COLUMN = 'True'"),
        ("yes = 1", "write COLUMN or not COLUMN"),
        ("price > '3'", "write a number without quotes"),
    ],
)
def test_what_is_of_another_kind_says_what_helps(tmp_path, where, way):
    times = [time(2), time(9)]
    columns = pa.table(
        {
            "tod": pa.array(times, pa.time64("us")),
            "tod32": pa.array(times, pa.time32("s")),
            "took": pa.array([timedelta(0), timedelta(1)], pa.duration("ns")),
            "flag": ["True", "False"],
            "yes": [True, False],
            "price": [1.0, 4.0],
        }
    )
    index = Index.create(tmp_path / "i", {"v": 2}, columns.schema, {})
    with index.writing("j") as writer:
        writer.put(Items(["one", "two"], {"v": np.eye(2)}, columns))
    with pytest.raises(ConfigError) as caught:
        index.search("v", np.ones((1, 2)), where=where)
    assert str(caught.value).endswith(way)
    for helps in (
        "date_part('hour', tod) >= 8", "date_part('hour', tod32) >= 8", "cast(took as bigint) > 60", "flag = 'False'",
        "not yes", "price > 3",
    ):  # fmt: skip
        assert index.search("v", np.ones((1, 2)), where=helps).ids == [["two"]], helps


def test_the_largest_filter_that_passes_does_not_crash_the_database(index):
    long = "price > 0" + "+1" * 190
    assert index.search("image", np.ones((1, 6)), 60, where=long + " OR price = 0").ids[0]
    deep = "(" * 18 + "price >= 0" + ")" * 18
    assert len(index.search("image", np.ones((1, 6)), 60, where=deep).ids[0]) == 60
    many = "price IN (" + ",".join(f"-{number}" for number in range(30_000)) + ")"
    assert index.search("image", np.ones((1, 6)), 60, where=many).ids[0] == ["r0"]
    many = "price IN (" + ",".join(str(number) for number in range(30_000)) + ")"
    assert len(index.search("image", np.ones((1, 6)), 60, where=many).ids[0]) == 60
