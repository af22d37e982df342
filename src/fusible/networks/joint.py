"""Joint: encoders, one fusion operator and a head as one network, trained together or on encoded views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from fusible.networks._base import Network
from fusible.types import Encoded


class Joint(Network):
    """From a batch of raw or encoded views to outputs, through a fusion operator.

    Parameters: `encoders` {view: module}, may lack views that always come encoded; `operator`, the fusion operator
    over all views in the order of its `views`; `outputs`, width of a prediction; `dropout` before the last layer;
    `modality_dropout`, share of training rows in which views are hidden at random.
    """

    needs_training_along: ClassVar[bool] = True

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        operator: nn.Module,
        outputs: int,
        dropout: float = 0.1,
        modality_dropout: float = 0.0,
    ) -> None:
        parts: Any = operator
        widths = dict.fromkeys(parts.views, 0)
        super().__init__(encoders, widths, outputs, int(parts.output_width), dropout, modality_dropout)
        self.operator = operator

    @property
    def reads_tokens(self) -> bool:
        """Whether the operator does."""
        return bool(getattr(self.operator, "reads_tokens", False))

    def fused(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """Fuse by the operator: (rows, output width of the operator)."""
        fused: torch.Tensor = self.operator(encoded, presence)
        return fused
