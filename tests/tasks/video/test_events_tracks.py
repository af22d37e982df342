"""Tracks: what is heard, seen and said stands at the right step, however the film comes."""

import tracemalloc
from dataclasses import replace

import _event_films
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.encoders._logmel import log_mel
from fusible.errors import DataError
from fusible.tasks.video._events_motion import MotionTrack
from fusible.tasks.video._events_pictures import PictureTrack
from fusible.tasks.video._events_read import FilmTaker, build_encoder, fit_encoders, tracks_of
from fusible.tasks.video._events_sound import SoundTrack
from fusible.tasks.video._events_tracks import Sources, on_clock, parts_of
from fusible.tasks.video._events_words import WordTrack
from fusible.types import Media

SPANS = [(1.0, 2.0, "left"), (3.0, 3.5, "right"), (5.0, 6.0, "left"), (7.0, 7.6, "right")]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film of nine seconds in which a bar and a tone come and go."""
    folder = tmp_path_factory.mktemp("films")
    return _event_films.write_film(folder / "film.mp4", SPANS, 9.0, np.random.default_rng(0))


def sources(path, **others):
    return Sources(path, Media("film", 0, path=path), None, **others)


@given(st.integers(0, 1000), st.sampled_from([25.0, 10.0, 2.0]), st.floats(-0.5, 0.5))
def test_sound_that_comes_in_pieces_is_the_sound_as_a_whole(seed, rate, begin):
    rng = np.random.default_rng(seed)
    wave = rng.standard_normal(16_000 * 2).astype(np.float32)
    encoder = SoundTrack(rate)
    whole, pieces = encoder.listener(), encoder.listener()
    whole.take(begin, wave)
    cuts = np.sort(rng.integers(0, len(wave), 5))
    at = begin
    for piece in np.split(wave, cuts):
        pieces.take(at, piece)
        pieces._spectrum(last=False) if len(pieces._rest) > 2_000 else None
        at += len(piece) / 16_000
    one, other = whole.track(), pieces.track()
    np.testing.assert_array_equal(one.present, other.present)
    np.testing.assert_allclose(one.values, other.values, atol=2e-3)


def test_a_step_is_the_mean_of_its_spectra_side_by_side():
    wave = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    listener = SoundTrack(25.0).listener()
    listener.take(0.0, wave)
    track = listener.track()
    levels = log_mel(wave, 16_000, 40).T
    np.testing.assert_allclose(track.values[:24], levels[:96].reshape(24, -1), atol=1e-4)
    slow = SoundTrack(1.0).listener()
    slow.take(0.0, wave)
    np.testing.assert_allclose(slow.track().values[0, :40], levels[:25].mean(axis=0), atol=1e-4)


def test_late_sound_stands_late_and_is_absent_before():
    listener = SoundTrack(10.0).listener()
    listener.take(0.5, np.ones(8_000, np.float32))
    track = listener.track().cut(20)
    assert track.present.tolist() == [False] * 5 + [True] * 5 + [False] * 10
    assert not track.values[~track.present].any()


def test_tone_and_bar_are_where_they_were_put(film):
    encoders = fit_encoders([sources(film)], 12.0, {"sound": "log_mel", "video": "motion"})
    tracks = tracks_of(sources(film), encoders)
    assert tracks.steps == 108
    times = (np.arange(108) + 0.5) / 12
    on = np.zeros(108, bool)
    for start, end, _ in SPANS:
        on |= (times > start + 0.1) & (times < end - 0.1)
    off = np.ones(108, bool)
    for start, end, _ in SPANS:
        off &= (times < start - 0.1) | (times > end + 0.1)
    loud = tracks.views["sound"].values.reshape(108, -1, 40).max(axis=2).mean(axis=1)
    assert loud[on].min() > loud[off].max()
    change = np.abs(tracks.views["video"].values[:, 0])
    assert np.median(change[on]) > 2 * np.median(change[off])


def test_reading_as_frames_come_is_reading_the_file(film):
    from fusible.data.film import FilmReader

    encoders = fit_encoders([sources(film)], 12.0, {"sound": "log_mel", "video": "motion"})
    taker = FilmTaker(encoders)
    reader = FilmReader(Media("film", 0, path=film), rate=taker.hz, pictures=taker.pictures)
    for part in reader:
        taker.take(part)
    one, other = taker.finish(film, reader.end), tracks_of(sources(film), encoders)
    for view in encoders:
        np.testing.assert_array_equal(one.views[view].values, other.views[view].values)


def test_a_film_without_sound_has_an_absent_view_and_says_so(tmp_path):
    silent = _event_films.write_film(tmp_path / "silent.mp4", SPANS, 9.0, np.random.default_rng(0), heard=False)
    tracks = tracks_of(sources(silent), {"sound": SoundTrack(10.0)})
    assert tracks.steps == 90
    assert not tracks.views["sound"].present.any()
    assert [problem.kind for problem in tracks.problems] == ["no sound"]


def test_sound_may_come_from_a_file_of_its_own(tmp_path, film):
    import soundfile

    silent = _event_films.write_film(tmp_path / "silent.mp4", SPANS, 9.0, np.random.default_rng(0), heard=False)
    wave = _event_films.wave_of(SPANS, 9.0, np.random.default_rng(1))
    soundfile.write(tmp_path / "sound.wav", wave, _event_films.RATE, subtype="FLOAT")
    apart = replace(sources(silent), sound=Media("sound", 0, path=str(tmp_path / "sound.wav")))
    tracks = tracks_of(apart, {"sound": SoundTrack(10.0)})
    assert tracks.views["sound"].present.all()
    bad = replace(apart, sound=Media("sound", 0, path=str(tmp_path / "nowhere.wav")))
    found = tracks_of(bad, {"sound": SoundTrack(10.0)})
    assert [problem.kind for problem in found.problems] == ["unreadable", "no sound"]


def test_cues_stand_as_long_as_they_are_shown_and_are_absent_between():
    encoder = WordTrack(2.0, encoder="text_minilm")
    track = encoder.track([(0.0, 1.0, "a dog"), (2.0, 2.1, "a cat"), (2.0, 2.1, "a dog"), (3.0, 4.0, " ")], 8)
    assert track.present.tolist() == [True, True, False, False, True, False, False, False]
    dog, both = track.values[0], track.values[4]
    np.testing.assert_array_equal(track.values[1], dog)
    assert np.abs(both - dog).max() > 1e-3
    other = encoder.track([(0.0, 1.0, "a cat")], 2).values[0]
    np.testing.assert_allclose(both, (dog + other) / 2, atol=1e-6)


def test_pictures_are_encoded_at_most_four_a_second(film):
    encoder = PictureTrack(12.0, size=32)
    tracks = tracks_of(sources(film), {"video": encoder})
    track = tracks.views["video"]
    assert track.values.shape == (108, 1280)
    assert track.present.all()
    seen = encoder.watcher()
    from fusible.data.film import FilmReader

    for part in FilmReader(Media("film", 0, path=film)):
        seen.take(part)
    seen.track(108)
    assert len(seen._times) == 36


@given(st.integers(1, 40), st.integers(0, 1000))
def test_values_between_samples_are_linear(count, seed):
    times = np.sort(np.random.default_rng(seed).uniform(0, 4, count))
    track = on_clock(times, np.stack([2 * times + 1, -times], axis=1), 10.0, 40, reach=0.2)
    centres = (np.arange(40) + 0.5) / 10
    near = np.abs(centres[:, None] - times).min(axis=1) <= 0.2
    np.testing.assert_array_equal(track.present, near)
    held = np.clip(centres, times[0], times[-1])[near]
    np.testing.assert_allclose(track.values[near], np.stack([2 * held + 1, -held], axis=1), atol=1e-4)


def test_a_long_film_holds_its_track_once():
    times, values = np.arange(4_000) / 4, np.ones((4_000, 64), np.float32)
    tracemalloc.start()
    track = on_clock(times, values, 25.0, 25_000, reach=1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert track.values.nbytes == 25_000 * 64 * 4
    assert peak < 2 * track.values.nbytes


def test_encoders_come_back_from_plain_values_and_arrays(film):
    encoder = fit_encoders([sources(film)], 12.0, {"video": "motion"})["video"]
    assert isinstance(encoder, MotionTrack)
    again = build_encoder("motion", encoder.plain(), encoder.arrays())
    one, other = (tracks_of(sources(film), {"video": e}).views["video"].values for e in (encoder, again))
    np.testing.assert_array_equal(one, other)


def test_what_is_no_film_is_one_line(tmp_path):
    (tmp_path / "notes.mp4").write_text("no film")
    with pytest.raises(DataError, match="not a readable film"):
        tracks_of(sources(str(tmp_path / "notes.mp4")), {"sound": SoundTrack(10.0)})
    with pytest.raises(DataError, match=r"0\.00 seconds"):
        tracks_of(Sources("nothing", None, None), {"sound": SoundTrack(10.0)})
    assert parts_of(25, 100, 4) == 4
