"""Low-rank fusion against the explicit tensor that its factors make."""

import pytest
import torch
from _encodings import WIDTHS, drawn, shaken, tokens

from fusible.errors import ConfigError
from fusible.fusion.low_rank import LowRank


def test_equals_the_contraction_with_the_whole_tensor():
    built = shaken(LowRank(WIDTHS, width=4, rank=3))
    vectors, present = drawn()
    whole = torch.einsum("rw,raw,rbw,rcw->abcw", built.weights.expand(-1, 4), *built.factors)
    assert whole.shape == (5, 5, 5, 4)
    with_ones = [torch.cat([torch.ones(1), z]) for z in tokens(built, vectors, present).flatten(0, 1)]
    rows = torch.stack(with_ones).view(len(present), 3, 5)
    expected = torch.einsum("abcw,na,nb,nc->nw", whole, *rows.unbind(dim=1))
    torch.testing.assert_close(built.contract(tokens(built, vectors, present)), expected, atol=1e-8, rtol=1e-8)
    torch.testing.assert_close(built.fuse(vectors, present), built.mix(expected), atol=1e-8, rtol=1e-8)


def test_an_absent_view_starts_as_a_factor_of_one():
    torch.manual_seed(0)
    both = LowRank({"a": 20, "b": 20}, width=4).double()
    z = torch.randn(3, 2, 4, dtype=torch.float64)
    z[:, 1] = both.absent[1]
    alone = torch.einsum("rw,rnw->nw", both.weights.expand(-1, 4), z[:, 0] @ both.factors[0, :, 1:] + 1)
    torch.testing.assert_close(both.contract(z), alone)


def test_products_of_many_views_neither_vanish_nor_explode():
    torch.manual_seed(0)
    built = LowRank({f"v{i}": 32 for i in range(8)}, width=16)
    vectors = {view: torch.randn(200, 32) for view in built.views}
    product = built.contract(built.tokens(vectors, torch.ones(200, 8, dtype=torch.bool)))
    assert 0.1 < product.std() < 30


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="low_rank: rank must be at least 1, got 0"):
        LowRank(WIDTHS, rank=0)
