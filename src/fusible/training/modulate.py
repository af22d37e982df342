"""On-the-fly modulation: views that are learned faster than the others train their encoders more slowly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from fusible.networks._base import Network
from fusible.types import Encoded, Task, ViewBatch


class Modulated(nn.Module):
    """A network in training whose encoders' steps are modulated (OGM-GE: Peng et al., CVPR 2022), for any operator.

    A view's confidence is what the network gives the truth with that view alone present, which presence makes exact
    (the paper takes the view's part of a last linear layer): the probability of the true class, of the true labels in
    the geometric mean, or the exponential of minus the loss. With the ratio of a view's confidence to the mean of the
    others', its encoder's step is multiplied by 1 - tanh(alpha · (ratio - 1)) where the ratio is above 1. The step is
    scaled and not the gradient: AdamW makes the same step of a scaled gradient. With `noise`, gradients of the views'
    encoders get Gaussian noise of their own standard deviation times 1 minus the coefficient first (the paper's
    generalisation enhancement).
    """

    def __init__(self, network: Network, task: Task, alpha: float, *, noise: bool = False) -> None:
        super().__init__()
        self.network, self.task, self.alpha, self.noise = network, task, alpha, noise
        self.coefficients: dict[str, float] = {}
        self._last: tuple[dict[str, Encoded], torch.Tensor] | None = None

    def forward(self, batches: Mapping[str, ViewBatch]) -> torch.Tensor:
        """The network's outputs; in training the batch's encodings are kept for `modulate`."""
        encoded, presence = self.network.encode(batches)
        if self.training:
            self._last = {view: _kept(one) for view, one in encoded.items()}, presence
        return self.network.read(encoded, presence)

    def modulate(self, optimiser: Any, target: torch.Tensor) -> None:
        """Scale the coming step of each encoder; what `train` calls after the backward pass."""
        if self._last is None:
            raise RuntimeError("modulate comes after a forward pass in training")
        self.coefficients = coefficients(self.confidences(*self._last, target), self.alpha)
        names = {place: view for view, place in self.network.positions.items()}
        for group in optimiser.param_groups:
            if group.get("encoder") is None:
                continue
            share = self.coefficients.get(names[group["encoder"]], 1.0)
            group["lr"] = group["lr"] * share
            for parameter in group["params"] if self.noise and share < 1.0 else ():
                if parameter.grad is not None and parameter.grad.numel() > 1:
                    spread = parameter.grad.std() * (1.0 - share)
                    parameter.grad.add_(torch.randn_like(parameter.grad) * spread)

    @torch.no_grad()
    def confidences(
        self, encoded: Mapping[str, Encoded], presence: torch.Tensor, target: torch.Tensor
    ) -> dict[str, float]:
        """Mean confidence in the truth by each view alone, over the rows that hold it; views that no row holds lack."""
        network, found = self.network.eval(), {}
        for i, view in enumerate(network.views):
            rows = presence[:, i]
            if rows.any():
                only = torch.zeros_like(presence)
                only[:, i] = rows
                raw = network.head(network.fused(encoded, only)).float()[rows]
                found[view] = float(certainty(raw, target[rows], self.task).mean())
        network.train()
        return found


def _kept(one: Encoded) -> Encoded:
    """The same in single precision, apart from what gradients flow through."""
    return Encoded(one.tokens.detach().float(), one.mask, one.pooled.detach().float(), one.places)


def coefficients(confidence: Mapping[str, float], alpha: float) -> dict[str, float]:
    """1 - tanh(alpha · (ratio - 1)) for views with more confidence than the mean of the others, 1 for the rest.

    >>> coefficients({"image": 0.2, "audio": 0.2}, alpha=1.0)
    {'image': 1.0, 'audio': 1.0}
    """
    result = {}
    for view, own in confidence.items():
        others = [value for name, value in confidence.items() if name != view]
        ratio = own / max(sum(others) / len(others), 1e-8) if others else 1.0
        result[view] = 1.0 - float(torch.tensor(alpha * max(0.0, ratio - 1.0)).tanh())
    return result


def certainty(raw: torch.Tensor, target: torch.Tensor, task: Task) -> torch.Tensor:
    """What raw outputs give the truth, (rows,), from 0 to 1: exp(-loss) of each row."""
    if task.is_classification:
        loss = nn.functional.cross_entropy(raw, target, reduction="none")
    elif task.kind == "multilabel":
        loss = nn.functional.binary_cross_entropy_with_logits(raw, target, reduction="none").mean(dim=1)
    else:
        loss = nn.functional.smooth_l1_loss(raw, target, reduction="none").mean(dim=1)
    return torch.exp(-loss)
