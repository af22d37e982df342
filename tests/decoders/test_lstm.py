"""The LSTM decoder against its formulas, and on tasks that it must learn."""

import numpy as np
import pytest
import torch
from torch.nn.functional import layer_norm

from fusible.decoders.lstm import Lstm
from fusible.types import Encoded


def linear(layer, x):
    """A linear layer by hand."""
    return x @ layer.weight.T + (0.0 if layer.bias is None else layer.bias)


def cell(layer, x, h, c):
    """An LSTM cell by its equations."""
    gates = x @ layer.weight_ih.T + layer.bias_ih + h @ layer.weight_hh.T + layer.bias_hh
    i, f, g, o = gates.chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def test_a_step_is_show_attend_and_tell():
    torch.manual_seed(0)
    built = Lstm(vocabulary=9, memory=6, width=8, layers=2).eval()
    memory = Encoded(torch.randn(1, 4, 6), torch.tensor([[True, False, True, True]]))
    seen = built.reader(memory)[0][0, [0, 2, 3]]
    start = torch.tanh(linear(built.first, seen.mean(dim=0)))
    h, c = [start[:8], start[8:16]], [start[16:24], start[24:]]
    state, said = built.start(memory), []
    for word in (1, 5, 4):
        energy = torch.tanh(linear(built.keys, seen) + linear(built.query, h[1])) @ built.energy.weight[0]
        weight = energy.softmax(dim=0)
        context = torch.sigmoid(linear(built.gate, h[1])) * (weight @ seen)
        embedded = built.words.weight[word] * 8**0.5
        h[0], c[0] = cell(built.cells[0], torch.cat([embedded, context]), h[0], c[0])
        h[1], c[1] = cell(built.cells[1], h[0], h[1], c[1])
        joined = layer_norm(linear(built.join, torch.cat([embedded, h[1], context])), (8,))
        logits, attention, state = built.step(torch.tensor([word]), state)
        torch.testing.assert_close(logits[0], joined @ built.words.weight.T)
        torch.testing.assert_close(attention[0, [0, 2, 3]], weight)
        assert attention[0, 1] == 0
        said.append(logits[0])
    torch.testing.assert_close(built(torch.tensor([[1, 5, 4]]), memory)[0], torch.stack(said))


def test_layers_are_stacked():
    one, two = (Lstm(vocabulary=9, memory=6, width=8, layers=layers) for layers in (1, 2))
    assert [tuple(layer.weight_ih.shape) for layer in one.cells] == [(32, 16)]
    assert [tuple(layer.weight_ih.shape) for layer in two.cells] == [(32, 16), (32, 8)]


@pytest.mark.parametrize("shuffled", [False, True])
def test_it_learns_to_read_memory_in_order(learn, shuffled):
    said, expected = learn("lstm", shuffled)
    assert np.mean([mine == theirs for mine, theirs in zip(said.tokens, expected, strict=True)]) >= 0.97
    if not shuffled:  # the word that it says is where it looks
        looked = [row.argmax(axis=1) == np.arange(len(row)) for row in said.attention]
        assert np.concatenate(looked).mean() >= 0.9
