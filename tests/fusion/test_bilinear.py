"""Factorised bilinear pooling against explicit bilinear forms."""

import pytest
import torch
from _encodings import WIDTHS, drawn, shaken, token

from fusible.errors import ConfigError, TooLargeError
from fusible.fusion.bilinear import SMALL, Bilinear


def normal(total):
    """Signed square root, brought to unit mean square."""
    rooted = torch.sign(total) * ((total.abs() + SMALL).sqrt() - SMALL**0.5)
    return rooted / (rooted.square().mean() + SMALL).sqrt()


def test_equals_the_formula():
    built = shaken(Bilinear(WIDTHS, width=5, factors=3))
    vectors, present = drawn()
    rows = []
    for row, seen in enumerate(present):
        factors = [token(built, i, x[row]) if seen[i] else 1 + built.absent[i] for i, x in enumerate(vectors.values())]
        pairs = []
        for i, j in ((0, 1), (0, 2), (1, 2)):
            pooled = [sum(factors[i][3 * k + f] * factors[j][3 * k + f] for f in range(3)) for k in range(5)]
            pairs.append(normal(torch.stack(pooled)))
        rows.append(torch.cat(pairs))
    torch.testing.assert_close(built.fuse(vectors, present), built.mix(torch.stack(rows)), atol=1e-8, rtol=1e-8)


def test_is_a_bilinear_form_of_low_rank():
    built = shaken(Bilinear({"a": 20, "b": 30}, width=4, factors=2))
    vectors, _ = drawn(widths={"a": 20, "b": 30}, rows=1)
    a, b = (torch.cat([norm(x)[0], torch.ones(1)]) for norm, x in zip(built.norms, vectors.values(), strict=True))
    u, w = (torch.cat([p.weight, p.bias.unsqueeze(1)], dim=1).view(4, 2, -1) for p in built.projections)
    forms = torch.einsum("kfa,kfb->kab", u, w)
    assert all(torch.linalg.matrix_rank(form) == 2 for form in forms)
    expected = built.mix(normal(torch.stack([a @ form @ b for form in forms])).unsqueeze(0))
    torch.testing.assert_close(built.fuse(vectors, torch.ones(1, 2, dtype=torch.bool)), expected)


def test_the_root_keeps_signs_and_has_a_gradient_at_zero():
    built = Bilinear({"a": 20, "b": 20}, width=3, factors=1)
    factors = torch.tensor([[[4.0, -1.0, 0.0], [1.0, 1.0, 0.0]]], requires_grad=True)
    pooled = built.pooled(factors)
    torch.testing.assert_close(pooled[0, 0], torch.tensor([2.0, -1.0, 0.0]) / (5 / 3) ** 0.5, atol=2e-3, rtol=0)
    pooled.sum().backward()
    assert torch.isfinite(factors.grad).all()


def test_too_many_pairs_are_refused_and_settings_checked():
    assert len(Bilinear({f"v{i}": 2 for i in range(10)}, width=4).pairs) == 45
    with pytest.raises(TooLargeError, match="11 views make 55 pairs, more than 45; take low_rank"):
        Bilinear({f"v{i}": 2 for i in range(11)}, width=4)
    with pytest.raises(ConfigError, match="bilinear: factors must be at least 1, got 0"):
        Bilinear(WIDTHS, factors=0)
