"""An offset: what the views' own predictors say, put together, which a fused network starts from and adds to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from scipy.optimize import minimize
from torch import nn

from fusible.networks._base import drop_views
from fusible.networks.joint import Joint
from fusible.types import ViewBatch

RIDGE = 1.0
"""Rows' worth of belief that views are independent given the target."""


class Offset(nn.Module):
    """Prior plus the evidence of present views, each weighed by which others are there; (rows, outputs).

    Evidence is the log-odds that a view's own predictor adds to the prior's, or the difference from the mean of a
    value. A view v counts fully, and w_vu more (less, where u says the same again) for every other view u present: with
    all w_vu at 0 this is Bayes' rule for views that are independent given the target, and a view alone says what its
    own predictor says.

    `views` are those that have evidence.

    >>> offset = Offset(("a", "b"), 2)
    >>> evidence = torch.tensor([[[1.0, -1.0], [0.5, 0.0]]])
    >>> offset(evidence, torch.tensor([[True, True]])), offset(evidence, torch.tensor([[False, True]]))
    (tensor([[ 1.5000, -1.0000]]), tensor([[0.5000, 0.0000]]))
    """

    prior: torch.Tensor
    weights: torch.Tensor

    def __init__(self, views: Sequence[str], outputs: int) -> None:
        super().__init__()
        self.views = tuple(views)
        self.register_buffer("prior", torch.zeros(outputs))
        self.register_buffer("weights", torch.eye(len(self.views)))

    def forward(self, evidence: torch.Tensor, presence: torch.Tensor) -> torch.Tensor:
        """Put together: evidence (rows, views, outputs), presence (rows, views) bool -> (rows, outputs)."""
        return self.prior + gathered(evidence, presence, self.weights)

    @torch.no_grad()
    def take(self, prior: torch.Tensor, weights: torch.Tensor) -> None:
        """Take over a prior (outputs,), in log-odds or as a value, and weights (views, views)."""
        self.prior.copy_(prior)
        self.weights.copy_(weights)


def gathered(evidence: torch.Tensor, presence: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum of weighed evidence (rows, outputs); nothing that an absent view holds counts."""
    there = presence.to(evidence.dtype)
    heard = torch.where(presence.unsqueeze(-1), evidence, 0.0)
    return torch.einsum("rv,rvo->ro", there * (there @ weights.T), heard)


def fit_weights(
    evidence: torch.Tensor,
    presence: torch.Tensor,
    prior: torch.Tensor,
    target: torch.Tensor,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Weights (views, views) of an `Offset` of least loss, on predictions for rows that the predictors did not see.

    Only rows with two views or more tell of them. Off the diagonal they are at most 0 and at least -1 / (views - 1): a
    view counts between nothing and fully, and never against itself, as predictors of few rows would seem to. The loss
    is convex in the weights; L-BFGS-B (Byrd et al. 1995), in double precision.
    """
    views = evidence.shape[1]
    alone = torch.eye(views, dtype=torch.float64)
    rows = presence.sum(dim=1) >= 2
    if not rows.any():
        return alone
    evidence, presence, target = evidence[rows], presence[rows], target[rows]
    target = target.double() if target.is_floating_point() else target
    others = ~alone.bool()

    def weights(flat: np.ndarray) -> torch.Tensor:
        return alone.masked_scatter(others, torch.from_numpy(flat))

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        tried = weights(flat).requires_grad_()
        total = loss(prior + gathered(evidence, presence, tried), target)
        total = total + RIDGE / len(target) * (tried - alone).square().sum()
        (slope,) = torch.autograd.grad(total, tried)
        return float(total.detach()), slope[others].numpy()

    number = views * (views - 1)
    found = minimize(value, np.zeros(number), jac=True, method="L-BFGS-B", bounds=[(-1 / (views - 1), 0.0)] * number)
    return weights(found.x) if np.isfinite(found.x).all() else alone


class OffsetJoint(Joint):
    """A joint network that adds to an `Offset`: silenced, before it is trained, it says what the views' predictors say.

    So no operator begins below the best view alone, also where it sees less of a view than its own predictor does (256
    numbers of a text, of which the predictor sees all terms). `adds` (1 + views,) bool says where it adds: in rows with
    two views or more, and in those with each view alone. Batches hold `evidence` of all views; those that are hidden in
    training give none. `starts` (views,) bool says whose evidence counts beside other views'; of the others, whose
    predictors know their training rows by heart, it counts only where they are alone and nothing is added. Parameters
    as those of `Joint`.
    """

    adds: torch.Tensor
    starts: torch.Tensor

    def __init__(self, encoders: Mapping[str, nn.Module], operator: nn.Module, outputs: int, **training: float) -> None:
        super().__init__(encoders, operator, outputs, **training)
        self.offset = Offset(self.views, outputs)
        self.register_buffer("adds", torch.ones(1 + len(self.views), dtype=torch.bool))
        self.register_buffer("starts", torch.ones(len(self.views), dtype=torch.bool))

    def silence(self) -> None:
        """Let the head begin by adding nothing.

        Only where an offset is worth keeping: until a head of zeros has moved, nothing below it learns, which on few
        rows costs more than it saves.
        """
        nn.init.zeros_(self.head.linear.weight)
        nn.init.zeros_(self.head.linear.bias)

    def forward(self, batches: Mapping[str, ViewBatch]) -> torch.Tensor:
        """Outputs (rows, outputs): the offset and what the fused views add to it."""
        encoded, presence = self.encode(batches)
        if self.training and self.modality_dropout:
            presence = drop_views(presence, self.modality_dropout)
        adds = self.adds[case(presence)].unsqueeze(1)
        added = torch.where(adds, self.head(self.fused(encoded, presence)), 0.0)
        evidence = torch.stack([_evidence(batches, view) for view in self.views], dim=1)
        said: torch.Tensor = self.offset(evidence, heard(presence, self.starts, adds))
        return added + said


def case(presence: torch.Tensor) -> torch.Tensor:
    """Which case rows are, by presence (rows, views): 0 with two views or more, or none; 1 + the view that is alone.

    >>> case(torch.tensor([[True, True], [True, False], [False, True]]))
    tensor([0, 1, 2])
    """
    return torch.where(presence.sum(dim=1) == 1, 1 + presence.int().argmax(dim=1), 0)


def heard(presence: torch.Tensor, starts: torch.Tensor, adds: torch.Tensor) -> torch.Tensor:
    """Whose evidence counts, bool (rows, views): present views that start, and one that is alone if nothing is added.

    `starts` (views,) bool; `adds` (rows, 1) bool.
    """
    alone = presence.sum(dim=1, keepdim=True) == 1
    return presence & (starts | (alone & ~adds))


def _evidence(batches: Mapping[str, ViewBatch], view: str) -> torch.Tensor:
    evidence = batches[view].evidence
    if evidence is None:
        raise TypeError(f"view {view!r}: its batch lacks the evidence that the offset adds up: give its feed some")
    return evidence
