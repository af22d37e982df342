"""What studies of several data sets give back together: one table of scores, and ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fusible.evaluation.metrics import METRICS
from fusible.evaluation.ranking import Ranking, rank
from fusible.evaluation.study import plain

BEST_SINGLE = "best single view"
"""Name under which each study's best single view, by held-out rows, takes part in the ranking."""
UNITS = frozenset({"mae", "rmse", "log_loss"})
"""Metrics whose differences do not compare between data sets."""


@dataclass(frozen=True, slots=True)
class TableStudy:
    """One table's study: its name, where its data came from, and the object of `StudyResult.to_json`.

    `folder` is where its report stands, below the folder of all; empty where nothing was written.
    """

    name: str
    data: str
    study: Mapping[str, Any]
    folder: str = ""

    @property
    def scores(self) -> dict[str, float]:
        """Test score of each strategy, in the metric's units; the best single view also by its role."""
        found = {row["name"]: _number(row["test"]["score"]) for row in self.study["strategies"]}
        return {BEST_SINGLE: found[self.study["best_single"]], **found}

    @property
    def sign(self) -> int:
        """1 where a higher score is better, -1 where a lower one is."""
        return METRICS[self.study["metric"]].sign


@dataclass(slots=True)
class SeveralResult:
    """The same strategies on several tables. `ranking` is over those that all have: singles differ from table to table.

    It is None where fewer than two strategies have a finite score on every table.
    """

    studies: tuple[TableStudy, ...]
    ranking: Ranking | None
    command: str = ""

    @property
    def statement(self) -> str:
        """On how many tables fusing helps, and how the strategies rank."""
        verdicts = [study.study["verdict"] for study in self.studies]
        number, helps, hurts = len(verdicts), verdicts.count("helps"), verdicts.count("hurts")
        first = f"Fusion helps on {helps} of {number} data sets" + (f" and hurts on {hurts}." if hurts else ".")
        return first if self.ranking is None else f"{first} {self.ranking.statement}"

    @property
    def frame(self) -> pd.DataFrame:
        """Scores by table (rows) and strategy (columns): ranked ones first, then those that only some tables have."""
        ranked = () if self.ranking is None else self.ranking.strategies
        names = dict.fromkeys([*ranked, *(name for study in self.studies for name in study.scores)])
        lines = [[study.scores.get(name, np.nan) for name in names] for study in self.studies]
        index = pd.Index([study.name for study in self.studies], name="data set")
        return pd.DataFrame(lines, index=index, columns=list(names))

    def to_json(self) -> dict[str, Any]:
        """Give the object that `fusible compare A B --json` prints: plain values."""
        ranking = self.ranking
        return {
            "studies": [{"name": s.name, "data": s.data, "folder": s.folder, **plain(s.study)} for s in self.studies],
            "ranks": {} if ranking is None else dict(zip(ranking.strategies, ranking.ranks, strict=True)),
            "ranking": None if ranking is None else ranking.to_json(),
            "statement": self.statement,
            "command": self.command,
        }

    def __repr__(self) -> str:
        return f"{self.statement}\n{self.frame.T.to_string(float_format=lambda value: f'{value:.4g}', na_rep='–')}"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p><strong>{escape(self.statement)}</strong></p>{self.frame.T.to_html(border=0, na_rep='–')}"


def several(studies: Sequence[TableStudy], command: str = "") -> SeveralResult:
    """Rank the strategies that every study has; sizes of differences count where all share a metric without a unit."""
    scores = [study.scores for study in studies]
    shared = [
        name for name in (scores[0] if scores else ()) if all(np.isfinite(found.get(name, np.nan)) for found in scores)
    ]
    if len(shared) < 2 or len(studies) < 2:
        return SeveralResult(tuple(studies), None, command)
    values = np.array([[s.sign * found[name] for name in shared] for s, found in zip(studies, scores, strict=True)])
    metrics = {study.study["metric"] for study in studies}
    ranking = rank(shared, values, comparable=len(metrics) == 1 and not metrics & UNITS)
    return SeveralResult(tuple(studies), ranking, command)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
