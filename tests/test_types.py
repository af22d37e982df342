"""The shared words: values of what they compute."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusible.types import MEDIA, Encoded, Media, Modality, Role, Task, View, ViewData


def test_pooled_is_the_mean_of_real_tokens():
    tokens = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]]])
    encoded = Encoded(tokens, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(encoded.pooled, torch.tensor([[2.0, 3.0]]))


def test_padding_never_changes_pooled_nan_included():
    tokens = torch.tensor([[[1.0], [float("nan")], [float("inf")]]])
    encoded = Encoded(tokens, torch.tensor([[True, False, False]]))
    torch.testing.assert_close(encoded.pooled, torch.tensor([[1.0]]))


def test_a_row_without_tokens_pools_to_zero():
    encoded = Encoded(torch.full((2, 3, 4), 7.0), torch.zeros(2, 3, dtype=torch.bool))
    torch.testing.assert_close(encoded.pooled, torch.zeros(2, 4))


@given(
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=4),
    gaps=st.booleans(),
    padding=st.integers(0, 2),
    steps=st.integers(1, 9),
)
def test_shortened_sequences_hold_the_means_of_equal_stretches(lengths, gaps, padding, steps):
    rng = np.random.default_rng(sum(lengths) + steps)
    width = max(lengths) * (1 + gaps) + padding
    tokens, mask = torch.full((len(lengths), width, 2), torch.nan), torch.zeros(len(lengths), width, dtype=torch.bool)
    for row, length in enumerate(lengths):
        places = np.sort(rng.permutation(width)[:length]) if gaps else np.arange(length)
        mask[row, places], tokens[row, places] = True, torch.from_numpy(rng.normal(size=(length, 2))).float()
    short = Encoded(tokens, mask).shortened(steps)
    for row, length in enumerate(lengths):
        kept = tokens[row, mask[row]].numpy()
        stretches = np.arange(length) if length <= steps else np.arange(length) * steps // length
        means = [kept[stretches == one].mean(axis=0) for one in range(min(length, steps))]
        assert short.mask[row].tolist() == [place < len(means) for place in range(short.mask.shape[1])]
        np.testing.assert_allclose(short.tokens[row, : len(means)], np.reshape(means, (-1, 2)), atol=1e-6)
        np.testing.assert_array_equal(short.tokens[row, len(means) :], 0.0)


def test_a_pooling_of_the_encoders_own_wins():
    encoded = Encoded(torch.ones(1, 2, 3), torch.ones(1, 2, dtype=torch.bool), vector=torch.full((1, 3), 5.0))
    torch.testing.assert_close(encoded.pooled, torch.full((1, 3), 5.0))


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**16))
def test_pooled_agrees_with_a_loop(rows, steps, seed):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(rows, steps, 3, generator=generator, dtype=torch.float64)
    mask = torch.rand(rows, steps, generator=generator) < 0.6
    pooled = Encoded(tokens, mask).pooled
    for row in range(rows):
        expected = tokens[row, mask[row]].mean(dim=0) if mask[row].any() else torch.zeros(3, dtype=torch.float64)
        torch.testing.assert_close(pooled[row], expected)


@pytest.mark.parametrize(
    ("task", "outputs", "classification"),
    [
        (Task("binary", ("no", "yes")), 2, True),
        (Task("multiclass", ("a", "b", "c")), 3, True),
        (Task("multilabel", ("a", "b", "c", "d")), 4, False),
        (Task("regression"), 1, False),
    ],
)
def test_task_says_its_width(task, outputs, classification):
    assert task.outputs == outputs
    assert task.is_classification is classification


def test_media_says_where_it_stands():
    assert Media("photo", 3, path="a/b.jpg").where == "row 3, column 'photo' (a/b.jpg)"
    assert Media("photo", 3, data=b"x").where == "row 3, column 'photo'"


def test_a_row_is_present_when_any_slot_is():
    view = View("photos", Modality.IMAGE, ("front", "back"))
    data = ViewData(view, np.array([[0, -1], [-1, -1], [-1, 2], [1, 1]]), values=[])
    np.testing.assert_array_equal(data.presence, [True, False, True, True])


def test_words_are_plain_strings():
    assert Modality("image") == "image"
    assert f"{Role.TARGET}" == "target"
    assert {str(modality) for modality in MEDIA} == {"image", "audio", "video"}
