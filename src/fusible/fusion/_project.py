"""What most operators begin with: every view normalised and projected to one width, or replaced where absent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import nn

from fusible.errors import ConfigError
from fusible.fusion._base import Operator, TokenOperator
from fusible.types import Encoded

NARROW = 16
"""Views of fewer columns are compressed column by column: normalising over so few would lose what they say."""
INNER = 32
"""Widest tokens inside operators that read sequences."""
SMALL = 1e-5
"""Added to mean squares before their root is taken."""


class Compressed(nn.Module):
    """Each column by itself: inverse hyperbolic sine, scaled and shifted; (…, width) -> (…, width).

    Near the identity for standardised values, logarithmic for large ones. Layer normalisation of a narrow vector
    takes away its mean and its size, and of a single column everything.

    >>> Compressed(1)(torch.tensor([[0.1], [1e30]])).detach().round(decimals=2)
    tensor([[ 0.1000],
            [69.7700]])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Compress each column."""
        return torch.asinh(vectors) * self.weight + self.bias


class Projecting(Operator):
    """An operator that first normalises each view and projects it to `inner` columns.

    Views narrower than `NARROW` are compressed instead: normalising two columns leaves one sign of what they say.
    `absent` (views, inner) is learned: it stands for a view where that is absent, in training and prediction alike.
    """

    def __init__(self, widths: Mapping[str, int], width: int, inner: int | None = None) -> None:
        super().__init__(widths, width)
        self.inner = width if inner is None else inner
        self.norms = nn.ModuleList(Compressed(w) if w < NARROW else nn.LayerNorm(w) for w in widths.values())
        self.projections = nn.ModuleList(nn.Linear(w, self.inner) for w in widths.values())
        self.absent = nn.Parameter(torch.zeros(len(widths), self.inner))

    def project(self, vectors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Normalise and project vectors {view: (rows, width of view)} -> (rows, views, inner)."""
        layers = zip(self.views, self.norms, self.projections, strict=True)
        return torch.stack([projection(norm(vectors[view])) for view, norm, projection in layers], dim=1)

    def tokens(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """One token per view (rows, views, inner): its projection, or its learned vector where it is absent."""
        return torch.where(presence.unsqueeze(-1), self.project(vectors), self.absent)


class TokenProjection(nn.Linear):
    """Brings tokens to unit mean square (Zhang & Sennrich, RMSNorm, NeurIPS 2019) and projects them.

    The size is divided out after the projection, which is the same and spares a copy of all tokens: half the cost of
    operators that read sequences. Tokens of fewer than `NARROW` columns are compressed instead.

    >>> projection, tokens = TokenProjection(16, 2), torch.randn(3, 16)
    >>> torch.allclose(projection(tokens), projection(1000 * tokens), atol=1e-4)
    True
    """

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Normalise and project: (…, width of view) -> (…, inner)."""
        if self.in_features < NARROW:
            return super().forward(torch.asinh(tokens))
        square = torch.linalg.vector_norm(tokens, dim=-1, keepdim=True).square() / self.in_features
        return nn.functional.linear(tokens, self.weight) * torch.rsqrt(square + SMALL) + self.bias


class ProjectingTokens(TokenOperator):
    """A token operator that first projects every token to at most `INNER` columns; a leaf writes `fuse_sequences`.

    `absent` (views, inner) is learned: it stands for an absent view's first token.
    """

    def __init__(self, widths: Mapping[str, int], width: int) -> None:
        super().__init__(widths, width)
        self.inner = min(width, INNER)
        self.projections = nn.ModuleList(TokenProjection(w, self.inner) for w in widths.values())
        self.absent = nn.Parameter(torch.zeros(len(widths), self.inner))

    def forward(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """Fuse: `encoded` per view, `presence` (rows, views) bool -> (rows, output_width)."""
        return self._fuse(self._vectors(encoded, presence), *self._tokens(encoded, presence), presence)

    def fuse_tokens(
        self, tokens: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor], presence: torch.Tensor
    ) -> torch.Tensor:
        """Fuse tokens {view: (rows, steps, width of view)}, the first of each its vector -> (rows, output_width)."""
        vectors = {view: sequence[:, 0] for view, sequence in tokens.items()}
        rest = {view: sequence[:, 1:] for view, sequence in tokens.items()}
        return self._fuse(vectors, rest, {view: mask[:, 1:] for view, mask in masks.items()}, presence)

    def _fuse(
        self,
        vectors: Mapping[str, torch.Tensor],
        tokens: Mapping[str, torch.Tensor],
        masks: Mapping[str, torch.Tensor],
        presence: torch.Tensor,
    ) -> torch.Tensor:
        sequences, real = [], []
        for i, (view, projection) in enumerate(zip(self.views, self.projections, strict=True)):
            first = torch.where(presence[:, i : i + 1], projection(vectors[view]), self.absent[i])
            sequences.append(torch.cat([first.unsqueeze(1), projection(tokens[view])], dim=1))
            real.append(nn.functional.pad(masks[view], (1, 0), value=True))
        return self.fuse_sequences(sequences, real, presence)

    @abstractmethod
    def fuse_sequences(
        self, sequences: list[torch.Tensor], real: list[torch.Tensor], presence: torch.Tensor
    ) -> torch.Tensor:
        """Fuse projected tokens, per view (rows, steps, inner), where `real`, per view (rows, steps), is true.

        The first token of every view is real: its pooled vector, or the learned vector where the view is absent.
        """


def mixer(inner: int, width: int) -> nn.Sequential:
    """The last layer of most operators: normalised, linear, GELU; (rows, inner) -> (rows, width)."""
    return nn.Sequential(nn.LayerNorm(inner), nn.Linear(inner, width), nn.GELU())


def at_least_one(operator: str, **settings: int) -> None:
    """Refuse settings below one.

    >>> at_least_one("tensor", inner=0)
    Traceback (most recent call last):
    fusible.errors.ConfigError: fusion operator tensor: inner must be at least 1, got 0
    """
    for name, value in settings.items():
        if value < 1:
            raise ConfigError(f"fusion operator {operator}: {name} must be at least 1, got {value}")
