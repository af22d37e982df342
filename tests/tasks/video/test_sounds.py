"""Sound events: silence, speech, music, other sound and onsets, the same however the samples come."""

import csv
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusible.data.audio import decode_audio
from fusible.errors import DataError
from fusible.tasks.video._sound_frames import frames_of
from fusible.tasks.video._sound_measures import NAMES, measures
from fusible.tasks.video._sound_weights import DEVIATION, LABELS, LINEAR, MEAN, SQUARE
from fusible.tasks.video.sounds import SoundListener, Sounds, sound_events
from fusible.types import Media

RATE = 16_000


def noise(seconds, level=0.05, seed=0):
    return (level * np.random.default_rng(seed).normal(size=int(seconds * RATE))).astype(np.float32)


def silence(seconds):
    return np.zeros(int(seconds * RATE), np.float32)


def tune(seconds, beat=0.4, rate=RATE):
    """Chords of decaying harmonics, one per beat."""
    wave = np.zeros(int(seconds * rate) + rate)
    for number in range(int(seconds / beat)):
        time = np.arange(int(beat * rate)) / rate
        for note in (0, 4, 7):
            pitch = 220 * 2 ** ((note + (0, 5, 7, 3)[number % 4]) / 12)
            tone = sum(np.sin(2 * np.pi * pitch * h * time) / h**1.5 for h in range(1, 8)) * np.exp(-time / 0.6)
            start = int(number * beat * rate)
            wave[start : start + len(tone)] += 0.08 * tone * np.minimum(1, time / 0.005)
    return wave[: int(seconds * rate)].astype(np.float32)


def shares(heard: Sounds):
    total = heard.spans[-1].end - heard.spans[0].start
    return {label: sum(b - a for a, b in heard.of(label)) / total for label in ("silence", *LABELS)}


def test_silence_and_noise_and_music_are_told_apart():
    heard = sound_events(np.concatenate([silence(2), noise(3), silence(1), tune(6), silence(1)]), RATE)
    assert [span.label for span in heard.spans] == ["silence", "other", "silence", "music", "silence"]
    edges = [span.start for span in heard.spans] + [heard.spans[-1].end]
    np.testing.assert_allclose(edges, [0, 2, 5, 6, 12, 13], atol=0.25)
    assert min(span.confidence for span in heard.spans) > 0.5


