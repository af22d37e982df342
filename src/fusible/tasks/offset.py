"""Offsets: what each view's own predictor says, as the start of every feature-level strategy.

Stacking and boosting in one: held-out predictions of the single views, put together by few weights (Wolpert, "Stacked
generalization", 1992), are the offset to which operator and head add what they see beyond it (Friedman, "Greedy
function approximation: a gradient boosting machine", 2001).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from fusible.encoders._linear import losses_of
from fusible.networks._offset import Offset, OffsetJoint, fit_weights
from fusible.tasks.context import Context, Fitted
from fusible.tasks.evidence import evidence, outputs_of
from fusible.tasks.nodes import Node, activate
from fusible.training.feed import Feed


@dataclass(frozen=True, slots=True)
class OwnScores:
    """What the best strategy of each single view says, put together.

    `nodes` {view: its strategy}; `evidence` {view: (rows of the table, outputs)}, of training rows held out where the
    strategy has such predictions; `offset` puts it together; `scores` (rows of the table, outputs) is what that says,
    NaN outside of training and validation rows.
    """

    nodes: dict[str, Node]
    evidence: dict[str, np.ndarray]
    offset: Offset
    scores: np.ndarray

    def on(self, feeds: Mapping[str, Feed]) -> dict[str, Feed]:
        """The feeds, with evidence."""
        return {v: replace(feed, evidence=self.evidence[v]) for v, feed in feeds.items()}

    def start(self, network: OffsetJoint) -> None:
        """Give a network its offset."""
        network.offset.load_state_dict(self.offset.state_dict())

    def surpassed(self, context: Context, held_out: np.ndarray) -> bool:
        """Whether held-out predictions lose less than the offset, by more than one standard error over their rows."""
        rows = np.flatnonzero(np.isfinite(held_out).all(axis=1) & np.isfinite(self.scores).all(axis=1))
        if not len(rows):
            return True
        truth = context.learned[rows]
        gain = losses_of(self.scores[rows], truth, context.task) - losses_of(held_out[rows], truth, context.task)
        return bool(gain.mean() > gain.std() / np.sqrt(len(rows)))


def own_scores(context: Context, best: Mapping[str, Fitted], views: Sequence[str]) -> OwnScores:
    """Gather what the best single strategies of some views say.

    A view whose encoder is trained from scratch is fitted once, not on folds: of training rows it says what it knows by
    heart. How much the views count is then learned on validation rows, else on training rows.
    """
    split, task = context.split, context.task
    nodes = {view: best[view].node for view in views}
    said = {view: best[view].held_out.copy() for view in views}
    by_heart = [view for view in views if not np.isfinite(said[view][split.train]).all()]
    for view in by_heart:
        said[view][split.train] = nodes[view].scores(context.source, split.train)
    rows = split.valid if by_heart else split.train
    gathered = {v: _zero_where_unknown(evidence(scores, context.prior, task)) for v, scores in said.items()}
    offset = Offset(views, task.outputs).double()
    prior = torch.from_numpy(outputs_of(context.prior, task))
    offset.take(prior, torch.eye(len(views)))
    if len(rows):
        target = context.tensor()[rows]
        offset.take(prior, fit_weights(*_told(context, nodes, gathered, rows), prior, target, context.loss()))
    known = np.concatenate([split.train, split.valid])
    scores = np.full((context.source.dataset.rows, task.outputs), np.nan)
    scores[known] = activate(offset(*_told(context, nodes, gathered, known)).numpy(), task)
    return OwnScores(nodes, gathered, offset, scores)


def _told(
    context: Context, nodes: Mapping[str, Node], gathered: Mapping[str, np.ndarray], rows: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """Evidence (rows, views, outputs) in double precision, and presence (rows, views)."""
    presence = np.stack([node.presence(context.source, rows) for node in nodes.values()], axis=1)
    told = np.stack([gathered[view][rows] for view in nodes], axis=1)
    return torch.from_numpy(told).double(), torch.from_numpy(presence)


def _zero_where_unknown(found: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(found), found, 0.0).astype(np.float32)
