"""A small world: what is recommended, why, to whom; and what is refused."""

import _liked
import numpy as np
import pandas as pd
import pytest

import fusible
from fusible.errors import ConfigError, DataError, ModelFormatError
from fusible.tasks.recommend._reasons import Reasons


def kinds(found):
    """The first letters of items: s of space, l of love."""
    return "".join(name[0] for name in found["item"])


def test_candidates_are_measured_and_the_choice_is_the_best_on_validation(fitted):
    names = [row.name for row in fitted.rows]
    assert names == ["popular", "nearest items", "als", "content", "ease", "ease damped", "ease+views", "fused"]
    assert fitted.row(fitted.chosen).valid == max(row.valid for row in fitted.rows if row.kind != "baseline")
    assert fitted.row("fused").test["ndcg@10"].score > fitted.row("popular").test["ndcg@10"].score
    assert fitted.sizes["interactions"] == sum(fitted.sizes[part] for part in ("train", "valid", "test"))
    assert {"users", "items"} <= set(fitted.to_json()["sizes"])


def test_people_are_recommended_their_kind(model):
    for user, kind in (("u2", "s"), ("u3", "l")):
        found = model.recommend(user, k=3)
        had = set(
            np.array(model.ratings.items)[model.ratings.item[model.ratings.user == model.ratings.users.index(user)]]
        )
        assert not had & set(found["item"])
        assert kinds(found).count(kind) >= 2
        assert found["score"].is_monotonic_decreasing
    assert had <= set(model.recommend("u3", k=30, seen=True)["item"])


def test_items_that_nobody_had_are_scored_by_what_is_known_of_them(model):
    scores = pd.Series(model.scores(model.asked("u2")), index=model.items.ids)
    assert scores["s7"] > scores["l7"]
    scores = pd.Series(model.scores(model.asked("u3")), index=model.items.ids)
    assert scores["l7"] > scores["s7"]


def test_a_history_needs_no_fit_and_is_what_a_user_is(model):
    row = model.ratings.users.index("u4")
    had = [model.ratings.items[place] for place in model.ratings.item[model.ratings.user == row]]
    own = {column: _liked.people().set_index("user").loc["u4", column] for column in ("job", "age")}
    pd.testing.assert_series_equal(
        model.recommend("u4", k=5)["score"], model.recommend(history=had, about=own, k=5)["score"]
    )
    assert kinds(model.recommend(history=["l0", "l1"], k=3)).count("l") >= 2


def test_somebody_who_had_nothing_gets_what_is_popular(model):
    found = model.recommend(history=[], k=3)
    counts = model.parts.count[[model.items.ids.index(name) for name in found["item"]]]
    assert counts.tolist() == sorted(model.parts.count, reverse=True)[:3]
    assert found["reasons"][0][0]["text"].startswith("popular: ")
    assert len(model.recommend("one", k=3)) == 3  # one interaction only


def test_items_that_go_with_an_item(model):
    found = model.recommend(item="l2", k=4)
    assert "l2" not in set(found["item"])
    assert kinds(found).count("l") >= 3


def test_a_wish_is_ranked_by_words(model):
    found = model.recommend(wish="astronauts on a star ship", k=5, popularity=0.0)
    assert kinds(found) == "sssss"
    assert found["reasons"][0][0]["kind"] == "wish"
    personal = model.recommend("u3", wish="lovers or astronauts", k=3)
    assert len(personal) == 3


def test_terms_are_the_score(model):
    """What terms add differs between items as scores do: nothing of a score is left out of its reasons."""
    why = Reasons(model.parts, model.items, model.ratings, model.people, model.kernels)
    asked = model.asked("u2")
    scores = model.scores(asked)
    rows = np.setdiff1d(np.flatnonzero(model.parts.warm), asked.had.indices)
    told = np.array([sum(values.sum() for values in why.terms(asked, int(row)).values()) for row in rows])
    np.testing.assert_allclose(told - told[0], scores[rows] - scores[rows][0], atol=2e-4)


