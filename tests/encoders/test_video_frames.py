import numpy as np
import pytest
import torch

from fusible.encoders.video_frames import VideoFrames
from fusible.errors import DataError
from fusible.types import Media


@pytest.fixture(scope="module")
def clip(clips):
    return Media("clip", 0, path=str(clips / "bikes.mp4"))


def test_frames_are_squashed_and_differ(clip):
    frames = VideoFrames(frames=5, size=32).decode(clip)
    assert frames.shape == (5, 32, 32, 3)
    assert frames.dtype == np.uint8
    assert np.abs(np.diff(frames.astype(int), axis=0)).mean() > 0.5


def test_statistics_are_those_of_training_pixels(clip):
    encoder = VideoFrames(frames=3, size=16)
    encoder.fit([Media("clip", 7, data=b"no video"), clip])
    pixels = encoder.decode(clip).reshape(-1, 3) / 255
    np.testing.assert_allclose(encoder.mean.numpy(), pixels.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(encoder.std.numpy(), pixels.std(axis=0), atol=1e-6)
    with pytest.raises(DataError, match="row 7"):
        encoder.fit([Media("clip", 7, data=b"no video")])


def test_the_order_of_frames_counts(clip):
    torch.manual_seed(0)
    encoder = VideoFrames(frames=6, size=32).eval()
    frames = encoder.decode(clip)
    forward, backward = encoder(encoder.batch([frames, frames[::-1].copy()])).pooled
    assert (forward - backward).abs().max() > 1e-3


def test_one_token_per_frame_and_the_vector_pools_them(clip):
    encoder = VideoFrames(frames=6, size=32, width=10).eval()
    encoded = encoder(encoder.collate([clip]))
    assert encoded.tokens.shape == (1, 6, 10)
    expected = encoded.tokens.mean(dim=1) + encoded.tokens.amax(dim=1)
    torch.testing.assert_close(encoded.pooled, expected)


def test_it_learns_left_from_right():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    label = np.arange(32) % 2
    clips = rng.integers(0, 40, (32, 6, 16, 16, 3), dtype=np.uint8)
    for one, right in zip(clips, label, strict=True):
        top = rng.integers(0, 12)
        for step in range(6):
            left = 2 * (step if right else 5 - step)
            one[step, top : top + 4, left : left + 4] = 255
    encoder = VideoFrames(frames=6, size=16, width=16)
    head = torch.nn.Linear(16, 2)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=3e-3)
    batch, target = encoder.batch(list(clips[:24])), torch.from_numpy(label)
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(head(encoder(batch).pooled), target[:24])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    encoder.eval()
    guess = head(encoder(encoder.batch(list(clips[24:]))).pooled).argmax(dim=1)
    assert (guess == target[24:]).float().mean() >= 0.85
