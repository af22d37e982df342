"""Searching: what is found against brute force, how lists are merged, what is alike, why, and what is refused."""

import itertools
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from _goods import KINDS, ROWS, goods
from hypothesis import given
from hypothesis import strategies as st

import fusible
from fusible.errors import ConfigError, DataError
from fusible.index import _table
from fusible.index._roster import Roster
from fusible.tasks._search_rank import NEAR, blend, collapse, nearness
from fusible.tasks._search_why import shared_words, stem
from fusible.tasks.indexing import build_index

pytest.importorskip("lancedb", reason="the extra 'index' is not installed")


@pytest.fixture(scope="module")
def place(tmp_path_factory, png):
    """An index of the goods, rows named by their names."""
    table, model = goods(tmp_path_factory, png)
    place = tmp_path_factory.getbasetemp() / "goods-index"
    build_index(table, model, place, id="name", cache=model.parent / "cache")
    return place


@pytest.fixture(scope="module")
def searcher(place):
    return fusible.open_index(place)


@pytest.fixture(scope="module")
def table(place, tmp_path_factory, png):
    return pd.read_csv(goods(tmp_path_factory, png)[0])


@pytest.fixture(scope="module")
def media(tmp_path_factory, png):
    return goods(tmp_path_factory, png)[0].parent


def number(hit):
    return int(hit.id.removeprefix("item-"))


def of(hits):
    """Kinds of hits."""
    return [number(hit) % 3 for hit in hits]


# -- what is found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", range(3))
def test_any_modality_finds_every_modality(searcher, media, kind):
    asked = {
        "text": {"text": f"{KINDS[kind]} thing"},
        "image": {"image": media / f"{kind}.png"},
        "audio": {"audio": media / f"{kind}.wav"},
        "value": {"value": {"price": str(10 * kind), "size": 10 * (kind == 1)}},
        "query": {"query": {"photo": str(media / f"{kind}.png")}},
        "bytes": {"image": (media / f"{kind}.png").read_bytes()},
    }
    for (name, given_), modality in itertools.product(asked.items(), ("text", "image", "audio", "table", None)):
        found = searcher.search(**given_, modality=modality, k=5, alike=False, words=0)
        assert of(found.hits) == [kind] * 5, (name, modality)


def test_numbers_of_any_kind_are_numbers(searcher):
    plain = searcher.search(value={"price": 20.0, "size": 0}, k=3)
    for price, size, k in (
        (np.float32(20), np.int64(0), np.int64(3)), (Decimal(20), Fraction(0), 3), ("2e1", " 0 ", np.uint8(3)),
    ):  # fmt: skip
        assert [hit.id for hit in searcher.search(value={"price": price, "size": size}, k=k).hits] == [
            hit.id for hit in plain.hits
        ]


