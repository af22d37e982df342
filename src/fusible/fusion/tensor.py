"""Tensor fusion: the outer product of all views, one, two, three … at a time."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import nn

from fusible.errors import TooLargeError
from fusible.fusion._project import Projecting, at_least_one

LIMIT = 128 * 2**20
"""Most bytes that training may take: 128 MiB."""
SIZES = {1: 16, 2: 16, 3: 12, 4: 6}
"""Columns per view by the number of views where none are asked for; 8 for more views: less would say too little."""
COPIES = 5
"""Weights in training: themselves, gradient, two moments of AdamW, those of the best epoch."""
BATCH = 256
"""Rows of the batch that the estimate assumes."""


class Tensor(Projecting):
    """Tensor fusion network (TFN; Zadeh et al., EMNLP 2017), guarded in size.

    The outer product of all [1; z_v] holds every product of columns of one, two, … all views; one linear layer reads
    it. z_v is a projection of the view to `inner` columns (default: `SIZES`), at most as many as the widest view has.
    An absent view's z is a vector learned for its absence, at first zero: then only products without the view remain.

    The product has (1 + inner) ** views cells. Raises `TooLargeError`, before memory is taken, where training would
    take more than `LIMIT` (see `memory`).

    >>> import torch
    >>> operator = Tensor({"text": 4, "image": 4}, width=8, inner=2)
    >>> operator.outer(torch.tensor([[[2.0, 3.0], [5.0, 7.0]]])).tolist()
    [[1.0, 5.0, 7.0, 2.0, 10.0, 14.0, 3.0, 15.0, 21.0]]
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128, inner: int | None = None) -> None:
        inner = SIZES.get(len(widths), 8) if inner is None else inner
        at_least_one("tensor", inner=inner)
        inner = min(inner, max(widths.values(), default=1))
        cells = prod([1 + inner] * len(widths))
        if (needed := memory(cells, width)) > LIMIT:
            raise TooLargeError(
                f"fusion operator tensor: {len(widths)} views make an outer product of {cells:,} cells, about "
                f"{needed / 2**20:,.0f} MiB to train, more than {LIMIT / 2**20:,.0f}; take low_rank, which never "
                "builds it, or fuse fewer views"
            )
        super().__init__(widths, width, inner)
        self.mix = nn.Sequential(nn.Linear(cells, width), nn.LayerNorm(width), nn.GELU())

    def outer(self, tokens: torch.Tensor) -> torch.Tensor:
        """Outer product of tokens (rows, views, inner), each with a one before it -> (rows, cells)."""
        ones = nn.functional.pad(tokens, (1, 0), value=1.0)
        product, *rest = ones.unbind(dim=1)
        for token in rest:
            product = (product.unsqueeze(2) * token.unsqueeze(1)).flatten(1)
        return product

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
        fused: torch.Tensor = self.mix(self.outer(self.tokens(vectors, presence)))
        return fused


def memory(cells: int, width: int) -> int:
    """Bytes of float32 that training takes: the weights `COPIES` times; outer products of a batch, and gradients.

    >>> round(memory(13**3, 128) / 2**20), round(memory(9**5, 128) / 2**20)
    (10, 259)
    """
    return 4 * (COPIES * cells * width + 2 * BATCH * cells)
