import numpy as np
import torch

from fusible.encoders._logmel import log_mel
from fusible.encoders.audio_stats import AudioStats, statistics


def test_statistics_have_their_places(rng):
    wave = rng.normal(size=8000).astype(np.float32)
    bands = log_mel(wave, 8000, 10)
    found = statistics(wave, 8000, 10)
    assert found.shape == (87,)
    parts = found[:80].reshape(8, 10)
    np.testing.assert_allclose(parts[0], bands.mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(parts[1], bands.std(axis=1), rtol=1e-4)
    np.testing.assert_allclose(parts[2:4], [bands.min(axis=1), bands.max(axis=1)], rtol=1e-5)
    np.testing.assert_allclose(parts[6], np.median(bands, axis=1), rtol=1e-4)


def test_a_tone_crosses_zero_twice_per_period():
    wave = np.sin(2 * np.pi * 1000 * (np.arange(8000) + 0.5) / 8000).astype(np.float32)
    extras = statistics(wave, 8000, 20)[160:]
    np.testing.assert_allclose(extras[0], 2 * 1000 / 8000, atol=1e-3)
    np.testing.assert_allclose(extras[3], 1000 / 8000, atol=0.02)
    np.testing.assert_allclose(extras[5:], [np.log(wave.max() + 1e-4), 0.0], atol=1e-6)


def test_silence_and_single_samples_are_finite():
    for wave in (np.zeros(800, np.float32), np.ones(1, np.float32)):
        assert np.isfinite(statistics(wave, 8000, 20)).all()


def test_training_sounds_are_standardised_and_outliers_clipped(sound, rng):
    encoder = AudioStats(mels=8)
    media = [sound(level * rng.normal(size=4000)) for level in (0.1, 0.2, 0.3, 0.4)]
    encoder.fit(media)
    pooled = encoder(encoder.collate(media)).pooled
    torch.testing.assert_close(pooled.mean(dim=0), torch.zeros(71), atol=1e-3, rtol=0)
    silence = encoder(encoder.collate([sound(np.zeros(4000))])).pooled
    assert silence.abs().max() == 10.0
