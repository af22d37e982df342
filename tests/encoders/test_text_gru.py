import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusible.encoders.text_gru import UNKNOWN, TextGru


@pytest.fixture(params=[False, True], ids=["forward", "both ways"])
def encoder(request):
    torch.manual_seed(0)
    encoder = TextGru(width=6, embedding=4, bidirectional=request.param)
    encoder.fit(["is it red ?", "it is blue", "a red shape"])
    return encoder.eval()


def test_vocabulary_is_ordered_by_frequency_then_alphabet():
    encoder = TextGru()
    encoder.fit(["Red red? Blue", "a red"])
    assert encoder.known == ["red", "?", "a", "blue"]
    assert encoder.decode("RED green a").tolist() == [2, UNKNOWN, 4]
    assert encoder.decode("").tolist() == [UNKNOWN]


def test_the_vocabulary_is_capped():
    encoder = TextGru(vocabulary=1)
    encoder.fit(["b a b"])
    assert encoder.known == ["b"]
    assert encoder.embedding.num_embeddings == 3


def test_states_are_those_of_the_gru_on_one_text(encoder):
    ids = torch.from_numpy(encoder.decode("is it red ?")).long()
    states, last = encoder.gru(encoder.embedding(ids).unsqueeze(0))
    encoded = encoder(encoder.collate(["is it red ?", "a red shape it is a red shape", "blue"]))
    torch.testing.assert_close(encoded.tokens[0, :4], states[0])
    torch.testing.assert_close(encoded.pooled[0], last[:, 0].flatten())


def test_word_order_counts(encoder):
    one, other = (encoder(encoder.collate([text])).pooled for text in ("red is blue", "blue is red"))
    assert (one - other).abs().max() > 1e-3


def test_unknown_words_start_at_zero(encoder):
    assert torch.equal(encoder.embedding.weight[UNKNOWN], torch.zeros(4))


def test_long_texts_are_cut():
    encoder = TextGru(max_length=3)
    encoder.fit(["a b c d"])
    assert len(encoder.decode("a b c d " * 50_000)) == 3


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_padding_never_changes_a_row(texts):
    torch.manual_seed(0)
    encoder = TextGru(width=5, embedding=3)
    encoder.fit(texts)
    together = encoder(encoder.collate([*texts, "a long text of many words " * 3])).pooled
    alone = torch.cat([encoder(encoder.collate([text])).pooled for text in texts])
    torch.testing.assert_close(together[:-1], alone, atol=1e-5, rtol=1e-5)
