import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusible.encoders._logmel import log_mel
from fusible.encoders.audio_sequence import AudioSequence, stretches
from fusible.errors import ConfigError, DataError


@given(st.integers(1, 30), st.integers(1, 40))
def test_stretches_are_means_over_equal_shares_of_the_time(frames, steps):
    values = np.random.default_rng(frames).normal(size=(2, frames))
    fine = np.repeat(values, steps, axis=1)  # moments that both clocks divide
    expected = fine.reshape(2, steps, frames).mean(axis=2)
    np.testing.assert_allclose(stretches(values, steps), expected, atol=1e-12)


def test_the_vector_is_the_standardised_course_of_bands(rng, sound):
    waves = [rng.normal(size=4000) * np.linspace(0.01, 1, 4000), rng.normal(size=6000)]
    encoder = AudioSequence(steps=5, mels=8)
    encoder.fit([sound(wave) for wave in waves])
    assert encoder.rate == 8000
    courses = np.stack([stretches(log_mel(wave.astype(np.float32), 8000, 8), 5).T for wave in waves])
    expected = (courses - courses.mean(axis=(0, 1))) / courses.std(axis=(0, 1))
    vectors = encoder(encoder.collate([sound(wave) for wave in waves])).pooled
    np.testing.assert_allclose(vectors.numpy().reshape(2, 5, 8), expected, atol=1e-4)
    assert encoder.steps == 5


def test_a_steady_sound_and_a_short_one_are_finite(sound):
    encoder = AudioSequence(steps=6, mels=8)
    encoder.fit([sound(np.zeros(800))])
    vectors = encoder(encoder.collate([sound(np.zeros(800)), sound(np.ones(3))])).pooled
    assert torch.isfinite(vectors).all()
    assert vectors[0].abs().max() < 1e-3  # the silence that it learned from


def test_what_grows_louder_grows_in_every_band(rng, sound):
    encoder = AudioSequence(steps=6, rate=8000, mels=8)
    louder = rng.normal(size=24_000) * np.repeat(0.01 * 2.0 ** np.arange(6), 4000)
    course = encoder(encoder.collate([sound(louder)])).pooled.numpy().reshape(6, 8)
    np.testing.assert_allclose(np.diff(course, axis=0).mean(axis=1)[1:], 2 * np.log(2), atol=0.1)


def test_bad_settings_and_no_sound_are_refused():
    with pytest.raises(ConfigError, match="audio_sequence: setting steps"):
        AudioSequence(steps=1)
    with pytest.raises(ConfigError, match="audio_sequence: setting mels"):
        AudioSequence(mels=2)
    with pytest.raises(DataError, match="no sound to learn from"):
        AudioSequence().fit([])
