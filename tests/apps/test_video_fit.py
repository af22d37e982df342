"""`fusible video fit` and `analyze --model` in process: a model folder, a table, one line for what cannot be used."""

import json

import _event_films
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from _cases import call, files
from _scenes import scenes

import fusible
from fusible.data.film import FilmReader
from fusible.tasks.video.events import Design

QUICK = ("--width", "8", "--updates", "2", "--rate", "5", "--picture", "motion")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five films of 5 seconds in a folder, and a table of their events beside it."""
    place = tmp_path_factory.mktemp("data")
    (place / "films").mkdir()
    spans = _event_films.films(place / "films", 5, 5.0)
    spans["file"] = [file.rpartition("/")[2] for file in spans["file"]]
    spans = spans.rename(columns={"start": "from", "label": "what"})
    spans.to_csv(place / "spans.csv", index=False)
    return place


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    """Folders of two models of a few steps of training: one listens, one looks."""
    place = tmp_path_factory.mktemp("models")
    for view in ("sound", "video"):
        fusible.fit_events(
            folder / "spans.csv",
            folder / "films",
            columns={"start": "from", "label": "what"},
            views=[view],
            picture="motion",
            rate=5.0,
            design=Design(width=8, updates=4, batch=2, looks=1),
            output=place / view,
        )
    return place


def test_fit_writes_a_model_and_shows_every_candidate(capsys, folder, tmp_path):
    arguments = ["video", "fit", folder / "films", "--spans", folder / "spans.csv", "-o", tmp_path / "model"]
    code, out, err = call(capsys, *arguments, "--start", "from", "--label", "what", *QUICK)
    assert code == 0, err
    for name in ("single:sound", "single:video", "fused:concat", "model:all", "mAP@.5", "95 %", "valid"):
        assert name in out
    assert "3 train, 1 valid, 1 test films" in out
    assert out.endswith(f"model: {tmp_path / 'model'}\n")
    assert set(files(tmp_path / "model")) == {"README.md", "config.yaml", "weights.safetensors"}
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert "| model:all |" in card
    assert "Finds: left, right" in card
    assert fusible.load_events(tmp_path / "model").classes == ("left", "right")


def test_fit_prints_json_alone(capsys, folder, tmp_path):
    arguments = ["video", "fit", folder / "films", "--spans", folder / "spans.csv", "-o", tmp_path / "model", "--json"]
    code, out, err = call(capsys, *arguments, "--start", "from", "--label", "what", "--view", "sound", *QUICK)
    assert code == 0, err
    found = json.loads(out)
    assert [row["name"] for row in found["rows"]] == ["single:sound"]
    assert set(found["rows"][0]["test"]) == {"score", "low", "high"}
    assert found["command"].startswith("fusible video fit")


def test_analyze_adds_the_events_that_models_predict_from_one_pass(capsys, monkeypatch, folder, made, tmp_path):
    film = folder / "films" / "film4.mp4"
    arguments = ["video", "analyze", film, "-o", tmp_path, "--step", "1", "--confidence", "0.001"]
    passes, once = [], FilmReader.__iter__
    monkeypatch.setattr(FilmReader, "__iter__", lambda reader: passes.append(reader) or once(reader))
    code, _, err = call(capsys, *arguments, "--model", made / "sound", "--model", made / "video")
    assert code == 0, err
    assert len(passes) == 1
    lane = json.loads((tmp_path / "film4" / "timeline.json").read_text("utf-8"))["lanes"]["event"]
    models = [fusible.load_events(made / view) for view in ("sound", "video")]
    both = [model.predict([film], floor=0.001) for model in models]
    assert min(map(len, both)) > 2
    wanted = pd.concat(both).sort_values(["start", "end"], kind="stable")
    assert [e["label"] for e in lane] == wanted["label"].tolist()
    for key, column, places in (("start", "start", 3), ("end", "end", 3), ("score", "confidence", 4)):
        np.testing.assert_allclose([e[key] for e in lane], wanted[column], atol=0.6 * 10**-places)
    rows = pq.read_table(tmp_path / "film4" / "timeline.parquet").to_pylist()
    assert sum(row["lane"] == "event" for row in rows) == len(lane)
    assert "event: " in (tmp_path / "film4" / "timeline.vtt").read_text("utf-8")
    page = (tmp_path / "film4" / "timeline.html").read_text("utf-8")
    assert 'data-lane="event"' in page


def test_a_film_without_sound_keeps_its_events(folder, made, tmp_path):
    rng = np.random.default_rng(3)
    film = _event_films.write_film(tmp_path / "mute.mp4", [(1.0, 2.0, "left")], 4.0, rng, heard=False)
    found = fusible.analyze_video(
        film, tmp_path / "out", models=[made / "sound", made / "video"], confidence=0.0, step=2.0
    )
    (timeline,) = found.timelines.values()
    assert timeline.lane("event")
    assert sum("no sound" in text for text in timeline.warnings) == 1


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips of one scene each, a label per clip, and a column that must not be looked at."""
    place = tmp_path_factory.mktemp("clips")
    rows = []
    for i in range(14):
        kind = i % 2
        scenes(place / f"{i}.mp4", [1.0], [kind])
        part = "train" if i < 8 else "valid" if i < 11 else "test"
        rows.append({"clip": f"{i}.mp4", "place": ("inside", "outside")[kind], "answer": kind, "split": part})
    pd.DataFrame(rows).to_csv(place / "clips.csv", index=False)
    return place


