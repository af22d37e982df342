"""Layers of transformers: pre-norm attention in which only real tokens are seen."""

from __future__ import annotations

import torch
from torch import nn

DEEPEST = 64
"""Most layers of a network, also of one that is loaded."""


class Layer(nn.Module):
    """One pre-norm transformer layer: attention over real tokens, then a GELU network twice as wide, each added.

    Xiong et al., "On Layer Normalization in the Transformer Architecture", ICML 2020.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.pair = nn.Linear(width, 2 * width)
        self.join = nn.Linear(width, width)
        self.wide = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor, first: int | None = None) -> torch.Tensor:
        """Tokens (rows, steps, width) -> the same, of the `first` steps only where a number is given.

        `mask` (rows, steps) is true where a token is real; every row needs one.
        """
        normed, kept = self.norm(tokens), tokens[:, :first]
        keys, values = self.pair(normed).chunk(2, dim=-1)
        queries = self.query(normed[:, :first])
        found = nn.functional.scaled_dot_product_attention(
            self._split(queries),
            self._split(keys),
            self._split(values),
            attn_mask=mask[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        kept = kept + self.join(found.transpose(1, 2).flatten(2))
        result: torch.Tensor = kept + self.wide(kept)
        return result

    def _split(self, tokens: torch.Tensor) -> torch.Tensor:
        """(rows, steps, width) -> (rows, heads, steps, width of a head)."""
        return tokens.reshape(*tokens.shape[:2], self.heads, tokens.shape[2] // self.heads).transpose(1, 2)
