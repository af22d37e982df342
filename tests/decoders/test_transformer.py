"""The transformer decoder against torch's own layers, and on tasks that it must learn."""

import numpy as np
import pytest
import torch
from torch import nn

from fusible.decoders.transformer import Transformer
from fusible.errors import ConfigError
from fusible.positions import sinusoids
from fusible.types import Encoded


def test_its_layers_are_those_of_torch():
    torch.manual_seed(0)
    built = Transformer(vocabulary=9, memory=6, width=8, layers=2, heads=2).eval()
    tokens, mask = torch.tensor([[1, 4, 7], [1, 3, 8]]), torch.tensor([[True] * 4, [True, False, True, False]])
    memory = Encoded(torch.randn(2, 4, 6), mask)
    seen = nn.functional.layer_norm(memory.tokens, (6,)) @ built.reader.project.weight.T + built.reader.project.bias
    places = torch.tensor([[0, 1, 2, 3], [0, 0, 1, 1]])  # of masked tokens it matters not
    seen = seen + sinusoids(places, 8)
    states = built.words.weight[tokens] * 8**0.5 + sinusoids(torch.arange(3), 8)
    later = torch.ones(3, 3, dtype=torch.bool).triu(1)
    for block in built.blocks:
        peer = nn.TransformerDecoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True)
        parts = {
            "self_attn.in_proj_": block.own,
            "self_attn.out_proj.": block.own_join,
            "multihead_attn.out_proj.": block.memory_join,
            "linear1.": block.wide[1],
            "linear2.": block.wide[4],
            "norm1.": block.own_norm,
            "norm2.": block.memory_norm,
            "norm3.": block.wide[0],
        }
        state = {key + kind: getattr(part, kind) for key, part in parts.items() for kind in ("weight", "bias")}
        for kind in ("weight", "bias"):
            both = [getattr(block.query, kind), getattr(block.pair, kind)]
            state[f"multihead_attn.in_proj_{kind}"] = torch.cat(both)
        peer.load_state_dict(state)
        states = peer(states, seen, tgt_mask=later, memory_key_padding_mask=~mask)
    last = nn.functional.layer_norm(states, (8,)) @ built.last[1].weight.T + built.last[1].bias
    torch.testing.assert_close(built(tokens, memory), last @ built.words.weight.T)


def test_attention_is_the_mean_over_heads_of_the_last_layer():
    torch.manual_seed(0)
    built = Transformer(vocabulary=9, memory=6, width=8, layers=1, heads=2).eval()
    memory = Encoded(torch.randn(1, 4, 6), torch.tensor([[True, True, True, False]]))
    state, tokens = built.start(memory), torch.tensor([1])
    block, states = built.blocks[0], built.words.weight[tokens] * 8**0.5 + sinusoids(torch.tensor([0]), 8)
    value = block.own(block.own_norm(states))[:, 16:]  # the only token reads itself
    states = states + block.own_join(value)
    query = block.query(block.memory_norm(states)).view(2, 4)
    keys = block.pair(built.reader(memory)[0])[0, :, :8].view(4, 2, 4)
    scores = torch.einsum("hd,mhd->hm", query, keys)[:, :3] / 2
    expected = torch.cat([scores.softmax(dim=1).mean(dim=0), torch.zeros(1)])
    torch.testing.assert_close(built.step(tokens, state)[1][0], expected)


def test_words_are_long_at_first():
    torch.manual_seed(0)
    built = Transformer(vocabulary=2_000, memory=3, width=64)
    assert abs(float(built.words.weight.detach().std()) - 64**-0.5) < 0.002
    assert abs(float(built.embed(torch.arange(2_000)).detach().std()) - 1.0) < 0.02


def test_keys_and_values_of_memory_are_computed_once():
    built = Transformer(vocabulary=9, memory=6, width=8, layers=2).eval()
    calls = []
    built.reader.register_forward_hook(lambda *_: calls.append("reader"))
    for block in built.blocks:
        block.pair.register_forward_hook(lambda *_: calls.append("pair"))
    state = built.start(Encoded(torch.randn(2, 4, 6), torch.ones(2, 4, dtype=torch.bool)))
    held = {key: value for key, value in state.items() if key.startswith("memory")}
    for word in (1, 5, 6, 7):
        _, _, state = built.step(torch.tensor([word, word]), state)
    assert sorted(calls) == ["pair", "pair", "reader"]
    assert all(state[key] is value for key, value in held.items())
    assert state["own_1"].shape == (2, 4, 2, 4, 2)


def test_no_length_is_baked_in():
    built = Transformer(vocabulary=9, memory=6, width=8).eval()
    memory = Encoded(torch.randn(1, 600, 6), torch.ones(1, 600, dtype=torch.bool))
    assert torch.isfinite(built(torch.full((1, 500), 4), memory)).all()


@pytest.mark.parametrize("heads", [0, 3])
def test_heads_must_divide_the_width(heads):
    with pytest.raises(ConfigError, match=f"heads that divide width, got width 8, heads {heads}"):
        Transformer(vocabulary=9, memory=6, width=8, heads=heads)


@pytest.mark.parametrize("shuffled", [False, True])
def test_it_learns_to_read_memory_in_order(learn, shuffled):
    said, expected = learn("transformer", shuffled)
    assert np.mean([mine == theirs for mine, theirs in zip(said.tokens, expected, strict=True)]) >= 0.97
    if not shuffled:  # the word that it says is where it looks
        looked = [row.argmax(axis=1) == np.arange(len(row)) for row in said.attention]
        assert np.concatenate(looked).mean() >= 0.9
