"""Several decoders that write together: the closed form of their mean, and what generation owes to any decoder."""

import itertools

import numpy as np
import pytest
import torch

from fusible import registry
from fusible.decoders._base import END, PAD, SPECIALS, START
from fusible.decoders._generate import Generation, generate
from fusible.decoders._product import Memories, Product, side_by_side
from fusible.types import Encoded

VOCABULARY, WIDTH, ROWS = 7, 5, 4


def decoder(name, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = registry.build("decoders", name, vocabulary=VOCABULARY, memory=WIDTH, width=8, layers=2)
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.4)
    return built.eval()


def memory(seed, steps, rows=ROWS):
    draw = torch.Generator().manual_seed(seed)
    mask = torch.arange(steps) < 1 + torch.arange(rows).remainder(steps).unsqueeze(1)
    return Encoded(torch.randn(rows, steps, WIDTH, generator=draw), mask)


MEMBERS = [decoder("transformer", 0), decoder("lstm", 1), decoder("transformer", 2)]
PARTS = [memory(3, 4), memory(4, 6), memory(5, 2)]


def of(parts, row):
    return [Encoded(part.tokens[[row]], part.mask[[row]]) for part in parts]


def best(row, share, longest):
    """The most probable of all sequences by the product, found by trying every one, and its log-probability."""
    words = range(SPECIALS, VOCABULARY)
    ended = [[*w, END] for n in range(longest) for w in itertools.product(words, repeat=n)]
    sequences = [*ended, *map(list, itertools.product(words, repeat=longest))]
    tokens = torch.tensor([[START, *s[:-1], *[PAD] * (longest - len(s))] for s in sequences])
    target = torch.tensor([[*s, *[PAD] * (longest - len(s))] for s in sequences])
    mean = torch.zeros(*tokens.shape, VOCABULARY)
    for member, part, say in zip(MEMBERS, of(PARTS, row), share, strict=True):
        wide = Encoded(part.tokens.expand(len(sequences), -1, -1), part.mask.expand(len(sequences), -1))
        with torch.no_grad():
            mean += say * member(tokens, wide).log_softmax(dim=2)
    scores = mean.log_softmax(dim=2).gather(2, target.unsqueeze(2)).squeeze(2)
    total = torch.where(target != PAD, scores, 0.0).sum(dim=1)
    at = int(total.argmax())
    return [word for word in sequences[at] if word != END], float(total[at])


@pytest.mark.parametrize("sees", [[1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 2.0, 1.0]])
def test_the_search_finds_what_the_closed_form_says(sees):
    given = torch.tensor([sees] * ROWS)
    wide = Generation(beams=256, longest=4, length_penalty=0.0)
    said = generate(Product(MEMBERS), side_by_side(PARTS, given), wide)
    for row in range(ROWS):
        words, score = best(row, np.array(sees) / sum(sees), 4)
        assert said.tokens[row] == words
        assert np.sum(said.log_probabilities[row]) == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("settings", [Generation(longest=6), Generation(longest=6, beams=3), Generation(sample=True)])
def test_one_member_is_itself_and_alone_is_as_among_many(settings):
    alone = generate(MEMBERS[0], PARTS[0], settings)
    wrapped = generate(Product(MEMBERS[:1]), side_by_side(PARTS[:1], torch.ones(ROWS, 1)), settings)
    assert wrapped.tokens == alone.tokens
    np.testing.assert_allclose(wrapped.confidence, alone.confidence, rtol=1e-5)
    together = generate(Product(MEMBERS), side_by_side(PARTS, torch.ones(ROWS, 3)), settings)
    for row in range(ROWS):
        one = generate(Product(MEMBERS), side_by_side(of(PARTS, row), torch.ones(1, 3)), settings, first=row)
        assert one.tokens[0] == together.tokens[row]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_who_has_no_say_changes_nothing(value):
    sees = torch.tensor([[1.0, 0.0, 1.0]] * ROWS)
    said = generate(Product(MEMBERS), side_by_side(PARTS, sees), Generation(beams=3))
    other = memory(9, 6)
    other.tokens[~other.mask] = value
    again = generate(Product(MEMBERS), side_by_side([PARTS[0], other, PARTS[2]], sees), Generation(beams=3))
    assert again.tokens == said.tokens
    np.testing.assert_allclose(again.confidence, said.confidence, rtol=1e-6)
    for row in said.attention:
        np.testing.assert_allclose(row.sum(axis=1), 1.0, atol=1e-5)
        assert not row[:, 4:10].any()


def test_where_none_sees_all_have_the_same_say():
    nothing = side_by_side(PARTS, torch.zeros(ROWS, 3))
    assert torch.equal(nothing.sees, torch.ones(ROWS, 3))
    assert isinstance(nothing, Memories)
    assert nothing.mask.shape == (ROWS, 12)


def test_members_are_left_as_they_were():
    for member in MEMBERS:
        assert not member.training
    generate(Product(MEMBERS), side_by_side(PARTS, torch.ones(ROWS, 3)))
    assert not any(module.training for member in MEMBERS for module in member.modules())


def test_a_plain_memory_is_refused():
    with pytest.raises(TypeError, match="side by side"):
        generate(Product(MEMBERS), PARTS[0])
