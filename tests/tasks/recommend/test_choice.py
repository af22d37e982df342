"""Conditions on items, and a diverse choice of them."""

import numpy as np
import pandas as pd
import pytest

from fusible.errors import ConfigError
from fusible.tasks.recommend._diverse import pick
from fusible.tasks.recommend._where import matching

FILMS = pd.DataFrame(
    {
        "year": ["1995", "unknown", "1980", None],
        "genre": ["Comedy Drama", "comedy", "Drama", None],
        "it's odd": [1.5, 2.0, None, 4.0],
    },
    dtype=object,
)


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("year >= 1990", [0]),
        ("year >= 1990 and genre contains Comedy", [0]),
        ("genre contains 'comedy'", [0, 1]),
        ("genre != 'what contains Comedy' and genre contains comedy", [0, 1]),
        ("genre = 'Drama' or year = '1995'", [0, 2]),
        ("not genre contains Drama", [1]),
        ('"it\'s odd" between 2 and 4', [1, 3]),
        ("year is null", [1, 3]),
        ("upper(genre) like '%DRAMA'", [0, 2]),
        ("genre in ('comedy', 'Drama')", [1, 2]),
    ],
)
def test_conditions(where, rows):
    assert np.flatnonzero(matching(FILMS, where)).tolist() == rows


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("", "expected an SQL condition"),
        ("size > 3", "no column 'size' of items; expected one of year, genre, it's odd"),
        ("year > 1990; drop table items", "expected one SQL condition"),
        ("year > 1990 --", "no comments"),
        ("load_extension('x')", "no function load_extension"),
        ("year in (select 1)", "got a query in it"),
        ("(select 1 from sqlite_master) > 0", "got a query in it"),
        ("year >", "expected an SQL condition such as"),
    ],
)
def test_nothing_else_than_a_condition_is_read(where, said):
    with pytest.raises(ConfigError, match=said):
        matching(FILMS, where)


def test_columns_that_differ_by_capitals_are_said():
    with pytest.raises(ConfigError, match="columns of items differ from 'Year' by capitals alone"):
        matching(FILMS.assign(Year="1"), "year > 3")


def test_diversity_takes_unlike_items_first():
    kinds = np.array([0, 0, 0, 1, 1, 2])
    scores = np.array([9.0, 8.9, 8.8, 5.0, 4.9, 1.0])

    def alike(places):
        return (kinds[places][:, None] == kinds[places]).astype(float)

    assert pick(scores, 3, 0.0, alike).tolist() == [0, 1, 2]
    assert pick(scores, 3, 0.5, alike).tolist() == [0, 3, 5]
    assert pick(scores, 3, 1.0, alike).tolist() == [0, 3, 5]
    distinct = [len(set(kinds[pick(scores, 3, d, alike)])) for d in (0.0, 0.2, 0.4, 0.6)]
    assert distinct == sorted(distinct)
    assert pick(np.where(kinds == 0, -np.inf, scores), 9, 0.5, alike).tolist() == [3, 5, 4]
    with pytest.raises(ConfigError, match="expected a number from 0 to 1"):
        pick(scores, 3, 1.5, alike)
