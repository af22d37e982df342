"""`compare`, `fit` and `demo` of the Python face: what they write, whole or not at all."""

import json

import numpy as np
import pandas as pd
import pytest

import fusible
from fusible.apps import study as studies
from fusible.errors import ConfigError, DataError

OPTIONS = {
    "columns": {"note": "text"},
    "encoders": {"note": "text_tfidf", "table": "table_mlp"},
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 70)
    return pd.DataFrame(
        {
            "note": [f"{'sun' if y else 'moon'} over the {rng.choice(['hill', 'lake', 'town'])}" for y in label],
            "size": label + rng.normal(size=70),
            "y": np.where(label == 1, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def written(table, quick, tmp_path_factory):
    """A study, and the folder that it wrote."""
    place = tmp_path_factory.mktemp("study")
    with quick():
        result = fusible.compare(
            table, "y", **OPTIONS, strategies=["model:average"], output=place / "out", cache=place / "cache",
            command="fusible compare table.csv --target y",
        )  # fmt: skip
    return result, place / "out"


def files(place):
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def test_the_folder_holds_report_numbers_and_model(written, table):
    result, place = written
    assert {path.name for path in place.iterdir()} == {"report.html", "study.json", "best"}
    assert json.loads((place / "study.json").read_text("utf-8")) == json.loads(json.dumps(result.to_json()))
    page = (place / "report.html").read_text("utf-8")
    assert "fusible compare table.csv --target y" in page
    assert result.statement.split(":")[0] in page
    loaded = fusible.load(place / "best")
    np.testing.assert_array_equal(loaded.predict_scores(table), result.best.predict_scores(table))


def test_the_model_card_says_what_was_found(written):
    result, place = written
    card = (place / "best" / "README.md").read_text("utf-8")
    assert result.auto in card
    assert "'y'" in card or "`y`" in card or " y" in card
    assert f"{result.strategy('auto').test.score:.3f}" in card


def test_a_second_study_replaces_the_first(written, tmp_path):
    result, _ = written
    other = tmp_path / "out"
    studies.write_study(result, other)
    before = files(other)
    (other / "report.html").write_text("old")
    studies.write_study(result, studies.check_study(other))
    assert files(other).keys() == before.keys()
    assert files(other)["report.html"] != b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("step", ["fusible.report.html.write_report", "fusible.tasks.model.Model.save", "json.dumps"])
def test_a_failure_leaves_the_old_study_as_it_was(written, tmp_path, monkeypatch, step):
    result, _ = written
    place = tmp_path / "out"
    studies.write_study(result, place)
    before = files(place)

    def fail(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(step, fail)
    with pytest.raises(OSError, match="no space left"):
        studies.write_study(result, place)
    with pytest.raises(OSError, match="no space left"):
        studies.write_study(result, tmp_path / "new")
    monkeypatch.undo()
    assert files(place) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("run", [fusible.compare, fusible.fit])
def test_a_place_that_holds_something_else_is_refused_before_any_work(run, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    for name, words in (("file", "got a file"), ("folder", "expected a new path, an empty folder or")):
        with pytest.raises(DataError, match=words):
            run("no such table.csv", "y", output=tmp_path / name)


def test_a_study_with_files_of_others_in_it_is_not_replaced(written, tmp_path):
    result, _ = written
    studies.write_study(result, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="expected a new path, an empty folder or an earlier study"):
        studies.check_study(tmp_path / "out")


@pytest.mark.parametrize("strategy", ["single:table", "feature:concat", "model:product"])
def test_fit_keeps_the_strategy_that_was_named(table, quick, tmp_path, strategy):
    with quick():
        model = fusible.fit(
            table, "y", strategy=strategy, output=tmp_path / "model", cache=tmp_path / "cache", **OPTIONS
        )
    assert model.node.name == strategy
    loaded = fusible.load(tmp_path / "model")
    assert loaded.node.name == strategy
    assert strategy in (tmp_path / "model" / "README.md").read_text("utf-8")
    np.testing.assert_array_equal(loaded.predict_scores(table), model.predict_scores(table))


def test_fit_of_what_does_not_exist_here(table, quick, tmp_path):
    with (
        quick(),
        pytest.raises(
            ConfigError, match="strategy 'single:photo': no such view; expected one of single:note, single:table"
        ),
    ):
        fusible.fit(table, "y", strategy="single:photo", output=tmp_path / "model", cache=tmp_path / "c", **OPTIONS)
    assert not (tmp_path / "model").exists()


def test_the_demonstration_is_a_study_of_its_table(monkeypatch, quick, tmp_path):
    from fusible.tasks import demo

    whole = demo.easy_vqa_table
    monkeypatch.setattr(demo, "easy_vqa_table", lambda: whole(limit=14))
    with quick():
        result = fusible.demo(
            output=tmp_path / "demo", strategies=["model:average"], cache=tmp_path / "cache",
            encoders={"image": "image_cnn", "question": "text_tfidf"},
        )  # fmt: skip
    assert result.target == "answer"
    assert result.command == "fusible demo"
    assert {view["name"] for view in result.views} == {"image", "question"}
    assert all(example["image"].startswith(b"\x89PNG") for example in result.examples)
    page = (tmp_path / "demo" / "report.html").read_text("utf-8")
    assert page.count("data:image/png;base64") >= 5
