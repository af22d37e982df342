"""Ratings, items and users as they come: what is guessed, left out, said."""

import _liked
import numpy as np
import pandas as pd
import pytest

from fusible.errors import ConfigError, DataError, SchemaError
from fusible.tasks.recommend._linked import bag_of, linked
from fusible.tasks.recommend._people import read_people
from fusible.tasks.recommend.items import items_of, read_items
from fusible.tasks.recommend.ratings import read_ratings


def test_columns_are_guessed_or_said():
    frame = pd.DataFrame({"UserID": ["a", "b"], "movie_id": [1, 2], "stars": [3, 4], "date": [10, 20], "x": [0, 0]})
    found = read_ratings(frame)
    assert found.columns == {"user": "UserID", "item": "movie_id", "rating": "stars", "time": "date"}
    assert (found.users, found.items, found.rating.tolist()) == (("a", "b"), ("1", "2"), [3.0, 4.0])
    other = pd.DataFrame({"who": ["a"], "what": ["b"]})
    with pytest.raises(SchemaError, match="which column names the user\\? The table has who, what; say --user-column"):
        read_ratings(other)
    assert len(read_ratings(other, {"user": "who", "item": "what"})) == 1
    with pytest.raises(SchemaError, match="no column 'wer'; expected one of who, what"):
        read_ratings(other, {"user": "wer"})


def test_the_latest_of_a_pair_counts():
    frame = pd.DataFrame({"user": ["a", "a", "a"], "item": ["x", "x", "y"], "rating": [1, 5, 3], "time": [20, 10, 5]})
    found = read_ratings(frame)
    assert dict(zip([found.items[i] for i in found.item], found.rating, strict=True)) == {"x": 1.0, "y": 3.0}
    assert [problem.kind for problem in found.problems] == ["duplicate"]
    without = read_ratings(frame.drop(columns="time"))
    assert dict(zip([without.items[i] for i in without.item], without.rating, strict=True)) == {"x": 5.0, "y": 3.0}


def test_rows_without_names_or_ratings_are_said():
    frame = pd.DataFrame({"user": ["a", None, "b"], "item": ["x", "y", "z"], "rating": ["4", "5", "good"]})
    found = read_ratings(frame, None)
    assert found.items == ("x", "z")
    assert [problem.kind for problem in found.problems] == ["unnamed", "no rating"]
    assert np.isnan(found.rating[1])
    with pytest.raises(DataError, match="no row names both a user and an item"):
        read_ratings(pd.DataFrame({"user": [None, "a"], "item": ["x", None]}))


def test_ratings_below_the_least_do_not_count():
    frame = pd.DataFrame({"user": ["a", "a"], "item": ["x", "y"], "rating": [2, 4]})
    assert read_ratings(frame, least=3).items == ("y",)
    with pytest.raises(DataError, match="no row names both a user and an item and has a rating of at least 9"):
        read_ratings(frame, least=9)
    with pytest.raises(SchemaError, match="needs a column of ratings"):
        read_ratings(frame.drop(columns="rating"), least=3)


def test_tags_are_guessed_and_items_told():
    table = read_items(_liked.films(), "film_id")
    assert dict(table.tags) == {"genre": "|"}
    assert "'genre' taken as several tags per cell" in table.problems[0].message
    found = items_of(("s1", "bare", "gone", "l1"), table, encoders={"text": "text_tfidf"})
    assert set(found.views) == {"text", "table", "tags"}
    assert found.names == ("The mars", "bare", "gone", "A paris")
    likeness = found.kernels()["tags"]
    assert likeness[1].tolist() == likeness[2].tolist() == [0.0] * 4  # nothing is known of their tags
    assert any("1 item(s) of the ratings have no row" in problem.message for problem in found.problems)


def test_no_tags_where_none_are_wanted():
    assert dict(read_items(_liked.films(), "film_id", tags=[]).tags) == {}


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda t: t.assign(film_id=[None, *t.film_id[1:]]), DataError, "row 0 has no 'film_id'"),
        (lambda t: t.assign(film_id=["s1", *t.film_id[1:]]), DataError, "'s1' stands in two rows"),
        (lambda t: t.rename(columns={"film_id": "film"}), SchemaError, "no column 'film_id'.* say --item-id NAME"),
    ],
)
def test_a_table_of_items_names_each_once(change, error, said):
    with pytest.raises(error, match=said):
        read_items(change(_liked.films()), "film_id")


def test_a_bag_weighs_rarity_and_counts_kinds_alike():
    cells = [{("by", "Ada"), ("with", "X"), ("with", "Y")}, {("by", "Ada"), ("with", "X")}, {("by", "Bo")}, set()]
    bag = bag_of(cells)
    assert bag.terms == (("by", "Ada"), ("with", "X"))  # what one alone has says nothing
    np.testing.assert_allclose(bag.values.toarray(), [[0.5**0.5] * 2] * 2 + [[0, 0]] * 2, atol=1e-6)


def test_a_relation_and_its_inverse_count_once():
    from fusible.data.graph import read_graph

    graph = read_graph(_liked.triples())
    films = {row: f"f:s{row}" for row in range(4)}
    bag = linked(graph, films, 5)
    assert bag.terms == (("directed by", "Ada"), ("directed by", "Bo"))
    assert bag.values.toarray()[4].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(bag.values.toarray()[0], [1.0, 0.0])


def test_an_item_of_two_entities_is_said():
    links = pd.concat([_liked.links(), _liked.links()[:2].assign(entity=["zz", "yy"]), _liked.links()])
    found = items_of(("s0", "s1", "s2", "s3"), graph=_liked.triples(), links=links)
    assert [p.message for p in found.problems if p.column == "links"] == [
        "2 item(s) are linked to several entities; the first by name counts"
    ]
    assert (np.diff(found.views["graph"].indptr) > 0).all()


def test_a_user_of_two_rows_is_refused():
    people = pd.concat([_liked.people(), _liked.people()[:1].assign(job="poet")])
    with pytest.raises(DataError, match="'u0' stands in several rows"):
        read_people(people, ("u0", "u1"))


def test_a_graph_that_tells_of_no_item_is_said():
    with pytest.raises(DataError, match="no item is linked to anything that another one is"):
        items_of(("s1", "s2"), graph=_liked.triples())


def test_people_are_levels_and_ranges():
    people, told = read_people(_liked.people(), ("u0", "u1", "u2", "u3", "stranger"))
    names = [f"{column} {value}" for column, value in people.names]
    assert names[:2] == ["job engineer", "job poet"]
    assert told.shape == (5, len(names))
    assert told[:, :2].tolist() == [[1, 0], [0, 1], [1, 0], [0, 1], [0, 0]]
    assert told[4].tolist() == [0.0] * len(names)
    with pytest.raises(DataError, match="none of the ratings' users is in the column 'user'"):
        read_people(_liked.people(), ("nobody",))


def test_what_is_said_of_one_user_is_checked():
    people, told = read_people(_liked.people(), [f"u{n}" for n in range(40)])
    np.testing.assert_array_equal(people.encode_one({"job": "poet", "age": 21}), told[1:2])
    for said, why in (
        ({"job": "king"}, "about job=king: nobody of the ratings has it; expected one of engineer, poet"),
        ({"age": "old"}, "about age=old: expected a number"),
        ({"size": 1}, "about size: users are known by job, age"),
    ):
        with pytest.raises(ConfigError, match=why):
            people.encode_one(said)