@pytest.mark.parametrize("user", [None, "u3"])
def test_reasons_of_a_wish_add_up(model, user):
    """Shares are of all that speaks for an item: the wish, popularity, and what is said for the user."""
    found = model.recommend(user, wish="a rose and tears", k=17, reasons=20, popularity=1.0)
    added = [sum(one["adds"] for one in said) for said in found["reasons"]]
    assert all(sum(one["share"] for one in said) <= 1 + 1e-3 for said in found["reasons"])
    assert len({one["kind"] for one in found["reasons"][0]}) > 1
    if user is None:  # nothing counts against the first ones, and what is 5 % at least is told
        np.testing.assert_allclose(added[0], found["score"][0], rtol=0.05)


def test_numbers_name_users_and_items():
    held = fusible.fit_recommender(
        pd.DataFrame([{"user": u, "item": 10 * i} for u in range(6) for i in range(u % 3, u % 3 + 4)]), factors=False
    ).model
    assert held.recommend(3, k=1, deny=[np.int64(10)])["item"].equals(held.recommend("3", k=1, deny=["10"])["item"])


def test_reasons_of_new_items_name_what_they_share(model):
    found = model.recommend("u2", allow=["s7"], k=1)
    reasons = found["reasons"][0]
    assert {one["kind"] for one in reasons} <= {"graph", "tags", "text", "table", "popular"}
    assert all(one["share"] > 0 for one in reasons)
    assert sum(one["share"] for one in reasons) <= 1.0 + 1e-3


def test_a_reason_by_the_graph_says_the_relation():
    """The graph alone tells of items: a new film is recommended for its director."""
    result = fusible.fit_recommender(_liked.ratings(), graph=_liked.triples(), links=_liked.links(), factors=False)
    assert "s7" not in result.model.ratings.items  # no table names it
    table = _liked.films()[["film_id"]].assign(year=2000)
    result = fusible.fit_recommender(
        _liked.ratings(), items=table, item="film_id", graph=_liked.triples(), links=_liked.links(), factors=False
    )
    found = result.model.recommend(history=["s1", "s3", "s5"], allow=["s7"], k=1)
    graph = next(one for one in found["reasons"][0] if one["kind"] == "graph")
    assert graph["text"].startswith("same directed by (Bo) as ")
    assert set(graph["because"]) <= {"s1", "s3", "s5"}


def test_filters_and_lists(model):
    found = model.recommend("u2", k=30, where="year >= 1990 and genre contains Comedy")
    assert set(found["item"]) <= {"l1", "l3", "l5", "l7"}
    assert model.recommend("u2", k=30, allow=["s7", "l7"], deny=["l7"])["item"].tolist() == ["s7"]
    with pytest.raises(DataError, match=r"no item of 18 is left to show \(limits: where, had already\); loosen"):
        model.recommend("u2", where="year > 3000")


def test_diversity_shows_other_kinds(model):
    plain, diverse = (model.recommend("u2", k=4, seen=True, diversity=d) for d in (0.0, 0.9))
    assert set(kinds(plain)) == {"s"}
    assert len(set(kinds(diverse))) > 1
    assert plain["item"][0] == diverse["item"][0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"user": "u400"}, "no user 'u400' in these ratings; did you mean 'u"),
        ({"item": "gones"}, "no item 'gones' in these ratings; did you mean 'gone'"),
        ({"history": ["zzz-unlike"]}, "no item 'zzz-unlike' in these ratings; such as"),
        ({}, "give a user, a history"),
        ({"user": "u1", "item": "s1"}, "give one of user, history and item, got user and item"),
        ({"wish": "  "}, "wish: empty"),
        ({"user": "u1", "k": 0}, "k = 0"),
        ({"about": {"job": "king"}}, "nobody of the ratings has it"),
        ({"user": "u1", "diversity": 2.0}, "diversity 2.0: expected a number from 0 to 1"),
        ({"user": "u1", "diversity": "1"}, "diversity '1': expected a number"),
        ({"user": "u1", "k": 2.5}, "k = 2.5, expected a whole number"),
        ({"user": "u1", "allow": "s1"}, r"allow is one text, expected a list of items: \['s1'\]"),
        ({"history": "s1"}, "history is one text"),
        ({"wish": "a rose", "popularity": float("nan")}, "popularity nan: expected a number of at least 0"),
        ({"wish": "qqq zzz"}, "wish: no word of it is known"),
        ({"wish": 5}, "wish: empty"),
    ],
)
def test_wrong_questions_are_one_line(model, arguments, said):
    with pytest.raises(ConfigError, match=said):
        model.recommend(**arguments)


