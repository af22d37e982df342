"""One layer of the transformer decoder: whole sequences at once, or one token after the other."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


class Block(nn.Module):
    """Causal attention to the tokens so far, attention to memory, a GELU network four times as wide; each added.

    Normalised before each part (Xiong et al., ICML 2020). Keys and values stand in one tensor of shape
    (rows, heads, 2, steps, width of a head): one copy moves both, and neither is copied when multiplied.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.size, self.dropout = heads, width // heads, dropout
        self.own_norm = nn.LayerNorm(width)
        self.own = nn.Linear(width, 3 * width)
        self.own_join = nn.Linear(width, width)
        self.memory_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.pair = nn.Linear(width, 2 * width)
        self.memory_join = nn.Linear(width, width)
        self.wide = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
        )
        self.drop = nn.Dropout(dropout)

    def recall(self, memory: torch.Tensor) -> torch.Tensor:
        """Keys and values of memory tokens (rows, steps, width): (rows, heads, 2, steps, width of a head)."""
        pair: torch.Tensor = self.pair(memory).unflatten(2, (2, self.heads, self.size))
        return pair.permute(0, 3, 2, 1, 4).contiguous()

    def forward(self, states: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """States (rows, steps, width) -> the same; `memory` from `recall`; `mask` (rows, memory steps) of real ones."""
        rate = self.dropout if self.training else 0.0
        own = self.own(self.own_norm(states)).unflatten(2, (3, self.heads, self.size)).permute(2, 0, 3, 1, 4)
        read = scaled_dot_product_attention(own[0], own[1], own[2], dropout_p=rate, is_causal=True)
        states = states + self.drop(self.own_join(read.transpose(1, 2).flatten(2)))
        query = self.query(self.memory_norm(states)).unflatten(2, (self.heads, self.size)).transpose(1, 2)
        read = scaled_dot_product_attention(
            query, memory[:, :, 0], memory[:, :, 1], attn_mask=mask[:, None, None], dropout_p=rate
        )
        states = states + self.drop(self.memory_join(read.transpose(1, 2).flatten(2)))
        result: torch.Tensor = states + self.drop(self.wide(states))
        return result

    def step(
        self, states: torch.Tensor, own: torch.Tensor, memory: torch.Tensor, hidden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One token per row: states (rows, width), `own` as `recall` lays it out, of the tokens before.

        `hidden` (memory rows, memory steps) is 0 at real memory tokens and minus infinity elsewhere. Gives states,
        `own` with this token, and attention (rows, memory steps), the mean over heads.
        """
        rows, items = len(states), max(1, len(memory))
        parts = self.own(self.own_norm(states)).unflatten(1, (3, self.heads, self.size))
        own = torch.cat([own, parts[:, 1:].transpose(1, 2).unsqueeze(3)], dim=3)
        read, _ = self._attend(parts[:, 0].unsqueeze(2), own)
        states = states + self.own_join(read.flatten(1))
        query = self.query(self.memory_norm(states)).view(items, rows // items, self.heads, self.size)
        read, weight = self._attend(query.transpose(1, 2), memory, hidden[:, None, None])
        states = states + self.memory_join(read.transpose(1, 2).reshape(rows, -1))
        return states + self.wide(states), own, weight.mean(dim=1).flatten(0, 1)

    def _attend(
        self, query: torch.Tensor, pair: torch.Tensor, hidden: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Queries (rows, heads, n, size) -> what they read, of the same shape, and weights (rows, heads, n, steps)."""
        weight = (query * self.size**-0.5) @ pair[:, :, 0].transpose(2, 3)
        weight = (weight if hidden is None else weight + hidden).softmax(dim=-1)
        return weight @ pair[:, :, 1], weight
