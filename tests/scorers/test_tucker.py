import torch

from fusible.scorers.tucker import Tucker


def test_the_score_is_the_core_times_head_relation_and_tail():
    torch.manual_seed(0)
    scorer = Tucker(relations=3, width=4, kind_width=2).eval()
    heads, tails, kinds = torch.randn(5, 4), torch.randn(5, 4), torch.tensor([0, 1, 2, 2, 0])
    core = scorer.core.view(2, 4, 4)
    expected = torch.einsum("kij,bi,bk,bj->b", core, heads, scorer.relations(kinds), tails)
    torch.testing.assert_close(scorer.triples(heads, kinds, tails), expected)


def test_queries_are_dropped_out_in_training_only():
    scorer, heads, kinds = Tucker(relations=1, width=64), torch.ones(1, 64), torch.tensor([0])
    assert (scorer.train().query(heads, kinds) == 0).any()
    assert torch.equal(scorer.eval().query(heads, kinds), scorer.query(heads, kinds))
