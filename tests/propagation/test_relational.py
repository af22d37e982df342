"""R-GCN: what PyG's own layer gives of the same parameters."""

import pytest
import torch

from fusible.propagation._edges import Edges
from fusible.propagation.relational import Relational


def test_what_is_heard_is_that_of_pyg():
    conv = pytest.importorskip("torch_geometric.nn").RGCNConv
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(1)
    triples = torch.stack([torch.randint(0, n, (40,), generator=draw) for n in (9, 3, 9)], dim=1).unique(dim=0)
    edges, held = Edges(triples, 9, 3), torch.randn(9, 5, generator=draw)
    ours = Relational(relations=3, width=4, hidden=5, layers=1)
    theirs = conv(5, 5, 6, num_bases=4, root_weight=False, bias=False)
    with torch.no_grad():
        theirs.weight.copy_(ours.bases[0])
        theirs.comp.copy_(ours.mixtures[0])
        heads, kinds, tails = triples.T
        ends = torch.stack([torch.cat([heads, tails]), torch.cat([tails, heads])])
        wanted = theirs(held, ends, torch.cat([kinds, kinds + 3]))
        torch.testing.assert_close(ours.heard(0, edges.means(held), edges), wanted, rtol=1e-4, atol=1e-5)
