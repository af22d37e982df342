"""Films are read once: times, grid, sound, and everything that can be wrong with a file."""

import io
import struct
import tracemalloc
from itertools import pairwise

import av
import numpy as np
import pytest
from _reels import reel
from PIL import Image

from fusible.data.audio import decode_audio
from fusible.data.film import SMALL, FilmReader, Frame, SoundBlock, probe
from fusible.data.video import decode_video
from fusible.errors import ConfigError, DataError
from fusible.types import Media


def media(data):
    return Media("film", 3, data=data)


def read(data, **options):
    """The reader, its frames, its blocks of sound."""
    reader = FilmReader(media(data), **options)
    parts = list(reader)
    return reader, [p for p in parts if isinstance(p, Frame)], [p for p in parts if isinstance(p, SoundBlock)]


def kinds(reader):
    return [problem.kind for problem in reader.problems]


def samples(blocks):
    return np.concatenate([block.samples for block in blocks])


def test_facts_and_times():
    data = reel(50, sound=2.0)
    film = probe(media(data))
    assert (film.rate, film.frames, film.size, film.rotation) == (25.0, 50, (64, 48), 0)
    assert film.duration == pytest.approx(2.0, abs=0.1)
    assert film.sound_rate == 16_000
    assert film.sound_start == pytest.approx(0.0, abs=0.07)
    reader, frames, blocks = read(data, rate=8_000, step=0.5)
    assert [f.index for f in frames] == list(range(50))
    np.testing.assert_allclose([f.time for f in frames], np.arange(50) / 25, atol=1e-6)
    assert [f.until for f in frames[:-1]] == [f.time for f in frames[1:]]
    assert reader.end == pytest.approx(2.0, abs=1e-3)
    assert {f.small.shape for f in frames} == {(*SMALL, 3)}
    assert {k: f.index for f in frames for k in f.ticks} == {0: 0, 1: 12, 2: 25, 3: 37}
    assert len(samples(blocks)) == pytest.approx(2.0 * 8_000, abs=700)
    assert not reader.problems


def test_reading_again_gives_the_same():
    reader = FilmReader(media(reel(30, sound=1.2)), rate=16_000, step=0.25)
    first, second = list(reader), list(reader)
    assert [type(p) for p in first] == [type(p) for p in second]
    for one, other in zip(first, second, strict=True):
        assert one.time == other.time
    assert reader.seen == 30


def test_pictures_are_those_of_the_other_reader(clips):
    file = Media("film", 0, path=str(clips / "bikes.mp4"))
    reader = FilmReader(file, step=0.4)
    mine = {f.index: f.picture(56) for f in reader if f.index in {2, 127}}
    theirs = decode_video(file, 50, 56)
    np.testing.assert_array_equal(mine[2], theirs[0])
    np.testing.assert_array_equal(mine[127], theirs[25])


def test_sound_is_that_of_the_other_reader(clips):
    file = Media("film", 0, path=str(clips / "bigbuckbunny.mp4"))
    blocks = [p for p in FilmReader(file, rate=16_000) if isinstance(p, SoundBlock)]
    whole = decode_audio(file, 16_000)
    mine = samples(blocks)
    assert abs(len(mine) - len(whole)) <= 1
    np.testing.assert_allclose(mine[: len(whole) - 1], whole[: len(mine)][: len(whole) - 1], atol=2e-4)
    for one, other in pairwise(blocks):
        assert other.time == pytest.approx(one.time + len(one.samples) / 16_000, abs=1e-9)


def test_variable_rate_keeps_its_times_and_a_still_covers_its_grid():
    stamps = [0, 40, 80, 2080, 2120, 2500]
    _, frames, _ = read(reel(6, stamps=stamps, form="matroska"), step=0.5)
    np.testing.assert_allclose([f.time for f in frames], np.array(stamps) / 1000, atol=1e-6)
    assert {k: f.index for f in frames for k in f.ticks} == {0: 0, 1: 2, 2: 2, 3: 2, 4: 2, 5: 5}


@pytest.mark.parametrize("late", [0.4, 1.5])
def test_late_sound_says_when_it_begins(late):
    reader, _, blocks = read(reel(75, sound=1.0, late=late, form="matroska"), rate=16_000)
    assert reader.film.sound_start == pytest.approx(late, abs=2e-3)
    assert blocks[0].time == pytest.approx(late, abs=2e-3)


@pytest.mark.parametrize("late", [7200.0, 5e5])
def test_sound_stamped_hours_late_begins_with_the_picture(late):
    reader, frames, blocks = read(reel(50, sound=2.0, late=late, form="matroska"), rate=16_000)
    assert len(frames) == 50
    assert blocks[0].time == 0.0
    assert len(samples(blocks)) == pytest.approx(32_000, abs=3000)
    assert kinds(reader) == ["sound misplaced"]


