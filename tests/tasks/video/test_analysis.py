"""Analysis of films: shots, words and moments on one clock, views that are absent, and bad input in one line."""

from itertools import pairwise

import numpy as np
import pytest
from _counted import counted
from _scenes import photo, scene, scenes

from fusible.data.transcript import Cue, Transcript
from fusible.errors import FusibleError
from fusible.tasks.video.analysis import analyze_film
from fusible.tasks.video.fused import fused
from fusible.tasks.video.importance import novelty

SAID = Transcript((Cue(0.2, 1.8, "a dog runs"), Cue(3.2, 4.6, "then it sleeps")))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return scenes(tmp_path_factory.mktemp("film") / "film.mp4", [3, 2, 4])


@pytest.fixture(scope="module")
def found(path):
    return analyze_film(path, transcript=SAID, labels=["dog", "sea"])


def test_shots_words_and_moments_stand_on_one_clock(found):
    timeline = found.timeline
    assert [(e.label, round(e.start, 3), round(e.end, 3)) for e in timeline.lane("shot")] == [
        ("shot 1", 0.0, 3.0), ("shot 2", 3.0, 5.0), ("shot 3", 5.0, 9.0),
    ]  # fmt: skip
    sounds = timeline.lane("sound")
    assert sounds[0].start == 0.0
    assert all(one.end == other.start for one, other in pairwise(sounds))
    assert {entry.label for entry in sounds} <= {"silence", "speech", "music", "other"}
    assert np.flatnonzero(timeline.curves["onsets"]).tolist()[0] == 0
    assert [entry.label for entry in timeline.lane("words")] == ["a dog runs", "then it sleeps"]
    moments = timeline.lane("moment")
    assert 0 < sum(entry.end - entry.start for entry in moments) <= 0.15 * 9 + 1e-6
    assert timeline.seconds == pytest.approx(9.0)
    assert timeline.warnings == []


def test_views_are_absent_where_nothing_is_seen_heard_or_said(found):
    there = {name: np.isfinite(view).all(axis=1) for name, view in found.views.items()}
    assert set(there) == {"sight", "sound", "text"}
    assert all(len(one) == len(found.encodings) for one in there.values())
    assert there["sight"][:18].all()
    assert there["sound"][[0, 6, 10]].all()
    assert there["text"][[0, 7]].all()
    assert not there["text"][12:].any()
    assert np.isfinite(found.encodings).all()
    np.testing.assert_array_equal(found.timeline.encodings["fused"], found.encodings.astype(np.float32))


def test_a_key_frame_shows_its_shot(found):
    frames = found.timeline.key_frames
    assert [frame.shot for frame in frames] == [0, 1, 2]
    for seed, frame in enumerate(frames):
        shown = photo(frame.jpeg).astype(float)
        wanted = [np.abs(shown - scene(other, *shown.shape[:2])).mean() for other in range(3)]
        assert int(np.argmin(wanted)) == seed


def test_what_is_seen_is_new_after_a_cut(found):
    new = novelty(fused({"sight": found.views["sight"]}))
    assert (new[[6, 10]] - new[[5, 9]] > 0.5).all()


def test_the_same_film_has_the_same_timeline(path, found):
    again = analyze_film(path, transcript=SAID, labels=["dog", "sea"])
    assert again.timeline.plain() == found.timeline.plain()


def test_a_film_of_one_frame_has_one_shot(tmp_path):
    counted(tmp_path / "one.mp4", [0.0], sound=0)
    found = analyze_film(tmp_path / "one.mp4")
    assert len(found.timeline.lane("shot")) == 1
    assert len(found.timeline.key_frames) == 1
    assert any("no sound" in warning for warning in found.timeline.warnings)


def test_sound_alone_has_a_timeline_without_shots(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 64_000), 16_000)
    found = analyze_film(tmp_path / "a.wav")
    assert found.timeline.lane("shot") == []
    assert found.timeline.key_frames == []
    assert found.segments.tolist()[0][0] == 0.0
    assert len(found.timeline.times) == 8


def test_words_that_no_class_is_like_are_named(path):
    found = analyze_film(path, labels=["dog", "woman"])
    assert found.timeline.warnings == [
        "no picture can be tagged 'woman': no class that is known is like it; leave it out, or search by a retriever"
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"step": 0.01}, r"expected a step of 0\.1 to 60 seconds, got 0\.01"),
        ({"encoder": "image_cnn"}, "expected a frozen one of pictures, such as image_efficientnet"),
        ({"encoder": "text_minilm"}, "expected a frozen one of pictures, such as image_efficientnet"),
        ({"labels": ["dog", "dog"]}, "labels 0 and 1 are both 'dog'"),
        ({"transcript": "nowhere.srt"}, "nowhere.srt"),
    ],
)
def test_bad_settings_are_one_line_before_any_work(path, given, said):
    with pytest.raises(FusibleError, match=said) as caught:
        analyze_film(path, **given)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_film_is_one_line(tmp_path):
    (tmp_path / "a.mp4").write_text("no film")
    with pytest.raises(FusibleError, match=r"a\.mp4.*not a readable film"):
        analyze_film(tmp_path / "a.mp4")
    with pytest.raises(FusibleError, match="no such file"):
        analyze_film(tmp_path / "b.mp4")
