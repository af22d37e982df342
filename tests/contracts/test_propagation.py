"""The contract of every network that carries vectors of entities along edges, over everything registered."""

import pytest
import torch

from fusible import registry
from fusible.errors import ConfigError
from fusible.propagation._edges import Edges

ENTITIES, RELATIONS, WIDTH = 7, 3, 6
TRIPLES = torch.tensor([[0, 0, 1], [2, 0, 1], [1, 1, 2], [3, 2, 0], [4, 1, 4], [5, 0, 3]])
"""Entity 6 has no edge."""

pytestmark = pytest.mark.parametrize("name", registry.names("propagation"))


def network(name, seed=0, **given):
    torch.manual_seed(seed)
    return registry.build("propagation", name, relations=RELATIONS, width=WIDTH, hidden=5, **given).eval()


def vectors(seed=1):
    return torch.randn(ENTITIES, WIDTH, generator=torch.Generator().manual_seed(seed))


def edges(triples=TRIPLES, entities=ENTITIES):
    return Edges(triples, entities, RELATIONS)


def test_entities_are_alike_but_for_their_edges(name):
    built, held = network(name), vectors()
    found = built(held, edges())
    assert found.shape == (ENTITIES, WIDTH)
    order = torch.randperm(ENTITIES, generator=torch.Generator().manual_seed(2))
    moved = TRIPLES.clone()
    moved[:, [0, 2]] = order.argsort()[TRIPLES[:, [0, 2]]]
    torch.testing.assert_close(built(held[order], edges(moved)), found[order])
    torch.testing.assert_close(built(held, edges(TRIPLES.flip(0))), found)


def test_what_is_heard_comes_along_edges_alone(name):
    built, held = network(name, layers=1), vectors()
    found = built(held, edges())
    changed = held.clone()
    changed[0] += 1.0
    apart = (built(changed, edges()) - found).abs().sum(dim=1) > 1e-6
    assert apart.tolist() == [True, True, False, True, False, False, False]  # 0 itself, its tail 1, its head 3


def test_relations_and_directions_are_told_apart(name):
    built, held = network(name), vectors()
    found = built(held, edges())
    other, turned = TRIPLES.clone(), TRIPLES.clone()
    other[0, 1] = 2
    turned[0] = turned[0].flip(0)
    for triples in (other, turned):
        assert (built(held, edges(triples)) - found)[[0, 1]].abs().sum() > 1e-4


def test_hidden_triples_are_not_there(name):
    built, held = network(name), vectors()
    hidden = torch.tensor([True, False, False, True, False, False])
    assert edges().rows(torch.tensor([[0, 0, 1], [3, 2, 0], [0, 1, 1]])).tolist() == hidden.tolist()
    torch.testing.assert_close(built(held, edges(), hidden), built(held, edges(TRIPLES[~hidden])))


def test_who_has_no_edge_is_what_his_own_vector_says(name):
    built, held = network(name), vectors()
    found = built(held, edges())
    none = edges(TRIPLES[:0], 1)
    torch.testing.assert_close(built(held[6:], none)[0], found[6])
    everyone = torch.ones(len(TRIPLES), dtype=torch.bool)
    torch.testing.assert_close(built(held, edges(), everyone), built(held, edges(TRIPLES[:0])))


def test_gradients_reach_all_and_are_finite(name):
    built, held = network(name).train(), vectors().requires_grad_(True)
    built(held, edges()).square().sum().backward()
    assert held.grad.isfinite().all()
    for parameter in built.parameters():
        assert parameter.grad.isfinite().all()
        assert (parameter.grad != 0).any()


def test_the_same_seed_gives_the_same_network(name):
    one, other = (network(name, seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("given", [{"relations": 0}, {"width": 0}, {"hidden": 0}, {"layers": 0}])
def test_sizes_are_checked(name, given):
    with pytest.raises(ConfigError, match="expected one at least"):
        registry.build("propagation", name, **({"relations": 2, "width": 4} | given))