def test_a_model_comes_back_as_it_was(model, tmp_path):
    again = fusible.load_recommender(model.save(tmp_path / "model"))
    for question in ({"user": "u2"}, {"item": "l2"}, {"wish": "a rose"}, {"history": ["s0"], "about": {"job": "poet"}}):
        ours, theirs = model.recommend(**question), again.recommend(**question)
        assert ours["item"].tolist() == theirs["item"].tolist()
        np.testing.assert_allclose(ours["score"], theirs["score"], atol=1e-5)
        assert [[r["text"] for r in row] for row in ours["reasons"]] == [
            [r["text"] for r in row] for row in theirs["reasons"]
        ]
    assert again.recommend("u2", where="genre contains Love", k=1)["item"][0].startswith("l")


def test_a_damaged_folder_is_refused(model, tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    place = model.save(tmp_path / "model")
    arrays = load_file(str(place / "weights.safetensors"))
    arrays["recommender.item"] = torch.full_like(arrays["recommender.item"], 10**6)
    save_file(arrays, str(place / "weights.safetensors"))
    with pytest.raises(ModelFormatError, match="expected places of items"):
        fusible.load_recommender(place)
    with pytest.raises(ModelFormatError, match="expected a model folder"):
        fusible.load_recommender(tmp_path)


def test_ratings_alone_suffice():
    result = fusible.fit_recommender(_liked.ratings(), factors=False)
    assert [row.name for row in result.rows] == ["popular", "nearest items", "ease", "ease damped", "fused"]
    assert kinds(result.model.recommend("u2", k=2)) == "ss"
    with pytest.raises(ConfigError, match="nothing is known of items in words"):
        result.model.recommend(wish="space")
    with pytest.raises(ConfigError, match="no table told of items"):
        result.model.recommend("u2", where="year > 1990")
    with pytest.raises(ConfigError, match="nothing was told of users"):
        result.model.recommend(about={"age": 3})


def test_new_items_are_measured_apart():
    result = fusible.fit_recommender(
        _liked.ratings(), items=_liked.films().drop(columns=["about", "title"]), item="film_id", factors=False, cold=0.2
    )
    rows = {row.name: row for row in result.cold}
    assert set(rows) == {"most popular", "popular by content", "table+tags", "table+tags, among all items"}
    assert rows["table+tags"].test["ndcg@10"].score > rows["most popular"].test["ndcg@10"].score


def test_what_cannot_be_fitted_is_one_line():
    with pytest.raises(DataError, match="no user has three items or more"):
        fusible.fit_recommender(pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"]}))
    with pytest.raises(DataError, match="none of the ratings' items is in the column 'film_id'"):
        fusible.fit_recommender(_liked.ratings().assign(item="x"), items=_liked.films(), item="film_id")
    with pytest.raises(ConfigError, match="links: expected a graph"):
        fusible.fit_recommender(_liked.ratings(), links=_liked.links())


def test_the_same_seed_gives_the_same(fitted):
    again = fusible.fit_recommender(
        _liked.ratings(),
        items=_liked.films(),
        item="film_id",
        graph=_liked.triples(),
        links=_liked.links(),
        users=_liked.people(),
        encoders={"text": "text_tfidf"},
    )
    assert again.model.parts.settings == fitted.model.parts.settings
    np.testing.assert_array_equal(
        again.model.scores(again.model.asked("u5")), fitted.model.scores(fitted.model.asked("u5"))
    )


@pytest.mark.parametrize(
    ("share", "error", "said"),
    [
        (1.0, ConfigError, "cold = 1.0, expected a share"),
        (-0.5, ConfigError, "cold = -0.5, expected a share"),
        (float("nan"), ConfigError, "cold = nan, expected a share"),
        (0.01, DataError, "a share of 0.01 leaves 0 of 18 items to be found"),
    ],
)
def test_a_share_of_new_items_leaves_some_of_both(share, error, said):
    films = _liked.films()[["film_id", "year"]]
    with pytest.raises(error, match=said):
        fusible.fit_recommender(_liked.ratings(), items=films, item="film_id", factors=False, cold=share)
