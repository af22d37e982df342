import torch

from fusible.scorers.distmult import Distmult


def test_the_score_is_the_sum_of_products_and_symmetric():
    scorer = Distmult(relations=2, width=3)
    with torch.no_grad():
        scorer.relations.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]]))
    head, tail, kind = torch.tensor([[1.0, -1.0, 2.0]]), torch.tensor([[2.0, 3.0, 0.5]]), torch.tensor([0])
    assert scorer.triples(head, kind, tail).item() == 1 * 1 * 2 - 1 * 2 * 3 + 2 * 3 * 0.5
    assert scorer.triples(tail, kind, head).item() == scorer.triples(head, kind, tail).item()
