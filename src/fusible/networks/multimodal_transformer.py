"""Multimodal transformer: the tokens of all views in one sequence, read at a class token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from fusible.errors import ConfigError
from fusible.networks._base import Network
from fusible.networks._layers import DEEPEST, Layer
from fusible.types import STEPS, Encoded


class MultimodalTransformer(Network):
    """A few pre-norm transformer layers over one sequence of all views' tokens (Kim et al., "ViLT", ICML 2021).

    A view stands in the sequence by its vector and then its tokens, layer-normalised and projected to `width`, each
    with an embedding of its view and of its place. Presence and masks are the attention mask; an absent view is one
    token learned for it. The output is read at a class token. Live encoders are trained along; where all are frozen,
    the network is trained on their sequences. `heads` must divide `width`. It can be trained without labels first, see
    `MaskedViews`.
    """

    options: ClassVar[tuple[str, ...]] = ("width", "layers", "heads")
    pretrains: ClassVar[bool] = True

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        widths: Mapping[str, int],
        outputs: int,
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        modality_dropout: float = 0.0,
    ) -> None:
        if width < 1 or not 1 <= layers <= DEEPEST or heads < 1 or width % heads:
            raise ConfigError(
                f"multimodal_transformer: expected 1 to {DEEPEST} layers, a width from 1, heads that divide width, "
                f"got width {width}, layers {layers}, heads {heads}"
            )
        super().__init__(encoders, widths, outputs, width, dropout, modality_dropout)
        self.width, self.layers, self.heads = width, layers, heads
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in widths.values())
        self.projections = nn.ModuleList(nn.Linear(size, width) for size in widths.values())
        self.kinds = nn.Parameter(0.02 * torch.randn(len(widths), width))
        self.places = nn.Parameter(0.02 * torch.randn(len(widths), STEPS + 1, width))
        self.absent = nn.Parameter(0.02 * torch.randn(len(widths), width))
        self.start = nn.Parameter(0.02 * torch.randn(width))
        self.blocks = nn.ModuleList(Layer(width, heads, dropout) for _ in range(layers))
        self.last = nn.LayerNorm(width)

    @property
    def reads_tokens(self) -> bool:
        """It does."""
        return True

    def fused(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """The class token after all layers: (rows, width)."""
        return self._states(encoded, presence, 1)[:, 0]

    def view_states(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """The state where each view stands, which of an absent view is made of the others: (rows, views, width)."""
        return self._states(encoded, presence, 1 + len(self.views))[:, 1:]

    def _states(self, encoded: Mapping[str, Encoded], presence: torch.Tensor, first: int) -> torch.Tensor:
        """The first states of the sequence: class token, one per view, then all further tokens."""
        rows = presence.shape[0]
        heads = [self.start.expand(rows, 1, -1)]
        tails, masks = [], [presence.new_ones(rows, 1 + len(self.views))]
        for i, view in enumerate(self.views):
            one, present = encoded[view], presence[:, i : i + 1]
            vector = self._project(i, torch.where(present, one.pooled, 0.0)) + self.places[i, 0]
            heads.append((torch.where(present, vector, self.absent[i]) + self.kinds[i]).unsqueeze(1))
            real = one.mask & present
            tokens = self._project(i, torch.where(real.unsqueeze(-1), one.tokens, 0.0))
            tails.append(tokens + self.places[i, 1 + _places(one)] + self.kinds[i])
            masks.append(real)
        states, mask = torch.cat([*heads, *tails], dim=1), torch.cat(masks, dim=1)
        for block in self.blocks[:-1]:
            states = block(states, mask)
        last: torch.Tensor = self.last(self.blocks[-1](states, mask, first))
        return last

    def _project(self, view: int, vectors: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self.projections[view](self.norms[view](vectors))
        return projected


def _places(one: Encoded) -> torch.Tensor:
    """The place of each token within its item, shape (steps,) or (rows, steps)."""
    places = one.places if one.places is not None else one.mask.cumsum(dim=1) - 1
    return places.clamp(0, STEPS - 1)
