"""CNN and LSTM: the classic recipe of fusing pictures and texts end to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from fusible.errors import ConfigError
from fusible.networks._base import Network
from fusible.types import Encoded, Modality


class CnnLstm(Network):
    """A VGG-style CNN on pictures, embeddings and an LSTM on texts, joined by dense layers (Antol et al., "VQA", 2015).

    Each view's vector goes through a dense layer of its own; the results side by side go through another. An absent
    view gives a vector learned for it. Pictures and texts are seen through the recipe's own encoders (`wants`), trained
    along; a VGG16 from a local file (`--encoder VIEW=image_vgg:FILE`) stays as it is. Views of other modalities keep
    the encoders that were chosen for them.
    """

    wants: ClassVar[Mapping[Modality, str]] = {Modality.IMAGE: "image_vgg", Modality.TEXT: "text_lstm"}
    options: ClassVar[tuple[str, ...]] = ("width",)

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        widths: Mapping[str, int],
        outputs: int,
        width: int = 128,
        dropout: float = 0.1,
        modality_dropout: float = 0.0,
    ) -> None:
        if width < 1:
            raise ConfigError(f"cnn_lstm: width must be at least 1, got {width}")
        super().__init__(encoders, widths, outputs, width, dropout, modality_dropout)
        self.width = width
        self.dense = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(size), nn.Linear(size, width), nn.ReLU()) for size in widths.values()
        )
        self.absent = nn.Parameter(torch.zeros(len(widths), width))
        self.join = nn.Sequential(nn.Dropout(dropout), nn.Linear(len(widths) * width, width), nn.ReLU())

    def fused(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """Dense layers over the views' vectors side by side: (rows, width)."""
        parts = []
        for i, view in enumerate(self.views):
            present = presence[:, i : i + 1]
            vector = torch.where(present, encoded[view].pooled, 0.0)
            parts.append(torch.where(present, self.dense[i](vector), self.absent[i]))
        fused: torch.Tensor = self.join(torch.cat(parts, dim=1))
        return fused
