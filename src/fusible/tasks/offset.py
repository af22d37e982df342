"""Offsets: what each view's own predictor says, as the start of every feature-level strategy.

Stacking and boosting in one: held-out predictions of the single views, put together by few weights (Wolpert, "Stacked
generalization", 1992), are the offset to which operator and head add what they see beyond it (Friedman, "Greedy
function approximation: a gradient boosting machine", 2001).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from fusible.encoders._linear import losses_of
from fusible.networks._offset import Offset, OffsetJoint, case, fit_weights, heard
from fusible.tasks.context import Context, Fitted
from fusible.tasks.evidence import evidence, outputs_of
from fusible.tasks.nodes import NetworkNode, Node, activate
from fusible.tasks.source import Source
from fusible.training.feed import Feed


@dataclass(frozen=True, slots=True)
class OwnScores:
    """What the best strategy of each single view says, put together.

    `nodes` {view: its strategy}; `evidence` {view: (rows of the table, outputs)}, held out in training and validation
    rows, zero where there is none; `starts` (views,) bool: which views have it for training rows; `offset` puts it
    together; `scores` (rows of the table, outputs) is what that says, NaN outside of training and validation rows.
    """

    nodes: dict[str, Node]
    evidence: dict[str, np.ndarray]
    starts: torch.Tensor
    offset: Offset
    scores: np.ndarray

    def on(self, feeds: Mapping[str, Feed]) -> dict[str, Feed]:
        """The feeds, with evidence."""
        return {v: replace(feed, evidence=self.evidence[v]) for v, feed in feeds.items()}

    @property
    def tells(self) -> bool:
        """Whether the offset of several views is more than the prior: whether any view's evidence counts in it."""
        return bool(self.starts.any())

    def start(self, network: OffsetJoint) -> None:
        """Give a network its offset, to begin with if that tells something."""
        network.offset.load_state_dict(self.offset.state_dict())
        network.starts.copy_(self.starts)
        if self.tells:
            network.silence()

    def cases(self, source: Source) -> np.ndarray:
        """Which case of `OffsetJoint.adds` each row of a source is."""
        rows = np.arange(source.dataset.rows)
        presence = np.stack([node.presence(source, rows) for node in self.nodes.values()], axis=1)
        return np.asarray(case(torch.from_numpy(presence)).numpy())

    def settle(self, context: Context, node: NetworkNode, held_out: np.ndarray) -> str:
        """Let a trained network add only where held-out rows confirm it, by one standard error; a note on where not.

        Rows with two views or more are judged by `held_out` (rows of the table, outputs), which is changed in place to
        what the network then says, and not at all where it has nothing but the prior to add to; a view alone by
        validation rows that hold it, the others hidden. Without such rows a view alone is left to its own predictor.
        """
        network: Any = node.network
        known = np.flatnonzero(np.isfinite(held_out).all(axis=1))
        several = known[self.cases(context.source)[known] == 0]
        adds = [not self.tells or _gains(context, several, self.scores[several], held_out[several])]
        for view, own in self.nodes.items():
            hidden = {name: np.ones(context.source.dataset.rows, bool) for name in self.nodes if name != view}
            alone = context.source.hiding(hidden)
            rows = context.split.valid[own.presence(alone, context.split.valid)]
            gains = _gains(context, rows, own.scores(alone, rows), node.scores(alone, rows))
            adds.append(len(rows) > 0 and gains)
        network.adds.copy_(torch.tensor(adds))
        kept = np.array(adds)[self.cases(context.source)[known]]
        held_out[known] = np.where(kept[:, None], held_out[known], self.scores[known])
        return _note(adds[0], [view for view, added in zip(self.nodes, adds[1:], strict=True) if not added])


def _note(several: bool, silent: list[str]) -> str:
    """Say where a network adds nothing; empty where it adds everywhere. `silent` are views that, alone, get nothing."""
    said = [] if several else ["of several views it says what each says alone, put together"]
    if silent:
        said.append(f"where {' or '.join(silent)} is all there is, it says what that view's own predictor says")
    return f"{'; '.join(said)}: held-out rows confirm no more" if said else ""


def own_scores(context: Context, best: Mapping[str, Fitted], views: Sequence[str]) -> OwnScores:
    """Gather what the best single strategies of some views say.

    A view whose encoder is trained from scratch is fitted once, not on folds: what it says of training rows it knows by
    heart, which is more than it will say of new rows.
    """
    split, task = context.split, context.task
    nodes = {view: best[view].node for view in views}
    starts = torch.tensor([bool(np.isfinite(best[view].held_out[split.train]).all()) for view in views])
    gathered = {v: _zero_where_unknown(evidence(best[v].held_out, context.prior, task)) for v in views}
    offset, prior = Offset(views, task.outputs).double(), torch.from_numpy(outputs_of(context.prior, task))
    told, presence = _told(context, nodes, gathered, split.train)
    target = context.tensor()[split.train]
    offset.take(prior, fit_weights(told, presence & starts, prior, target, context.loss()))
    known = np.concatenate([split.train, split.valid])
    told, presence = _told(context, nodes, gathered, known)
    said = offset(told, heard(presence, starts, torch.zeros(len(known), 1, dtype=torch.bool)))
    scores = np.full((context.source.dataset.rows, task.outputs), np.nan)
    scores[known] = activate(said.numpy(), task)
    return OwnScores(nodes, gathered, starts, offset, scores)


def _gains(context: Context, rows: np.ndarray, before: np.ndarray, after: np.ndarray) -> bool:
    """Whether predictions lose less than others by more than one standard error over rows; true where there is none."""
    if not len(rows):
        return True
    truth, task = context.learned[rows], context.task
    gain = losses_of(before, truth, task) - losses_of(after, truth, task)
    return bool(gain.mean() > gain.std() / np.sqrt(len(rows)))


def _told(
    context: Context, nodes: Mapping[str, Node], gathered: Mapping[str, np.ndarray], rows: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """Evidence (rows, views, outputs) in double precision, and presence (rows, views)."""
    presence = np.stack([node.presence(context.source, rows) for node in nodes.values()], axis=1)
    told = np.stack([gathered[view][rows] for view in nodes], axis=1)
    return torch.from_numpy(told).double(), torch.from_numpy(presence)


def _zero_where_unknown(found: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(found), found, 0.0).astype(np.float32)