@pytest.mark.parametrize("sound", [None, 14.0])
def test_a_film_whose_clock_does_not_begin_at_zero_is_whole(sound):
    reader, _, _ = read(
        reel(50, stamps=[10_000 + 40 * i for i in range(50)], sound=sound, form="matroska"), rate=16_000
    )
    assert reader.film.duration == pytest.approx(12.0 if sound is None else 14.0, abs=0.1)
    assert "truncated" not in kinds(reader)


def test_times_count_from_the_first_frame_shown():
    data = reel(10, stamps=[1000 + 40 * i for i in range(10)], sound=1.4, form="matroska")
    reader, frames, blocks = read(data, rate=16_000)
    assert reader.film.origin == pytest.approx(1.0)
    assert frames[0].time == 0.0
    assert blocks[0].time == pytest.approx(-1.0)


def test_frames_before_an_edit_lists_start_are_not_shown():
    data = reel(20, stamps=[-200 + 40 * i for i in range(20)])
    _, frames, _ = read(data)
    assert frames[0].time == 0.0
    assert 14 <= len(frames) <= 20
    np.testing.assert_allclose(np.diff([f.time for f in frames]), 0.04, atol=1e-3)


def test_a_hole_in_the_sound_is_silence():
    buffer = io.BytesIO()
    from fractions import Fraction

    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000)
        stream.layout = "mono"
        for first in (0, 16_000 * 3):
            frame = av.AudioFrame.from_ndarray(np.full((1, 16_000), 8192, np.int16), format="s16", layout="mono")
            frame.rate, frame.pts, frame.time_base = 16_000, first, Fraction(1, 16_000)
            container.mux(stream.encode(frame))
    reader, frames, blocks = read(buffer.getvalue(), rate=16_000)
    assert not frames
    wave = samples(blocks)
    assert len(wave) == 4 * 16_000
    np.testing.assert_allclose(wave[:16_000], 0.25, atol=1e-4)
    np.testing.assert_allclose(wave[16_000:48_000], 0.0, atol=1e-4)
    np.testing.assert_allclose(wave[48_000:], 0.25, atol=1e-4)
    assert reader.end == pytest.approx(4.0)


