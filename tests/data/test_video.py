"""Decoding of video."""

import io
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
import soundfile

from fusible.data.video import decode_video, positions
from fusible.errors import DataError
from fusible.types import Media


def film(count, form="mp4", codec="libx264", width=64, height=48):
    """Encode frames of rising grey: frame i has brightness 20 + 4 i."""
    out = io.BytesIO()
    write_film(out, count, form, codec, width, height)
    return Media("clip", 2, data=out.getvalue())


def write_film(out, count, form="mp4", codec="libx264", width=64, height=48, options=None):
    with av.open(out, "w", format=form, options=options or {}) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 4_000_000
        for index in range(count):
            grey = np.full((height, width, 3), 20 + 4 * index, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


def numbers(frames):
    """Frame numbers read back from brightness."""
    return np.round((frames.mean(axis=(1, 2, 3)) - 20) / 4).astype(int).tolist()


@pytest.mark.parametrize(("form", "codec"), [("mp4", "libx264"), ("matroska", "libx264"), ("avi", "mpeg4")])
def test_frames_are_evenly_spaced(form, codec):
    frames = decode_video(film(40, form, codec), 5, 24)
    assert frames.shape == (5, 24, 32, 3)
    assert frames.dtype == np.uint8
    assert numbers(frames) == positions(40, 5).tolist() == [4, 12, 20, 28, 36]


def test_all_frames_come_in_order():
    assert numbers(decode_video(film(12), 12, 48)) == list(range(12))


def test_a_short_video_repeats_its_last_frame():
    assert numbers(decode_video(film(3), 6, 48)) == [0, 1, 2, 2, 2, 2]


def test_the_short_side_is_scaled():
    assert decode_video(film(2, width=48, height=64), 1, 12).shape == (1, 16, 12, 3)
    assert decode_video(film(2), 1, 96).shape == (1, 96, 128, 3)


def test_path_and_bytes_agree_also_in_threads(clips):
    path = clips / "bikes.mp4"
    media = [Media("clip", 0, path=str(path)), Media("clip", 1, data=path.read_bytes())] * 2
    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(lambda item: decode_video(item, 3, 32), media)
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_sound_without_pictures_is_an_error():
    out = io.BytesIO()
    soundfile.write(out, np.zeros(800), 8000, format="WAV")
    with pytest.raises(DataError, match="row 2, column 'clip': no video stream in the file"):
        decode_video(Media("clip", 2, data=out.getvalue()), 4, 32)


def test_a_video_cut_before_its_index_is_an_error():
    whole = film(40).data
    with pytest.raises(DataError, match="row 2, column 'clip': not a readable video"):
        decode_video(Media("clip", 2, data=whole[: whole.index(b"moov") - 20]), 8, 32)


def test_a_video_cut_after_its_index_is_an_error(tmp_path):
    write_film(str(tmp_path / "film.mp4"), 40, options={"movflags": "faststart"})
    whole = (tmp_path / "film.mp4").read_bytes()
    data = whole.index(b"mdat")
    assert whole.index(b"moov") < data
    with pytest.raises(DataError, match=r"row 2, column 'clip': (truncated|not a readable) video"):
        decode_video(Media("clip", 2, data=whole[: data + (len(whole) - data) // 2]), 8, 32)


@pytest.mark.parametrize("data", [b"", b"no video" * 50, b"\0\0\0\x18ftypmp42"])
def test_what_is_no_video_is_an_error(data):
    with pytest.raises(DataError, match="row 2, column 'clip': "):
        decode_video(Media("clip", 2, data=data), 4, 32)


def test_a_huge_picture_is_refused_by_its_header(monkeypatch):
    monkeypatch.setattr("fusible.data.video.PIXELS", 1000)
    with pytest.raises(DataError, match="video of 64x48 pixels is too large"):
        decode_video(film(2), 1, 8)


@pytest.mark.parametrize(("frames", "size"), [(0, 8), (4, 0)])
def test_bad_settings_are_errors(frames, size):
    with pytest.raises(DataError, match="at least 1"):
        decode_video(Media("clip", 0, data=b"x"), frames, size)
