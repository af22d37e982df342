"""Masked-view pretraining: a network learns, without labels, to tell hidden views from the others."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fusible.networks._base import Network
from fusible.types import Encoded, ViewBatch

TOKENS_HIDDEN = 0.2
"""Share of the tokens of shown views that are hidden, too, in training."""
OTHERS_HIDDEN = 0.25
"""Chance of a further view to be hidden, too, in training; one view is always shown."""
LARGEST = 5.0
"""Standardised targets are clipped to this many deviations."""


class MaskedViews(nn.Module):
    """Hides views of rows and guesses their encodings from those shown (Bachmann et al., "MultiMAE", ECCV 2022).

    The targets are the hidden views' vectors, standardised over the rows that hold them. All views come encoded, by
    encoders that stay as they are: targets are constants, so that no collapse to equal encodings can make the task
    easy. In training a random present view is hidden, others at times, and some tokens; in evaluation each present view
    is hidden in turn, so that the loss is the same in every epoch for the same weights. Rows need two present views.

    `batches` are the training rows, to learn mean and deviation of targets from.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, network: Network, batches: Mapping[str, ViewBatch]) -> None:
        super().__init__()
        self.network = network
        encoded, presence = network.encode(batches)
        vectors = {view: encoded[view].pooled[presence[:, i]].double() for i, view in enumerate(network.views)}
        self.sizes = [one.shape[1] for one in vectors.values()]
        mean = torch.cat([one.mean(dim=0) if len(one) else one.new_zeros(one.shape[1]) for one in vectors.values()])
        spread = torch.cat([one.std(dim=0) if len(one) > 1 else one.new_ones(one.shape[1]) for one in vectors.values()])
        # A column that never varies tells nothing: divided by one, its standardised target stays zero.
        self.register_buffer("mean", mean.float())
        self.register_buffer("deviation", spread.where(spread > 1e-6, 1.0).float())
        width = network.head.linear.in_features
        self.guesses = nn.ModuleList(nn.Linear(width, size) for size in self.sizes)

    def forward(self, batches: Mapping[str, ViewBatch]) -> torch.Tensor:
        """Mean squared error of hidden views' standardised vectors: (rows, 1); one is what the mean would get."""
        encoded, presence = self.network.encode(batches)
        if self.training:
            shown = hide(presence)
            return self._error(_thinned(encoded), encoded, shown, presence & ~shown)
        total, count = presence.new_zeros(len(presence), 1, dtype=torch.float32), presence.sum(dim=1, keepdim=True)
        for i in range(presence.shape[1]):
            hidden = torch.zeros_like(presence)
            hidden[:, i] = presence[:, i]
            total = total + self._error(encoded, encoded, presence & ~hidden, hidden)
        return total / count.clamp(min=1)

    def _error(
        self, seen: Mapping[str, Encoded], whole: Mapping[str, Encoded], shown: torch.Tensor, hidden: torch.Tensor
    ) -> torch.Tensor:
        """Error over the hidden views of each row, (rows, 1); zero where none is hidden."""
        states = self.network.view_states(seen, shown)
        errors, at = [], 0
        for i, view in enumerate(self.network.views):
            part = slice(at, at := at + self.sizes[i])
            vector = torch.where(hidden[:, i : i + 1], whole[view].pooled, self.mean[part])
            target = ((vector - self.mean[part]) / self.deviation[part]).clamp(-LARGEST, LARGEST).detach()
            errors.append((self.guesses[i](states[:, i]).float() - target).square().mean(dim=1))
        error = torch.stack(errors, dim=1).where(hidden, 0.0)
        return error.sum(dim=1, keepdim=True) / hidden.sum(dim=1, keepdim=True).clamp(min=1)


def hide(presence: torch.Tensor) -> torch.Tensor:
    """Presence (rows, views) with a random present view hidden, at times others too; the last one is never hidden."""
    draw = torch.rand(presence.shape, device=presence.device).masked_fill(~presence, 2.0)
    order = draw.argsort(dim=1).argsort(dim=1)
    also = torch.rand(presence.shape, device=presence.device) < OTHERS_HIDDEN
    last = order == presence.sum(dim=1, keepdim=True) - 1
    return presence & (last | ((order > 0) & ~also))


def _thinned(encoded: Mapping[str, Encoded]) -> dict[str, Encoded]:
    """The same views with some of their tokens masked at random; vectors stay."""
    thin = {}
    for view, one in encoded.items():
        kept = torch.rand(one.mask.shape, device=one.mask.device) >= TOKENS_HIDDEN
        thin[view] = Encoded(one.tokens, one.mask & kept, one.pooled, one.places)
    return thin
