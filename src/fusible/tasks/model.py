"""Models: one fitted strategy with the schema and target it needs, ready to predict, score and save."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusible.data.dataset import Dataset
from fusible.data.read import read
from fusible.errors import TargetError
from fusible.evaluation import metrics
from fusible.tasks.nodes import Node
from fusible.tasks.source import Progress, Source, stage
from fusible.tasks.target import Target
from fusible.types import Column, Problem, View

CHUNK = 2_048
"""Rows that are decoded, encoded and predicted at a time: memory stays flat in the number of rows."""


@dataclass(slots=True)
class Model:
    """A fitted strategy: `predict`, `predict_scores`, `evaluate`, `save`; from a folder by `fusible.load`."""

    node: Node
    target: Target
    columns: tuple[Column, ...]
    views: tuple[View, ...]
    metric: str
    threshold: float | None = None
    info: dict[str, Any] = field(default_factory=dict)
    card: str = ""

    def read(self, data: Any) -> Dataset:
        """Read a table by the schema of training: input columns must be there, the target may be absent."""
        dataset = read(data, like=self.columns)
        return replace(dataset, views={view.name: view for view in self.views})

    def predict_scores(self, data: Any, *, workers: int = 4, progress: Progress | None = None) -> np.ndarray:
        """Class or label probabilities (rows, outputs), or values (rows, 1) in original units."""
        dataset = self.read(data)
        scores, _ = self._scores(dataset, np.arange(dataset.rows), workers, progress)
        return scores

    def predict(self, data: Any, *, workers: int = 4, progress: Progress | None = None) -> pd.DataFrame:
        """One line per row: `prediction`, and for classes `probability_<class>`.

        Cells that cannot be read count as absent; `frame.attrs["problems"]` names them. A row with every view absent
        gets the prior.
        """
        dataset = self.read(data)
        scores, problems = self._scores(dataset, np.arange(dataset.rows), workers, progress)
        frame = self._frame(scores)
        frame.attrs["problems"] = [f"{p.column}: {p.message}" for p in problems]
        return frame

    def evaluate(self, data: Any, *, workers: int = 4, progress: Progress | None = None) -> dict[str, Any]:
        """Score the model on a table with its target: rows, metric, score with interval, further metrics."""
        from fusible.evaluation.bootstrap import interval

        dataset = self.read(data)
        truth, rows = self.labelled(dataset)
        scores, problems = self._scores(dataset, rows, workers, progress)
        score = interval(self.metric, self.target.task, truth[rows], scores, threshold=self.threshold)
        return {
            "task": self.target.task.kind,
            "metric": self.metric,
            "rows": len(rows),
            "rows_without_target": dataset.rows - len(rows),
            "score": asdict(score),
            "metrics": metrics.all_scores(self.target.task, truth[rows], scores, self.threshold),
            "strategy": self.node.name,
            "problems": [f"{p.column}: {p.message}" for p in problems],
        }

    def labelled(self, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
        """Targets of all rows, in original units, and the rows whose target training knew; raises where none is."""
        if self.target.column not in dataset.columns:
            raise TargetError(
                f"column {self.target.column!r} is not in the table; expected the target to score against"
            )
        truth = self.target.encode(dataset.to_pandas([self.target.column])[self.target.column])
        known = np.isfinite(truth) if truth.dtype.kind == "f" else truth.reshape(len(truth), -1)[:, 0] >= 0
        rows = np.flatnonzero(known)
        if not len(rows):
            raise TargetError(f"target {self.target.column!r}: no row has a value that training knew; nothing to score")
        return truth, rows

    def save(self, folder: str | Path) -> Path:
        """Write the model folder (design, section 6), whole or not at all."""
        from fusible.tasks.folder import save

        return save(self, Path(folder))

    # -- within ---------------------------------------------------------------------------------------------------

    def _scores(
        self, dataset: Dataset, rows: np.ndarray, workers: int, progress: Progress | None
    ) -> tuple[np.ndarray, list[Problem]]:
        pieces, problems = [], list(dataset.problems)
        with stage(progress, "predict", len(rows)) as bar:
            for start in range(0, len(rows), CHUNK):
                chunk = rows[start : start + CHUNK]
                part = replace(dataset, problems=[])
                source = Source(part, workers=workers, rows=chunk)
                scores = self.node.scores(source, np.arange(len(chunk)))
                pieces.append(self.target.backward(scores))
                problems += part.problems + source.problems
                bar.advance(len(chunk))
        return np.concatenate(pieces), _merged(problems)

    def _frame(self, scores: np.ndarray) -> pd.DataFrame:
        task, labels = self.target.task, self.target.labels()
        decided = metrics.decide(task, scores, self.threshold)
        if task.kind == "regression":
            return pd.DataFrame({"prediction": decided})
        if task.kind == "multilabel":
            chosen = [[label for label, on in zip(labels, row, strict=True) if on] for row in decided]
            frame = pd.DataFrame({"prediction": pd.Series(chosen, dtype=object)})
        else:
            frame = pd.DataFrame({"prediction": [labels[i] for i in decided]})
        probabilities = pd.DataFrame(scores, columns=[f"probability_{name}" for name in task.classes])
        return pd.concat([frame, probabilities], axis=1)


def _merged(problems: list[Problem]) -> list[Problem]:
    """One problem per kind and column, whatever the number of chunks in which it was met."""
    found: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        found.setdefault((problem.kind, problem.column), []).append(problem)
    return [first if not more else _sum(first, more) for first, *more in found.values()]


def _sum(first: Problem, more: list[Problem]) -> Problem:
    rows = tuple(row for problem in (first, *more) for row in problem.rows)
    further = sum(problem.count for problem in more)
    message = f"{first.message}; and in {further} further rows"
    return replace(first, message=message, rows=rows[:100], count=first.count + further)
