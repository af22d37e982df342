"""Many films: a folder for each, bad ones named, what is not ours left alone."""

import json
from pathlib import Path

import pytest
from _scenes import scenes

from fusible.errors import ConfigError
from fusible.tasks.video.batch import analyze_films, folders


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return scenes(tmp_path_factory.mktemp("film") / "film.mp4", [1, 1], sound=False)


def test_a_bad_film_is_named_and_the_rest_goes_on(path, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"nothing")
    found = analyze_films([bad, path, tmp_path / "absent.mp4"], tmp_path / "out")
    assert list(found.timelines) == [str(tmp_path / "out" / "film")]
    assert {name.rsplit("/", 1)[1] for name in found.failures} == {"bad.mp4", "absent.mp4"}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["film"]
    written = tmp_path / "out" / "film"
    assert {p.name for p in written.iterdir()} == {"timeline.json", "timeline.parquet", "timeline.vtt"}
    assert json.loads((written / "timeline.json").read_text())["film"]["seconds"] == pytest.approx(2.0)
    assert found.to_json()["failures"] == found.failures


def test_a_film_whose_folder_cannot_be_written_is_named(path, tmp_path):
    def full(analysis, film, page):
        if "second" in film.name:
            raise OSError(28, "No space left on device")

    other = path.with_name("second.mp4")
    other.write_bytes(path.read_bytes())
    found = analyze_films([other, path], tmp_path, page=full)
    assert list(found.timelines) == [str(tmp_path / "film")]
    assert found.failures[str(other)].endswith(
        "cannot be written: No space left on device; make room, or choose another"
    )
    assert [place.name for place in tmp_path.iterdir()] == ["film"]


def test_long_names_are_cut(path, tmp_path):
    long = path.with_name("é" * 120 + ".mp4")
    long.write_bytes(path.read_bytes())
    found = analyze_films([long], tmp_path)
    assert not found.failures
    assert [place.name for place in tmp_path.iterdir()] == ["é" * 90]


def test_an_earlier_analysis_is_replaced_whole(path, tmp_path):
    analyze_films([path], tmp_path, page=lambda analysis, film, page: page.write_text("old"))
    analyze_films([path], tmp_path, page=lambda analysis, film, page: page.write_text("new"))
    assert (tmp_path / "film" / "timeline.html").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["film"]


def test_a_page_that_fails_leaves_the_earlier_analysis(path, tmp_path):
    analyze_films([path], tmp_path, page=lambda analysis, film, page: page.write_text("old"))

    def failing(analysis, film, page):
        raise RuntimeError("full disk")

    with pytest.raises(RuntimeError, match="full disk"):
        analyze_films([path], tmp_path, page=failing)
    assert (tmp_path / "film" / "timeline.html").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["film"]


def test_folders_of_others_are_refused_before_any_work(path, tmp_path):
    (tmp_path / "film").mkdir()
    (tmp_path / "film" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="expected a new folder or that of an earlier analysis"):
        analyze_films([path], tmp_path)
    with pytest.raises(ConfigError, match="expected a folder to write timelines to, got a file"):
        analyze_films([path], tmp_path / "film" / "thesis.txt")
    with pytest.raises(ConfigError, match="expected a file to analyse, got none"):
        analyze_films([], tmp_path)


def test_names_that_are_taken_get_numbers():
    assert [f.name for f in folders(["a.mp4", "x/a.mov", "a-2.mp4", "a.wav"], Path("o"))] == [
        "a", "a-2", "a-2-2", "a-3",
    ]  # fmt: skip
