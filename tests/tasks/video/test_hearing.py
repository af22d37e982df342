"""Hearing: the same encodings whatever the blocks, levels in decibels, short steps refused."""

import numpy as np
import pytest

from fusible.errors import ArrayError
from fusible.tasks.video.hearing import SILENT, WIDTH, Hearing

RATE = 16_000


def heard(wave, *cuts, step=0.5):
    hearing = Hearing(step, rate=RATE)
    for piece in np.split(wave, cuts):
        hearing.push(piece)
    hearing.finish()
    return hearing


def test_a_full_scale_tone_has_three_decibels_less():
    wave = np.sin(2 * np.pi * 1000 * np.arange(3 * RATE) / RATE).astype(np.float32)
    found = heard(wave)
    assert found.encodings.shape == (6, WIDTH)
    np.testing.assert_allclose(found.loudness, -3.01, atol=0.01)


def test_silence_and_what_is_heard_are_told_apart_step_by_step():
    wave = np.zeros(2 * RATE, np.float32)
    wave[RATE : RATE + RATE // 2] = np.random.default_rng(0).normal(0, 0.1, RATE // 2)
    found = heard(wave)
    assert (found.loudness > SILENT).tolist() == [False, False, True, False]
    assert found.encodings[2, : WIDTH // 2].mean() > found.encodings[0, : WIDTH // 2].mean() + 3


@pytest.mark.parametrize("cuts", [(1,), (7_999, 8_001, 200_000), tuple(range(5_000, 300_000, 5_000))])
def test_blocks_do_not_matter(cuts):
    wave = np.random.default_rng(1).normal(0, 0.1, 20 * RATE + 123).astype(np.float32)
    whole, parts = heard(wave), heard(wave, *cuts)
    np.testing.assert_allclose(parts.loudness, whole.loudness, atol=1e-6)
    np.testing.assert_allclose(parts.encodings, whole.encodings, atol=1e-4)


def test_nothing_heard_is_no_step():
    assert heard(np.zeros(0, np.float32)).encodings.shape == (0, WIDTH)


def test_too_short_steps_are_refused():
    with pytest.raises(ArrayError, match=r"steps of 0\.001 s are too short"):
        Hearing(0.001, rate=RATE)
