"""Training retrieval: what is found, what it is compared with, and what is refused."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from _pairs import paired

import fusible
from fusible.alignment._projections import Affine
from fusible.errors import ConfigError, DataError, RegistryError, SchemaError, TargetError
from fusible.tasks import _retrieval_candidates, _retrieval_encoders, _retrieval_pairs
from fusible.tasks._retrieval_candidates import Trial
from fusible.tasks._retrieval_head import Part
from fusible.tasks._retrieval_measure import measure
from fusible.tasks._retrieval_pairs import Rows, directions, measured
from fusible.tasks._retrieval_semantic import semantic

KNOWN = {"said": "text:input", "kind": "category:ignore"}
OPTIONS = {"encoders": {"said": "text_tfidf"}, "workers": 1}


def fitted(frame, methods=("cca",), **options):
    return fusible.fit_retrieval(frame, methods=methods, **{"columns": KNOWN, **OPTIONS, **options})


@pytest.fixture(scope="module")
def result():
    return fitted(paired(), ("cca", "kernel_cca"))


def test_finds_what_belongs_together(result):
    for row in result.chosen:
        chance = next(r for r in result.rows if r.direction == row.direction and r.kind == "chance")
        assert row.queries == row.items == 48
        assert chance.scores["recall_any@10"].score == pytest.approx(10 / 48)
        assert row.scores["recall_any@10"].score > 0.7
        assert row.scores["median_rank"].score < 6
    names = {row.method for row in result.rows}
    assert {result.method, "plain cca", "nearest training row", "chance"} <= names
    assert {row.direction for row in result.rows} == {"table -> said", "said -> table"}


def test_the_best_on_validation_rows_is_chosen(result):
    best = max(result.candidates, key=lambda one: one["valid"])
    assert result.method == best["name"]
    assert {"cca", "kernel_cca"} <= {one["name"] for one in result.candidates}


def test_one_method_may_be_named_by_itself():
    found = fitted(paired(), "cca")
    assert {one["name"] for one in found.candidates} == {"cca"}
    with pytest.raises(RegistryError, match="'ccaa'"):
        fitted(paired(), "ccaa")
    with pytest.raises(ConfigError, match="views: expected two or more different ones, got 'said'"):
        fitted(paired(), views="said")


def test_too_few_validation_pairs_are_told(result, tmp_path):
    pytest.importorskip("lancedb", reason="the extra 'index' is not installed")
    frame = paired()
    valid = np.flatnonzero(frame["split"] == "valid")
    few = frame.drop(valid[16:])
    few.loc[valid[8:12], "said"] = None  # eight rows have both views
    few.loc[valid[12:16], list("abcd")] = np.nan
    found = fitted(few.reset_index(drop=True))
    said = "validation rows hold fewer than 10 pairs that belong together"
    assert [note for note in found.notes if said in note]
    assert not [note for note in result.notes if said in note]
    fusible.build_index(frame, found.retriever, tmp_path / "index")
    notes = fusible.open_index(tmp_path / "index", found.retriever).search(row=1).notes
    assert len(notes) == 1
    assert "from too few validation rows" in notes[0]
    assert "not made for search" not in notes[0]


def test_scores_are_those_of_the_retriever(result):
    frame = paired()
    vectors = result.retriever.transform(frame[frame["split"] == "test"])
    similarity = vectors["said"] @ vectors["table"].T
    rank = (similarity > np.diag(similarity)[:, None]).sum(axis=1)
    row = next(r for r in result.chosen if r.direction == "said -> table")
    assert row.scores["recall_any@5"].score == pytest.approx((rank < 5).mean())


def test_json_is_plain_and_says_the_difference(result):
    plain = json.loads(json.dumps(result.to_json()))
    assert plain["metric"] == "mean_recall"
    assert plain["parts"] == {"train": 144, "valid": 48, "test": 48}
    assert plain["difference"]["mean"] == pytest.approx(
        np.mean([_mean(result, way, result.method) - _mean(result, way, "plain cca") for way in _ways(result)])
    )
    assert "mean recall" in repr(result)


def test_the_difference_is_told_per_direction(result):
    assert set(result.differences) == _ways(result)
    for way, one in result.differences.items():
        assert one.mean == pytest.approx(_mean(result, way, result.method) - _mean(result, way, "plain cca"))
        assert one.low <= one.mean <= one.high
    assert result.difference.mean == pytest.approx(np.mean([one.mean for one in result.differences.values()]))
    for way, queries in result.queries.items():
        assert result.differences[way].mean == pytest.approx(np.mean(queries.ours - queries.theirs))
        assert len(queries.groups) == len(queries.ours)
    plain = json.loads(json.dumps(result.to_json()))["differences"]
    assert plain == {way: asdict(one) for way, one in result.differences.items()}


def test_of_one_direction_both_differences_are_one(rng):
    train, test = (_pairs(rng, 40) for _ in range(2))
    unchanged = Affine(3, 3)
    unchanged.weight.fill_diagonal_(1.0)
    best = Trial(train, test, directions(test)).candidate("as they are", {view: Part(unchanged, 3) for view in "ab"})
    both = measure(best, train, test, directions(test), {}, 0)
    alone = measure(best, train, test, directions(test)[1:], {}, 0)
    assert alone.differences == {"b -> a": alone.difference} == {"b -> a": both.differences["b -> a"]}
    assert both.difference != alone.difference


def _pairs(rng, rows):
    shared, numbers = rng.normal(size=(rows, 3)), np.arange(rows)
    vectors = {view: shared + 0.5 * rng.normal(size=(rows, 3)) for view in "ab"}
    return Rows(numbers, dict.fromkeys("ab", numbers), vectors, numbers)


def _ways(result):
    return {row.direction for row in result.rows}


def _mean(result, way, method):
    row = next(r for r in result.rows if r.direction == way and r.method == method)
    return row.scores["mean_recall"].score


def test_same_seed_same_vectors(monkeypatch):
    monkeypatch.setattr(_retrieval_candidates, "WIDTH", 16)
    one, other = (fitted(paired(), ("contrastive",)) for _ in range(2))
    assert one.retriever.fingerprint == other.retriever.fingerprint


def test_several_captions_of_an_item_stay_in_one_part_and_are_all_right(png, monkeypatch):
    monkeypatch.setattr(_retrieval_candidates, "RIDGES", (1.0,))
    frame = paired(70)
    pictures = [png(np.full((8, 8, 3), [3 * i, 255 - i, (7 * i) % 255])) for i in range(70)]
    frame = frame.drop(columns=[*"abcd", "kind", "split"]).assign(picture=pictures)
    double = frame.loc[frame.index.repeat(2)].reset_index(drop=True)
    double["said"] = [f"{text} v{i}" for i, text in enumerate(double["said"])]
    found = fusible.fit_retrieval(double, methods=("cca",), columns={"said": "text"}, **OPTIONS)
    back = next(row for row in found.chosen if row.direction == "picture -> said")
    assert any("rows of one picture" in note for note in found.notes)
    assert back.items == 2 * back.queries
    chance = next(row for row in found.rows if row.direction == "picture -> said" and row.kind == "chance")
    assert chance.scores["recall_any@1"].score == pytest.approx(2 / back.items)
    assert chance.scores["recall_share@1"].score == pytest.approx(1 / back.items)
    assert "BM25 of other texts" in {row.method for row in found.rows if row.direction == "said -> picture"}


def test_classes_belong_together():
    found = fitted(paired(), ("cca", "semantic"), target="kind", columns=None)
    assert found.metric == "map"
    names = {one["name"] for one in found.candidates}
    assert {"semantic", "semantic(cca)"} <= names
    frame = paired()
    test = frame[frame["split"] == "test"]
    same = test["kind"].to_numpy()[:, None] == test["kind"].to_numpy()[None, :]
    row = next(r for r in found.rows if r.kind == "chance")
    assert row.scores["recall_any@1"].score == pytest.approx(same.mean(), abs=1e-9)
    assert found.chosen[0].scores["map"].score > row.scores["map"].score + 0.2


def test_three_views_any_of_them_missing():
    frame = paired()
    frame["also"] = [text.replace("x", "y") for text in frame["said"]]
    frame.loc[::4, "said"] = None
    frame.loc[1::4, "also"] = None
    found = fitted(
        frame,
        ("mcca",),
        columns={**KNOWN, "also": "text:input"},
        encoders={"said": "text_tfidf", "also": "text_tfidf"},
    )
    assert len(found.chosen) == 6
    vectors = found.retriever.transform(frame)
    assert np.isnan(vectors["said"][::4]).all()
    assert np.isnan(vectors["also"][1::4]).all()
    fused = found.retriever.fuse(vectors)
    np.testing.assert_allclose(np.linalg.norm(fused, axis=1), 1.0, atol=1e-5)


def test_encoders_are_trained_along_with_the_pairs(monkeypatch):
    monkeypatch.setattr(_retrieval_encoders, "EPOCHS", (15, 15))
    found = fitted(paired(), encoders={"said": "text_tfidf", "table": "table_mlp"})
    why = next(view["why"] for view in found.views if view["name"] == "table")
    assert "trained along with the pairs" in why
    for row in found.chosen:
        assert row.scores["recall_any@10"].score > 0.5  # chance: .21


def test_writes_a_folder_that_loads(result, tmp_path):
    frame = paired()
    found = fitted(frame, output=tmp_path / "out")
    loaded = fusible.load_retriever(tmp_path / "out")
    assert loaded.fingerprint == found.retriever.fingerprint
    for view, rows in found.retriever.transform(frame).items():
        np.testing.assert_array_equal(loaded.transform(frame)[view], rows)
    assert json.loads((tmp_path / "out" / "retrieval.json").read_text())["method"] == found.method
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="an earlier result"):
        fitted(frame, output=tmp_path / "out")


def test_relevance_follows_shared_rows():
    ids = {"photo": np.array([0, 0, 1, 1, -1]), "text": np.array([5, 6, 7, 5, 8])}
    vectors = {name: np.ones((5, 2)) for name in ids}
    rows = Rows(np.arange(5), ids, vectors, np.array([0, 0, 1, 1, 4]))
    there, back = directions(rows)
    assert there.name == "photo -> text"
    assert there.relevant.tolist() == [[True, True, False, False], [True, False, True, False]]
    assert back.relevant.tolist() == [[True, True], [True, False], [False, True]]  # text 8 has no photo: not asked


def test_an_item_of_several_classes_belongs_to_all_of_them():
    ids = {"photo": np.array([0, 0, 1, 2]), "text": np.arange(4)}
    rows = Rows(np.arange(4), ids, {}, np.arange(4), np.array([0, 1, 1, 2]))
    there, back = directions(rows)
    assert there.relevant.tolist() == [
        [True, True, True, False], [False, True, True, False], [False, False, False, True]
    ]  # fmt: skip
    assert back.relevant.tolist() == there.relevant.T.tolist()


def test_queries_in_chunks_are_measured_as_all_at_once(rng, monkeypatch):
    rows = _pairs(rng, 50)
    vectors = {view: array / np.linalg.norm(array, axis=1, keepdims=True) for view, array in rows.vectors.items()}
    ways, seen = directions(rows), []
    whole = measured(ways, vectors)
    monkeypatch.setattr(_retrieval_pairs, "CHUNK", 7)
    per_query = _retrieval_pairs.per_query
    monkeypatch.setattr(_retrieval_pairs, "per_query", lambda s, r: seen.append(len(s)) or per_query(s, r))
    for one, other in zip(whole, measured(ways, vectors), strict=True):
        for name, values in one.items():
            np.testing.assert_allclose(other[name], values, rtol=0, atol=1e-12)
    assert max(seen) == 7


def test_a_view_of_one_class_is_told_and_other_methods_are_taken(rng):
    train, valid = _pairs(rng, 40), _pairs(rng, 40)
    train.classes = valid.classes = np.arange(40) % 2
    train.vectors["b"][::2] = np.nan
    with pytest.raises(TargetError, match="training rows with view 'b' are of 1 classes, expected two or more"):
        semantic(Trial(train, valid, directions(valid)))
    train.vectors["b"] = train.vectors["a"] + 0.1
    valid.vectors["b"][:] = np.nan
    assert semantic(Trial(train, valid, directions(valid))).heads["b"].weighed()[0][0].logits.weight.isfinite().all()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"methods": ("semantic",)}, ConfigError, "needs a target"),
        ({"methods": ("ccca",)}, Exception, "ccca"),
        ({"views": ["said", "nothing"]}, SchemaError, "no such view"),
        ({"target": "a", "columns": None}, TargetError, "expected classes"),
        ({"encoders": {"sound": "audio_stats"}}, SchemaError, "sound"),
        ({"encoders": {"table": "text_gru"}}, ConfigError, "encodes text"),
    ],
)
def test_bad_input_is_one_line(options, error, words):
    with pytest.raises(error, match=words) as caught:
        fitted(paired(90), **options)
    assert isinstance(caught.value, fusible.errors.FusibleError)
    assert "\n" not in str(caught.value)


def test_too_few_rows_are_refused():
    with pytest.raises(DataError, match="expected 30 at least"):
        fitted(paired(20))


def test_texts_that_the_tables_split_cuts_are_counted():
    frame = paired()
    places = [np.flatnonzero(frame["split"] == part)[:5] for part in ("train", "test")]
    frame.loc[places[1], "said"] = frame["said"].to_numpy()[places[0]]
    notes = fitted(frame).notes
    assert any(note.startswith("5 of 48 items of said in test rows are in training rows, too") for note in notes)
    assert any("rows of one said stay together" in note for note in notes)
