"""The contract of every scorer of triples, over everything registered."""

import pytest
import torch

from fusible import registry
from fusible.errors import ConfigError

ENTITIES, RELATIONS, WIDTH, ROWS = 9, 4, 6, 7

pytestmark = pytest.mark.parametrize("name", registry.names("scorers"))


def scorer(name, seed=0):
    torch.manual_seed(seed)
    built = registry.build("scorers", name, relations=RELATIONS, width=WIDTH)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return built.eval()


def triples(built, seed=1, rows=ROWS):
    draw = torch.Generator().manual_seed(seed)
    vectors = torch.randn(ENTITIES, built.entity_width, generator=draw)
    heads, tails = (torch.randint(0, ENTITIES, (rows,), generator=draw) for _ in range(2))
    return vectors, heads, torch.randint(0, RELATIONS, (rows,), generator=draw), tails


def test_a_triple_scores_as_it_does_among_all_tails(name):
    built = scorer(name)
    vectors, heads, kinds, tails = triples(built)
    every = built.score(built.query(vectors[heads], kinds), vectors)
    assert every.shape == (ROWS, ENTITIES)
    alone = built.triples(vectors[heads], kinds, vectors[tails])
    torch.testing.assert_close(alone, every[torch.arange(ROWS), tails], rtol=1e-4, atol=1e-5)


def test_a_triple_scores_as_it_does_among_all_relations(name):
    built = scorer(name)
    vectors, heads, kinds, tails = triples(built)
    every = built.kinds(vectors[heads], vectors[tails])
    assert every.shape == (ROWS, RELATIONS)
    alone = built.triples(vectors[heads], kinds, vectors[tails])
    torch.testing.assert_close(every[torch.arange(ROWS), kinds], alone, rtol=1e-4, atol=1e-5)


def test_rows_do_not_mix(name):
    built = scorer(name)
    vectors, heads, kinds, _ = triples(built)
    every = built.score(built.query(vectors[heads], kinds), vectors)
    for row in range(ROWS):
        one = slice(row, row + 1)
        alone = built.score(built.query(vectors[heads[one]], kinds[one]), vectors)
        torch.testing.assert_close(alone[0], every[row], rtol=1e-4, atol=1e-5)
    order = torch.randperm(ENTITIES)
    torch.testing.assert_close(
        built.score(built.query(vectors[heads], kinds), vectors[order]), every[:, order], rtol=1e-4, atol=1e-5
    )


def test_gradients_reach_entities_and_relations_and_are_finite(name):
    built = scorer(name).train()
    vectors, heads, kinds, tails = triples(built)
    vectors[3] = vectors[5]  # a distance of zero has no slope of its own
    vectors.requires_grad_(True)
    loss = built.score(built.query(vectors[heads], kinds), vectors).logsumexp(1).sum()
    loss = loss + sum((part**3).sum() for part in built.factors(vectors[heads], kinds, vectors[tails]))
    loss.backward()
    assert vectors.grad.isfinite().all()
    assert (vectors.grad != 0).any(dim=1).all()
    for parameter in built.parameters():
        assert parameter.grad.isfinite().all()
        assert (parameter.grad != 0).any()


def test_factors_are_sizes(name):
    built = scorer(name)
    vectors, heads, kinds, tails = triples(built)
    for part in built.factors(vectors[heads], kinds, vectors[tails]):
        assert part.shape[0] == ROWS
        assert (part >= 0).all()


def test_the_same_seed_gives_the_same_scorer(name):
    one, other = (scorer(name, seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("settings", [{"relations": 0}, {"relations": 1, "width": 0}, {"relations": 1, "width": 9_999}])
def test_sizes_are_checked(name, settings):
    with pytest.raises(ConfigError, match="expected one relation at least"):
        registry.build("scorers", name, **settings)