def test_onsets_are_found_where_sounds_begin():
    wave = silence(4)
    begins = np.array([0.5, 1.1, 1.9, 2.35, 3.2])
    for begin in begins:
        time = np.arange(RATE // 5) / RATE
        tone = 0.3 * np.sin(2 * np.pi * 500 * time) * np.exp(-time / 0.05)
        wave[int(begin * RATE) :][: len(time)] += tone.astype(np.float32)
    heard = sound_events(wave, RATE, start=100.0)
    np.testing.assert_allclose(heard.onsets - 100, begins, atol=0.025)
    assert len(heard.strengths) == 5
    assert (heard.strengths > 0).all()


def test_speech_of_held_out_clips(data_folder):
    folder = data_folder / "grid_s1"
    if not folder.is_dir():
        pytest.skip("GRID is not there")
    with (folder / "clips.csv").open() as file:
        paths = [row["video"] for row in csv.DictReader(file) if row["split"] == "test"][:6]
    waves = [decode_audio(Media("video", 0, path=str(folder / path)), RATE) for path in paths]
    found = shares(sound_events(np.concatenate(waves), RATE))
    assert found["speech"] > 0.5
    assert found["speech"] + found["silence"] > 0.9
    assert 0.05 < found["silence"] < 0.5


def test_sound_of_a_film(clips):
    heard = sound_events(decode_audio(Media("video", 0, path=str(clips / "bigbuckbunny.mp4")), RATE), RATE)
    assert shares(heard)["speech"] < 0.2


def test_loudness_changes_labels_little():
    wave = np.concatenate([silence(1), tune(4), noise(3)])
    for gain in (0.1, 3.0):
        found = shares(sound_events(wave * np.float32(gain), RATE))
        assert found == pytest.approx(shares(sound_events(wave, RATE)), abs=0.08)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates(rate):
    wave = tune(6, rate=rate)
    heard = sound_events(np.concatenate([np.zeros(rate, np.float32), wave]), rate)
    assert [span.label for span in heard.spans] == ["silence", "music"]
    assert heard.spans[-1].end == pytest.approx(7.0, abs=0.02)


@settings(max_examples=8)
@given(st.lists(st.integers(1, 90_000), min_size=1, max_size=6), st.floats(-5, 500))
def test_how_samples_are_divided_changes_nothing(sizes, start):
    wave = np.concatenate([noise(1), silence(9), tune(14), noise(2.3)])
    edges = np.minimum(np.cumsum([0, *sizes]), len(wave))
    blocks = [*(wave[a:b] for a, b in pairwise(edges.tolist())), wave[edges[-1] :]]
    whole, parts = sound_events(wave, RATE, start=start), sound_events(iter(blocks), RATE, start=start)
    assert parts.spans == whole.spans
    np.testing.assert_array_equal(parts.onsets, whole.onsets)
    np.testing.assert_array_equal(parts.level, whole.level)


@given(st.lists(st.tuples(st.sampled_from(["silence", "noise", "tune"]), st.floats(0.001, 3)), min_size=1, max_size=4))
def test_spans_follow_one_another_without_gaps(parts):
    makers = {"silence": silence, "noise": noise, "tune": tune}
    wave = np.concatenate([makers[kind](seconds) for kind, seconds in parts])
    heard = sound_events(wave, RATE, start=3.0)
    if not len(wave):
        assert heard.spans == ()
        return
    assert heard.spans[0].start == 3.0
    assert heard.spans[-1].end == pytest.approx(3.0 + len(wave) / RATE)
    for one, following in pairwise(heard.spans):
        assert one.end == following.start
        assert one.label != following.label
    assert all(span.start < span.end and 0 <= span.confidence <= 1 for span in heard.spans)
    assert (np.diff(heard.onsets) > 0).all()


def test_memory_does_not_grow():
    listener = SoundListener(RATE)
    for _ in range(12):
        listener.push(noise(5))
        assert len(listener._wave) <= 13 * RATE + 5 * RATE
    assert listener.finish().spans[-1].end == pytest.approx(60.0)


def test_odd_sounds_have_a_defined_result():
    assert sound_events(np.zeros(0, np.float32), RATE).spans == ()
    assert [span.label for span in sound_events(np.zeros(1, np.float32), RATE).spans] == ["silence"]
    assert [span.label for span in sound_events(silence(70), RATE).spans] == ["silence"]
    clipped = np.sign(noise(3)).astype(np.float32)
    assert [span.label for span in sound_events(clipped, RATE).spans] == ["other"]
    constant = np.full(RATE * 2, 0.5, np.float32)
    assert all(np.isfinite(span.confidence) for span in sound_events(constant, RATE).spans)


@pytest.mark.parametrize("block", [np.zeros((2, 5), np.float32), np.array([0.0, np.nan], np.float32)])
def test_samples_that_cannot_be_used_are_refused(block):
    with pytest.raises(DataError, match="expected mono samples"):
        sound_events(block, RATE)


@pytest.mark.parametrize("rate", [0, 8000.5, 999])
def test_a_rate_that_cannot_be_is_refused(rate):
    with pytest.raises(DataError, match="expected a rate"):
        SoundListener(rate)


def test_frames_measure_what_they_say():
    time = np.arange(2 * RATE) / RATE
    tone = frames_of((0.5 * np.sin(2 * np.pi * 250 * time)).astype(np.float32))
    inside = slice(10, 190)
    np.testing.assert_allclose(tone.level[inside], 20 * np.log10(0.5 / np.sqrt(2)), atol=0.1)
    assert tone.harmonicity[inside].min() > 0.98
    assert tone.steadiness[inside].min() > 0.98
    assert tone.flux[inside].max() < 0.05
    hiss = frames_of(noise(2))
    assert hiss.harmonicity[inside].mean() < 0.5
    assert hiss.flatness[inside].mean() > 10 * tone.flatness[inside].mean()
    assert hiss.steadiness[inside].mean() < 0.6


def test_measures_measure_what_they_say():
    time = np.arange(4 * RATE) / RATE
    spoken = noise(4) * (1 + np.cos(2 * np.pi * 4 * time)).astype(np.float32)
    steady, syllables = (measures(frames_of(wave))[10:-10] for wave in (noise(4), spoken))
    place = {name: number for number, name in enumerate(NAMES)}
    assert syllables[:, place["syllables"]].mean() > 3 * steady[:, place["syllables"]].mean()
    assert syllables[:, place["low_frames"]].mean() > 0.3
    assert steady[:, place["low_frames"]].max() < 0.05
    assert measures(frames_of(noise(0.01))).shape == (1, len(NAMES))


def test_weights_fit_the_measures():
    assert LABELS == ("music", "other", "speech")
    assert LINEAR.shape == SQUARE.shape == (len(LABELS), len(NAMES))
    assert MEAN.shape == DEVIATION.shape == (len(NAMES),)
    assert (DEVIATION > 0).all()
