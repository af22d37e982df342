"""Multiplication against its formula, and what it can that a sum cannot."""

import torch
from torch.nn.functional import gelu, layer_norm

from fusible.fusion.multiply import Multiply
from fusible.types import Encoded


def single(vectors):
    """Vectors (rows, width) as one real token per row."""
    return Encoded(vectors.unsqueeze(1), torch.ones(len(vectors), 1, dtype=torch.bool))


def test_equals_the_formula():
    torch.manual_seed(0)
    built = Multiply({"a": 20, "b": 17}, width=4)
    with torch.no_grad():
        built.absent.normal_()
    a, b = torch.randn(3, 20), torch.randn(3, 17)
    present = torch.tensor([[True, True], [True, False], [False, False]])
    product = torch.ones(3, 4)
    for i, vectors in enumerate((a, b)):
        normed = layer_norm(vectors, vectors.shape[1:], built.norms[i].weight, built.norms[i].bias)
        factor = torch.tanh(normed @ built.projections[i].weight.T + built.projections[i].bias)
        for row in range(3):
            product[row] *= factor[row] if present[row, i] else 1 + built.absent[i]
    norm, linear = built.mix[0], built.mix[1]
    expected = gelu(layer_norm(product, (4,), norm.weight, norm.bias) @ linear.weight.T + linear.bias)
    torch.testing.assert_close(built({"a": single(a), "b": single(b)}, present), expected)


def test_an_absent_view_starts_as_the_neutral_factor():
    torch.manual_seed(0)
    both, alone = Multiply({"a": 3, "b": 3}, width=4), Multiply({"a": 3}, width=4)
    alone.norms[0].load_state_dict(both.norms[0].state_dict())
    alone.projections[0].load_state_dict(both.projections[0].state_dict())
    alone.mix.load_state_dict(both.mix.state_dict())
    a = single(torch.randn(5, 3))
    with_absent = both({"a": a, "b": a}, torch.tensor([[True, False]] * 5))
    torch.testing.assert_close(with_absent, alone({"a": a}, torch.ones(5, 1, dtype=torch.bool)))


def test_learns_a_sign_that_one_view_alone_does_not_tell():
    torch.manual_seed(0)
    a, b = torch.randn(256, 4), torch.randn(256, 4)
    wanted = ((a[:, 0] - a[:, 1]) * (b[:, 0] - b[:, 1]) > 0).float()
    built, head = Multiply({"a": 4, "b": 4}, width=16), torch.nn.Linear(16, 1)
    optimiser = torch.optim.Adam([*built.parameters(), *head.parameters()], lr=1e-2)
    present = torch.ones(256, 2, dtype=torch.bool)
    for _ in range(150):
        optimiser.zero_grad()
        raw = head(built({"a": single(a), "b": single(b)}, present))[:, 0]
        torch.nn.functional.binary_cross_entropy_with_logits(raw, wanted).backward()
        optimiser.step()
    assert ((raw > 0).float() == wanted).float().mean() > 0.95
