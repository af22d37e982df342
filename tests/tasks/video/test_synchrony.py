"""Offset between sound and picture: known shifts are found, and what says nothing is not trusted."""

import numpy as np
import pytest
from _talks import encode, talk
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import ConfigError, DataError, FusibleError, ModelFormatError
from fusible.tasks.video._courses import filtered, on_grid, sound_course, windows
from fusible.tasks.video._lags import Belief, fit_belief, offset_of
from fusible.tasks.video._movement import correlation_scores, independent_share
from fusible.tasks.video.synchrony import (
    Pair,
    PairFiles,
    Synchroniser,
    motion_offset,
    read_pair,
    read_stretches,
)
from fusible.types import Media


def shifted(pair, late, length):
    first = max(0.0, late) + (pair.times[-1] - abs(late) - length) / 2
    return pair.moved(late).cut(first, first + length)


@pytest.fixture(scope="module")
def model():
    return Synchroniser().fit([talk(seed) for seed in range(24)])


@pytest.mark.parametrize("late", [-0.9, -0.33, 0.0, 0.05, 0.51, 1.0])
def test_a_learned_offset_is_found(model, late):
    found = model.offset(shifted(talk(100), late, 2.6))
    assert found.seconds == pytest.approx(late, abs=0.04)
    assert found.confidence > 0.5
    assert found.known


def test_what_was_learned_is_told(model):
    assert model.found_ > 0.7
    assert model.clips_ == 24
    assert 0.7 < model.correlations_[0] < 1.0


def test_sound_of_another_clip_is_not_trusted(model):
    right = [model.offset(shifted(talk(200 + n), 0.2, 2.6)).confidence for n in range(5)]
    wrong = []
    for n in range(5):
        clip, other = talk(200 + n), talk(300 + n)
        wrong.append(model.offset(shifted(Pair(clip.frames, clip.times, other.wave), 0.2, 2.6)).confidence)
    assert np.mean(right) > np.mean(wrong) + 0.4


def test_other_frame_rates_and_starts_are_one_clock(model):
    clip = talk(101, fps=30.0)
    moved = Pair(clip.frames, clip.times + 7.003, clip.wave, 7.003 + 0.24)
    assert model.offset(moved).seconds == pytest.approx(0.24, abs=0.05)


def test_evidence_of_stretches_adds_up(model):
    clip = talk(102, seconds=6.0).moved(-0.4)
    parts = [clip.cut(second, second + 1.5) for second in (0.5, 2.0, 3.5)]
    found = model.offset(iter(parts))
    assert found.seconds == pytest.approx(-0.4, abs=0.04)
    assert found.confidence >= max(model.offset(part).confidence for part in parts) - 1e-6


def test_a_saved_model_gives_the_same(model, tmp_path):
    again = Synchroniser.load(model.save(tmp_path / "model"))
    clip = shifted(talk(103), 0.3, 2.4)
    assert again.offset(clip).seconds == model.offset(clip).seconds
    np.testing.assert_array_equal(again.offset(clip).probabilities, model.offset(clip).probabilities)
    assert (again.ridge_, again.found_, again.clips_) == (model.ridge_, model.found_, model.clips_)


def test_a_folder_of_something_else_is_refused(model, tmp_path):
    folder = model.save(tmp_path / "model")
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("synchrony:", "captioner:"))
    with pytest.raises(ModelFormatError, match="holds no synchrony model"):
        Synchroniser.load(folder)


def test_motion_alone_finds_the_offset_of_a_long_clip():
    clip = talk(104, seconds=20.0)
    found = motion_offset(shifted(clip, 0.4, 18.0))
    assert found.seconds == pytest.approx(0.4, abs=0.08)
    assert found.confidence > 0.5


@pytest.mark.parametrize("part", ["picture", "sound", "both"])
def test_where_nothing_moves_or_sounds_nothing_is_claimed(model, part):
    clip = talk(105)
    frames = np.repeat(clip.frames[:1], len(clip.frames), axis=0) if part != "sound" else clip.frames
    wave = np.zeros_like(clip.wave) if part != "picture" else clip.wave
    for found in (motion_offset(Pair(frames, clip.times, wave)), model.offset(Pair(frames, clip.times, wave))):
        assert np.isfinite(found.seconds)
        assert not found.known
    assert motion_offset(Pair(frames, clip.times, wave)).seconds == 0.0


