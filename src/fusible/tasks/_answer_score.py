"""Scoring answers on validation and test rows: candidates, blind baselines, calibration, types, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fusible.evaluation import bootstrap
from fusible.evaluation.answered import Group
from fusible.evaluation.calibration import apply_temperature, temperature
from fusible.evaluation.metrics import decide
from fusible.evaluation.study import Score
from fusible.tasks._answer_data import AnswerTable
from fusible.tasks._answer_types import question_type
from fusible.tasks.context import Fitted
from fusible.types import Task

METRIC = "accuracy"
FREQUENT, FREQUENT_BY_TYPE = "most frequent answer", "most frequent answer per question type"


@dataclass(slots=True)
class Scored:
    """Probabilities of one way of answering, over all validation and all test rows: (rows, classes)."""

    name: str
    kind: str
    valid: np.ndarray
    test: np.ndarray
    fitted: Fitted | None = None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """How scores become confidences: logits divided by `temperature`, and all multiplied by `known`.

    `known` is the share of validation rows whose answer training saw: of the others no answer can be right.
    """

    temperature: float
    known: float

    def __call__(self, scores: np.ndarray, task: Task) -> np.ndarray:
        """Confidence in each answer, (rows, classes); a row sums to `known`."""
        confidence: np.ndarray = self.known * apply_temperature(scores, self.temperature, task)
        return confidence


def scored(table: AnswerTable, fitted: Fitted, kind: str) -> Scored:
    """Score a fitted strategy on all validation rows (held out anyway) and all test rows."""
    source, split = table.context.source, table.split
    valid = fitted.held_out[split.valid].copy()
    lacking = ~np.isfinite(valid).all(axis=1)
    if lacking.any():
        valid[lacking] = fitted.node.scores(source, split.valid[lacking])
    return Scored(fitted.name, kind, valid, fitted.node.scores(source, split.test), fitted)


def frequent(table: AnswerTable, types: Sequence[str]) -> list[Scored]:
    """Score baselines that see nothing, or only the question's type: shares of answers among training rows.

    A type that training does not have gets the shares of all rows.
    """
    context, split = table.context, table.split
    kinds = np.array([question_type(question, types) for question in table.questions])
    train = context.split.train
    shares = dict.fromkeys(np.unique(kinds).tolist(), context.prior)
    for kind in np.unique(kinds[train]).tolist():
        inside = train[kinds[train] == kind]
        shares[kind] = np.bincount(table.truth[inside], minlength=context.task.outputs) / len(inside)

    def by_type(rows: np.ndarray) -> np.ndarray:
        return np.stack([shares[kind] for kind in kinds[rows]])

    def plain(rows: np.ndarray) -> np.ndarray:
        return np.tile(context.prior, (len(rows), 1))

    return [
        Scored(name, "baseline", give(split.valid), give(split.test))
        for name, give in ((FREQUENT_BY_TYPE, by_type), (FREQUENT, plain))
    ]


def right(scores: np.ndarray, truth: np.ndarray, task: Task) -> np.ndarray:
    """Bool (rows,): whether the most probable class is the truth, which of an unseen answer (-1) it never is."""
    return np.asarray(decide(task, scores) == truth)


def best(found: Sequence[Scored], truth: np.ndarray, task: Task) -> Scored:
    """Return the one with the most right answers on validation rows, of equal ones that with the least log-loss."""
    seen = truth >= 0

    def rank(one: Scored) -> tuple[float, float]:
        chance = one.valid[seen][np.arange(int(seen.sum())), truth[seen]]
        return float(right(one.valid, truth, task).mean()), float(np.log(np.clip(chance, 1e-12, 1.0)).mean())

    return max(found, key=rank)


def calibrate(scores: np.ndarray, truth: np.ndarray, task: Task) -> Calibrated:
    """Fit the calibration on validation rows."""
    seen = truth >= 0
    return Calibrated(temperature(scores[seen], truth[seen], task), float(seen.mean()))


def interval(scores: np.ndarray, truth: np.ndarray, task: Task, seed: int) -> Score:
    """Accuracy with its interval, over rows of which some may have an unseen answer."""
    return bootstrap.interval(METRIC, task, truth, scores, seed=seed)


def groups(
    names: Sequence[str], model: np.ndarray, baseline: np.ndarray, truth: np.ndarray, task: Task, seed: int
) -> list[Group]:
    """Accuracy by group of test rows, the largest group first; `names` (rows,) says which group a row is in."""
    found, counts = np.unique(np.asarray(names), return_counts=True)
    result = []
    for place in np.lexsort((found, -counts)):
        inside = np.asarray(names) == found[place]
        score = interval(model[inside], truth[inside], task, seed)
        blind = float(right(baseline[inside], truth[inside], task).mean())
        result.append(Group(str(found[place]), int(counts[place]), score, blind))
    return result
