import pytest
import torch

from fusible.encoders.text_gru import UNKNOWN
from fusible.encoders.text_lstm import TextLstm
from fusible.errors import ConfigError


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    encoder = TextLstm(width=6, embedding=4)
    encoder.fit(["is it red ?", "it is blue", "a red shape"])
    return encoder.eval()


def test_states_are_those_of_the_lstm_on_one_text(encoder):
    ids = torch.from_numpy(encoder.decode("is it red ?")).long()
    states, (last, _) = encoder.lstm(encoder.embedding(ids).unsqueeze(0))
    encoded = encoder(encoder.collate(["is it red ?", "a red shape it is a red shape", "blue"]))
    torch.testing.assert_close(encoded.tokens[0, :4], states[0])
    torch.testing.assert_close(encoded.pooled[0], last[0, 0])
    assert encoded.mask.sum(dim=1).tolist() == [4, 8, 1]


def test_words_are_learnt_in_fit(encoder):
    assert encoder.known[:3] == ["is", "it", "red"]
    assert encoder.decode("RED green").tolist() == [4, UNKNOWN]


def test_it_holds_no_other_recurrent_layer(encoder):
    assert {name.split(".")[0] for name, _ in encoder.named_parameters()} == {"embedding", "lstm"}
    assert encoder.settings == {"width": 6, "embedding": 4, "max_length": 128, "vocabulary": 20_000}


def test_a_width_of_one_works_and_odd_ones_are_refused():
    narrow = TextLstm(width=1)
    narrow.fit(["a"])
    assert narrow(narrow.collate(["a b", "a"])).pooled.shape == (2, 1)
    with pytest.raises(ConfigError, match="text_lstm: setting width"):
        TextLstm(width=0)
