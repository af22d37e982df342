"""The multimodal transformer: its layer against PyTorch's, its sequence, its places."""

import pytest
import torch
from torch import nn

from fusible.errors import ConfigError
from fusible.networks._layers import Layer
from fusible.networks.multimodal_transformer import MultimodalTransformer
from fusible.types import Encoded, ViewBatch

WIDTHS = {"a": 3, "b": 5}


def build(**settings):
    torch.manual_seed(0)
    return MultimodalTransformer({}, WIDTHS, outputs=2, **{"width": 8, "heads": 2, **settings}).eval()


def sequences(rows=4, steps=3, seed=1):
    draw = torch.Generator().manual_seed(seed)
    return {
        view: Encoded(torch.randn(rows, steps, width, generator=draw), torch.ones(rows, steps, dtype=torch.bool))
        for view, width in WIDTHS.items()
    }


def test_a_layer_is_that_of_pytorch():
    torch.manual_seed(0)
    own, peer = (
        Layer(8, 2, 0.0).eval(),
        nn.TransformerEncoderLayer(
            8, 2, dim_feedforward=16, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        ),
    )
    attention = peer.self_attn
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.cat([own.query.weight, own.pair.weight]))
        attention.in_proj_bias.copy_(torch.cat([own.query.bias, own.pair.bias]))
    attention.out_proj.load_state_dict(own.join.state_dict())
    peer.norm1.load_state_dict(own.norm.state_dict())
    peer.norm2.load_state_dict(own.wide[0].state_dict())
    peer.linear1.load_state_dict(own.wide[1].state_dict())
    peer.linear2.load_state_dict(own.wide[4].state_dict())
    tokens, mask = torch.randn(3, 5, 8), torch.rand(3, 5) < 0.6
    mask[:, 0] = True
    expected = peer.train()(tokens, src_key_padding_mask=~mask)
    torch.testing.assert_close(own(tokens, mask), expected)
    torch.testing.assert_close(own(tokens, mask, first=2), expected[:, :2])


def test_every_real_token_and_its_place_matter():
    built, held = build(), sequences()
    present = torch.ones(4, 2, dtype=torch.bool)
    outputs = built.read(held, present)
    for step in range(3):
        moved = sequences()
        # A whole view's mean stays when two of its tokens trade places: only the sequence tells them apart.
        moved["b"].tokens[:, [step, (step + 1) % 3]] = moved["b"].tokens[:, [(step + 1) % 3, step]]
        assert ((built.read(moved, present) - outputs).abs().amax(dim=1) > 1e-5).all()


def test_padding_of_a_batch_changes_nothing():
    built, held = build(), sequences()
    present = torch.ones(4, 2, dtype=torch.bool)
    longer = {
        view: Encoded(
            torch.cat([one.tokens, torch.full_like(one.tokens[:, :2], float("nan"))], dim=1),
            torch.cat([one.mask, torch.zeros(4, 2, dtype=torch.bool)], dim=1),
        )
        for view, one in held.items()
    }
    torch.testing.assert_close(built.read(longer, present), built.read(held, present))


def test_places_are_those_within_an_item():
    items = Encoded(torch.randn(2, 3, 3), torch.tensor([[True, True, False], [True, True, True]]))
    both = ViewBatch(torch.tensor([[0, 1]]), encoded=items)
    other = ViewBatch(torch.tensor([[-1]]), encoded=Encoded(torch.zeros(1, 1, 5), torch.ones(1, 1, dtype=torch.bool)))
    held, _ = build().encode({"a": both, "b": other})
    assert held["a"].places.tolist() == [0, 1, 2, 0, 1, 2]
    assert held["a"].mask.tolist() == [[True, True, False, True, True, True]]


def test_an_absent_view_is_its_learned_token():
    built, held = build(layers=1), sequences()
    present = torch.tensor([[True, False]] * 4)
    before = built.read(held, present)
    with torch.no_grad():
        built.absent[0] += 1.0
    assert torch.equal(built.read(held, present), before)
    with torch.no_grad():
        built.absent[1] += torch.randn(8)
    assert ((built.read(held, present) - before).abs().amax(dim=1) > 1e-6).all()


def test_states_of_views_tell_hidden_ones_from_the_others():
    built, held = build(), sequences()
    present = torch.tensor([[True, False]] * 4)
    states = built.view_states(held, present)
    assert states.shape == (4, 2, 8)
    assert (states[:, 1] - states[:1, 1]).abs().sum(dim=1)[1:].min() > 1e-4  # differs by what view a holds


@pytest.mark.parametrize("odd", [{"width": 9}, {"heads": 0}, {"layers": 0}, {"layers": 65}, {"width": 0}])
def test_odd_settings_are_refused(odd):
    with pytest.raises(ConfigError, match="heads that divide width"):
        build(**odd)
