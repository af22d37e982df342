import numpy as np
import pytest
import torch

from fusible.encoders._cnn import Blocks, SafeBatchNorm2d
from fusible.encoders._pixels import resize
from fusible.encoders.image_cnn import ImageCnn
from fusible.errors import DataError
from fusible.types import Media


@pytest.mark.parametrize(("sides", "size"), [([28, 28, 28], 28), ([200, 300, 500], 64), ([30, 40, 90], 40), ([1], 1)])
def test_size_is_learnt_and_never_scales_up(sides, size, image):
    encoder = ImageCnn()
    encoder.fit([image(np.zeros((side, side + 5, 3), np.uint8)) for side in sides])
    assert encoder.size == size
    assert encoder.decode(image(np.zeros((7, 9, 3), np.uint8))).shape == (size, size, 3)


def test_a_size_that_is_set_stays(image):
    encoder = ImageCnn(size=20)
    encoder.fit([image(np.zeros((50, 50, 3), np.uint8))])
    assert encoder.size == 20


def test_statistics_are_those_of_training_pixels(image, rng):
    pixels = rng.integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    encoder = ImageCnn()
    encoder.fit([image(one) for one in pixels])
    np.testing.assert_allclose(encoder.mean.numpy(), (pixels / 255).mean(axis=(0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(encoder.std.numpy(), (pixels / 255).std(axis=(0, 1, 2)), atol=1e-6)


def test_the_vector_is_the_maximum_of_the_tokens(image, rng):
    encoder = ImageCnn(size=32).eval()
    encoded = encoder(encoder.collate([image(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)) for _ in range(3)]))
    assert encoded.tokens.shape == (3, 16, 128)
    torch.testing.assert_close(encoded.pooled, encoded.tokens.amax(dim=1))


def test_float_images_keep_values_beyond_eight_bits(image):
    grey = np.linspace(-2, 3, 64, dtype=np.float32).reshape(8, 8)
    encoder = ImageCnn(size=8)
    decoded = encoder.decode(image(grey))
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded[:, :, 0], grey)
    mixed = encoder.batch([decoded, np.full((8, 8, 3), 255, np.uint8)])["pixels"]
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed[1], torch.ones(8, 8, 3))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16])
def test_tiny_images_pass_alone_and_in_training(size):
    encoder = ImageCnn(size=size).train()
    encoded = encoder(encoder.batch([np.zeros((size, size, 3), np.uint8)]))
    assert torch.isfinite(encoded.pooled).all()


def test_one_value_per_channel_is_normalised_by_running_statistics():
    norm = SafeBatchNorm2d(3).train()
    torch.testing.assert_close(norm(torch.ones(1, 3, 1, 1)), torch.ones(1, 3, 1, 1) / np.sqrt(1 + 1e-5))


def test_depth_adds_convolutions():
    assert sum(isinstance(m, torch.nn.Conv2d) for m in Blocks(3, (4, 4), depth=2).modules()) == 4


def test_it_learns_which_image_holds_a_square(image, rng):
    torch.manual_seed(0)
    pixels = rng.integers(0, 80, (64, 24, 24, 3), dtype=np.uint8)
    label = np.arange(64) % 2
    for one, square in zip(pixels, label, strict=True):
        if square:
            top, left = rng.integers(0, 16, 2)
            one[top : top + 8, left : left + 8] = 255
    encoder = ImageCnn(width=16)
    media = [image(one) for one in pixels]
    encoder.fit(media[:48])
    head = torch.nn.Linear(16, 2)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=2e-3)
    batch, target = encoder.collate(media[:48]), torch.from_numpy(label)
    for _ in range(12):
        loss = torch.nn.functional.cross_entropy(head(encoder(batch).pooled), target[:48])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    encoder.eval()
    guess = head(encoder(encoder.collate(media[48:])).pooled).argmax(dim=1)
    assert (guess == target[48:]).float().mean() >= 0.9


def test_unreadable_images_are_passed_over_in_fit_unless_all_are(image):
    bad = Media("photo", 4, data=b"no image")
    encoder = ImageCnn()
    encoder.fit([bad, image(np.zeros((9, 9, 3), np.uint8))])
    assert encoder.size == 9
    with pytest.raises(DataError, match="row 4"):
        encoder.fit([bad])
    with pytest.raises(DataError, match="at least one training image"):
        encoder.fit([])


def test_resize_squashes_by_averages():
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    small = resize(np.repeat(checks[:, :, None], 3, axis=2).astype(np.uint8), 8)
    assert np.abs(small.astype(int) - 127).max() <= 2