def test_labels_of_clips_become_tags_of_shots(capsys, clips, tmp_path):
    arguments = ["video", "fit", clips / "clips.csv", "--target", "place", "-o", tmp_path / "model"]
    code, out, err = call(
        capsys, *arguments, "--strategy", "feature:concat", "--encoder", "clip=video_efficientnet",
        "--encoder", "clip_sound=audio_stats", "--cache", tmp_path / "cache",
    )  # fmt: skip
    assert code == 0, err
    assert "single:clip_sound" in out
    assert "answer" not in out
    film = scenes(tmp_path / "film.mp4", [2.0, 2.0, 2.0], [1, 0, 1])
    arguments = ["video", "analyze", film, "-o", tmp_path / "out", "--step", "1", "--json"]
    code, out, err = call(capsys, *arguments, "--model", tmp_path / "model")
    assert code == 0, err
    (timeline,) = json.loads(out)["films"].values()
    tags = [(e["label"], e["start"], e["end"]) for e in timeline["lanes"]["tag"]]
    assert tags == [("place: outside", 0.0, 2.0), ("place: inside", 2.0, 4.0), ("place: outside", 4.0, 6.0)]
    assert 'data-lane="tag"' in (tmp_path / "out" / "film" / "timeline.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "FILMS", "-o", "OUT"], "expected --spans TABLE, to learn events, or --target COL"),
        (["fit", "FILMS", "--spans", "SPANS", "--target", "x", "-o", "OUT"], "expected --spans TABLE"),
        (["fit", "FILMS", "--spans", "SPANS", "--metric", "f1", "-o", "OUT"], "--metric says nothing together with"),
        (["fit", "FILMS", "--target", "x", "--rate", "5", "-o", "OUT"], "--rate says nothing together with --target"),
        (["fit", "FILMS", "--spans", "SPANS", "-o", "OUT"], "no column for the start of a span"),
        (["fit", "FILMS", "--spans", "none.csv", "-o", "OUT"], "none.csv: no such file"),
        (["fit", "SPANS", "--target", "what", "-o", "OUT", "--file", "clip"], "clips: no column 'clip'"),
        (["fit", "REVERSED", "--spans", "REVERSED", "-o", "OUT"], "row 1: the span is reversed, 4 to 3 s"),
        (["fit", "FILMS", "--spans", "REVERSED", "-o", "SPANS"], "expected a folder to write the model to, got a file"),
        (["analyze", "FILM", "-o", "OUT", "--model", "FILMS"], "config.yaml"),
        (
            ["analyze", "FILM", "-o", "OUT", "--model", "MODEL", "--confidence", "2"],
            "expected a confidence from 0 to 1",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, folder, made, tmp_path, arguments, said):
    odd = pd.DataFrame({"file": ["a.mp4"] * 2, "start": [1, 4], "end": [2, 3], "label": ["x", "y"]})
    odd.to_csv(tmp_path / "reversed.csv", index=False)
    places = {
        "FILMS": folder / "films", "FILM": folder / "films" / "film0.mp4", "SPANS": folder / "spans.csv",
        "OUT": tmp_path / "out", "REVERSED": tmp_path / "reversed.csv", "MODEL": made / "sound",
    }  # fmt: skip
    code, out, err = call(capsys, "video", *(places.get(one, one) for one in arguments))
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