def test_sound_that_is_not_there_says_nothing(model):
    clip = talk(106)
    for wave, start in ((np.zeros(0, np.float32), 0.0), (clip.wave, 500.0)):
        pair = Pair(clip.frames, clip.times, wave, start)
        assert model.offset(pair).seconds == motion_offset(pair).seconds == 0.0
        assert not model.offset(pair).known


def test_too_few_clips_are_refused():
    with pytest.raises(DataError, match="at least 4 clips"):
        Synchroniser().fit([talk(0), talk(1)])
    with pytest.raises(DataError, match="no clip to learn from"):
        Synchroniser().fit([])


@pytest.mark.parametrize("most", [0.0, -1, 100, True, "1"])
def test_a_bad_reach_is_refused(most):
    with pytest.raises(ConfigError, match="most must be a number of seconds"):
        Synchroniser(most=most)


def test_pairs_are_checked():
    frames, times, wave = np.zeros((3, 8, 8), np.uint8), np.arange(3) / 25, np.zeros(10, np.float32)
    with pytest.raises(DataError, match="with a time each"):
        Pair(frames, times[:2], wave)
    with pytest.raises(DataError, match="rising times"):
        Pair(frames, times[::-1], wave)
    with pytest.raises(DataError, match="mono samples"):
        Pair(frames, times, np.array([np.nan], np.float32))


def test_a_late_track_of_a_file_is_heard_as_late(model):
    media = Media("video", 0, data=encode(talk(107), late=0.48))
    pair = read_pair(media)
    assert pair.frames.shape == (100, 72, 96)
    np.testing.assert_allclose(pair.times, np.arange(100) / 25, atol=1e-6)
    assert pair.start == pytest.approx(0.48, abs=0.07)  # the encoder's priming comes before
    assert model.offset(pair).seconds == pytest.approx(0.48, abs=0.05)


def test_stretches_of_a_file_keep_its_times(model):
    media = Media("video", 0, data=encode(talk(108, seconds=9.0)))
    parts = list(read_stretches(media, stretches=3, seconds=2.0))
    assert [round(float(part.times[0]), 2) for part in parts] == pytest.approx([0.0, 3.5, 7.0], abs=0.09)
    assert all(abs(part.start - part.times[0]) < 0.1 for part in parts)
    assert model.offset(parts).seconds == pytest.approx(0.0, abs=0.05)
    whole = list(read_stretches(media, stretches=5, seconds=4.0))
    assert sum(len(part.times) for part in whole) == 225


def test_a_broadcast_may_begin_at_any_time(model):
    data = encode(talk(109), late=0.3, form="mpegts", output_ts_offset="50000")
    (pair,) = read_stretches(Media("video", 0, data=data))
    assert len(pair.times) == 100
    assert model.offset(pair).seconds == pytest.approx(0.3, abs=0.06)
    assert len(read_pair(Media("video", 0, data=data), seconds=1.0).times) in {25, 26}


