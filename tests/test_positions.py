"""Places as waves: their formula, for any width, and that no two are alike."""

import numpy as np
import torch

from fusible.positions import sinusoids


def test_sinusoids_follow_their_formula():
    places, width = np.array([0, 1, 7, 300]), 6
    found = sinusoids(torch.from_numpy(places), width).numpy()
    for i in range(3):
        angle = places / 10_000 ** (2 * i / width)
        np.testing.assert_allclose(found[:, i], np.sin(angle), atol=1e-5)
        np.testing.assert_allclose(found[:, 3 + i], np.cos(angle), atol=1e-5)
    assert sinusoids(torch.zeros(2, 3), 5).shape == (2, 3, 5)
    assert torch.equal(sinusoids(torch.arange(3), 5), sinusoids(torch.arange(3), 6)[:, :5])


def test_places_are_told_apart():
    waves = sinusoids(torch.arange(50), 16)
    assert waves.shape == (50, 16)
    assert torch.cdist(waves, waves).fill_diagonal_(9).min() > 0.1
