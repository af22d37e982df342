"""What every strategy of a study is fitted with: one table, one split, one target, one seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import nn

from fusible.data.split import Split
from fusible.ensembles._base import prior
from fusible.evaluation import metrics
from fusible.networks._base import Network
from fusible.tasks.nodes import Node, activate
from fusible.tasks.source import Progress, Source, stage
from fusible.tasks.target import Target
from fusible.training.feed import Feed
from fusible.training.loop import History, Loss, TrainSettings, outputs, train
from fusible.training.modulate import Modulated
from fusible.types import Task, View

FOLDS = 5
SMALLEST = 1e-9


@dataclass(slots=True)
class Context:
    """The study's fixed parts. `learned` holds the target in learned units, one entry per row of the table."""

    source: Source
    split: Split
    target: Target
    learned: np.ndarray
    metric: str
    seed: int = 0
    device: str = "cpu"
    progress: Progress | None = None
    notes: list[str] = field(default_factory=list)
    tried: list[dict[str, Any]] = field(default_factory=list)
    """What a search within a budget tried."""
    groups: np.ndarray | None = None
    """Rows that folds keep together, where they are more than those of the table's `group` column."""
    soft: csr_matrix | None = None
    """What each class is worth in each row, (rows, classes), where several are right: what networks learn."""

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self.target.task

    @property
    def prior(self) -> np.ndarray:
        """Prediction without evidence, from training rows."""
        return prior(self.learned[self.split.train], self.task)

    def present(self, views: list[View], rows: np.ndarray) -> np.ndarray:
        """Those of `rows` in which at least one of the views is present."""
        kept: np.ndarray = rows[self.source.presence(views, rows).any(axis=1)]
        return kept

    def tensor(self) -> torch.Tensor:
        """The learned target as the loss wants it: classes, or shares of them where several are right."""
        if self.soft is not None:
            shares = self.soft.toarray().astype(np.float32)
            return torch.from_numpy(shares / np.maximum(shares.sum(axis=1, keepdims=True), SMALLEST))
        if self.task.is_classification:
            return torch.from_numpy(self.learned.astype(np.int64))
        values = torch.from_numpy(np.nan_to_num(self.learned.astype(np.float32)))
        return values if values.ndim == 2 else values.unsqueeze(1)

    def loss(self) -> Loss:
        """Cross-entropy, binary cross-entropy per label, or the smooth L1 of standardised values."""
        if self.task.is_classification:
            return nn.functional.cross_entropy
        if self.task.kind == "multilabel":
            return nn.functional.binary_cross_entropy_with_logits
        return nn.functional.smooth_l1_loss

    def score(self, truth: np.ndarray, scores: np.ndarray, threshold: float | None = None) -> float:
        """Score predictions in learned units, in original units, by the study's metric; greater is better."""
        value = metrics.score(
            self.metric, self.task, self.target.original(truth), self.target.backward(scores), threshold
        )
        return value * metrics.METRICS[self.metric].sign

    def folds(self, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Seeded (rest, fold) pairs of some rows, stratified by class and kept whole by group."""
        groups = self.source.dataset.group_values() if self.groups is None else self.groups
        return folds(rows, self.learned, groups, self.task, self.seed)

    def training_folds(self, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The (rest, fold) pairs of all training rows, cut to some: a row is in the same fold in every strategy."""
        return [(np.intersect1d(rest, rows), np.intersect1d(fold, rows)) for rest, fold in self.folds(self.split.train)]


@dataclass(slots=True)
class Fitted:
    """A fitted strategy and its predictions for rows that it was not fitted on.

    `held_out` (rows of the table, outputs) is NaN where only predictions of a model that saw the row exist.
    """

    name: str
    family: str
    node: Node
    held_out: np.ndarray
    seconds: float
    note: str = ""

    @property
    def known(self) -> np.ndarray:
        """Rows with a held-out prediction."""
        return np.flatnonzero(np.isfinite(self.held_out).all(axis=1))


def folds(
    rows: np.ndarray, target: np.ndarray, groups: np.ndarray | None, task: Task, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide rows into `FOLDS` seeded folds: stratified by class where there are classes, whole by group.

    There are fewer folds for fewer rows or groups, and none for a single row.
    """
    from sklearn.model_selection import GroupKFold, KFold

    number = min(FOLDS, len(rows))
    if number < 2:
        return []
    rng = np.random.default_rng(seed)
    kinds = 1 if groups is None else len(np.unique(groups[rows]))
    if groups is not None and kinds > 1:
        pairs = GroupKFold(min(number, kinds), shuffle=True, random_state=seed).split(rows, groups=groups[rows])
    elif task.is_classification:
        order = np.lexsort((rng.random(len(rows)), target[rows]))
        place = np.empty(len(rows), int)
        place[order] = np.arange(len(rows)) % number
        pairs = ((np.flatnonzero(place != k), np.flatnonzero(place == k)) for k in range(number))
    else:
        pairs = KFold(number, shuffle=True, random_state=seed).split(rows)
    return [(rows[rest], rows[fold]) for rest, fold in pairs]


def fit_network(
    context: Context,
    network: Network,
    feeds: dict[str, Feed],
    rows: np.ndarray,
    settings: TrainSettings,
    *,
    group_by: str | None = None,
    name: str = "",
    alpha: float = 0.0,
    noise: bool = False,
    watch: Callable[[History], Any] | None = None,
) -> None:
    """Train a network of the study, with early stopping on those validation rows in which a view is present.

    `watch` sees the history after every epoch; what it raises ends the training. With `alpha`, steps of encoders whose
    views are learned faster are modulated; see `Modulated`.
    """
    valid = context.split.valid
    seen = np.stack([feed.presence[valid] for feed in feeds.values()]).any(axis=0)
    modulated = Modulated(network, context.task, alpha, noise=noise) if alpha else None
    with stage(context.progress, f"train {name}", settings.epochs) as bar:

        def on_epoch(history: History) -> None:
            bar.advance()
            if watch is not None:
                watch(history)

        train(
            modulated or network,
            feeds,
            context.tensor(),
            rows,
            valid[seen],
            context.loss(),
            settings,
            seed=context.seed,
            device=context.device,
            group_by=group_by,
            mixed=len(network.encoders) > 0,
            on_epoch=on_epoch,
            after_backward=modulated.modulate if modulated else None,
        )


def network_scores(context: Context, network: nn.Module, feeds: dict[str, Feed], rows: np.ndarray) -> np.ndarray:
    """Scores (rows, outputs) of a network; the prior where every view is absent."""
    result = np.tile(context.prior, (len(rows), 1)).astype(np.float64)
    seen = np.stack([feed.presence[rows] for feed in feeds.values()]).any(axis=0)
    if seen.any():
        result[seen] = activate(outputs(network, feeds, rows[seen]), context.task)
    return result


def empty_scores(context: Context) -> np.ndarray:
    """An array (rows of the table, outputs) of NaN."""
    return np.full((context.source.dataset.rows, context.task.outputs), np.nan)