def test_a_column_of_dates_is_asked_for_by_dates(tmp_path):
    rng = np.random.default_rng(0)
    month = np.arange(90) % 3
    frame = pd.DataFrame({"note": [f"{KINDS[m]} {rng.choice(['box', 'cup'])} {row}" for row, m in enumerate(month)]})
    frame["when"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(month * 120 + rng.integers(0, 20, 90), unit="D")
    encoders = {"note": "text_tfidf", "table": "table_standard"}
    model = fusible.fit_retrieval(
        frame, columns={"note": "text"}, encoders=encoders, methods="cca", workers=1
    ).retriever
    build_index(frame, model, tmp_path / "index")
    searcher = fusible.open_index(tmp_path / "index", model)
    day = pd.Timestamp("2020-09-10")
    found = [
        [hit.id for hit in searcher.search(value={"when": cell}, modality="text", k=5).hits]
        for cell in (day, "2020-09-10", day.date(), day.to_pydatetime(), day.to_datetime64(), day.timestamp())
    ]
    assert found == [found[0]] * 6
    assert int(found[0][0]) % 3 > 0  # the first third is of January


def test_a_search_looks_no_id_up_but_that_of_a_row(searcher, monkeypatch):
    asked, find = [], Roster.find
    monkeypatch.setattr(Roster, "find", lambda self, ids: asked.append(ids) or find(self, ids))
    assert searcher.search("red", k=5).hits
    assert asked == []
    assert searcher.search("red", row="item-3", k=5).hits
    assert asked == [["item-3"]]


def test_the_list_is_that_of_brute_force(searcher, table):
    retriever, index = searcher.retriever, searcher.index
    names = index.ids()
    query = retriever.transform(pd.DataFrame({"note": ["green leaf cup"]}), ["note"])["note"][0]
    views = ["note", "photo", "sound", "table", "fused"]
    vectors = {view: index.vectors(names, view) for view in views}
    sizes = {view: int(np.isfinite(rows).all(axis=1).sum()) for view, rows in vectors.items()}
    chances = np.stack([retriever.calibrate("note", v, vectors[v] @ query, sizes[v]) for v in views], axis=1)
    best = np.nanmax(chances, axis=1)
    found = searcher.search("green leaf cup", k=ROWS, words=0, alike=False)
    assert found.asked == "note"
    assert found.found == views
    assert [hit.chance for hit in found.hits] == pytest.approx(sorted(best, reverse=True))
    for hit in found.hits:
        row = names.index(hit.id)
        assert hit.chances == pytest.approx({v: c for v, c in zip(views, chances[row], strict=True) if np.isfinite(c)})
        assert hit.chance == pytest.approx(best[row])
        assert hit.score == hit.chance
        assert hit.columns == table.iloc[number(hit)].replace({np.nan: None}).to_dict()
    assert set(found.hits[0].media) == {"photo", "sound"}


def test_words_join_by_reciprocal_rank(searcher):
    plain = searcher.search("green leaf hat", k=ROWS, words=0, alike=False)
    rank = {hit.id: place for place, hit in enumerate(plain.hits)}
    by_words = {name: place for place, name in enumerate(searcher.index.words("green leaf hat", 4 * ROWS).ids[0])}
    found = searcher.search("green leaf hat", k=ROWS, words=0.5, alike=False)
    assert found.words
    for hit in found.hits:
        expected = 1 / (61 + rank[hit.id]) + (0.5 / (61 + by_words[hit.id]) if hit.id in by_words else 0)
        assert hit.score == pytest.approx(expected, rel=0.03)  # rows of equal chance may change places
    assert {"green", "leaf", "hat"} >= set(found.hits[0].words) != set()
    for modality, words in (("image", False), ("table", False), ("text", True), ("note", True), ("fused", True)):
        assert searcher.search("green leaf hat", modality=modality, k=5).words == words, modality


def test_several_parts_are_one_fused_query(searcher, media):
    retriever = searcher.retriever
    found = searcher.search("blue sea", image=media / "0.png", k=3)
    assert (found.asked, found.words) == ("fused", False)
    assert [part["view"] for part in found.query] == ["note", "photo"]
    text = retriever.transform(pd.DataFrame({"note": ["blue sea"]}), ["note"])
    image = retriever.transform(pd.DataFrame({"photo": [str(media / "0.png")]}), ["photo"])
    query = retriever.fuse({**text, **image})[0]
    hit = found.hits[0]
    similar = searcher.index.vectors([hit.id], "fused")[0] @ query
    assert hit.chances["fused"] == pytest.approx(float(retriever.calibrate("fused", "fused", similar, ROWS)), abs=1e-6)


def test_a_row_finds_what_is_like_it_and_not_itself(searcher):
    found = searcher.search(row="item-4", k=10, alike=False)
    assert of(found.hits) == [1] * 10
    assert "item-4" not in [hit.id for hit in found.hits]
    assert found.asked == "fused"
    mixed = searcher.search("blue sea cold", row="item-4", k=5)
    assert (mixed.query[0]["view"], mixed.query[0]["modality"]) == ("note", "text")
    assert ("note", "row") not in [(p["view"], p["modality"]) for p in mixed.query]


def test_filters_leave_the_rows_they_should(searcher, table, monkeypatch):
    allowed = _table.allowed
    found = searcher.search("red", where="price > 5 and shop = 'here'", k=ROWS, alike=False)
    expected = table.index[(table["price"] > 5) & (table["shop"] == "here")]
    assert sorted(map(number, found.hits)) == expected.tolist()
    asked = []
    monkeypatch.setattr(_table, "allowed", lambda *given: asked.append(given) or allowed(*given))
    none = searcher.search("red", where="price > 1000")
    assert len(asked) == 1  # for all views and the words
    assert (len(none), none.frame.columns[0]) == (0, "id")


def test_rows_of_one_picture_are_shown_once(searcher):
    every = searcher.search("green", k=ROWS, modality="image", alike=False)
    assert {"item-1", "item-7"} <= {hit.id for hit in every.hits}
    found = searcher.search("green", k=ROWS, modality="image")
    groups = [{hit.id, *hit.alike} for hit in found.hits]
    assert any({"item-1", "item-7"} <= group for group in groups)
    members = [name for hit in found.hits for name in (hit.id, *hit.alike)]
    assert len(members) == len(set(members)) == ROWS - 1


def test_what_a_row_lacks_is_no_match(searcher):
    by_id = {hit.id: hit for hit in searcher.search("red", k=ROWS, alike=False).hits}
    assert "photo" not in by_id["item-3"].chances
    assert "sound" not in by_id["item-5"].chances
    only = searcher.search("red", k=ROWS, modality="audio", alike=False)
    assert "item-5" not in [hit.id for hit in only.hits]


def test_pieces_say_what_matters(searcher):
    pytest.importorskip("captum", reason="the extra 'explain' is not installed")
    found = searcher.search("red fire", k=2, modality="text", explain=True)
    words = found.hits[0].saliency[0]
    assert words.kind == "words"
    assert words.pieces[int(np.argmax(words.values))].strip() in {"red", "fire", "warm"}
    found = searcher.search("red fire", k=1, modality="image", explain=True)
    patches = np.array(found.hits[0].saliency[0].values)
    assert patches.shape == (12, 12)
    assert found.hits[0].to_json()["saliency"][0]["kind"] == "patches"


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "error", "words"),
    [
        ({}, ConfigError, "empty query: give --text, --image"),
        ({"text": "  "}, ConfigError, "--text: empty query"),
        ({"video": "x.mp4"}, ConfigError, "--video: the model knows no video; it has 'note' \\(text\\), 'photo'"),
        ({"image": "nowhere.png"}, DataError, "--image nowhere.png: no such file"),
        ({"image": b"no picture"}, DataError, "--image: not a readable image"),
        ({"query": {"title": "x"}}, ConfigError, "--query title: the model has 'note' \\(text\\)"),
        ({"text": "a", "query": {"note": "b"}}, ConfigError, "view 'note' is asked for twice"),
        ({"value": {"cost": 3}}, ConfigError, "--value cost: expected columns of one view, of 'price', 'size'"),
        ({"value": {"price": "dear"}}, ConfigError, "--value price: expected a number or a date, got 'dear'"),
        ({"value": {"price": True}}, ConfigError, "--value price: expected a number or a date, got True"),
        ({"value": {"price": np.bool_(True)}}, ConfigError, "expected a number or a date, got np.True_"),
        ({"value": {"price": None}}, ConfigError, "--value price: expected a number or a date, got None"),
        ({"value": {"price": [1.0]}}, ConfigError, r"expected a number or a date, got \[1\.0\]"),
        ({"value": {"price": 10**400}}, ConfigError, "expected a number or a date, got 10"),
        ({"value": {"price": float("nan")}}, ConfigError, "expected a number or a date, got nan"),
        ({"text": "red", "k": True}, ConfigError, "k = True: expected a whole number"),
        ({"text": "red", "k": 2.0}, ConfigError, "k = 2.0: expected a whole number"),
        ({"row": "item-1000"}, DataError, "no row 'item-1000'"),
        ({"text": "red", "where": "price <"}, ConfigError, "filter: expected an SQL condition"),
        ({"text": "red", "where": "cost < 3"}, ConfigError, "filter: no column 'cost'"),
        ({"text": "red", "where": " "}, ConfigError, "got an empty one"),
        ({"text": "red", "modality": "video"}, ConfigError, "--modality video: the index has none"),
        ({"text": "red", "k": 0}, ConfigError, "k = 0: expected a whole number"),
        (
            {"text": "red", "k": 10**20},
            ConfigError,
            "k = 10+: expected a whole number of at least 1 and at most 10,000",
        ),
        ({"image": "x" * 300}, DataError, "--image x{60}…: File name too long"),
        ({"text": "red", "words": -1.0}, ConfigError, "expected a weight of 0 or more"),
    ],
)
def test_bad_queries_say_what_is_wrong(searcher, given_, error, words):
    with pytest.raises(error, match=words) as caught:
        searcher.search(**given_)
    assert "\n" not in str(caught.value)


