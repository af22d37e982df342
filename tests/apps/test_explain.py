"""`fusible explain` in process, on a model that was fitted and saved: numbers, page, JSON, exit codes."""

import json

import pytest
from _cases import call, small_table

import fusible


@pytest.fixture(scope="module")
def place(tmp_path_factory, quick):
    """A folder with a table of 48 rows and a model over both of its views."""
    import numpy as np

    folder = tmp_path_factory.mktemp("explain")
    table = small_table(np.random.default_rng(0))
    table.loc[4, "note"] = None
    table.to_csv(folder / "t.csv", index=False)
    with quick():
        fusible.fit(
            folder / "t.csv", "y", strategy="feature:concat", columns={"note": "text"}, output=folder / "model",
            encoders={"note": "text_tfidf", "table": "table_standard"}, cache=folder / "cache",
        )  # fmt: skip
    return folder


def test_json_of_a_row_agrees_with_the_prediction(capsys, place):
    code, out, err = call(capsys, "explain", place / "model", place / "t.csv", "--row", 3, "--saliency", "--json")
    assert code == 0, err
    found = json.loads(out)
    said = fusible.predict(place / "model", place / "t.csv").iloc[3]
    assert found["answer"] == said["prediction"]
    assert found["value"] == pytest.approx(said[f"probability_{found['explained']}"], abs=1e-6)
    assert sum(view["value"] for view in found["views"]) == pytest.approx(found["value"] - found["base"])
    assert [view["view"] for view in found["views"]] == ["note", "table"]
    assert {column["column"] for column in found["columns"]} == {"size", "shop"}
    (words,) = found["saliency"]
    assert "".join(words["pieces"]) == found["fields"]["note"]
    assert found["command"].startswith("fusible explain")


def test_python_and_the_page_say_the_same(capsys, place, tmp_path):
    page = tmp_path / "row.html"
    code, out, _ = call(capsys, "explain", place / "model", place / "t.csv", "--row", 4, "-o", page)
    assert code == 0
    assert "feature:concat · y · row 4" in out
    found = fusible.explain(place / "model", place / "t.csv", 4, output=tmp_path / "again.html")
    assert found.statement.replace("'", "&#39;") in page.read_text()
    assert [share.present for share in found.views] == [0.0, 1.0]
    assert found.views[0].value == pytest.approx(0.0, abs=1e-6)
    assert (tmp_path / "again.html").is_file()
    loaded = fusible.load(place / "model")
    assert fusible.explain(loaded, place / "t.csv", 4).to_json() == found.to_json()


def test_the_score_is_that_of_evaluate(capsys, place):
    code, out, _ = call(capsys, "explain", place / "model", place / "t.csv", "--json")
    assert code == 0
    found = json.loads(out)
    scores = fusible.evaluate(place / "model", place / "t.csv")
    assert found["unit"] == scores["metric"] == "accuracy"
    assert found["value"] == pytest.approx(scores["score"]["score"])
    assert found["rows"] == 48


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--row", "48"), "row 48: expected a row from 0 to 47"),
        (("--row", "1", "--target-class", "maybe"), "class 'maybe': expected one of no, yes"),
        (("--saliency",), "name it with --row N"),
        (("--row", "1", "--scale", "bits"), "expected one of probability, log_odds"),
        (("--row", "1", "-o", "/nowhere/at/all.html"), "the folder /nowhere/at does not exist"),
    ],
)
def test_wrong_settings_end_with_2_and_one_line(capsys, place, arguments, words):
    code, out, err = call(capsys, "explain", place / "model", place / "t.csv", *arguments)
    assert (code, out) == (2, "")
    assert words in err.replace("\n", " ")
    assert err.strip().splitlines()[-1].startswith("error: ")


def test_wrong_usage_ends_with_2(capsys, place):
    assert call(capsys, "explain")[0] == 2
    assert call(capsys, "explain", place / "model", place / "t.csv", "--row", "one")[0] == 2
    assert call(capsys, "explain", place, place / "t.csv", "--row", "1")[0] == 2
