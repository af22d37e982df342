"""Films as rows to search: what falls into each span, what is absent, and that the right moment is found."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from _goods import head
from _scenes import RATE, photo, scene, scenes
from PIL import Image

import fusible
from fusible.data.audio import decode_audio
from fusible.data.transcript import Cue, Transcript
from fusible.errors import ConfigError, DataError, SchemaError
from fusible.report.search import render
from fusible.tasks._moment import Moment, placed, read_moment
from fusible.tasks._retrieval_calibration import Calibration
from fusible.tasks.indexing import build_index
from fusible.tasks.label_free import fit_encoder
from fusible.tasks.retriever import Retriever
from fusible.tasks.searching import open_index
from fusible.tasks.source import Source
from fusible.tasks.vectors import pooled
from fusible.tasks.video.moments import cut_films
from fusible.types import Media


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return scenes(tmp_path_factory.mktemp("films") / "film.mp4", [1, 2, 1.5], seeds=[0, 1, 2])


def table(found):
    return pd.read_parquet(found.table)


def test_a_row_per_shot_with_its_picture_its_sound_and_its_words(path, tmp_path):
    said = Transcript((Cue(0.2, 0.8, "first"), Cue(0.9, 2.9, "one two three four")))
    found = cut_films([path], tmp_path / "out", transcripts={str(path): said})
    rows = table(found)
    assert list(rows) == ["id", "group", "start", "end", "picture", "sound", "words"]
    assert rows["start"].to_list() == pytest.approx([0, 1, 3])
    assert rows["end"].to_list() == pytest.approx([1, 3, 4.5])
    assert rows["words"].to_list()[:2] == ["first", "one two three four"]
    assert pd.isna(rows["words"][2])
    for number, row in rows.iterrows():
        picture = photo((tmp_path / "out" / row["picture"]).read_bytes()).astype(float)
        small = np.asarray(Image.fromarray(picture.astype(np.uint8)).resize((128, 96)), float)
        errors = [np.abs(small - scene(seed)).mean() for seed in range(3)]
        assert int(np.argmin(errors)) == number
        samples = decode_audio(Media("sound", 0, path=str(tmp_path / "out" / row["sound"])), RATE)
        assert len(samples) == pytest.approx((row["end"] - row["start"]) * RATE, abs=2)
        spectrum = np.abs(np.fft.rfft(samples[: int(0.35 * RATE)]))
        assert spectrum.argmax() * RATE / int(0.35 * RATE) == pytest.approx(300 + 100 * number, abs=4)
    assert placed(rows["id"][1], found.table) == Moment(str(path), 1.0, 3.0)
    assert found.to_json()["rows"] == {str(path): 3}


def test_a_grid_leaves_no_sliver_and_what_is_absent_is_null(tmp_path):
    silent = scenes(tmp_path / "silent.mp4", [3.2], sound=False)
    wave = tmp_path / "wave.wav"
    samples = np.zeros(3 * RATE, np.float32)
    samples[RATE : 2 * RATE] = 0.5
    soundfile.write(wave, samples, RATE)
    found = cut_films([silent, wave], tmp_path / "out", every=1.0)
    rows = table(found)
    assert rows["end"].to_list() == pytest.approx([1, 2, 3.2, 1, 2, 3])
    assert rows["picture"].notna().to_list() == [True] * 3 + [False] * 3
    assert rows["sound"].notna().to_list() == [False] * 3 + [False, True, False]
    assert rows["words"].isna().all()
    assert "no sound in the file" in found.warnings[str(silent)][0]


def test_spans_of_a_table_name_their_films_by_path_or_name(path, tmp_path):
    spans = pd.DataFrame(
        {"film": ["film.mp4"] * 4, "start_s": [1.5, 0.1, 0.1, 9.0], "end_s": [9.0, 0.2, 0.2, 10.0],
         "label": ["b", "a", "c", "d"]}
    )  # fmt: skip
    found = cut_films([path], tmp_path / "out", spans=spans)
    rows = table(found)
    assert rows["start"].to_list() == pytest.approx([0.1, 1.5])
    assert rows["end"].to_list() == pytest.approx([0.2, 4.5])
    assert rows["label"].to_list() == ["a, c", "b"]
    assert rows["picture"].notna().all()
    assert found.warnings[str(path)] == ["1 spans begin after the film's end, at 4.5 s, and are left out"]
    spans.assign(film=str(path)).drop(columns="label").to_csv(tmp_path / "spans.csv", index=False)
    assert "label" not in table(cut_films([path], tmp_path / "out", spans=tmp_path / "spans.csv"))
    found = cut_films([path], tmp_path / "other", spans=spans.assign(film="else.mp4"))
    assert "the table of spans has no row of it" in found.failures[str(path)]
    assert not (tmp_path / "other").exists()


def test_bad_films_are_listed_and_an_earlier_folder_is_replaced_whole(path, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"nothing")
    cut_films([path], tmp_path / "out", every=0.5)
    found = cut_films([bad, path], tmp_path / "out")
    assert list(found.failures) == [str(bad)]
    assert "not a readable film" in found.failures[str(bad)]
    assert len(list((tmp_path / "out" / "pictures").iterdir())) == 3
    assert {p.name for p in tmp_path.iterdir()} == {"bad.mp4", "out"}


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"every": 0.01}, ConfigError, "expected spans of 0.1 to 3600 seconds, got 0.01"),
        ({"every": float("nan")}, ConfigError, "expected spans of 0.1 to 3600 seconds, got nan"),
        ({"every": 1.0, "spans": pd.DataFrame()}, ConfigError, "expected spans of one kind"),
        ({"spans": pd.DataFrame({"file": ["a"], "start": [1]})}, SchemaError, "no column for the end of a span"),
        ({"spans": pd.DataFrame({"file": ["a"], "start": [2], "end": [1]})}, DataError, "the span is reversed"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_any_film(tmp_path, given, error, said):
    with pytest.raises(error, match=said):
        cut_films([tmp_path / "absent.mp4"], tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_outputs_and_films_that_cannot_be(path, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    for out, files, said in (
        ("mine", [path], "expected a new folder or that of earlier moments"),
        ("mine/thesis.txt", [path], "expected a new folder"),
        ("out", [], "expected a film to cut, got none"),
        ("out", [path, path], "a film is named twice"),
    ):
        with pytest.raises(ConfigError, match=said):
            cut_films(files, tmp_path / out)


def test_addresses():
    assert read_moment(Moment("a#t=1,2.mp4", 0.0, 3661.25).address()) == Moment("a#t=1,2.mp4", 0.0, 3661.25)
    assert Moment("a.mp4", 0.0004, 100.0).fragment() == "#t=0,100"
    for text in ("a.mp4", "a.mp4#t=3,2", "#t=1,2", "a.mp4#t=1", "a.mp4#t=-1,2"):
        assert read_moment(text) is None
    assert placed("absent.mp4#t=1,2", "/nowhere/moments.parquet") is None
    assert placed(3.0, "/nowhere") is None


def planted(table):
    """A retriever of the sounds and words of a table whose rows are of three kinds in turn."""
    dataset = fusible.read(table, columns={"words": "text"})
    source, rows = Source(dataset), np.arange(dataset.rows)
    views = tuple(dataset.views[name] for name in ("sound", "words"))
    names = ("audio_stats", "text_tfidf")
    encoders = {v.name: fit_encoder(source, v, name, rows, 0) for v, name in zip(views, names, strict=True)}
    heads = {v.name: head(pooled(source.feed(v, encoders[v.name], encoded=True), rows)) for v in views}
    columns = tuple(dataset.columns[view.name] for view in views)
    return Retriever("planted", columns, views, encoders, heads, Calibration(width=3))


def test_the_right_moment_of_the_right_film_comes_first(tmp_path):
    rng, names, tones = np.random.default_rng(0), ("low", "middle", "high"), np.arange(24) % 3
    told = scenes(tmp_path / "told.mp4", [0.5] * len(tones), seeds=6 * tones)
    cues = [Cue(n / 2, (n + 1) / 2, f"{names[tone]} {rng.choice(list('abcde'))}.") for n, tone in enumerate(tones)]
    learned = cut_films([told], tmp_path / "learned", every=0.5, transcripts={str(told): Transcript(tuple(cues))})
    model = planted(learned.table)
    model.save(tmp_path / "model")
    films = [scenes(tmp_path / f"{kind}.mp4", [0.5] * 3, seeds=[0, 6 * kind, 0]) for kind in (1, 2)]
    held = cut_films(films, tmp_path / "held", every=0.5)
    build_index(held.table, tmp_path / "model", tmp_path / "index", id="id")
    search = open_index(tmp_path / "index").search
    for word, film in (("middle", films[0]), ("high", films[1])):
        first = search(word, alike=False).hits[0]
        assert first.moment == Moment(str(film), 0.5, 1.0)
        assert first.to_json()["moment"] == {"file": str(film), "start": 0.5, "end": 1.0}
    found = search(audio=tmp_path / "learned" / "sounds" / "told-00003.flac", alike=False)
    assert found.hits[0].moment == Moment(str(films[1]), 0.5, 1.0)
    assert f'src="{films[1].as_uri()}#t=0.5,1"' in render(found)
