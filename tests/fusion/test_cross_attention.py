"""Cross-attention against its formula, and what each view sees."""

import pytest
import torch
from _encodings import WIDTHS, block, sequence, sequences, shaken

from fusible.errors import ConfigError
from fusible.fusion.cross_attention import CrossAttention


@pytest.mark.parametrize("layers", [1, 2])
def test_equals_the_formula(layers):
    built = shaken(CrossAttention(WIDTHS, width=8, layers=layers))
    encoded, present = sequences()
    rows = []
    for row in range(len(present)):
        found = [sequence(built, i, one, present, row) for i, one in enumerate(encoded.values())]
        answers = []
        for i, own in enumerate(found):
            others = torch.cat([*(other for j, other in enumerate(found) if j != i), built.nothing.unsqueeze(0)])
            asking = own[:1]
            for layer in built.blocks:
                asking = block(layer, asking, others)
            answers.append(asking[0])
        rows.append(torch.cat(answers))
    torch.testing.assert_close(built(encoded, present), built.mix(torch.stack(rows)), atol=1e-8, rtol=1e-8)


def test_a_view_asks_others_but_not_itself():
    built = shaken(CrossAttention({"a": 5, "b": 5}, width=4))
    own = [torch.randn(2, 3, 4, dtype=torch.float64) for _ in range(2)]
    real = [torch.ones(2, 3, dtype=torch.bool)] * 2
    present = torch.ones(2, 2, dtype=torch.bool)
    built.mix = torch.nn.Identity()
    plain = built.fuse_sequences(own, real, present)
    later = own[0].clone()
    later[:, 1:] = later[:, 1:].flip(dims=[2])
    changed = built.fuse_sequences([later, own[1]], real, present)
    torch.testing.assert_close(changed[:, :4], plain[:, :4])
    assert ((changed[:, 4:] - plain[:, 4:]).abs().amax(dim=1) > 1e-6).all()


def test_vectors_alone_are_sequences_of_one():
    built = shaken(CrossAttention(WIDTHS, width=8))
    encoded, present = sequences(steps=1)
    vectors = {v: one.pooled * present[:, i : i + 1] for i, (v, one) in enumerate(encoded.items())}
    none = {v: type(one)(one.tokens, torch.zeros_like(one.mask), one.vector) for v, one in encoded.items()}
    torch.testing.assert_close(built.fuse(vectors, present), built(none, present))


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="cross_attention: layers must be at least 1, got -1"):
        CrossAttention(WIDTHS, layers=-1)
