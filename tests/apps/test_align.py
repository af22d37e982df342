"""`fusible align` in process: one JSON object, a folder whole or not at all, exit codes."""

import json

import numpy as np
import pandas as pd
import pytest
from _cases import call, files

import fusible
from fusible.apps import align as face
from fusible.apps.options import spread

JOIN = ("--view", "left=a0,a1,a2", "--view", "right=b0,b1")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """CSV of two groups of numbers that share a direction."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=200)
    frame = pd.DataFrame({name: shared + 0.5 * rng.normal(size=200) for name in ("a0", "a1", "a2", "b0", "b1")})
    frame["price"] = rng.normal(size=200)
    path = tmp_path_factory.mktemp("align") / "t.csv"
    frame.to_csv(path, index=False)
    return path


def test_json_is_one_object_and_the_folder_holds_it(capsys, table, tmp_path):
    out = tmp_path / "out"
    code, printed, err = call(capsys, "align", table, *JOIN, "--views", "left", "right", "--json", "-o", out)
    assert code == 0, err
    found = json.loads(printed)
    assert found["method"] == "cca"
    assert [view["name"] for view in found["views"]] == ["left", "right"]
    assert found["significant"] == 1
    assert found["command"].startswith(f"fusible align {table} --view left=a0,a1,a2")
    assert json.loads((out / "alignment.json").read_text()) == found
    assert {path.name for path in out.iterdir()} == {"report.html", "alignment.json", "aligner"}
    vectors = fusible.load_aligner(out / "aligner").transform(table)
    assert vectors["left"].shape == (200, len(found["components"]))
    page = (out / "report.html").read_text()
    assert found["statement"] in page
    assert "<script" not in page


def test_the_terminal_shows_components_and_the_finding(capsys, table):
    code, out, _ = call(
        capsys, "align", table, *JOIN, "--views", "left", "right", "--method", "pls", "--components", "1"
    )
    assert code == 0
    assert "pls · left + right · 170 train, 30 test rows" in out
    assert "left and right share 1 dimension" in " ".join(out.split())
    assert "linear CKA:" in out
    assert "left: encoder table_standard" in out


def test_a_folder_of_something_else_is_refused_before_any_work(capsys, table, tmp_path, monkeypatch):
    (tmp_path / "mine.txt").write_text("mine")
    monkeypatch.setattr("fusible.tasks.align.align", None)
    code, out, err = call(capsys, "align", table, "-o", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "choose another -o" in err
    code, _, err = call(capsys, "align", table, "-o", tmp_path / "mine.txt")
    assert code == 2
    assert "got a file" in err


def test_a_failed_write_leaves_the_earlier_folder(table, tmp_path, monkeypatch):
    options = {"join": {"left": ["a0", "a1", "a2"], "right": ["b0", "b1"]}, "columns": {"price": ":ignore"}}
    result = fusible.align(table, ["left", "right"], output=tmp_path / "out", **options)
    before = files(tmp_path)

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr("fusible.tasks.aligner.TableAligner.save", fail)
    with pytest.raises(OSError, match="no space"):
        face.write_alignment(result, tmp_path / "out")
    assert files(tmp_path) == before
    monkeypatch.undo()
    face.write_alignment(result, tmp_path / "out")
    assert files(tmp_path).keys() == before.keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--views", "left", "wrong"), "view 'wrong': no such view"),
        (("--views", "left"), "expected two or more"),
        (("--method", "caa"), "did you mean"),
        (("--method", "deep_cca", "--views", "left", "right", "table"), "expected 2 views, got 3"),
        (("--encoder", "left=table_mlp", "--views", "left", "right"), "needs no target"),
    ],
)
def test_wrong_settings_end_with_2_and_one_line(capsys, table, arguments, words):
    code, out, err = call(capsys, "align", table, *JOIN, *arguments)
    assert (code, out) == (2, "")
    assert words in err.replace("\n", " ")
    assert err.strip().splitlines()[-1].startswith("error: ")


def test_wrong_usage_ends_with_2(capsys, table):
    assert call(capsys, "align")[0] == 2
    assert call(capsys, "align", table, "--components", "0")[0] == 2
    assert call(capsys, "align", table.parent / "missing.csv")[0] == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            ["align", "t", "--views", "a", "b", "c"],
            ["align", "t", *("--views", "a"), *("--views", "b"), *("--views", "c")],
        ),
        (["align", "t", "--views", "a", "--views", "b"], ["align", "t", "--views", "a", "--views", "b"]),
        (["align", "t", "--views", "a", "b", "-o", "x"], ["align", "t", "--views", "a", "--views", "b", "-o", "x"]),
        (["compare", "t", "--view", "a", "b"], ["compare", "t", "--view", "a", "b"]),
        (["--views"], ["--views"]),
        ([], []),
    ],
)
def test_views_may_follow_one_another(given, expected):
    assert spread(given) == expected
