"""Tensor fusion against the outer product, and the guard of its size."""

import tracemalloc

import pytest
import torch
from _encodings import WIDTHS, drawn, shaken, tokens

from fusible import registry
from fusible.errors import ConfigError, TooLargeError
from fusible.fusion.tensor import LIMIT, Tensor, memory


def test_equals_the_outer_product():
    built = shaken(Tensor(WIDTHS, width=4, inner=2))
    vectors, present = drawn()
    rows = []
    for row in tokens(built, vectors, present):
        a, b, c = (torch.cat([torch.ones(1), z]) for z in row)
        rows.append(torch.einsum("a,b,c->abc", a, b, c).flatten())
    torch.testing.assert_close(built.outer(tokens(built, vectors, present)), torch.stack(rows), atol=1e-8, rtol=1e-8)
    torch.testing.assert_close(built.fuse(vectors, present), built.mix(torch.stack(rows)), atol=1e-8, rtol=1e-8)


def test_an_absent_view_leaves_only_products_without_it():
    built = Tensor({"a": 20, "b": 20}, width=4, inner=2)
    z = torch.randn(3, 2, 2)
    z[:, 1] = built.absent[1]
    outer = built.outer(z).view(3, 3, 3)
    torch.testing.assert_close(outer[:, 1:, 0], z[:, 0])
    assert (outer[:, :, 1:] == 0).all()


@pytest.mark.parametrize("width", [64, 128])
def test_five_wide_views_are_refused_before_memory_is_taken(width):
    wide = {f"v{i}": 384 for i in range(5)}
    tracemalloc.start()
    with pytest.raises(TooLargeError, match=r"5 views make .* of 59,049 cells, about \d+ MiB .* low_rank"):
        Tensor(wide, width=width)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**20
    with pytest.raises(ConfigError, match="1,000,000,000,000 cells"):
        Tensor({f"v{i}": 384 for i in range(12)}, width=width, inner=9)
    with torch.device("meta"), pytest.raises(TooLargeError):
        Tensor(wide, width=width)
    assert registry.build("fusion", "low_rank", widths=wide, width=width).output_width == width


def test_up_to_four_views_are_within_the_limit_and_it_counts_what_training_takes():
    for views in range(1, 5):
        built = Tensor({f"v{i}": 384 for i in range(views)}, width=128)
        cells = built.mix[0].in_features
        assert built.mix[0].weight.numel() * 4 * 5 + 2 * 256 * cells * 4 == memory(cells, 128) <= LIMIT


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="tensor: inner must be at least 1, got 0"):
        Tensor(WIDTHS, inner=0)
