import torch

from fusible.scorers.complex import Complex


def test_the_score_is_that_of_complex_numbers_and_not_symmetric():
    torch.manual_seed(0)
    scorer = Complex(relations=3, width=4)
    torch.nn.init.normal_(scorer.relations.weight)
    head, tail = torch.randn(5, 8), torch.randn(5, 8)
    kinds = torch.tensor([0, 1, 2, 0, 1])
    h, r, t = (torch.complex(*part.chunk(2, dim=1)) for part in (head, scorer.relations.weight[kinds], tail))
    expected = (h * r * t.conj()).sum(dim=1).real
    torch.testing.assert_close(scorer.triples(head, kinds, tail), expected)
    assert not torch.allclose(scorer.triples(tail, kinds, head), expected, atol=0.1)
    sizes = scorer.factors(head, kinds, tail)
    for size, part in zip(sizes, (h, r, t), strict=True):
        torch.testing.assert_close(size, part.abs())
