"""The contract of every network (design, section 4): from batches of raw or encoded views to outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from fusible.errors import ConfigError
from fusible.networks._heads import Head
from fusible.types import STEPS, Encoded, Modality, ViewBatch


class Network(nn.Module, ABC):
    """Encodes what comes raw, fuses, and reads the result with a head; a leaf writes `fused`.

    A view that comes encoded (`ViewBatch.encoded`) passes by its encoder, so that the same network serves frozen
    encoders, single views and end-to-end training. Each distinct item is encoded once and gathered per row.

    Parameters: `encoders` {view: module}, may lack views that always come encoded; `widths` {view: width of its
    encoding} in the order of `presence` columns; `outputs`, width of a prediction; `fused_width`, width of what
    `fused` gives; `dropout` before the last layer; `modality_dropout`, see `drop_views`.
    """

    trains_encoders: ClassVar[bool] = True
    """Whether trainable encoders are trained along, or all views come encoded."""
    needs_training_along: ClassVar[bool] = False
    """Whether it is nothing new where no encoder is trained along, and is skipped there."""
    wants: ClassVar[Mapping[Modality, str]] = {}
    """Encoders that belong to it, by modality, in place of those that were chosen for the views."""
    pretrains: ClassVar[bool] = False
    """Whether it can learn without labels to predict the encodings of hidden views, from `view_states`."""
    options: ClassVar[tuple[str, ...]] = ()
    """Names of further plain settings of the constructor, kept as attributes, which a model folder keeps."""

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        widths: Mapping[str, int],
        outputs: int,
        fused_width: int,
        dropout: float = 0.1,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0.0 <= modality_dropout < 1.0:
            raise ConfigError(f"modality dropout: expected a share from 0 to below 1, got {modality_dropout}")
        self.encoders = nn.ModuleList(encoders.values())
        self.positions = {view: i for i, view in enumerate(encoders)}
        self.views: tuple[str, ...] = tuple(widths)
        self.modality_dropout = modality_dropout
        self.head = Head(fused_width, outputs, dropout)

    @property
    def reads_tokens(self) -> bool:
        """Whether it reads token sequences of views, or only one vector per view."""
        return False

    @abstractmethod
    def fused(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """Fuse: `encoded` per view, `presence` (rows, views) bool -> (rows, fused_width)."""

    def view_states(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """What is known where each view stands, from all present views: (rows, views, fused_width)."""
        raise TypeError(f"{type(self).__name__} keeps no state per view: check `pretrains` before calling")

    def learn(self, batches: Mapping[str, ViewBatch], seed: int = 0) -> None:
        """Take from all training rows, encoded, what the network needs before it is trained; most need nothing."""

    def plain(self) -> dict[str, Any]:
        """Values of `options`, as they are now."""
        return {name: getattr(self, name) for name in self.options}

    def forward(self, batches: Mapping[str, ViewBatch]) -> torch.Tensor:
        """Outputs (rows, outputs): logits, or standardised values."""
        return self.read(*self.encode(batches))

    def read(self, encoded: Mapping[str, Encoded], presence: torch.Tensor) -> torch.Tensor:
        """Outputs (rows, outputs) of views that are encoded; in training some views are hidden first."""
        if self.training and self.modality_dropout:
            presence = drop_views(presence, self.modality_dropout)
        outputs: torch.Tensor = self.head(self.fused(encoded, presence))
        return outputs

    def encode(self, batches: Mapping[str, ViewBatch]) -> tuple[dict[str, Encoded], torch.Tensor]:
        """Encodings per view, gathered per row, and presence (rows, views)."""
        encoded: dict[str, Encoded] = {}
        present: list[torch.Tensor] = []
        for view in self.views:
            batch = batches[view]
            items = batch.encoded if batch.encoded is not None else self.encoders[self.positions[view]](batch.tensors)
            encoded[view] = (gather_tokens if self.reads_tokens else gather)(items, batch.index)
            present.append(batch.presence)
        return encoded, torch.stack(present, dim=1)

    def own_state(self) -> dict[str, Any]:
        """Arrays beside those of the encoders."""
        return {name: value for name, value in self.state_dict().items() if not name.startswith("encoders.")}


def drop_views(presence: torch.Tensor, rate: float) -> torch.Tensor:
    """Hide views at random: in a share `rate` of the rows each present view with probability one half, never the last.

    So that what is learned for absent views is learned in training (Neverova et al., "ModDrop", TPAMI 2016).
    """
    rows, views = presence.shape
    draw = torch.rand(rows, views, device=presence.device)
    kept = presence & (draw < 0.5)
    last = nn.functional.one_hot(draw.masked_fill(~presence, 2.0).argmin(dim=1), views).bool()
    chosen = torch.rand(rows, 1, device=presence.device) < rate
    return torch.where(chosen, kept | (last & presence), presence)


def gather(items: Encoded, index: torch.Tensor) -> Encoded:
    """Spread the vectors of distinct items over rows: one token per slot, absent slots masked.

    `items` holds (distinct, …), `index` is (rows, slots); the result has tokens (rows, slots, width).
    """
    pooled = items.pooled
    if pooled.shape[0] == 0:
        pooled = pooled.new_zeros(1, pooled.shape[1])
    return Encoded(pooled[index.clamp(min=0)], index >= 0)


def gather_tokens(items: Encoded, index: torch.Tensor) -> Encoded:
    """Spread token sequences of distinct items over rows, slot after slot, each shortened to `STEPS` tokens.

    The vector is the mean over slots of the items' vectors. `places` are the tokens' places within their items.
    """
    short = items.shortened(STEPS)
    slots, mask = gather(items, index), index >= 0
    tokens, real = short.tokens, short.mask
    if tokens.shape[0] == 0:
        tokens, real = tokens.new_zeros(1, 1, tokens.shape[2]), real.new_zeros(1, 1)
    chosen = index.clamp(min=0)
    spread = tokens[chosen].flatten(1, 2)
    places = torch.arange(tokens.shape[1], device=index.device).repeat(index.shape[1])
    return Encoded(spread, (real[chosen] & mask.unsqueeze(-1)).flatten(1), slots.pooled, places)
