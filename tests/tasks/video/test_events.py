"""Events are learned from labelled spans, found in new films, kept in a folder; what is wrong is said in one line."""

import json

import _event_films
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from fusible.errors import ConfigError, DataError, FusibleError, ModelFormatError
from fusible.tasks.video._events_batches import Disturbance, Drawer, Example
from fusible.tasks.video._events_read import tracks_of
from fusible.tasks.video._events_tracks import Sources, Track, Tracks
from fusible.tasks.video.events import Design, fit_events
from fusible.tasks.video.events_model import load_events
from fusible.types import Media

SMALL = Design(width=24, updates=100, batch=4, length=64, looks=2)
TINY = Design(width=8, updates=2, batch=2, length=32, looks=1)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Spans of six films of 16 seconds; one training film has no sound."""
    folder = tmp_path_factory.mktemp("films")
    spans = _event_films.films(folder, 6)
    first = spans["file"].iloc[0]
    own = spans.loc[spans["file"] == first, ["start", "end", "label"]].itertuples(index=False, name=None)
    _event_films.write_film(first, list(own), 16.0, np.random.default_rng(5), heard=False)
    return spans


@pytest.fixture(scope="module")
def result(table):
    return fit_events(table, design=SMALL, seed=1)


def test_events_are_found_where_they_were_put(result, table):
    rows = {row.name: row for row in result.rows}
    assert set(rows) == {
        "single:sound", "single:video", "fused:concat", "model:average", "model:product", "model:all",
    }  # fmt: skip
    assert rows[result.chosen].valid == max(row.valid for row in result.rows)
    assert rows[result.chosen].test.score > 0.7
    assert all(0 <= row.test.low <= row.test.score <= row.test.high <= 1 for row in result.rows)
    assert result.films == {"train": 4, "valid": 1, "test": 1}
    assert result.events["test"] == int((table["split"] == "test").sum())
    assert result.verdict in {"helps", "no evidence", "hurts"}
    assert [problem.kind for problem in result.problems] == ["no sound"]
    assert {view["name"]: view["encoder"] for view in result.views} == {"sound": "log_mel", "video": "motion"}
    assert 0.7 < result.views[0]["coverage"] < 0.9
    again = json.loads(json.dumps(result.to_json()))
    assert again["chosen"] == result.chosen
    assert again["rows"][0]["test"]["score"] == rows["single:sound"].test.score
    assert again["difference"]["mean"] == result.difference.mean


def test_a_saved_model_finds_the_same(result, table, tmp_path):
    film = table["file"].iloc[-1]
    result.model.save(tmp_path / "model")
    assert not [path for path in (tmp_path / "model").rglob("*") if path.suffix in {".pkl", ".pt", ".pickle"}]
    loaded = load_events(tmp_path / "model")
    one, other = result.model.predict([film]), loaded.predict([film])
    pd.testing.assert_frame_equal(one, other)
    assert list(one) == ["file", "start", "end", "label", "confidence"]
    assert one["confidence"].is_monotonic_decreasing
    assert (one["end"] > one["start"]).all()
    assert set(one["label"]) <= set(_event_films.LABELS)
    truth = table[table["file"] == film]
    best = one.head(len(truth))
    middles = (best["start"] + best["end"]) / 2
    hits = [
        ((truth["start"] <= m) & (m < truth["end"]) & (truth["label"] == w)).any()
        for m, w in zip(middles, best["label"], strict=True)
    ]
    assert np.mean(hits) > 0.7


def test_what_absent_sound_holds_changes_nothing(result, table):
    sources = Sources("film", Media("film", 0, path=table["file"].iloc[-1]), None)
    tracks = tracks_of(sources, result.model.encoders)
    sound = tracks.views["sound"]
    present = sound.present.copy()
    present[40:90] = False
    spoilt = np.where(present[:, None], sound.values, np.float32(np.nan))
    found = [
        result.model.events(Tracks("film", tracks.duration, {**tracks.views, "sound": Track(values, present)}))
        for values in (sound.values, spoilt.astype(np.float32))
    ]
    pd.testing.assert_frame_equal(*found)
    assert np.isfinite(found[0][["start", "end", "confidence"]].to_numpy()).all()


def test_the_same_seed_gives_the_same_model(table):
    one, other = (fit_events(table, views=["sound"], rate=10.0, design=TINY, seed=3) for _ in range(2))
    for name, value in one.model.finder.network.state_dict().items():
        torch.testing.assert_close(value, other.model.finder.network.state_dict()[name], rtol=0, atol=0)
    assert one.difference is None
    assert one.best_fused is None


def test_films_that_cannot_be_read_are_left_out_and_named(table, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    bad = pd.DataFrame(
        [{"file": str(tmp_path / "broken.mp4"), "start": 0, "end": 1, "label": "left", "split": "train"}]
    )
    result = fit_events(pd.concat([table, bad]), views=["sound"], design=TINY)
    assert "left out" in next(p.message for p in result.problems if p.kind == "unreadable")
    assert result.films["train"] == 4
    found = result.model.predict([str(tmp_path / "broken.mp4")])
    assert len(found) == 0
    assert list(found) == ["file", "start", "end", "label", "confidence"]
    assert result.model.problems[0].kind == "unreadable"


def test_labels_that_only_test_has_are_noted_and_spans_beyond_the_end_are_cut(table):
    odd = table.copy()
    last = odd.index[-1]
    odd.loc[last, ["label", "end"]] = ["middle", 99.0]
    result = fit_events(odd, views=["sound"], design=TINY)
    assert "1 labels stand in no training film and are never found: middle" in result.notes
    assert "middle" not in result.model.classes
    assert result.rows[0].classes["middle"] == 0.0
    problem = next(p for p in result.problems if p.kind == "spans beyond the end")
    assert problem.rows == (len(table) - 1,)
    assert problem.message.startswith("1 spans end behind their film, and are cut there; the first is row")


def test_spans_that_begin_behind_their_film_are_left_out_or_refused(table):
    odd = table.copy()
    odd.loc[odd.index[0], ["start", "end"]] = [50.0, 51.0]
    result = fit_events(odd, views=["sound"], design=TINY)
    problem = next(p for p in result.problems if p.kind == "spans beyond the end")
    assert "1 spans end behind their film, and are cut there, 1 begin there and are left out" in problem.message
    assert result.events["train"] == int((table["split"] == "train").sum()) - 1
    odd[["start", "end"]] = table[["start", "end"]] * 1000 + 20_000
    with pytest.raises(DataError, match=r"the train part: no event lies in its \d films; are starts and ends seconds"):
        fit_events(odd, views=["sound"], design=TINY)


def test_a_model_knows_from_which_confidence_on_it_is_right(result, table):
    confidence = result.model.confidence
    assert 0.05 <= confidence <= 0.95
    film = table["file"].iloc[-1]
    truth = table[table["file"] == film]
    told = result.model.predict([film], floor=confidence)
    assert 0.5 * len(truth) <= len(told) <= 1.5 * len(truth)
    result.model.info["confidence"], kept = "high", result.model.info["confidence"]
    assert result.model.confidence == 0.5
    result.model.info["confidence"] = kept


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"views": ["smell"]}, "expected some of sound, video, text, got 'smell'"),
        ({"picture": "painting"}, "expected one of auto, motion, image_efficientnet"),
        ({"operators": []}, "expected one fusion operator or more"),
        ({"operators": ["glue"]}, "no part of fusion is called 'glue'"),
        ({"rate": 0.0}, "expected 0.1 to 100 steps a second"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_any_work(options, said):
    with pytest.raises(FusibleError, match=said):
        fit_events("nowhere.csv", **options)


def test_every_operator_that_is_asked_for_is_a_candidate(table):
    result = fit_events(table, rate=5.0, operators=("gated", "attention"), design=TINY)
    assert {"fused:gated", "fused:attention"} <= {row.name for row in result.rows}


def test_training_without_events_is_refused(table):
    films = sorted(set(table["file"]))
    odd = table[table["split"] != "train"]
    told = pd.DataFrame({"file": films, "split": ["train"] * 4 + ["valid", "test"]})
    with pytest.raises(DataError, match="no training film has an event"):
        fit_events(odd.drop(columns="split"), told, views=["sound"], design=TINY)


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_parts_without_events_are_refused(table, part):
    films = table.drop_duplicates("file")[["file", "split"]]
    spans = table.drop(columns="split")
    spans.loc[(table["split"] == part).to_numpy(), ["start", "end"]] += 1000.0
    with pytest.raises(DataError, match=f"the {part} part: no event lies in its"):
        fit_events(spans, films, views=["sound"], design=TINY)
    if part != "train":
        with pytest.raises(DataError, match=f"the {part} part: no event lies in its 1 films"):
            fit_events(spans[(table["split"] != part).to_numpy()], films, views=["sound"], design=TINY)


def test_validation_films_need_a_label_that_is_learned(table):
    spans = table.copy()
    spans.loc[spans["split"] == "valid", "label"] = "alien"
    with pytest.raises(DataError, match=r"none of its labels stands in a training film \(alien\)"):
        fit_events(spans, views=["sound"], design=TINY)


def test_one_path_is_no_list_of_films(result):
    with pytest.raises(ConfigError, match="expected a list of paths"):
        result.model.predict("film.mp4")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["events"]["members"][0]["recipe"].update(operator="os.system"), "is no name of a part"),
        (lambda c: c["events"]["members"][0]["recipe"].update(width=10**9), "expected 1 to 4096"),
        (lambda c: c["events"]["members"][0]["recipe"].update(levels=3), "expected shape|levels"),
        (lambda c: c["events"]["members"][0].update(views=["smell"]), "expected views of"),
        (lambda c: c["events"]["tracks"]["sound"].update(kind="pickle"), "track encoder 'pickle' is unknown"),
        (lambda c: c["events"]["tracks"]["sound"]["settings"].update(path="/etc"), "unexpected keyword"),
        (lambda c: c["events"]["tracks"]["sound"]["settings"].update(rate=3.0), "one rate for all|shape"),
        (lambda c: c["events"].update(classes=["left"]), "classes, expected 1"),
        (lambda c: c.pop("events"), "holds no event model"),
    ],
)
def test_folders_that_were_changed_are_refused(result, tmp_path, change, said):
    result.model.save(tmp_path / "model")
    config = yaml.safe_load((tmp_path / "model" / "config.yaml").read_text("utf-8"))
    change(config)
    (tmp_path / "model" / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    with pytest.raises(ModelFormatError, match=said):
        load_events(tmp_path / "model")


def test_windows_hold_the_spans_that_lie_in_them():
    from fusible.tasks.video._events_words import WordTrack

    class Plain(WordTrack):
        columns = 1
        bands = 0

        def __init__(self):
            self.rate = 10.0

    steps = 300
    values = np.zeros((steps, 1), np.float32)
    values[100:120] = 1.0
    film = Tracks("film", 30.0, {"text": Track(values, np.ones(steps, bool))})
    example = Example(film, np.array([[100.0, 120.0]]), np.array([0]))
    still = Disturbance(speed=0.2, noise=0.0, offset=0.0, shift=0.0, mask=0)
    drawer = Drawer([example], {"text": Plain()}, ["text"], 1, 1, 64, still)
    rng, seen = np.random.default_rng(0), 0
    for _ in range(30):
        for windows in drawer.epoch(rng, 4):
            assert windows.tracks["text"].shape[1:] == (64, 1)
            for value, classes, inside, real in zip(
                windows.tracks["text"][:, :, 0], windows.classes[:, :, 0], windows.inside, windows.real, strict=True
            ):
                sure = real & ((value < 0.01) | (value > 0.99))
                assert not sure.any() or ((value > 0.5) == (classes > 0.5))[sure].float().mean() > 0.9
                assert (classes > 0.5).equal(inside)
                seen += int(inside.sum())
    assert seen > 100
