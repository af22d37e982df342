"""The contract of every feature-level operator (design, section 4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import nn

from fusible.errors import ConfigError, SchemaError
from fusible.types import Encoded


class Operator(nn.Module, ABC):
    """Fuses encodings of several views, with a presence mask, into one vector per row.

    Built from `{view: width}` (the order of views is the order of `presence` columns). A leaf writes `fuse`, which
    gets vectors from which every absent view was already replaced by zeros, NaN included.
    """

    def __init__(self, widths: Mapping[str, int], width: int = 128) -> None:
        super().__init__()
        if not widths:
            raise ConfigError("fusion operator: expected at least one view, got none")
        if width < 1:
            raise ConfigError(f"fusion operator: width must be at least 1, got {width}")
        self.views = tuple(widths)
        self.widths = dict(widths)
        self.output_width = width

    def forward(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """Fuse: `encoded` per view, `presence` (rows, views) bool -> (rows, output_width)."""
        missing = [view for view in self.views if view not in encoded]
        if missing:
            raise SchemaError(f"fusion operator: expected views {list(self.views)}, missing {missing}")
        vectors = {
            view: torch.where(presence[:, i : i + 1], encoded[view].pooled, 0.0) for i, view in enumerate(self.views)
        }
        return self.fuse(vectors, presence)

    @abstractmethod
    def fuse(self, vectors: Mapping[str, torch.Tensor], presence: torch.Tensor) -> torch.Tensor:
        """Fuse vectors {view: (rows, width of view)}, zero where absent -> (rows, output_width)."""
