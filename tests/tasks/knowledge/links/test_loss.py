"""The gradients that are written by hand, against autograd and its own cross entropy."""

import pytest
import torch
from torch.nn import functional

from fusible import registry
from fusible.tasks.knowledge.links._loss import CrossEntropy, Picked
from fusible.tasks.knowledge.links._network import LinkNetwork, LinkSettings
from fusible.training.loop import seeded

ASKED, ANSWERS, COUNTS = torch.tensor([0, 0, 1, 2, 2, 3]), torch.tensor([1, 2, 3, 0, 5, 5]), torch.tensor([2, 1, 2, 1])


@pytest.fixture
def scores():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 6, dtype=torch.double, generator=generator, requires_grad=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_several_answers_is_that_of_asking_once_per_answer(scores, smoothing):
    found = CrossEntropy.apply(scores, ASKED, ANSWERS, COUNTS, smoothing)
    plain = functional.cross_entropy(scores[ASKED], ANSWERS, label_smoothing=smoothing)
    torch.testing.assert_close(found, plain)
    one, other = (torch.autograd.grad(3 * loss, scores)[0] for loss in (found, plain))
    torch.testing.assert_close(one, other)
    assert torch.autograd.gradcheck(lambda x: CrossEntropy.apply(x, ASKED, ANSWERS, COUNTS, smoothing), scores)


def test_entities_that_are_no_rivals_have_no_slope(scores):
    hidden = torch.tensor([False, False, False, False, True, False])
    loss = CrossEntropy.apply(scores.masked_fill(hidden, float("-inf")), ASKED, ANSWERS, COUNTS, 0.0)
    loss.backward()
    assert torch.isfinite(scores.grad).all()
    assert (scores.grad[:, 4] == 0).all()
    torch.testing.assert_close(scores.grad.sum(dim=1), torch.zeros(4, dtype=torch.double))


def test_rows_and_the_whole_table_have_one_gradient(scores):
    ids = torch.tensor([1, 1, 3])
    weights, left = torch.arange(18, dtype=torch.double).reshape(3, 6), torch.ones(2, 6, dtype=torch.double)

    def loss(rows, table):
        return (rows * weights).sum() + ((left @ table.T) ** 2).sum()

    found = torch.autograd.grad(loss(*Picked.apply(scores, ids)), scores)[0]
    plain = torch.autograd.grad(loss(scores[ids], scores), scores)[0]
    torch.testing.assert_close(found, plain)


@pytest.mark.parametrize("carrying", ["", ":relational"])
@pytest.mark.parametrize("scorer", registry.names("scorers"))
def test_networks_learn_by_the_gradients_of_autograd(scorer, carrying, monkeypatch):
    triples = torch.tensor([[0, 0, 1], [0, 0, 2], [3, 1, 4], [4, 0, 0], [2, 1, 2]])
    settings = LinkSettings(width=4, kinds=0.3, penalty=0.1, smoothing=0.1)
    queries, answers, counts = (
        torch.tensor([[0, 0], [3, 1], [4, 2]]),
        torch.tensor([1, 2, 4, 0]),
        torch.tensor([2, 1, 1]),
    )

    def gradients():
        with seeded(0):
            network = LinkNetwork(5, 2, scorer + carrying, 4, triples=triples)
            network.loss(queries, answers, settings, counts).backward()  # seeded, for some drop out
        return {name: part.grad for name, part in network.named_parameters() if part.grad is not None}

    found = gradients()
    monkeypatch.setattr(LinkNetwork, "_picked", lambda self, every, ids: (every.index_select(0, ids), every))
    monkeypatch.setattr(
        LinkNetwork,
        "_answered",
        lambda self, scores, asked, answers, counts, smoothing: functional.cross_entropy(
            scores[asked], answers, label_smoothing=smoothing
        ),
    )
    plain = gradients()
    assert found.keys() == plain.keys()
    for name, part in found.items():
        torch.testing.assert_close(part, plain[name], rtol=1e-4, atol=1e-6)
