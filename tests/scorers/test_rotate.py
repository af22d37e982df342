import math

import torch

from fusible.scorers.rotate import Rotate


def test_a_relation_turns_the_head():
    scorer = Rotate(relations=1, width=2)
    with torch.no_grad():
        scorer.angles.weight.copy_(torch.tensor([[math.pi / 2, math.pi]]))
    head, kind = torch.tensor([[1.0, 2.0, 0.0, 1.0]]), torch.tensor([0])  # 1 and 2 + i
    turned = torch.tensor([[0.0, -2.0, 1.0, -1.0]])  # i and -2 - i
    torch.testing.assert_close(scorer.query(head, kind), turned)
    torch.testing.assert_close(scorer.triples(head, kind, turned), torch.tensor([scorer.margin]))
    away = turned + torch.tensor([[3.0, 0.0, 4.0, 0.0]])
    torch.testing.assert_close(scorer.triples(head, kind, away), torch.tensor([scorer.margin - 5.0]))
