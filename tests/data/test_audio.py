"""Decoding of sound."""

import io

import av
import numpy as np
import pytest
import soundfile

from fusible.data.audio import decode_audio, has_sound
from fusible.errors import DataError
from fusible.types import Media


def wav(samples, rate, **settings):
    out = io.BytesIO()
    soundfile.write(out, samples, rate, **{"format": "WAV", "subtype": "FLOAT", **settings})
    return Media("sound", 5, data=out.getvalue())


def tone(hertz, rate, seconds=1.0):
    return np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate).astype(np.float32)


def test_samples_at_the_native_rate_are_kept_bit_by_bit(rng, tmp_path):
    samples = rng.normal(size=1000).astype(np.float32)
    media = wav(samples, 8000)
    np.testing.assert_array_equal(decode_audio(media, 8000), samples)
    (tmp_path / "a.wav").write_bytes(media.data)
    np.testing.assert_array_equal(decode_audio(Media("s", 0, path=str(tmp_path / "a.wav")), 8000), samples)


def test_channels_are_averaged():
    stereo = np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1)
    np.testing.assert_allclose(decode_audio(wav(stereo, 8000), 8000), np.full(100, 0.125))


@pytest.mark.parametrize("rate", [4000, 16000, 22050])
def test_resampling_keeps_a_tone(rate):
    decoded = decode_audio(wav(tone(440, 8000), 8000), rate)
    assert abs(len(decoded) - rate) <= 1
    assert decoded.dtype == np.float32
    middle = slice(rate // 4, 3 * rate // 4)
    np.testing.assert_allclose(decoded[middle], tone(440, rate)[: len(decoded)][middle], atol=0.02)


@pytest.mark.parametrize(("form", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")])
def test_other_sound_files(form, subtype):
    decoded = decode_audio(wav(tone(300, 16000), 16000, format=form, subtype=subtype), 16000)
    spectrum = np.abs(np.fft.rfft(decoded[:16000]))
    assert abs(int(spectrum.argmax()) - 300) <= 1


def make_m4a(samples, rate):
    """Sound in a container that soundfile does not know."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="fltp", layout="mono")
        frame.rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return Media("sound", 5, data=out.getvalue())


def test_a_container_is_read_through_pyav():
    media = make_m4a(tone(500, 16000), 16000)
    decoded = decode_audio(media, 16000)
    assert has_sound(media)
    assert 16000 <= len(decoded) <= 16000 + 3 * 1024
    assert abs(int(np.abs(np.fft.rfft(decoded[:16000])).argmax()) - 500) <= 1


def test_the_sound_track_of_a_video_is_read(clips):
    video = Media("clip", 0, path=str(clips / "bigbuckbunny.mp4"))
    assert has_sound(video)
    decoded = decode_audio(video, 8000)
    assert len(decoded) / 8000 == pytest.approx(5.3, abs=0.2)
    assert decoded.std() > 0.001


def test_a_silent_film_has_no_sound(clips):
    video = Media("clip", 4, path=str(clips / "bikes.mp4"))
    assert not has_sound(video)
    with pytest.raises(DataError, match=r"row 4, column 'clip' .*no sound track in the file"):
        decode_audio(video, 8000)


@pytest.mark.parametrize(
    ("media", "said"),
    [
        (Media("sound", 5, data=b""), "zero bytes"),
        (Media("sound", 5, data=b"RIFF"), "not a readable sound"),
        (Media("sound", 5, data=b"not a sound at all" * 20), "not a readable sound"),
        (wav(np.zeros(0, np.float32), 8000), "sound without samples"),
        (wav(np.array([0, np.nan], np.float32), 8000), "NaN or infinite"),
    ],
)
def test_bad_sound_is_a_data_error(media, said):
    with pytest.raises(DataError, match=f"row 5, column 'sound': .*{said}"):
        decode_audio(media, 8000)


def test_a_rate_under_one_is_an_error():
    with pytest.raises(DataError, match="at least 1 Hz, got 0"):
        decode_audio(wav(tone(1, 100), 100), 0)


def test_too_long_a_sound_is_refused_by_its_header(monkeypatch):
    monkeypatch.setattr("fusible.data.audio.SECONDS", 0.5)
    for media in (wav(tone(300, 8000), 8000), make_m4a(tone(300, 16000), 16000)):
        with pytest.raises(DataError, match=r"sound of 1 s, at most 0\.5 s allowed"):
            decode_audio(media, 8000)


def test_has_sound_of_no_media_is_an_error():
    with pytest.raises(DataError, match="not readable media"):
        has_sound(Media("clip", 1, data=b"text" * 100))
