"""Concatenation against its formula."""

import torch
from torch.nn.functional import gelu, layer_norm

from fusible.fusion.concat import Concat
from fusible.types import Encoded


def single(vectors):
    """Vectors (rows, width) as one real token per row."""
    return Encoded(vectors.unsqueeze(1), torch.ones(len(vectors), 1, dtype=torch.bool))


def test_equals_the_formula():
    torch.manual_seed(0)
    built = Concat({"a": 20, "b": 17}, width=4)
    with torch.no_grad():
        built.absent.normal_()
    a, b = torch.randn(3, 20), torch.randn(3, 17)
    present = torch.tensor([[True, True], [True, False], [False, False]])
    parts = []
    for i, vectors in enumerate((a, b)):
        normed = layer_norm(vectors, vectors.shape[1:], built.norms[i].weight, built.norms[i].bias)
        projected = normed @ built.projections[i].weight.T + built.projections[i].bias
        parts.append(torch.stack([projected[r] if present[r, i] else built.absent[i] for r in range(3)]))
    linear = built.mix[1]
    expected = gelu(gelu(torch.cat(parts, dim=1)) @ linear.weight.T + linear.bias)
    torch.testing.assert_close(built({"a": single(a), "b": single(b)}, present), expected)


def test_a_views_scale_and_offset_do_not_matter():
    torch.manual_seed(0)
    built = Concat({"a": 18, "b": 18}, width=4).double()
    a, b = torch.randn(5, 18).double(), torch.randn(5, 18).double()
    present = torch.ones(5, 2, dtype=torch.bool)
    plain = built({"a": single(a), "b": single(b)}, present)
    moved = built({"a": single(1000 * a + 7), "b": single(b)}, present)
    torch.testing.assert_close(moved, plain, atol=1e-4, rtol=1e-4)


def test_absence_is_learned():
    built = Concat({"a": 2, "b": 2}, width=4)
    present = torch.tensor([[True, False]])
    built({"a": single(torch.randn(1, 2)), "b": single(torch.randn(1, 2))}, present).sum().backward()
    assert (built.absent.grad[0] == 0).all()
    assert (built.absent.grad[1] != 0).any()


def test_narrow_views_keep_what_they_say():
    """Layer normalisation of two columns would leave only which of them is greater."""
    built = Concat({"a": 2}, width=4)
    present = torch.ones(2, 1, dtype=torch.bool)
    near, far = built({"a": single(torch.tensor([[0.1, 0.2], [1.0, 2.0]]))}, present)
    assert (near - far).abs().max() > 1e-3
