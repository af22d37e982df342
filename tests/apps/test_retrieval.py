"""`fusible index` and `fusible search` in process: results, pages, one line and exit code 2 for bad input."""

import json
import shutil

import pandas as pd
import pytest
from _cases import call
from _goods import CACHE, ROWS, goods

import fusible

pytest.importorskip("lancedb", reason="the extra 'index' is not installed")


@pytest.fixture(scope="module")
def made(tmp_path_factory, png):
    return goods(tmp_path_factory, png)


@pytest.fixture
def place(made, tmp_path):
    """An index, written from the command line's Python."""
    fusible.build_index(made[0], made[1], tmp_path / "index", id="name", cache=made[1].parent / CACHE)
    return tmp_path / "index"


def test_index_search_update_delete(capsys, made, tmp_path):
    table, model = made
    place, cache = tmp_path / "index", ("--cache", model.parent / CACHE)
    code, out, err = call(capsys, "index", table, "-m", model, "-o", place, "--id", "name", *cache, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["rows"], found["added"]) == (ROWS, ROWS)
    assert [(one["id"], one["view"]) for one in found["failures"]] == [("item-3", "photo")]
    assert found["index"]["views"]["note"]["search"] == "exact"

    page = tmp_path / "found.html"
    code, out, err = call(
        capsys, "search", place, "--text", "red fire", "--image", table.parent / "0.png", "--where", "price < 100",
        "--k", "3", "--html", page, "--json",
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    assert (found["asked"], found["where"], len(found["hits"])) == ("fused", "price < 100", 3)
    assert found["command"].startswith("fusible search ")
    assert all(int(hit["id"].removeprefix("item-")) % 3 == 0 for hit in found["hits"])
    assert found["hits"][0]["id"] in page.read_text()

    code, out, err = call(capsys, "index", "-o", place, "--delete", "item-0", "--delete", "item-1", "--compact")
    assert code == 0, err
    assert f"{ROWS - 2} rows: 2 deleted" in out
    code, out, err = call(capsys, "index", table, "-o", place, "--id", "name", *cache)
    assert code == 0, err
    assert f"{ROWS} rows: 2 added, {ROWS - 2} as they were" in out
    assert f"index: {place}" in out


def test_search_in_the_terminal(capsys, place, made):
    code, out, err = call(capsys, "search", place, "--row", "item-4", "--modality", "image", "-k", "4", "--each")
    assert code == 0, err
    assert "4 of 60 rows; the first matches by 'photo'." in out
    code, out, err = call(
        capsys, "search", place, "--query", "note=blue sea", "--value", "price=20", "--words", "0", "--model", made[1]
    )
    assert code == 0, err
    assert "10 of 60 rows" in out
    code, out, err = call(capsys, "search", place, "--text", '"red fire"', "-k", "2")
    assert code == 0, err
    assert "2 of 60 rows" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "empty query: give --text"),
        (("--text", " "), "--text: empty query"),
        (("--video", "clip.mp4"), "--video: the model knows no video"),
        (("--image", "gone.png"), "--image gone.png: no such file"),
        (("--text", "red", "--where", "price < "), "filter: expected an SQL condition"),
        (("--text", "red", "--where", "cost < 3"), "filter: no column 'cost' in this index"),
        (("--text", "red", "--where", "price < 3; drop table rows"), "filter: expected one SQL condition"),
        (("--text", "red", "--query", "note"), "--query 'note': expected VIEW=VALUE"),
        (("--text", "red", "--html", "no/where.html"), "does not exist; create it"),
        (("--row", "nobody"), "no row 'nobody' in this index"),
        (("--text", "red", "--k", "0"), "Invalid value for '--k' / '-k'"),
        (("--text", "red", "--k", "9" * 20), "Invalid value for '--k' / '-k'"),
        (("--image", "x" * 300), "File name too long"),
    ],
)
def test_bad_queries_end_with_2_and_one_line(capsys, place, arguments, words):
    code, out, err = call(capsys, "search", place, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.strip().splitlines()[-1].startswith("error: ")


def test_what_is_no_index_or_not_its_model_is_refused(capsys, place, made, tmp_path):
    def refused(*arguments):
        code, out, err = call(capsys, *arguments)
        assert (code, out) == (2, "")
        return err.strip().splitlines()[-1]

    assert "expected an index" in refused("search", tmp_path, "--text", "red")
    assert "expected an index" in refused("search", tmp_path / "gone", "--text", "red")
    newer = tmp_path / "newer"
    shutil.copytree(place, newer)
    pointer = json.loads((newer / "index.json").read_text())
    (newer / "index.json").write_text(json.dumps({**pointer, "format": 99}))
    assert "format 99 is newer" in refused("search", newer, "--text", "red")
    assert "format 99 is newer" in refused("index", made[0], "-m", made[1], "-o", newer, "--id", "name")
    other = fusible.load_retriever(made[1])
    other.heads["note"].parts[0].scale *= -1
    other.save(tmp_path / "other")
    assert "built with another model" in refused("search", place, "--text", "red", "--model", tmp_path / "other")
    assert "built with another model" in refused(
        "index", made[0], "-m", tmp_path / "other", "-o", place, "--id", "name"
    )
    (newer / "index.json").write_text(
        json.dumps({**pointer, "info": {**pointer["info"], "model": "/gone", "model_beside": ""}})
    )
    assert "its model is not where it was (/gone)" in refused("search", newer, "--text", "red")


def test_wrong_usage_of_index(capsys, made, tmp_path, place):
    assert "give it with -o INDEX" in call(capsys, "index", made[0])[2]
    assert "nothing to do" in call(capsys, "index", "-o", place)[2]
    assert "--delete goes without DATA" in call(capsys, "index", made[0], "-o", place, "--delete", "item-0")[2]
    for option in (("--id", "name"), ("--prune",), ("--model", made[1])):
        for work in (("--delete", "item-0"), ("--compact",)):
            code, _, err = call(capsys, "index", "-o", place, *work, *option)
            assert (code, f"index: {option[0]} goes with DATA" in err) == (2, True)
    assert fusible.open_index(place).index.rows == ROWS
    said = f"{tmp_path / 'new'}: a new index needs a model; give it with --model"
    assert said in call(capsys, "index", made[0], "-o", tmp_path / "new")[2].replace("\n", "")
    assert not (tmp_path / "new").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    code, _, err = call(capsys, "index", made[0], "-m", made[1], "-o", tmp_path / "full")
    assert code == 2
    assert "got other files" in err


def test_align_for_search_gives_a_retriever(capsys, tmp_path):
    import numpy as np

    rng = np.random.default_rng(0)
    shared = rng.normal(size=(200, 2))
    frame = pd.DataFrame({f"{side}{i}": shared[:, i] + 0.3 * rng.normal(size=200) for side in "ab" for i in range(2)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    options = ("--view", "left=a0,a1", "--view", "right=b0,b1", "--method", "cca", "--for-search")
    code, out, err = call(capsys, "align", tmp_path / "t.csv", *options, "-o", tmp_path / "out")
    assert code == 0, err
    assert "left -> right" in " ".join(out.split())
    assert f"retriever: {tmp_path / 'out' / 'retriever'}" in out.replace("\n", "")
    assert fusible.load_retriever(tmp_path / "out").names == ("left", "right")
    for extra, words in ((("--components", "1"), "leave it out"),):
        code, _, err = call(capsys, "align", tmp_path / "t.csv", *options, *extra)
        assert (code, words in err) == (2, True)
    code, _, err = call(capsys, "align", tmp_path / "t.csv", *options[:4], "--target", "a0")
    assert (code, "goes with --for-search" in err) == (2, True)
