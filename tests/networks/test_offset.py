"""The offset against Bayes' rule and least loss, and a network that starts from it."""

import numpy as np
import pytest
import torch
from torch import nn

from fusible.fusion.gated import Gated
from fusible.networks._offset import Offset, OffsetJoint, fit_weights, gathered, heard
from fusible.types import Encoded, ViewBatch

ROWS = 4_000
PRIOR = np.array([0.5, 0.3, 0.2])


def seen(rng, target, noise):
    """Log posterior over log prior of the class, given the class itself or, with chance `noise`, any class."""
    told = np.where(rng.random(len(target)) < noise, rng.integers(0, 3, len(target)), target)
    likelihood = (1 - noise) * np.eye(3)[told] + noise / 3
    return np.log(likelihood * PRIOR / (likelihood * PRIOR).sum(axis=1, keepdims=True)) - np.log(PRIOR), likelihood


@pytest.fixture(scope="module")
def told():
    rng = np.random.default_rng(0)
    target = rng.choice(3, ROWS, p=PRIOR)
    (one, first), (two, second) = seen(rng, target, 0.4), seen(rng, target, 0.7)
    posterior = first * second * PRIOR
    return target, torch.from_numpy(np.stack([one, two], axis=1)), posterior / posterior.sum(axis=1, keepdims=True)


def test_weights_of_one_are_bayes_rule_for_independent_views(told):
    _, evidence, posterior = told
    offset = Offset(("a", "b"), 3).double()
    offset.take(torch.from_numpy(np.log(PRIOR)), torch.eye(2))
    said = offset(evidence, torch.ones(ROWS, 2, dtype=torch.bool)).softmax(dim=1)
    np.testing.assert_allclose(said.numpy(), posterior, atol=1e-6)


def test_what_is_absent_says_nothing(told):
    offset = Offset(("a", "b"), 3).double()
    offset.take(torch.from_numpy(np.log(PRIOR)), torch.tensor([[1.0, -0.2], [-0.1, 1.0]]))
    evidence = told[1][:4].clone()
    presence = torch.tensor([[True, False], [False, True], [False, False], [True, True]])
    expected = offset(evidence, presence)
    torch.testing.assert_close(expected[0], offset.prior + evidence[0, 0], check_dtype=False)
    torch.testing.assert_close(expected[2], offset.prior)
    torch.testing.assert_close(expected[3], offset.prior + 0.8 * evidence[3, 0] + 0.9 * evidence[3, 1])
    evidence[~presence] = torch.tensor(float("nan"), dtype=torch.float64)
    torch.testing.assert_close(offset(evidence, presence), expected)


def fitted(evidence, target, presence=None, loss=nn.functional.cross_entropy, prior=PRIOR):
    everywhere = torch.ones(evidence.shape[:2], dtype=torch.bool)
    told_prior = torch.from_numpy(np.log(prior)) if len(prior) > 1 else torch.zeros(1, dtype=torch.float64)
    return fit_weights(evidence, everywhere if presence is None else presence, told_prior, target, loss)


def test_independent_views_count_fully(told):
    target, evidence, _ = told
    np.testing.assert_allclose(fitted(evidence, torch.from_numpy(target)), np.eye(2), atol=0.12)


def test_a_view_twice_counts_once(told):
    target, evidence, _ = told
    weights = fitted(evidence[:, [0, 0]], torch.from_numpy(target))
    assert weights.sum() == pytest.approx(1.0, abs=0.1)
    np.testing.assert_array_equal(np.diag(weights), 1.0)


def test_predictors_that_seem_to_say_the_opposite_count_nothing(told):
    target, evidence, _ = told
    weights = fitted(-evidence, torch.from_numpy(target))
    np.testing.assert_allclose(weights, [[1, -1], [-1, 1]], atol=1e-6)
    three = fitted(-evidence[:, [0, 1, 0]], torch.from_numpy(target))
    np.testing.assert_allclose(three.sum(dim=1), 0.0, atol=1e-6)


def test_weights_have_least_loss(told):
    target = told[0]
    rng = np.random.default_rng(1)
    presence = torch.from_numpy(rng.random((ROWS, 2)) < 0.7)
    value = torch.from_numpy(target[:, None] - target.mean()) + 0.3 * torch.from_numpy(rng.normal(size=(ROWS, 1)))
    told_values = 0.4 * torch.from_numpy(target[:, None, None] - target.mean() + rng.normal(size=(ROWS, 2, 1)))
    weights = fitted(told_values, value, presence, nn.functional.mse_loss, prior=[1.0])
    both = presence.all(dim=1)

    def loss(tried):
        error = (gathered(told_values[both], presence[both], tried) - value[both]).square().mean()
        return float(error + (tried - torch.eye(2)).square().sum() / both.sum())

    best = loss(weights)
    assert -1 < weights[0, 1] < 0
    assert -1 < weights[1, 0] < 0
    for place in [(0, 1), (1, 0)]:
        for step in (-0.01, 0.01):
            moved = weights.clone()
            moved[place] += step
            assert loss(moved) > best


