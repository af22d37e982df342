"""The contract of every feature-level operator (design, section 4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from fusible.errors import ConfigError, SchemaError
from fusible.types import Encoded


class Operator(nn.Module, ABC):
    """Fuses encodings of several views, with a presence mask, into one vector per row.

    Built from `{view: width}` (the order of views is the order of `presence` columns). A leaf writes `fuse`, which
    gets vectors from which every absent view was already replaced by zeros, NaN included.
    """

    reads_tokens: ClassVar[bool] = False
    """Whether it reads token sequences, or only one vector per view."""

    def __init__(self, widths: Mapping[str, int], width: int = 128) -> None:
        super().__init__()
        if not widths:
            raise ConfigError("fusion operator: expected at least one view, got none")
        if width < 1:
            raise ConfigError(f"fusion operator: width must be at least 1, got {width}")
        narrow = [view for view, columns in widths.items() if columns < 1]
        if narrow:
            raise ConfigError(f"fusion operator: view {narrow[0]!r} has no column; leave it out of the fusion")
        self.views = tuple(widths)
        self.widths = dict(widths)
        self.output_width = width

    def forward(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """Fuse: `encoded` per view, `presence` (rows, views) bool -> (rows, output_width)."""
        return self.fuse(self._vectors(encoded, presence), presence)

    def _vectors(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> dict[str, torch.Tensor]:
        missing = [view for view in self.views if view not in encoded]
        if missing:
            raise SchemaError(f"fusion operator: expected views {list(self.views)}, missing {missing}")
        return {
            view: torch.where(presence[:, i : i + 1], encoded[view].pooled, 0.0) for i, view in enumerate(self.views)
        }

    @abstractmethod
    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""


class TokenOperator(Operator):
    """An operator that reads sequences of tokens; a leaf writes `fuse_tokens`.

    A view's sequence is its pooled vector followed by its tokens, so that an encoder which pools in a way of its own
    loses nothing. How far a batch is padded never changes a row's output.
    """

    reads_tokens: ClassVar[bool] = True

    def forward(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """Fuse: `encoded` per view, `presence` (rows, views) bool -> (rows, output_width)."""
        vectors = self._vectors(encoded, presence)
        tokens, masks = self._tokens(encoded, presence)
        for i, (view, vector) in enumerate(vectors.items()):
            tokens[view] = torch.cat([vector.unsqueeze(1), tokens[view]], dim=1)
            masks[view] = torch.cat([presence[:, i : i + 1], masks[view]], dim=1)
        return self.fuse_tokens(tokens, masks, presence)

    def _tokens(
        self, encoded: Mapping[str, Encoded], presence: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Tokens {view: (rows, steps, width of view)}, zero where the masks {view: (rows, steps)} are false."""
        masks = {view: encoded[view].mask & presence[:, i : i + 1] for i, view in enumerate(self.views)}
        return {v: torch.where(m.unsqueeze(-1), encoded[v].tokens, 0.0) for v, m in masks.items()}, masks

    @abstractmethod
    def fuse_tokens(
        self, tokens: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor], presence: torch.Tensor
    ) -> torch.Tensor:
        """Fuse tokens {view: (rows, steps, width of view)}, zero where masks {view: (rows, steps)} are false.

        The first token of a view is its pooled vector; all of an absent view's tokens are masked.
        """

    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors alone: sequences of one token each."""
        tokens = {view: vector.unsqueeze(1) for view, vector in vectors.items()}
        masks = {view: presence[:, i : i + 1] for i, view in enumerate(self.views)}
        return self.fuse_tokens(tokens, masks, presence)
