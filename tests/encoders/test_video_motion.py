import io

import av
import numpy as np
import pytest
import torch

from fusible.encoders.video_motion import VideoMotion
from fusible.errors import ConfigError, DataError
from fusible.types import Media

SMALL = {"frames": 12, "size": 48, "components": 6, "width": 16, "heads": 2}


def film(frames):
    """A lossless-enough clip of grey frames (frames, height, width) as bytes."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=12, options={"crf": "4"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:], "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.repeat(frame[:, :, None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return Media("clip", 0, data=buffer.getvalue())


def mouths(rng, count):
    """A scene moved a little per clip, in which a bar opens (class 1) or slides (class 0); and classes."""
    base = np.kron(rng.integers(30, 220, (12, 14)), np.ones((6, 6))).astype(np.uint8)
    label = np.arange(count) % 2
    clips = []
    for kind in label:
        down, right = rng.integers(0, 5, 2)
        clip = np.repeat(base[None, down : down + 64, right : right + 64], 12, axis=0).copy()
        for step in range(12):
            size = 2 + (step if kind else 4)
            left = 30 - right + (0 if kind else step)
            clip[step, 36 - down : 36 - down + size, left : left + 8] = 255
        clips.append(film(clip))
    return clips, label


@pytest.fixture(scope="module")
def talk():
    return mouths(np.random.default_rng(0), 16)


def test_the_window_lies_where_it_moves_and_clips_are_steadied(talk):
    encoder = VideoMotion(**SMALL)
    encoder.fit(talk[0])
    high, wide = encoder.template.shape
    scale = 48 / 64
    middle = (encoder.place[0] + high / 2, encoder.place[1] + wide / 2)
    assert abs(middle[0] - 40 * scale) < 8
    assert abs(middle[1] - 36 * scale) < 8
    decoded = encoder.decode(talk[0][0])
    assert decoded.shape == (12, high, wide)
    assert decoded.dtype == np.uint8


def test_unreadable_videos_are_passed_over(talk):
    encoder = VideoMotion(**SMALL)
    encoder.fit([Media("clip", 7, data=b"no video"), *talk[0][:3]])
    assert torch.isfinite(encoder.scale).all()
    with pytest.raises(DataError, match="row 7"):
        encoder.fit([Media("clip", 7, data=b"no video")])
    with pytest.raises(ConfigError, match="share"):
        VideoMotion(share=0.9)


def test_a_still_scene_and_a_single_video_have_finite_encodings():
    still = film(np.full((12, 48, 64), 90, np.uint8))
    encoder = VideoMotion(**SMALL)
    encoder.fit([still])
    encoded = encoder.eval()(encoder.collate([still]))
    assert encoded.tokens.shape == (1, 12, 16)
    assert torch.isfinite(encoded.pooled).all()


def test_it_learns_how_a_bar_moves(talk):
    clips, label = talk
    torch.manual_seed(0)
    encoder = VideoMotion(**SMALL)
    encoder.fit(clips)
    head = torch.nn.Linear(16, 2)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=3e-3)
    tensors, target = encoder.collate(clips), torch.from_numpy(label)
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(head(encoder(tensors).pooled), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    new, truth = mouths(np.random.default_rng(0), 8)
    said = head(encoder.eval()(encoder.collate(new)).pooled).argmax(dim=1).numpy()
    assert (said == truth).mean() > 0.9
