import numpy as np
import pytest
import torch

from fusible.encoders._logmel import FLOOR, learn_rate, log_mel, native_rate, window_length
from fusible.errors import DataError
from fusible.types import Media


def tone(hertz, rate=8000, seconds=1.0, level=1.0):
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [1000, 8000, 16_000, 44_100])
def test_a_tone_is_loudest_in_its_band(rate):
    hertz = rate / 8
    bands = log_mel(tone(hertz, rate), rate, 20)
    assert bands.shape == (20, 101)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), 22) / 2595) - 1)
    nearest = np.abs(edges[1:-1] - hertz).argmin()
    assert abs(int(bands[:, 50].argmax()) - nearest) <= 1


def test_ten_decibels_are_ten_decibels():
    loud, soft = (log_mel(tone(1000, level=level), 8000, 20)[:, 50].max() for level in (1.0, 10**-0.5))
    np.testing.assert_allclose(loud - soft, np.log(10), atol=1e-3)


def test_agrees_with_transformers():
    from transformers.audio_utils import mel_filter_bank, spectrogram

    rng = np.random.default_rng(0)
    wave = rng.normal(size=4000).astype(np.float32)
    window = torch.hann_window(256).numpy()
    bank = mel_filter_bank(129, 20, 0.0, 4000.0, 8000)
    peer = spectrogram(wave, window, 256, 80, power=2.0, mel_filters=bank, pad_mode="constant", dtype=np.float64)
    expected = np.log(peer * (2.0 / window.sum()) ** 2 + FLOOR)
    np.testing.assert_allclose(log_mel(wave, 8000, 20), expected, atol=1e-3)


def test_silence_and_single_samples_are_defined():
    assert (log_mel(np.zeros(800, np.float32), 8000, 10) == np.float32(np.log(np.float32(FLOOR)))).all()
    assert log_mel(np.ones(1, np.float32), 8000, 10).shape == (10, 1)


def test_windows_are_powers_of_two():
    assert [window_length(rate) for rate in (1000, 8000, 16_000, 44_100)] == [256, 256, 512, 2048]


def test_the_rate_is_that_of_the_training_sounds(sound, clips):
    assert native_rate(Media("v", 0, path=str(clips / "bigbuckbunny.mp4"))) == 48_000
    assert learn_rate([sound(tone(100), 8000), sound(tone(100, 4000), 4000)]) == 8000
    assert learn_rate([sound(tone(100, 44_100), 44_100)]) == 16_000
    assert learn_rate([Media("bad", 1, data=b"xx"), sound(tone(100), 8000)]) == 8000


def test_what_has_no_sound_is_named(clips):
    with pytest.raises(DataError, match="no sound track"):
        native_rate(Media("v", 2, path=str(clips / "bikes.mp4")))
    with pytest.raises(DataError, match="row 3"):
        learn_rate([Media("bad", 3, data=b"xx")])
    with pytest.raises(DataError, match="at least one training sound"):
        learn_rate([])
