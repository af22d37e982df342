"""Attention of few queries over few tokens: what attention-like operators are built from."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

HEADS = 4


class MultiHead(nn.Module):
    """Multi-head attention (Vaswani et al., NeurIPS 2017) with `HEADS` heads, or fewer where the width divides not.

    Each query must see at least one token: softmax over nothing is undefined.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = next(h for h in (HEADS, 2, 1) if width % h == 0)
        self.query = nn.Linear(width, width)
        self.context = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: torch.Tensor, context: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Attend: queries (rows, q, width), context (rows, k, width), mask (rows, q or 1, k) -> (rows, q, width)."""
        keys, values = self.context(context).chunk(2, dim=-1)
        query, key, value = (self._split(part) for part in (self.query(queries), keys, values))
        read = scaled_dot_product_attention(query, key, value, attn_mask=None if mask is None else mask.unsqueeze(1))
        attended: torch.Tensor = self.out(read.transpose(1, 2).flatten(2))
        return attended

    def _split(self, tokens: torch.Tensor) -> torch.Tensor:
        """From (rows, tokens, width) to (rows, heads, tokens, width of a head)."""
        return tokens.view(*tokens.shape[:2], self.heads, tokens.shape[2] // self.heads).transpose(1, 2)


class Block(nn.Module):
    """Queries attend to a context, then pass a hidden layer; both normalised before and added to what was there.

    Without `crossing` there is no context: the queries attend to one another. Pre-norm, so that it trains without a
    long warm-up (Xiong et al., ICML 2020).
    """

    def __init__(self, width: int, *, crossing: bool = False) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.context_norm = nn.LayerNorm(width) if crossing else nn.Identity()
        self.attention = MultiHead(width)
        self.hidden = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(
        self, queries: torch.Tensor, context: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Update queries (rows, q, width) from a context (rows, k, width), where mask (rows, q or 1, k) is true."""
        seen = self.norm(queries)
        queries = queries + self.attention(seen, seen if context is None else self.context_norm(context), mask)
        updated: torch.Tensor = queries + self.hidden(queries)
        return updated
