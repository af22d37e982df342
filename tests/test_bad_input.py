"""Bad structure of a table: exit code 2, one line that says what is wrong, where, and what to do, nothing written.

Bad cells, which are absent and named, are in `test_bad_cells.py` and `test_bad_media.py`.
"""

import numpy as np
import pytest
from _cases import ROWS, call, files, small_table

OPTIONS = (
    "--column",
    "note=text",
    "--encoder",
    "note=text_tfidf",
    "--encoder",
    "table=table_mlp",
    "-s",
    "model:average",
)


@pytest.fixture
def table(tmp_path, rng):
    frame = small_table(rng)
    frame.to_csv(tmp_path / "table.csv", index=False)
    return frame


# -- structure: one line, exit code 2, nothing written ----------------------------------------------------------------


def written(path, frame, **changes):
    frame.assign(**changes).to_csv(path, index=False)


def non_utf8(path, frame):
    written(path, frame)
    path.write_bytes(path.read_bytes().replace(b"hill", b"h\xe9ll", 1))


def duplicates(path, frame):
    written(path, frame)
    path.write_text(path.read_text().replace("size", "shop", 1))


def ragged(path, frame):
    written(path, frame)
    path.write_text(path.read_text() + "too,few\n")


def no_split_rows(path, frame):
    written(path, frame, split=["train"] * ROWS)


def no_labelled_test_rows(path, frame):
    frame = frame.assign(split=["train"] * 30 + ["valid"] * 9 + ["test"] * 9)
    frame.loc[39:, "y"] = None
    written(path, frame)


def only_an_empty_column(path, frame):
    written(path, frame[["y"]], empty=None)


BROKEN = {
    "a missing file": (lambda path, _: None, [], ["table.csv: no such file or folder"]),
    "an empty file": (lambda path, _: path.write_text(""), [], ["table.csv: the table is empty"]),
    "a header alone": (lambda path, _: path.write_text("a,b,y\n"), [], ["table.csv", "no rows"]),
    "a CSV that is not UTF-8": (non_utf8, [], ["table.csv: not UTF-8 at line", "0xe9", "save the table as UTF-8"]),
    "duplicate column names": (duplicates, [], ["two columns are called 'shop'", "rename one"]),
    "a row with too few cells": (ragged, [], ["expected 4 cells, got 2"]),
    "an unknown target": (written, ["--target", "yy"], ["target 'yy': no such column", "did you mean 'y'?"]),
    "a target with one class": (
        lambda p, f: written(p, f, y="yes"),
        [],
        ["target 'y': expected two classes or more, got only 'yes'", "choose another column"],
    ),
    "a target that is all null": (
        lambda p, f: written(p, f, y=None),
        [],
        ["target 'y': every cell is null", "choose another column"],
    ),
    "a constant number as target": (lambda p, f: written(p, f, y=1.5), [], ["target 'y'", "choose another column"]),
    "a target of infinite numbers": (lambda p, f: written(p, f, y=np.inf), [], ["target 'y'", "choose another"]),
    "more classes than half the rows": (
        lambda p, f: written(p, f, y=[f"class {i}" for i in range(ROWS)]),
        [],
        [f"target 'y': {ROWS} classes in {ROWS} rows", "number:target"],
    ),
    "a split without rows": (
        no_split_rows,
        [],
        ["the test part has no row with a target", "train 41, valid 7, test 0"],
    ),
    "a split without labelled rows": (no_labelled_test_rows, [], ["the test part has no row with a target", "test 0"]),
    "a split of unknown parts": (
        lambda p, f: written(p, f, split="here"),
        ["--column", "split=:split"],
        ["split column: expected train, valid or test, got 'here'"],
    ),
    "no column but an empty one": (
        only_an_empty_column,
        ["--no-encoders"],
        ["expected at least one other input column"],
    ),
    "an unknown column": (
        written,
        ["--column", "nose=text"],
        ["column 'nose': no such column", "did you mean 'note'?"],
    ),
    "an unknown modality": (written, ["--column", "shop=smell"], ["column 'shop': expected modality[:role] of text"]),
    "an unknown encoder": (written, ["--encoder", "note=text_tfdif"], ["no part of encoders is called 'text_tfdif'"]),
    "an unknown view": (written, ["--encoder", "photo=image_cnn"], ["no view is called 'photo'"]),
    "an unknown operator": (written, ["-s", "feature:concta"], ["no part of fusion is called 'concta'", "concat"]),
    "a metric of another task": (written, ["--metric", "r2"], ["metric 'r2' does not fit a binary target"]),
    "a cell for a path that is none": (
        lambda p, f: written(p, f, photo="nowhere.png"),
        ["--column", "photo=image"],
        ["view 'photo': no training row has a readable cell", "--column photo=:ignore"],
    ),
}


RUNS = [
    (command, what)
    for what in BROKEN
    for command in ("compare", "fit")
    if command == "compare" or "-s" not in BROKEN[what][1]
]


@pytest.mark.parametrize(("command", "what"), RUNS)
def test_a_broken_table_ends_with_one_line_and_leaves_nothing(capsys, tmp_path, rng, command, what):
    make, extra, words = BROKEN[what]
    path = tmp_path / "table.csv"
    make(path, small_table(rng))
    before = files(tmp_path)
    given = () if "--no-encoders" in extra else OPTIONS if command == "compare" else OPTIONS[:-2]
    extra = [] if "--no-encoders" in extra else extra
    target = [] if "--target" in extra else ["--target", "y"]
    kept = [] if "--encoder" in extra and "note=text_tfdif" in extra else given
    code, out, err = call(capsys, command, path, *target, "-o", tmp_path / "out", *kept, *extra)
    assert code == 2
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]
    assert files(tmp_path) == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["compare", "fit"])
def test_a_folder_that_holds_something_else_is_not_touched(capsys, tmp_path, table, command):
    place = tmp_path / "thesis"
    place.mkdir()
    (place / "chapter.txt").write_text("mine")
    before = files(tmp_path)
    code, out, err = call(capsys, command, tmp_path / "table.csv", "--target", "y", "-o", place)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {place}: expected a new path, an empty folder or ")
    assert err.count("\n") == 1
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: None, ["no such file or folder"]),
        (lambda p: p.mkdir(), ["no table in the folder; expected .csv"]),
        (lambda p: p.write_bytes(b"PAR1 is not enough"), ["not a table: expected .csv, .tsv, .jsonl"]),
    ],
)
def test_what_is_no_table_is_refused_by_inspect_too(capsys, tmp_path, make, words):
    path = tmp_path / "thing"
    make(path)
    code, out, err = call(capsys, "inspect", path)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert all(word in err for word in words)