def test_an_unreadable_file_is_named(searcher, media):
    with pytest.raises(DataError, match=r"--image .*3\.png: not a readable image"):
        searcher.search(image=media / "3.png")


# -- ranking ----------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1)), min_size=1, max_size=12),
    st.floats(0, 4),
    st.integers(0, 2**32 - 1),
)
def test_blending_is_reciprocal_rank_fusion(chances, weight, seed):
    rng = np.random.default_rng(seed)
    chances, words = np.array(chances), rng.permutation(len(chances)) - rng.integers(0, len(chances) + 1)
    words = np.where(words < 0, -1, words)
    scores = blend(chances, words, weight)
    if weight == 0 or (words < 0).all():
        np.testing.assert_array_equal(scores, np.where(np.isnan(chances), -1.0, chances))
        return
    order = sorted((-c, i) for i, c in enumerate(np.where(np.isnan(chances), -1.0, chances)))
    for rank, (_, row) in enumerate(order):
        expected = 0.0 if np.isnan(chances[row]) else 1 / (61 + rank)
        expected += weight / (61 + words[row]) if words[row] >= 0 else 0.0
        assert scores[row] == pytest.approx(expected)


def test_alike_means_the_same_picture_or_nearly_the_same_where_it_was_found():
    angle = np.arccos(NEAR)
    near, far = (np.array([np.cos(a), np.sin(a)]) for a in (angle * 0.9, angle * 1.2))
    one, none = np.array([1.0, 0.0]), np.full(2, np.nan)
    vectors = {
        "image": np.array([one, near, far, none, none, one]),
        "text": np.array([one, one, one, one, near, -one]),
    }
    by_text, by_image = ["text"] * 6, ["image"] * 6
    assert collapse(range(6), vectors, ["image"], by_text, 10) == [[0, 3, 4, 5], [1], [2]]
    assert collapse([0, 1, 2, 5], vectors, ["image"], by_image, 10) == [[0, 1, 5], [2]]
    assert collapse(range(6), vectors, ["image"], by_text, 1) == [[0, 3, 4, 5]]
    assert collapse(range(6), vectors, [], by_text, 10) == [[0, 1, 2, 3, 4], [5]]
    assert collapse([0, 1], {"fused": vectors["image"], **vectors}, ["image"], ["fused"] * 6, 10) == [[0, 1]]
    assert collapse([], vectors, ["image"], [], 10) == []


