"""What goes into an index comes out of it, version by version."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import ArrayError, ConfigError, DataError, MissingExtraError
from fusible.index import _pointer
from fusible.index.items import Items
from fusible.index.store import Index


def nearest(queries, vectors, k):
    """Oracle: rows of the highest inner products."""
    scores = np.where(np.isnan(vectors[:, :1].T), -np.inf, queries @ np.nan_to_num(vectors).T)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def everything(index):
    """All that an index holds, by id."""
    names = sorted(index.ids())
    vectors = [index.vectors(names, view) for view in index.widths]
    return index.take(names).to_pylist(), np.nan_to_num(np.stack(vectors)).tolist(), index.failures


def interrupt(index, job, *parts, failures=()):
    """Begin a job that writes its parts and fails; what comes after the first part is not flushed."""
    with index.writing(job) as writer:
        for place, part in enumerate(parts):
            writer.put(part, failures)
            if not place:
                writer.flush()
        raise ZeroDivisionError


def test_search_is_the_inner_product_of_present_vectors(index, items, rng):
    queries = rng.standard_normal((7, 6)).astype(np.float32)
    for view, vectors in items(0, 60).vectors.items():
        found = index.search(view, queries, 5)
        wanted = nearest(queries, vectors, 5)
        assert found.ids == [[f"r{row}" for row in rows] for rows in wanted]
        for query, rows, scores in zip(queries, wanted, found.scores, strict=True):
            np.testing.assert_allclose(scores, vectors[rows] @ query, rtol=1e-5)


def test_fewer_rows_than_wanted_are_all_found_once(index):
    found = index.search("text", np.ones((1, 6)), 500)
    assert sorted(found.ids[0]) == sorted(f"r{row}" for row in range(60) if row % 3)
    assert (np.diff(found.scores[0]) <= 0).all()


def test_a_filter_leaves_the_rows_that_it_names(index, items, rng):
    queries = rng.standard_normal((3, 6)).astype(np.float32)
    vectors = items(0, 60).vectors["image"].copy()
    vectors[[row for row in range(60) if row >= 20 or row % 2 == 0]] = np.nan
    found = index.search("image", queries, 4, where="price < 20 AND kind = 'red'")
    assert found.ids == [[f"r{row}" for row in rows] for rows in nearest(queries, vectors, 4)]
    assert index.search("image", queries, 4, where="price < 0").ids == [[], [], []]


def test_take_gives_rows_in_the_order_of_ids(index):
    names = ["r40", "r3", "r7", "r3"]
    rows = index.take(names).to_pylist()
    assert [row["fusible_id"] for row in rows] == names
    assert [row["price"] for row in rows] == [40.0, 3.0, 7.0, 3.0]
    assert [row["fusible_preview:image"] for row in rows] == [None, b"jpeg 3", b"jpeg 7", b"jpeg 3"]
    assert [row["fusible_media:image"] for row in rows] == ["40.png", "3.png", "7.png", "3.png"]
    assert rows[0]["fusible_text"] == "a photo of item40 seed0"
    assert index.take(["r1"], ["kind"]).to_pydict() == {"kind": ["red"]}
    assert index.take([]).num_rows == 0


def test_rows_are_taken_by_the_places_of_hits(index, items):
    with index.writing("second") as writer:
        writer.delete(["r5", "r6"])
    one = items(0, 60).vectors["image"][10:11]
    for found in (index.search("image", one, 7), index.words("photo item17", 7)):
        assert index.take(found.places[0])["fusible_id"].to_pylist() == found.ids[0]
        np.testing.assert_array_equal(index.find(found.ids[0]), found.places[0])
        np.testing.assert_array_equal(index.vectors(found.places[0], "image"), index.vectors(found.ids[0], "image"))


def test_vectors_come_in_the_order_of_ids(index, items):
    given = items(0, 60).vectors
    np.testing.assert_array_equal(index.vectors(["r9", "r1", "r2"], "text"), given["text"][[9, 1, 2]])
    assert np.isnan(index.vectors(["r9"], "text")).all()
    assert index.vectors([], "image").shape == (0, 6)


def test_words_are_ranked_by_how_rare_they_are(index):
    found = index.words("photo item17", 3)
    assert found.ids[0][0] == "r17"
    assert found.scores[0][0] > 10 * found.scores[0][1] > 0
    assert index.words("item17", 5, where="price > 30").ids == [[]]
    assert index.words("nothingofthekind", 5).ids == [[]]
    for mark in ('"', "'", "+", "(", "\\"):
        assert index.words(f"{mark}photo item17{mark}", 1).ids == [["r17"]], mark
    assert index.words('"', 5).ids == [[]]
    assert index.words("  ", 5).ids == [[]]


def test_words_that_the_engine_breaks_off_at_are_said_in_one_line(index, monkeypatch):
    import lancedb.query

    monkeypatch.setattr(lancedb.query, "MatchQuery", lambda text, column: f'"{text}"')  # a phrase, without positions
    with pytest.raises(ConfigError, match=r"cannot search for 'photo' \(.*\); leave words out") as caught:
        index.words("photo")
    assert "\n" not in str(caught.value)


def test_a_row_put_again_takes_the_place_of_the_old(index, items):
    new = items(5, 8, seed=1)
    with index.writing("second") as writer:
        writer.put(new)
        writer.delete(["r0", "nobody"])
    again = Index.open(index.folder)
    assert again.rows == 59
    assert again.version == 2
    assert sorted(again.ids()) == sorted(f"r{row}" for row in range(1, 60))
    np.testing.assert_array_equal(again.vectors(["r6"], "image"), new.vectors["image"][1:2])
    assert again.search("image", new.vectors["image"], 1).ids == [["r5"], ["r6"], ["r7"]]
    assert again.words("seed1", 9).ids == [["r5", "r6", "r7"]]
    assert again.take(["r6"]).to_pylist()[0]["fusible_text"] == "a photo of item6 seed1"


def test_the_last_of_one_id_in_a_job_counts(index, items):
    with index.writing("second") as writer:
        writer.put(items(5, 8, seed=1))
        writer.put(items(5, 8, seed=2))
    assert index.rows == 60
    np.testing.assert_array_equal(index.vectors(["r6"], "image"), items(5, 8, seed=2).vectors["image"][1:2])


def test_failures_stay_with_their_rows(index, items):
    assert index.failures == [{"id": "r3", "view": "text", "message": "unreadable"}]
    with index.writing("second") as writer:
        writer.put(items(8, 9), [{"id": "r8", "view": "image", "message": "empty file"}])
    assert {failure["id"] for failure in index.failures} == {"r3", "r8"}
    with index.writing("third") as writer:
        writer.put(items(3, 4))
        writer.delete(["r8"])
    assert index.failures == []


def told(first, last):
    """Failures of so many rows, with long messages."""
    return [{"id": f"r{row}", "view": "text", "message": f"row {row}: no such file" * 9} for row in range(first, last)]


def test_very_many_failures_are_read_where_they_are_asked_for_alone(index, items, monkeypatch):
    monkeypatch.setattr(_pointer, "_LARGEST", 4_000)  # of files that are read whole
    with index.writing("second") as writer:
        writer.put(items(20, 60), told(20, 60))
    again = Index.open(index.folder)
    assert again.describe()["failures"] == len(again.failures) == 41
    again.compact()
    with again.writing("third") as writer:
        writer.delete(["r30"])
    monkeypatch.setattr(_pointer, "read_lines", None)
    again = Index.open(index.folder)
    assert again.describe()["failures"] == 40
    assert again.search("image", np.ones((1, 6)), 3).ids
    assert again.sizes == {"image": 59, "text": 38}


def test_an_index_of_format_1_opens_and_becomes_one_of_this(index, items):
    path, held = index.folder / "index.json", index.failures
    pointer = json.loads(path.read_text())
    assert pointer.pop("failed") == 1
    (index.folder / pointer["failures"]).unlink()
    (index.folder / "failures-1.json").write_text(json.dumps({"failures": held}))
    path.write_text(json.dumps(pointer | {"format": 1, "failures": "failures-1.json"}))
    again = Index.open(index.folder)
    assert (again.failures, again.describe()["failures"]) == (held, 1)
    with again.writing("second") as writer:
        writer.put(items(60, 61), told(60, 61))
    assert json.loads(path.read_text())["format"] == _pointer.FORMAT
    assert Index.open(index.folder).failures == held + told(60, 61)
    assert Index.open(index.folder).describe()["failures"] == 2


@pytest.mark.parametrize("text", ["[]", '{"id": "r3"}', '{"id": "r3", "view": "text", "message": 3}', "{", "\xff"])
def test_damaged_failures_are_refused_in_one_line(index, text):
    next(index.folder.glob("failures-*")).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match="the index is damaged") as caught:
        _ = index.failures
    assert "\n" not in str(caught.value)


def test_a_line_ends_at_a_line_feed_alone(index, items):
    strange = [f"a{mark}b" for mark in ("\u2028", "\x85", "\x0b", "\r", "\n", "\udcff")]
    failures = [{"id": f"r{row}", "view": "text", "message": text} for row, text in enumerate(strange, 10)]
    with index.writing("second") as writer:
        writer.put(items(10, 16), failures)
    assert Index.open(index.folder).failures[1:] == failures


@pytest.mark.parametrize("half", [b'{"id": "r61", "vi', b'{"id": "r61", "view": "\xe2\x80'])
def test_a_line_that_a_full_disk_cut_short_takes_no_other_with_it(index, items, half):
    with pytest.raises(ZeroDivisionError):
        interrupt(index, "second", items(60, 61), failures=told(60, 61))
    with (index.folder / "work-failures.jsonl").open("ab") as file:
        file.write(half)
    with index.writing("second") as writer:
        writer.put(items(61, 63), told(62, 63))
    assert index.failures[1:] == [*told(60, 61), *told(62, 63)]


def test_what_cannot_be_written_leaves_no_half_of_it(tmp_path):
    with pytest.raises(ZeroDivisionError), _pointer.placing(tmp_path / "a"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [0, 1])
def test_a_file_that_goes_while_an_index_is_described_is_no_error(index, monkeypatch, left):
    size, stat, looks = index.describe()["bytes"], Path.stat, []
    (index.folder / ".index.json.part").write_bytes(b"")

    def raced(path, **options):
        if path.name == ".index.json.part":
            looks.append(path)
            if len(looks) > left:
                raise FileNotFoundError(path)
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", raced)
    assert index.describe()["bytes"] == size


def test_an_exception_leaves_the_last_version_and_the_same_job_goes_on(index, items):
    before = everything(index)
    with pytest.raises(ZeroDivisionError):
        interrupt(index, "second", items(60, 70), items(70, 80))
    assert index.unfinished == "second"
    again = Index.open(index.folder)
    assert everything(again) == before
    with again.writing("second") as writer:
        held = writer.done([f"r{row}" for row in (59, 60, 69, 70)])
        assert held.tolist() == [False, True, True, False]
        assert writer.done(["r60", "r61"], ["k60-0", "other"]).tolist() == [True, False]
        writer.put(items(70, 80))
    assert again.rows == 80
    assert again.unfinished is None
    np.testing.assert_array_equal(again.vectors(["r65"], "image"), items(60, 70).vectors["image"][5:6])


def test_another_job_drops_what_was_left(index, items):
    lost = {"id": "r60", "view": "text", "message": "lost"}
    with pytest.raises(ZeroDivisionError):
        interrupt(index, "second", items(60, 70), failures=[lost])
    with index.writing("third") as writer:
        assert not writer.done(["r60"]).any()
        writer.put(items(70, 72))
    assert sorted(index.ids()) == sorted(f"r{row}" for row in [*range(60), 70, 71])
    assert [failure["id"] for failure in index.failures] == ["r3"]


def test_unchanged_rows_are_known_by_their_keys(index):
    with index.writing("second") as writer:
        known = writer.done(["r1", "r2", "r99", "r3"], ["k1-0", "changed", "k99-0", ""])
    assert known.tolist() == [True, False, False, False]
    assert index.keys()["r5"] == "k5-0"


def test_the_last_time_that_a_row_was_put_says_what_failed(index, items):
    lost = [{"id": "r60", "view": view, "message": "lost"} for view in ("text", "image")]
    with pytest.raises(ZeroDivisionError):
        interrupt(index, "second", items(60, 62), failures=lost)
    again = Index.open(index.folder)
    with again.writing("second") as writer:
        writer.put(items(60, 61, seed=1), [{"id": "r60", "view": "image", "message": "still"}])
        writer.put(items(61, 62), [{"id": "r61", "view": "text", "message": "for now"}])
        writer.put(items(61, 62, seed=1))
    assert [(one["id"], one["message"]) for one in again.failures] == [("r3", "unreadable"), ("r60", "still")]


def test_a_job_that_changes_nothing_makes_no_version(index, items):
    def files():
        return {str(path): path.stat().st_mtime_ns for path in index.folder.rglob("*") if path.is_file()}

    before = files()
    with index.writing("second") as writer:
        assert writer.done(["r1"], ["k1-0"]).all()
        writer.delete(["nobody"])
    assert files() == before
    assert (index.version, index.job, index.unfinished) == (1, "build", None)
    with index.writing("third") as writer:
        writer.info["more"] = 1
    with index.writing("fourth") as writer:
        writer.put(items(0, 0), [{"id": "r5", "view": "text", "message": "lost"}])
    with index.writing("fifth") as writer:
        writer.delete(["r0"])
    assert (index.version, index.rows, len(index.failures)) == (4, 59, 2)


def test_compaction_changes_files_and_no_row(index, items):
    for turn in range(4):
        with index.writing(f"turn {turn}") as writer:
            writer.put(items(60 + turn, 61 + turn), [{"id": "r60", "view": "text", "message": "late"}])
    with index.writing("last") as writer:
        writer.delete([f"r{row}" for row in range(10, 40)])
    before, size = everything(index), index.describe()["bytes"]
    index.compact()
    assert everything(Index.open(index.folder)) == before
    assert everything(index) == before
    assert index.describe()["bytes"] < size


def test_what_is_stored_beside_comes_back(index):
    with index.writing("second") as writer:
        writer.info["more"] = [1, "é"]
    again = Index.open(index.folder)
    assert again.info == {"model": "m", "more": [1, "é"]}
    assert again.job == "second"
    described = again.describe()
    assert described["views"]["text"] == {"rows": 40, "width": 6, "search": "exact", "why": "fewer than 50000 rows"}
    assert (described["rows"], described["failures"], described["words"]) == (60, 1, True)


def test_names_that_sql_gives_a_meaning_are_found_under_another(tmp_path):
    columns = pa.table({"a.b": [1, 2], "my col": ["x", "y"], 'q"t`': [1.5, None], "select": [3, 4], "Price": [5, 6]})
    index = Index.create(tmp_path / "i", {"v": 2}, columns.schema, {})
    with index.writing("j") as writer:
        writer.put(Items(["one", "two"], {"v": np.eye(2)}, columns))
    assert index.take(["two", "one"]).select(columns.column_names).equals(columns.take([1, 0]))
    assert index.columns["a.b"] == "a_b"
    query = np.ones((1, 2))
    for where in ("a_b = 2", "`my col` = 'y'", "\"my col\" = 'y'", "q_t_ IS NULL", "`select` > 3", "price = 6"):
        assert index.search("v", query, 5, where=where).ids == [["two"]], where


def test_names_that_the_engine_has_and_names_that_become_one_are_told_apart(tmp_path):
    names = ["a.b", "a_b", "a`b", "_score", "_rowid", "_distance", "column__score"]
    columns = pa.table({name: [place, place + 1] for place, name in enumerate(names)})
    index = Index.create(tmp_path / "i", {"v": 2}, columns.schema, {})
    with index.writing("j") as writer:
        writer.put(Items(["one", "two"], {"v": np.eye(2)}, columns, ["a word", "words"]))
    assert index.columns["a_b"] == "a_b"
    assert len(set(index.columns.values())) == len(names)
    for place, name in enumerate(index.columns.values()):
        assert index.search("v", np.ones((1, 2)), 5, where=f"{name} = {place}").ids == [["one"]]
        assert index.words("word", where=f"{name} > {place}").ids == [["two"]]
    assert index.take(["one", "two"], names).equals(columns)


def test_a_filter_is_looked_at_once_for_many_searches(index, monkeypatch):
    queries, where = np.ones((1, 6)), "price < 20 AND kind = 'red'"
    alone = [index.search("image", queries, where=where).ids, index.words("photo item7", where=where).ids]
    allowed = index.allowed(where)
    assert allowed.numbers.tolist() == list(range(1, 20, 2))
    monkeypatch.setattr(Index, "allowed", None)
    found = [index.search("image", queries, where=allowed).ids, index.words("photo item7", where=allowed).ids]
    assert found == alone


def test_columns_of_any_plain_kind_are_kept(tmp_path):
    columns = pa.table(
        {
            "none": pa.nulls(2),
            "kind": pa.array(["a", None]).dictionary_encode(),
            "when": pa.array([0, 1], pa.timestamp("us")),
            "tags": [["a"], []],
            "yes": [True, None],
        }
    )
    index = Index.create(tmp_path / "i", {"v": 2}, columns.schema, {})
    with index.writing("j") as writer:
        writer.put(Items(["one", "two"], {"v": np.eye(2)}, columns))
    rows = index.take(["one", "two"], columns.column_names).to_pylist()
    assert rows == columns.to_pylist()
    assert index.search("v", np.ones((1, 2)), 5, where="array_has(tags, 'a') AND yes").ids == [["one"]]


@given(rows=st.lists(st.lists(st.floats(-4, 4, width=16), min_size=3, max_size=3), min_size=1, max_size=30))
def test_exact_search_agrees_with_a_sort(rows):
    from fusible.index._exact import nearest as ours

    vectors = np.array(rows, np.float32)
    numbers = np.arange(len(rows)) + 10
    for k in (1, 3, 50):
        for query, (found, scores) in zip(vectors[:3], ours(vectors[:3], vectors, numbers, k), strict=True):
            products = vectors @ query
            assert len(found) == min(k, len(rows))
            np.testing.assert_allclose(scores, np.sort(products)[::-1][:k], rtol=1e-6)
            np.testing.assert_allclose(products[found - 10], scores, rtol=1e-6)


def test_a_first_build_that_was_not_finished_says_so_and_goes_on(tmp_path, items, schema):
    place, widths = tmp_path / "i", {"image": 6, "text": 6}
    index = Index.create(place, widths, schema, {"model": "m"})
    with pytest.raises(ZeroDivisionError):
        interrupt(index, "build", items(0, 10))
    with pytest.raises(DataError, match="first build of this index was not finished; run the same command again"):
        Index.open(place)
    with Index.create(place, widths, schema, {"model": "m"}).writing("build") as writer:
        assert writer.done(["r4", "r11"]).tolist() == [True, False]
        writer.put(items(10, 12))
    assert Index.open(place).rows == 12


def test_a_first_build_of_another_form_begins_anew(tmp_path, items, schema):
    place = tmp_path / "i"
    Index.create(place, {"image": 6}, schema, {"model": "m"})
    index = Index.create(place, {"image": 6, "text": 6}, schema, {"model": "n"})
    with index.writing("build") as writer:
        writer.put(items(0, 3))
    assert Index.open(place).info == {"model": "n"}
    with pytest.raises(DataError, match="already holds an index"):
        Index.create(place, {"image": 6}, schema, {})


def test_a_first_build_of_another_form_takes_nothing_else_with_it(tmp_path, schema):
    Index.create(tmp_path, {"image": 6}, schema, {})
    (tmp_path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(DataError, match=r"other files such as 'thesis\.txt'"):
        Index.create(tmp_path, {"image": 7}, schema, {})
    assert (tmp_path / "thesis.txt").is_file()


def test_a_first_build_that_runs_is_left_alone(tmp_path, items, schema):
    index = Index.create(tmp_path / "i", {"image": 6, "text": 6}, schema, {"model": "m"})
    with index.writing("build") as writer:
        writer.put(items(0, 3))
        writer.flush()
        with pytest.raises(ConfigError, match="another process is writing"):
            Index.create(tmp_path / "i", {"image": 6}, schema, {"model": "n"})
        writer.put(items(3, 5))
    assert Index.open(tmp_path / "i").rows == 5


def test_a_first_build_of_another_form_behind_a_link_is_refused(tmp_path, schema):
    Index.create(tmp_path / "i", {"image": 6}, schema, {})
    (tmp_path / "link").symlink_to("i")
    with pytest.raises(DataError, match="of another form behind a link"):
        Index.create(tmp_path / "link", {"image": 7}, schema, {})
    assert Index.create(tmp_path / "link", {"image": 6}, schema, {}).widths == {"image": 6}


@pytest.mark.parametrize("name", [".work.json.part", ".index.json.part", "work-failures.jsonl", "rows.lance", "lock"])
def test_writing_follows_no_link_out_of_the_folder(index, items, tmp_path, name):
    mine, kept = tmp_path / "mine.txt", index.folder / name
    mine.write_text("precious")
    if kept.exists():
        kept.rename(tmp_path / "moved")
    kept.symlink_to(mine if name != "rows.lance" else tmp_path / "moved")
    with pytest.raises(DataError, match=r"remove it") as caught, index.writing("second") as writer:
        writer.put(items(3, 4), [{"id": "r3", "view": "text", "message": "lost"}])
    assert mine.read_text() == "precious"
    assert "\n" not in str(caught.value)
    if name == "rows.lance":
        with pytest.raises(DataError, match="its rows are a link"):
            Index.open(index.folder).take(["r1"])


def test_a_file_is_written_under_a_name_that_nobody_foresees(tmp_path):
    (tmp_path / "mine").write_text("precious")
    (tmp_path / ".a.json.part").symlink_to(tmp_path / "mine")
    _pointer.write_json(tmp_path / "a.json", {"b": 1})
    assert (tmp_path / "mine").read_text() == "precious"
    assert _pointer.read_json(tmp_path / "a.json") == {"b": 1}
    with pytest.raises(OSError, match="symbolic links"):
        _pointer.append(tmp_path / ".a.json.part", "more")


def test_a_pipe_in_the_place_of_a_file_does_not_hang(index):
    (index.folder / "index.json").unlink()
    os.mkfifo(index.folder / "index.json")
    with pytest.raises(DataError, match="expected an index"):
        Index.open(index.folder)
    os.mkfifo(index.folder / "work.json")
    with pytest.raises(DataError, match="no plain file"):
        _pointer.read_json(index.folder / "work.json")


def test_an_index_of_no_rows_answers(tmp_path, schema):
    index = Index.create(tmp_path / "i", {"image": 6}, schema, {})
    with index.writing("build"):
        pass
    again = Index.open(tmp_path / "i")
    assert (again.rows, again.ids(), again.failures) == (0, [], [])
    assert again.search("image", np.ones((2, 6)), 3, where="price < 3").ids == [[], []]
    assert again.words("photo", 3).ids == [[]]


def test_two_may_not_write_at_once(index):
    with index.writing("one"), pytest.raises(ConfigError, match="another process is writing"):
        index.compact()


def test_compaction_waits_for_an_unfinished_job(index, items):
    with pytest.raises(ZeroDivisionError):
        interrupt(index, "second", items(60, 61))
    with pytest.raises(ConfigError, match="job 'second' is not finished"):
        index.compact()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format 99 is newer than 2"),
        ({"format": "1"}, "expected a whole number `format`"),
        ({"rows": -1}, "damaged"),
        ({"failed": -1}, "damaged"),
        ({"failed": "1"}, "damaged"),
        ({"roster": "../secret"}, "damaged"),
        ({"graphs": {"image": "/etc"}}, "damaged"),
        ({"graphs": {"other": "graph-1"}}, "damaged"),
        ({"nonsense": 1}, "damaged"),
        ({"info": []}, "damaged"),
        ({"roster": "roster-9.arrow"}, "missing or damaged"),
        ({"rows": 61}, "missing or damaged"),
    ],
)
def test_a_pointer_that_cannot_be_is_refused_in_one_line(index, change, message):
    path = index.folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=message) as caught:
        Index.open(index.folder)
    assert "\n" not in str(caught.value)


def test_damaged_files_are_refused_in_one_line(index, tmp_path):
    with pytest.raises(DataError, match="expected an index with"):
        Index.open(tmp_path)
    roster = next(index.folder.glob("roster-*"))
    roster.write_bytes(roster.read_bytes()[:100])
    with pytest.raises(DataError, match="missing or damaged"):
        Index.open(index.folder)
    (index.folder / "index.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        Index.open(index.folder)


@pytest.mark.parametrize(
    ("column", "place", "value"),
    [("id", 60, 2**30), ("id", 30, 2**30), ("id", 30, -5), ("id", 0, -(2**31)), ("key", 60, 2**31 - 1)],
)
def test_a_roster_that_points_out_of_the_file_is_refused(index, column, place, value):
    path = next(index.folder.glob("roster-*"))
    held = bytearray(path.read_bytes())
    names = [f"r{row}" for row in range(60)] if column == "id" else [f"k{row}-0" for row in range(60)]
    offsets = np.cumsum([0, *map(len, names)]).astype(np.int32)
    start = held.index(offsets.tobytes())
    offsets[place] = value
    held[start : start + offsets.nbytes] = offsets.tobytes()
    path.write_bytes(held)
    with pytest.raises(DataError, match=r"missing or damaged \(.*offsets") as caught:
        Index.open(index.folder)
    assert "\n" not in str(caught.value)


def test_a_roster_out_of_order_is_refused(index):
    path = next(index.folder.glob("roster-*"))
    held = path.read_bytes()
    numbers = np.arange(60)
    numbers[7] = 5
    path.write_bytes(held.replace(np.arange(60).tobytes(), numbers.tobytes(), 1))
    with pytest.raises(DataError, match="numbers that do not rise"):
        Index.open(index.folder)


def test_a_version_that_is_gone_says_to_open_again(index, items):
    old = Index.open(index.folder)
    with index.writing("second") as writer:
        writer.put(items(3, 5, seed=1))
    index.compact()
    with pytest.raises(DataError, match="open it again"):
        old.take(["r1"])


def test_other_files_are_left_alone(tmp_path, schema):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="got other files"):
        Index.create(tmp_path, {"image": 6}, schema, {})
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_what_cannot_be_asked_is_said_in_one_line(index):
    one = np.ones((1, 6))
    for call, error, message in (
        (lambda: index.search("sound", one, 3), ConfigError, "no vectors of 'sound'"),
        (lambda: index.search("image", np.ones((1, 5)), 3), ArrayError, r"shape \(1, 5\), expected \(rows, 6\)"),
        (lambda: index.search("image", one * np.nan, 3), ArrayError, "expected finite numbers"),
        (lambda: index.search("image", one, 0), ConfigError, "k = 0"),
        (lambda: index.words("photo", True), ConfigError, "k = True"),
        (lambda: index.take(["r1", "zz"]), DataError, "no row 'zz'"),
        (lambda: index.take(["r1"], ["zz"]), ConfigError, "no column 'zz'"),
        (lambda: index.vectors(["zz"], "image"), DataError, "no row 'zz'"),
    ):
        with pytest.raises(error, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_what_cannot_be_stored_is_said_in_one_line(index, items, tmp_path):
    good = items(60, 62)
    for change, error, message in (
        ({"ids": ["a", "a"]}, DataError, "distinct ids"),
        ({"ids": ["a", ""]}, DataError, "distinct ids"),
        ({"ids": ["a"]}, DataError, "expected as many"),
        ({"vectors": {"sound": np.ones((2, 6))}}, DataError, "vectors of 'sound'"),
        ({"vectors": {"image": np.ones((2, 5))}}, ArrayError, "expected"),
        ({"vectors": {"image": np.array([[1, np.nan, 1, 1, 1, 1]] * 2)}}, ArrayError, "NaN only"),
        ({"columns": pa.table({"price": [1.0, 2.0]})}, DataError, "no column 'kind'"),
        ({"columns": pa.table({"price": ["x", "y"], "kind": ["", ""]})}, DataError, "column 'price', expected double"),
    ):
        parts = {name: getattr(good, name) for name in ("ids", "vectors", "columns")} | change
        with pytest.raises(error, match=message), index.writing("bad") as writer:
            writer.put(Items(**parts))
    with pytest.raises(DataError, match="expected id, view and message"), index.writing("bad") as writer:
        writer.put(good, [{"id": "r60"}])
    with pytest.raises(ConfigError, match="has a name that is taken"):
        Index.create(tmp_path / "n", {"v": 2}, pa.schema([("Fusible_id", pa.int64())]), {})
    with pytest.raises(ConfigError, match="expected 1 to 62 views"):
        Index.create(tmp_path / "n", {}, pa.schema([]), {})


@pytest.mark.parametrize("package", ["lancedb", "faiss"])
def test_an_absent_package_names_the_extra(index, monkeypatch, package):
    from fusible.index import _graph, _table

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fusible\[index\]'"):
        _table.connect(index.folder) if package == "lancedb" else _graph.empty(3)