def changing(rate, layout, codec="libmp3lame", seconds=2.0):
    """Bytes of an mp3 of a tone of 440 Hz, which can be joined with another."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate).astype(np.float32)
        for first in range(0, len(wave), 1152):
            piece = np.repeat(wave[None, first : first + 1152], stream.channels, axis=0)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


@pytest.mark.parametrize("forms", [((44_100, "mono"), (22_050, "stereo")), ((16_000, "stereo"), (48_000, "mono"))])
def test_sound_that_changes_its_form_keeps_its_pitch_and_its_time(forms):
    first, second, third = changing(*forms[0]), changing(*forms[1]), changing(*forms[0])
    reader, _, blocks = read(first + second + third, rate=16_000)
    wave = samples(blocks)
    assert reader.end == pytest.approx(6.0, abs=0.3)
    for at in (0.7, 3.0, 5.0):
        piece = wave[int(at * 16_000) :][:8_000] * np.hanning(8_000)
        assert np.abs(np.fft.rfft(piece)).argmax() * 2 == pytest.approx(440, abs=2)


def test_sound_without_pictures_and_pictures_without_sound():
    reader, frames, blocks = read(reel(0, sound=1.0), rate=16_000)
    assert not frames
    assert not reader.film.has_picture
    assert len(samples(blocks)) > 15_000
    assert kinds(reader) == ["no picture"]
    reader, frames, blocks = read(reel(10), rate=16_000)
    assert len(frames) == 10
    assert not blocks
    assert not reader.film.has_sound
    assert kinds(reader) == ["no sound"]


@pytest.mark.parametrize(("seconds", "kind"), [(4.0, "sound longer"), (0.5, "sound shorter")])
def test_sound_of_another_length_is_said(seconds, kind):
    reader, frames, _ = read(reel(50, sound=seconds), rate=16_000)
    assert len(frames) == 50
    assert kinds(reader) == [kind]
    assert reader.end == pytest.approx(2.0, abs=1e-3)


def test_a_truncated_film_gives_what_can_be_read():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (100, 96, 128, 3), dtype=np.uint8)
    data = reel(noise, options={"movflags": "faststart"})
    reader, frames, _ = read(data[: len(data) // 2])
    assert 20 < len(frames) < 80
    assert "truncated" in kinds(reader)
    assert reader.problems[0].rows == (3,)


def test_a_truncated_film_without_its_index_is_refused():
    data = reel(50)
    with pytest.raises(DataError, match=r"row 3, column 'film': not a readable film"):
        probe(media(data[: len(data) // 2]))


@pytest.mark.parametrize("data", [b"no film at all, just words\n" * 40, b"\0" * 5000], ids=["text", "zeros"])
def test_what_is_no_film_is_refused(data):
    with pytest.raises(DataError, match=r"row 3, column 'film'"):
        FilmReader(media(data))


def test_a_missing_file_and_an_empty_one_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        probe(Media("film", 0, path=str(tmp_path / "gone.mp4")))
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DataError, match="empty"):
        probe(Media("film", 0, path=str(tmp_path / "empty.mp4")))


def test_damaged_bytes_inside_are_passed_over():
    rng = np.random.default_rng(0)
    data = bytearray(reel(rng.integers(0, 255, (60, 96, 128, 3), dtype=np.uint8), options={"movflags": "faststart"}))
    data[len(data) // 2 : len(data) // 2 + 9000] = rng.integers(0, 255, 9000, dtype=np.uint8).tobytes()
    reader, frames, _ = read(bytes(data))
    assert 40 <= len(frames) <= 60
    assert set(kinds(reader)) <= {"damaged", "truncated"}


def test_one_frame_is_a_film():
    reader, frames, _ = read(reel(1), step=0.5)
    assert [list(f.ticks) for f in frames] == [[0]]
    assert frames[0].until > 0.0
    assert reader.seen == 1


def test_a_film_of_one_pixel():
    _, frames, _ = read(reel(3, size=(1, 1), codec="ffv1", form="matroska"), step=0.1)
    assert frames[0].small.shape == (*SMALL, 3)
    assert frames[0].picture(8).shape == (8, 8, 3)
    assert np.ptp(frames[0].small) == 0


def test_a_narrow_film_is_squeezed():
    _, frames, _ = read(reel(1, size=(2000, 2), codec="ffv1", form="matroska"))
    assert frames[0].picture(8).shape == (8, 128, 3)


def test_a_film_of_8k_is_read_and_a_larger_one_refused():
    picture = np.zeros((2, 4320, 7680, 3), np.uint8)
    picture[:, :, 3840:] = 200
    data = reel(picture, codec="mpeg4", form="matroska")
    reader, frames, _ = read(data)
    assert reader.film.size == (7680, 4320)
    assert frames[1].picture(32).shape == (32, 57, 3)
    assert frames[1].small[:, :30].mean() < 20
    assert frames[1].small[:, 34:].mean() > 180


def test_frames_too_large_are_refused(monkeypatch):
    data = reel(2)
    monkeypatch.setattr("fusible.data._film_facts.PIXELS", 1000)
    with pytest.raises(DataError, match="64x48 pixels"):
        probe(media(data))


def test_a_photo_is_a_film_of_one_frame_and_a_cover_is_none():
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), (200, 10, 10)).save(buffer, "PNG")
    _, frames, _ = read(buffer.getvalue())
    assert len(frames) == 1


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="step of the grid"):
        FilmReader(media(reel(2)), step=0.0)
    with pytest.raises(ConfigError, match="at least 1 Hz"):
        FilmReader(media(reel(2)), rate=0)


def test_memory_does_not_grow_with_length():
    def peak(frames):
        data = reel(frames, size=(32, 32), sound=frames / 25)
        tracemalloc.start()
        for _ in FilmReader(media(data), rate=16_000, step=0.5):
            pass
        found = tracemalloc.get_traced_memory()[1] - len(data)
        tracemalloc.stop()
        return found

    peak(50)
    assert peak(1500) < 1.5 * peak(300) + 200_000


@pytest.mark.parametrize(
    ("matrix", "size", "white"),
    [
        ((0, 1, -1, 0), (48, 64), (slice(None, 24), slice(None))),
        ((-1, 0, 0, -1), (64, 48), (slice(None), slice(36, None))),
        ((0, -1, 1, 0), (48, 64), (slice(40, None), slice(None))),
    ],
    ids=["clockwise", "upside down", "counterclockwise"],
)
def test_turned_films_come_upright(matrix, size, white):
    picture = np.zeros((2, 48, 64, 3), np.uint8)
    picture[:, :, :28] = 255
    data = bytearray(reel(picture))
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    reader, frames, _ = read(bytes(data))
    assert reader.film.size == size
    upright = frames[0].picture(48)
    assert upright.shape == (*size[::-1], 3)
    assert upright[white].mean() > 240
    assert upright.mean() == pytest.approx(255 * 28 / 64, abs=6)
