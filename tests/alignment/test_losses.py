"""The losses of deep aligners: values against closed forms and peers, gradients where outputs degenerate."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from torch.nn import functional

from fusible.alignment import _losses as losses
from fusible.alignment.cca import Cca


def related(rows=60, widths=(4, 3), seed=0, dtype=torch.float64):
    """Views of some width each, that share two variables."""
    rng = torch.Generator().manual_seed(seed)
    shared = torch.randn(rows, 2, generator=rng, dtype=torch.float64)
    made = []
    for width in widths:
        turn = torch.randn(2, width, generator=rng, dtype=torch.float64)
        made.append((shared @ turn + torch.randn(rows, width, generator=rng, dtype=torch.float64)).to(dtype))
    return made


def trace_norm(one, other, ridge):
    """The formula of Andrew et al. (2013), by matrix square roots."""
    one, other = (v.numpy() - v.numpy().mean(0) for v in (one, other))
    rows = len(one)
    cov = [v.T @ v / rows for v in (one, other)]
    inverse = [np.linalg.inv(sqrtm(c + ridge * np.trace(c) / len(c) * np.eye(len(c)))) for c in cov]
    return np.linalg.svd(inverse[0] @ (one.T @ other / rows) @ inverse[1], compute_uv=False)


@pytest.mark.parametrize("ridge", [1e-8, 1e-2, 1.0])
@pytest.mark.parametrize("components", [None, 1, 2])
def test_cca_loss_is_the_trace_norm(ridge, components):
    one, other = related()
    expected = -trace_norm(one, other, ridge)[:components].sum()
    assert float(losses.cca_loss(one, other, components, ridge)) == pytest.approx(expected, rel=1e-9)


def test_cca_loss_is_the_total_correlation_of_linear_cca():
    one, other = related(300)
    peer = Cca().fit([one.numpy(), other.numpy()]).correlations_.sum()
    assert float(losses.cca_loss(one, other, ridge=0.0)) == pytest.approx(-peer, abs=1e-8)


@given(seed=st.integers(0, 1000), scale=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3))
def test_cca_loss_does_not_see_an_affine_map(seed, scale, shift):
    one, other = related(40, seed=seed)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))[0]
    there = losses.cca_loss(one @ turn * scale + shift * scale, other, ridge=1e-4)
    assert float(there) == pytest.approx(float(losses.cca_loss(one, other, ridge=1e-4)), abs=1e-7)


def test_gradients_are_those_of_the_losses():
    one, other, third = (v.requires_grad_() for v in related(12, (3, 2, 2)))
    assert torch.autograd.gradcheck(losses.cca_loss, (one, other))
    assert torch.autograd.gradcheck(lambda a, b: losses.cca_loss(a, b, 2), (one, other))
    assert torch.autograd.gradcheck(lambda *v: losses.gcca_loss(v, 2), (one, other, third))
    presence = torch.rand(12, 3, generator=torch.Generator().manual_seed(0)) > 0.2
    assert torch.autograd.gradcheck(lambda *v: losses.gcca_loss(v, 2, 1e-3, presence), (one, other, third))
    scale, bias = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (2.0, -1.0))
    assert torch.autograd.gradcheck(losses.info_nce, (other, third, scale))
    assert torch.autograd.gradcheck(losses.sigmoid_loss, (other, third, scale, bias))


DEGENERATE = {
    "all zero": lambda v: v * 0,
    "all constant": lambda v: v * 0 + 3,
    "one zero column": lambda v: v * torch.tensor([1.0, 0, 1, 1]),
    "duplicate columns": lambda v: v[:, [0, 0, 1, 1]],
    "tiny": lambda v: v * 1e-12,
    "below the floor": lambda v: v * 1e-30,
    "huge": lambda v: v * 1e30,
    "of all sizes": lambda v: v * torch.tensor([1e-12, 1.0, 1e12, 1]),
    "one row apart": lambda v: torch.cat([v[:1], v[1:] * 0]),
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("ridge", [0.0, 1e-4])
def test_degenerate_outputs_have_finite_losses_and_gradients(case, both, ridge):
    one, other = related(widths=(4, 4), dtype=torch.float32)
    one = DEGENERATE[case](one).detach().requires_grad_()
    other = (DEGENERATE[case](other) if both else other).detach().requires_grad_()
    for loss in (losses.cca_loss(one, other, ridge=ridge), losses.gcca_loss([one, other], 2, ridge)):
        found = torch.autograd.grad(loss, (one, other))
        assert torch.isfinite(loss)
        assert all(torch.isfinite(gradient).all() for gradient in found)


def test_dead_outputs_have_no_correlation_and_no_gradient():
    one, other = (v.requires_grad_() for v in related())
    loss = losses.cca_loss(one * 0, other)
    assert float(loss.detach()) == 0.0
    assert all((g == 0).all() for g in torch.autograd.grad(loss, (one, other)))


def test_scale_of_tiny_and_huge_outputs_does_not_matter():
    one, other = related(dtype=torch.float32)
    plain = float(losses.cca_loss(one, other))
    assert float(losses.cca_loss(one * 1e-12, other)) == pytest.approx(plain, rel=1e-5)
    assert float(losses.cca_loss(one * 1e30, other)) == pytest.approx(plain, rel=1e-5)


def test_equal_singular_values_have_a_stable_gradient():
    """Of a view with itself all correlations are 1: at a maximum but for the ridge, so the gradient is near zero."""
    one = related()[0].requires_grad_()
    (gradient,) = torch.autograd.grad(losses.cca_loss(one, one.detach().clone(), ridge=1e-6), (one,))
    assert gradient.abs().max() < 1e-6


def test_gcca_loss_is_of_the_summed_projections():
    views = related(30, (4, 3, 5))
    total = np.zeros((30, 30))
    for view in views:
        rows = view.numpy() - view.numpy().mean(0)
        total += rows @ np.linalg.pinv(rows)
    expected = np.linalg.eigvalsh(total)[::-1][:3].sum()
    assert float(losses.gcca_loss(views, 3, ridge=0.0)) == pytest.approx(-expected, abs=1e-7)


def test_gcca_loss_of_two_views_is_one_plus_correlations():
    one, other = related()
    expected = 2 + Cca(2).fit([one.numpy(), other.numpy()]).correlations_.sum()
    assert float(losses.gcca_loss([one, other], 2, ridge=0.0)) == pytest.approx(-expected, abs=1e-7)


def test_gcca_loss_does_not_see_absent_rows():
    views = related(50, (3, 3, 3))
    presence = torch.rand(50, 3, generator=torch.Generator().manual_seed(1)) > 0.3
    other = [torch.where(presence[:, [i]], view, 1e6) for i, view in enumerate(views)]
    one = losses.gcca_loss(views, 2, presence=presence)
    assert float(losses.gcca_loss(other, 2, presence=presence)) == float(one)
    full = torch.ones(50, 3, dtype=torch.bool)
    assert float(losses.gcca_loss(views, 2, presence=full)) == pytest.approx(float(losses.gcca_loss(views, 2)))


def test_total_correlation_is_that_of_linear_cca_on_held_out_rows():
    one, other = related(400)
    held = [v[200:] for v in (one, other)]
    peer = Cca(2).fit([v[:200].numpy() for v in (one, other)])
    expected = peer.correlations([v.numpy() for v in held]).sum()
    found = losses.total_correlation([v[:200] for v in (one, other)], held, 2)
    assert found == pytest.approx(expected, abs=1e-5)


def test_total_correlation_of_dead_outputs_is_zero():
    one, other = related()
    assert losses.total_correlation([one * 0, other], [one * 0, other], 2) == 0.0


def test_reconstruction_is_one_a_view_where_nothing_is_explained():
    one, other = related(500)
    standard = [(v - v.mean(0)) / v.std(0, correction=0) for v in (one, other)]
    assert float(losses.reconstruction_loss([v * 0 for v in standard], standard)) == pytest.approx(2.0)
    assert float(losses.reconstruction_loss(standard, standard)) == 0.0


def test_info_nce_is_the_symmetrical_cross_entropy_of_cosines():
    one, other = related(8, (3, 3))
    logits = 5.0 * functional.normalize(one) @ functional.normalize(other).T
    rows = torch.arange(8)
    expected = (functional.cross_entropy(logits, rows) + functional.cross_entropy(logits.T, rows)) / 2
    assert float(losses.info_nce(one, other, torch.tensor(5.0))) == pytest.approx(float(expected), rel=1e-12)


def test_info_nce_spreads_its_target_over_all_partners():
    """Two equal rows, nothing else: both are partners of both, and the entropy of two is the least loss."""
    same = torch.ones(2, 3)
    everyone = torch.ones(2, 2, dtype=torch.bool)
    assert float(losses.info_nce(same, same, torch.tensor(9.0), everyone)) == pytest.approx(np.log(2))
    one = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
    partners = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    told = losses.info_nce(one, one, torch.tensor(50.0), partners)
    assert float(told) == pytest.approx(2 / 3 * np.log(2), abs=1e-9)
    one.requires_grad_()
    (gradient,) = torch.autograd.grad(losses.info_nce(one, one.detach(), torch.tensor(50.0), partners), (one,))
    assert gradient.abs().max() < 1e-9  # at the optimum; as strangers the equal rows would be pushed apart


def test_sigmoid_loss_is_the_sum_over_pairs():
    one, other = related(6, (3, 3))
    logits = 4.0 * functional.normalize(one) @ functional.normalize(other).T - 2.0
    target = torch.eye(6, dtype=torch.float64)
    target[0, 1] = 1.0
    expected = functional.binary_cross_entropy_with_logits(logits, target, reduction="sum") / 6
    found = losses.sigmoid_loss(one, other, torch.tensor(4.0), torch.tensor(-2.0), target.bool())
    assert float(found) == pytest.approx(float(expected), rel=1e-12)


def test_rows_of_zeros_have_finite_contrastive_gradients():
    zero = torch.zeros(4, 3, requires_grad=True)
    other = torch.eye(4, 3)
    for loss in (
        losses.info_nce(zero, other, torch.tensor(10.0)),
        losses.sigmoid_loss(zero, other, torch.tensor(10.0), torch.tensor(0.0)),
    ):
        (gradient,) = torch.autograd.grad(loss, (zero,))
        assert torch.isfinite(gradient).all()
