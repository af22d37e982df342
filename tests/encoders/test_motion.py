"""Finding, steadying and reducing what moves: values against planted ones."""

import numpy as np
import pytest
import torch

from fusible.encoders._motion import busiest, components_of, cut, motion_energy, shifts, template_of


def scene(rng, rows=6, height=40, width=48):
    """Smooth random pictures of one scene, each moved by its own shift of at most 3; and the shifts."""
    base = rng.normal(size=(height + 12, width + 12)).cumsum(0).cumsum(1)
    base = (base - base.min()) / np.ptp(base)
    base[20:30, 22:34] += 1.0
    moved = rng.integers(-3, 4, (rows, 2))
    pictures = [base[6 - a : 6 - a + height, 6 - b : 6 - b + width] for a, b in moved]
    return torch.tensor(np.stack(pictures), dtype=torch.float32), torch.from_numpy(moved)


def test_energy_is_the_mean_absolute_change():
    clip = np.zeros((3, 2, 2), np.uint8)
    clip[1, 0, 1], clip[2, 1, 0] = 10, 4
    assert motion_energy(clip).tolist() == [[0.0, 10.0], [2.0, 0.0]]
    assert motion_energy(clip[:1]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize(("row", "column"), [(5, 6), (12, 3), (0, 0), (19, 29)])
def test_the_busiest_window_holds_a_spot_in_its_middle_or_as_near_as_the_picture_lets_it(row, column):
    energy = np.zeros((20, 30))
    energy[row, column] = 1.0
    top, left = busiest(energy, 5, 7)
    assert (top, left) == (int(np.clip(row - 2, 0, 15)), int(np.clip(column - 3, 0, 23)))


def test_shifts_are_found_exactly_and_undone():
    pictures, moved = scene(np.random.default_rng(0))
    found = shifts(pictures, pictures[0], 8)
    assert torch.equal(found, moved - moved[0])
    steady = cut(pictures.unsqueeze(1), found, 6)
    for one in steady[1:]:
        torch.testing.assert_close(one, steady[0])


def test_the_template_is_sharper_than_the_plain_mean():
    pictures, _ = scene(np.random.default_rng(1), rows=12)
    template = template_of(pictures, 6)
    sharpness = [float(torch.diff(one[8:-8, 8:-8], dim=0).abs().mean()) for one in (template, pictures.mean(dim=0))]
    assert sharpness[0] > 1.1 * sharpness[1]


def test_components_are_those_of_the_singular_value_decomposition():
    rng = np.random.default_rng(2)
    frames = rng.normal(size=(200, 3)) @ np.diag([5.0, 2.0, 1.0]) @ rng.normal(size=(3, 30))
    directions, spread = components_of(frames, 5)
    values = np.linalg.svd(frames)[1]
    np.testing.assert_allclose(spread[:3], values[:3] / np.sqrt(200), rtol=1e-5)
    np.testing.assert_allclose(frames @ directions[:3].T @ directions[:3], frames, atol=1e-4)
    few, ones = components_of(frames[:2], 5)
    assert (few[2:] == 0).all()
    assert (ones[2:] == 1).all()