def grouped(order, vectors, media, best, most, near):
    """The rule of `collapse`, row by row: each joins the first group whose head it is alike."""

    def cosine(view, one, other):
        return float(vectors[view][one].astype(np.float64) @ vectors[view][other]) if view in vectors else np.nan

    def alike(one, other):
        found = best[one]
        both = [c for view in media if not np.isnan(c := cosine(view, one, other))]
        if max(both, default=0.0) >= 1 - 1e-6:
            return True
        return cosine(found, one, other) >= near and (not both or found in {*media, "fused"})

    groups = []
    for row in order:
        group = next((group for group in groups if alike(group[0], row)), None)
        if group is not None:
            group.append(row)
        elif len(groups) < most:
            groups.append([row])
    return groups


@pytest.mark.parametrize("most", [1, 7, 70, 400])
@pytest.mark.parametrize("media", [["image", "clip", "gone"], []])
def test_groups_are_those_of_the_rule_row_by_row(rng, most, media):
    rows, names = 300, np.array(["image", "clip", "text", "fused", "elsewhere"])
    vectors = {}
    for view in names[:4].tolist():
        points = rng.normal(size=(30, 3))[rng.integers(0, 30, rows)] + rng.choice([0, 0.05], (rows, 1)) * rng.normal(
            size=(rows, 3)
        )
        points[rng.random(rows) < 0.3] = np.nan
        vectors[view] = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    order, best = rng.permutation(rows)[:250].tolist(), rng.choice(names, rows).tolist()
    found = collapse(order, vectors, media, best, most, 0.995)
    assert found == grouped(order, vectors, media, best, most, 0.995)


def test_many_candidates_are_grouped_in_little_time(rng):
    vectors = {view: rng.normal(size=(2_000, 256)).astype(np.float32) for view in ("image", "fused")}
    vectors = {view: held / np.linalg.norm(held, axis=1, keepdims=True) for view, held in vectors.items()}
    begun = time.process_time()
    assert len(collapse(range(2_000), vectors, ["image"], ["image"] * 2_000, 500)) == 500
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("width", [2, 3, 5, 8, 64])
def test_strangers_are_hardly_ever_alike(rng, width):
    vectors = rng.normal(size=(2_000, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    close = (np.triu(vectors @ vectors.T, 1) >= nearness(width)).sum()
    assert close <= (2_000 if width == 2 else 30)  # of two million pairs; a circle has no room
    assert NEAR <= nearness(width) < 1


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("The dogs are running", "A dog runs; the cat ran.", ["dog", "runs"]),
        ("the of", "the cat of it", ["the", "of"]),
        ("Größe", "die GRÖSSE und die größe", ["GRÖSSE", "größe"]),
        ("stopped", "Stop! stopping stops", ["Stop", "stopping", "stops"]),
        ("", "a dog", []),
    ],
)
def test_shared_words_are_those_of_the_text(query, text, expected):
    assert shared_words(query, text) == expected


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=12))
def test_a_stem_begins_its_word(word):
    assert word.casefold().startswith(stem(word))
    assert stem(word) or not word.casefold()
