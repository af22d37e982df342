"""Memory as decoders read it, against its formula."""

import torch

from fusible.decoders._memory import Reader
from fusible.positions import sinusoids
from fusible.types import Encoded


def test_places_count_real_tokens_or_are_given():
    torch.manual_seed(0)
    reader = Reader(3, 4, 0.0)
    tokens, mask = torch.randn(2, 3, 3), torch.tensor([[True, True, True], [False, True, True]])
    seen, real = reader(Encoded(tokens, mask))
    plain = torch.nn.functional.layer_norm(tokens, (3,)) @ reader.project.weight.T + reader.project.bias
    torch.testing.assert_close(seen[0], plain[0] + sinusoids(torch.arange(3), 4))
    torch.testing.assert_close(seen[1, 1:], plain[1, 1:] + sinusoids(torch.arange(2), 4))
    assert torch.equal(real, mask)
    given, _ = reader(Encoded(tokens, mask, places=torch.tensor([0, 1, 0])))  # two items, one after the other
    torch.testing.assert_close(given[0], plain[0] + sinusoids(torch.tensor([0, 1, 0]), 4))


def test_a_row_without_tokens_reads_zeros():
    reader = Reader(3, 4, 0.0)
    tokens = torch.full((1, 2, 3), float("nan"))
    seen, real = reader(Encoded(tokens, torch.zeros(1, 2, dtype=torch.bool)))
    assert real.tolist() == [[True, False]]
    torch.testing.assert_close(seen[0, 0], reader.project.bias + sinusoids(torch.tensor(0), 4))
