"""Captioner: the views of a row as one memory, from which a decoder writes; trained end to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from fusible.errors import ConfigError
from fusible.networks._base import drop_views, gather
from fusible.networks._layers import DEEPEST, Layer
from fusible.networks._stem import Stem
from fusible.positions import sinusoids
from fusible.types import Encoded, ViewBatch

TEXT = "\0text"
"""Name under which batches hold what is to be written; no column can be called so."""
SMOOTHING = 0.1
"""Share of the target that is spread over all tokens in training (Szegedy et al., CVPR 2016)."""


class Captioner(nn.Module):
    """Encoders, one memory of all views' tokens, and a decoder that attends to it.

    The memory holds what a fusion operator makes of the views' vectors (where an operator is given), then per view its
    vector, or a token learned for its absence, and its tokens, each with an embedding of the view and of its place;
    `layers` layers of self-attention let views look at one another. Each distinct item is encoded once.

    Parameters: `encoders` {view: module}, may lack views that always come encoded; `widths` {view: width of its
    encoding}, in the order of presence; `decoder`, whose memory is `width` wide; `operator` over the same views, or
    None; `sequences`, views whose tokens follow one another in time and go through a `Stem`; `modality_dropout`, share
    of training rows in which views are hidden, see `drop_views`.
    """

    low: bool = False
    """Whether encoders that are trained along compute in bfloat16, in training."""

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        widths: Mapping[str, int],
        decoder: Any,
        operator: nn.Module | None = None,
        sequences: Sequence[str] = (),
        width: int = 128,
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.1,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if width < 1 or not 0 <= layers <= DEEPEST or heads < 1 or width % heads:
            raise ConfigError(
                f"captioner: expected 0 to {DEEPEST} layers and a width that heads divide, "
                f"got width {width}, layers {layers}, heads {heads}"
            )
        if not widths or min(widths.values()) < 1:
            raise ConfigError(f"captioner: expected views of one column at least, got {dict(widths)}")
        self.width, self.layers, self.heads = width, layers, heads
        self.modality_dropout = modality_dropout
        self.encoders = nn.ModuleList(encoders.values())
        self.positions = {view: i for i, view in enumerate(encoders)}
        self.views = tuple(widths)
        self.stems = nn.ModuleDict({str(i): Stem(widths[v], width) for i, v in enumerate(widths) if v in sequences})
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in widths.values())
        self.projections = nn.ModuleList(nn.Linear(size, width) for size in widths.values())
        self.kinds = nn.Parameter(0.02 * torch.randn(len(widths), width))
        self.absent = nn.Parameter(0.02 * torch.randn(len(widths), width))
        self.clock = nn.Parameter(torch.ones(len(widths)))
        self.operator = operator
        joined: Any = operator
        self.join = None if operator is None else nn.Linear(int(joined.output_width), width)
        self.blocks = nn.ModuleList(Layer(width, heads, dropout) for _ in range(layers))
        self.last = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.decoder: Any = decoder

    def forward(self, batches: Mapping[str, ViewBatch]) -> torch.Tensor:
        """Mean negative log-likelihood per token (rows,) of the texts under `TEXT`, given what stands before each."""
        written = batches[TEXT]
        if written.tensors is None:
            raise TypeError("captioner: texts come as ids and lengths")
        rows = written.index[:, 0]
        ids, lengths = written.tensors["ids"][rows], written.tensors["lengths"][rows]
        logits: torch.Tensor = self.decoder(ids[:, :-1], self.memory(batches))
        smoothing = SMOOTHING if self.training else 0.0
        losses = nn.functional.cross_entropy(
            logits.float().transpose(1, 2), ids[:, 1:], reduction="none", label_smoothing=smoothing
        )
        said = torch.arange(losses.shape[1], device=ids.device) < (lengths - 1).unsqueeze(1)
        return torch.where(said, losses, 0.0).sum(dim=1) / (lengths - 1).clamp(min=1)

    def memory(self, batches: Mapping[str, ViewBatch]) -> Encoded:
        """What is known of each row: tokens (rows, steps, width) and their mask; the first token is always real."""
        presence = torch.stack([batches[view].presence for view in self.views], dim=1)
        if self.training and self.modality_dropout:
            presence = drop_views(presence, self.modality_dropout)
        tokens: list[torch.Tensor] = []
        masks: list[torch.Tensor] = []
        places: list[torch.Tensor] = []
        vectors: dict[str, Encoded] = {}
        for i, view in enumerate(self.views):
            items, index = self.items(batches[view], view), batches[view].index
            vectors[view] = gather(items, index)
            present = presence[:, i : i + 1]
            known, real = self._sequence(i, items)
            steps = torch.arange(known.shape[1], device=presence.device)
            tokens += [self._first(i, vectors[view], present), known[index.clamp(min=0)].flatten(1, 2)]
            there = (real[index.clamp(min=0)] & (index >= 0).unsqueeze(-1)).flatten(1)
            masks += [present.new_ones(present.shape), there & present]
            places += [steps[:1], steps.repeat(index.shape[1])]
        if self.operator is not None and self.join is not None:
            tokens.insert(0, self.join(self.operator(vectors, presence)).unsqueeze(1))
            masks.insert(0, presence.new_ones(len(presence), 1))
            places.insert(0, places[0])
        mask = torch.cat(masks, dim=1)
        states = self.dropout(torch.cat(tokens, dim=1).masked_fill(~mask.unsqueeze(-1), 0.0))
        for block in self.blocks:
            states = block(states, mask)
        return Encoded(self.last(states), mask, places=torch.cat(places))

    def own_state(self) -> dict[str, torch.Tensor]:
        """Arrays beside those of the encoders."""
        return {name: value for name, value in self.state_dict().items() if not name.startswith("encoders.")}

    def steps(self, batch: ViewBatch, view: str) -> int:
        """Steps of memory that an item of a view takes in a batch, beside that of its vector."""
        return int(self._sequence(self.views.index(view), self.items(batch, view))[0].shape[1])

    def items(self, batch: ViewBatch, view: str) -> Encoded:
        """The view's distinct items, encoded; one of zeros where there is none, which no row holds."""
        items = batch.encoded if batch.encoded is not None else self._encode(batch, view)
        if len(items.tokens):
            return items
        nothing = items.tokens.new_zeros(1, 1, items.tokens.shape[2])
        return Encoded(nothing, torch.zeros(1, 1, dtype=torch.bool, device=nothing.device), nothing[:, 0])

    def _encode(self, batch: ViewBatch, view: str) -> Encoded:
        """Encode items in training, where `low` says so, in bfloat16; what is small around it is slower in that."""
        kind = next(iter(batch.tensors.values())).device.type if batch.tensors else "cpu"
        with torch.autocast(kind, torch.bfloat16, enabled=self.low and self.training):
            items: Encoded = self.encoders[self.positions[view]](batch.tensors)
        vector = None if items.vector is None else items.vector.float()
        return Encoded(items.tokens.float(), items.mask, vector, items.places)

    def _first(self, view: int, vectors: Encoded, present: torch.Tensor) -> torch.Tensor:
        """The view's vector, or what is learned for its absence: (rows, 1, width)."""
        known = self._project(view, torch.where(present, vectors.pooled, 0.0))
        return (torch.where(present, known, self.absent[view]) + self.kinds[view]).unsqueeze(1)

    def _sequence(self, view: int, items: Encoded) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens of the view's distinct items (items, steps, width), projected once for each, and their mask."""
        clean, real = torch.where(items.mask.unsqueeze(-1), items.tokens, 0.0), items.mask
        if str(view) in self.stems and bool(real.any()):
            seen, real = self.stems[str(view)](clean, real)
        else:
            seen = self._project(view, clean)
        steps = torch.arange(seen.shape[1], device=seen.device)
        return seen + self.clock[view] * sinusoids(steps, self.width) + self.kinds[view], real

    def _project(self, view: int, vectors: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self.projections[view](self.norms[view](vectors))
        return projected
