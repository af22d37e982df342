"""Summaries hold the most important segments that fit, and storyboards show them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fusible.errors import ArrayError, ConfigError
from fusible.tasks.video.storyboard import clock, storyboard
from fusible.tasks.video.summary import choose_frames, join, random_summary, summarize, uniform_summary

TIMES = np.arange(200) / 2


def parts(rng, number=20, end=100.0):
    edges = np.sort(np.round(rng.uniform(0, end, number - 1), 2))
    edges = np.concatenate([[0.0], edges, [end]])
    return np.stack([edges[:-1], edges[1:]], axis=1)[np.diff(edges) > 0]


@given(st.integers(0, 10**6), st.sampled_from(["sum", "mean"]))
def test_a_summary_is_the_best_that_fits(seed, worth):
    rng = np.random.default_rng(seed)
    segments, important = parts(rng, 9), rng.random(200)
    found = summarize(important, TIMES, segments, ratio=0.3, worth=worth)
    fine = np.repeat(important, 50)  # hundredths of a second
    total = [fine[round(100 * a) : round(100 * b)].sum() / 100 for a, b in found.segments]
    lengths = found.segments[:, 1] - found.segments[:, 0]
    wanted = total if worth == "sum" else total / lengths
    np.testing.assert_allclose(found.worth, wanted, atol=0.02)
    subsets = itertools.chain.from_iterable(itertools.combinations(range(len(lengths)), n) for n in range(len(lengths)))
    best = max(found.worth[list(s)].sum() for s in subsets if lengths[list(s)].sum() <= 30.0 + 1e-9)
    assert found.worth[found.chosen].sum() >= best - 0.02 * len(lengths)
    assert found.seconds <= 30.0 + 1e-6
    assert found.ratio == pytest.approx(found.seconds / 100)


def test_spans_are_in_order_joined_and_listed(rng):
    important = np.zeros(200)
    important[20:40], important[100:110] = 1.0, 0.9
    edges = np.arange(0.0, 101.0, 5.0)
    found = summarize(important, TIMES, np.stack([edges[:-1], edges[1:]], axis=1)[::-1], ratio=0.15)
    assert found.spans == ((10.0, 20.0), (50.0, 55.0))
    plain = found.to_json()
    assert plain["spans"] == [{"start": 10.0, "end": 20.0}, {"start": 50.0, "end": 55.0}]
    assert sum(segment["chosen"] for segment in plain["segments"]) == 3
    assert plain["seconds"] == 15.0


def test_one_long_segment_is_cut_in_pieces_that_fit():
    important = np.zeros(200)
    important[150:160] = 1.0
    found = summarize(important, TIMES, np.array([[0.0, 100.0]]), ratio=0.1)
    assert 0 < found.seconds <= 10.0
    assert any(start < 80 and end > 75 for start, end in found.spans)
    whole = summarize(important, TIMES, np.array([[0.0, 100.0]]), ratio=1.0)
    assert whole.spans == ((0.0, 100.0),)


def test_importance_of_zeros_chooses_nothing_and_baselines_something(rng):
    segments = parts(rng, 30)
    assert summarize(np.zeros(200), TIMES, segments).spans == ()
    even, chance = uniform_summary(segments), random_summary(segments, seed=1)
    for found in (even, chance):
        assert 0.05 < found.ratio <= 0.15 + 1e-9
    assert chance.spans == random_summary(segments, seed=1).spans != random_summary(segments, seed=2).spans


def test_frames_are_chosen_by_the_protocol(rng):
    scores, bounds = rng.random(60), np.array([0, 7, 20, 26, 41, 60])
    for worth in ("mean", "sum"):
        chosen = choose_frames(scores, bounds, ratio=0.4, worth=worth)
        lengths = np.diff(bounds)
        value = np.array([getattr(scores[a:b], worth)() for a, b in itertools.pairwise(bounds)])
        subsets = [s for n in range(6) for s in itertools.combinations(range(5), n) if lengths[list(s)].sum() <= 24]
        best = max(subsets, key=lambda s: value[list(s)].sum())
        wanted = np.repeat(np.isin(np.arange(5), best), lengths)
        np.testing.assert_array_equal(chosen, wanted)
    with pytest.raises(ArrayError, match="rising bounds"):
        choose_frames(scores, np.array([0, 50]))


def test_bad_input_is_refused(rng):
    segments = parts(rng)
    with pytest.raises(ConfigError, match="ratio"):
        summarize(np.ones(200), TIMES, segments, ratio=0.0)
    with pytest.raises(ArrayError, match="one finite importance per time"):
        summarize(np.ones(199), TIMES, segments)
    with pytest.raises(ArrayError, match="rising order"):
        summarize(np.ones(200), TIMES[::-1], segments)
    with pytest.raises(ArrayError, match="do not overlap"):
        summarize(np.ones(200), TIMES, np.array([[0.0, 5.0], [4.0, 9.0]]))
    with pytest.raises(ArrayError, match="segments"):
        uniform_summary(np.zeros((0, 2)))
    assert join([]) == ()


def test_a_storyboard_shows_pictures_in_rows(tmp_path):
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200)]
    pictures = [np.full((90, 160, 3), colour, np.uint8) for colour in colours]
    pictures[3] = np.full((300, 100, 3), colours[3], np.uint8)  # a tall one
    path = tmp_path / "board.png"
    storyboard(pictures, [clock(t) for t in range(5)], path, columns=3, width=160)
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] == 3 * (160 + 8) + 8
    for place, colour in enumerate(colours):
        found = np.argwhere((np.abs(pixels.astype(int) - colour) < 8).all(axis=2))
        assert len(found) > 9000 / 2
        assert found[:, 1].mean() == pytest.approx(8 + place % 3 * 168 + 80, abs=2)
        assert (found[:, 0].mean() > pixels.shape[0] / 2) == (place >= 3)
    assert [file.name for file in tmp_path.iterdir()] == ["board.png"]


def test_a_storyboard_of_too_many_or_none(tmp_path):
    tiny = [np.full((1, 1, 3), i % 255, np.uint8) for i in range(450)]
    storyboard(tiny, [""] * 450, tmp_path / "many.png", columns=20, width=16)
    with Image.open(tmp_path / "many.png") as image:
        assert image.height == 20 * (16 + 11 + 16) + 8
    for pictures, captions in (([], []), (tiny[:1], []), ([np.zeros((4, 4))], ["a"])):
        with pytest.raises(ArrayError, match="storyboard"):
            storyboard(pictures, captions, tmp_path / "none.png")
    with pytest.raises(ConfigError, match="columns"):
        storyboard(tiny[:1], ["a"], tmp_path / "none.png", columns=0)
    assert not (tmp_path / "none.png").exists()
