"""The product of experts against the product of Gaussian densities."""

import torch
from _encodings import WIDTHS, drawn, shaken, token
from hypothesis import given
from hypothesis import strategies as st

from fusible.fusion.product_of_experts import LARGEST, ProductOfExperts


@given(seed=st.integers(0, 10_000))
def test_is_the_product_of_densities(seed):
    draw = torch.Generator().manual_seed(seed)
    built = ProductOfExperts(WIDTHS, width=4)
    means = torch.randn(1, 3, 4, generator=draw, dtype=torch.float64)
    precisions = torch.rand(1, 3, 4, generator=draw, dtype=torch.float64) * 3 + 0.1
    present = torch.rand(1, 3, generator=draw) < 0.6
    mean, precision = built.product(means, precisions, present)

    def logarithm(x):
        """Unnormalised logarithm of the product at x (4,), prior included."""
        experts = sum(-0.5 * precisions[0, i] * (x - means[0, i]) ** 2 for i in range(3) if present[0, i])
        return experts - 0.5 * x**2

    x = torch.randn(4, generator=draw, dtype=torch.float64)
    own = -0.5 * precision[0] * (x - mean[0]) ** 2
    at_mean = logarithm(mean[0])
    torch.testing.assert_close(logarithm(x) - at_mean, own)


def test_equals_the_formula_and_absent_views_are_no_experts():
    built = shaken(ProductOfExperts(WIDTHS, width=4))
    vectors, present = drawn()
    rows = []
    for row, seen in enumerate(present):
        weighted, total = torch.zeros(4), torch.ones(4)
        for i, x in enumerate(vectors.values()):
            if seen[i]:
                mean, raw = token(built, i, x[row]).split(4)
                precision = torch.exp(LARGEST * torch.tanh(raw / LARGEST))
                weighted, total = weighted + precision * mean, total + precision
        rows.append(weighted / total)
    torch.testing.assert_close(built.fuse(vectors, present), built.mix(torch.stack(rows)), atol=1e-8, rtol=1e-8)


def test_with_all_absent_the_prior_remains():
    built = shaken(ProductOfExperts(WIDTHS, width=4))
    means, precisions = torch.randn(2, 3, 4), torch.rand(2, 3, 4)
    mean, precision = built.product(means, precisions, torch.zeros(2, 3, dtype=torch.bool))
    assert (mean == 0).all()
    assert (precision == 1).all()


def test_a_surer_view_counts_more_and_nothing_is_drawn_in_training():
    built = ProductOfExperts({"a": 20, "b": 20}, width=1)
    means = torch.tensor([[[-1.0], [1.0]]])
    present = torch.ones(1, 2, dtype=torch.bool)
    mean, _ = built.product(means, torch.tensor([[[1.0], [98.0]]]), present)
    torch.testing.assert_close(mean, torch.tensor([[0.97]]))
    vectors = {"a": torch.randn(1, 20), "b": torch.randn(1, 20)}
    built.train()
    torch.testing.assert_close(built.fuse(vectors, present), built.eval().fuse(vectors, present))
