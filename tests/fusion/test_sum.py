"""Addition against its formula."""

import torch
from _encodings import WIDTHS, drawn, shaken, tokens
from torch.nn.functional import gelu

from fusible.fusion.sum import Sum


def test_equals_the_formula():
    built = shaken(Sum(WIDTHS, width=8))
    vectors, present = drawn()
    linear = built.mix[1]
    total = tokens(built, vectors, present).sum(dim=1)
    torch.testing.assert_close(
        built.fuse(vectors, present), gelu(gelu(total) @ linear.weight.T + linear.bias), atol=1e-8, rtol=1e-8
    )


def test_identity_projections_add_up_what_is_present():
    built = Sum({"a": 4, "b": 4}, width=4).double()
    for projection in built.projections:
        torch.nn.init.eye_(projection.weight)
        torch.nn.init.zeros_(projection.bias)
    built.mix = torch.nn.Identity()
    a, b = torch.randn(2, 3, 4, dtype=torch.float64)
    present = torch.tensor([[True, True], [True, False], [False, False]])
    a, b = a * present[:, :1], b * present[:, 1:]
    torch.testing.assert_close(built.fuse({"a": a, "b": b}, present), torch.asinh(a) + torch.asinh(b))


def test_is_one_linear_map_of_all_views_side_by_side_and_a_hidden_layer():
    built = shaken(Sum({"a": 20, "b": 30}, width=8))
    vectors, _ = drawn(widths={"a": 20, "b": 30}, rows=1)
    normed = torch.cat([norm(x) for norm, x in zip(built.norms, vectors.values(), strict=True)], dim=1)
    weight = torch.cat([projection.weight for projection in built.projections], dim=1)
    bias = sum(projection.bias for projection in built.projections)
    expected = built.mix(normed @ weight.T + bias)
    torch.testing.assert_close(built.fuse(vectors, torch.ones(1, 2, dtype=torch.bool)), expected)