def test_few_rows_and_views_that_nobody_has_leave_weights_near_one():
    evidence, nobody = torch.ones(3, 2, 3, dtype=torch.float64), torch.zeros(3, 2, dtype=torch.bool)
    assert torch.equal(fitted(evidence, torch.tensor([0, 1, 2]), nobody), torch.eye(2, dtype=torch.float64))
    assert fitted(100 * evidence[:1], torch.tensor([0])).isfinite().all()
    assert torch.equal(fitted(evidence[:, :1], torch.tensor([0, 1, 2])), torch.eye(1, dtype=torch.float64))


def network(**training):
    torch.manual_seed(0)
    built = OffsetJoint({}, Gated({"a": 4, "b": 4}, width=8), 3, **training)
    built.offset.take(torch.from_numpy(np.log(PRIOR)), torch.eye(2))
    built.silence()
    return built


def batches(rows=6, absent=(), evidence=None):
    torch.manual_seed(1)
    said = torch.randn(rows, 3) if evidence is None else evidence
    found = {}
    for view in "ab":
        vectors = torch.randn(rows, 4)
        index = torch.arange(rows).unsqueeze(1)
        index[[row for row, name in absent if name == view]] = -1
        encoded = Encoded(vectors.unsqueeze(1), torch.ones(rows, 1, dtype=torch.bool), vectors)
        found[view] = ViewBatch(index, encoded=encoded, evidence=said if view == "b" else torch.zeros(rows, 3))
    return found


def test_a_silenced_network_says_what_its_views_say_alone():
    given = batches(absent=[(0, "b"), (1, "a")])
    expected = torch.from_numpy(np.log(PRIOR)).float() + given["b"].evidence
    expected[0] = torch.from_numpy(np.log(PRIOR)).float()
    torch.testing.assert_close(network().eval()(given), expected)


def test_it_adds_in_the_cases_in_which_it_may():
    built = network().eval()
    nn.init.normal_(built.head.linear.weight)
    given = batches(absent=[(0, "b"), (1, "a"), (2, "a"), (2, "b")])
    said = torch.from_numpy(np.log(PRIOR)).float() + given["b"].evidence
    said[[0, 2]] = torch.from_numpy(np.log(PRIOR)).float()
    several = torch.tensor([False, False, True, True, True, True])
    for adds in ([True, True, True], [False, True, True], [True, False, True], [True, True, False], [False] * 3):
        built.adds.copy_(torch.tensor(adds))
        added = ((built(given) - said).abs() > 1e-4).any(dim=1)
        expected = torch.where(several, torch.tensor(adds[0]), torch.tensor([adds[1], adds[2], *[False] * 4]))
        assert torch.equal(added, expected)


def test_whose_predictor_knows_its_rows_by_heart_is_heard_only_alone_and_if_nothing_is_added():
    presence = torch.tensor([[True, True], [True, False], [False, True], [False, False]])
    starts, everywhere = torch.tensor([True, False]), torch.ones(4, 1, dtype=torch.bool)
    assert heard(presence, starts, everywhere).tolist() == [[True, False], [True, False], [False, False], [False] * 2]
    assert heard(presence, starts, ~everywhere).tolist() == [[True, False], [True, False], [False, True], [False] * 2]


def test_evidence_of_an_absent_view_changes_no_output_and_no_gradient():
    found = []
    for value in (0.0, float("nan"), float("inf"), 1e30):
        evidence = torch.ones(6, 3)
        evidence[2] = value
        built = network().eval()
        torch.manual_seed(3)
        nn.init.normal_(built.head.linear.weight)
        out = built(batches(absent=[(2, "b")], evidence=evidence))
        out.sum().backward()
        found.append([out.detach(), *(p.grad for p in built.parameters())])
    for other in found[1:]:
        for mine, first in zip(other, found[0], strict=True):
            assert torch.equal(mine, first)


def test_a_view_hidden_in_training_gives_no_evidence():
    built = network(dropout=0.0, modality_dropout=0.999).train()
    given = batches(rows=64)
    said = built(given) - torch.from_numpy(np.log(PRIOR)).float()
    hidden = (said.abs() < 1e-6).all(dim=1)
    shown = torch.isclose(said, given["b"].evidence, atol=1e-6).all(dim=1)
    assert (hidden | shown).all()
    assert 10 < hidden.sum() < 54


def test_a_batch_without_evidence_is_a_fault():
    given = batches()
    given["b"].evidence = None
    with pytest.raises(TypeError, match="view 'b': its batch lacks the evidence"):
        network()(given)
