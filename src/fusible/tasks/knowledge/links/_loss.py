"""Cross entropy of queries that have several answers each, and vectors picked from a table that is also used whole.

Both are what autograd would do, with fewer passes over what is as large as a table of entities.
"""

from __future__ import annotations

from typing import Any

import torch


class CrossEntropy(torch.autograd.Function):
    """Mean over answers of the cross entropy of scores (rows, entities).

    Answer `i` is the entity `answers[i]` of row `asked[i]`; `counts` (rows,) are answers per row. `smoothing` is the
    share of the target that all entities have alike.

    >>> scores = torch.zeros(2, 4, requires_grad=True)
    >>> asked, answers = torch.tensor([0, 0, 1]), torch.tensor([1, 2, 3])
    >>> float(CrossEntropy.apply(scores, asked, answers, torch.tensor([2, 1]), 0.0).detach().exp())
    4.0
    """

    @staticmethod
    def forward(
        ctx: Any,
        scores: torch.Tensor,
        asked: torch.Tensor,
        answers: torch.Tensor,
        counts: torch.Tensor,
        smoothing: float,
    ) -> torch.Tensor:
        """The loss, a scalar."""
        chances = scores.log_softmax(dim=1)
        ctx.save_for_backward(chances, asked, answers, counts)
        ctx.smoothing = smoothing
        found = -chances[asked, answers].mean()
        if smoothing:
            even = (chances.mean(dim=1) * counts).sum() / len(answers)
            found = (1 - smoothing) * found - smoothing * even
        return found

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradient of the scores alone."""
        chances, asked, answers, counts = ctx.saved_tensors
        share = (slope / len(answers)).to(chances.dtype)
        weights = (counts * share)[:, None]
        found = chances.exp().mul_(weights)
        if ctx.smoothing:
            found -= weights * (ctx.smoothing / chances.shape[1])
        own = (-(1 - ctx.smoothing) * share).expand(len(answers))
        found.view(-1).index_add_(0, asked * chances.shape[1] + answers, own)
        return found, None, None, None, None


class Picked(torch.autograd.Function):
    """Rows (ids, width) of a table, and the table: one gradient is made of both, without a table of zeros.

    The gradient of the table is added to in place: what the table is used in must not hand it to anything else, as
    an addition would. A matrix product does not.

    >>> ends, table = Picked.apply(torch.eye(3), torch.tensor([2, 0]))
    >>> ends.tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    @staticmethod
    def forward(ctx: Any, table: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows and table."""
        ctx.save_for_backward(ids)
        return table.index_select(0, ids), table.view_as(table)

    @staticmethod
    def backward(ctx: Any, rows: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Gradient of the table."""
        (ids,) = ctx.saved_tensors
        return whole.index_add_(0, ids, rows), None
