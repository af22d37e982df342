import torch

from fusible.scorers.transe import Transe


def test_the_score_falls_with_the_distance_from_the_shifted_head():
    scorer = Transe(relations=1, width=2)
    with torch.no_grad():
        scorer.relations.weight.copy_(torch.tensor([[1.0, -2.0]]))
    head, kind = torch.tensor([[0.5, 0.5]]), torch.tensor([0])
    assert scorer.triples(head, kind, torch.tensor([[1.5, -1.5]])).item() == scorer.margin
    assert scorer.triples(head, kind, torch.tensor([[2.0, 1.5]])).item() == scorer.margin - 3.5
