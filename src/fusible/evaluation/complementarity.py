"""Do views err on different rows? Pairwise measures of diversity (Kuncheva & Whitaker, Machine Learning 51, 2003).

Fusing can gain where one view is right and another wrong, and nothing where all err alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from fusible.evaluation.metrics import checked, decide
from fusible.evaluation.study import StudyResult, plain
from fusible.types import Task


@dataclass(frozen=True, slots=True)
class Pair:
    """How often each of two predictions is right, in counts of decisions: rows, or labels of rows.

    `both`, `only_a`, `only_b` and `neither` sum to `count`.
    """

    a: str
    b: str
    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def count(self) -> int:
        """Number of decisions."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def oracle(self) -> float:
        """Accuracy of one who knew which of the two to ask: the bound of choosing between them."""
        return 1.0 - self.double_fault

    @property
    def double_fault(self) -> float:
        """Share on which both are wrong."""
        return self.neither / self.count

    @property
    def disagreement(self) -> float:
        """Share on which exactly one is right."""
        return (self.only_a + self.only_b) / self.count

    @property
    def q(self) -> float | None:
        """Yule's Q in [-1, 1]: 1 where the same rows are right, 0 if independent; None where it is not defined."""
        alike, unlike = self.both * self.neither, self.only_a * self.only_b
        return (alike - unlike) / (alike + unlike) if alike + unlike else None

    def to_json(self) -> dict[str, Any]:
        """Counts and measures as plain values."""
        measures = {name: getattr(self, name) for name in ("oracle", "double_fault", "disagreement", "q")}
        return {key: plain(value) for key, value in {**asdict(self), **measures}.items()}


@dataclass(frozen=True, slots=True)
class ValuePair:
    """How alike the errors of two predictions of values are.

    `correlation` is Pearson's of the residuals (None where one is constant), `a_closer` the share of rows in which `a`
    is nearer to the truth (ties count half).
    """

    a: str
    b: str
    correlation: float | None
    a_closer: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {key: plain(value) for key, value in asdict(self).items()}


def complementarity(
    task: Task,
    target: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    thresholds: Mapping[str, float | None] | None = None,
) -> list[Pair] | list[ValuePair]:
    """Compare every two predictions of the same rows, in the order given; shapes and errors as in `metrics.score`.

    Of several labels, each label of a row is a decision.

    >>> sure = np.array([[0.9, 0.1], [0.9, 0.1]])
    >>> task = Task("binary", ("no", "yes"))
    >>> pair = complementarity(task, np.array([0, 1]), {"text": sure, "image": sure[:, ::-1]})[0]
    >>> pair.only_a, pair.only_b, pair.oracle, pair.q
    (1, 1, 1.0, -1.0)
    """
    if task.kind == "regression":
        residuals = {name: _residual(task, target, given) for name, given in predictions.items()}
        return [_value_pair(a, b, residuals[a], residuals[b]) for a, b in combinations(predictions, 2)]
    cuts = thresholds or {}
    right = {name: correct(task, target, given, cuts.get(name)) for name, given in predictions.items()}
    return [_pair(a, b, right[a], right[b]) for a, b in combinations(predictions, 2)]


def correct(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Whether each decision is right: bool (rows,), or (rows, labels) of several labels."""
    target, prediction = checked(task, target, prediction)
    return np.asarray(decide(task, prediction, threshold) == target)


def of_study(result: StudyResult) -> list[Pair] | list[ValuePair]:
    """Compare the single views of a study on its test rows."""
    singles = [row for row in result.strategies if row.family == "single" and row.name in result.predictions]
    given = {row.name: result.predictions[row.name] for row in singles}
    return complementarity(result.task, result.truth, given, {row.name: row.threshold for row in singles})


def _pair(a: str, b: str, first: np.ndarray, second: np.ndarray) -> Pair:
    counts = np.bincount((2 * first + second).ravel(), minlength=4).tolist()
    return Pair(a, b, both=counts[3], only_a=counts[2], only_b=counts[1], neither=counts[0])


def _residual(task: Task, target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    target, prediction = checked(task, target, prediction)
    return np.asarray(target - prediction[:, 0])


def _value_pair(a: str, b: str, first: np.ndarray, second: np.ndarray) -> ValuePair:
    one, two = first - first.mean(), second - second.mean()
    size = float(np.linalg.norm(one) * np.linalg.norm(two))
    closer, level = np.abs(first) < np.abs(second), np.abs(first) == np.abs(second)
    return ValuePair(a, b, float(one @ two) / size if size > 0 else None, float((closer + 0.5 * level).mean()))
