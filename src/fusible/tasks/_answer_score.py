"""Scoring answers on validation and test rows: candidates, blind baselines, calibration, types, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fusible.evaluation.answered import Group
from fusible.evaluation.calibration import apply_temperature, temperature
from fusible.evaluation.metrics import decide
from fusible.evaluation.ratio import Ratio, interval
from fusible.tasks._answer_data import AnswerTable
from fusible.tasks._answer_types import question_type
from fusible.tasks.context import Fitted
from fusible.types import Task

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

    `known` is what the best of the model's answers earns on validation rows, on average: where each row has one answer,
    the share of rows whose answer the model knows.
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
    train, split = table.context.split.train, table.split
    kinds = np.array([question_type(question, types) for question in table.questions])
    every = _shares(table, train)
    shares = dict.fromkeys(np.unique(kinds).tolist(), every)
    shares |= {kind: _shares(table, train[kinds[train] == kind]) for kind in np.unique(kinds[train]).tolist()}

    def by_type(rows: np.ndarray) -> np.ndarray:
        return np.stack([shares[kind] for kind in kinds[rows]])

    def plain(rows: np.ndarray) -> np.ndarray:
        return np.tile(every, (len(rows), 1))

    return [
        Scored(name, "baseline", give(split.valid), give(split.test))
        for name, give in ((FREQUENT_BY_TYPE, by_type), (FREQUENT, plain))
    ]


def _shares(table: AnswerTable, rows: np.ndarray) -> np.ndarray:
    """What answers earn in some rows, as shares: (classes,)."""
    total = np.asarray(table.gains[rows].sum(axis=0), float).reshape(-1)
    return np.asarray(total / total.sum())


def earned(table: AnswerTable, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """What the most probable class earns in each row, (rows,): 1 where it is right, of an unknown answer always 0."""
    return table.earned(rows, decide(table.context.task, scores))


def best(found: Sequence[Scored], table: AnswerTable) -> Scored:
    """Return the one that earns most on validation rows, of equal ones that with the least log-loss."""
    rows = table.split.valid
    truth = table.truth[rows]
    seen = truth >= 0

    def rank(one: Scored) -> tuple[float, float]:
        chance = one.valid[seen][np.arange(int(seen.sum())), truth[seen]]
        return float(earned(table, rows, one.valid).mean()), float(np.log(np.clip(chance, 1e-12, 1.0)).mean())

    return max(found, key=rank)


def calibrate(scores: np.ndarray, table: AnswerTable) -> Calibrated:
    """Fit the calibration on validation rows."""
    rows = table.split.valid
    truth = table.truth[rows]
    most = np.where(truth >= 0, table.earned(rows, np.maximum(truth, 0)), 0.0)
    seen = truth >= 0
    return Calibrated(temperature(scores[seen], truth[seen], table.context.task), float(most.mean()))


def groups(names: Sequence[str], model: np.ndarray, baseline: np.ndarray, seed: int) -> list[Group]:
    """What answers of the model and of the baseline (rows,) earn, by group of test rows, the largest group first.

    `names` (rows,) says which group a row is in.
    """
    found, counts = np.unique(np.asarray(names), return_counts=True)
    result = []
    for place in np.lexsort((found, -counts)):
        inside = np.asarray(names) == found[place]
        score = interval(Ratio.mean(model[inside]), seed=seed)
        result.append(Group(str(found[place]), int(counts[place]), score, float(baseline[inside].mean())))
    return result
