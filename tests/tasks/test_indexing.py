"""Indexing: what an index holds of a table, what a second run does, what is listed, and where it is refused."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from _goods import CACHE, ROWS, goods, picture

import fusible
from fusible.data.kinds import full_path
from fusible.errors import ConfigError, DataError, SchemaError
from fusible.index.store import Index
from fusible.tasks import indexing
from fusible.tasks._index_rows import to_jpeg
from fusible.tasks.indexing import build_index, compact_index, delete_rows, deletion

pytest.importorskip("lancedb", reason="the extra 'index' is not installed")


@pytest.fixture(scope="module")
def made(tmp_path_factory, png):
    return goods(tmp_path_factory, png)


@pytest.fixture
def own(made, tmp_path):
    """A copy of the table, to change."""
    shutil.copytree(made[0].parent, tmp_path / "goods", ignore=shutil.ignore_patterns("model", CACHE))
    return tmp_path / "goods" / "goods.csv"


def build(table, model, place, **options):
    cache = Path(model).parent / CACHE if isinstance(model, Path) else None
    return build_index(table, model, place, **({"cache": cache, "workers": 2} | options))


@pytest.fixture
def built(made, own, tmp_path):
    build(own, made[1], tmp_path / "index", id="name")
    return own, made[1], tmp_path / "index"


def test_vectors_are_those_of_the_retriever_and_fused(made, tmp_path, monkeypatch):
    monkeypatch.setattr(indexing, "CHUNK", 16)
    found = build(*made, tmp_path / "index", id="name")
    assert (found.rows, found.added, found.changed, found.unchanged, found.deleted) == (ROWS, ROWS, 0, 0, 0)
    index = Index.open(tmp_path / "index")
    retriever = fusible.load_retriever(made[1])
    names = [f"item-{row}" for row in range(ROWS)]
    assert index.ids() == names
    vectors = retriever.transform(made[0])
    for view, expected in {**vectors, "fused": retriever.fuse(vectors)}.items():
        np.testing.assert_allclose(index.vectors(names, view), expected, atol=1e-5)
    table = pd.read_csv(made[0])
    rows = index.take(names).to_pandas()
    assert rows["note"].tolist() == table["note"].tolist() == rows["fusible_text"].tolist()
    assert rows["price"].tolist() == pytest.approx(table["price"].tolist())
    assert rows["fusible_media:sound"].tolist()[:2] == [str(made[0].parent / "0.wav"), str(made[0].parent / "1.wav")]
    assert pd.isna(rows["fusible_media:sound"][5])
    assert rows["fusible_media:photo"].tolist() == [str(made[0].parent / name) for name in table["photo"]]
    assert rows["fusible_preview:photo"][0].startswith(b"\xff\xd8\xff")
    assert index.info["fingerprint"] == retriever.fingerprint


def test_what_cannot_be_read_is_listed_with_row_view_and_cause(made, own, tmp_path):
    (own.parent / "8.png").unlink()
    (own.parent / "9.wav").write_bytes(b"no sound at all")
    found = build(own, made[1], tmp_path / "index")
    said = {(one["id"], one["view"]): one["message"] for one in found.failures}
    assert set(said) == {("3", "photo"), ("8", "photo"), ("9", "sound")}
    assert "row 3, column 'photo'" in said["3", "photo"]
    assert "not a readable image" in said["3", "photo"]
    assert "no such file" in said["8", "photo"]
    index = Index.open(tmp_path / "index")
    assert {(one["id"], one["view"]) for one in index.failures} == set(said)
    assert np.isnan(index.vectors(["3", "8"], "photo")).all()
    assert np.isfinite(index.vectors(["3", "8", "9"], "fused")).all()


def test_a_second_run_leaves_what_is_there_and_takes_what_changed(built):
    own, model, place = built
    again = build(own, None, place, id="name", cache=model.parent / CACHE)
    assert (again.added, again.changed, again.unchanged, again.failures) == (0, 0, ROWS, [])
    frame = pd.read_csv(own)
    frame.loc[2, "note"] = "blue cold coat sea"
    frame = pd.concat([frame.iloc[:-1], frame.iloc[[0]].assign(name="new")], ignore_index=True)
    frame.to_csv(own, index=False)
    (own.parent / "4.png").write_bytes((own.parent / "0.png").read_bytes())
    found = build(own, None, place, id="name", cache=model.parent / CACHE)
    assert (found.rows, found.added, found.changed, found.unchanged, found.deleted) == (ROWS + 1, 1, 2, ROWS - 3, 0)
    index = Index.open(place)
    assert index.take(["item-2"])["note"].to_pylist() == ["blue cold coat sea"]
    np.testing.assert_allclose(index.vectors(["item-4"], "photo"), index.vectors(["item-0"], "photo"), atol=1e-5)
    pruned = build(own, None, place, id="name", prune=True, cache=model.parent / CACHE)
    assert (pruned.rows, pruned.deleted) == (ROWS, 1)
    assert f"item-{ROWS - 1}" not in Index.open(place).ids()


def test_a_table_that_moved_takes_the_paths_of_its_media_along(built):
    own, model, place = built
    cache = model.parent / CACHE
    moved = own.parent.rename(own.parent.with_name("elsewhere"))
    found = build(moved / "goods.csv", None, place, id="name", cache=cache)
    assert (found.changed, found.unchanged) == (ROWS, 0)
    held = Index.open(place).take(["item-1"]).to_pylist()[0]
    assert held["fusible_media:photo"] == str(moved / "1.png")
    spelled = moved / ".." / "elsewhere" / "goods.csv"
    assert build(spelled, None, place, id="name", cache=cache).unchanged == ROWS


def test_two_spellings_of_a_path_are_one_table(made, own, tmp_path, monkeypatch):
    build(own, made[1], tmp_path / "index")
    monkeypatch.chdir(own.parent)
    (tmp_path / "link").symlink_to(own.parent)
    for spelled in ("goods.csv", "../goods/goods.csv", tmp_path / "link" / "goods.csv"):
        build(spelled, made[1], tmp_path / "index")
    (tmp_path / "far").mkdir()
    (tmp_path / "goods" / "far").symlink_to(tmp_path / "far")
    (tmp_path / "goods.csv").write_text("x")
    assert full_path("far/../goods.csv") == str(own.parent / "far/../goods.csv")  # not goods/goods.csv


def test_an_updated_index_equals_one_built_anew(built, tmp_path):
    own, model, place = built
    frame = pd.read_csv(own).sample(frac=1.0, random_state=0).iloc[:40].reset_index(drop=True)
    frame.loc[:9, "price"] += 100
    frame.to_csv(own, index=False)
    build(own, model, place, id="name", prune=True)
    build(own, model, tmp_path / "fresh", id="name")
    old, new = Index.open(place), Index.open(tmp_path / "fresh")
    names = sorted(new.ids())
    assert sorted(old.ids()) == names
    assert old.take(names).equals(new.take(names))
    for view in new.widths:
        np.testing.assert_allclose(old.vectors(names, view), new.vectors(names, view), atol=1e-5)


def test_row_numbers_follow_the_table(made, own, tmp_path):
    build(own, made[1], tmp_path / "index")
    pd.read_csv(own).iloc[: ROWS - 10].to_csv(own, index=False)
    found = build(own, made[1], tmp_path / "index")
    assert (found.rows, found.deleted, found.unchanged) == (ROWS - 10, 10, ROWS - 10)
    with pytest.raises(ConfigError, match=r"row numbers of .*goods\.csv; to replace them all give --prune"):
        build(made[0], made[1], tmp_path / "index")
    assert build(made[0], made[1], tmp_path / "index", prune=True).rows == ROWS
    with pytest.raises(ConfigError, match="named by row numbers, got --id name"):
        build(made[0], made[1], tmp_path / "index", id="name")


def test_numbers_that_are_no_inputs_of_the_model_can_be_filtered(made, own, tmp_path):
    frame = pd.read_csv(own)
    frame["stock"], frame["grade"] = np.arange(ROWS), 1 + np.arange(ROWS) % 5  # a counter, and few values
    frame["code"] = [f"{row:03}" for row in range(ROWS)]
    frame["mixed"] = ["none", *map(str, range(1, ROWS))]
    frame.to_csv(own, index=False)
    place = tmp_path / "index"
    build(own, made[1], place, id="name")
    found = fusible.open_index(place, made[1]).search("red", where="stock < 20 and grade = 1 and code < '011'", k=9)
    assert {hit.columns["stock"] for hit in found.hits} == {0, 5, 10}
    found = fusible.open_index(place).search("red", where="grade < 1.5", k=ROWS, alike=False)
    assert len(found.hits) == ROWS // 5
    assert fusible.open_index(place).search("red", where="mixed = '7'").hits[0].columns["mixed"] == "7"
    frame["mixed"] = "1.50"  # all numbers now: held as the text that the index has
    frame.to_csv(own, index=False)
    assert build(own, None, place, id="name", cache=made[1].parent / CACHE).changed == ROWS
    assert fusible.open_index(place).search("red", k=1).hits[0].columns["mixed"] == "1.50"
    frame["stock"] = frame["stock"].astype(float)
    frame.loc[3, "stock"] = -0.5
    frame.to_csv(own, index=False)
    assert build(own, None, place, id="name", cache=made[1].parent / CACHE).changed == 1
    assert fusible.open_index(place).search("red", where="stock < -0.4", k=1).hits[0].id == "item-3"
    typed = tmp_path / "typed"
    build(pd.read_csv(own, dtype={"stock": str}), made[1], typed, id="name")  # a table with types keeps them
    assert fusible.open_index(typed).search("red", where="stock = '7.0'", k=1).hits[0].columns["stock"] == "7.0"


def test_nan_of_a_typed_column_is_an_absent_cell(made, tmp_path):
    table = pa.Table.from_pandas(pd.read_csv(made[0]).drop(columns=["photo", "sound"]), preserve_index=False)
    cells = np.arange(ROWS, dtype=np.float32)
    cells[::4] = np.nan
    for name, kind in (("stock", pa.float32()), ("worth", pa.float64())):
        table = table.append_column(name, pa.array(cells, kind))
    table = table.append_column("photo", pa.nulls(ROWS)).append_column("sound", pa.nulls(ROWS))
    build(table, made[1], tmp_path / "index", id="name")
    searcher = fusible.open_index(tmp_path / "index", made[1])
    for where, count in (
        ("stock > 1e6", 0), ("stock is null", ROWS // 4), ("worth is null", ROWS // 4), ("worth >= 0", ROWS * 3 // 4),
        ("not worth < 1e6", 0),
    ):  # fmt: skip
        assert len(searcher.search("red", where=where, k=ROWS, alike=False).hits) == count, where
    assert build(table, None, tmp_path / "index", id="name", cache=made[1].parent / CACHE).unchanged == ROWS


def test_a_column_of_another_type_is_held_as_the_index_holds_it(made, tmp_path):
    frame = pd.read_csv(made[0]).drop(columns=["photo", "sound"]).assign(photo=None, sound=None)
    frame["stock"], frame["grade"] = np.arange(ROWS), np.arange(ROWS) / 2
    place = tmp_path / "index"
    build(frame, made[1], place, id="name")
    more = pd.concat([frame, frame.iloc[:1].assign(name="new", stock=np.nan)], ignore_index=True)
    found = build(more, None, place, id="name", cache=made[1].parent / CACHE)  # whole numbers became others
    assert (found.added, found.changed, found.unchanged) == (1, 0, ROWS)
    assert Index.open(place).take(["item-1", "new"])["stock"].to_pylist() == [1, None]
    texts = frame.assign(grade=[f" {cell}" for cell in frame["grade"]])
    texts.loc[0, "grade"] = " "
    assert build(texts, None, place, id="name", cache=made[1].parent / CACHE).changed == 1


def test_a_cell_of_another_type_is_refused_before_a_job_is_begun(made, tmp_path, monkeypatch):
    frame = pd.read_csv(made[0]).drop(columns=["photo", "sound"]).assign(photo=None, sound=None, stock=1)
    build(frame, made[1], tmp_path / "index", id="name")
    monkeypatch.setattr(indexing._Run, "_encode", None)
    with pytest.raises(DataError, match=r"column 'stock', expected int64 as the index has it: .*'n/a'") as caught:
        build(frame.assign(stock="n/a"), None, tmp_path / "index", id="name", cache=made[1].parent / CACHE)
    assert "\n" not in str(caught.value)
    assert Index.open(tmp_path / "index").unfinished is None
    assert delete_rows(tmp_path / "index", ["item-1"]).rows == ROWS - 1


def test_rows_are_deleted_by_id(built):
    _, _, place = built
    found = delete_rows(place, ["item-0", "item-9", "item-0"])
    assert (found.rows, found.deleted) == (ROWS - 2, 2)
    with pytest.raises(DataError, match="no row 'item-0' in this index; nothing is deleted"):
        delete_rows(place, ["item-1", "item-0"])
    assert compact_index(place).rows == ROWS - 2
    assert Index.open(place).rows == ROWS - 2


def test_an_unfinished_build_is_not_dropped_by_a_deletion(built):
    own, model, place = built
    with pytest.raises(ZeroDivisionError), Index.open(place).writing("long"):
        raise ZeroDivisionError
    for refused in (lambda: delete_rows(place, ["item-0"]), lambda: compact_index(place)):
        with pytest.raises(ConfigError, match="job 'long' is not finished; run it again, then"):
            refused()
    assert Index.open(place).unfinished == "long"
    with Index.open(place).writing("long"):
        pass
    with pytest.raises(ZeroDivisionError), Index.open(place).writing(deletion(["item-0"])):
        raise ZeroDivisionError
    assert delete_rows(place, ["item-0"]).rows == ROWS - 1
    assert build(own, None, place, id="name", cache=model.parent / CACHE).added == 1


def test_a_deletion_goes_on_only_where_it_names_the_same_rows(built):
    assert deletion(["a b", "c"]) == deletion(["c", "a b"])
    assert len({deletion(ids) for ids in (["a b", "c"], ["a", "b c"], ["a", "b", "c"], ["a b c"])}) == 4
    _, _, place = built
    with pytest.raises(ZeroDivisionError), Index.open(place).writing("delete item-0 item-1"):
        raise ZeroDivisionError
    with pytest.raises(ConfigError, match="job 'delete item-0 item-1' is not finished"):
        delete_rows(place, ["item-0", "item-1"])


def test_a_second_run_over_the_same_table_makes_no_version(built):
    own, model, place = built
    assert build(own, None, place, id="name", cache=model.parent / CACHE).unchanged == ROWS
    assert Index.open(place).version == 1


def test_another_table_in_memory_deletes_nothing_unless_it_is_told_to(made, tmp_path):
    frame = pd.read_csv(made[0]).drop(columns=["photo", "sound"]).assign(photo=None, sound=None)
    place = tmp_path / "index"
    build(frame, made[1], place)
    few = frame.tail(3).reset_index(drop=True)
    with pytest.raises(ConfigError, match=rf"another table, of which {ROWS - 3} would be deleted; .* --prune"):
        build(few, made[1], place)
    assert (Index.open(place).rows, Index.open(place).unfinished) == (ROWS, None)
    assert build(frame, made[1], place).unchanged == ROWS
    assert build(few, made[1], place, prune=True).rows == 3
    build(made[0], made[1], tmp_path / "files")
    with pytest.raises(ConfigError, match=r"row numbers of .*goods\.csv, of which"):
        build(few, made[1], tmp_path / "files")


def test_what_could_be_read_a_moment_later_is_tried_again(made, own, tmp_path, monkeypatch):
    encoder = type(fusible.load_retriever(made[1]).encoders["photo"])
    real, left = encoder.decode, [1]

    def once(self, media):
        if left and str(media.path).endswith("8.png"):
            left.pop()
            raise DataError("disk hiccup")
        return real(self, media)

    monkeypatch.setattr(encoder, "decode", once)
    build_index(own, made[1], tmp_path / "index", cache=tmp_path / "fresh", workers=1)
    assert np.isnan(Index.open(tmp_path / "index").vectors(["8"], "photo")).all()
    again = build_index(own, made[1], tmp_path / "index", cache=tmp_path / "fresh", workers=1)
    assert (again.changed, again.unchanged, again.failures) == (1, ROWS - 1, [])
    index = Index.open(tmp_path / "index")
    assert np.isfinite(index.vectors(["8"], "photo")).all()
    assert [one["id"] for one in index.failures] == ["3"]
    assert [note.split(": row")[0] for note in again.notes] == [
        "cells that could not be read in earlier runs are still absent, 1 in all"
    ]


def test_what_another_process_published_before_the_lock_counts(built, monkeypatch):
    own, model, place = built
    opened = indexing.opened

    def raced(*rest):
        index = opened(*rest)
        delete_rows(place, ["item-0", "item-1"])
        return index

    monkeypatch.setattr(indexing, "opened", raced)
    found = build(own, model, place, id="name", prune=True, cache=model.parent / CACHE)
    assert (found.rows, found.added, found.deleted, found.unchanged) == (ROWS, 2, 0, ROWS - 2)


@pytest.mark.parametrize(
    ("cells", "words"),
    [(["a"] * ROWS, "row 1 has the 'name' of an earlier row"), ([None] + ["a"] * (ROWS - 1), "row 0 has no 'name'")],
)
def test_ids_must_name_each_row(made, own, tmp_path, cells, words):
    pd.read_csv(own).assign(name=cells).to_csv(own, index=False)
    with pytest.raises(DataError, match=words):
        build(own, made[1], tmp_path / "index", id="name")
    with pytest.raises(SchemaError, match="nam"):
        build(own, made[1], tmp_path / "index", id="nam")
    assert not (tmp_path / "index").exists()


def test_another_model_and_a_lacking_column_are_refused(built, made, tmp_path):
    own, _, place = built
    other = fusible.load_retriever(made[1])
    other.heads["note"].parts[0].scale *= -1
    with pytest.raises(ConfigError, match="built with another model"):
        build(own, other, place, id="name")
    pd.read_csv(own).drop(columns="shop").to_csv(own, index=False)
    with pytest.raises(SchemaError, match="shop"):
        build(own, made[1], place, id="name")
    shutil.move(str(made[1]), str(tmp_path / "moved"))
    try:
        with pytest.raises(ConfigError, match="its model is not where it was"):
            build_index(own, None, place, id="name")
    finally:
        shutil.move(str(tmp_path / "moved"), str(made[1]))


def test_a_view_whose_columns_a_table_lacks_is_absent(made, own, tmp_path):
    place, cache = tmp_path / "index", made[1].parent / CACHE
    whole = pd.read_csv(own)
    whole.drop(columns=["photo", "sound"]).to_csv(own, index=False)
    found = build(own, made[1], place, id="name")
    said = "view {0!r} is absent: the table has no column {0!r}"
    assert found.notes == [said.format("photo"), said.format("sound")]
    index, retriever = Index.open(place), fusible.load_retriever(made[1])
    vectors = retriever.transform(own, ["note", "table"])
    np.testing.assert_allclose(index.vectors(index.ids(), "fused"), retriever.fuse(vectors), atol=1e-5)
    assert index.sizes == {"note": ROWS, "photo": 0, "sound": 0, "table": ROWS, "fused": ROWS}
    searcher = fusible.open_index(place, made[1])
    assert searcher.search("red", k=3).hits[0].view in {"note", "table", "fused"}
    assert searcher.search("red", modality="image").hits == []
    assert build(own, made[1], place, id="name").unchanged == ROWS

    other = tmp_path / "other"
    whole.iloc[:20].to_csv(own, index=False)
    build(own, made[1], other, id="name")
    late = whole.iloc[20:].drop(columns="sound")
    late["photo"] = [str(own.parent / name) for name in late["photo"]]
    found = build(late, None, other, id="name", cache=cache)
    assert (found.rows, found.added, found.notes[0]) == (ROWS, ROWS - 20, said.format("sound"))
    assert Index.open(other).take(["item-21"])["sound"].to_pylist() == [None]


def test_a_table_without_a_view_of_the_model_or_with_half_a_one_is_refused(made, own, tmp_path):
    for gone, words in (
        (["note", "photo", "sound", "price", "size", "shop"], "column .*, an input of the model, is missing"),
        (["photo", "size"], r"goods\.csv: column '(photo|size)', an input"),
    ):
        pd.read_csv(made[0]).drop(columns=gone).to_csv(own, index=False)
        with pytest.raises(SchemaError, match=words):
            build(own, made[1], tmp_path / "index", id="name")
        assert not (tmp_path / "index").exists()


def test_a_table_in_memory_keeps_its_pictures_and_sounds(made, tmp_path, png):
    frame = pd.read_csv(made[0]).iloc[:6]
    for name in ("photo", "sound"):
        frame[name] = [None if pd.isna(path) else (made[0].parent / path).read_bytes() for path in frame[name]]
    found = build(frame, made[1], tmp_path / "index")
    assert [one["id"] for one in found.failures] == ["3"]
    row = Index.open(tmp_path / "index").take(["0"]).to_pylist()[0]
    assert row["fusible_preview:sound"] == frame["sound"][0]
    assert row["fusible_media:photo"] is None
    assert "photo" not in row


def test_previews_are_small_and_upright():
    from PIL import Image

    rng = np.random.default_rng(0)
    for pixels in (picture(0, rng, 400), np.full((20, 500, 3), 0.5, np.float32), np.zeros((1, 1, 3), np.uint8)):
        stream = __import__("io").BytesIO(
            to_jpeg(np.asarray(pixels, pixels.dtype if pixels.dtype != np.int64 else np.uint8))
        )
        with Image.open(stream) as image:
            assert max(image.size) <= 160
            assert abs(image.size[0] / image.size[1] - pixels.shape[1] / pixels.shape[0]) < 4


KILLED = """
import sys
from fusible.tasks import indexing
indexing.CHUNK = 8
from fusible.index import _writer
_writer.FLUSH_ROWS = 8
put = indexing._Run._encode
def slow(self, chunk):
    found = put(self, chunk)
    print(chunk.rows[-1], flush=True)
    return found
indexing._Run._encode = slow
indexing.build_index(sys.argv[1], sys.argv[2], sys.argv[3], cache=sys.argv[4], id="name")
"""


def test_a_killed_run_goes_on_where_it_was(made, tmp_path, monkeypatch):
    place, cache = tmp_path / "index", made[1].parent / CACHE
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(made[0]), str(made[1]), str(place), str(cache)],
        stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if int(line) > ROWS // 2:
            break
    time.sleep(0.2)
    process.kill()
    process.wait()
    process.stdout.close()
    written = []
    put = indexing.Items
    monkeypatch.setattr(indexing, "Items", lambda ids, *rest: written.extend(ids) or put(ids, *rest))
    build(*made, place, id="name")
    assert Index.open(place).rows == ROWS
    assert len(written) < ROWS
    build(*made, tmp_path / "whole", id="name")
    names = [f"item-{row}" for row in range(ROWS)]
    assert Index.open(place).take(names).equals(Index.open(tmp_path / "whole").take(names))