def test_damaged_and_truncated_files_are_read_as_far_as_they_go(model):
    data = encode(talk(110, seconds=6.0), movflags="faststart")
    short = Media("video", 0, data=data[: len(data) * 2 // 3])
    pair = read_pair(short)
    assert 40 < len(pair.times) < 140
    assert abs(model.offset(pair).seconds) < 0.06
    broken = bytearray(encode(talk(111, seconds=6.0), form="matroska"))
    for at in range(len(broken) // 4, len(broken) // 2, 2000):
        broken[at : at + 60] = bytes(60)
    assert len(read_pair(Media("video", 0, data=bytes(broken))).times) > 40


def test_files_that_cannot_be_read_are_passed_over():
    good = [Media("video", n, data=encode(talk(n))) for n in range(5)]
    bad = [Media("video", 5, data=b"junk"), Media("video", 6, data=encode(talk(6), sound=False))]
    files = PairFiles([bad[0], *good, bad[1]])
    assert len(files[1:3]) == 2
    assert Synchroniser().fit(files).clips_ == 5
    with pytest.raises(DataError, match="no sound track in the file"):
        read_pair(bad[1])
    with pytest.raises(DataError, match=r"row 5.*not a readable video"):
        read_pair(bad[0])


@given(st.lists(st.floats(-50, 50), min_size=5, max_size=41).filter(lambda v: len(v) % 2), st.floats(0.01, 2))
def test_probabilities_are_those_of_lags(scores, sharpness):
    found = offset_of(np.array(scores), Belief(sharpness, 0.0))
    assert 0.0 <= found.confidence <= found.probabilities.sum() + 1e-9 <= 1.0 + 2e-9
    best = found.lags[int(np.argmax(scores))]
    assert abs(found.seconds) <= found.lags[-1] + 0.01
    assert found.probabilities[np.argmax(scores)] == pytest.approx(found.probabilities.max())
    assert abs(found.lags[np.abs(found.lags - best).argmin()] - best) < 1e-9


def test_belief_is_sure_where_trials_are_right_and_doubts_where_they_are_not():
    rng = np.random.default_rng(0)
    curves, truths = [], []
    for number in range(60):
        curve = rng.normal(0, 5, 201)
        at = int(rng.integers(201))
        if number % 2:
            curve[at] += 100
        curves.append(curve)
        truths.append(at if number % 2 else None)
    belief = fit_belief(curves, truths)
    sure = np.array([offset_of(curve, belief).confidence for curve in curves])
    assert sure[1::2].min() > 0.8
    assert sure[::2].max() < 0.3


def test_windows_hold_the_same_taps_as_filters():
    clip = talk(109)
    picture, first = on_grid(clip, clip.times, np.random.default_rng(0).normal(size=(len(clip.times), 3)))
    from fusible.tasks.video._courses import Courses

    courses = Courses(picture, first, sound_course(clip.wave))
    seen, heard = windows(courses)
    weights = np.random.default_rng(1).normal(size=(7, 3, 2))
    by_filter = filtered(picture, weights, 1)
    np.testing.assert_allclose(seen @ weights.reshape(21, 2), by_filter[: len(seen)], atol=1e-9)
    weights = np.random.default_rng(1).normal(size=(7, heard.shape[1] // 7, 2))
    by_filter = filtered(courses.sound, weights, 4)
    first_place = seen.shape[0] and courses.first  # the first window with all taps is around lag 12
    np.testing.assert_allclose(heard @ weights.reshape(-1, 2), by_filter[first_place::4][: len(heard)], atol=1e-9)


def test_correlation_of_a_course_with_itself_is_at_its_lag():
    rng = np.random.default_rng(0)
    sound = np.convolve(rng.normal(size=900), np.ones(8) / 8, mode="same")
    motion = sound[100:700:4]
    scores = correlation_scores(motion, 100, sound, np.arange(-50, 51))
    assert scores.argmax() == 50
    assert 0 < independent_share(sound, sound) < 0.6


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (9, 5)])
def test_tiny_pictures_are_enough(shape):
    def tiny(seed):
        clip = talk(seed)
        level = clip.frames[:, 40:66, 36:60].mean(axis=(1, 2))
        frames = np.repeat(level.astype(np.uint8), shape[0] * shape[1]).reshape(-1, *shape)
        return Pair(frames, clip.times, clip.wave)

    model = Synchroniser().fit([tiny(seed) for seed in range(8)])
    for found in (model.offset(tiny(9)), motion_offset(tiny(9))):
        assert np.isfinite(found.seconds)
        assert 0.0 <= found.confidence <= 1.0


def test_clips_in_which_nothing_moves_are_refused():
    clips = [Pair(np.full((50, 20, 20), 90, np.uint8), np.arange(50) / 25, talk(n).wave) for n in range(6)]
    with pytest.raises(FusibleError, match="picture"):
        Synchroniser().fit(clips)
