"""A folder of studies over several tables: written study by study, gone on with, refused where it is another's."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from _cases import call

import fusible
from fusible.apps import several as face
from fusible.errors import DataError

OPTIONS = {"columns": {"note": "text"}, "encoders": {"note": "text_tfidf", "table": "table_mlp"}}


def frame(seed, rows=60):
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, rows)
    notes = [f"{'sun' if y else 'moon'} over the {random.choice(['hill', 'lake', 'town'])}" for y in label]
    answer = np.where(label == 1, "yes", "no")
    return pd.DataFrame({"note": notes, "size": label + random.normal(size=rows), "y": answer})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two tables."""
    place = tmp_path_factory.mktemp("several")
    for k, name in enumerate(("north", "south")):
        frame(k).to_csv(place / f"{name}.csv", index=False)
    return place


@pytest.fixture(scope="module")
def study(folder, quick):
    """What `fusible compare A B --json` printed, and its folder."""
    import io
    from contextlib import redirect_stdout

    from fusible.apps.cli import main

    words = ["compare", str(folder / "north.csv"), str(folder / "south.csv"), "--target", "y", "--json"]
    more = ["--column", "note=text", "--encoder", "note=text_tfidf", "--encoder", "table=table_mlp"]
    place = ["-s", "feature:concat", "-o", str(folder / "out"), "--cache", str(folder / "cache")]
    with quick(), redirect_stdout(io.StringIO()) as printed, pytest.raises(SystemExit) as end:
        main([*words, *more, *place])
    assert not end.value.code
    return json.loads(printed.getvalue()), folder / "out"


def again(folder, **options):
    tables = [folder / "north.csv", folder / "south.csv"]
    return fusible.compare_all(
        tables, "y", **{**OPTIONS, "strategies": ["feature:concat"], "cache": folder / "cache"} | options
    )


def test_one_object_is_printed(study):
    found, _ = study
    assert [s["name"] for s in found["studies"]] == ["north", "south"]
    assert all({"task", "strategies", "verdict", "difference", "folder"} <= set(s) for s in found["studies"])
    assert set(found["ranks"]) == {"auto", "best single view", "feature:concat", "single:note", "single:table"}
    assert found["ranking"]["decides"] is False


def test_the_folder_holds_each_study_and_an_index(study):
    found, place = study
    assert {p.name for p in place.iterdir()} == {"north", "south", "report.html", "studies.json"}
    for name in ("north", "south"):
        assert {p.name for p in (place / name).iterdir()} == {"report.html", "study.json", "best"}
    assert json.loads((place / "studies.json").read_text("utf-8"))["result"] == found
    page = (place / "report.html").read_text("utf-8")
    assert all((place / link).is_file() for link in re.findall(r'href="([^"]+)"', page))
    assert 'href="north/report.html"' in page
    assert fusible.load(place / "south" / "best").predict(frame(1)).shape[0] == 60


def test_finished_studies_are_not_run_again(study, folder, monkeypatch):
    found, place = study
    monkeypatch.setattr("fusible.tasks.several.compare", lambda *_, **__: pytest.fail("a study began"))
    result = again(folder, output=place, seed=0, device="cpu")
    assert result.to_json()["ranks"] == found["ranks"]


def test_a_run_that_was_ended_goes_on(folder, quick, tmp_path, monkeypatch):
    from fusible.tasks import several as task

    compare, begun = task.compare, []

    def ended(data, *rest, **options):
        if len(begun) == 1:
            raise KeyboardInterrupt
        begun.append(data)
        return compare(data, *rest, **options)

    monkeypatch.setattr(task, "compare", ended)
    with quick(), pytest.raises(KeyboardInterrupt):
        again(folder, output=tmp_path / "out")
    assert json.loads((tmp_path / "out" / "studies.json").read_text("utf-8"))["result"] is None
    assert not (tmp_path / "out" / "report.html").exists()
    monkeypatch.setattr(task, "compare", lambda data, *rest, **o: begun.append(data) or compare(data, *rest, **o))
    with quick():
        again(folder, output=tmp_path / "out")
    assert [path.name for path in begun] == ["north.csv", "south.csv"]
    assert (tmp_path / "out" / "report.html").is_file()


def test_places_of_others_are_refused_before_any_work(tmp_path, folder, study):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for place, words in (("file", "got a file"), ("full", "earlier studies of several")):
        with pytest.raises(DataError, match=words):
            again(folder, output=tmp_path / place)
    with pytest.raises(DataError, match="earlier studies of several"):
        again(folder, output=study[1] / "north")


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 9, "keys": {}}', '{"format": 1}'])
def test_a_damaged_list_of_studies_is_named(tmp_path, folder, text):
    (tmp_path / "studies.json").write_text(text)
    with pytest.raises(DataError, match=r"studies\.json"):
        again(folder, output=tmp_path)


def test_a_damaged_study_is_named(tmp_path):
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        face._read(tmp_path / "study.json")


def test_people_see_a_table(study, folder, monkeypatch, capsys):
    _, place = study
    monkeypatch.setattr("fusible.tasks.several.compare", lambda *_, **__: pytest.fail("a study began"))
    face.show_several(again(folder, output=place, seed=0, device="cpu"), place, json=False)
    out = capsys.readouterr().out
    assert "north" in out
    assert "feature:concat" in out
    assert "Fusion helps on" in out
    assert f"report: {place / 'report.html'}" in out


def test_one_table_takes_one_target(capsys, folder):
    code, out, err = call(capsys, "compare", folder / "north.csv", "--target", "y", "--target", "size")
    assert (code, out) == (2, "")
    assert "--target: expected one column for one table, got 2: y, size" in err


def test_targets_of_several_tables_must_match(capsys, folder):
    tables = (folder / "north.csv", folder / "south.csv")
    code, out, err = call(capsys, "compare", *tables, "-t", "y", "-t", "y", "-t", "y")
    assert (code, out) == (2, "")
    assert "one for each of 2, got 3" in err
