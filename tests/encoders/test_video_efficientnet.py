import io
import sys

import numpy as np
import pytest
import torch
from _films import film
from PIL import Image
from skimage import data

from fusible.encoders.image_efficientnet import ImageEfficientnet
from fusible.encoders.video_efficientnet import VideoEfficientnet
from fusible.errors import ConfigError, MissingExtraError
from fusible.types import Media

GREY = np.asarray(Image.fromarray(data.camera()).resize((96, 96)))


def test_tokens_are_what_the_image_encoder_makes_of_each_frame():
    clip = Media("clip", 0, data=film(np.stack([GREY, 255 - GREY, GREY[::-1], GREY.T])))
    encoder = VideoEfficientnet(frames=4, size=64)
    encoded = encoder(encoder.collate([clip, clip]))
    assert encoded.tokens.shape == (2, 4, 1280)
    torch.testing.assert_close(encoded.pooled, encoded.tokens.mean(dim=1))
    image = ImageEfficientnet(size=64)
    frames = encoder.decode(clip)
    alone = image(image.batch(list(frames))).pooled
    torch.testing.assert_close(encoded.tokens[0], alone, atol=1e-3, rtol=1e-3)


def test_a_picture_and_its_still_film_lie_together():
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, "PNG")
    encoder, image = VideoEfficientnet(frames=2, size=96), ImageEfficientnet(size=96)
    still = encoder(encoder.collate([Media("clip", 0, data=film(np.stack([GREY] * 4)))])).pooled
    picture = image(image.collate([Media("photo", 0, data=stream.getvalue())])).pooled
    assert torch.nn.functional.cosine_similarity(still, picture).item() > 0.95


def test_bad_settings_and_a_missing_package_are_named(monkeypatch):
    with pytest.raises(ConfigError, match="video_efficientnet: setting frames"):
        VideoEfficientnet(frames=0)
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(MissingExtraError, match=r"video_efficientnet needs .* pip install 'fusible\[vision\]'"):
        VideoEfficientnet()
