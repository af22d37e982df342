"""An offset: what the views' own predictors say, put together, which a fused network starts from and adds to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from fusible.networks._base import drop_views
from fusible.networks.joint import Joint
from fusible.types import ViewBatch

RIDGE = 1.0
"""Rows' worth of belief that views are independent given the target."""
STEPS = 200


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

    Only rows with two views or more tell of them. The loss is convex in the weights; L-BFGS, in double precision.
    """
    alone = torch.eye(evidence.shape[1], dtype=torch.float64)
    rows = presence.sum(dim=1) >= 2
    if not rows.any():
        return alone
    evidence, presence, target = evidence[rows], presence[rows], target[rows]
    target = target.double() if target.is_floating_point() else target
    together = torch.zeros_like(alone, requires_grad=True)
    optimiser = torch.optim.LBFGS([together], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        weights = torch.where(alone.bool(), alone, together)
        value = loss(prior + gathered(evidence, presence, weights), target)
        value = value + RIDGE / len(target) * together.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    found = torch.where(alone.bool(), alone, together.detach())
    return found if bool(torch.isfinite(found).all()) else alone


class OffsetJoint(Joint):
    """A joint network that adds to an `Offset`: before it is trained it says what the views' own predictors say.

    So no operator begins below the best view alone, also where it sees less of a view than its own predictor does (256
    numbers of a text, of which the predictor sees all terms). Where one view alone is there, nothing is fused and
    nothing is added. Batches of the views in `offset` hold `evidence`; views that are hidden in training give none.
    Parameters as those of `Joint`.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        operator: nn.Module,
        outputs: int,
        offset: Sequence[str],
        dropout: float = 0.1,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__(encoders, operator, outputs, dropout, modality_dropout)
        self.offset = Offset(offset, outputs)
        self.places = [self.views.index(view) for view in offset]
        self.add_nothing()

    def add_nothing(self) -> None:
        """Say what the offset says, and nothing else."""
        nn.init.zeros_(self.head.linear.weight)
        nn.init.zeros_(self.head.linear.bias)

    def forward(self, batches: Mapping[str, ViewBatch]) -> torch.Tensor:
        """Outputs (rows, outputs): the offset and what the fused views add to it."""
        encoded, presence = self.encode(batches)
        if self.training and self.modality_dropout:
            presence = drop_views(presence, self.modality_dropout)
        several = presence.sum(dim=1, keepdim=True) >= 2
        added = torch.where(several, self.head(self.fused(encoded, presence)), 0.0)
        evidence = torch.stack([_evidence(batches, view) for view in self.offset.views], dim=1)
        said: torch.Tensor = self.offset(evidence, presence[:, self.places])
        return added + said


def _evidence(batches: Mapping[str, ViewBatch], view: str) -> torch.Tensor:
    evidence = batches[view].evidence
    if evidence is None:
        raise TypeError(f"view {view!r}: its batch lacks the evidence that the offset adds up: give its feed some")
    return evidence
