"""CompGCN: its sum, edge by edge."""

import torch

from fusible.propagation._edges import Edges
from fusible.propagation.compositional import Compositional


def test_what_is_heard_is_its_sum_over_edges():
    torch.manual_seed(0)
    triples, held = torch.tensor([[0, 0, 1], [2, 0, 1], [1, 1, 0]]), torch.randn(3, 4)
    built, edges = Compositional(relations=2, width=6, hidden=4, layers=1), Edges(triples, 3, 2)
    forth, back = built.turned[0]
    kinds = built.kinds[0]
    wanted = torch.stack([
        (held[1] * kinds[1]) @ forth + (held[1] * kinds[2]) @ back,
        ((held[0] + held[2]) / 2 * kinds[0]) @ forth + (held[0] * kinds[3]) @ back,
        (held[1] * kinds[2]) @ back,
    ])  # fmt: skip
    torch.testing.assert_close(built.heard(0, edges.means(held), edges), wanted)
