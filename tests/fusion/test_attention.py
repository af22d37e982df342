"""Self-attention over view tokens against its formula."""

import pytest
import torch
from _encodings import WIDTHS, block, drawn, shaken, tokens

from fusible.errors import ConfigError
from fusible.fusion._attend import MultiHead
from fusible.fusion.attention import WIDEST, Attention


@pytest.mark.parametrize(("width", "layers"), [(8, 1), (6, 2), (5, 1)])
def test_equals_the_formula(width, layers):
    built = shaken(Attention(WIDTHS, width=width, layers=layers))
    vectors, present = drawn()
    rows = []
    for row in tokens(built, vectors, present):
        seen = torch.cat([built.summary.unsqueeze(0), row])
        for layer in built.blocks:
            seen = block(layer, seen)
        rows.append(block(built.reading, seen[:1], seen)[0])
    torch.testing.assert_close(built.fuse(vectors, present), built.mix(torch.stack(rows)), atol=1e-8, rtol=1e-8)


def test_agrees_with_torchs_multi_head_attention():
    torch.manual_seed(0)
    own, peer = MultiHead(8).double(), torch.nn.MultiheadAttention(8, 4, batch_first=True).double()
    with torch.no_grad():
        peer.in_proj_weight.copy_(torch.cat([own.query.weight, own.context.weight]))
        peer.in_proj_bias.copy_(torch.cat([own.query.bias, own.context.bias]))
        peer.out_proj.weight.copy_(own.out.weight)
        peer.out_proj.bias.copy_(own.out.bias)
    queries, context = torch.randn(3, 2, 8).double(), torch.randn(3, 5, 8).double()
    mask = torch.rand(3, 1, 5) < 0.5
    mask[..., 0] = True
    expected, _ = peer(queries, context, context, key_padding_mask=~mask[:, 0])
    torch.testing.assert_close(own(queries, context, mask), expected)


def test_the_order_of_views_does_not_matter():
    built = shaken(Attention(WIDTHS, width=8))
    order = [2, 0, 1]
    turned = shaken(Attention({view: WIDTHS[view] for view in ("c", "a", "b")}, width=8))
    state = built.state_dict()
    for family in ("norms", "projections"):
        for place, old in enumerate(order):
            getattr(turned, family)[place].load_state_dict(getattr(built, family)[old].state_dict())
    state |= {k: v for k, v in turned.state_dict().items() if k.startswith(("norms", "projections"))}
    turned.load_state_dict(state | {"absent": built.absent[order]})
    vectors, present = drawn()
    torch.testing.assert_close(turned.fuse(vectors, present[:, order]), built.fuse(vectors, present))


def test_tokens_stay_narrow_and_settings_are_checked():
    assert Attention(WIDTHS, width=500).inner == WIDEST
    with pytest.raises(ConfigError, match="attention: layers must be at least 1, got 0"):
        Attention(WIDTHS, layers=0)
